//! `enroll`: a key made here, a request signed there.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use clap::Args;
use snowball_egress::{EgressError, SharedLedger, client};
use snowball_ledger::Entry;
use snowball_protocol::{
    Problem, ProblemCode, Sha256Digest,
    enrolment::{EnrolmentStatus, Invitation},
    ids::EnrolmentId,
    plan::canonical_json,
};
use snowball_service::{clock, output};

use super::{Context, Refused};
use crate::{
    enrolment::{self, Approval, Clocks, Enrolment},
    home::{Aggregator, Home},
};

/// Pauses between two looks at the coordinator's decision, the first and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Tries of one request over a line that breaks.
const TRIES_MAX: u32 = 4;

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
        // An approval that a crash kept from its place.
        if let Some(serial) = enrolment::settle(&home)? {
            return enrolled(context, &invitation, &serial);
        }
        let used = home.aggregator().ok().and_then(|aggregator| aggregator.invitation);
        if used == Some(enrolment::digest_of(&invitation)) {
            let serial = crate::renewal::current(&home)?.serial;
            return enrolled(context, &invitation, &serial);
        }
        // Opened before anything is asked: what cannot be recorded does not leave.
        let ledger = home.open_ledger(&config)?;
        let line = Line {
            home: &home,
            invitation: &invitation,
            contact: client::enrol(&invitation, config.network.proxy)?,
            ledger,
            begun: Instant::now(),
            patience: Duration::from_secs(self.wait_seconds),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serial = runtime.block_on(line.enrol())?;
        enrolled(context, &invitation, &serial)
    }
}

fn enrolled(context: &Context, invitation: &Invitation, serial: &str) -> Result<()> {
    let document = serde_json::json!({"state": "approved", "serial": serial});
    context.print(&document, || {
        format!(
            "enrolled at {}; certificate {serial}\n\nnext: hospital-node run",
            invitation.address
        )
    })
}

/// One run of the command.
struct Line<'a> {
    home: &'a Home,
    invitation: &'a Invitation,
    contact: client::FirstContact,
    ledger: SharedLedger,
    begun: Instant,
    patience: Duration,
}

