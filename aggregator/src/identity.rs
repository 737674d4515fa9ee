//! Whom the server is and whom it trusts, as it runs: the certificate that it shows, and the CAs whose sites it lets in.
//!
//! Commands change the files; here they are read again and again, and the next connection gets what they say. A connection that
//! is open keeps what it began with, so that no transfer breaks. What is due by itself, the renewal, is done here, too.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Result;
use snowball_crypto::SigningKey;
use snowball_ledger::Entry;
use snowball_protocol::{authorities::TrustedAuthorities, ids::UnixSeconds};
use snowball_service::{clock, tls};
use tokio::{sync::watch, task::spawn_blocking, time::sleep};

use crate::{
    authorities::{self, Authorities},
    config::Config,
    home::Home,
    server_certificate::{self, ServerCertificate},
    state::Core,
    stop::Stop,
};

/// How soon a change of the files is taken up.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// After a renewal failed.
const RETRY_PAUSE: Duration = Duration::from_secs(60);

/// What new connections are served with.
pub struct Identity {
    /// Certificate, key and client CAs.
    pub tls: Arc<rustls::ServerConfig>,
    /// The list of CAs that nodes are told.
    pub trusted: TrustedAuthorities,
    /// The aggregator's signature under the list.
    pub signature: String,
    /// The same list as a file's text: what a new site gets with its certificate.
    pub trust_text: String,
    files: Files,
}

/// The identity as the server and the routes hold it.
pub type Present = watch::Receiver<Arc<Identity>>;

/// What tells one state of the files from another.
#[derive(Clone, PartialEq, Eq)]
struct Files {
    number: u64,
    serial: String,
}

/// A certificate whose end comes near.
pub struct Ending {
    /// Which.
    pub what: String,
    /// The warning that is due: 30, 14 or 3 days.
    pub days: i64,
    /// Days left.
    pub days_left: i64,
    /// What to do.
    pub remedy: &'static str,
}

/// Reads the files, and signs a server's certificate first where none fits or two thirds of its life are over. Gives the new one's
/// entry for the ledger.
pub fn load(home: &Home, config: &Config, key: &SigningKey, now: UnixSeconds) -> Result<(Identity, Option<Entry>)> {
    let _lock = home.lock_certificates()?;
    let authorities = home.authorities()?;
    let serving = authorities.serving().pem();
    let present = ServerCertificate::read(home)
        .ok()
        .filter(|present| present.is_fresh(serving, now));
    // A pair that does not fit, as an earlier version or a person may leave it, is as good as none.
    if let Some(identity) = present.and_then(|present| identity(&authorities, &present, key).ok()) {
        return Ok((identity, None));
    }
    let renewed = server_certificate::renew(home, &authorities, config, now)?;
    let entry = server_certificate::renewed_entry(&renewed, &authorities);
    Ok((identity(&authorities, &renewed, key)?, Some(entry)))
}

fn identity(authorities: &Authorities, certificate: &ServerCertificate, key: &SigningKey) -> Result<Identity> {
    let trusted = authorities.trusted();
    let trust_text = tls::trust_text(&trusted);
    // The chain ends with the CA, so that a node which knows only its fingerprint can find it.
    let chain = format!("{}\n{}", certificate.pair_pem.trim_end(), authorities.serving().pem());
    Ok(Identity {
        tls: tls::server(&chain, &certificate.pair_pem, &trust_text)?,
        signature: key.sign(&trusted.signed_bytes()).to_string(),
        files: Files {
            number: trusted.number,
            serial: certificate.serial.clone(),
        },
        trusted,
        trust_text,
    })
}

/// Whether the files say the same as `files`, and nothing is due.
fn is_unchanged(home: &Home, files: &Files, now: UnixSeconds) -> Result<bool> {
    let (trusted, certificate) = (authorities::trusted(home)?, ServerCertificate::read(home)?);
    // A list has at least one certificate, else it could not have been read.
    Ok(trusted.number == files.number
        && certificate.serial == files.serial
        && certificate.is_fresh(&trusted.certificates_pem[0], now))
}

/// Keeps `present` up to date until the stop signal, and says when an end comes near.
pub async fn watch(home: Home, config: Config, core: Arc<Core>, present: watch::Sender<Arc<Identity>>, mut stop: Stop) {
    let (mut pause, mut warned) = (LOOK_PAUSE, BTreeMap::new());
    loop {
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.asked() => return,
        }
        pause = match look(&home, &config, &core, &present).await {
            Ok(()) => LOOK_PAUSE,
            Err(error) => {
                tracing::error!(
                    error = format!("{error:#}"),
                    "the server's certificate or the CAs could not be taken up; the ones before stay; see aggregator doctor"
                );
                RETRY_PAUSE
            }
        };
        for ending in endings(&home, clock::now()).unwrap_or_default() {
            if warned.insert(ending.what.clone(), ending.days) != Some(ending.days) {
                tracing::warn!("{} ends in {} days: {}", ending.what, ending.days_left, ending.remedy);
            }
        }
    }
}

async fn look(home: &Home, config: &Config, core: &Arc<Core>, present: &watch::Sender<Arc<Identity>>) -> Result<()> {
    let now = clock::now();
    let files = present.borrow().files.clone();
    let (home, config, for_loading) = (home.clone(), config.clone(), Arc::clone(core));
    let loaded = spawn_blocking(move || {
        if is_unchanged(&home, &files, now).unwrap_or(false) {
            return Ok(None);
        }
        load(&home, &config, &for_loading.key, now).map(Some)
    });
    let Some((next, entry)) = loaded.await?? else {
        return Ok(());
    };
    let (serial, number) = (next.files.serial.clone(), next.files.number);
    if next.files != present.borrow().files {
        present.send_replace(Arc::new(next));
        tracing::info!(
            serial,
            authorities = number,
            "new connections get another certificate or list of CAs"
        );
    }
    if let Some(entry) = entry {
        core.record(now, vec![entry]).await;
    }
    Ok(())
}

/// The CAs and the server's certificate whose end people should hear of.
pub fn endings(home: &Home, now: UnixSeconds) -> Result<Vec<Ending>> {
    let mut endings = Vec::new();
    for pem in authorities::trusted(home)?.certificates_pem {
        let life = tls::Life::read_pem(&pem)?;
        if let Some(days) = life.warning(now) {
            endings.push(Ending {
                what: format!("the CA {}", tls::certificate_fingerprint(&pem)?.short()),
                days,
                days_left: life.days_left(now),
                remedy: "add the next one with aggregator ca rotate, and retire this one when every site is ready",
            });
        }
    }
    let life = ServerCertificate::read(home)?.life;
    if let Some(days) = life.warning_if_overdue(now) {
        endings.push(Ending {
            what: "the server's certificate".to_owned(),
            days,
            days_left: life.days_left(now),
            remedy: "it could not be renewed, the log says why; try aggregator renew",
        });
    }
    Ok(endings)
}
