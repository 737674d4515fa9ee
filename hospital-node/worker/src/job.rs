//! One job for the trainer and what it answers. A trainer does one job and ends.

use serde::{Deserialize, Serialize};
use snowball_confine::Confinement;
use snowball_protocol::{StudyPlan, evaluation::Evaluation};

use crate::{draw::LabelDraw, groups::Groups, key::DatasetSource};

/// What the node asks. Where a job needs parameters, they follow as one block of little-endian f32 in the layout's order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Job {
    /// List the devices and do a small real computation on each, compared with the CPU's.
    Probe,
    /// Evaluate the given parameters if asked, then train from them. Parameters follow, and what corrects the steps where that is asked.
    Train(TrainJob),
    /// Evaluate the given parameters. Parameters follow.
    Evaluate(EvaluateJob),
    /// Tell the outputs of every radiograph of the part, also of those without a label. Parameters follow.
    Tell(EvaluateJob),
    /// Tell where in some radiographs of the part an output came from. Parameters follow.
    Explain(ExplainJob),
    /// Draw radiographs again with the given parameters, for people at the site to look at. Parameters follow.
    Draw(DrawJob),
    /// Draw masks of some radiographs of the part. Parameters follow.
    Segment(SegmentJob),
}

/// A stretch of training.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrainJob {
    /// The study's plan: network, heads, recipe, optimiser.
    pub plan: StudyPlan,
    /// A frozen dataset ([`crate::shard`]) and its key.
    pub dataset: DatasetSource,
    /// Seeds everything random of this job together with the plan's seed; the node gives (site, round).
    pub stream: u64,
    /// Steps that the schedule counts as done before.
    pub steps_before: u64,
    /// Steps that the schedule counts in all.
    pub steps_total: u64,
    /// Steps to do now; at most, where the plan counts epochs.
    pub steps: u32,
    /// Evaluate the given parameters on the validation part first.
    pub evaluate_first: bool,
    /// Whether as many numbers follow the parameters as those are: they are added to each step's slope, after its norm was bounded.
    #[serde(default)]
    pub corrects: bool,
    /// Evaluate on the validation part after every so many steps; 0: never.
    pub evaluate_every: u32,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Threads on the CPU; 0: as many as cores.
    pub threads: u32,
    /// How to learn on from what was learned elsewhere; nothing in a study's rounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuning: Option<Tuning>,
}

/// What fine-tuning asks for beside the plan.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tuning {
    /// What learns how fast; without them the whole network at the plan's rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Groups>,
    /// Learn from so many labels of the training part and from no others; evaluations see their part whole all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<LabelDraw>,
    /// Give the best parameters that an evaluation in passing saw, by the mean loss on the validation part, and stop after so many
    /// evaluations without a better one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<u32>,
    /// Exchange the labels that are learned from among their radiographs, at random: a control, which must learn nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exchanged: bool,
}

/// An evaluation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EvaluateJob {
    /// The study's plan.
    pub plan: StudyPlan,
    /// A frozen dataset and its key.
    pub dataset: DatasetSource,
    /// Which part.
    pub part: crate::shard::Part,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Threads on the CPU; 0: as many as cores.
    pub threads: u32,
}

/// Most radiographs of one [`ExplainJob`].
pub const EXPLAINED_MAX: usize = 256;

/// Radiographs of which to tell where an output came from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExplainJob {
    /// With which plan, of which part of which dataset, and where.
    pub of: EvaluateJob,
    /// Which head of the plan, by position.
    pub head: u32,
    /// Positions in the part's order, at most [`EXPLAINED_MAX`].
    pub radiographs: Vec<u32>,
}

/// Where in a radiograph an output came from, coarsely: a grid over the whole square, row by row.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SaliencyMap {
    /// Position in the part's order.
    pub radiograph: u32,
    /// Which output of the head is told of: the class that the head says, or its only number.
    pub output: u32,
    /// Rows of the grid.
    pub height: u32,
    /// Columns of the grid.
    pub width: u32,
    /// What each field added to the output, in no unit; below zero: took from it.
    pub values: Vec<f32>,
}

/// Radiographs to draw again; the plan asks for a reconstruction.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DrawJob {
    /// With which plan, of which part of which dataset, and where.
    pub of: EvaluateJob,
    /// How many; fewer where the part has fewer.
    pub pictures: u32,
}

/// Most radiographs of one [`SegmentJob`].
pub const SEGMENTED_MAX: usize = 64;

/// Radiographs to draw masks of; the plan's head is a mask.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SegmentJob {
    /// With which plan, of which part of which dataset, and where.
    pub of: EvaluateJob,
    /// Positions in the part's order, at most [`SEGMENTED_MAX`].
    pub radiographs: Vec<u32>,
}

/// Where to compute.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceChoice {
    /// The CPU, bit for bit repeatable.
    #[default]
    Cpu,
    /// These GPUs and no others.
    Gpu(Gpus),
}

/// GPUs of this machine that share the work.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Gpus {
    /// By their numbers in the trainer's list, in the order in which they take turns.
    pub adapters: Vec<u32>,
    /// In which numbers they train.
    pub precision: Precision,
}

/// In which numbers a GPU trains. Evaluations and predictions are computed in full; the loss that is told of training is that of its steps,
/// and so comes of these numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// All in f32.
    #[default]
    Full,
    /// Convolutions and matrix products in halves (bf16, or f16 where the adapter has no bf16), the rest in f32.
    Mixed,
}

