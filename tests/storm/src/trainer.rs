//! What a node starts instead of its trainer: it confines itself as that one does, and learns what is known beforehand.
//!
//! Which site it serves stands in the name of its file, since a trainer is told no more of its site than its dataset.

use std::{
    io::{self, BufReader, BufWriter, Write},
    path::Path,
    process::ExitCode,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use snowball_confine::{Reach, confine};
use snowball_layout::Layout;
use snowball_protocol::{Sha256Digest, evaluation::Evaluation};
use snowball_worker::{
    job::{Answer, DeviceChoice, Job, ProbedDevice, TrainJob},
    pipe,
};

use crate::plan::{EXAMPLES, learned, place};

/// What a node calls its trainer with.
pub const VERB: &str = "work";
/// How long it learns: long enough to be killed meanwhile.
const LEARNS: Duration = Duration::from_millis(150);

/// The name of the trainer of site `position` of `sites`.
pub fn file_name(position: usize, sites: u32) -> String {
    format!("one-hot-{position}-{sites}")
}

/// Does the one job that standard input brings.
pub fn work() -> ExitCode {
    match job() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("the stand-in for a trainer: {fault:#}");
            ExitCode::FAILURE
        }
    }
}

fn job() -> Result<()> {
    let own = std::env::args().next().context("no name")?;
    let mut input = BufReader::new(io::stdin().lock());
    let mut output = BufWriter::new(io::stdout().lock());
    match pipe::receive(&mut input)? {
        Job::Probe => {
            let cpu = ProbedDevice {
                name: "a stand-in".to_owned(),
                choice: DeviceChoice::Cpu,
                sound: true,
                difference: 0.0,
                seconds: 0.0,
                note: None,
                family: String::new(),
                mixed: None,
            };
            let confinement = confine(&Reach::default());
            let probed = Answer::Probed {
                devices: vec![cpu],
                confinement,
            };
            Ok(pipe::send(&mut output, &probed)?)
        }
        Job::Train(job) => {
            enclose(&job.dataset.folder, &mut output)?;
            train(&job, Path::new(&own), &mut input, &mut output)
        }
        Job::Evaluate(job) => {
            enclose(&job.dataset.folder, &mut output)?;
            pipe::receive_parameters(&mut input, Layout::of(&job.plan).parameters())?;
            let evaluation = Evaluation {
                model_digest: Sha256Digest::of(b"the node knows which"),
                images: 0,
                heads: Vec::new(),
                reconstruction: None,
                contrast: None,
            };
            Ok(pipe::send(&mut output, &Answer::Evaluated { evaluation })?)
        }
        Job::Draw(_) | Job::Tell(_) | Job::Explain(_) | Job::Segment(_) => {
            bail!("the stand-in trains and evaluates, no more")
        }
    }
}

fn enclose(dataset: &Path, output: &mut impl Write) -> Result<()> {
    let reach = Reach {
        read: vec![dataset.to_owned()],
        ..Reach::default()
    };
    let confinement = confine(&reach);
    Ok(pipe::send(output, &Answer::Confined { confinement })?)
}

fn train(job: &TrainJob, own: &Path, input: &mut impl io::Read, output: &mut impl Write) -> Result<()> {
    let parameters = Layout::of(&job.plan).parameters();
    let mut model = pipe::receive_parameters(input, parameters)?;
    thread::sleep(LEARNS);
    let progress = Answer::Progress {
        step: job.steps,
        steps: job.steps,
        loss: 1.0,
        images_per_second: 0.0,
    };
    pipe::send(output, &progress)?;
    let (position, sites) = whose(own).context("the file's name says no site")?;
    // The schedule counts the steps of the rounds before.
    let round = u32::try_from(job.steps_before / u64::from(job.plan.local.steps))? + 1;
    let at = place(position, round, sites, parameters);
    model[at] = learned(model[at]);
    let trained = Answer::Trained {
        examples: EXAMPLES,
        steps: job.steps,
        loss: 1.0,
        seconds: LEARNS.as_secs_f64(),
        device: "a stand-in".to_owned(),
        best_step: None,
        again_in_full: 0,
    };
    pipe::send(output, &trained)?;
    Ok(pipe::send_parameters(output, &model)?)
}

fn whose(own: &Path) -> Option<(usize, u32)> {
    let rest = own.file_name()?.to_str()?.strip_prefix("one-hot-")?;
    let (position, sites) = rest.split_once('-')?;
    Some((position.parse().ok()?, sites.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trainer_knows_whose_it_is() {
        let own = Path::new("/somewhere").join(file_name(7, 8));
        assert_eq!(whose(&own), Some((7, 8)));
        assert_eq!(whose(Path::new("/somewhere/snowball-trainer")), None);
    }
}
