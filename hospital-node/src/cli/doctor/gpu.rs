//! N111: the GPUs that the installed trainers list. Each did a small real computation, which the CPU did as well.

use snowball_service::doctor::{Check, Finding};
use snowball_worker::job::{Precision, ProbedDevice, ProbedMixed};

use crate::{
    config::{DeviceWish, TrainingConfig},
    trainer::{Installed, meant_gpus},
};

const CHECK: Check = Check::new("N111", "gpu");

pub fn look(config: &TrainingConfig, installed: &[Installed]) -> Finding {
    let probed = installed.iter().filter_map(|trainer| trainer.found.as_ref().ok());
    let listed: Vec<Vec<ProbedDevice>> = probed
        .map(|probed| {
            probed
                .devices
                .iter()
                .filter(|device| device.is_gpu())
                .cloned()
                .collect()
        })
        .collect();
    judge(config, &listed)
}

/// Of the GPUs that each trainer lists.
fn judge(config: &TrainingConfig, listed: &[Vec<ProbedDevice>]) -> Finding {
    let gpus: Vec<&ProbedDevice> = listed.iter().flatten().collect();
    let told = gpus.iter().copied().map(words).collect::<Vec<_>>().join("; ");
    let remedy = "see the driver (nvidia-smi, vulkaninfo --summary) and that the node's user may open /dev/nvidia* or /dev/dri/render*; \
                  until then device = \"cpu\" under [training] trains on the CPU";
    let is_sound = gpus.iter().any(|gpu| gpu.sound);
    match (config.device, gpus.is_empty(), is_sound) {
        (DeviceWish::Gpu, true, _) => CHECK.bad(
            "node.toml asks for a GPU, and no installed trainer lists one",
            format!("install snowball-trainer-wgpu or snowball-trainer-cuda beside hospital-node; {remedy}"),
        ),
        (DeviceWish::Gpu, false, false) => CHECK.bad(told, remedy),
        (DeviceWish::Auto, false, false) => CHECK.look(format!("{told}; the CPU is used"), remedy),
        (_, true, _) => CHECK.good("no installed trainer lists one; the CPU is used"),
        (DeviceWish::Cpu, false, _) => CHECK.good(format!("{told}; not used, as node.toml says")),
        (DeviceWish::Auto | DeviceWish::Gpu, false, true) => {
            let wanting = wanting(config, listed);
            if wanting.is_empty() {
                CHECK.good(told)
            } else {
                CHECK.look(format!("{told}; {}", wanting.join("; ")), remedy)
            }
        }
    }
}

/// What `node.toml` means to use and does not get, of the first trainer that works on GPUs.
fn wanting(config: &TrainingConfig, listed: &[Vec<ProbedDevice>]) -> Vec<String> {
    for gpus in listed {
        let (chosen, faults) = meant_gpus(config, &gpus.iter().collect::<Vec<_>>());
        if chosen.is_empty() {
            continue;
        }
        let mut wanting: Vec<String> = faults.iter().map(|fault| format!("not used: {fault}")).collect();
        if config.precision == Precision::Mixed {
            let refusal =
                |gpu: &&ProbedDevice| Some(format!("no mixed precision on {}: {}", gpu.name, gpu.halves().err()?));
            wanting.extend(chosen.iter().filter_map(refusal));
        }
        return wanting;
    }
    vec!["none of the GPUs that node.toml names can be used".to_owned()]
}

fn words(gpu: &ProbedDevice) -> String {
    let number = gpu.adapter().map_or(String::new(), |number| format!("GPU {number}, "));
    let name = &gpu.name;
    if !gpu.sound {
        let why = gpu.note.as_deref().unwrap_or("its computation is not the CPU's");
        return format!("{number}{name}: {why}");
    }
    let mixed = match &gpu.mixed {
        Some(ProbedMixed {
            sound: true,
            difference,
            halves: Some(halves),
            ..
        }) => format!("; in mixed precision ({halves}) to {difference:.1e}"),
        _ => String::new(),
    };
    format!(
        "{number}{name}: its computation agrees with the CPU's to {:.1e}, in {:.2} s{mixed}",
        gpu.difference, gpu.seconds
    )
}

#[cfg(test)]
mod tests {
    use snowball_service::doctor::State;
    use snowball_worker::job::{DeviceChoice, Gpus};

    use super::*;

    fn gpu(number: u32, sound: bool) -> ProbedDevice {
        ProbedDevice {
            name: "Adapter".to_owned(),
            choice: DeviceChoice::Gpu(Gpus {
                adapters: vec![number],
                precision: Precision::Full,
            }),
            sound,
            difference: 2e-6,
            seconds: 0.25,
            note: None,
            family: "CUDA".to_owned(),
            mixed: None,
        }
    }

    fn wish(device: DeviceWish) -> TrainingConfig {
        TrainingConfig {
            device,
            ..TrainingConfig::default()
        }
    }

    #[test]
    fn a_gpu_that_is_asked_for_must_compute_and_another_need_not() {
        let state = |device, gpus: &[ProbedDevice]| judge(&wish(device), &[gpus.to_vec()]).state;
        assert_eq!(state(DeviceWish::Gpu, &[]), State::Bad);
        assert_eq!(state(DeviceWish::Gpu, &[gpu(0, false)]), State::Bad);
        assert_eq!(state(DeviceWish::Auto, &[gpu(0, false)]), State::Look);
        assert_eq!(state(DeviceWish::Auto, &[]), State::Good);
        assert_eq!(state(DeviceWish::Cpu, &[gpu(0, false)]), State::Good);
        let sound = judge(&wish(DeviceWish::Auto), &[vec![gpu(0, true)]]);
        assert!(
            sound.state == State::Good
                && sound
                    .says
                    .contains("GPU 0, Adapter: its computation agrees with the CPU's to 2.0e-6"),
            "{sound:?}"
        );
    }

    #[test]
    fn a_gpu_or_a_precision_that_is_meant_and_cannot_be_had_is_told() {
        let one_of_two = judge(&wish(DeviceWish::Auto), &[vec![gpu(0, false), gpu(1, true)]]);
        assert!(
            one_of_two.state == State::Look && one_of_two.says.contains("not used: Adapter"),
            "{one_of_two:?}"
        );
        let named = TrainingConfig {
            gpus: Some(vec![1]),
            precision: Precision::Mixed,
            ..wish(DeviceWish::Auto)
        };
        let full = judge(&named, &[vec![gpu(0, false), gpu(1, true)]]);
        assert!(full.state == State::Look && !full.says.contains("not used"), "{full:?}");
        assert!(full.says.contains("no mixed precision on Adapter"), "{full:?}");
        let mut able = gpu(1, true);
        able.mixed = Some(ProbedMixed {
            halves: Some("bf16".to_owned()),
            sound: true,
            difference: 8e-3,
            note: None,
        });
        let mixed = judge(&named, &[vec![able]]);
        assert!(
            mixed.state == State::Good && mixed.says.contains("in mixed precision (bf16) to 8.0e-3"),
            "{mixed:?}"
        );
    }
}
