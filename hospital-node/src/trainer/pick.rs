//! Which trainer and which devices, of what their probes found.

use anyhow::{Error, Result, bail};
use snowball_confine::Confinement;
use snowball_worker::job::{DeviceChoice, Gpus, Precision, ProbedDevice, together};

use super::{Installed, Probed};
use crate::config::{DeviceWish, TrainingConfig};

/// What was picked.
pub(super) struct Picked {
    pub confinement: Confinement,
    /// Its place among those installed.
    pub program: usize,
    pub device: DeviceChoice,
    pub name: String,
    pub why: String,
}

/// GPUs that computed soundly, else the CPU; or what the configuration insists on.
pub(super) fn pick(config: &TrainingConfig, installed: &[Installed]) -> Result<Picked> {
    if installed.is_empty() {
        bail!(
            "no trainer is installed; put snowball-trainer beside hospital-node or name it in node.toml ([training] trainer)"
        );
    }
    let wish = config.device;
    let mut notes = Vec::new();
    if wish != DeviceWish::Cpu {
        match meant(config, installed) {
            Ok(meant) => {
                let (device, name, mut why) = together_on(&meant.chosen, config.precision);
                why.extend(meant.faults.iter().map(|fault| format!("without {fault}")));
                return Ok(Picked {
                    confinement: meant.probed.confinement.clone(),
                    program: meant.program,
                    device,
                    name,
                    why: why.join("; "),
                });
            }
            Err(faults) => notes = faults,
        }
        if wish == DeviceWish::Gpu {
            let why = if notes.is_empty() {
                "no installed trainer lists one".to_owned()
            } else {
                notes.join("; ")
            };
            bail!(
                "node.toml insists on GPUs, and none can be used or not all that it names: {why}; run hospital-node doctor"
            );
        }
    }
    for (program, found) in installed.iter().enumerate().rev() {
        match &found.found {
            Ok(probed) => {
                let Some(cpu) = probed.devices.iter().find(|device| device.choice == DeviceChoice::Cpu) else {
                    continue;
                };
                let why = match (wish, notes.is_empty()) {
                    (DeviceWish::Cpu, _) => "node.toml asks for it".to_owned(),
                    (_, true) => "no installed trainer lists a GPU".to_owned(),
                    (_, false) => notes.join("; "),
                };
                return Ok(Picked {
                    confinement: probed.confinement.clone(),
                    program,
                    device: DeviceChoice::Cpu,
                    name: cpu.name.clone(),
                    why,
                });
            }
            Err(fault) => {
                let told = broken(found, fault);
                if !notes.contains(&told) {
                    notes.push(told);
                }
            }
        }
    }
    bail!("no trainer works: {}; run hospital-node doctor", notes.join("; "))
}

/// The GPUs to use, all of one trainer's list.
pub struct Meant<'a> {
    /// That trainer's place among those installed.
    program: usize,
    probed: &'a Probed,
    /// At least one.
    pub chosen: Vec<&'a ProbedDevice>,
    /// What is wrong with others that were meant, and with trainers that come before.
    pub faults: Vec<String>,
}

fn broken(trainer: &Installed, fault: &Error) -> String {
    format!("{}: {fault:#}", trainer.program.display())
}

