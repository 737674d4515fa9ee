//! Views of one patient told from those of others: NT-Xent (SimCLR, Chen et al. 2020), its slopes, and how often the right view is found.
//!
//! Each view is compared with every other of the batch by the cosine of what the projection gives them, divided by the temperature. Its
//! partner competes against the views of other patients alone: another radiograph of the same patient is no stranger, and is left out.
//!
//! The loss looks across the whole batch, and a CPU computes a batch in slices. So the slices go through the network once for their
//! vectors; the loss is then taken on the host in f64 with its slope at every vector; and the slices go through once more with these slopes
//! on the way back (GradCache, Gao et al. 2021). That is exact, because no layer looks across pictures and none draws random numbers. A
//! device that takes a batch whole keeps what it computed and goes back at once. Several devices share the slices both times.

#[cfg(test)]
mod tests;

use burn::tensor::{Tensor, TensorData};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use snowball_layout::to_le_bytes;
use snowball_models::Network;
use snowball_protocol::{
    Sha256Digest, StudyPlan,
    evaluation::{ContrastEvaluation, Evaluation},
    plan::Contrastive,
};
use snowball_worker::shard::Part;

use crate::{
    device::Place,
    evaluate::SLICE,
    examples::Examples,
    failure::Failure,
    pairs::{Pairs, Views},
    passes::{Passes, Step, WAVE, read, tensor, varied},
    places::Places,
    random::JobSeed,
};

/// Evaluations compare the same views whatever the round.
const STREAM: u64 = u64::MAX;
/// A vector shorter than this counts as this long: nothing has a direction there.
const LENGTH_MIN: f64 = 1e-8;

/// What comes of comparing the views of a batch.
pub struct Compared {
    /// The loss of each view, in nats.
    pub losses: Vec<f64>,
    /// The derivative of their mean by each number of each vector.
    pub slopes: Vec<f32>,
    /// Whether each view's partner was likest to it.
    pub found: Vec<bool>,
    /// With how many other patients' views each partner competed.
    pub strangers: Vec<usize>,
}

/// Compares the views that `vectors` stand for, two a pair and one patient a pair.
pub fn compare(vectors: &[f32], patients: &[usize], temperature: f64) -> Compared {
    let count = 2 * patients.len();
    let width = vectors.len() / count.max(1);
    let lengths: Vec<f64> = (vectors.chunks(width.max(1)))
        .map(|vector| vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt())
        .collect();
    let units: Vec<f64> = (vectors.iter().enumerate())
        .map(|(place, value)| f64::from(*value) / lengths[place / width].max(LENGTH_MIN))
        .collect();
    let unit = |view: usize| &units[view * width..(view + 1) * width];
    let is_stranger = |view: usize, other: usize| patients[view / 2] != patients[other / 2];
    let rows: Vec<Row> = (0..count)
        .into_par_iter()
        .map(|view| {
            let partner = view ^ 1;
            let likeness = |other: usize| {
                let competes = other == partner || is_stranger(view, other);
                competes.then(|| dot(unit(view), unit(other)) / temperature)
            };
            Row::of(&(0..count).map(likeness).collect::<Vec<_>>(), partner)
        })
        .collect();
    let share = 1.0 / count.max(1) as f64;
    let slopes: Vec<Vec<f32>> = (0..count)
        .into_par_iter()
        .map(|view| {
            let mut slope = vec![0.0; width];
            for other in 0..count {
                // It is compared with the other, and the other with it.
                let pull = (rows[view].pulls[other] + rows[other].pulls[view]) * share / temperature;
                slope
                    .iter_mut()
                    .zip(unit(other))
                    .for_each(|(sum, value)| *sum += pull * value);
            }
            // What points along the vector changes its length alone, which nobody looks at.
            let along = if lengths[view] > LENGTH_MIN {
                dot(&slope, unit(view))
            } else {
                0.0
            };
            let across = slope.iter().zip(unit(view)).map(|(slope, unit)| slope - along * unit);
            across
                .map(|slope| (slope / lengths[view].max(LENGTH_MIN)) as f32)
                .collect()
        })
        .collect();
    Compared {
        losses: rows.iter().map(|row| row.loss).collect(),
        slopes: slopes.concat(),
        found: rows.iter().map(|row| row.found).collect(),
        strangers: rows.iter().map(|row| row.strangers).collect(),
    }
}

