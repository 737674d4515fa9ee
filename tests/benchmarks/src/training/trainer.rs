//! Our trainer, started and spoken to as a node does it.

use std::{
    io::{BufReader, BufWriter},
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use snowball_layout::Layout;
use snowball_protocol::StudyPlan;
use snowball_worker::{
    job::{Answer, DeviceChoice, Job, TrainJob},
    key::DatasetSource,
    pipe,
};

use crate::watched;

/// Steps that are not timed.
const WARM_UP: u32 = 2;

/// What one run came to.
pub struct Run {
    pub pictures_per_second: f64,
    /// A second of one processor, whatever else the machine did.
    pub pictures_per_processor_second: f64,
    /// From the start of the program on.
    pub first_step_seconds: f64,
    pub memory_bytes_max: u64,
}

/// Trains for so many seconds after the first steps, and ends the trainer.
pub fn run(program: &Path, plan: &StudyPlan, dataset: &DatasetSource, cores: usize, seconds: f64) -> Result<Run> {
    let begun = Instant::now();
    let mut child = Command::new(program)
        .arg("work")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let mut input = BufWriter::new(child.stdin.take().context("no pipe to the trainer")?);
    let mut output = BufReader::new(child.stdout.take().context("no pipe from the trainer")?);
    let job = Job::Train(TrainJob {
        plan: plan.clone(),
        dataset: dataset.clone(),
        stream: 1,
        steps_before: 0,
        steps_total: u64::from(u32::MAX),
        steps: u32::MAX,
        evaluate_first: false,
        corrects: false,
        evaluate_every: 0,
        device: DeviceChoice::Cpu,
        threads: u32::try_from(cores)?,
        tuning: None,
    });
    pipe::send(&mut input, &job)?;
    pipe::send_parameters(&mut input, &Layout::of(plan).initial_parameters(plan.seed))?;
    let (mut first, mut timed) = (None, None);
    let run = loop {
        match pipe::receive(&mut output)? {
            Answer::Progress { step, loss, .. } => {
                let now = Instant::now();
                let first = *first.get_or_insert(now);
                if step < WARM_UP {
                    continue;
                }
                let worked = watched::processor_seconds(child.id()).context("the trainer ended by itself")?;
                let (from, from_worked, from_step) = *timed.get_or_insert((now, worked, step));
                let taken = (now - from).as_secs_f64();
                if step > from_step && taken >= seconds {
                    if !loss.is_finite() {
                        bail!("the loss is not finite");
                    }
                    let pictures = f64::from(step - from_step) * f64::from(plan.local.batch_size);
                    break Run {
                        pictures_per_second: pictures / taken,
                        pictures_per_processor_second: pictures / (worked - from_worked),
                        first_step_seconds: (first - begun).as_secs_f64(),
                        memory_bytes_max: watched::memory_bytes(child.id(), "VmHWM:")
                            .context("the system tells no memory")?,
                    };
                }
            }
            Answer::Failed { reason, remedy } => bail!("{reason}; {remedy}"),
            _ => {}
        }
    };
    child.kill().context("cannot end the trainer")?;
    child.wait().context("cannot wait for the trainer")?;
    Ok(run)
}