/// Devices that share the work, for people: each one's name, and in mixed precision what it computes products in.
#[must_use]
pub fn together(devices: &[(&str, Option<&str>)]) -> String {
    let first = devices.first().and_then(|(_, halves)| *halves);
    let are_alike = devices.iter().all(|(_, halves)| *halves == first);
    let name = |(name, halves): &(&str, Option<&str>)| match halves {
        Some(halves) if !are_alike => format!("{name} in mixed precision ({halves})"),
        _ => (*name).to_owned(),
    };
    let names: Vec<String> = devices.iter().map(name).collect();
    let all = match names.as_slice() {
        [one] => one.clone(),
        several => format!("{} devices: {}", several.len(), several.join(" and ")),
    };
    match first {
        Some(halves) if are_alike => format!("{all}, in mixed precision ({halves})"),
        _ => all,
    }
}

/// What the trainer answers, in order; [`Answer::Confined`] comes before it opens a dataset, and [`Answer::Trained`],
/// [`Answer::Evaluated`], [`Answer::Done`], [`Answer::Drawn`], [`Answer::Probed`] and [`Answer::Failed`] end a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// What the trainer took from itself before it looked at parameters or pixels.
    Confined {
        /// What the kernel confirmed.
        confinement: Confinement,
    },
    /// A step was done.
    Progress {
        /// Steps done of this job.
        step: u32,
        /// Steps of this job.
        steps: u32,
        /// Loss of the step.
        loss: f64,
        /// Pictures a second since the job began.
        images_per_second: f64,
    },
    /// An evaluation in passing: at step 0 that of the given parameters.
    Checked {
        /// After how many steps.
        step: u32,
        /// Quality on the validation part.
        evaluation: Evaluation,
    },
    /// Training is done. The parameters follow as one block.
    Trained {
        /// Training radiographs of the dataset that have at least one label of the plan: the update's weight.
        examples: u64,
        /// Steps that were done: fewer than asked for where the plan counts epochs and this site has few radiographs.
        steps: u32,
        /// Mean loss of the last tenth of the steps.
        loss: f64,
        /// Wall-clock seconds of the steps.
        seconds: f64,
        /// The device that computed, for people.
        device: String,
        /// After which step the parameters are those that follow, where the best were asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        best_step: Option<u32>,
        /// How many slices overflowed in halves and were done once more in full.
        #[serde(default)]
        again_in_full: u64,
    },
    /// The evaluation asked for.
    Evaluated {
        /// Quality on the part asked for.
        evaluation: Evaluation,
    },
    /// The outputs of some radiographs of the part.
    Told {
        /// Position of the first of them in the part's order.
        first: u64,
        /// One row a radiograph, in the part's order: head after head, a class head's probabilities (softmax over all of its classes) or a
        /// number in the label's unit.
        outputs: Vec<Vec<f32>>,
    },
    /// Where an output of one radiograph came from.
    Explained(SaliencyMap),
    /// Everything that was asked for has been told.
    Done {
        /// Radiographs in all.
        radiographs: u64,
    },
    /// The drawings asked for follow as one block: for each radiograph three squares of the plan's side, as it is, as the network is shown
    /// it, and as the network draws it where something was hidden (everywhere, where nothing was), each row by row from 0 black to 1 white.
    /// Of masks it is one square a radiograph, the number of each pixel's class.
    Drawn,
    /// The devices.
    Probed {
        /// One for each; the CPU is always first.
        devices: Vec<ProbedDevice>,
        /// What this kernel lets a trainer take from itself.
        confinement: Confinement,
    },
    /// The job could not be done.
    Failed {
        /// Why, for people; never a patient value.
        reason: String,
        /// What to do.
        remedy: String,
    },
}

/// A device as the probe saw it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProbedDevice {
    /// Its name, for people.
    pub name: String,
    /// How a job asks for it alone; a GPU without a number is one that cannot be asked for.
    pub choice: DeviceChoice,
    /// Whether a small convolution and its gradient agreed with the CPU's.
    pub sound: bool,
    /// Largest difference seen, relative.
    pub difference: f64,
    /// Seconds that the computation took, second run.
    pub seconds: f64,
    /// Why not, where it is not sound.
    pub note: Option<String>,
    /// GPUs of one family are alike enough to share a step.
    #[serde(default)]
    pub family: String,
    /// The same in mixed precision; nothing where that was not tried: on a CPU, and where the device is not even sound in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixed: Option<ProbedMixed>,
}

/// Mixed precision as the probe saw it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProbedMixed {
    /// What products are computed in; nothing where the adapter computes in no halves.
    pub halves: Option<String>,
    /// Whether it agreed with the CPU's full precision as closely as halves can.
    pub sound: bool,
    /// Largest difference seen, relative.
    pub difference: f64,
    /// Why not, where it is not sound.
    pub note: Option<String>,
}

impl ProbedDevice {
    /// Whether it is a GPU.
    #[must_use]
    pub const fn is_gpu(&self) -> bool {
        matches!(self.choice, DeviceChoice::Gpu(_))
    }

    /// The number by which a GPU is asked for.
    #[must_use]
    pub fn adapter(&self) -> Option<u32> {
        match &self.choice {
            DeviceChoice::Cpu => None,
            DeviceChoice::Gpu(gpus) => gpus.adapters.first().copied(),
        }
    }

    /// What the products of mixed precision are computed in, or why it cannot be had.
    ///
    /// # Errors
    /// When the adapter cannot, or computes wrongly.
    pub fn halves(&self) -> Result<&str, &str> {
        match &self.mixed {
            Some(ProbedMixed {
                sound: true,
                halves: Some(halves),
                ..
            }) => Ok(halves),
            Some(ProbedMixed { note: Some(note), .. }) => Err(note),
            _ => Err("mixed precision was not tried on it"),
        }
    }
}
