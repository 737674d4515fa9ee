//! A site's part in a round: train from the round's model, say how good a model is. It blocks, and reaches no network.

use std::ops::Deref;

use anyhow::{Context, Result};
use snowball_egress::Candidate;
use snowball_layout::Layout;
use snowball_policy::DatasetFacts;
use snowball_protocol::{Attempt, RoundNumber, Sha256Digest, SiteName, StudyPlan, evaluation::Evaluation};
use snowball_worker::{
    job::{Answer, EvaluateJob, Job, TrainJob},
    key::DatasetSource,
    shard::Part,
};

use crate::trainer::Trainer;

/// What to train, and on what.
pub struct Order<'a> {
    pub plan: &'a StudyPlan,
    pub dataset: &'a DatasetSource,
    pub site: &'a SiteName,
    pub round: RoundNumber,
    /// Whether the quality of the model before is measured.
    pub measures: bool,
    /// What the site keeps for itself, as its last update left it; none before the first.
    pub kept: Option<&'a [f32]>,
    /// What is added to the slope of each step; nothing without SCAFFOLD, and where a site trains alone.
    pub correction: Option<&'a [f32]>,
}

/// What training gave.
#[derive(Clone)]
pub struct Trained {
    /// The round's model.
    pub model_in: Sha256Digest,
    /// Local parameters minus the round's; zero where the plan keeps them at the site.
    pub delta: Vec<f32>,
    /// Those that the plan keeps at the site.
    pub kept: Vec<f32>,
    pub examples: u64,
    pub local_steps: u32,
    pub loss: f64,
    /// Quality of the round's model on the validation part, with what the site keeps in it.
    pub evaluation: Option<Evaluation>,
}

impl Trained {
    /// As a candidate for leaving.
    pub fn candidate(self, round: RoundNumber, layout_digest: Sha256Digest, dataset: DatasetFacts) -> Candidate {
        Candidate {
            round,
            attempt: Attempt(1),
            model_in: self.model_in,
            layout_digest,
            delta: self.delta,
            written: None,
            examples: self.examples,
            local_steps: self.local_steps,
            control_from: None,
            training_loss: self.loss,
            evaluation: self.evaluation,
            dataset,
        }
    }
}

/// Trains from `model`, little-endian f32 in the layout's order, with what the site keeps laid over it; `hear` is told step, steps and
/// loss. Holds two models at a time: the one before and the one after.
pub fn train(
    trainer: &Trainer,
    order: &Order<'_>,
    model: impl Deref<Target = [u8]>,
    mut hear: impl FnMut(u32, u32, f64),
) -> Result<Trained> {
    let (plan, model_in) = (order.plan, Sha256Digest::of(&model));
    let mut parameters = snowball_layout::from_le_bytes(&model).context("the model is no list of numbers")?;
    drop(model);
    let stays = Layout::of(plan).kept(plan);
    if let Some(kept) = order.kept {
        stays.lay_over(kept, &mut parameters);
    }
    let job = Job::Train(TrainJob {
        plan: plan.clone(),
        dataset: order.dataset.clone(),
        stream: stream(order.site, order.round),
        steps_before: plan.steps_before(order.round),
        steps_total: plan.steps_total(),
        steps: plan.local.steps,
        corrects: order.correction.is_some(),
        evaluate_first: order.measures,
        evaluate_every: 0,
        device: trainer.device.clone(),
        threads: trainer.threads,
        tuning: None,
    });
    let (mut examples, mut local_steps, mut loss, mut evaluation) = (0, 0, f64::NAN, None);
    let blocks: Vec<&[f32]> = std::iter::once(&parameters[..]).chain(order.correction).collect();
    let trained = trainer.run(&job, &blocks, parameters.len(), |answer| match answer {
        Answer::Progress { step, steps, loss, .. } => hear(step, steps, loss),
        Answer::Checked {
            step: 0,
            evaluation: checked,
        } => {
            evaluation = Some(Evaluation {
                model_digest: model_in,
                ..checked
            });
        }
        Answer::Trained {
            examples: used,
            steps,
            loss: last,
            ..
        } => (examples, local_steps, loss) = (used, steps, last),
        _ => {}
    })?;
    let mut delta = trained.context("the trainer gave no parameters")?;
    let kept = stays.values(&delta);
    delta.iter_mut().zip(&parameters).for_each(|(new, old)| *new -= old);
    stays.clear(&mut delta);
    Ok(Trained {
        model_in,
        delta,
        kept,
        examples,
        local_steps,
        loss,
        evaluation,
    })
}

/// The quality of `parameters` on one part of a dataset.
pub fn quality(
    trainer: &Trainer,
    plan: &StudyPlan,
    dataset: &DatasetSource,
    part: Part,
    parameters: &[f32],
    model_digest: Sha256Digest,
) -> Result<Evaluation> {
    let job = Job::Evaluate(EvaluateJob {
        plan: plan.clone(),
        dataset: dataset.clone(),
        part,
        device: trainer.device.clone(),
        threads: trainer.threads,
    });
    let mut found = None;
    trainer.run(&job, &[parameters], 0, |answer| {
        if let Answer::Evaluated { evaluation } = answer {
            found = Some(Evaluation {
                model_digest,
                ..evaluation
            });
        }
    })?;
    found.context("the trainer gave no evaluation")
}

/// The seed of a site's round: the same after a crash, another at every site and round.
fn stream(site: &SiteName, round: RoundNumber) -> u64 {
    let digest = Sha256Digest::of(format!("{site} round {round}").as_bytes());
    let bytes = digest.as_bytes();
    u64::from_le_bytes([
        bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
    ])
}
