//! Training on this site's radiographs alone: what `pretrain --local` and `finetune` have in common. Nothing leaves.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use snowball_layout::Layout;
use snowball_policy::{Action, Request, Spent};
use snowball_protocol::{Sha256Digest, StudyPlan, evaluation::Evaluation};
use snowball_service::{clock, files, output, progress};
use snowball_worker::{
    job::{Answer, Job, TrainJob, Tuning},
    shard::{Part, Shard, ShardRecord},
};

use super::{Context, Refused};
use crate::{
    datasets, events,
    home::Home,
    local_model::{LocalModel, Parent},
    outputs::Asked,
    policy, round,
    trainer::{self, Trainer},
};

/// A plan, the dataset that it asks for, and a trainer that the policy lets train on it.
pub struct Alone {
    pub home: Home,
    pub plan: StudyPlan,
    pub layout: Layout,
    dataset: datasets::StudyDataset,
    trainer: Trainer,
}

/// How to train.
pub struct Order {
    pub initial: Vec<f32>,
    pub steps: u32,
    pub evaluate_every: u32,
    pub tuning: Option<Tuning>,
}

/// What training gave.
pub struct Learned {
    pub parameters: Vec<f32>,
    /// Training radiographs that it learned from.
    pub examples: u64,
    pub steps: u32,
    pub best_step: Option<u32>,
    pub seconds: f64,
    pub loss: f64,
}

/// A model that is kept, and how good it is.
pub struct Model {
    pub path: PathBuf,
    pub digest: Sha256Digest,
    pub validation: Evaluation,
    pub testing: Evaluation,
}

impl Alone {
    /// Freezes the dataset of `plan` and asks the policy.
    pub fn prepare(context: &Context, plan: StudyPlan) -> Result<Self> {
        let home = context.home()?;
        let config = home.config()?;
        let store = home.open_store(&config)?;
        let dataset = datasets::freeze(&home, &store, &plan)?;
        let trainer = trainer::choose(&config.training, &home.scratch())?.held_as(policy::confinement(&home));
        let is_confined = trainer.confinement.is_whole();
        permit(&home, &plan, &dataset, Action::TrainAlone, is_confined)?;
        Ok(Self {
            layout: Layout::of(&plan),
            home,
            plan,
            dataset,
            trainer,
        })
    }

    /// As many steps as all rounds of the plan have, or another number of them.
    pub fn steps(&self, asked: Option<u32>) -> Result<u32> {
        match asked {
            Some(steps) => Ok(steps),
            None => {
                u32::try_from(self.plan.steps_total()).context("the plan has too many steps for one run; name --steps")
            }
        }
    }

    /// Trains, with a bar for people.
    pub fn train(&self, order: Order) -> Result<Learned> {
        output::note(format_args!(
            "training on {} ({}), {} steps",
            self.trainer.device_name, self.trainer.why, order.steps
        ));
        let bar = progress::bar("steps", u64::from(order.steps));
        let learned = self.learn(&self.plan, order, |answer| match answer {
            Answer::Progress {
                step,
                loss,
                images_per_second,
                ..
            } => {
                bar.set_position(u64::from(*step));
                bar.set_message(format!("loss {loss:.3}, {images_per_second:.0} radiographs a second"));
            }
            Answer::Checked { step, evaluation } => {
                bar.suspend(|| output::note(format_args!("after {step} steps: {}", checked(evaluation))));
            }
            _ => {}
        })?;
        bar.finish_and_clear();
        Ok(learned)
    }

    /// Trains by `plan`, whose dataset is this one, and tells what the network then says of every radiograph of `parts`: head after
    /// head, part after part in the dataset's order.
    pub fn teach(&self, plan: &StudyPlan, order: Order, parts: &[Part]) -> Result<Vec<Vec<f32>>> {
        let learned = self.learn(plan, order, |_| ())?;
        let asked = Asked {
            trainer: &self.trainer,
            plan,
            dataset: &self.dataset.source,
            parameters: &learned.parameters,
        };
        let shard = Shard::open(&self.dataset.source)?;
        let mut outputs = Vec::new();
        for part in parts {
            outputs.extend(asked.tell(&shard, *part)?.into_iter().map(|told| told.outputs));
        }
        Ok(outputs)
    }

    /// The radiographs of `parts`, part after part in the dataset's order.
    pub fn records(&self, parts: &[Part]) -> Result<Vec<ShardRecord>> {
        let shard = Shard::open(&self.dataset.source)?;
        Ok(parts
            .iter()
            .flat_map(|part| shard.part(*part))
            .map(|position| shard.records()[position].clone())
            .collect())
    }

    /// What stands for every byte of the dataset.
    pub const fn dataset_digest(&self) -> Sha256Digest {
        self.dataset.frozen.digest
    }

