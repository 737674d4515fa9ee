//! Masks: the loss of a class a pixel, how well masks are drawn, and masks for people.
//!
//! The loss of a picture is the mean cross-entropy of its pixels plus one less the mean of the classes' soft Dice coefficients (with the
//! squares of Milletari et al. 2016); what lies beside all classes has no coefficient of its own. Cross-entropy leads early, when nothing
//! overlaps; Dice does not let a small class vanish. It is computed on the host in plain f64, picture by picture, so that the sum over a
//! batch is the same whatever the number of threads.

use std::collections::BTreeMap;

use snowball_layout::to_le_bytes;
use snowball_models::Network;
use snowball_protocol::{
    Sha256Digest, StudyPlan,
    evaluation::{Evaluation, HeadEvaluation, MaskCount},
    plan::{Head, HeadKind},
};
use snowball_worker::{job::SEGMENTED_MAX, shard::Part};

use crate::{
    device::Place,
    evaluate::{largest, pictures},
    examples::Examples,
    failure::Failure,
    passes::read,
    places::Places,
};

/// Pictures that are drawn at once.
const SLICE: usize = 16;
/// Added above and below in the Dice coefficient, so that a class that is nowhere, and is drawn nowhere, costs nothing.
const SMOOTH: f64 = 1.0;

/// The loss of one picture, times `share`. `outputs` are a plane of `mask.len()` values a class, what lies beside all of them first;
/// their slopes are written to `slopes`.
pub fn loss(outputs: &[f32], mask: &[u8], share: f64, slopes: &mut [f32]) -> f64 {
    let pixels = mask.len();
    let classes = outputs.len() / pixels;
    let soft = Soft::of(outputs, mask);
    let probabilities = &soft.probabilities;
    // By the probability of each class at each pixel; nothing for what lies beside.
    let told = classes - 1;
    let mut by_probability = vec![0.0_f64; outputs.len()];
    for (class, (above, below)) in (1..classes).zip(&soft.dices) {
        let plane = class * pixels..(class + 1) * pixels;
        let drawn = &probabilities[plane.clone()];
        for ((slope, drawn), value) in by_probability[plane].iter_mut().zip(drawn).zip(mask) {
            *slope = -(2.0 * is_class(*value, class) * below - above * 2.0 * drawn) / (below * below) / told as f64;
        }
    }
    for (pixel, class) in mask.iter().enumerate() {
        let at = |class: usize| class * pixels + pixel;
        let mean: f64 = (0..classes)
            .map(|class| by_probability[at(class)] * probabilities[at(class)])
            .sum();
        for other in 0..classes {
            let probability = probabilities[at(other)];
            let wanted = f64::from(u8::from(other == usize::from(*class)));
            let by_entropy = (probability - wanted) / pixels as f64;
            let by_dice = probability * (by_probability[at(other)] - mean);
            slopes[at(other)] = (share * (by_entropy + by_dice)) as f32;
        }
    }
    share * soft.loss(pixels)
}

/// What a picture's loss is made of.
struct Soft {
    /// Of each class at each pixel.
    probabilities: Vec<f64>,
    /// Sum over the pixels.
    entropy: f64,
    /// Of each class what stands above and below in its Dice coefficient.
    dices: Vec<(f64, f64)>,
}

impl Soft {
    fn of(outputs: &[f32], mask: &[u8]) -> Self {
        let pixels = mask.len();
        let classes = outputs.len() / pixels;
        let mut probabilities = vec![0.0_f64; outputs.len()];
        let mut entropy = 0.0;
        for (pixel, class) in mask.iter().enumerate() {
            let at = |class: usize| f64::from(outputs[class * pixels + pixel]);
            let most = (0..classes).map(at).fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = (0..classes).map(|class| (at(class) - most).exp()).sum();
            for class in 0..classes {
                probabilities[class * pixels + pixel] = (at(class) - most).exp() / sum;
            }
            entropy += sum.ln() + most - at(usize::from(*class));
        }
        let dice = |class: usize| {
            let drawn = &probabilities[class * pixels..(class + 1) * pixels];
            let both: f64 = drawn
                .iter()
                .zip(mask)
                .map(|(drawn, value)| drawn * is_class(*value, class))
                .sum();
            let squares: f64 = drawn.iter().map(|drawn| drawn * drawn).sum();
            let marked: f64 = mask.iter().map(|value| is_class(*value, class)).sum();
            (2.0 * both + SMOOTH, squares + marked + SMOOTH)
        };
        let dices = (1..classes).map(dice).collect();
        Self {
            probabilities,
            entropy,
            dices,
        }
    }

    fn loss(&self, pixels: usize) -> f64 {
        let dice: f64 = self.dices.iter().map(|(above, below)| above / below).sum();
        self.entropy / pixels as f64 + 1.0 - dice / self.dices.len() as f64
    }
}

fn is_class(value: u8, class: usize) -> f64 {
    f64::from(u8::from(usize::from(value) == class))
}

