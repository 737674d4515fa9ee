//! An enrolment as it lies on disk: begun, answered, taken over, each step whole or not at all.
//!
//! The key of a request waits beside the one in use, so that an enrolment that fails changes nothing. The coordinator's answer is
//! written down whole before any file takes its place; [`settle`] ends what a crash interrupted.

use std::fs;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use snowball_ledger::Entry;
use snowball_protocol::{
    Sha256Digest,
    enrolment::{EnrolmentRequest, Invitation},
    ids::UnixSeconds,
    limits::{CLOCK_SKEW_SECONDS_MAX, JSON_BYTES_MAX},
    plan::canonical_json,
};
use snowball_service::{clock, files, tls};

use crate::{
    home::{Aggregator, Home},
    renewal,
};

/// A request that was handed in or is about to be, and the answer once there is one.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// What is asked; it holds the token, which is a secret until it is used.
    pub request: EnrolmentRequest,
    /// SHA-256 of its public key.
    pub key_fingerprint: Sha256Digest,
    /// The coordinator's approval.
    #[serde(default)]
    pub answer: Option<Approval>,
}

/// All that an approval brings.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The certificate, PEM.
    pub certificate_pem: String,
    /// The consortium's CA, PEM.
    pub ca_pem: String,
    /// Whom this node now belongs to.
    pub aggregator: Aggregator,
}

/// How an invitation's token is remembered after its use.
pub fn digest_of(invitation: &Invitation) -> Sha256Digest {
    Sha256Digest::of(invitation.token.as_bytes())
}

/// The enrolment with this invitation that was begun before, if its key is still there.
pub fn begun(home: &Home, invitation: &Invitation) -> Result<Option<Enrolment>> {
    Ok(read(home)?.filter(|enrolment| enrolment.request.token == invitation.token))
}

/// A new key and request for `invitation`; one that was begun with another invitation ends.
pub fn begin(home: &Home, invitation: &Invitation) -> Result<Enrolment> {
    discard(home)?;
    let made = tls::request_certificate(&invitation.site).context("cannot make a key")?;
    let enrolment = Enrolment {
        request: EnrolmentRequest {
            site: invitation.site.clone(),
            token: invitation.token.clone(),
            csr_pem: made.csr_pem,
            ledger_key: home.ledger_key()?.verifying_key().to_string(),
        },
        key_fingerprint: made.key_fingerprint,
        answer: None,
    };
    home.keys().write(&home.enrolment_key(), &made.key_pem)?;
    write(home, &enrolment)?;
    Ok(enrolment)
}

