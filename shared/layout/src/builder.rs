//! Puts a network together, step by step; its tensors follow in the order in which they are named.

use crate::{
    Layout, Role, Tensor,
    graph::{Operation, Signal, Step, Window},
    initial::Start,
};

/// Channels that share one mean and deviation (group norm, Wu and He 2018). Widths are multiples of it.
pub const CHANNELS_PER_GROUP: usize = 8;

/// The picture that every network begins with.
pub(crate) const PICTURE: Signal = Signal(0);

/// A convolution's kernel.
#[derive(Clone, Copy)]
pub(crate) struct Kernel {
    outputs: usize,
    size: [usize; 2],
    stride: usize,
    padding: [usize; 2],
    groups: usize,
    has_bias: bool,
}

impl Kernel {
    /// A square one that leaves the picture its size.
    pub(crate) const fn square(outputs: usize, side: usize) -> Self {
        Self::of(outputs, [side, side])
    }

    /// One of `size` that leaves the picture its size.
    pub(crate) const fn of(outputs: usize, size: [usize; 2]) -> Self {
        Self {
            outputs,
            size,
            stride: 1,
            padding: [size[0] / 2, size[1] / 2],
            groups: 1,
            has_bias: false,
        }
    }

    pub(crate) const fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    pub(crate) const fn padding(self, padding: usize) -> Self {
        Self {
            padding: [padding, padding],
            ..self
        }
    }

    pub(crate) const fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    pub(crate) const fn with_bias(self) -> Self {
        Self { has_bias: true, ..self }
    }
}

/// A network in the making.
pub(crate) struct Builder {
    layout: Layout,
    steps: Vec<Step>,
    /// Channels or features of each step's output.
    widths: Vec<usize>,
}

impl Builder {
    /// A network that has a picture and nothing else yet.
    pub(crate) fn new() -> Self {
        Self {
            layout: Layout { tensors: Vec::new() },
            steps: vec![Step {
                operation: Operation::Picture,
                inputs: Vec::new(),
            }],
            widths: vec![1],
        }
    }

    pub(crate) fn finish(self) -> (Layout, Vec<Step>, Vec<usize>) {
        (self.layout, self.steps, self.widths)
    }

    /// Channels or features of a signal.
    pub(crate) fn width(&self, signal: Signal) -> usize {
        self.widths[signal.0]
    }

    pub(crate) fn convolution(&mut self, input: Signal, name: &str, kernel: Kernel) -> Signal {
        let [_, rest @ ..] = self.kernel_shape(input, kernel);
        let fan_in = rest.iter().product();
        self.convolve(input, name, kernel, Start::He { fan_in })
    }

    /// Channels of a picture: they start near the middle of black and white, whatever they see.
    pub(crate) fn drawn(&mut self, input: Signal, name: &str, channels: usize) -> Signal {
        let fan_in = self.width(input);
        let kernel = Kernel::square(channels, 1).with_bias();
        self.convolve(input, name, kernel, Start::Small { fan_in })
    }

    fn kernel_shape(&self, input: Signal, kernel: Kernel) -> [usize; 4] {
        let channels = self.width(input) / kernel.groups;
        [kernel.outputs, channels, kernel.size[0], kernel.size[1]]
    }

    fn convolve(&mut self, input: Signal, name: &str, kernel: Kernel, start: Start) -> Signal {
        let shape = self.kernel_shape(input, kernel).to_vec();
        let weight = self.tensor(format!("{name}.weight"), shape, Role::Weight, start);
        let bias = kernel.has_bias.then(|| self.bias(name, kernel.outputs, 0.0));
        let operation = Operation::Convolution {
            weight,
            bias,
            size: kernel.size,
            stride: kernel.stride,
            padding: kernel.padding,
            groups: kernel.groups,
        };
        self.step(operation, vec![input], kernel.outputs)
    }

    pub(crate) fn norm(&mut self, input: Signal, name: &str) -> Signal {
        let channels = self.width(input);
        let mut affine = |part: &str, value| {
            let (name, start) = (format!("{name}.{part}"), Start::Constant(value));
            self.tensor(name, vec![channels], Role::NormAffine, start)
        };
        let (scale, shift) = (affine("weight", 1.0), affine("bias", 0.0));
        let groups = (channels / CHANNELS_PER_GROUP).max(1);
        self.step(Operation::GroupNorm { scale, shift, groups }, vec![input], channels)
    }

