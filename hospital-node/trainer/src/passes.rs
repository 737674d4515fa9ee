//! Forward and back for one batch, in slices.
//!
//! On the CPU a batch is cut into slices of a fixed number of pictures that threads compute apart, each with a network of its
//! own; their gradients are added in the order of the slices. So the sum is the same bit for bit whatever the number of
//! threads. It is exact because no layer looks across pictures (group norm, not batch norm). A GPU takes a batch whole, and
//! several share it: each has the same parameters, its slices and threads of its own, and the sum is made here, in f32 and in
//! the order of the slices again.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use snowball_models::Network;
use snowball_protocol::{
    StudyPlan,
    plan::{Augmentation, Head, Reconstruction},
};
use snowball_worker::groups::Groups;

use crate::{
    contrast,
    device::Place,
    examples::Examples,
    failure::Failure,
    loss::Losses,
    making, masks,
    pairs::Pairs,
    places::Places,
    random::JobSeed,
    recipe,
    reconstruction::{self, Shown},
};

/// Pictures of a slice on the CPU, and of a group that is mixed anywhere.
pub const SLICE: usize = 8;
/// Slices whose gradients are held at once.
pub const WAVE: usize = 16;

/// What all batches of a job have in common.
pub struct Passes<'a> {
    /// The study.
    pub plan: &'a StudyPlan,
    /// The dataset.
    pub examples: &'a Examples,
    /// The losses.
    pub losses: &'a Losses,
    /// Where to compute.
    pub places: &'a Places,
    /// The job's seed.
    pub seed: JobSeed,
    /// What learns; without them all of the network.
    pub groups: Option<&'a Groups>,
    /// Which radiographs are of one patient, where the plan compares views.
    pub pairs: Option<&'a Pairs>,
}

/// The loss of a batch and its derivative by every parameter.
pub struct Step {
    /// Mean weighted loss over the heads' labelled pictures, summed over heads.
    pub loss: f64,
    /// In the layout's order.
    pub gradient: Vec<f32>,
}