/// Takes everything back that was begun. What the node had before is as it was.
pub fn discard(home: &Home) -> Result<()> {
    for path in [home.enrolment_file(), home.enrolment_key()] {
        match fs::remove_file(&path) {
            Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => {
                return Err(fault).with_context(|| format!("cannot remove {}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Writes an approval down, if it is for our key, from the CA of the invitation and in force.
pub fn accept(
    home: &Home,
    invitation: &Invitation,
    mut enrolment: Enrolment,
    approval: Approval,
    now: UnixSeconds,
) -> Result<()> {
    if tls::certificate_fingerprint(&approval.ca_pem)? != invitation.ca_fingerprint {
        bail!("the answer names another CA than the invitation; nothing was kept, ask the coordinator");
    }
    let peer = tls::PeerCertificate::read_pem(&approval.certificate_pem)?;
    if peer.site != invitation.site {
        bail!(
            "the certificate is for {}, not for this site; nothing was kept, ask the coordinator",
            peer.site
        );
    }
    tls::client(
        &approval.ca_pem,
        &approval.certificate_pem,
        &home.keys().read(&home.enrolment_key())?,
    )
    .context("the certificate is not for this node's key; nothing was kept, ask the coordinator")?;
    if let Some(words) = out_of_time(peer.not_before, peer.not_after, now) {
        bail!("{words}");
    }
    enrolment.answer = Some(approval);
    write(home, &enrolment)
}

/// Ends an enrolment whose approval is written down; gives the serial number of its certificate.
pub fn settle(home: &Home) -> Result<Option<String>> {
    let Some(approval) = read(home)?.and_then(|enrolment| enrolment.answer) else {
        return Ok(None);
    };
    let _lock =
        renewal::lock(home)?.context("the certificate is being renewed at this moment; run the same command again")?;
    let serial = tls::PeerCertificate::read_pem(&approval.certificate_pem)?.serial;
    record(home, &serial)?;
    let (waiting, in_use) = (home.enrolment_key(), home.tls_key());
    // The key moves first: where it is in its place already, that one fits.
    let key = if waiting.exists() { &waiting } else { &in_use };
    tls::client(&approval.ca_pem, &approval.certificate_pem, &home.keys().read(key)?)
        .context("the approved certificate is not for this node's key; enrol again with a new invitation")?;
    // What a renewal left belongs to the certificate before.
    for leftover in [home.next_certificate(), home.next_tls_key()] {
        fs::remove_file(leftover).ok();
    }
    if waiting.exists() {
        files::move_durable(&waiting, &in_use).context("cannot put the key in its place")?;
    }
    files::write_durable(&home.authority(), approval.ca_pem.as_bytes())?;
    files::write_durable(&home.certificate(), approval.certificate_pem.as_bytes())?;
    files::write_durable(&home.aggregator_file(), &canonical_json(&approval.aggregator))?;
    discard(home)?;
    Ok(Some(serial))
}

/// In the ledger once, however often a crash makes this be done again.
fn record(home: &Home, serial: &str) -> Result<()> {
    let records = snowball_ledger::read(&home.ledger()).context("cannot read the ledger")?;
    let is_known = records.iter().any(|record| {
        matches!(&record.entry, Entry::CertificateReceived { certificate_serial } if certificate_serial == serial)
    });
    if is_known {
        return Ok(());
    }
    let ledger = home.open_ledger(&home.config()?)?;
    let mut ledger = ledger.lock().map_err(|_| anyhow::anyhow!("the ledger is in use"))?;
    ledger.append(
        clock::now(),
        Entry::CertificateReceived {
            certificate_serial: serial.to_owned(),
        },
    )?;
    Ok(())
}

fn read(home: &Home) -> Result<Option<Enrolment>> {
    let path = home.enrolment_file();
    let bytes = match files::read_bounded(&path, JSON_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(fault) => return Err(fault).with_context(|| format!("cannot read {}", path.display())),
    };
    let enrolment: Enrolment = serde_json::from_slice(&bytes).with_context(|| {
        format!(
            "{} does not parse; remove it and enrol with a new invitation",
            path.display()
        )
    })?;
    // Without its key a request that nobody has answered is worth nothing.
    let is_of_use = enrolment.answer.is_some() || home.enrolment_key().exists();
    Ok(is_of_use.then_some(enrolment))
}

fn write(home: &Home, enrolment: &Enrolment) -> Result<()> {
    files::write_private(&home.enrolment_file(), &canonical_json(enrolment)).context("cannot write the enrolment down")
}

fn out_of_time(not_before: UnixSeconds, not_after: UnixSeconds, now: UnixSeconds) -> Option<String> {
    let what = if now + CLOCK_SKEW_SECONDS_MAX < not_before {
        format!("begins {} after this machine's time", span(not_before - now))
    } else if now > not_after {
        format!("ended {} before this machine's time", span(now - not_after))
    } else {
        return None;
    };
    Some(format!(
        "the certificate {what}; nothing was kept. Compare both clocks with a telephone's: if this one is wrong, set it by NTP and run \
         the same command again; if the aggregator's was, ask the coordinator to set it and for a new invitation"
    ))
}

/// What is known of the time when a node enrols.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// By this machine.
    pub here: UnixSeconds,
    /// By the aggregator.
    pub there: UnixSeconds,
    /// When the invitation was made, by the aggregator's clock.
    pub made: UnixSeconds,
    /// When it ends, by the aggregator's clock.
    pub expires: UnixSeconds,
    /// The newest entry of this node's ledger, by this machine's clock.
    pub written: UnixSeconds,
}

/// Whether both clocks agree; else the words for a person, with the side that is likely wrong.
pub fn compare(clocks: &Clocks) -> Result<(), String> {
    let Clocks {
        here,
        there,
        made,
        expires,
        written,
    } = *clocks;
    let apart = here.saturating_sub(there);
    if apart.saturating_abs() <= CLOCK_SKEW_SECONDS_MAX {
        return Ok(());
    }
    let is_before = |time: UnixSeconds, known: UnixSeconds| time.saturating_add(CLOCK_SKEW_SECONDS_MAX) < known;
    const HERE: &str = "set this machine's clock by NTP (timedatectl set-ntp true) and run the same command again";
    const THERE: &str = "tell the coordinator to set the aggregator's clock by NTP, then run the same command again";
    let (likely, remedy) = if is_before(there, made) {
        (
            "The aggregator's is likely wrong: it stands before the time at which it made the invitation",
            THERE,
        )
    } else if is_before(here, written) {
        (
            "This machine's is likely wrong: it stands before the newest entry of its own ledger",
            HERE,
        )
    } else if is_before(here, made) {
        (
            "This machine's is likely wrong: it stands before the time at which the invitation was made",
            HERE,
        )
    } else if here > expires && there <= expires {
        (
            "This machine's is likely wrong: the invitation is in its time by the aggregator's clock only",
            HERE,
        )
    } else {
        (
            "Which of them is wrong cannot be told from here: compare both with a telephone's",
            "set the wrong one by NTP and run the same command again",
        )
    };
    Err(format!(
        "this machine's clock is {} {} the aggregator's: here it is {}, there {}. {likely}; {remedy}. Nothing was sent",
        span(apart.saturating_abs()),
        if apart > 0 { "ahead of" } else { "behind" },
        moment(here),
        moment(there),
    ))
}

fn moment(time: UnixSeconds) -> String {
    jiff::Timestamp::from_second(time).map_or_else(|_| format!("{time} seconds"), |time| time.to_string())
}

/// A length of time, as people say it.
fn span(seconds: i64) -> String {
    match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = 1_800_000_000;
    const DAY: i64 = 86_400;

    fn clocks(here: i64, there: i64) -> Clocks {
        Clocks {
            here: NOW + here,
            there: NOW + there,
            made: NOW - DAY,
            expires: NOW + 2 * DAY,
            written: NOW - 10 * DAY,
        }
    }

    #[test]
    fn a_wrong_clock_is_named_with_the_difference_and_the_side_that_is_likely_wrong() {
        assert_eq!(compare(&clocks(0, 0)), Ok(()));
        assert_eq!(compare(&clocks(-300, 0)), Ok(()));
        let cases = [
            (
                -2 * DAY,
                0,
                "2 days behind",
                "This machine's is likely wrong: it stands before the time",
            ),
            (-20 * DAY, 0, "20 days behind", "newest entry of its own ledger"),
            (
                30 * DAY,
                0,
                "30 days ahead of",
                "in its time by the aggregator's clock only",
            ),
            (0, -40 * DAY, "40 days ahead of", "The aggregator's is likely wrong"),
            (3600, 0, "60 minutes ahead of", "cannot be told from here"),
            (0, 301, "5 minutes behind", "cannot be told from here"),
        ];
        for (here, there, difference, likely) in cases {
            let words = compare(&clocks(here, there)).unwrap_err();
            assert!(
                words.contains(difference) && words.contains(likely) && words.contains("NTP"),
                "{words}"
            );
        }
        assert!(
            compare(&Clocks {
                here: i64::MIN,
                ..clocks(0, 0)
            })
            .is_err()
        );
        assert!(
            compare(&Clocks {
                there: i64::MAX,
                ..clocks(0, 0)
            })
            .is_err()
        );
    }

    #[test]
    fn a_certificate_of_another_time_is_not_kept() {
        assert_eq!(out_of_time(NOW - 600, NOW + 30 * DAY, NOW), None);
        assert_eq!(
            out_of_time(NOW + 200, NOW + 30 * DAY, NOW),
            None,
            "within what clocks may differ"
        );
        assert!(
            out_of_time(NOW + DAY, NOW + 31 * DAY, NOW).is_some_and(|words| words.contains("begins 24 hours after"))
        );
        assert!(
            out_of_time(NOW - 31 * DAY, NOW - DAY, NOW).is_some_and(|words| words.contains("ended 24 hours before"))
        );
    }

    #[test]
    fn a_request_is_made_once_for_an_invitation_and_taken_back_whole() {
        let folder = tempfile::tempdir().unwrap();
        crate::cli::init::make(folder.path(), "north".parse().unwrap(), 1).unwrap();
        let home = Home::existing(folder.path()).unwrap();
        fs::write(home.tls_key(), "the key in use").unwrap();
        let mut invitation = Invitation {
            address: "https://localhost:7443".to_owned(),
            ca_fingerprint: Sha256Digest::of(b"ca"),
            site: "north".parse().unwrap(),
            token: "first".to_owned(),
            made: 0,
            expires: 1,
        };
        assert!(begun(&home, &invitation).unwrap().is_none());
        let first = begin(&home, &invitation).unwrap();
        let again = begun(&home, &invitation).unwrap().unwrap();
        assert_eq!(again.request.csr_pem, first.request.csr_pem);
        assert_eq!(settle(&home).unwrap(), None, "nothing to take over before the approval");
        invitation.token = "second".to_owned();
        assert!(begun(&home, &invitation).unwrap().is_none());
        let second = begin(&home, &invitation).unwrap();
        assert_ne!(second.key_fingerprint, first.key_fingerprint);
        fs::remove_file(home.enrolment_key()).unwrap();
        assert!(
            begun(&home, &invitation).unwrap().is_none(),
            "a request without its key is begun anew"
        );
        begin(&home, &invitation).unwrap();
        discard(&home).unwrap();
        discard(&home).unwrap();
        assert!(!home.enrolment_file().exists() && !home.enrolment_key().exists());
        assert_eq!(fs::read_to_string(home.tls_key()).unwrap(), "the key in use");
    }
}
