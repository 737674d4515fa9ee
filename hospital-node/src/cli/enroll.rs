//! `enroll`: a key made here, a request signed there.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use snowball_egress::client;
use snowball_ledger::Entry;
use snowball_protocol::{
    Sha256Digest,
    enrolment::{EnrolmentRequest, EnrolmentStatus, Invitation},
    limits::JSON_BYTES_MAX,
    plan::canonical_json,
};
use snowball_service::{clock, files, output, tls};

use super::{Context, Refused};
use crate::home::{Aggregator, Home};

/// Join a consortium: make a key, ask for its certificate, wait for the coordinator's approval.
///
/// Run again after an interruption, it goes on where it was.
#[derive(Args)]
#[command(after_help = "Example: hospital-node enroll snowball-invitation:eyJhZGRyZXNz...")]
pub struct Enroll {
    /// The line that the coordinator sent.
    invitation: String,
    /// Wait at most so many seconds for the approval; run again later to go on.
    #[arg(long, default_value_t = 86_400)]
    wait_seconds: u64,
}

/// A request that was handed in and not decided.
#[derive(Serialize, Deserialize)]
struct Pending {
    request: EnrolmentRequest,
    key_fingerprint: Sha256Digest,
}

impl Enroll {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let invitation = Invitation::from_line(&self.invitation)?;
        let config = home.config()?;
        if invitation.site != config.site {
            bail!(
                "the invitation is for site {}, this node is {}; ask for one for {1}",
                invitation.site,
                config.site
            );
        }
        if clock::now() > invitation.expires {
            bail!(
                "the invitation has expired; ask the coordinator for a new one: aggregator invite --site {}",
                config.site
            );
        }
        let pending = prepare(&home, &invitation)?;
        let contact = client::enrol(&invitation, config.network.proxy.clone())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.ask(context, &home, &invitation, &pending, &contact))
    }

    async fn ask(
        &self,
        context: &Context,
        home: &Home,
        invitation: &Invitation,
        pending: &Pending,
        contact: &client::FirstContact,
    ) -> Result<()> {
        let config = home.config()?;
        let ledger = home.open_ledger(&config)?;
        let record = |entry: Entry| -> Result<()> {
            ledger
                .lock()
                .map_err(|_| anyhow::anyhow!("the ledger is in use"))?
                .append(clock::now(), entry)?;
            Ok(())
        };
        let body = canonical_json(&pending.request);
        record(Entry::EnrolmentRequested {
            site: config.site.clone(),
            key_fingerprint: pending.key_fingerprint,
        })?;
        record(Entry::DisclosureSent {
            kind: "enrolment".to_owned(),
            digest: Sha256Digest::of(&body),
            bytes: body.len() as u64,
        })?;
        let accepted = contact
            .request(&pending.request)
            .await
            .context("the request could not be handed in")?;
        if accepted.key_fingerprint != pending.key_fingerprint {
            return Err(Refused(
                "the aggregator saw another key than ours: somebody is in between; do not approve".to_owned(),
            )
            .into());
        }
        let short = pending.key_fingerprint.short();
        output::note(format_args!(
            "the request is handed in; read this fingerprint to the coordinator: {short}"
        ));
        let begun = Instant::now();
        loop {
            match contact.status(&accepted.enrolment).await {
                Ok(EnrolmentStatus::Approved {
                    certificate_pem,
                    ca_pem,
                    aggregator_key,
                }) => {
                    let serial = keep(home, invitation, &certificate_pem, &ca_pem, &aggregator_key)?;
                    record(Entry::CertificateReceived {
                        certificate_serial: serial.clone(),
                    })?;
                    let document = serde_json::json!({"state": "approved", "serial": serial, "fingerprint": short});
                    return context.print(&document, || {
                        format!(
                            "enrolled at {}; certificate {serial}\n\nnext: hospital-node run",
                            invitation.address
                        )
                    });
                }
                Ok(EnrolmentStatus::Refused { reason }) => {
                    std::fs::remove_file(home.enrolment_file()).ok();
                    return Err(Refused(format!("the coordinator refused: {reason}")).into());
                }
                Ok(EnrolmentStatus::Pending) => {}
                Err(fault) if fault.is_transient() => {}
                Err(fault) => return Err(fault.into()),
            }
            if begun.elapsed() > Duration::from_secs(self.wait_seconds) {
                bail!("not approved yet; run the same command again later: nothing is lost");
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
}

/// The request of this invitation: the one that was made before, or a new key and request.
fn prepare(home: &Home, invitation: &Invitation) -> Result<Pending> {
    let path = home.enrolment_file();
    if path.exists() {
        let text = files::read_bounded(&path, JSON_BYTES_MAX)?;
        if let Ok(pending) = serde_json::from_slice::<Pending>(&text)
            && pending.request.token == invitation.token
        {
            return Ok(pending);
        }
    }
    let made = tls::request_certificate(&invitation.site).context("cannot make a key")?;
    files::write_private(&home.tls_key(), made.key_pem.as_bytes())?;
    let pending = Pending {
        request: EnrolmentRequest {
            site: invitation.site.clone(),
            token: invitation.token.clone(),
            csr_pem: made.csr_pem,
            ledger_key: home.ledger_key()?.verifying_key().to_string(),
        },
        key_fingerprint: made.key_fingerprint,
    };
    // It holds the token, which is a secret until it is used.
    files::write_private(&path, &canonical_json(&pending))?;
    Ok(pending)
}

/// Keeps the certificate, if it is for our key and from the CA of the invitation.
fn keep(
    home: &Home,
    invitation: &Invitation,
    certificate: &str,
    authority: &str,
    aggregator_key: &str,
) -> Result<String> {
    if tls::certificate_fingerprint(authority)? != invitation.ca_fingerprint {
        return Err(Refused("the answer names another CA than the invitation".to_owned()).into());
    }
    let peer = tls::PeerCertificate::read_pem(certificate)?;
    if peer.site != invitation.site {
        return Err(Refused("the certificate is for another site".to_owned()).into());
    }
    tls::client(authority, certificate, &home.read_text(&home.tls_key())?)
        .context("the certificate is not for our key")?;
    let aggregator = Aggregator {
        address: invitation.address.clone(),
        ca_fingerprint: invitation.ca_fingerprint,
        aggregator_key: aggregator_key.parse().context("the aggregator's key does not parse")?,
    };
    files::write_durable(&home.authority(), authority.as_bytes())?;
    files::write_durable(&home.certificate(), certificate.as_bytes())?;
    files::write_durable(&home.aggregator_file(), &canonical_json(&aggregator))?;
    std::fs::remove_file(home.enrolment_file()).ok();
    Ok(peer.serial)
}
