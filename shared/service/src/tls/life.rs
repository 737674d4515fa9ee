//! From when to when a certificate holds: when it is renewed, and when its end is said aloud.

use rustls_pki_types::{CertificateDer, pem::PemObject};
use snowball_protocol::ids::UnixSeconds;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::TlsError;

/// Days before a certificate's end at which people are told, once each.
pub const WARNING_DAYS: [i64; 3] = [30, 14, 3];

const DAY_SECONDS: i64 = 86_400;

/// A certificate's validity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Life {
    /// Its first second.
    pub not_before: UnixSeconds,
    /// Its last second.
    pub not_after: UnixSeconds,
}

impl Life {
    /// Of the first certificate in a PEM text.
    ///
    /// # Errors
    /// When there is none.
    pub fn read_pem(pem: &str) -> Result<Self, TlsError> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| TlsError::Pem { what: "certificate" })?;
        let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| TlsError::Certificate {
            reason: "it does not parse",
        })?;
        Ok(Self {
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
        })
    }

    /// Whole days that are left; negative when it is over.
    #[must_use]
    pub fn days_left(&self, now: UnixSeconds) -> i64 {
        (self.not_after - now).div_euclid(DAY_SECONDS)
    }

    /// Whether it is time to renew: two thirds of its life are over.
    #[must_use]
    pub fn is_renewal_due(&self, now: UnixSeconds) -> bool {
        now >= self.renewal()
    }

    /// Whether a renewal that should have come by itself did not: a tenth of the last third is over.
    #[must_use]
    pub fn is_renewal_overdue(&self, now: UnixSeconds) -> bool {
        now >= self.renewal() + (self.not_after - self.renewal()) / 10
    }

    /// The fewest days of [`WARNING_DAYS`] that are not less than what is left: what people are to be told of a certificate
    /// that they renew themselves, such as a CA's, or of one whose renewal has failed.
    #[must_use]
    pub fn warning(&self, now: UnixSeconds) -> Option<i64> {
        let reached = |days: &&i64| self.not_after - now <= **days * DAY_SECONDS;
        WARNING_DAYS.iter().filter(reached).min().copied()
    }

    /// The same for a certificate that is renewed by itself. It may live shorter than the longest warning: so there is
    /// nothing to say as long as its renewal is not overdue.
    #[must_use]
    pub fn warning_if_overdue(&self, now: UnixSeconds) -> Option<i64> {
        self.warning(now).filter(|_| self.is_renewal_overdue(now))
    }

    fn renewal(&self) -> UnixSeconds {
        self.not_after - (self.not_after - self.not_before) / 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = DAY_SECONDS;

    fn life(days: i64) -> Life {
        Life {
            not_before: 0,
            not_after: days * DAY,
        }
    }

    #[test]
    fn a_certificate_is_renewed_after_two_thirds_of_its_life() {
        let month = life(30);
        assert!(!month.is_renewal_due(19 * DAY) && month.is_renewal_due(20 * DAY) && month.is_renewal_due(31 * DAY));
        assert!(!month.is_renewal_overdue(20 * DAY) && month.is_renewal_overdue(21 * DAY));
    }

    #[test]
    fn an_end_is_said_at_thirty_fourteen_and_three_days() {
        let year = life(365);
        let said: Vec<_> = [40, 30, 20, 14, 4, 3, 1, -1]
            .map(|left| year.warning((365 - left) * DAY))
            .to_vec();
        assert_eq!(
            said,
            [None, Some(30), Some(30), Some(14), Some(14), Some(3), Some(3), Some(3)]
        );
    }

    #[test]
    fn a_short_certificate_warns_only_when_its_renewal_is_overdue() {
        let month = life(30);
        let said: Vec<_> = [1, 20, 21, 27, 31]
            .map(|day| month.warning_if_overdue(day * DAY))
            .to_vec();
        assert_eq!(said, [None, None, Some(14), Some(3), Some(3)]);
    }

    #[test]
    fn days_are_whole_and_negative_when_it_is_over() {
        assert_eq!(
            [0, 1, DAY, 30 * DAY, 30 * DAY + 1].map(|now| life(30).days_left(now)),
            [30, 29, 29, 0, -1]
        );
    }
}