impl Passes<'_> {
    /// The batch of step `number` through the network with `parameters`; `drawn` pictures of the job came before it.
    pub fn step(&self, number: u32, parameters: &[f32], batch: &[usize], drawn: u64) -> Result<Step, Failure> {
        let learns = |offset: usize| self.groups.is_none_or(|groups| groups.learns(offset, number));
        if let (Some(asked), Some(pairs)) = (self.plan.contrastive(), self.pairs) {
            return contrast::step(self, asked, pairs, parameters, learns, batch, drawn);
        }
        let size = self.places.slice_size(batch.len());
        let labelled = self.labelled(batch);
        let slices: Vec<(usize, &[usize])> = batch.chunks(size).enumerate().collect();
        let mut total: Option<Step> = None;
        for wave in slices.chunks(WAVE) {
            let steps = self.places.share(wave, |place, (number, slice)| {
                let drawn = drawn + (number * size) as u64;
                let pass = |place: &Place| {
                    let device = &place.device.clone().autodiff();
                    let network = &place.learning(self.plan, parameters, learns)?;
                    match (self.plan.reconstruction(), self.plan.mask_head()) {
                        (Some(asked), _) => self.redraw(network, device, asked, slice, drawn, batch.len()),
                        (None, Some(head)) => self.outline(network, device, head, slice, drawn, batch.len()),
                        (None, None) => self.slice(network, device, slice, drawn, &labelled),
                    }
                };
                place.pass(pass, Step::is_finite)
            })?;
            for step in steps {
                match &mut total {
                    Some(total) => total.add(&step),
                    None => total = Some(step),
                }
            }
        }
        Ok(total.unwrap_or_else(|| Step {
            loss: 0.0,
            gradient: vec![0.0; parameters.len()],
        }))
    }

    fn slice(
        &self,
        network: &Network,
        device: &Device,
        slice: &[usize],
        drawn: u64,
        labelled: &[usize],
    ) -> Result<Step, Failure> {
        let mut pictures = self.pictures(slice, drawn)?;
        let wanted = making::wanted(self, slice, drawn, &mut pictures);
        let outputs = network.forward(self.tensor(pictures, device))?;
        let mut loss = 0.0;
        let mut surrogate: Option<Tensor<1>> = None;
        for (head, output) in outputs.into_iter().enumerate() {
            let values = read(output.clone().detach())?;
            let slopes = self.losses.of(head, &values, &wanted[head], labelled[head]);
            loss += slopes.loss;
            // Its derivative by the output is the slope, which is all that the way back needs to know of the loss.
            let slopes = Tensor::from_data(TensorData::new(slopes.slopes, output.dims()), device);
            let part = (output * slopes).sum();
            surrogate = Some(match surrogate {
                Some(sum) => sum + part,
                None => part,
            });
        }
        let Some(surrogate) = surrogate else {
            return Err(Failure::new("the plan has no head", "give the study at least one head"));
        };
        let gradient = network.slopes(surrogate)?;
        Ok(Step { loss, gradient })
    }

    /// Part of a batch of `batch` pictures, which the network draws again.
    fn redraw(
        &self,
        network: &Network,
        device: &Device,
        asked: Reconstruction,
        slice: &[usize],
        drawn: u64,
        batch: usize,
    ) -> Result<Step, Failure> {
        let side = self.examples.side();
        let pictures = self.pictures(slice, drawn)?;
        let (mut inputs, mut counts) = (Vec::with_capacity(pictures.len()), Vec::with_capacity(pictures.len()));
        for (place, picture) in pictures.chunks(side * side).enumerate() {
            let random = self.seed.mask(drawn + place as u64);
            let shown: Shown = reconstruction::show(asked.masked, side, picture, random);
            inputs.extend(shown.input);
            counts.extend(shown.counts);
        }
        let redrawn = network.draw(self.tensor(inputs, device))?;
        let loss = reconstruction::loss(redrawn, &pictures, &counts, batch);
        let value = read(loss.clone().detach().reshape([1, 1]))?;
        let gradient = network.slopes(loss)?;
        Ok(Step {
            loss: value.into_iter().map(f64::from).sum(),
            gradient,
        })
    }

    /// Part of a batch of `batch` pictures, whose masks the network draws. Masks are not mixed, so pictures are not either.
    fn outline(
        &self,
        network: &Network,
        device: &Device,
        head: &Head,
        slice: &[usize],
        drawn: u64,
        batch: usize,
    ) -> Result<Step, Failure> {
        let pixels = self.examples.side() * self.examples.side();
        let mut inputs = vec![0.0; slice.len() * pixels];
        let mut masks = vec![Vec::new(); slice.len()];
        let places = inputs.par_chunks_mut(pixels).zip(&mut masks).zip(slice).enumerate();
        places.try_for_each(|(place, ((input, mask), position))| {
            let random = self.seed.picture(drawn + place as u64);
            let mut square = self.examples.square(*position)?;
            *mask = self.examples.mask(*position)?;
            let side = self.examples.side();
            recipe::vary_with(self.plan.augmentation, &mut square, Some(mask), side, random, input);
            Ok::<_, Failure>(())
        })?;
        let output = network.draw(self.tensor(inputs, device))?;
        let values = read(output.clone().detach().flatten(1, 3))?;
        let mut slopes = vec![0.0; values.len()];
        let share = head.weight / batch as f64;
        let a_picture = head.outputs() * pixels;
        let pictures = values.chunks_exact(a_picture).zip(slopes.chunks_exact_mut(a_picture));
        let loss = pictures
            .zip(&masks)
            .map(|((values, slopes), mask)| masks::loss(values, mask, share, slopes))
            .sum();
        // Its derivative by the output is the slope, which is all that the way back needs to know of the loss.
        let slopes = Tensor::from_data(TensorData::new(slopes, output.dims()), device);
        let gradient = network.slopes((output * slopes).sum())?;
        Ok(Step { loss, gradient })
    }

    /// The varied pictures, one after another.
    fn pictures(&self, slice: &[usize], drawn: u64) -> Result<Vec<f32>, Failure> {
        varied(self.plan.augmentation, self.examples, self.seed, slice, drawn)
    }

    fn tensor(&self, values: Vec<f32>, device: &Device) -> Tensor<4> {
        tensor(values, self.examples.side(), device)
    }

    /// How many pictures of the batch have each head's label.
    fn labelled(&self, batch: &[usize]) -> Vec<usize> {
        let has = |position: usize, head: usize| usize::from(self.examples.targets(position)[head].is_some());
        (0..self.plan.heads.len())
            .map(|head| batch.iter().map(|position| has(*position, head)).sum())
            .collect()
    }
}

impl Step {
    /// Whether nothing overflowed.
    pub fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.gradient.iter().all(|slope| slope.is_finite())
    }

    /// Adds that of another slice.
    pub fn add(&mut self, other: &Self) {
        self.loss += other.loss;
        let slopes = self.gradient.iter_mut().zip(&other.gradient);
        slopes.for_each(|(sum, slope)| *sum += slope);
    }
}

/// The pictures of `slice`, varied by `recipe`, one after another; `drawn` pictures under this seed came before them.
pub fn varied(
    recipe: Augmentation,
    examples: &Examples,
    seed: JobSeed,
    slice: &[usize],
    drawn: u64,
) -> Result<Vec<f32>, Failure> {
    let side = examples.side();
    let mut values = vec![0.0; slice.len() * side * side];
    values
        .par_chunks_mut(side * side)
        .zip(slice)
        .enumerate()
        .try_for_each(|(place, (input, position))| {
            let random = seed.picture(drawn + place as u64);
            let mut square = examples.square(*position)?;
            recipe::vary(recipe, &mut square, side, random, input);
            Ok::<_, Failure>(())
        })?;
    Ok(values)
}

/// Pictures as a network takes them.
pub fn tensor(values: Vec<f32>, side: usize, device: &Device) -> Tensor<4> {
    let count = values.len() / (side * side);
    Tensor::from_data(TensorData::new(values, [count, 1, side, side]), device)
}

/// The values of a small tensor, row by row.
pub fn read(tensor: Tensor<2>) -> Result<Vec<f32>, Failure> {
    tensor.try_into_vec_as().map_err(|fault| {
        Failure::new(
            format!("the device did not give its values back: {fault}"),
            "run snowball-trainer probe",
        )
    })
}
