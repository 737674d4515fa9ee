//! A network on a device, whatever its architecture.

mod last_map;

use burn::tensor::{Device, Gradients, Tensor};
use snowball_layout::{Graph, Layout, Step};
use snowball_protocol::StudyPlan;

use crate::{
    ModelError,
    halves::Halves,
    host,
    steps::{self, Value},
    weights::{self, Weight},
};

/// The network that a plan asks for, with one linear head a label, or with a decoder or a projection.
#[derive(Debug)]
pub struct Network {
    graph: Graph,
    weights: Vec<Weight>,
    /// How often each step's output is still needed: then it is given back to the device.
    readers: Vec<usize>,
    /// On this machine's processor steps are done our own way: which of them also rectify.
    pub(crate) host: Option<Vec<bool>>,
    /// What products are computed in, where not in f32.
    halves: Option<Halves>,
}

impl Network {
    /// Makes the network of `plan` on `device` from parameters in the layout's order. On a device with autodiff every parameter
    /// keeps its gradient.
    ///
    /// # Errors
    /// When the number of parameters is not the layout's.
    pub fn load(plan: &StudyPlan, parameters: &[f32], device: &Device) -> Result<Self, ModelError> {
        Self::load_learning(plan, parameters, device, |_| true)
    }

    /// As [`load`](Self::load), where only the tensors learn that `learns` names. The others keep no gradient, and what lies below the
    /// lowest that learns is computed as on a device without autodiff: nothing of it is kept for the way back, which ends above it.
    ///
    /// # Errors
    /// When the number of parameters is not the layout's.
    pub fn load_learning(
        plan: &StudyPlan,
        parameters: &[f32],
        device: &Device,
        learns: impl Fn(&snowball_layout::Tensor) -> bool,
    ) -> Result<Self, ModelError> {
        let graph = Graph::of(plan);
        let weights = weights::load(&graph.layout, parameters, device, learns)?;
        let mut readers = vec![0; graph.steps.len()];
        for signal in graph.heads.iter().chain(&graph.picture).chain(&graph.projection) {
            readers[signal.index()] += 1;
        }
        // From the end: a step that nobody reads reads nothing.
        for (number, step) in graph.steps.iter().enumerate().rev() {
            if readers[number] > 0 {
                step.inputs.iter().for_each(|input| readers[input.index()] += 1);
            }
        }
        let host = host::is_host(device).then(|| host::rectifying(&graph, &readers));
        Ok(Self {
            graph,
            weights,
            readers,
            host,
            halves: None,
        })
    }

    /// The same network with its products in `halves`; its parameters and what it gives out stay f32. Our operations of the processor know
    /// f32 alone, so there too the steps are burn's then, as on any other device.
    #[must_use]
    pub fn in_halves(mut self, halves: Option<Halves>) -> Self {
        if halves.is_some() {
            self.host = None;
        }
        Self { halves, ..self }
    }

    /// The parameters in the layout's order, bit for bit as they were loaded.
    ///
    /// # Errors
    /// When the device does not give them back.
    pub fn store(&self) -> Result<Vec<f32>, ModelError> {
        let mut flat = Vec::with_capacity(self.layout().parameters());
        self.weights.iter().try_for_each(|weight| weight.store(&mut flat))?;
        Ok(flat)
    }

    /// The gradients of all parameters in the layout's order; zero where a parameter does not learn, or the loss does not depend on
    /// it.
    ///
    /// # Errors
    /// When the device does not give them back.
    pub fn gradients(&self, gradients: &mut Gradients) -> Result<Vec<f32>, ModelError> {
        let mut flat = Vec::with_capacity(self.layout().parameters());
        self.weights
            .iter()
            .try_for_each(|weight| weight.gradient(gradients, &mut flat))?;
        Ok(flat)
    }

    /// The slopes of `loss`, which came of this network, by all parameters, as [`gradients`](Self::gradients) gives them. In f16 they are
    /// enlarged on their way back, or the small ones would be lost; one that is no finite number says that it overflowed.
    ///
    /// # Errors
    /// When the device does not give them back.
    pub fn slopes(&self, loss: Tensor<1>) -> Result<Vec<f32>, ModelError> {
        let Some(enlargement) = self.halves.map(Halves::enlargement) else {
            return self.gradients(&mut loss.backward());
        };
        let mut slopes = self.gradients(&mut loss.mul_scalar(enlargement).backward())?;
        slopes.iter_mut().for_each(|slope| *slope /= enlargement);
        Ok(slopes)
    }

