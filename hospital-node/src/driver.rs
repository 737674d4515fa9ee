//! Carries out what `participation` decides: follows every study of the aggregator until it is over.

mod contribute;
mod first;
mod hours;
mod kept;
mod own_model;
mod remember;
mod study;

use std::{
    collections::BTreeMap,
    fs,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result};
use snowball_egress::{
    Budget, Door, Egress, EgressError, Outbox,
    client::{Bandwidth, ClientSettings, Transport},
};
use snowball_participation::{self as participation, Interest};
use snowball_protocol::{
    StudyName,
    session::{PhaseName, StudySummary},
};
use snowball_service::{clock, tls};
use snowball_store::Store;
use tokio::{sync::Semaphore, task::JoinHandle};

use crate::{
    authorities,
    config::NodeConfig,
    enrolment,
    events::{Event, Voice},
    home::Home,
    metrics::{self, Vitals},
    policy, renewal, retention,
    trainer::Trainer,
};

const LIST_PAUSE: Duration = Duration::from_secs(3);
const RETRY_MILLISECONDS_MAX: u64 = 15_000;
/// Before a round that failed here is tried again: somebody may mend the policy or the trainer.
const MEND_PAUSE: Duration = Duration::from_secs(20);
/// How often what the policy no longer lets the site keep is looked for.
const TIDY_EVERY: Duration = Duration::from_secs(3600);
/// Before a study that this site could not follow is looked at again.
const RECONSIDER: Duration = Duration::from_secs(600);

/// The studies that are being followed, since when, and what people had decided then.
type Following = BTreeMap<StudyName, (Instant, Decided, JoinHandle<Result<PhaseName>>)>;
/// When the policy changed last, and when a person last kept the site out of a study or let it in again.
type Decided = [Option<SystemTime>; 2];

/// Everything that following a study needs.
pub struct Driver {
    home: Home,
    config: NodeConfig,
    egress: Egress,
    store: Store,
    trainer: Trainer,
    /// Of the certificate that the door was opened with.
    certificate_serial: String,
    /// One training at a time, however many studies there are.
    bench: Semaphore,
    voice: Voice,
    vitals: Arc<Vitals>,
}

impl Driver {
    /// Opens the node's parts.
    pub fn open(home: &Home, trainer: Trainer, voice: Voice) -> Result<Arc<Self>> {
        let config = home.config()?;
        // Read before the door reads it: what is renewed in between is taken up once too often, and never missed.
        let certificate_serial = renewal::current(home)?.serial;
        let progress = voice.clone();
        let door = open_door(home, &config)?
            .with_confinement(trainer.confinement.is_whole())
            .with_progress(Arc::new(move |transfer| progress.say(&Event::of(transfer))));
        voice.say(&Event::TrainerChosen {
            device: trainer.device_name.clone(),
            why: trainer.why.clone(),
        });
        Ok(Arc::new(Self {
            home: home.clone(),
            store: home.open_store(&config)?,
            egress: Egress::new(door, Outbox::open(&home.outbox())?, home.open_residuals(&config)?),
            config,
            trainer,
            certificate_serial,
            bench: Semaphore::new(1),
            voice,
            vitals: Arc::default(),
        }))
    }

    /// Follows all studies; with `until_done`, until that one is over. A broken line is waited out.
    pub async fn run(self: &Arc<Self>, until_done: Option<&StudyName>) -> Result<()> {
        let _metrics = self.show_metrics().await?;
        let mut following = Following::new();
        let mut tidied: Option<Instant> = None;
        let mut retry = 250;
        self.connect().await?;
        let _renewal = self.keep_certificate_fresh();
        let _heartbeat = self.keep_authorities();
        loop {
            if tidied.is_none_or(|since| since.elapsed() >= TIDY_EVERY) && self.keep_no_longer_than_allowed().await {
                tidied = Some(Instant::now());
            }
            match self.egress.door().studies().await {
                Ok(studies) => {
                    retry = 250;
                    self.vitals.heard(&studies, clock::now());
                    self.voice.listed(&studies);
                    for summary in studies {
                        self.consider(summary, &mut following);
                    }
                }
                Err(fault) if fault.is_transient() => {
                    self.voice.say(&Event::Disconnected {
                        reason: fault.to_string(),
                    });
                    tokio::time::sleep(Duration::from_millis(retry)).await;
                    retry = (retry * 2).min(RETRY_MILLISECONDS_MAX);
                    continue;
                }
                Err(fault) => return Err(fault.into()),
            }
            tokio::time::sleep(LIST_PAUSE.min(Duration::from_millis(if following.is_empty() { 500 } else { 3000 })))
                .await;
            if let Some(study) = until_done
                && following.get(study).is_some_and(|(.., task)| task.is_finished())
                && let Some((.., task)) = following.remove(study)
            {
                task.await.context("following the study broke off")??;
                return Ok(());
            }
        }
    }

    /// Removes what the policy no longer lets this site keep, unless something is trained just now.
    async fn keep_no_longer_than_allowed(self: &Arc<Self>) -> bool {
        let Ok(_bench) = self.bench.try_acquire() else {
            return false;
        };
        let driver = Arc::clone(self);
        let applied = tokio::task::spawn_blocking(move || {
            // Without a policy nobody says how long, and nothing is removed.
            let Ok(signed) = policy::in_force(&driver.home) else {
                return Ok(());
            };
            let ledger = driver.egress.door().ledger();
            retention::apply(&driver.home, &driver.store, ledger, &signed, clock::now()).map(drop)
        })
        .await;
        match applied {
            Ok(Err(fault)) => tracing::warn!(
                fault = format!("{fault:#}"),
                "what the policy no longer lets us keep is still here"
            ),
            Err(fault) => tracing::warn!(%fault, "what the policy no longer lets us keep is still here"),
            Ok(Ok(())) => {}
        }
        true
    }