    pub(crate) fn relu(&mut self, input: Signal) -> Signal {
        self.same(Operation::Relu, input)
    }

    /// Convolution `NAME.conv`, norm `NAME.norm` and ReLU.
    pub(crate) fn unit(&mut self, input: Signal, name: &str, kernel: Kernel) -> Signal {
        let signal = self.convolution(input, &format!("{name}.conv"), kernel);
        let signal = self.norm(signal, &format!("{name}.norm"));
        self.relu(signal)
    }

    pub(crate) fn max_pool(&mut self, input: Signal, side: usize, stride: usize, padding: usize) -> Signal {
        self.same(Operation::MaxPool(Window { side, stride, padding }), input)
    }

    pub(crate) fn mean_pool(&mut self, input: Signal, side: usize, stride: usize, padding: usize) -> Signal {
        self.same(Operation::MeanPool(Window { side, stride, padding }), input)
    }

    /// The picture as features by `operation`: mean or maximum.
    pub(crate) fn pooled(&mut self, operation: Operation, input: Signal) -> Signal {
        self.same(operation, input)
    }

    /// A grid of `fields` by `fields` means as features.
    pub(crate) fn grid(&mut self, input: Signal, fields: usize) -> Signal {
        let grid = self.same(Operation::Grid(fields), input);
        let features = self.width(input) * fields * fields;
        self.step(Operation::Flatten, vec![grid], features)
    }

    /// A linear layer inside the trunk.
    pub(crate) fn linear(&mut self, input: Signal, name: &str, outputs: usize) -> Signal {
        let fan_in = self.width(input);
        self.layer(input, name, outputs, Start::He { fan_in }, 0.0)
    }

    /// A head: it starts near `middle`, whatever it sees.
    pub(crate) fn head(&mut self, input: Signal, name: &str, outputs: usize, middle: f32) -> Signal {
        let fan_in = self.width(input);
        self.layer(input, name, outputs, Start::Small { fan_in }, middle)
    }

    /// Twice as large, cut to the size of `like`.
    pub(crate) fn upsample(&mut self, input: Signal, like: Signal) -> Signal {
        let width = self.width(input);
        self.step(Operation::Upsample, vec![input, like], width)
    }

    pub(crate) fn add(&mut self, first: Signal, second: Signal) -> Signal {
        let width = self.width(first);
        self.step(Operation::Add, vec![first, second], width)
    }

    pub(crate) fn concat(&mut self, inputs: Vec<Signal>) -> Signal {
        let width = inputs.iter().map(|input| self.width(*input)).sum();
        self.step(Operation::Concat, inputs, width)
    }

    fn layer(&mut self, input: Signal, name: &str, outputs: usize, start: Start, bias: f32) -> Signal {
        let shape = vec![outputs, self.width(input)];
        let weight = self.tensor(format!("{name}.weight"), shape, Role::Weight, start);
        let bias = self.bias(name, outputs, bias);
        self.step(Operation::Linear { weight, bias }, vec![input], outputs)
    }

    fn bias(&mut self, name: &str, outputs: usize, value: f32) -> usize {
        let start = Start::Constant(value);
        self.tensor(format!("{name}.bias"), vec![outputs], Role::Weight, start)
    }

    fn tensor(&mut self, name: String, shape: Vec<usize>, role: Role, start: Start) -> usize {
        let offset = self.layout.parameters();
        self.layout.tensors.push(Tensor {
            name,
            shape,
            role,
            offset,
            start,
        });
        self.layout.tensors.len() - 1
    }

    fn same(&mut self, operation: Operation, input: Signal) -> Signal {
        let width = self.width(input);
        self.step(operation, vec![input], width)
    }

    fn step(&mut self, operation: Operation, inputs: Vec<Signal>, width: usize) -> Signal {
        self.steps.push(Step { operation, inputs });
        self.widths.push(width);
        Signal(self.steps.len() - 1)
    }
}