    /// What computes, for people.
    pub fn device(&self) -> &str {
        &self.trainer.device_name
    }

    fn learn(&self, plan: &StudyPlan, order: Order, mut hear: impl FnMut(&Answer)) -> Result<Learned> {
        let steps = order.steps;
        // A site that trains alone counts steps and has no round's model to stay near to, nor other sites.
        let mut alone = plan.clone();
        (alone.local.epochs, alone.local.proximal, alone.local.drift) = (None, None, None);
        let job = Job::Train(TrainJob {
            plan: alone,
            dataset: self.dataset.source.clone(),
            stream: 0,
            steps_before: 0,
            steps_total: u64::from(steps),
            steps,
            corrects: false,
            evaluate_first: false,
            evaluate_every: order.evaluate_every,
            device: self.trainer.device.clone(),
            threads: self.trainer.threads,
            tuning: order.tuning,
        });
        let mut learned = Learned {
            parameters: Vec::new(),
            examples: 0,
            steps: 0,
            best_step: None,
            seconds: 0.0,
            loss: f64::NAN,
        };
        let parameters = self.layout.parameters();
        let trained = self.trainer.run(&job, &[&order.initial], parameters, |answer| {
            hear(&answer);
            if let Answer::Trained {
                examples,
                steps,
                seconds,
                loss,
                best_step,
                ..
            } = answer
            {
                learned = Learned {
                    parameters: Vec::new(),
                    examples,
                    steps,
                    best_step,
                    seconds,
                    loss,
                };
            }
        })?;
        learned.parameters = trained.context("the trainer gave no parameters")?;
        Ok(learned)
    }

    /// Keeps the model on site, with the record of how it was trained and from what, and says how good it is.
    pub fn keep(&self, learned: &Learned, tuning: Option<&Tuned>, parents: Vec<Parent>) -> Result<Model> {
        let path = self.home.model(&self.plan.study, "local");
        files::create_home(&self.home.models())?;
        let bytes = snowball_layout::to_le_bytes(&learned.parameters);
        let digest = Sha256Digest::of(&bytes);
        files::write_private(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
        let record = LocalModel {
            format: 1,
            model: digest,
            plan: self.plan.clone(),
            made: clock::now(),
            steps: learned.steps,
            best_step: learned.best_step,
            pace: tuning.map(|tuned| tuned.pace),
            draw: tuning.and_then(|tuned| tuned.draw),
            parents,
        };
        record.write(&self.home)?;
        let evaluate = |part| {
            let source = &self.dataset.source;
            round::quality(&self.trainer, &self.plan, source, part, &learned.parameters, digest)
        };
        Ok(Model {
            validation: evaluate(Part::Validation)?,
            testing: evaluate(Part::Testing)?,
            path,
            digest,
        })
    }
}

/// What a fine-tuned model's record tells of how it learned.
pub struct Tuned {
    pub pace: snowball_worker::groups::Pace,
    pub draw: Option<snowball_worker::draw::LabelDraw>,
}

impl Model {
    /// The last lines for people.
    pub fn told(&self) -> String {
        format!(
            "validation: {}\ntesting:    {}\nthe model stays in {}",
            events::summary(&self.validation),
            events::summary(&self.testing),
            self.path.display()
        )
    }
}

fn checked(evaluation: &Evaluation) -> String {
    let loss = evaluation
        .mean_loss()
        .map(|loss| format!("loss {loss:.3}, "))
        .unwrap_or_default();
    format!("{loss}{}", events::summary(evaluation))
}

/// Asks the policy whether this may be done inside the hospital, and writes down what it said. Nothing leaves.
pub(super) fn permit(
    home: &Home,
    plan: &StudyPlan,
    dataset: &datasets::StudyDataset,
    action: Action,
    is_confined: bool,
) -> Result<()> {
    let config = home.config()?;
    let ledger = home.open_ledger(&config)?;
    let policy = policy::in_force(home);
    let request = Request {
        site: &config.site,
        plan,
        action,
        dataset: dataset.facts,
        // Nothing leaves, so nothing is spent.
        spent: Spent::default(),
        is_confined,
        now: clock::now(),
    };
    let decision = snowball_policy::decide(policy.as_ref(), &request);
    let entry = snowball_ledger::Entry::DecisionMade {
        study: plan.study.clone(),
        round: None,
        action: request.action.code().to_owned(),
        permitted: decision.is_permitted(),
        clause: decision.clause().to_string(),
        policy_digest: policy.as_ref().ok().map(|signed| signed.digest),
    };
    let mut ledger = ledger.lock().map_err(|_| anyhow::anyhow!("the ledger is in use"))?;
    ledger.append_all(clock::now(), vec![dataset.entry(plan), entry])?;
    if decision.is_permitted() {
        Ok(())
    } else {
        Err(Refused(decision.to_string()).into())
    }
}