    /// Shows the numbers of this node where `node.toml` says; ends with what it returns.
    async fn show_metrics(&self) -> Result<Option<AbortOnDrop>> {
        let Some(settings) = &self.config.metrics else {
            return Ok(None);
        };
        let listener = settings.open().await?;
        let (home, ledger) = (self.home.clone(), Arc::clone(self.egress.door().ledger()));
        let serving = metrics::serve(listener, home, ledger, Arc::clone(&self.vitals));
        Ok(Some(AbortOnDrop(tokio::spawn(serving))))
    }

    /// Ends with what it returns.
    fn keep_certificate_fresh(self: &Arc<Self>) -> AbortOnDrop {
        let driver = Arc::clone(self);
        AbortOnDrop(tokio::spawn(async move {
            let in_use = driver.certificate_serial.clone();
            renewal::watch(&driver.home, driver.egress.door(), in_use, &driver.voice).await;
        }))
    }

    /// Ends with what it returns.
    fn keep_authorities(self: &Arc<Self>) -> AbortOnDrop {
        let driver = Arc::clone(self);
        AbortOnDrop(tokio::spawn(async move {
            authorities::watch(&driver.home, driver.egress.door(), &driver.voice).await;
        }))
    }

    async fn connect(&self) -> Result<()> {
        let mut retry = 250;
        loop {
            match self.greet().await {
                Ok(()) => {
                    let address = self.home.aggregator()?.address;
                    self.voice.say(&Event::Connected { address });
                    return Ok(());
                }
                Err(fault) if fault.is_transient() => {
                    self.voice.say(&Event::Disconnected {
                        reason: fault.to_string(),
                    });
                    tokio::time::sleep(Duration::from_millis(retry)).await;
                    retry = (retry * 2).min(RETRY_MILLISECONDS_MAX);
                }
                Err(fault) => return Err(fault).context("the aggregator does not take this node"),
            }
        }
    }

    async fn greet(&self) -> Result<(), EgressError> {
        self.egress.door().hello().await?;
        self.egress.door().exchange_heads().await
    }

    fn consider(self: &Arc<Self>, summary: StudySummary, following: &mut Following) {
        let interest = participation::interest(&summary);
        let decided = self.decided();
        let is_followed = |(since, then, task): &(Instant, Decided, JoinHandle<_>)| {
            !task.is_finished() || since.elapsed() < RECONSIDER && *then == decided
        };
        if following.get(&summary.study).is_some_and(is_followed) || interest == Interest::Ignore {
            return;
        }
        let driver = Arc::clone(self);
        let study = summary.study.clone();
        let task = tokio::spawn(async move {
            let study = summary.study.clone();
            let outcome = match interest {
                Interest::Remember => driver.remember(summary).await,
                _ => driver.follow(summary).await,
            };
            match &outcome {
                Err(fault) if interest == Interest::Remember => tracing::warn!(
                    %study,
                    fault = format!("{fault:#}"),
                    "what was signed about the last rounds of this study could not be kept yet"
                ),
                Err(fault) => driver.voice.say(&Event::NotJoined {
                    study,
                    reason: format!("{fault:#}"),
                }),
                Ok(_) => {}
            }
            outcome
        });
        following.insert(study, (Instant::now(), decided, task));
    }

    /// A study that the site could not follow is looked at again as soon as this changes.
    fn decided(&self) -> Decided {
        let changed = |path| fs::metadata(path).and_then(|about| about.modified()).ok();
        [changed(self.home.policy()), changed(self.home.all_withheld())]
    }

    /// Does it again while the line is broken, with growing pauses.
    async fn steadily<T, F>(&self, mut request: impl FnMut() -> F) -> Result<T, EgressError>
    where
        F: Future<Output = Result<T, EgressError>>,
    {
        let mut retry = 100;
        loop {
            match request().await {
                Err(fault) if fault.is_transient() => {
                    self.voice.say(&Event::Disconnected {
                        reason: fault.to_string(),
                    });
                    tokio::time::sleep(Duration::from_millis(retry)).await;
                    retry = (retry * 2).min(RETRY_MILLISECONDS_MAX);
                }
                settled => return settled,
            }
        }
    }
}

/// The line to the aggregator that this node enrolled with. The ledger stays open while it lives.
pub fn open_door(home: &Home, config: &NodeConfig) -> Result<Door> {
    enrolment::settle(home)?;
    renewal::settle(home)?;
    let aggregator = home.aggregator()?;
    let certificate = home.read_text(&home.certificate())?;
    let life = tls::Life::read_pem(&certificate).context("the node's certificate cannot be used; enrol again")?;
    renewal::holds(life, clock::now())?;
    let tls = tls::client(
        &home.read_text(&home.authority())?,
        &certificate,
        &home.keys().read(&home.tls_key())?,
    )
    .context("the node's certificate or key cannot be used; enrol again")?;
    let settings = ClientSettings {
        address: aggregator.address.clone(),
        proxy: config.network.proxy.clone(),
    };
    let ledger = home.open_ledger(config)?;
    let records = snowball_ledger::read(&home.ledger()).context("cannot read the ledger")?;
    let kept = snowball_egress::last_kept(&records, &aggregator.aggregator_key);
    Ok(Door::new(
        Transport::new(&settings, tls)?.with_bandwidth(Bandwidth::new(config.network.limit())),
        config.site.clone(),
        aggregator.aggregator_key,
        policy::reader(home),
        ledger,
        Budget::of(&records),
        clock::now,
    )
    .with_kept_head(kept))
}

/// A task that ends together with its owner.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