/// One view among all.
struct Row {
    loss: f64,
    /// The derivative of the loss by the likeness to each other view.
    pulls: Vec<f64>,
    found: bool,
    strangers: usize,
}

impl Row {
    /// Of its likeness to each view that competes.
    fn of(likenesses: &[Option<f64>], partner: usize) -> Self {
        let largest = likenesses.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
        let exponential = |likeness: &Option<f64>| likeness.map_or(0.0, |value| (value - largest).exp());
        let sum: f64 = likenesses.iter().map(exponential).sum();
        let mut pulls: Vec<f64> = likenesses.iter().map(|likeness| exponential(likeness) / sum).collect();
        pulls[partner] -= 1.0;
        let own = likenesses[partner].unwrap_or(f64::NAN);
        let strangers = || (0..likenesses.len()).filter(|other| *other != partner);
        let competing = || strangers().filter_map(|other| likenesses[other]);
        Self {
            loss: sum.ln() + largest - own,
            pulls,
            found: competing().all(|stranger| own > stranger),
            strangers: competing().count(),
        }
    }
}

fn dot(first: &[f64], second: &[f64]) -> f64 {
    first.iter().zip(second).map(|(one, other)| one * other).sum()
}

/// A batch of radiographs compared by the network with `parameters`; `drawn` radiographs of the job came before it.
pub fn step(
    passes: &Passes<'_>,
    asked: Contrastive,
    pairs: &Pairs,
    parameters: &[f32],
    learns: impl Fn(usize) -> bool + Sync,
    batch: &[usize],
    drawn: u64,
) -> Result<Step, Failure> {
    let views = pairs.views(batch, passes.seed, drawn);
    let (places, side) = (passes.places, passes.examples.side());
    let size = places.slice_size(views.positions.len());
    let slices: Vec<(usize, &[usize])> = views.positions.chunks(size).enumerate().collect();
    let pictures = |(number, slice): &(usize, &[usize])| {
        let drawn = 2 * drawn + (number * size) as u64;
        varied(passes.plan.augmentation, passes.examples, passes.seed, slice, drawn)
    };
    let pictures: Vec<Vec<f32>> = slices.par_iter().map(pictures).collect::<Result<_, _>>()?;
    let mut total = Step {
        loss: 0.0,
        gradient: vec![0.0; parameters.len()],
    };
    if let [pictures] = pictures.as_slice() {
        let whole = |place: &Place| -> Result<Step, Failure> {
            let network = place.learning(passes.plan, parameters, &learns)?;
            let projected = network.project(tensor(pictures.clone(), side, &place.device.clone().autodiff()))?;
            let compared = compare(&read(projected.clone().detach())?, &views.patients, asked.temperature);
            Ok(Step {
                loss: mean(&compared.losses),
                gradient: back(&network, projected, compared.slopes)?,
            })
        };
        return places.first().pass(whole, Step::is_finite);
    }
    let vectors = places.share(&pictures, |place, pictures| {
        let project = |place: &Place| -> Result<Vec<f32>, Failure> {
            let network = Network::load(passes.plan, parameters, &place.device)?.in_halves(place.halves);
            read(network.project(tensor(pictures.clone(), side, &place.device))?)
        };
        place.pass(project, |vectors| vectors.iter().all(|value| value.is_finite()))
    })?;
    let compared = compare(&vectors.concat(), &views.patients, asked.temperature);
    total.loss = mean(&compared.losses);
    let width = asked.dimension as usize;
    let slopes: Vec<&[f32]> = compared.slopes.chunks(size * width).collect();
    let slices: Vec<(&Vec<f32>, &[f32])> = pictures.iter().zip(slopes).collect();
    for wave in slices.chunks(WAVE) {
        let steps = places.share(wave, |place, (pictures, slopes)| {
            let pass = |place: &Place| -> Result<Step, Failure> {
                let network = place.learning(passes.plan, parameters, &learns)?;
                let projected = network.project(tensor((*pictures).clone(), side, &place.device.clone().autodiff()))?;
                let gradient = back(&network, projected, slopes.to_vec())?;
                Ok(Step { loss: 0.0, gradient })
            };
            place.pass(pass, Step::is_finite)
        })?;
        steps.iter().for_each(|step| total.add(step));
    }
    Ok(total)
}

