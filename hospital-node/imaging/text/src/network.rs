//! Networks as lists of steps. The same list is walked forward here and backward by the training program, so that what was
//! trained is what runs.

use rayon::prelude::*;

use crate::{
    convolve::{End, Kernel, SHARE_MIN, convolve},
    map::Map,
    places::Places,
    rows,
};

/// Rows of an answer that are worth a thread of their own: as many again are computed twice where two bands meet.
const BAND_MIN: usize = 64;

/// One step of a network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Two by two places become one with four times the channels.
    Fold,
    /// A convolution, then `max(0, x)`.
    Convolve {
        /// Channels out.
        outputs: usize,
        /// Places between taps.
        dilation: usize,
    },
    /// A convolution with `max(0, x)`, added to what went in.
    Add {
        /// Places between taps.
        dilation: usize,
    },
    /// A sum over the channels of each place, with `max(0, x)`.
    Mix {
        /// Channels out.
        outputs: usize,
    },
    /// The rows become one, with the channels of all.
    Stack {
        /// How many rows.
        rows: usize,
    },
    /// The answer: a sum over the channels of each place.
    Head {
        /// Classes, a multiple of [`crate::convolve::BLOCK`].
        outputs: usize,
    },
}

impl Step {
    /// Places between the taps of its kernel.
    pub(crate) const fn dilation(self) -> usize {
        match self {
            Self::Convolve { dilation, .. } | Self::Add { dilation } => dilation,
            _ => 1,
        }
    }

    /// What happens to its sums.
    pub(crate) const fn end(self) -> End {
        match self {
            Self::Add { .. } => End::Added,
            Self::Head { .. } => End::Sum,
            _ => End::Positive,
        }
    }
}

/// A network: its steps and one kernel for each step that has weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// In order.
    pub steps: &'static [Step],
    /// In order of the steps that have one.
    pub kernels: Vec<Kernel>,
}

/// The kernels' shapes (side, inputs, outputs) of `steps` over a map of `channels`.
#[must_use]
pub fn shapes(steps: &[Step], channels: usize) -> Vec<[usize; 3]> {
    let mut now = channels;
    let mut shapes = Vec::new();
    for step in steps {
        let (side, outputs) = match *step {
            Step::Fold => {
                now *= 4;
                continue;
            }
            Step::Stack { rows } => {
                now *= rows;
                continue;
            }
            Step::Convolve { outputs, .. } => (3, outputs),
            Step::Add { .. } => (3, now),
            Step::Mix { outputs } | Step::Head { outputs } => (1, outputs),
        };
        shapes.push([side, now, outputs]);
        now = outputs;
    }
    shapes
}

impl Network {
    /// A network from its weights in one run: each kernel's weights, then its bias. `None` if there are more or fewer.
    #[must_use]
    pub fn from_values(steps: &'static [Step], channels: usize, values: &[f32]) -> Option<Self> {
        let mut rest = values;
        let mut kernels = Vec::new();
        for [side, inputs, outputs] in shapes(steps, channels) {
            let (weights, after) = rest.split_at_checked(side * side * inputs * outputs)?;
            let (bias, after) = after.split_at_checked(outputs)?;
            rest = after;
            kernels.push(Kernel {
                side,
                inputs,
                outputs,
                weights: weights.to_vec(),
                bias: bias.to_vec(),
            });
        }
        rest.is_empty().then_some(Self { steps, kernels })
    }

    /// The weights in one run, as [`Network::from_values`] reads them.
    #[must_use]
    pub fn values(&self) -> Vec<f32> {
        let parts = self.kernels.iter();
        parts
            .flat_map(|kernel| kernel.weights.iter().chain(&kernel.bias).copied())
            .collect()
    }

    /// The answer to `input`.
    #[must_use]
    pub fn answer(&self, input: &Map) -> Map {
        self.walk(input, |_| {})
    }

    /// Writes the answer to `input` at `places` into `answer`, where it is what [`Network::answer`] gives. The first step is a
    /// [`Step::Fold`], and no step is a [`Step::Stack`].
    pub fn answer_at(&self, input: &Map, places: &Places, answer: &mut Map) {
        let products: usize = self.kernels.iter().map(|kernel| kernel.weights.len()).sum();
        let threads = if places.count() * products < SHARE_MIN {
            1
        } else {
            rayon::current_num_threads()
        };
        // Each band of rows computes for itself what bears on it.
        let band = answer.rows.div_ceil(threads).max(BAND_MIN);
        let width = answer.columns * answer.channels;
        let bands = answer.values.par_chunks_mut((band * width).max(1)).enumerate();
        bands.for_each(|(number, lines)| {
            let first = number * band;
            let needed = self.needed(&places.within(first..first + band));
            rows::answer(self, input, &needed, first, lines);
        });
    }

    /// From the places of the answer: which of each step's outcome bear on it.
    fn needed(&self, places: &Places) -> Vec<Places> {
        let mut needed = vec![places.clone()];
        for step in self.steps[1..].iter().rev() {
            let last = &needed[needed.len() - 1];
            needed.push(match *step {
                Step::Fold => last.unfolded(last.rows.len() * 2, last.columns * 2),
                Step::Convolve { dilation, .. } | Step::Add { dilation } => last.grown(dilation),
                Step::Mix { .. } | Step::Head { .. } | Step::Stack { .. } => last.clone(),
            });
        }
        needed.reverse();
        needed
    }

    /// The answer to `input`; `keep` gets the input of each step in order, which is what the way back needs.
    pub fn walk(&self, input: &Map, mut keep: impl FnMut(&Map)) -> Map {
        let mut last = None;
        let mut kernels = self.kernels.iter();
        for step in self.steps {
            let now = last.as_ref().unwrap_or(input);
            keep(now);
            last = Some(match *step {
                Step::Fold => now.folded(),
                Step::Stack { .. } => now.stacked(),
                Step::Convolve { .. } | Step::Add { .. } | Step::Mix { .. } | Step::Head { .. } => {
                    let Some(kernel) = kernels.next() else { break };
                    convolve(now, kernel, step.dilation(), step.end())
                }
            });
        }
        last.unwrap_or_else(|| input.clone())
    }
}
