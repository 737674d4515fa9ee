//! One job for the trainer and what it answers. A trainer does one job and ends.

use serde::{Deserialize, Serialize};
use snowball_confine::Confinement;
use snowball_protocol::{StudyPlan, evaluation::Evaluation};

use crate::key::DatasetSource;

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
    /// Draw radiographs again with the given parameters, for people at the site to look at. Parameters follow.
    Draw(DrawJob),
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

/// Radiographs to draw again; the plan asks for a reconstruction.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DrawJob {
    /// With which plan, of which part of which dataset, and where.
    pub of: EvaluateJob,
    /// How many; fewer where the part has fewer.
    pub pictures: u32,
}

/// Where to compute.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceChoice {
    /// The CPU, bit for bit repeatable.
    #[default]
    Cpu,
    /// The first adapter that passed the probe.
    Gpu,
}

/// What the trainer answers, in order; [`Answer::Confined`] comes before it opens a dataset, and [`Answer::Trained`], [`Answer::Evaluated`], [`Answer::Drawn`], [`Answer::Probed`] and [`Answer::Failed`] end a job.
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
    },
    /// The evaluation asked for.
    Evaluated {
        /// Quality on the part asked for.
        evaluation: Evaluation,
    },
    /// The drawings asked for follow as one block: for each radiograph three squares of the plan's side, as it is, as the network is shown
    /// it, and as the network draws it where something was hidden (everywhere, where nothing was), each row by row from 0 black to 1 white.
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
    /// CPU or GPU.
    pub choice: DeviceChoice,
    /// Whether a small convolution and its gradient agreed with the CPU's.
    pub sound: bool,
    /// Largest difference seen, relative.
    pub difference: f64,
    /// Seconds that the computation took, second run.
    pub seconds: f64,
    /// Why not, where it is not sound.
    pub note: Option<String>,
}