/// Which GPUs of which trainer are used where `node.toml` does not ask for the CPU, or what is wrong with all of them; nothing is wrong where
/// no trainer lists any. Numbers in `node.toml` count in the first list of GPUs alone: in another trainer's they are other adapters.
pub fn meant<'a>(config: &TrainingConfig, installed: &'a [Installed]) -> Result<Meant<'a>, Vec<String>> {
    let mut notes = Vec::new();
    for (program, trainer) in installed.iter().enumerate() {
        match &trainer.found {
            // Nobody knows what it would list, and numbers may be meant as its.
            Err(fault) => notes.push(broken(trainer, fault)),
            Ok(probed) => {
                let listed: Vec<&ProbedDevice> = trainer.gpus().collect();
                if listed.is_empty() {
                    continue;
                }
                let (chosen, faults) = gpus(config, &listed);
                // Who insists on certain GPUs is not given fewer of them.
                let is_less = config.device == DeviceWish::Gpu && config.gpus.is_some() && !faults.is_empty();
                notes.extend(faults);
                if !chosen.is_empty() && !is_less {
                    return Ok(Meant {
                        program,
                        probed,
                        chosen,
                        faults: notes,
                    });
                }
            }
        }
        if config.gpus.is_some() {
            if installed[program + 1..]
                .iter()
                .any(|other| other.gpus().next().is_some())
            {
                notes.push(format!(
                    "gpus in node.toml are numbers of {}, and another trainer numbers its GPUs otherwise: to use that one, name it \
                     as trainer under [training]",
                    trainer.program.display()
                ));
            }
            break;
        }
    }
    Err(notes)
}

/// The GPUs to use of those that a trainer lists, and what is wrong with others that were meant. Those that `node.toml` names; else all of
/// one family, as a step waits for the slowest that shares it, and one adapter may be listed by two drivers.
fn gpus<'a>(config: &TrainingConfig, listed: &[&'a ProbedDevice]) -> (Vec<&'a ProbedDevice>, Vec<String>) {
    let mut faults = Vec::new();
    let meant: Vec<&ProbedDevice> = match &config.gpus {
        Some(numbers) => {
            let find = |number: &u32| {
                let found = listed.iter().find(|gpu| gpu.adapter() == Some(*number)).copied();
                if found.is_none() {
                    faults.push(format!("GPU {number}: the trainer lists none of this number"));
                }
                found
            };
            numbers.iter().filter_map(find).collect()
        }
        None => {
            let first = listed.iter().find(|gpu| is_usable(gpu)).or(listed.first());
            let family = first.map(|gpu| gpu.family.as_str());
            let alike = |gpu: &&&ProbedDevice| family == Some(gpu.family.as_str());
            listed.iter().filter(alike).copied().collect()
        }
    };
    let (sound, unsound): (Vec<_>, Vec<_>) = meant.into_iter().partition(|gpu| is_usable(gpu));
    let note = |gpu: &&ProbedDevice| {
        let why = gpu.note.as_deref().unwrap_or("its probe is not sound");
        format!("{}: {why}", gpu.name)
    };
    faults.extend(unsound.iter().map(note));
    (sound, faults)
}

fn is_usable(gpu: &ProbedDevice) -> bool {
    gpu.sound && gpu.adapter().is_some()
}

/// What a job asks for to use all of `chosen`, their name, and why. Mixed precision needs all of them: in a step one precision is told.
fn together_on(chosen: &[&ProbedDevice], wished: Precision) -> (DeviceChoice, String, Vec<String>) {
    let agree = if chosen.len() == 1 {
        "its probe agrees with the CPU"
    } else {
        "their probes agree with the CPU"
    };
    let mut why = vec![agree.to_owned()];
    let mut precision = wished;
    if wished == Precision::Mixed {
        let refusal = chosen
            .iter()
            .find_map(|gpu| gpu.halves().err().map(|why| (&gpu.name, why)));
        if let Some((name, fault)) = refusal {
            precision = Precision::Full;
            why.push(format!(
                "in full precision, not in mixed as node.toml asks: {name}: {fault}"
            ));
        }
    }
    let told: Vec<(&str, Option<&str>)> = chosen
        .iter()
        .map(|gpu| match precision {
            Precision::Full => (gpu.name.as_str(), None),
            Precision::Mixed => (gpu.name.as_str(), gpu.halves().ok()),
        })
        .collect();
    let gpus = Gpus {
        adapters: chosen.iter().filter_map(|gpu| gpu.adapter()).collect(),
        precision,
    };
    (DeviceChoice::Gpu(gpus), together(&told), why)
}

#[cfg(test)]
mod tests;
