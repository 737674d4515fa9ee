//! The last pictures inside a network that a head sees, and the way from them to its output: where in the radiograph an output came from
//! can be asked there (Grad-CAM, Selvaraju et al. 2017).

use burn::tensor::Tensor;
use snowball_layout::Shape;

use super::{Network, Value};
use crate::ModelError;

impl Network {
    /// The last map `[N, channels, height, width]` that the head at place `head` sees of `pictures`, and the head's output
    /// `[N, outputs]`, computed from that map. On a device with autodiff the map keeps its gradient.
    ///
    /// # Errors
    /// When the pictures have another shape or are smaller than the network takes, or there is no such head.
    pub fn last_map(&self, pictures: Tensor<4>, head: usize) -> Result<(Tensor<4>, Tensor<2>), ModelError> {
        let found = pictures.dims();
        let [count, channels, height, width] = found;
        let shapes = self.graph.shapes(height);
        let shapes = shapes.filter(|_| count > 0 && channels == 1 && height == width);
        let shapes = shapes.ok_or(ModelError::Pictures { found })?;
        let end = self
            .graph
            .heads
            .get(head)
            .ok_or(ModelError::Step { step: head })?
            .index();
        let needed = self.before(end, |_| true);
        // From the head back through features; where those are made of pictures, the last of these is the map.
        let seen = self.before(end, |step| matches!(shapes[step], Shape::Features(_)));
        let is_map = |step: &usize| seen[*step] && matches!(shapes[*step], Shape::Picture(_));
        let cut = (0..=end).rev().find(is_map).ok_or(ModelError::Step { step: end })?;

        let mut map = None;
        let mut values: Vec<Option<Value>> = vec![Some(Value::Pictures(self.taken(pictures)))];
        for (number, step) in self.graph.steps.iter().enumerate().take(end + 1).skip(1) {
            let mut value = None;
            if needed[number] {
                let inputs = step.inputs.iter().filter_map(|input| values[input.index()].clone());
                value = self.step(step, number, inputs.collect());
            }
            if number == cut {
                // A leaf: what follows can be derived by it.
                let leaf = value.and_then(Value::pictures);
                let leaf = leaf.map(|map| self.given_back(map).detach().require_grad());
                value = leaf.clone().map(|leaf| Value::Pictures(self.taken(leaf)));
                map = leaf;
            }
            values.push(value);
        }
        let output = values.pop().flatten().and_then(Value::features);
        map.zip(output).ok_or(ModelError::Step { step: end })
    }

    /// Which steps the step `end` needs, going back only through those where `goes_on`.
    fn before(&self, end: usize, goes_on: impl Fn(usize) -> bool) -> Vec<bool> {
        let mut needed = vec![false; end + 1];
        needed[end] = true;
        for number in (0..=end).rev() {
            if needed[number] && goes_on(number) {
                for input in &self.graph.steps[number].inputs {
                    needed[input.index()] = true;
                }
            }
        }
        needed
    }
}