impl Line<'_> {
    async fn enrol(&self) -> Result<String> {
        let before = enrolment::begun(self.home, self.invitation)?;
        let there = self.tried(|| self.contact.clock()).await.map_err(|fault| match fault {
            EgressError::Unreachable { reason } => unreachable(&reason),
            fault => fault.into(),
        })?;
        self.compare_clocks(there)?;
        self.contact.check_time()?;
        if before.is_none() && there > self.invitation.expires {
            return Err(Refused(format!(
                "the invitation has expired; nothing was sent. Ask the coordinator for a new one: aggregator invite --site {}",
                self.invitation.site
            ))
            .into());
        }
        // The key is made only now: whoever gets no further than this has nothing half-made.
        let enrolment = match before {
            Some(enrolment) => enrolment,
            None => enrolment::begin(self.home, self.invitation)?,
        };
        let id = self.hand_in(&enrolment).await?;
        let spoken = enrolment.key_fingerprint.spoken();
        output::note(format_args!(
            "the request is handed in; read this fingerprint to the coordinator: {spoken}"
        ));
        let approval = self.wait(&id).await?;
        enrolment::accept(self.home, self.invitation, enrolment, approval, clock::now())?;
        enrolment::settle(self.home)?
            .ok_or_else(|| anyhow::anyhow!("the approval went away; run the same command again"))
    }

    fn compare_clocks(&self, there: i64) -> Result<()> {
        let records = snowball_ledger::read(&self.home.ledger())?;
        enrolment::compare(&Clocks {
            here: clock::now(),
            there,
            made: self.invitation.made,
            expires: self.invitation.expires,
            written: records.last().map_or(i64::MIN, |record| record.time),
        })
        .map_err(|words| Refused(words).into())
    }

    async fn hand_in(&self, enrolment: &Enrolment) -> Result<EnrolmentId> {
        let body = canonical_json(&enrolment.request);
        self.record(Entry::EnrolmentRequested {
            site: self.invitation.site.clone(),
            key_fingerprint: enrolment.key_fingerprint,
        })?;
        self.record(Entry::DisclosureSent {
            kind: "enrolment".to_owned(),
            digest: Sha256Digest::of(&body),
            bytes: body.len() as u64,
        })?;
        let answer = self.tried(|| self.contact.request(&enrolment.request)).await;
        let accepted = match answer {
            Ok(accepted) => accepted,
            Err(EgressError::Unreachable { reason }) => bail!(
                "the line broke before the aggregator's answer ({reason}): the request may have arrived or not. Run the same command \
                 again: it goes on where it stood, and the same request counts once"
            ),
            Err(EgressError::Refused(problem)) if is_final(&problem) => {
                enrolment::discard(self.home)?;
                return Err(EgressError::Refused(problem).into());
            }
            Err(fault) => return Err(fault.into()),
        };
        if accepted.key_fingerprint != enrolment.key_fingerprint {
            enrolment::discard(self.home)?;
            return Err(Refused(
                "the aggregator saw another key than ours; tell the coordinator not to approve, and ask for a new invitation".to_owned(),
            )
            .into());
        }
        Ok(accepted.enrolment)
    }

    async fn wait(&self, id: &EnrolmentId) -> Result<Approval> {
        let (mut pause, mut is_down) = (PAUSE_MIN, false);
        loop {
            match self.contact.status(id).await {
                Ok(EnrolmentStatus::Approved {
                    certificate_pem,
                    ca_pem,
                    aggregator_key,
                }) => {
                    let aggregator_key = aggregator_key
                        .parse()
                        .map_err(|_| anyhow::anyhow!("the aggregator's key does not parse; nothing was kept"))?;
                    let aggregator = Aggregator {
                        address: self.invitation.address.clone(),
                        ca_fingerprint: self.invitation.ca_fingerprint,
                        aggregator_key,
                        invitation: Some(enrolment::digest_of(self.invitation)),
                    };
                    return Ok(Approval {
                        certificate_pem,
                        ca_pem,
                        aggregator,
                    });
                }
                Ok(EnrolmentStatus::Refused { reason }) => {
                    enrolment::discard(self.home)?;
                    let words = format!(
                        "the coordinator refused: {reason}. The key that was made for it is gone, and what the node had before is as it \
                         was; speak to the coordinator, then enrol with a new invitation"
                    );
                    return Err(Refused(words).into());
                }
                Ok(EnrolmentStatus::Pending) => is_down = false,
                Err(fault) if fault.is_transient() => {
                    if !is_down {
                        output::note(format_args!(
                            "{fault}; the request stands, and this command goes on when the line is back"
                        ));
                    }
                    is_down = true;
                }
                Err(fault) => return Err(fault.into()),
            }
            if self.begun.elapsed() >= self.patience {
                let why = if is_down {
                    "the line is down"
                } else {
                    "not approved yet"
                };
                bail!("{why}; run the same command again later: nothing is lost");
            }
            tokio::time::sleep(pause.min(self.patience.saturating_sub(self.begun.elapsed()))).await;
            pause = (pause * 3 / 2).min(PAUSE_MAX);
        }
    }

    /// Some tries where the line breaks, no longer than the person has patience.
    async fn tried<T, F>(&self, ask: impl Fn() -> F) -> Result<T, EgressError>
    where
        F: Future<Output = Result<T, EgressError>>,
    {
        let mut tries = 1;
        loop {
            match ask().await {
                Err(fault) if fault.is_transient() && tries < TRIES_MAX && self.begun.elapsed() < self.patience => {
                    tokio::time::sleep(PAUSE_MIN * tries * tries).await;
                    tries += 1;
                }
                settled => return settled,
            }
        }
    }

    fn record(&self, entry: Entry) -> Result<()> {
        self.ledger
            .lock()
            .map_err(|_| anyhow::anyhow!("the ledger is in use"))?
            .append(clock::now(), entry)?;
        Ok(())
    }
}

/// The aggregator will not say otherwise to the same request.
fn is_final(problem: &Problem) -> bool {
    matches!(
        problem.code,
        ProblemCode::InvitationInvalid
            | ProblemCode::RequestInvalid
            | ProblemCode::EnrolmentRefused
            | ProblemCode::TooLarge
            | ProblemCode::Malformed
    )
}

fn unreachable(reason: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "the aggregator cannot be reached: {reason}. Nothing was sent and nothing was made; check that this host may open one \
         outbound connection to it (firewall, proxy in node.toml), then run the same command again"
    )
}