/// From the slopes at the vectors to those at the parameters.
fn back(network: &Network, projected: Tensor<2>, slopes: Vec<f32>) -> Result<Vec<f32>, Failure> {
    let slopes = Tensor::from_data(TensorData::new(slopes, projected.dims()), &projected.device());
    Ok(network.slopes((projected * slopes).sum())?)
}

fn mean(losses: &[f64]) -> f64 {
    losses.iter().sum::<f64>() / losses.len().max(1) as f64
}

/// Evaluates `parameters` on `part`: its radiographs, in an order that is always the same, in batches as large as the plan's or nearly so.
/// A radiograph that has no other patient's beside it counts nothing.
pub fn evaluate(
    plan: &StudyPlan,
    asked: Contrastive,
    examples: &Examples,
    places: &Places,
    parameters: &[f32],
    part: Part,
) -> Result<Evaluation, Failure> {
    let mut positions = examples.labelled(part);
    let seed = JobSeed::new(plan.seed, STREAM);
    let pairs = Pairs::of(examples, &positions, asked.positives);
    positions.shuffle(&mut seed.exchange());
    let mut paired = ContrastEvaluation {
        images: 0,
        loss_sum: 0.0,
        found: 0,
        chance_sum: 0.0,
    };
    let mut drawn = 0;
    for batch in evenly(&positions, plan.local.batch_size as usize) {
        let views = pairs.views(batch, seed, drawn);
        let vectors = vectors(plan, examples, places, parameters, &views, 2 * drawn)?;
        let compared = compare(&vectors, &views.patients, asked.temperature);
        for (place, losses) in compared.losses.chunks(2).enumerate() {
            let strangers = compared.strangers[2 * place];
            if strangers > 0 {
                paired.images += 1;
                paired.loss_sum += mean(losses);
                paired.found += u64::from(compared.found[2 * place]);
                paired.chance_sum += 1.0 / (strangers + 1) as f64;
            }
        }
        drawn += batch.len() as u64;
    }
    Ok(Evaluation {
        model_digest: Sha256Digest::of(&to_le_bytes(parameters)),
        images: positions.len() as u64,
        heads: Vec::new(),
        reconstruction: None,
        contrast: Some(paired),
    })
}

/// What the network gives each of `views`; `drawn` pictures under the seed of evaluations came before them.
fn vectors(
    plan: &StudyPlan,
    examples: &Examples,
    places: &Places,
    parameters: &[f32],
    views: &Views,
    drawn: u64,
) -> Result<Vec<f32>, Failure> {
    let (seed, side) = (JobSeed::new(plan.seed, STREAM), examples.side());
    let pass = |place: &Place, (number, slice): &(usize, &[usize])| -> Result<Vec<f32>, Failure> {
        let drawn = drawn + (number * SLICE) as u64;
        let pictures = varied(plan.augmentation, examples, seed, slice, drawn)?;
        let network = Network::load(plan, parameters, &place.device)?;
        read(network.project(tensor(pictures, side, &place.device))?)
    };
    let slices: Vec<(usize, &[usize])> = views.positions.chunks(SLICE).enumerate().collect();
    Ok(places.share(&slices, pass)?.concat())
}

/// `all` in as few stretches of at most `most` as hold it, none of which is more than one longer than another.
fn evenly(all: &[usize], most: usize) -> impl Iterator<Item = &[usize]> {
    let stretches = all.len().div_ceil(most.max(1));
    (0..stretches).map(move |number| &all[number * all.len() / stretches..(number + 1) * all.len() / stretches])
}