/// Twice what both mark as `class` over the sum of what each marks; 1 where neither marks anything.
fn dice(drawn: &[u8], mask: &[u8], class: u8) -> f64 {
    let marked = |values: &[u8]| values.iter().filter(|value| **value == class).count();
    let both = drawn
        .iter()
        .zip(mask)
        .filter(|(one, other)| **one == class && **other == class);
    let sum = marked(drawn) + marked(mask);
    if sum == 0 {
        1.0
    } else {
        2.0 * both.count() as f64 / sum as f64
    }
}

/// At each pixel what most of `masks` say there; of as many, the smaller number. One mask is in hand at a time.
fn constant<E>(masks: impl Iterator<Item = Result<Vec<u8>, E>>, pixels: usize, classes: usize) -> Result<Vec<u8>, E> {
    let mut counts = vec![0_u32; pixels * classes];
    for mask in masks {
        for (pixel, value) in mask?.iter().enumerate() {
            if let Some(count) = counts.get_mut(pixel * classes + usize::from(*value)) {
                *count += 1;
            }
        }
    }
    let most = |counts: &[u32]| {
        let first = counts.iter().enumerate().rev().max_by_key(|(_, count)| **count);
        // Classes are 16 at most.
        first.map_or(0, |(class, _)| class as u8)
    };
    Ok(counts.chunks_exact(classes).map(most).collect())
}

/// Evaluates `parameters` on `part`, patient by patient.
pub fn evaluate(
    plan: &StudyPlan,
    head: &Head,
    examples: &Examples,
    places: &Places,
    parameters: &[f32],
    part: Part,
) -> Result<Evaluation, Failure> {
    let HeadKind::Mask { classes } = &head.kind else {
        return Err(Failure::new("the plan's head draws no mask", "report it"));
    };
    let positions = examples.labelled(part);
    let pixels = examples.side() * examples.side();
    let constant = examples.constant_mask(|| {
        let training = examples.labelled(Part::Training).into_iter();
        let masks = training.map(|position| examples.mask(position));
        constant(masks, pixels, head.outputs())
    })?;
    let slices: Vec<&[usize]> = positions.chunks(SLICE).collect();
    let pass = |place: &Place, slice: &&[usize]| -> Result<Vec<Judged>, Failure> {
        let outputs = draw(plan, examples, place, parameters, slice)?;
        let planes = outputs.chunks_exact(head.outputs() * pixels);
        planes
            .zip(slice.iter())
            .map(|(outputs, position)| Ok(Judged::of(outputs, &examples.mask(*position)?, constant, classes.len())))
            .collect()
    };
    let judged = places.share(&slices, pass)?;
    let mut loss_sum = 0.0;
    let mut patients: BTreeMap<&str, Vec<Judged>> = BTreeMap::new();
    for (slice, judged) in slices.iter().zip(judged) {
        for (position, judged) in slice.iter().zip(judged) {
            loss_sum += judged.loss;
            patients.entry(examples.patient(*position)).or_default().push(judged);
        }
    }
    let masks = classes.iter().enumerate().map(|(class, name)| {
        let mean = |of: &[Judged], take: fn(&Judged) -> &Vec<f64>| {
            of.iter().map(|judged| take(judged)[class]).sum::<f64>() / of.len() as f64
        };
        let dices: Vec<f64> = patients.values().map(|of| mean(of, |judged| &judged.dices)).collect();
        MaskCount {
            class: name.clone(),
            dice_sum: dices.iter().sum(),
            dice_square_sum: dices.iter().map(|dice| dice * dice).sum(),
            constant_dice_sum: patients.values().map(|of| mean(of, |judged| &judged.constants)).sum(),
        }
    });
    Ok(Evaluation {
        model_digest: Sha256Digest::of(&to_le_bytes(parameters)),
        images: positions.len() as u64,
        heads: vec![HeadEvaluation::Mask {
            label: head.label,
            loss_sum,
            images: positions.len() as u64,
            patients: patients.len() as u64,
            masks: masks.collect(),
        }],
        reconstruction: None,
        contrast: None,
    })
}

/// One radiograph: its loss, and each class's coefficient for what was drawn and for the constant.
struct Judged {
    loss: f64,
    dices: Vec<f64>,
    constants: Vec<f64>,
}

impl Judged {
    fn of(outputs: &[f32], mask: &[u8], constant: &[u8], classes: usize) -> Self {
        let drawn = most_likely(outputs, mask.len());
        // Classes are 15 at most.
        let of = |drawn: &[u8]| (1..=classes as u8).map(|class| dice(drawn, mask, class)).collect();
        Self {
            loss: Soft::of(outputs, mask).loss(mask.len()),
            dices: of(&drawn),
            constants: of(constant),
        }
    }
}

/// The class of each pixel.
fn most_likely(outputs: &[f32], pixels: usize) -> Vec<u8> {
    let classes = outputs.len() / pixels;
    let mut row = vec![0.0; classes];
    let at = |pixel: usize| {
        row.iter_mut()
            .enumerate()
            .for_each(|(class, value)| *value = outputs[class * pixels + pixel]);
        // Classes are 16 at most; a NaN draws nothing.
        largest(&row).unwrap_or(0) as u8
    };
    (0..pixels).map(at).collect()
}

