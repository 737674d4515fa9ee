//! The trainer: a child process that gets a job, a dataset's folder and a pipe. No key, no address, an empty environment,
//! and before it opens the dataset it takes from itself the network, all other files and the start of programs. Where the
//! kernel does not confirm that, the node ends it, unless the policy and `node.toml` say that it may go on.

mod pick;

use std::{
    io::{BufReader, BufWriter, Read},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Error, Result, anyhow, bail};
use snowball_confine::Confinement;
use snowball_policy::Demand;
use snowball_worker::{
    job::{Answer, DeviceChoice, Job, ProbedDevice},
    pipe::{self, PipeError},
};

use snowball_service::files;

pub use self::pick::meant as meant_gpus;
use self::pick::pick;
use crate::config::{ConfinementWish, TrainingConfig};

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
    /// What its kernel lets it take from itself.
    pub confinement: Confinement,
    wish: ConfinementWish,
    scratch: PathBuf,
    stop: Arc<AtomicBool>,
}

/// One installed trainer and what its probe found.
pub struct Installed {
    pub program: PathBuf,
    pub found: Result<Probed>,
}

impl Installed {
    /// The GPUs that it lists.
    pub fn gpus(&self) -> impl Iterator<Item = &ProbedDevice> {
        let devices = self.found.iter().flat_map(|probed| &probed.devices);
        devices.filter(|device| device.is_gpu())
    }
}

/// What a probe found.
pub struct Probed {
    pub devices: Vec<ProbedDevice>,
    pub confinement: Confinement,
}

/// Probes every trainer that is installed: each lists its devices and does a small real computation on them.
pub fn installed(config: &TrainingConfig, scratch: &Path) -> Result<Vec<Installed>> {
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
            found: probe(&program, scratch),
            program,
        })
        .collect())
}

/// Picks a trainer and a device: a GPU that computed soundly, else the CPU; or what the configuration insists on. `scratch`
/// is a folder of the node for what a GPU's driver compiles.
pub fn choose(config: &TrainingConfig, scratch: &Path) -> Result<Trainer> {
    choose_among(config, scratch, &installed(config, scratch)?)
}

/// The same among those that were probed.
pub fn choose_among(config: &TrainingConfig, scratch: &Path, installed: &[Installed]) -> Result<Trainer> {
    let picked = pick(config, installed)?;
    check_confinement(config.confinement, &picked.confinement)?;
    Ok(Trainer {
        program: installed[picked.program].program.clone(),
        confinement: picked.confinement,
        wish: config.confinement,
        scratch: scratch.to_owned(),
        device: picked.device,
        threads: config.threads,
        device_name: picked.name,
        why: picked.why,
        stop: Arc::new(AtomicBool::new(false)),
    })
}

fn check_confinement(wish: ConfinementWish, confinement: &Confinement) -> Result<()> {
    if wish == ConfinementWish::Required && !confinement.is_whole() {
        bail!(
            "the trainer cannot be confined on this machine: {confinement}; use a kernel that can, or let the ethics board \
             know and set confinement = \"where-available\" under [training] in node.toml"
        );
    }
    Ok(())
}

fn probe(program: &Path, scratch: &Path) -> Result<Probed> {
    let mut probed = None;
    let mut hear = |answer| {
        if let Answer::Probed { devices, confinement } = answer {
            probed = Some(Probed { devices, confinement });
        }
    };
    let never = AtomicBool::new(false);
    let mut worker = Worker::start(program, scratch)?;
    // A probe sees no pixels: it may run unconfined, and says what would hold.
    let outcome = worker.converse(&Job::Probe, &[], 0, ConfinementWish::WhereAvailable, &never, &mut hear);
    outcome.map_err(|fault| worker.explain(program, fault))?;
    probed.context("it answered nothing")
}

impl Trainer {
    /// The same trainer, held as the policy demands: it may demand more than `node.toml`, never less.
    pub fn held_as(&self, demand: Demand) -> Self {
        let wish = match demand {
            Demand::Required => ConfinementWish::Required,
            Demand::NotRequired => self.wish,
        };
        Self { wish, ..self.clone() }
    }

    /// Makes a running job end soon; every later job fails at once.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Runs one job. `blocks` of numbers follow it: parameters, and what corrects them. After training, the new parameters (`count` of them)
    /// come back; after a drawing, so many tones. Blocks.
    pub fn run(
        &self,
        job: &Job,
        blocks: &[&[f32]],
        count: usize,
        mut hear: impl FnMut(Answer),
    ) -> Result<Option<Vec<f32>>> {
        let mut worker = Worker::start(&self.program, &self.scratch)?;
        let outcome = worker.converse(job, blocks, count, self.wish, &self.stop, &mut hear);
        outcome.map_err(|fault| {
            if self.stop.load(Ordering::SeqCst) {
                return anyhow!("training was stopped");
            }
            worker.explain(&self.program, fault)
        })
    }
}

/// Node and trainer are of one package; what a trainer of another version says may look otherwise.
fn unheard(fault: PipeError) -> Error {
    let is_another = matches!(fault, PipeError::Json(_));
    let fault = Error::new(fault);
    if is_another {
        fault.context("its answer cannot be read; put the trainer of the same version beside the node")
    } else {
        fault
    }
}

/// A child that never outlives its job.
struct Worker {
    child: Child,
}

