//! The networks, and how their parameters lie in one flat vector: names, shapes, roles and order, the same on both sides.
//!
//! The aggregator averages and releases parameters without ever running a network; the trainer runs it. Both compute the
//! layout from the study's plan, and its digest says whether they agree. This crate never links a tensor library, opens no
//! file and knows no clock; its only randomness is seeded by the plan.
//!
//! Start at [`Layout::of`]; [`Layout::initial_parameters`] is the model of round 0. [`Graph::of`] says what is computed with them; one
//! network a file in `networks`.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod builder;
mod graph;
mod initial;
mod kept;
mod networks;
mod stages;

use serde::{Deserialize, Serialize};
use snowball_protocol::{
    Sha256Digest, StudyPlan,
    plan::{Decoder, HeadKind, canonical_json},
};

pub use builder::CHANNELS_PER_GROUP;
pub use graph::{NORM_EPSILON, Operation, Place, Shape, Signal, Step, Window};
pub use kept::Kept;
pub use stages::Stage;

use builder::Builder;
use initial::Start;

/// What a tensor is for: a strategy or a filter may treat each role in its own way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Weight or bias of a convolution or of a linear layer.
    Weight,
    /// Scale or shift of a normalisation.
    NormAffine,
    /// Running mean or variance of a normalisation.
    NormStatistic,
    /// A count of steps.
    Counter,
    /// Stays at the site.
    Local,
}

/// One tensor of a network.
#[derive(Clone, PartialEq, Debug)]
pub struct Tensor {
    /// Its name as in a PyTorch `state_dict`, such as `trunk.stage1.0.conv1.weight` or `heads.body_part.bias`.
    pub name: String,
    /// Its shape in PyTorch's order: convolution `[out, in, height, width]`, linear `[out, in]`, row by row.
    pub shape: Vec<usize>,
    /// What it is for.
    pub role: Role,
    /// Where it begins in the flat vector, in f32s.
    pub offset: usize,
    start: Start,
}

impl Tensor {
    /// Number of values.
    #[must_use]
    pub fn values(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Every tensor of a network, in order, without gaps.
#[derive(Clone, PartialEq, Debug)]
pub struct Layout {
    /// In the order of the flat vector.
    pub tensors: Vec<Tensor>,
}

/// A network: its parameters, and what is computed with them.
#[derive(Clone, PartialEq, Debug)]
pub struct Graph {
    /// Where the parameters lie.
    pub layout: Layout,
    /// What is done, in order; every step needs earlier ones only.
    pub steps: Vec<Step>,
    /// What the heads see.
    pub features: Signal,
    /// The output of each head but a mask's, in the plan's order.
    pub heads: Vec<Signal>,
    /// The radiograph drawn again, `[N, 1, side, side]`, or the outputs of a mask, `[N, outputs, side, side]`, where the plan asks for
    /// that.
    pub picture: Option<Signal>,
    /// What views are compared by, `[N, dimension]`, where the plan asks for that.
    pub projection: Option<Signal>,
    /// Channels or features of each step's output.
    widths: Vec<usize>,
}

impl Graph {
    /// The network, the heads and the decoder or projection that `plan` asks for.
    #[must_use]
    pub fn of(plan: &StudyPlan) -> Self {
        let mut builder = Builder::new();
        let trunk = networks::trunk(&mut builder, &plan.network);
        let features = trunk.features;
        let head = |head: &snowball_protocol::plan::Head| {
            let middle = match head.kind {
                HeadKind::Classes(_) | HeadKind::Mask { .. } => 0.0,
                // The middle of the range that one unit spans (age: 50 years).
                HeadKind::Regression { .. } => 0.5,
            };
            builder.head(
                features,
                &format!("heads.{}", head.label.code()),
                head.outputs(),
                middle,
            )
        };
        let told = plan
            .heads
            .iter()
            .filter(|head| !matches!(head.kind, HeadKind::Mask { .. }));
        let heads = told.map(head).collect();
        let width = plan.network.width as usize;
        let picture = match (plan.reconstruction(), plan.mask_head()) {
            (Some(asked), _) => {
                networks::decoder::picture(&mut builder, &trunk, width, asked.decoder, ("decoder.picture", 1))
            }
            (None, Some(head)) => {
                let last = format!("heads.{}", head.label.code());
                let outputs = (last.as_str(), head.outputs());
                networks::decoder::picture(&mut builder, &trunk, width, Decoder::UNet, outputs)
            }
            (None, None) => None,
        };
        let projection = plan
            .contrastive()
            .map(|contrastive| networks::projection::vector(&mut builder, features, contrastive.dimension as usize));
        let (layout, steps, widths) = builder.finish();
        Self {
            layout,
            steps,
            features,
            heads,
            picture,
            projection,
            widths,
        }
    }

    /// Multiplications that one radiograph of this side costs on the way forward, in convolutions and linear layers; training costs about
    /// three times as many. `None` where the picture is too small for the network.
    #[must_use]
    pub fn multiplications(&self, side: usize) -> Option<u64> {
        let shapes = self.shapes(side)?;
        let values = |place: Place| self.layout.tensors[place].values();
        let of = |(step, shape): (&Step, &Shape)| match (&step.operation, shape) {
            (Operation::Convolution { weight, .. }, Shape::Picture([_, height, width])) => {
                values(*weight) * height * width
            }
            (Operation::Linear { weight, .. }, _) => values(*weight),
            _ => 0,
        };
        Some(self.steps.iter().zip(&shapes).map(|pair| of(pair) as u64).sum())
    }

    /// The shape of each step's output for pictures of this side, in pixels; `None` where they are too small for the network.
    #[must_use]
    pub fn shapes(&self, side: usize) -> Option<Vec<Shape>> {
        let mut shapes: Vec<Shape> = Vec::with_capacity(self.steps.len());
        for (step, width) in self.steps.iter().zip(&self.widths) {
            let inputs: Vec<Shape> = step.inputs.iter().map(|input| shapes[input.index()]).collect();
            shapes.push(graph::shape(&step.operation, &inputs, *width, side)?);
        }
        Some(shapes)
    }
}

#[derive(Serialize)]
struct Signature<'a> {
    name: &'a str,
    shape: &'a [usize],
    role: Role,
}

impl Layout {
    /// The layout of the network and the heads that `plan` asks for. Any sound plan has one; whoever allocates compares
    /// [`parameters`](Self::parameters) with [`snowball_protocol::limits::PARAMETERS_MAX`] first.
    #[must_use]
    pub fn of(plan: &StudyPlan) -> Self {
        Graph::of(plan).layout
    }