/// For people: the class of each pixel of the radiographs at `places` of `part`, one square after another.
pub fn segmented(
    plan: &StudyPlan,
    examples: &Examples,
    place: &Place,
    parameters: &[f32],
    part: Part,
    places: &[u32],
) -> Result<Vec<f32>, Failure> {
    let Some(head) = plan.mask_head() else {
        return Err(Failure::new(
            "the plan asks for no mask",
            "take a plan whose head is a mask",
        ));
    };
    let part = examples.part(part);
    if places.len() > SEGMENTED_MAX || places.iter().any(|place| *place as usize >= part.len()) {
        return Err(Failure::new(
            "too many radiographs were asked for, or one that is not there",
            format!("ask for {SEGMENTED_MAX} radiographs of the part at most"),
        ));
    }
    let positions: Vec<usize> = places.iter().map(|place| part[*place as usize]).collect();
    let pixels = examples.side() * examples.side();
    let mut drawn = Vec::with_capacity(positions.len() * pixels);
    for slice in positions.chunks(SLICE) {
        let outputs = draw(plan, examples, place, parameters, slice)?;
        for outputs in outputs.chunks_exact(head.outputs() * pixels) {
            drawn.extend(most_likely(outputs, pixels).into_iter().map(f32::from));
        }
    }
    Ok(drawn)
}

/// The outputs for the radiographs of `slice` as they are, plane by plane.
fn draw(
    plan: &StudyPlan,
    examples: &Examples,
    place: &Place,
    parameters: &[f32],
    slice: &[usize],
) -> Result<Vec<f32>, Failure> {
    let network = Network::load(plan, parameters, &place.device)?;
    let pictures = pictures(plan, examples, slice, &place.device)?;
    read(network.draw(pictures)?.flatten(1, 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 6] = [0, 1, 1, 2, 0, 0];

    fn outputs() -> Vec<f32> {
        (0..18).map(|place| (place * 7 % 11) as f32 / 4.0 - 1.0).collect()
    }

    #[test]
    fn slopes_are_those_of_finite_differences() {
        let at = |outputs: &[f32]| loss(outputs, &MASK, 0.5, &mut [0.0; 18]);
        let mut slopes = [0.0; 18];
        loss(&outputs(), &MASK, 0.5, &mut slopes);
        assert_eq!(
            at(&outputs()),
            0.5 * Soft::of(&outputs(), &MASK).loss(6),
            "the loss without slopes is the same"
        );
        for place in 0..18 {
            let moved = |by: f32| {
                let mut moved = outputs();
                moved[place] += by;
                at(&moved)
            };
            let measured = (moved(1e-3) - moved(-1e-3)) / 2e-3;
            assert!(
                (measured - f64::from(slopes[place])).abs() < 1e-4,
                "{place}: {measured} {}",
                slopes[place]
            );
        }
        assert!(slopes.iter().any(|slope| slope.abs() > 1e-3));
    }

    #[test]
    fn a_sure_right_mask_costs_nothing_and_a_wrong_one_more_than_its_pixels() {
        let sure = |mask: &[u8]| -> Vec<f32> {
            let plane = |class: u8| mask.iter().map(move |value| if *value == class { 40.0 } else { -40.0 });
            (0..3).flat_map(plane).collect()
        };
        let of = |drawn: &[u8]| loss(&sure(drawn), &MASK, 1.0, &mut [0.0; 18]);
        assert!(of(&MASK) < 1e-9);
        assert!(of(&[0; 6]) > 1.0 && of(&[0, 1, 1, 0, 0, 0]) < of(&[0; 6]));
        assert_eq!(most_likely(&sure(&MASK), 6), MASK);
        assert!(loss(&[f32::NAN; 18], &MASK, 1.0, &mut [0.0; 18]).is_nan());
    }

    #[test]
    fn dice_and_the_constant_are_what_they_say() {
        assert_eq!(dice(&[0, 1, 0, 0, 0, 0], &MASK, 1), 2.0 / 3.0);
        assert_eq!(
            (
                dice(&MASK, &MASK, 2),
                dice(&[0; 6], &MASK, 2),
                dice(&[0; 6], &[0; 6], 2)
            ),
            (1.0, 0.0, 1.0)
        );
        let of = |masks: &[Vec<u8>], pixels| {
            let masks = masks.iter().cloned().map(Ok::<_, std::convert::Infallible>);
            constant(masks, pixels, 3).unwrap()
        };
        assert_eq!(of(&[vec![0, 1, 2], vec![0, 1, 1], vec![1, 0, 2]], 3), [0, 1, 2]);
        assert_eq!(of(&[vec![0, 2], vec![1, 0]], 2), [0, 0]);
        assert_eq!(of(&[], 2), [0, 0]);
    }
}
