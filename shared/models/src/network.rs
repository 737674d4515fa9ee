//! A trunk with its heads, whatever the architecture.

use burn::{
    module::Module,
    nn::Linear,
    tensor::{Device, Gradients, Tensor},
};
use snowball_layout::Layout;
use snowball_protocol::{StudyPlan, plan::Architecture};

use crate::{
    ModelError,
    flat::{Flattener, What},
    resnet18::ResNet18,
    small::Small,
    source::Source,
};

/// The network that a plan asks for, with one linear head a label.
#[derive(Debug)]
pub struct Network {
    layout: Layout,
    body: Body,
}

#[derive(Module, Debug)]
struct Body {
    trunk: Trunk,
    heads: Vec<Linear>,
}

// A program holds one network, so a box would save nothing.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
enum Trunk {
    Small(Small),
    ResNet18(ResNet18),
}

impl Network {
    /// Makes the network of `plan` on `device` from parameters in the layout's order. On a device with autodiff every parameter
    /// keeps its gradient.
    ///
    /// # Errors
    /// When the number of parameters is not the layout's.
    pub fn load(plan: &StudyPlan, parameters: &[f32], device: &Device) -> Result<Self, ModelError> {
        let layout = Layout::of(plan);
        let mut source = Source::new(&layout, parameters, device)?;
        let trunk = match plan.network.architecture {
            Architecture::Small => Trunk::Small(Small::load(&mut source)?),
            Architecture::ResNet18 => Trunk::ResNet18(ResNet18::load(&mut source)?),
        };
        let heads = plan
            .heads
            .iter()
            .map(|head| source.linear(&format!("heads.{}", head.label.code())))
            .collect::<Result<_, _>>()?;
        source.finish()?;
        Ok(Self {
            layout,
            body: Body { trunk, heads },
        })
    }

    /// The parameters in the layout's order, bit for bit as they were loaded.
    ///
    /// # Errors
    /// When the device does not give them back.
    pub fn store(&self) -> Result<Vec<f32>, ModelError> {
        self.flatten(What::Values)
    }

    /// The gradients of all parameters in the layout's order; zero where the loss does not depend on a parameter.
    ///
    /// # Errors
    /// When the device does not give them back.
    pub fn gradients(&self, gradients: &mut Gradients) -> Result<Vec<f32>, ModelError> {
        self.flatten(What::Gradients(gradients))
    }

    /// Pictures `[N, 1, H, W]` to one output `[N, outputs]` a head, in the plan's order.
    ///
    /// # Errors
    /// When the pictures have another shape.
    pub fn forward(&self, pictures: Tensor<4>) -> Result<Vec<Tensor<2>>, ModelError> {
        let found = pictures.dims();
        if found[1] != 1 || found.contains(&0) {
            return Err(ModelError::Pictures { found });
        }
        let features = match &self.body.trunk {
            Trunk::Small(trunk) => trunk.forward(pictures),
            Trunk::ResNet18(trunk) => trunk.forward(pictures),
        };
        Ok(self
            .body
            .heads
            .iter()
            .map(|head| head.forward(features.clone()))
            .collect())
    }

    /// Where each parameter lies.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    fn flatten(&self, what: What<'_>) -> Result<Vec<f32>, ModelError> {
        let mut flattener = Flattener::new(&self.layout, what);
        self.body.visit(&mut flattener);
        flattener.finish()
    }
}