    /// Pictures `[N, 1, side, side]` to one output `[N, outputs]` a head, in the plan's order.
    ///
    /// # Errors
    /// When the pictures have another shape, or are smaller than the network takes.
    pub fn forward(&self, pictures: Tensor<4>) -> Result<Vec<Tensor<2>>, ModelError> {
        let (mut values, mut readers) = self.signals(pictures)?;
        let outputs = self.graph.heads.iter().map(|head| {
            let value = read(&mut values, &mut readers, head.index()).and_then(Value::features);
            value.ok_or(ModelError::Step { step: head.index() })
        });
        outputs.collect()
    }

    /// Pictures `[N, 1, side, side]` to the same, drawn again, or to a mask's outputs `[N, outputs, side, side]`.
    ///
    /// # Errors
    /// When the pictures have another shape or are smaller than the network takes, or the plan asks for no drawing.
    pub fn draw(&self, pictures: Tensor<4>) -> Result<Tensor<4>, ModelError> {
        let drawn = self.graph.picture.ok_or(ModelError::NoDecoder)?.index();
        let (mut values, mut readers) = self.signals(pictures)?;
        let value = read(&mut values, &mut readers, drawn).and_then(Value::pictures);
        let value = value.map(|pictures| self.given_back(pictures));
        value.ok_or(ModelError::Step { step: drawn })
    }

    /// Pictures `[N, 1, side, side]` to what they are compared by, `[N, dimension]`.
    ///
    /// # Errors
    /// When the pictures have another shape or are smaller than the network takes, or the plan compares none.
    pub fn project(&self, pictures: Tensor<4>) -> Result<Tensor<2>, ModelError> {
        let projection = self.graph.projection.ok_or(ModelError::NoProjection)?.index();
        let (mut values, mut readers) = self.signals(pictures)?;
        let value = read(&mut values, &mut readers, projection).and_then(Value::features);
        value.ok_or(ModelError::Step { step: projection })
    }

    /// Does all steps; what nobody will read any more is given back at once.
    fn signals(&self, pictures: Tensor<4>) -> Result<(Vec<Option<Value>>, Vec<usize>), ModelError> {
        let found = pictures.dims();
        let [count, channels, height, width] = found;
        let is_sound = count > 0 && channels == 1 && height == width && self.graph.shapes(height).is_some();
        if !is_sound {
            return Err(ModelError::Pictures { found });
        }
        let mut readers = self.readers.clone();
        let mut values: Vec<Option<Value>> = vec![Some(Value::Pictures(self.taken(pictures)))];
        for (number, step) in self.graph.steps.iter().enumerate().skip(1) {
            // Without a head nobody reads the features, nor what only they are made of.
            if readers[number] == 0 {
                values.push(None);
                continue;
            }
            let mut inputs = Vec::with_capacity(step.inputs.len());
            for input in &step.inputs {
                inputs.extend(read(&mut values, &mut readers, input.index()));
            }
            let value = self
                .step(step, number, inputs)
                .ok_or(ModelError::Step { step: number })?;
            values.push(Some(value));
        }
        Ok((values, readers))
    }

    /// Does one step, in the way of the network's device.
    fn step(&self, step: &Step, number: usize, inputs: Vec<Value>) -> Option<Value> {
        match &self.host {
            Some(rectifying) => host::take(step, number, rectifying, &self.weights, inputs),
            None => {
                let halves = self.halves.filter(|_| !self.gives_out(number));
                steps::take(step, &self.weights, halves, inputs)
            }
        }
    }

    /// Whether what step `number` makes leaves the network. A loss is taken of it, so it is not rounded; it is the smallest product.
    fn gives_out(&self, number: usize) -> bool {
        let mut ends = self
            .graph
            .heads
            .iter()
            .chain(&self.graph.picture)
            .chain(&self.graph.projection);
        ends.any(|end| end.index() == number)
    }

    /// Pictures in the order that steps have them in.
    fn taken(&self, pictures: Tensor<4>) -> Tensor<4> {
        match self.host {
            Some(_) => host::channels_last(pictures),
            None => pictures,
        }
    }

    /// Pictures in the order that callers have them in.
    fn given_back(&self, pictures: Tensor<4>) -> Tensor<4> {
        match self.host {
            Some(_) => host::channels_first(pictures),
            None => pictures,
        }
    }

    /// Where each parameter lies.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.graph.layout
    }
}

/// The output of a step; the last reader takes it away.
fn read(values: &mut [Option<Value>], readers: &mut [usize], step: usize) -> Option<Value> {
    readers[step] -= 1;
    match readers[step] {
        0 => values[step].take(),
        _ => values[step].clone(),
    }
}
