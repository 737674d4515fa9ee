//! A stretch of training: draw, pass, move, over and over.

use std::{io::Write, time::Instant};

use snowball_protocol::limits::EXAMPLES_MAX;
use snowball_worker::{
    job::{Answer, TrainJob},
    shard::Part,
};

use crate::{
    answers::Answers,
    best::Best,
    evaluate::evaluate,
    examples::Examples,
    failure::Failure,
    loss::Losses,
    optimiser::Optimiser,
    pairs::Pairs,
    passes::Passes,
    places::Places,
    random::{JobSeed, Sampler},
};

/// Trains from `parameters` as `job` says, each step's slope with `correction` added, and answers with the result.
pub fn train<W: Write>(
    job: &TrainJob,
    mut parameters: Vec<f32>,
    correction: Option<Vec<f32>>,
    places: &Places,
    answers: &mut Answers<W>,
) -> Result<(), Failure> {
    let plan = &job.plan;
    let tuning = job.tuning.clone().unwrap_or_default();
    if let Some(fault) = tuning.groups.as_ref().and_then(|groups| groups.fault(parameters.len())) {
        return Err(Failure::new(
            format!("what is asked to learn cannot be: {fault}"),
            "ask for another pace",
        ));
    }
    if job.corrects && tuning.groups.is_some() {
        return Err(Failure::new(
            "steps that are corrected move the whole network, and only a part of it is asked to learn",
            "ask for one of the two",
        ));
    }
    let mut examples = Examples::open(plan, &job.dataset)?;
    if let Some(draw) = tuning.draw {
        examples = examples.drawn(plan, draw)?;
    }
    if tuning.exchanged {
        examples = examples.exchanged(JobSeed::new(plan.seed, job.stream));
    }
    let training = examples.labelled(Part::Training);
    if training.is_empty() {
        return Err(Failure::new(
            "the training part of the dataset has no radiograph with a label of this plan",
            "take in more radiographs, or leave the study",
        ));
    }
    let count = examples.radiographs(&training).min(EXAMPLES_MAX);
    let steps = if plan.local.epochs.is_some() {
        plan.local.steps_of(count).min(job.steps)
    } else {
        job.steps
    };
    let pairs = plan
        .contrastive()
        .map(|asked| Pairs::of(&examples, &training, asked.positives));
    if pairs.as_ref().is_some_and(|pairs| pairs.patients() < 2) {
        return Err(Failure::new(
            "the training part has radiographs of one patient alone, who cannot be told from anybody",
            "take in radiographs of more patients, or leave the study",
        ));
    }
    let losses = Losses::new(plan, &examples.known(plan));
    let seed = JobSeed::new(plan.seed, job.stream);
    let passes = Passes {
        plan,
        examples: &examples,
        losses: &losses,
        places,
        seed,
        groups: tuning.groups.as_ref(),
        pairs: pairs.as_ref(),
    };
    let mut sampler = Sampler::new(seed, training);
    let mut optimiser = Optimiser::new(plan, &snowball_layout::Layout::of(plan), &losses, &parameters)
        .with_groups(tuning.groups.as_ref())
        .with_correction(correction);
    let mut best = tuning.patience.map(Best::after);
    let check = |step: u32, parameters: &[f32], answers: &mut Answers<W>| -> Result<Option<f64>, Failure> {
        let evaluation = evaluate(plan, &examples, places, parameters, Part::Validation)?;
        let loss = evaluation.mean_loss();
        answers.send(&Answer::Checked { step, evaluation })?;
        Ok(loss)
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
        let mut pass = passes.step(step, &parameters, &batch, u64::from(step) * u64::from(batch_size))?;
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
        let is_due = job.evaluate_every > 0 && done % job.evaluate_every == 0;
        if is_due || (best.is_some() && done == steps) {
            let paused = Instant::now();
            let loss = check(done, &parameters, answers)?;
            checking_seconds += paused.elapsed().as_secs_f64();
            if let Some(best) = &mut best
                && best.ends(done, loss, &parameters)?
            {
                break;
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64() - checking_seconds;
    let best_step = best.and_then(Best::into_parts).map(|(step, kept)| {
        parameters = kept;
        step
    });
    let answer = Answer::Trained {
        examples: count,
        // One loss a step.
        steps: losses_seen.len() as u32,
        loss: last_tenth(&losses_seen),
        seconds,
        device: places.name(),
        best_step,
        again_in_full: places.again_in_full(),
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
