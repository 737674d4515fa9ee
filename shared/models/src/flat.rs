//! Walks a module in its own order and writes values or gradients into the layout's flat vector.

use burn::{
    module::{ModuleVisitor, Param},
    tensor::{Gradients, Tensor},
};
use snowball_layout::Layout;

use crate::{ModelError, source::transposed};

/// What is written.
pub(crate) enum What<'a> {
    Values,
    Gradients(&'a mut Gradients),
}

pub(crate) struct Flattener<'a> {
    layout: &'a Layout,
    what: What<'a>,
    path: Vec<Step>,
    visited: usize,
    flat: Vec<f32>,
    fault: Option<ModelError>,
}

struct Step {
    name: String,
    container: String,
}

impl<'a> Flattener<'a> {
    pub(crate) fn new(layout: &'a Layout, what: What<'a>) -> Self {
        Self {
            layout,
            what,
            path: Vec::new(),
            visited: 0,
            flat: Vec::with_capacity(layout.parameters()),
            fault: None,
        }
    }

    pub(crate) fn finish(self) -> Result<Vec<f32>, ModelError> {
        match self.fault {
            Some(fault) => Err(fault),
            None if self.visited != self.layout.tensors.len() => Err(ModelError::Layout {
                name: "after the last".to_owned(),
            }),
            None => Ok(self.flat),
        }
    }

    fn add<const D: usize>(&mut self, param: &Param<Tensor<D>>) -> Result<(), ModelError> {
        let name = self.name();
        let differs = || ModelError::Layout { name: name.clone() };
        let tensor = self
            .layout
            .tensors
            .get(self.visited)
            .filter(|tensor| matches(&name, &tensor.name))
            .ok_or_else(differs)?;
        let mut shape = param.val().dims().to_vec();
        let is_linear = D == 2;
        if is_linear {
            shape.reverse();
        }
        if shape != tensor.shape {
            return Err(differs());
        }
        let values = match &mut self.what {
            What::Values => Some(param.val()),
            What::Gradients(gradients) => param.val().grad_remove(gradients),
        };
        match values {
            // A parameter that the loss does not depend on has no gradient.
            None => self.flat.extend(std::iter::repeat_n(0.0, tensor.values())),
            Some(values) => {
                let values: Vec<f32> = values
                    .try_into_vec_as()
                    .map_err(|fault| ModelError::Device(fault.to_string()))?;
                if is_linear {
                    self.flat.extend(transposed(&values, shape[1], shape[0]));
                } else {
                    self.flat.extend(values);
                }
            }
        }
        self.visited += 1;
        Ok(())
    }

    /// The parameter's name as PyTorch would have it.
    fn name(&self) -> String {
        let steps = self.path.iter().filter(|step| !step.container.starts_with("Enum:"));
        let names: Vec<&str> = steps
            .map(|step| match (step.container.as_str(), step.name.as_str()) {
                ("Struct:GroupNorm", "gamma") => "weight",
                ("Struct:GroupNorm", "beta") => "bias",
                (_, name) => name,
            })
            .collect();
        names.join(".")
    }
}

/// Heads lie in a list, so the module knows them by number and the layout by label.
fn matches(module: &str, layout: &str) -> bool {
    match (module.strip_prefix("heads."), layout.strip_prefix("heads.")) {
        (Some(module), Some(layout)) => module.split('.').nth(1) == layout.split('.').nth(1),
        _ => module == layout,
    }
}

impl ModuleVisitor for Flattener<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.fault.is_none()
            && let Err(fault) = self.add(param)
        {
            self.fault = Some(fault);
        }
    }

    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.push(Step {
            name: name.to_owned(),
            container: container_type.to_owned(),
        });
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }
}
