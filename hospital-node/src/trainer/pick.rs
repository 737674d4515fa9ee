//! Which trainer and which devices, of what their probes found.

use anyhow::{Result, bail};
use snowball_confine::Confinement;
use snowball_worker::job::{DeviceChoice, Gpus, Precision, ProbedDevice, together};

use super::Installed;
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
        for (program, found) in installed.iter().enumerate() {
            let Ok(probed) = &found.found else { continue };
            let listed: Vec<&ProbedDevice> = probed.devices.iter().filter(|device| device.is_gpu()).collect();
            let (chosen, faults) = gpus(config, &listed);
            // Who insists on certain GPUs is not given fewer of them.
            let is_less = wish == DeviceWish::Gpu && config.gpus.is_some() && !faults.is_empty();
            if chosen.is_empty() || is_less {
                notes.extend(faults);
                continue;
            }
            let (device, name, mut why) = together_on(&chosen, config.precision);
            why.extend(faults.iter().map(|fault| format!("without {fault}")));
            return Ok(Picked {
                confinement: probed.confinement.clone(),
                program,
                device,
                name,
                why: why.join("; "),
            });
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
            Err(fault) => notes.push(format!("{}: {fault:#}", found.program.display())),
        }
    }
    bail!("no trainer works: {}; run hospital-node doctor", notes.join("; "))
}

/// The GPUs to use of those that a trainer lists, and what is wrong with others that were meant. Those that `node.toml` names; else all of
/// one family, as a step waits for the slowest that shares it, and one adapter may be listed by two drivers.
pub fn gpus<'a>(config: &TrainingConfig, listed: &[&'a ProbedDevice]) -> (Vec<&'a ProbedDevice>, Vec<String>) {
    let mut faults = Vec::new();
    let meant: Vec<&ProbedDevice> = match &config.gpus {
        Some(numbers) => {
            let find = |number: &u32| {
                let found = listed.iter().find(|gpu| gpu.adapter() == Some(*number)).copied();
                if found.is_none() && !listed.is_empty() {
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
    let mut halves = None;
    if wished == Precision::Mixed {
        let refusal = chosen
            .iter()
            .find_map(|gpu| gpu.halves().err().map(|why| (&gpu.name, why)));
        match refusal {
            None => halves = chosen.first().and_then(|gpu| gpu.halves().ok()),
            Some((name, fault)) => why.push(format!(
                "in full precision, not in mixed as node.toml asks: {name}: {fault}"
            )),
        }
    }
    let precision = if halves.is_some() {
        Precision::Mixed
    } else {
        Precision::Full
    };
    let names: Vec<&str> = chosen.iter().map(|gpu| gpu.name.as_str()).collect();
    let gpus = Gpus {
        adapters: chosen.iter().filter_map(|gpu| gpu.adapter()).collect(),
        precision,
    };
    (DeviceChoice::Gpu(gpus), together(&names, halves), why)
}

#[cfg(test)]
mod tests;
