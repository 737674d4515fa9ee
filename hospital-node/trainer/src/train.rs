//! A stretch of training: draw, pass, move, over and over.

use std::{io::Write, time::Instant};

use snowball_protocol::limits::EXAMPLES_MAX;
use snowball_worker::{
    job::{Answer, TrainJob},
    shard::Part,
};

use crate::{
    answers::Answers,
    device::Place,
    evaluate::evaluate,
    examples::Examples,
    failure::Failure,
    loss::Losses,
    optimiser::Optimiser,
    passes::Passes,
    random::{JobSeed, Sampler},
};

/// Trains from `parameters` as `job` says, each step's slope with `correction` added, and answers with the result.
pub fn train<W: Write>(
    job: &TrainJob,
    mut parameters: Vec<f32>,
    correction: Option<Vec<f32>>,
    place: &Place,
    answers: &mut Answers<W>,
) -> Result<(), Failure> {
    let plan = &job.plan;
    let examples = Examples::open(plan, &job.dataset)?;
    let training = examples.labelled(Part::Training);
    if training.is_empty() {
        return Err(Failure::new(
            "the training part of the dataset has no radiograph with a label of this plan",
            "take in more radiographs, or leave the study",
        ));
    }
    let count = (training.len() as u64).min(EXAMPLES_MAX);
    let steps = if plan.local.epochs.is_some() {
        plan.local.steps_of(count).min(job.steps)
    } else {
        job.steps
    };
    let losses = Losses::new(plan, &examples.known(plan));
    let seed = JobSeed::new(plan.seed, job.stream);
    let passes = Passes {
        plan,
        examples: &examples,
        losses: &losses,
        place,
        seed,
    };
    let mut sampler = Sampler::new(seed, training);
    let mut optimiser =
        Optimiser::new(plan, &snowball_layout::Layout::of(plan), &losses, &parameters).with_correction(correction);
    let check = |step: u32, parameters: &[f32], answers: &mut Answers<W>| -> Result<(), Failure> {
        let evaluation = evaluate(plan, &examples, place, parameters, Part::Validation)?;
        Ok(answers.send(&Answer::Checked { step, evaluation })?)
    };
    if job.evaluate_first {
        check(0, &parameters, answers)?;
    }
    let begun = Instant::now();
    let batch_size = plan.local.batch_size;
    let mut losses_seen = Vec::new();
    let mut checking_seconds = 0.0;
    for step in 0..steps {
        let batch = sampler.draw(batch_size as usize);
        let mut pass = passes.step(&parameters, &batch, u64::from(step) * u64::from(batch_size))?;
        let rate = plan.optimiser.rate(job.steps_before + u64::from(step), job.steps_total);
        optimiser.step(rate, &mut parameters, &mut pass.gradient);
        if !pass.loss.is_finite() || parameters.iter().any(|value| !value.is_finite()) {
            return Err(Failure::new(
                format!(
                    "training diverged: after step {} of {} the loss or a parameter is not finite",
                    step + 1,
                    steps
                ),
                "lower the learning rate or bound the gradient's norm in the plan",
            ));
        }
        losses_seen.push(pass.loss);
        let done = step + 1;
        let seconds = begun.elapsed().as_secs_f64() - checking_seconds;
        answers.progress(
            done,
            steps,
            pass.loss,
            f64::from(done) * f64::from(batch_size) / seconds,
        )?;
        if job.evaluate_every > 0 && done % job.evaluate_every == 0 {
            let paused = Instant::now();
            check(done, &parameters, answers)?;
            checking_seconds += paused.elapsed().as_secs_f64();
        }
    }
    let seconds = begun.elapsed().as_secs_f64() - checking_seconds;
    let answer = Answer::Trained {
        examples: count,
        steps,
        loss: last_tenth(&losses_seen),
        seconds,
        device: place.name.clone(),
    };
    Ok(answers.trained(&answer, &parameters)?)
}

/// Mean over the last tenth, at least one; zero where there was no step.
fn last_tenth(losses: &[f64]) -> f64 {
    let count = losses.len().div_ceil(10);
    let last = &losses[losses.len() - count..];
    if last.is_empty() {
        0.0
    } else {
        last.iter().sum::<f64>() / count as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_that_is_told_is_that_of_the_last_tenth() {
        assert_eq!(last_tenth(&[]), 0.0);
        assert_eq!(last_tenth(&[3.0]), 3.0);
        let losses: Vec<f64> = (0..20).map(f64::from).collect();
        assert_eq!(last_tenth(&losses), 18.5);
    }
}
