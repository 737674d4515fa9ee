//! The outputs of every radiograph of one part, for the people at the site.

use snowball_protocol::plan::{Head, HeadKind};
use snowball_worker::job::{Answer, EvaluateJob};

use crate::{
    answers::Answers,
    device::Place,
    evaluate::{SLICE, outputs},
    examples::Examples,
    failure::Failure,
    places::Places,
};

/// Slices whose outputs are held at once.
const WAVE: usize = 32;

/// Tells the outputs of `job`'s part in its order, some radiographs an answer.
pub fn tell<W: std::io::Write>(
    job: &EvaluateJob,
    places: &Places,
    parameters: &[f32],
    answers: &mut Answers<W>,
) -> Result<(), Failure> {
    let examples = Examples::open(&job.plan, &job.dataset)?;
    let positions = examples.part(job.part);
    let pass = |place: &Place, slice: &&[usize]| outputs(&job.plan, &examples, place, parameters, slice);
    let slices: Vec<&[usize]> = positions.chunks(SLICE).collect();
    let mut first = 0;
    for wave in slices.chunks(WAVE) {
        let told = places.share(wave, pass)?;
        for (slice, heads) in wave.iter().zip(told) {
            let outputs = rows(&job.plan.heads, &heads, slice.len())?;
            answers.send(&Answer::Told { first, outputs })?;
            first += slice.len() as u64;
        }
    }
    Ok(answers.send(&Answer::Done { radiographs: first })?)
}

/// From one list a head to one row a radiograph.
fn rows(heads: &[Head], outputs: &[Vec<f32>], count: usize) -> Result<Vec<Vec<f32>>, Failure> {
    let mut rows = vec![Vec::new(); count];
    for (head, values) in heads.iter().zip(outputs) {
        for (row, values) in rows.iter_mut().zip(values.chunks(head.outputs())) {
            if values.iter().any(|value| !value.is_finite()) {
                return Err(Failure::new(
                    format!("the model's output for {} is NaN or infinite", head.label.code()),
                    "go back to an earlier model, or train again with a smaller learning rate",
                ));
            }
            match head.kind {
                HeadKind::Classes(_) => row.extend(softmax(values)),
                HeadKind::Regression { unit } => row.push((f64::from(values[0]) * unit) as f32),
                // Drawn, not told: the network has no such output.
                HeadKind::Mask { .. } => {}
            }
        }
    }
    Ok(rows)
}

/// Probabilities of finite values.
pub fn softmax(values: &[f32]) -> impl Iterator<Item = f32> {
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = values.iter().map(|value| f64::from(value - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(move |power| (power / sum) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_add_up_to_one_however_large_the_outputs() {
        let even: Vec<f32> = softmax(&[3.0, 3.0]).collect();
        assert_eq!(even, [0.5, 0.5]);
        let far: Vec<f32> = softmax(&[1e30, -1e30, 1e30]).collect();
        assert_eq!(far, [0.5, 0.0, 0.5]);
        // 1 : e.
        let one: Vec<f32> = softmax(&[0.0, 1.0]).collect();
        assert!((one[1] - 0.731_058_6).abs() < 1e-6);
    }
}
