//! What a network computes with its tensors: one list of steps that the trainer runs, that is written out as ONNX, and from which the
//! layout of the parameters follows. So they never differ.

/// The output of a step.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Signal(pub(crate) usize);

impl Signal {
    /// Which step of the list gives it.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0
    }
}

/// Which tensor of the layout, by position.
pub type Place = usize;

/// One step: an operation on outputs of earlier steps.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// What is done.
    pub operation: Operation,
    /// With what.
    pub inputs: Vec<Signal>,
}

/// A square window that slides over pictures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Its side, in pixels.
    pub side: usize,
    /// How far it moves.
    pub stride: usize,
    /// Pixels around the picture that count as well: zeros in a mean, nothing in a maximum.
    pub padding: usize,
}

/// What a step does. Pictures are `[N, channels, height, width]`, features `[N, features]`.
#[derive(Clone, PartialEq, Debug)]
pub enum Operation {
    /// The radiographs, `[N, 1, H, W]`. The first step, and no other.
    Picture,
    /// A convolution (cross-correlation, as in PyTorch).
    Convolution {
        /// `[out, in / groups, height, width]`.
        weight: Place,
        /// `[out]`.
        bias: Option<Place>,
        /// Height and width of the kernel.
        size: [usize; 2],
        /// How far it moves, both ways.
        stride: usize,
        /// Zeros above and below, left and right.
        padding: [usize; 2],
        /// Channels are cut into so many groups that do not see each other.
        groups: usize,
    },
    /// Mean 0 and variance 1 over each group of channels of each picture, then scale and shift a channel (Wu and He 2018). Added to
    /// the variance: [`NORM_EPSILON`].
    GroupNorm {
        /// `[channels]`.
        scale: Place,
        /// `[channels]`.
        shift: Place,
        /// How many groups.
        groups: usize,
    },
    /// The larger of the value and zero.
    Relu,
    /// The largest value in a window. Where the last window would reach beyond picture and padding, it is left out.
    MaxPool(Window),
    /// The mean of a window, padding counted.
    MeanPool(Window),
    /// Means over a grid of so many fields a side, whatever the picture's size (adaptive, as in PyTorch).
    Grid(usize),
    /// The mean over the picture: features.
    Mean,
    /// The maximum over the picture: features.
    Maximum,
    /// A picture's values as features, channel by channel, row by row.
    Flatten,
    /// A linear layer on features.
    Linear {
        /// `[out, in]`.
        weight: Place,
        /// `[out]`.
        bias: Place,
    },
    /// Twice as high and wide by repeating each value; of that the upper left part that is as large as the second signal, of which nothing
    /// else is used.
    Upsample,
    /// The sum of two signals.
    Add,
    /// Several signals, one channel (or feature) after another.
    Concat,
}

/// Added to the variance of a group before its root is taken (PyTorch's default).
pub const NORM_EPSILON: f64 = 1e-5;

/// The shape of a signal, without the number of pictures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Channels, height and width.
    Picture([usize; 3]),
    /// Features.
    Features(usize),
}

impl Window {
    /// What is left of a side.
    const fn of(self, side: usize) -> Option<usize> {
        windows(side, self.side, self.stride, self.padding)
    }
}

/// How many windows of `length` fit into `side` with `padding` at both ends.
const fn windows(side: usize, length: usize, stride: usize, padding: usize) -> Option<usize> {
    match (side + 2 * padding).checked_sub(length) {
        Some(room) => Some(room / stride + 1),
        None => None,
    }
}

/// The shape of `step`'s output from those of its inputs; `outputs` are the channels or features that its tensors give. `None` where a
/// picture is too small for a window, or the inputs do not fit.
pub(crate) fn shape(operation: &Operation, inputs: &[Shape], outputs: usize, side: usize) -> Option<Shape> {
    use Operation::{
        Add, Concat, Convolution, Flatten, Grid, GroupNorm, Linear, MaxPool, Maximum, Mean, MeanPool, Picture, Relu,
        Upsample,
    };
    Some(match (operation, inputs) {
        (Picture, []) => Shape::Picture([1, side, side]),
        (
            Convolution {
                size, stride, padding, ..
            },
            [Shape::Picture([_, height, width])],
        ) => Shape::Picture([
            outputs,
            windows(*height, size[0], *stride, padding[0])?,
            windows(*width, size[1], *stride, padding[1])?,
        ]),
        (GroupNorm { .. } | Relu, [shape]) => *shape,
        (MaxPool(window) | MeanPool(window), [Shape::Picture([channels, height, width])]) => {
            Shape::Picture([*channels, window.of(*height)?, window.of(*width)?])
        }
        (Grid(fields), [Shape::Picture([channels, ..])]) => Shape::Picture([*channels, *fields, *fields]),
        (Mean | Maximum, [Shape::Picture([channels, ..])]) => Shape::Features(*channels),
        (Flatten, [Shape::Picture([channels, height, width])]) => Shape::Features(channels * height * width),
        (Linear { .. }, [Shape::Features(_)]) => Shape::Features(outputs),
        (Upsample, [Shape::Picture([channels, h, w]), Shape::Picture([_, height, width])])
            if [height.div_ceil(2), width.div_ceil(2)] == [*h, *w] =>
        {
            Shape::Picture([*channels, *height, *width])
        }
        (Add, [first, second]) if first == second => *first,
        (Concat, [first, rest @ ..]) => rest.iter().try_fold(*first, |sum, next| match (sum, *next) {
            (Shape::Picture([a, height, width]), Shape::Picture([b, h, w])) if [h, w] == [height, width] => {
                Some(Shape::Picture([a + b, height, width]))
            }
            (Shape::Features(a), Shape::Features(b)) => Some(Shape::Features(a + b)),
            _ => None,
        })?,
        _ => return None,
    })
}
