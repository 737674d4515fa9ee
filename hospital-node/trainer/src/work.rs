//! `snowball-trainer work`: one job in, its answers out.

use std::{
    io::{self, BufReader, Read, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
};

use snowball_layout::Layout;
use snowball_protocol::{StudyPlan, limits::PARAMETERS_MAX};
use snowball_worker::{
    job::{Answer, Job},
    pipe,
};

use crate::{
    answers::Answers, device::Place, evaluate::evaluate, examples::Examples, failure::Failure, probe, train::train,
};

/// Threads of the CPU pool get this much stack; a network's way back is recursive in places.
const STACK_BYTES: usize = 16 * 1024 * 1024;
/// More threads than this are never asked for in earnest.
const THREADS_MAX: u32 = 1024;

/// Does the one job that standard input brings. The exit code is not zero where the job failed.
pub fn work() -> ExitCode {
    let mut answers = match Answers::on_stdout() {
        Ok(answers) => answers,
        Err(error) => {
            eprintln!("snowball-trainer: cannot use standard output: {error}");
            return ExitCode::FAILURE;
        }
    };
    let input = BufReader::new(io::stdin().lock());
    // A panic of the tensor library must still reach the node as an answer; its text is on standard error already.
    let result = catch_unwind(AssertUnwindSafe(|| job(input, &mut answers))).unwrap_or_else(|_| {
        Err(Failure::new(
            "the tensor library failed",
            "look at the node's log of the trainer; report it",
        ))
    });
    let Err(failure) = result else { return ExitCode::SUCCESS };
    eprintln!("snowball-trainer: {} ({})", failure.reason, failure.remedy);
    // Where the node is gone there is nobody left to tell.
    let _ = answers.send(&Answer::Failed {
        reason: failure.reason,
        remedy: failure.remedy,
    });
    ExitCode::FAILURE
}

/// Reads one job from `input` and does it.
fn job<W: Write + Send>(mut input: impl Read, answers: &mut Answers<W>) -> Result<(), Failure> {
    match pipe::receive(&mut input)? {
        Job::Probe => Ok(answers.send(&Answer::Probed {
            devices: probe::devices(),
        })?),
        Job::Train(job) => {
            let parameters = parameters(&job.plan, &mut input)?;
            on_threads(job.threads, || {
                train(&job, parameters, &Place::open(job.device)?, answers)
            })
        }
        Job::Evaluate(job) => {
            let parameters = parameters(&job.plan, &mut input)?;
            on_threads(job.threads, || {
                let examples = Examples::open(&job.plan, &job.dataset)?;
                let evaluation = evaluate(&job.plan, &examples, &Place::open(job.device)?, &parameters, job.part)?;
                Ok(answers.send(&Answer::Evaluated { evaluation })?)
            })
        }
    }
}

/// Checks the plan before anything is allocated for it, then takes its parameters.
fn parameters(plan: &StudyPlan, input: &mut impl Read) -> Result<Vec<f32>, Failure> {
    if let Some(fault) = plan.faults().first() {
        return Err(Failure::new(
            format!("the plan is not sound: {fault}"),
            "correct the plan",
        ));
    }
    let count = Layout::of(plan).parameters();
    if count as u64 > PARAMETERS_MAX {
        return Err(Failure::new(
            format!("the plan's network has {count} parameters; the limit is {PARAMETERS_MAX}"),
            "make the network narrower",
        ));
    }
    let parameters = pipe::receive_parameters(input, count)?;
    if parameters.iter().any(|value| !value.is_finite()) {
        return Err(Failure::new(
            "the given parameters hold NaN or infinity",
            "go back to the model of an earlier round",
        ));
    }
    Ok(parameters)
}

/// Runs `task` on a pool of `threads` threads; 0: what `RAYON_NUM_THREADS` says, else as many as cores.
fn on_threads<T: Send>(threads: u32, task: impl FnOnce() -> Result<T, Failure> + Send) -> Result<T, Failure> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.min(THREADS_MAX) as usize)
        .stack_size(STACK_BYTES)
        .build();
    let pool = pool.map_err(|error| Failure::new(format!("cannot start threads: {error}"), "ask for fewer threads"))?;
    pool.install(task)
}
