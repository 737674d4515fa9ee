//! `snowball-trainer work`: one job in, its answers out.

use std::{
    io::{self, BufReader, Read, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    process::ExitCode,
    thread,
};

use snowball_confine::{Reach, confine};
use snowball_layout::Layout;
use snowball_protocol::{StudyPlan, limits::PARAMETERS_MAX};
use snowball_worker::{
    job::{Answer, DeviceChoice, EvaluateJob, Job},
    key::DatasetSource,
    pipe,
};

use crate::{
    answers::Answers, evaluate::evaluate, examples::Examples, explain::explain, failure::Failure, masks::segmented,
    places::Places, probe, reconstruction::drawings, tell::tell, train::train,
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
        Job::Probe => {
            // The adapters are tried by another program, so that the confinement comes last.
            let devices = probe::devices();
            let confinement = confine(&Reach::default());
            Ok(answers.send(&Answer::Probed { devices, confinement })?)
        }
        Job::Train(mut job) => {
            job.threads = threads(job.threads);
            enclose(&job.dataset, &job.device, answers)?;
            let parameters = parameters(&job.plan, &mut input)?;
            let correction = job.corrects.then(|| finite(&mut input, parameters.len())).transpose()?;
            on_threads(job.threads, || {
                train(&job, parameters, correction, &Places::open(&job.device)?, answers)
            })
        }
        Job::Evaluate(mut job) => {
            job.threads = threads(job.threads);
            enclose(&job.dataset, &job.device, answers)?;
            let parameters = parameters(&job.plan, &mut input)?;
            on_threads(job.threads, || {
                let examples = Examples::open(&job.plan, &job.dataset)?;
                let evaluation = evaluate(&job.plan, &examples, &Places::open(&job.device)?, &parameters, job.part)?;
                Ok(answers.send(&Answer::Evaluated { evaluation })?)
            })
        }
        Job::Tell(mut job) => {
            job.threads = threads(job.threads);
            enclose(&job.dataset, &job.device, answers)?;
            let parameters = parameters(&job.plan, &mut input)?;
            on_threads(job.threads, || {
                tell(&job, &Places::open(&job.device)?, &parameters, answers)
            })
        }
        Job::Explain(mut job) => {
            job.of.threads = threads(job.of.threads);
            enclose(&job.of.dataset, &job.of.device, answers)?;
            let parameters = parameters(&job.of.plan, &mut input)?;
            on_threads(job.of.threads, || {
                explain(&job, Places::open(&job.of.device)?.first(), &parameters, answers)
            })
        }
        Job::Segment(mut job) => {
            job.of.threads = threads(job.of.threads);
            let EvaluateJob { plan, dataset, .. } = &job.of;
            enclose(dataset, &job.of.device, answers)?;
            let parameters = parameters(plan, &mut input)?;
            on_threads(job.of.threads, || {
                let examples = Examples::open(plan, dataset)?;
                let places = Places::open(&job.of.device)?;
                let drawn = segmented(
                    plan,
                    &examples,
                    places.first(),
                    &parameters,
                    job.of.part,
                    &job.radiographs,
                )?;
                Ok(answers.trained(&Answer::Drawn, &drawn)?)
            })
        }
        Job::Draw(mut job) => {
            job.of.threads = threads(job.of.threads);
            let EvaluateJob { plan, dataset, .. } = &job.of;
            enclose(dataset, &job.of.device, answers)?;
            let parameters = parameters(plan, &mut input)?;
            on_threads(job.of.threads, || {
                let examples = Examples::open(plan, dataset)?;
                let (places, count) = (Places::open(&job.of.device)?, job.pictures as usize);
                let drawn = drawings(plan, &examples, places.first(), &parameters, job.of.part, count)?;
                Ok(answers.trained(&Answer::Drawn, &drawn)?)
            })
        }
    }
}

/// Takes from this process all but its dataset, and on a GPU what a driver needs, and tells the node what the kernel
/// confirmed. The node ends this process where that will not do.
fn enclose<W: Write>(dataset: &DatasetSource, device: &DeviceChoice, answers: &mut Answers<W>) -> Result<(), Failure> {
    let mut reach = match device {
        DeviceChoice::Cpu => Reach::default(),
        DeviceChoice::Gpu(_) => driver(),
    };
    reach.read.push(dataset.folder.clone());
    let confinement = confine(&reach);
    Ok(answers.send(&Answer::Confined { confinement })?)
}

/// What the driver of a GPU needs: its libraries and descriptions, the devices, a folder for compiled kernels. The node
/// starts this program in a folder of its own for that.
fn driver() -> Reach {
    let libraries = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let descriptions = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].map(|name| std::env::var_os(name).unwrap_or_default());
    let named = descriptions.iter().chain([&libraries]).flat_map(std::env::split_paths);
    let system = ["/usr", "/lib", "/lib64", "/etc", "/opt", "/proc", "/sys", "/run"];
    Reach {
        read: system.into_iter().map(PathBuf::from).chain(named).collect(),
        write: std::env::current_dir().into_iter().chain(["/dev".into()]).collect(),
        run: Vec::new(),
        local_sockets: true,
    }
}

/// The threads to use. Asked for before the confinement, which hides what the machine says of itself.
fn threads(wished: u32) -> u32 {
    if wished > 0 || std::env::var_os("RAYON_NUM_THREADS").is_some() {
        return wished;
    }
    thread::available_parallelism().map_or(0, |count| u32::try_from(count.get()).unwrap_or(0))
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
    finite(input, count)
}

/// So many numbers.
fn finite(input: &mut impl Read, count: usize) -> Result<Vec<f32>, Failure> {
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
    pool(threads.min(THREADS_MAX) as usize)?.install(task)
}

/// A pool of so many threads.
pub fn pool(threads: usize) -> Result<rayon::ThreadPool, Failure> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .stack_size(STACK_BYTES)
        .build();
    pool.map_err(|error| Failure::new(format!("cannot start threads: {error}"), "ask for fewer threads"))
}
