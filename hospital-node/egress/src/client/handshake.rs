//! Why TLS failed, in words that say what to do: the other side gives an alert and no word.

use std::{error::Error, io};

use rustls::{AlertDescription, CertificateError};

use crate::error::{EgressError, Trouble};

const EXPIRED: Trouble = Trouble {
    code: "certificate_expired",
    reason: "it says that this node's certificate has expired",
    remedy: "see hospital-node doctor: if it has, ask the coordinator for an invitation and enrol again; if it holds by this machine's \
             clock, compare both clocks",
};
const FOREIGN: Trouble = Trouble {
    code: "certificate_foreign",
    reason: "it does not take this node's certificate: that is another consortium's, or of a CA that was retired while this node was off",
    remedy: "compare the address in aggregator.json with the coordinator's; ask for an invitation and enrol again",
};
const STRANGER: Trouble = Trouble {
    code: "aggregator_foreign",
    reason: "whoever answers is not the aggregator of the enrolment: the certificate that was shown is of none of the CAs that this node \
             trusts",
    remedy: "ask network IT whether TLS is inspected on the way; if it is not, ask the coordinator whether the address leads elsewhere or \
             the CA was replaced while this node was off, and enrol again if it was",
};
const STRANGER_NAME: Trouble = Trouble {
    code: "aggregator_name",
    reason: "its certificate is not for the address that this node asks",
    remedy: "ask the coordinator to add the address to `names` in aggregator.toml and to run aggregator renew",
};
const STRANGER_TIME: Trouble = Trouble {
    code: "aggregator_expired",
    reason: "its certificate does not hold at this machine's time",
    remedy: "compare this machine's clock; if it is right, ask the coordinator for aggregator doctor",
};

/// A connection that broke, as far as can be told why.
pub(super) fn broken(fault: &(dyn Error + 'static), reason: String) -> EgressError {
    match trouble(fault) {
        Some(trouble) => EgressError::Handshake(trouble),
        None => EgressError::Unreachable { reason },
    }
}

/// What TLS itself said, where it did.
pub(super) fn trouble(fault: &(dyn Error + 'static)) -> Option<Trouble> {
    let mut link = Some(fault);
    while let Some(fault) = link {
        if let Some(tls) = carried(fault).downcast_ref() {
            return of_tls(tls);
        }
        // HTTP/2 keeps of what broke it the words alone.
        if let Some(trouble) = of_words(&fault.to_string()) {
            return Some(trouble);
        }
        link = fault.source();
    }
    None
}

/// What an `io::Error` carries, or another one in it: that is not among its sources.
fn carried<'a>(mut fault: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    while let Some(inner) = fault.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        fault = inner;
    }
    fault
}

fn of_tls(fault: &rustls::Error) -> Option<Trouble> {
    match fault {
        rustls::Error::AlertReceived(alert) => of_alert(*alert),
        rustls::Error::InvalidCertificate(fault) => Some(of_certificate(fault)),
        _ => None,
    }
}

/// What the aggregator says of this node's certificate.
const fn of_alert(alert: AlertDescription) -> Option<Trouble> {
    match alert {
        AlertDescription::CertificateExpired => Some(EXPIRED),
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::DecryptError
        | AlertDescription::AccessDenied => Some(FOREIGN),
        _ => None,
    }
}

/// What this node says of the aggregator's.
const fn of_certificate(fault: &CertificateError) -> Trouble {
    match fault {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => STRANGER_TIME,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => STRANGER_NAME,
        _ => STRANGER,
    }
}

fn of_words(words: &str) -> Option<Trouble> {
    let (_, alert) = words.split_once("received fatal alert: ")?;
    let name: String = alert.chars().take_while(char::is_ascii_alphanumeric).collect();
    let known = [
        AlertDescription::CertificateExpired,
        AlertDescription::UnknownCA,
        AlertDescription::BadCertificate,
        AlertDescription::CertificateUnknown,
        AlertDescription::UnsupportedCertificate,
        AlertDescription::DecryptError,
        AlertDescription::AccessDenied,
    ];
    known
        .into_iter()
        .find(|alert| format!("{alert:?}") == name)
        .and_then(of_alert)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(fault: rustls::Error) -> Option<&'static str> {
        // In two, as a client of HTTP wraps it.
        let fault = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, fault));
        trouble(&fault).map(|trouble| trouble.code)
    }

    #[test]
    fn what_tls_says_has_a_code_and_a_remedy() {
        let alert = rustls::Error::AlertReceived;
        assert_eq!(
            code(alert(AlertDescription::CertificateExpired)),
            Some("certificate_expired")
        );
        assert_eq!(code(alert(AlertDescription::UnknownCA)), Some("certificate_foreign"));
        assert_eq!(
            code(alert(AlertDescription::BadCertificate)),
            Some("certificate_foreign")
        );
        assert_eq!(code(alert(AlertDescription::ProtocolVersion)), None);
        let invalid = rustls::Error::InvalidCertificate;
        assert_eq!(
            code(invalid(CertificateError::UnknownIssuer)),
            Some("aggregator_foreign")
        );
        assert_eq!(code(invalid(CertificateError::Expired)), Some("aggregator_expired"));
        assert_eq!(
            code(invalid(CertificateError::NotValidForName)),
            Some("aggregator_name")
        );
        assert_eq!(code(rustls::Error::HandshakeNotComplete), None);
    }

    #[test]
    fn the_words_alone_say_the_same() {
        let fault = io::Error::other("connection error: received fatal alert: UnknownCA");
        let EgressError::Handshake(trouble) = broken(&fault, String::new()) else {
            panic!("it is told apart");
        };
        assert_eq!(trouble.code, "certificate_foreign");
        let words = EgressError::Handshake(trouble).to_string();
        assert!(
            words.contains("(certificate_foreign)") && words.contains("enrol again"),
            "{words}"
        );
        let other = io::Error::other("received fatal alert: HandshakeFailure");
        assert!(matches!(
            broken(&other, "x".to_owned()),
            EgressError::Unreachable { .. }
        ));
    }
}