impl Worker {
    fn start(program: &Path, scratch: &Path) -> Result<Self> {
        files::create_home(scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
        let program = std::path::absolute(program).context("cannot tell where the trainer lies")?;
        let mut command = Command::new(&program);
        command
            .arg("work")
            .current_dir(scratch)
            .env_clear()
            .env("HOME", scratch)
            // A hangup of the node's whole group means the node, which then reads its log's levels again.
            .process_group(0)
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
        blocks: &[&[f32]],
        count: usize,
        wish: ConfinementWish,
        stop: &AtomicBool,
        hear: &mut impl FnMut(Answer),
    ) -> Result<Option<Vec<f32>>> {
        let mut input = BufWriter::new(self.child.stdin.take().context("no pipe to the trainer")?);
        let mut output = BufReader::new(self.child.stdout.take().context("no pipe from the trainer")?);
        pipe::send(&mut input, job)?;
        for block in blocks {
            pipe::send_parameters(&mut input, block)?;
        }
        loop {
            let answer: Answer = pipe::receive(&mut output).map_err(unheard)?;
            if stop.load(Ordering::SeqCst) {
                bail!("stopped");
            }
            match answer {
                Answer::Failed { reason, remedy } => bail!("{reason}; {remedy}"),
                Answer::Confined { confinement } => check_confinement(wish, &confinement)?,
                Answer::Trained { .. } | Answer::Drawn => {
                    let trained = pipe::receive_parameters(&mut output, count)?;
                    if let Answer::Trained {
                        again_in_full: slices @ 1..,
                        ..
                    } = answer
                    {
                        tracing::info!(
                            slices,
                            "some of the training overflowed in halves and was computed again in full"
                        );
                    }
                    hear(answer);
                    return Ok(Some(trained));
                }
                Answer::Evaluated { .. } | Answer::Probed { .. } | Answer::Done { .. } => {
                    hear(answer);
                    return Ok(None);
                }
                Answer::Progress { .. } | Answer::Checked { .. } | Answer::Told { .. } | Answer::Explained(_) => {
                    hear(answer)
                }
            }
        }
    }

    /// `fault` with what the child said before it was ended.
    fn explain(&mut self, program: &Path, fault: Error) -> Error {
        let said = match self.end() {
            said if said.is_empty() => said,
            said => format!("; it said: {said}"),
        };
        fault.context(format!("the trainer {} failed{said}", program.display()))
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
    use snowball_confine::Hold;

    use super::*;

    #[test]
    fn a_hangup_of_the_node_s_group_does_not_reach_the_trainer() {
        let folder = tempfile::tempdir().unwrap();
        let worker = Worker::start(Path::new("/usr/bin/yes"), folder.path()).unwrap();
        let id = worker.child.id();
        let about = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        // After the name in brackets: its state, its parent, its group.
        let (_, rest) = about.rsplit_once(')').unwrap();
        assert_eq!(rest.split_whitespace().nth(2), Some(id.to_string().as_str()), "{about}");
        drop(worker);
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }

    fn whole() -> Confinement {
        Confinement {
            files: Hold::Whole,
            calls: Hold::Whole,
            memory: Hold::Whole,
        }
    }

    /// Before GPUs could share the work a trainer wrote of its choice "gpu" alone.
    #[test]
    fn the_answer_of_another_version_is_told_as_such() {
        let said = serde_json::json!({
            "answer": "probed",
            "devices": [
                {"name": "adapter", "choice": "gpu", "sound": true, "difference": 0.0, "seconds": 0.0, "note": null}
            ],
            "confinement": whole(),
        });
        let mut frame = Vec::new();
        pipe::send(&mut frame, &said).unwrap();
        let hear = |mut frame: &[u8]| pipe::receive::<Answer>(&mut frame).map_err(unheard).unwrap_err();
        let told = format!("{:#}", hear(&frame));
        assert!(
            told.contains("put the trainer of the same version beside the node"),
            "{told}"
        );
        // A trainer that died says nothing of versions.
        let told = format!("{:#}", hear(&[]));
        assert!(!told.contains("version"), "{told}");
    }

    #[test]
    fn a_trainer_that_the_kernel_cannot_confine_is_not_used_unless_the_site_says_so() {
        let open = Confinement {
            files: Hold::Nothing("no Landlock".to_owned()),
            ..whole()
        };
        assert!(check_confinement(ConfinementWish::Required, &whole()).is_ok());
        let fault = check_confinement(ConfinementWish::Required, &open)
            .unwrap_err()
            .to_string();
        assert!(
            fault.contains("no Landlock") && fault.contains("where-available"),
            "{fault}"
        );
        assert!(check_confinement(ConfinementWish::WhereAvailable, &open).is_ok());
    }

    #[test]
    fn a_policy_may_demand_more_than_the_configuration_and_never_less() {
        let trainer = |wish| Trainer {
            program: PathBuf::new(),
            device: DeviceChoice::Cpu,
            threads: 1,
            device_name: String::new(),
            why: String::new(),
            confinement: whole(),
            wish,
            scratch: PathBuf::new(),
            stop: Arc::default(),
        };
        let (required, available) = (ConfinementWish::Required, ConfinementWish::WhereAvailable);
        assert_eq!(trainer(available).held_as(Demand::Required).wish, required);
        assert_eq!(trainer(available).held_as(Demand::NotRequired).wish, available);
        assert_eq!(trainer(required).held_as(Demand::NotRequired).wish, required);
    }
}
