//! The trainer: a child process that gets a job, a dataset's folder and a pipe. No key, no address, an empty environment.

use std::{
    io::{BufReader, BufWriter, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result, bail};
use snowball_worker::{
    job::{Answer, DeviceChoice, Job, ProbedDevice},
    pipe,
};

use crate::config::{DeviceWish, TrainingConfig};

/// The trainers that may lie beside this program, best first.
const PROGRAMS: [&str; 3] = ["snowball-trainer-cuda", "snowball-trainer-wgpu", "snowball-trainer"];
const LOG_BYTES_MAX: u64 = 8 * 1024;

/// The trainer that was picked, and why.
#[derive(Clone)]
pub struct Trainer {
    program: PathBuf,
    pub device: DeviceChoice,
    pub threads: u32,
    pub device_name: String,
    pub why: String,
    stop: Arc<AtomicBool>,
}

/// One installed trainer and what its probe found.
pub struct Installed {
    pub program: PathBuf,
    pub devices: Result<Vec<ProbedDevice>>,
}

/// Probes every trainer that is installed.
pub fn installed(config: &TrainingConfig) -> Result<Vec<Installed>> {
    let programs = match &config.trainer {
        Some(program) => vec![program.clone()],
        None => {
            let own = std::env::current_exe().context("cannot tell where this program lies")?;
            let folder = own.parent().unwrap_or(Path::new("."));
            PROGRAMS
                .iter()
                .map(|name| folder.join(name))
                .filter(|path| path.exists())
                .collect()
        }
    };
    Ok(programs
        .into_iter()
        .map(|program| Installed {
            devices: probe(&program),
            program,
        })
        .collect())
}

/// Picks a trainer and a device: a GPU that computed soundly, else the CPU; or what the configuration insists on.
pub fn choose(config: &TrainingConfig) -> Result<Trainer> {
    let installed = installed(config)?;
    let picked = pick(config.device, &installed)?;
    Ok(Trainer {
        program: installed[picked.program].program.clone(),
        device: picked.device,
        threads: config.threads,
        device_name: picked.name,
        why: picked.why,
        stop: Arc::new(AtomicBool::new(false)),
    })
}

struct Picked {
    program: usize,
    device: DeviceChoice,
    name: String,
    why: String,
}

fn pick(wish: DeviceWish, installed: &[Installed]) -> Result<Picked> {
    if installed.is_empty() {
        bail!(
            "no trainer is installed; put snowball-trainer beside hospital-node or name it in node.toml ([training] trainer)"
        );
    }
    let mut notes = Vec::new();
    if wish != DeviceWish::Cpu {
        for (program, found) in installed.iter().enumerate() {
            for device in found
                .devices
                .iter()
                .flatten()
                .filter(|device| device.choice == DeviceChoice::Gpu)
            {
                if device.sound {
                    let why = "its probe agrees with the CPU".to_owned();
                    return Ok(Picked {
                        program,
                        device: DeviceChoice::Gpu,
                        name: device.name.clone(),
                        why,
                    });
                }
                notes.push(format!(
                    "{}: {}",
                    device.name,
                    device.note.as_deref().unwrap_or("its probe is not sound")
                ));
            }
        }
        if wish == DeviceWish::Gpu {
            let why = if notes.is_empty() {
                "no installed trainer lists one".to_owned()
            } else {
                notes.join("; ")
            };
            bail!("node.toml asks for a GPU and none can be used: {why}; run hospital-node doctor");
        }
    }
    for (program, found) in installed.iter().enumerate().rev() {
        match &found.devices {
            Ok(devices) => {
                let Some(cpu) = devices.iter().find(|device| device.choice == DeviceChoice::Cpu) else {
                    continue;
                };
                let why = match (wish, notes.is_empty()) {
                    (DeviceWish::Cpu, _) => "node.toml asks for it".to_owned(),
                    (_, true) => "no installed trainer lists a GPU".to_owned(),
                    (_, false) => notes.join("; "),
                };
                return Ok(Picked {
                    program,
                    device: DeviceChoice::Cpu,
                    name: cpu.name.clone(),
                    why,
                });
            }
            Err(fault) => notes.push(format!("{}: {fault:#}", found.program.display())),
        }
    }
    bail!("no trainer works: {}; run hospital-node doctor", notes.join("; "))
}

fn probe(program: &Path) -> Result<Vec<ProbedDevice>> {
    let trainer = Trainer {
        program: program.to_owned(),
        device: DeviceChoice::Cpu,
        threads: 0,
        device_name: String::new(),
        why: String::new(),
        stop: Arc::new(AtomicBool::new(false)),
    };
    let mut devices = None;
    trainer.run(&Job::Probe, None, 0, |answer| {
        if let Answer::Probed { devices: found } = answer {
            devices = Some(found);
        }
    })?;
    devices.context("it answered nothing")
}

impl Trainer {
    /// Makes a running job end soon; every later job fails at once.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Runs one job. `parameters` follow it; after training, the new parameters (`count` of them) come back. Blocks.
    pub fn run(
        &self,
        job: &Job,
        parameters: Option<&[f32]>,
        count: usize,
        mut hear: impl FnMut(Answer),
    ) -> Result<Option<Vec<f32>>> {
        let mut worker = Worker::start(&self.program)?;
        let outcome = worker.converse(job, parameters, count, &self.stop, &mut hear);
        match outcome {
            Ok(trained) => Ok(trained),
            Err(fault) => {
                let said = worker.end();
                if self.stop.load(Ordering::SeqCst) {
                    bail!("training was stopped");
                }
                let said = if said.is_empty() {
                    String::new()
                } else {
                    format!("; it said: {said}")
                };
                Err(fault.context(format!("the trainer {} failed{said}", self.program.display())))
            }
        }
    }
}

/// A child that never outlives its job.
struct Worker {
    child: Child,
}

impl Worker {
    fn start(program: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        command
            .arg("work")
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A GPU driver needs to find its own files, and nothing else of this environment.
        for name in [
            "LD_LIBRARY_PATH",
            "VK_DRIVER_FILES",
            "VK_ICD_FILENAMES",
            "XDG_RUNTIME_DIR",
            "CUDA_VISIBLE_DEVICES",
            "HOME",
        ] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { child })
    }

    fn converse(
        &mut self,
        job: &Job,
        parameters: Option<&[f32]>,
        count: usize,
        stop: &AtomicBool,
        hear: &mut impl FnMut(Answer),
    ) -> Result<Option<Vec<f32>>> {
        let mut input = BufWriter::new(self.child.stdin.take().context("no pipe to the trainer")?);
        let mut output = BufReader::new(self.child.stdout.take().context("no pipe from the trainer")?);
        pipe::send(&mut input, job)?;
        if let Some(parameters) = parameters {
            pipe::send_parameters(&mut input, parameters)?;
        }
        loop {
            let answer: Answer = pipe::receive(&mut output)?;
            if stop.load(Ordering::SeqCst) {
                bail!("stopped");
            }
            match answer {
                Answer::Failed { reason, remedy } => bail!("{reason}; {remedy}"),
                Answer::Trained { .. } => {
                    let trained = pipe::receive_parameters(&mut output, count)?;
                    hear(answer);
                    return Ok(Some(trained));
                }
                Answer::Evaluated { .. } | Answer::Probed { .. } => {
                    hear(answer);
                    return Ok(None);
                }
                Answer::Progress { .. } | Answer::Checked { .. } => hear(answer),
            }
        }
    }

    /// Ends the child and gives the last lines of its log.
    fn end(&mut self) -> String {
        let _ = self.child.kill();
        let mut said = Vec::new();
        if let Some(log) = self.child.stderr.take() {
            let _ = log.take(LOG_BYTES_MAX).read_to_end(&mut said);
        }
        let said = String::from_utf8_lossy(&said);
        said.lines()
            .rev()
            .take(3)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
            .join(" | ")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(choice: DeviceChoice, sound: bool) -> ProbedDevice {
        ProbedDevice {
            name: format!("{choice:?}"),
            choice,
            sound,
            difference: 0.0,
            seconds: 0.0,
            note: None,
        }
    }

    fn trainers(devices: Vec<ProbedDevice>) -> Vec<Installed> {
        vec![Installed {
            program: PathBuf::from("trainer"),
            devices: Ok(devices),
        }]
    }

    #[test]
    fn a_sound_gpu_is_taken_and_an_unsound_one_is_not() {
        let sound = trainers(vec![device(DeviceChoice::Cpu, true), device(DeviceChoice::Gpu, true)]);
        assert_eq!(pick(DeviceWish::Auto, &sound).unwrap().device, DeviceChoice::Gpu);
        assert_eq!(pick(DeviceWish::Cpu, &sound).unwrap().device, DeviceChoice::Cpu);
        let unsound = trainers(vec![device(DeviceChoice::Cpu, true), device(DeviceChoice::Gpu, false)]);
        assert_eq!(pick(DeviceWish::Auto, &unsound).unwrap().device, DeviceChoice::Cpu);
        assert!(pick(DeviceWish::Gpu, &unsound).is_err());
        assert!(pick(DeviceWish::Auto, &[]).is_err());
    }
}
