//! The node's certificate, renewed over itself while it still holds: a new key each time, made here and kept here.
//!
//! Two files change places, so that a crash at any point leaves a pair that fits: the new key is durable before the request
//! leaves, the new certificate before either takes its place, and [`settle`] ends what a crash interrupted.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use snowball_egress::Door;
use snowball_ledger::Entry;
use snowball_protocol::limits::CLOCK_SKEW_SECONDS_MAX;
use snowball_service::{
    clock, files,
    tls::{self, Life, PeerCertificate},
};

use crate::{
    authorities,
    events::{Event, Voice},
    home::Home,
};

/// How often the node looks whether it is time, or whether a person renewed it.
const LOOK_PAUSE: Duration = Duration::from_secs(2);
/// After a renewal failed.
const RETRY_SECONDS: i64 = 600;

/// The certificate that the node uses.
pub fn current(home: &Home) -> Result<PeerCertificate> {
    let pem = home.read_text(&home.certificate()).context(
        "this node is not enrolled; ask the coordinator for an invitation, then: hospital-node enroll INVITATION",
    )?;
    PeerCertificate::read_pem(&pem).context("the node's certificate cannot be used; enrol again")
}

/// Whether a certificate may be shown at `now`: one that has run out is refused by an alert without a word, so it is not tried.
pub fn holds(life: Life, now: i64) -> Result<()> {
    ensure!(
        life.not_after >= now,
        "this node's certificate ended {} days ago, and it can no longer renew it (certificate_expired); ask the coordinator for an \
         invitation and run hospital-node enroll INVITATION. Where this machine's clock is wrong, set it",
        (now - life.not_after) / 86_400
    );
    ensure!(
        life.not_before <= now + CLOCK_SKEW_SECONDS_MAX,
        "this node's certificate begins later than now by this machine's clock (certificate_not_yet_valid); set the clock"
    );
    Ok(())
}

/// Ends a renewal that a crash interrupted, before anything reads key and certificate. One that goes on in another process
/// is left to it.
pub fn settle(home: &Home) -> Result<()> {
    match lock(home)? {
        Some(_lock) => finish(home),
        None => Ok(()),
    }
}

/// The right to change key and certificate, until it is dropped; `None` while another process has it.
pub fn lock(home: &Home) -> Result<Option<File>> {
    let lock = File::create(home.renewal_lock()).context("cannot lock the renewal")?;
    Ok(lock.try_lock().is_ok().then_some(lock))
}

fn finish(home: &Home) -> Result<()> {
    if !home.next_certificate().exists() {
        // The answer never came, or was taken in whole: a key without a certificate is of no use.
        fs::remove_file(home.next_tls_key()).ok();
        return Ok(());
    }
    let authority = home.read_text(&home.authority())?;
    let certificate = home.read_text(&home.next_certificate())?;
    // The key moves first: where it lies in its place already, that one fits.
    let next = home.next_tls_key();
    let is_moved = !next.exists();
    let key = if is_moved { home.tls_key() } else { next.clone() };
    let key = home.keys().read(&key)?;
    tls::client(&authority, &certificate, &key).context("the renewed certificate is not for the renewed key")?;
    if !is_moved {
        rename(&next, &home.tls_key())?;
    }
    rename(&home.next_certificate(), &home.certificate())
}

/// Renews now. What is under way goes on with the certificate before; a node that runs beside takes up the new one.
pub async fn renew(home: &Home, door: &Door) -> Result<PeerCertificate> {
    let _lock = lock(home)?.context("another process renews the certificate at this moment")?;
    let before = current(home)?;
    let made = tls::request_certificate(&before.site).context("cannot make a key")?;
    home.keys().write(&home.next_tls_key(), &made.key_pem)?;
    let pem = door.renew_certificate(made.csr_pem).await?;
    let renewed = PeerCertificate::read_pem(&pem).context("the aggregator's answer is no certificate")?;
    ensure!(
        renewed.site == before.site,
        "the aggregator answered with another site's certificate"
    );
    tls::client(&home.read_text(&home.authority())?, &pem, &made.key_pem)
        .context("the answer's certificate is not for our key")?;
    door.record(Entry::CertificateReceived {
        certificate_serial: renewed.serial.clone(),
    })?;
    files::write_durable(&home.next_certificate(), pem.as_bytes())?;
    finish(home)?;
    Ok(renewed)
}

/// Keeps the certificate fresh as long as the node runs; `in_use` is the serial number of the one that `door` speaks with.
pub async fn watch(home: &Home, door: &Door, mut in_use: String, voice: &Voice) {
    let (mut not_before, mut warned) = (0, None);
    loop {
        tokio::time::sleep(LOOK_PAUSE).await;
        let now = clock::now();
        let Ok(mut certificate) = current(home) else { continue };
        let is_due = certificate.life().is_renewal_due(now) || authorities::is_superseded(home).unwrap_or(false);
        if is_due && now >= not_before {
            match renew(home, door).await {
                Ok(renewed) => certificate = renewed,
                Err(fault) => {
                    not_before = now + RETRY_SECONDS;
                    tracing::warn!(
                        fault = format!("{fault:#}"),
                        "the certificate could not be renewed; it is tried again in {} minutes",
                        RETRY_SECONDS / 60
                    );
                    let life = certificate.life();
                    if life.warning(now) != warned {
                        warned = life.warning(now);
                        voice.say(&Event::CertificateNotRenewed {
                            days_left: life.days_left(now),
                            reason: format!("{fault:#}"),
                        });
                    }
                }
            }
        }
        // Renewed here, or by a person with `hospital-node renew`; half a change is looked at again.
        if certificate.serial == in_use {
            continue;
        }
        match take_up(home, door) {
            Ok(()) => {
                warned = None;
                in_use.clone_from(&certificate.serial);
                voice.say(&Event::CertificateRenewed {
                    serial: certificate.serial,
                    not_after: certificate.not_after,
                });
            }
            Err(error) => tracing::warn!(
                error = format!("{error:#}"),
                "the renewed certificate cannot be taken up yet"
            ),
        }
    }
}

/// Speaks with the key and certificate, and trusts the CAs, that lie there now.
pub fn take_up(home: &Home, door: &Door) -> Result<()> {
    let text = |path: PathBuf| home.read_text(&path);
    let client = tls::client(
        &text(home.authority())?,
        &text(home.certificate())?,
        &home.keys().read(&home.tls_key())?,
    )?;
    Ok(door.replace_tls(client)?)
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    files::move_durable(from, to).with_context(|| format!("cannot put {} in its place", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_has_run_out_or_not_begun_is_not_shown() {
        let life = Life {
            not_before: 1_767_225_600,
            not_after: 1_769_904_000,
        };
        let says = |now| holds(life, now).map_err(|fault| fault.to_string());
        assert_eq!(says(life.not_before), Ok(()));
        assert_eq!(says(life.not_after), Ok(()));
        let over = says(life.not_after + 3 * 86_400).unwrap_err();
        assert!(
            over.contains("ended 3 days ago") && over.contains("(certificate_expired)"),
            "{over}"
        );
        assert!(
            says(life.not_before - 86_400)
                .unwrap_err()
                .contains("(certificate_not_yet_valid)")
        );
        assert!(says(life.not_before - 10).is_ok(), "clocks may differ a little");
    }
}