    /// Number of parameters in all.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.tensors.last().map_or(0, |tensor| tensor.offset + tensor.values())
    }

    /// Size of the flat vector as little-endian f32, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.parameters() as u64 * 4
    }

    /// SHA-256 over the canonical JSON of all names, shapes and roles, in order.
    #[must_use]
    pub fn digest(&self) -> Sha256Digest {
        let signatures: Vec<_> = self
            .tensors
            .iter()
            .map(|tensor| Signature {
                name: &tensor.name,
                shape: &tensor.shape,
                role: tensor.role,
            })
            .collect();
        Sha256Digest::of(&canonical_json(&signatures))
    }

    /// The stretches that stay at each site under `plan`, whose layout this is.
    #[must_use]
    pub fn kept(&self, plan: &StudyPlan) -> Kept {
        Kept::of(self, plan)
    }

    /// The tensor called `name`.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }

    /// The model of round 0: convolutions by He et al. 2015 (uniform, fan-in), norms 1 and 0, heads small.
    ///
    /// Each tensor has a ChaCha20 stream of its own and only sums, products and square roots are taken, so the result is the
    /// same bit for bit on every machine.
    #[must_use]
    pub fn initial_parameters(&self, seed: u64) -> Vec<f32> {
        initial::parameters(&self.tensors, seed)
    }
}

/// Parameters as they travel: little-endian IEEE 754 binary32.
#[must_use]
pub fn to_le_bytes(parameters: &[f32]) -> Vec<u8> {
    let mut bytes = vec![0; size_of_val(parameters)];
    for (word, value) in bytes.as_chunks_mut().0.iter_mut().zip(parameters) {
        *word = value.to_le_bytes();
    }
    bytes
}

/// Reads what [`to_le_bytes`] wrote; `None` where the number of bytes is no multiple of four.
#[must_use]
pub fn from_le_bytes(bytes: &[u8]) -> Option<Vec<f32>> {
    let (words, rest) = bytes.as_chunks::<4>();
    rest.is_empty()
        .then(|| words.iter().map(|word| f32::from_le_bytes(*word)).collect())
}

#[cfg(test)]
mod tests;
