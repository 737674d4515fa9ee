//! Sites that take part without training: the node's own way out (policy, ledger, outbox, mutual TLS) and made-up updates.
//!
//! They run in processes of their own, which the benchmark tells over a pipe when a round begins, so that what is timed begins
//! with every update ready and ends when every site holds the next model.

use std::{
    io::{BufRead as _, Write as _},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use snowball_crypto::SealingKey;
use snowball_egress::{
    Budget, Candidate, Door, Egress, Outbox, Residuals,
    client::{ClientSettings, Transport},
};
use snowball_layout::Layout;
use snowball_ledger::Ledger;
use snowball_policy::DatasetFacts;
use snowball_protocol::{
    RoundNumber, StudyPlan,
    ids::Attempt,
    limits::HEARTBEAT_SECONDS,
    session::{ModelReference, Task},
};
use snowball_service::{clock, tls};
use tokio::{
    sync::{Barrier, Semaphore},
    task::JoinSet,
};

use super::{consortium::Papers, plan::policy};

/// How long each long poll waits, and how often the list of studies is asked for: as a node does.
const POLL_SECONDS: u32 = 25;
const LIST_PAUSE: Duration = Duration::from_secs(3);
/// Threads of a process of sites: each site's writing to disk holds one for a moment.
const THREADS_MAX: usize = 16;
/// Sites that connect at once: all of them come from one address here, and a server lets in so many from one that have not shown
/// their certificates yet.
const CONNECTING_MAX: usize = 32;

const FACTS: DatasetFacts = DatasetFacts {
    training_patients: 30,
    training_images: 60,
    class_cells_min: 5,
};

/// Sites for a measurement; started by the benchmark itself.
#[derive(Args)]
pub struct Sites {
    /// The consortium's folder.
    #[arg(long)]
    folder: PathBuf,
    /// The first site's number.
    #[arg(long)]
    first: u32,
    /// How many.
    #[arg(long)]
    count: u32,
    /// Rounds to take part in; 0: only wait for tasks, as between studies.
    #[arg(long)]
    rounds: u32,
}

/// One site at work.
struct Site {
    egress: Egress,
    plan: Arc<StudyPlan>,
    number: u32,
}

/// Where all sites of this process and the benchmark meet.
struct Steps {
    connecting: Semaphore,
    ready: Barrier,
    go: Barrier,
    done: Barrier,
}

impl Sites {
    pub fn run(&self) -> Result<()> {
        let threads = usize::try_from(self.count)?.clamp(2, THREADS_MAX);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()?;
        runtime.block_on(self.take_part())
    }

    async fn take_part(&self) -> Result<()> {
        let plan: StudyPlan = serde_json::from_slice(&std::fs::read(self.folder.join("plan.json"))?)?;
        let plan = Arc::new(plan);
        let everyone = usize::try_from(self.count)? + 1;
        let steps = Arc::new(Steps {
            connecting: Semaphore::new(CONNECTING_MAX),
            ready: Barrier::new(everyone),
            go: Barrier::new(everyone),
            done: Barrier::new(everyone),
        });
        let mut sites = JoinSet::new();
        for number in self.first..self.first + self.count {
            let site = Site::open(Papers::read(&self.folder, number)?, Arc::clone(&plan), number)?;
            let (steps, rounds) = (Arc::clone(&steps), self.rounds);
            sites.spawn(async move { site.take_part(rounds, &steps).await });
        }
        if self.rounds == 0 {
            together(&steps.ready, &mut sites).await?;
            say("ready")?;
            hear().await?;
            return Ok(());
        }
        for _ in 0..self.rounds {
            together(&steps.ready, &mut sites).await?;
            say("ready")?;
            hear().await?;
            together(&steps.go, &mut sites).await?;
            together(&steps.done, &mut sites).await?;
            say("done")?;
        }
        // The benchmark looks at this process before it ends it.
        hear().await
    }
}

impl Site {
    fn open(papers: Papers, plan: Arc<StudyPlan>, number: u32) -> Result<Self> {
        let tls = tls::client(&papers.authority_pem, &papers.certificate_pem, &papers.tls_key_pem)?;
        let settings = ClientSettings {
            address: papers.address,
            proxy: None,
        };
        let signed = policy(&papers.name, &plan)?;
        let ledger = Ledger::open(&papers.folder.join("ledger"), papers.name.as_str(), papers.ledger_key)?;
        let door = Door::new(
            Transport::new(&settings, tls)?,
            papers.name,
            papers
                .aggregator_key
                .parse()
                .context("the aggregator's key does not parse")?,
            Arc::new(move || Ok(signed.clone())),
            Arc::new(Mutex::new(ledger)),
            Budget::of(&[]),
            clock::now,
        )
        // Nothing is trained, so nothing needs to be held.
        .with_confinement(true);
        // Nothing that it seals is anybody's.
        let residuals = Residuals::open(&papers.folder.join("residuals"), SealingKey::new(&[0; 32]))?;
        Ok(Self {
            egress: Egress::new(door, Outbox::open(&papers.folder.join("outbox"))?, residuals),
            plan,
            number,
        })
    }

    async fn take_part(self, rounds: u32, steps: &Steps) -> Result<()> {
        let door = self.egress.door();
        let connecting = steps.connecting.acquire().await?;
        door.hello().await?;
        drop(connecting);
        door.exchange_heads().await?;
        let layout = Layout::of(&self.plan);
        let listed = door.studies().await?;
        let summary = listed.iter().find(|summary| summary.study == self.plan.study);
        let plan = door.plan(summary.context("the study is not open")?).await?;
        door.join(&plan, layout.digest(), &FACTS).await?;
        if rounds == 0 {
            steps.ready.wait().await;
            return self.idle().await;
        }
        for round in (1..=rounds).map(RoundNumber) {
            let model = self.next_model(round.0 - 1).await?;
            if round.0 == 1 {
                door.model(&plan.study, &model).await?;
            }
            let candidate = self.candidate(&layout, &model, round);
            steps.ready.wait().await;
            steps.go.wait().await;
            self.egress.offer(&plan, candidate).await?;
            let next = self.next_model(round.0).await?;
            door.model(&plan.study, &next).await?;
            steps.done.wait().await;
        }
        Ok(())
    }

    /// What a node does between studies: it waits for tasks, and asks for studies and CAs.
    async fn idle(&self) -> Result<()> {
        let door = self.egress.door();
        let tasks = async {
            loop {
                if let Err(fault) = door.task(&self.plan.study, POLL_SECONDS).await {
                    break fault;
                }
            }
        };
        let list = async {
            loop {
                if let Err(fault) = door.studies().await {
                    break fault;
                }
                tokio::time::sleep(LIST_PAUSE).await;
            }
        };
        let authorities = async {
            loop {
                if let Err(fault) = door.authorities().await {
                    break fault;
                }
                tokio::time::sleep(Duration::from_secs(HEARTBEAT_SECONDS)).await;
            }
        };
        // None of them ends but by a fault.
        let fault = tokio::select! {
            fault = tasks => fault,
            fault = list => fault,
            fault = authorities => fault,
        };
        Err(fault.into())
    }

    /// Waits until the model of `round` is there.
    async fn next_model(&self, round: u32) -> Result<ModelReference> {
        loop {
            match self.egress.door().task(&self.plan.study, POLL_SECONDS).await? {
                Task::Train { model, .. } | Task::Evaluate { model } if model.round.0 >= round => return Ok(model),
                Task::Done { phase, .. } => bail!("the study ended in the phase {phase:?}"),
                _ => {}
            }
        }
    }

    /// An update as a training would give it: small numbers, others for each site and round.
    fn candidate(&self, layout: &Layout, model: &ModelReference, round: RoundNumber) -> Candidate {
        let mut state = u64::from(self.number) << 32 | u64::from(round.0) | 1 << 63;
        let delta = std::iter::repeat_with(|| {
            // xorshift64 (Marsaglia 2003)
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            ((state >> 40) as f32 / 8_388_608.0 - 1.0) * 1e-3
        });
        Candidate {
            round,
            attempt: Attempt(1),
            model_in: model.digest,
            layout_digest: layout.digest(),
            delta: delta.take(layout.parameters()).collect(),
            written: None,
            examples: u64::from(self.number) % 100 + 1,
            local_steps: self.plan.local.steps,
            control_from: None,
            training_loss: 0.5,
            evaluation: None,
            dataset: FACTS,
        }
    }
}

/// Waits for all sites, unless one of them fails.
async fn together(step: &Barrier, sites: &mut JoinSet<Result<()>>) -> Result<()> {
    let wait = step.wait();
    tokio::pin!(wait);
    loop {
        tokio::select! {
            _ = &mut wait => return Ok(()),
            Some(ended) = sites.join_next() => ended??,
        }
    }
}

fn say(word: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{word}")?;
    Ok(output.flush()?)
}

/// The benchmark's next word; an error when it is gone.
async fn hear() -> Result<()> {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)
    });
    if read.await?? == 0 {
        bail!("the benchmark has ended");
    }
    Ok(())
}
