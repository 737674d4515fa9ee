//! Networks as lists of steps. The same list is walked forward here and backward by the training program, so that what was
//! trained is what runs.

use crate::{
    convolve::{End, Kernel, convolve},
    map::Map,
    places::Places,
};

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

    /// The answer to `input` at `places` of the answer only, where it is what [`Network::answer`] gives.
    #[must_use]
    pub fn answer_at(&self, input: &Map, places: &Places) -> Map {
        // From the end: what of each step's outcome bears on the answer at these places.
        let mut needed = vec![places.clone()];
        let (mut rows, mut columns) = (places.rows.len(), places.columns);
        for step in self.steps[1..].iter().rev() {
            let last = &needed[needed.len() - 1];
            let before = match *step {
                Step::Fold => {
                    (rows, columns) = (rows * 2, columns * 2);
                    last.unfolded(rows, columns)
                }
                Step::Convolve { dilation, .. } | Step::Add { dilation } => last.grown(dilation),
                Step::Stack { rows: stacked } => {
                    rows = stacked;
                    Places::all(rows, columns)
                }
                Step::Mix { .. } | Step::Head { .. } => last.clone(),
            };
            needed.push(before);
        }
        needed.reverse();
        self.steps_of(input, Some(&needed), |_| {})
    }

    /// The answer to `input`; `keep` gets the input of each step in order, which is what the way back needs.
    pub fn walk(&self, input: &Map, keep: impl FnMut(&Map)) -> Map {
        self.steps_of(input, None, keep)
    }

    fn steps_of(&self, input: &Map, needed: Option<&[Places]>, mut keep: impl FnMut(&Map)) -> Map {
        let mut last = None;
        let mut kernels = self.kernels.iter();
        for (at, step) in self.steps.iter().enumerate() {
            let now = last.as_ref().unwrap_or(input);
            keep(now);
            let places = needed.map(|needed| &needed[at]);
            if *step == Step::Fold {
                last = Some(now.folded(places));
                continue;
            }
            if matches!(step, Step::Stack { .. }) {
                last = Some(now.stacked());
                continue;
            }
            let Some(kernel) = kernels.next() else { break };
            let (dilation, end) = match *step {
                Step::Add { dilation } => (dilation, End::Added),
                Step::Convolve { dilation, .. } => (dilation, End::Positive),
                Step::Head { .. } => (1, End::Sum),
                _ => (1, End::Positive),
            };
            last = Some(convolve(now, kernel, dilation, end, places));
        }
        last.unwrap_or_else(|| input.clone())
    }
}
