//! N111: the GPUs that the installed trainers list. Each did a small real computation, which the CPU did as well.

use snowball_service::doctor::{Check, Finding};
use snowball_worker::job::{Precision, ProbedDevice, ProbedMixed};

use crate::{
    config::{DeviceWish, TrainingConfig},
    trainer::{Installed, meant_gpus},
};

const CHECK: Check = Check::new("N111", "gpu");

/// What `pick` would use, so that this never finds good what does not train.
pub fn look(config: &TrainingConfig, installed: &[Installed]) -> Finding {
    let mut told: Vec<String> = installed.iter().flat_map(Installed::gpus).map(words).collect();
    let remedy = "see the driver (nvidia-smi, vulkaninfo --summary) and that the node's user may open /dev/nvidia* or /dev/dri/render*; \
                  until then device = \"cpu\" under [training] trains on the CPU";
    if config.device == DeviceWish::Cpu && !told.is_empty() {
        return CHECK.good(format!("{}; not used, as node.toml says", told.join("; ")));
    }
    let insists = config.device == DeviceWish::Gpu;
    match meant_gpus(config, installed) {
        Ok(meant) => {
            let wanting = wanting(config.precision, &meant.chosen, &meant.faults);
            if wanting.is_empty() {
                CHECK.good(told.join("; "))
            } else {
                told.extend(wanting);
                CHECK.look(told.join("; "), remedy)
            }
        }
        Err(faults) if config.device == DeviceWish::Cpu || (faults.is_empty() && !insists) => {
            CHECK.good("no installed trainer lists one; the CPU is used")
        }
        Err(faults) if faults.is_empty() => CHECK.bad(
            "node.toml asks for a GPU, and no installed trainer lists one",
            format!("install snowball-trainer-wgpu or snowball-trainer-cuda beside hospital-node; {remedy}"),
        ),
        Err(faults) => {
            let faults = faults.join("; ");
            if insists {
                told.push(format!("node.toml insists on GPUs, and nothing is trained: {faults}"));
                CHECK.bad(told.join("; "), remedy)
            } else {
                told.push(format!("no GPU is used: {faults}"));
                CHECK.look(told.join("; "), remedy)
            }
        }
    }
}

/// What `node.toml` means to use and does not get, where some GPUs are used.
fn wanting(wished: Precision, chosen: &[&ProbedDevice], faults: &[String]) -> Vec<String> {
    let mut wanting: Vec<String> = faults.iter().map(|fault| format!("not used: {fault}")).collect();
    if wished == Precision::Mixed {
        let refusal =
            |gpu: &&ProbedDevice| Some(format!("no mixed precision on {}: {}", gpu.name, gpu.halves().err()?));
        wanting.extend(chosen.iter().filter_map(refusal));
    }
    wanting
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
    use std::path::PathBuf;

    use snowball_confine::{Confinement, Hold};
    use snowball_service::doctor::State;
    use snowball_worker::job::{DeviceChoice, Gpus};

    use super::*;
    use crate::trainer::Probed;

    /// What is said where one trainer is installed and lists these.
    fn judge(config: &TrainingConfig, devices: &[ProbedDevice]) -> Finding {
        let confinement = Confinement {
            files: Hold::Whole,
            calls: Hold::Whole,
            memory: Hold::Whole,
        };
        let probed = Probed {
            devices: devices.to_vec(),
            confinement,
        };
        let installed = Installed {
            program: PathBuf::from("trainer"),
            found: Ok(probed),
        };
        look(config, &[installed])
    }

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
        let state = |device, gpus: &[ProbedDevice]| judge(&wish(device), gpus).state;
        assert_eq!(state(DeviceWish::Gpu, &[]), State::Bad);
        assert_eq!(state(DeviceWish::Gpu, &[gpu(0, false)]), State::Bad);
        assert_eq!(state(DeviceWish::Auto, &[gpu(0, false)]), State::Look);
        assert_eq!(state(DeviceWish::Auto, &[]), State::Good);
        assert_eq!(state(DeviceWish::Cpu, &[gpu(0, false)]), State::Good);
        let sound = judge(&wish(DeviceWish::Auto), &[gpu(0, true)]);
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
        let one_of_two = judge(&wish(DeviceWish::Auto), &[gpu(0, false), gpu(1, true)]);
        assert!(
            one_of_two.state == State::Look && one_of_two.says.contains("not used: Adapter"),
            "{one_of_two:?}"
        );
        let named = TrainingConfig {
            gpus: Some(vec![1]),
            precision: Precision::Mixed,
            ..wish(DeviceWish::Auto)
        };
        let full = judge(&named, &[gpu(0, false), gpu(1, true)]);
        assert!(full.state == State::Look && !full.says.contains("not used"), "{full:?}");
        assert!(full.says.contains("no mixed precision on Adapter"), "{full:?}");
        let mut able = gpu(1, true);
        able.mixed = Some(ProbedMixed {
            halves: Some("bf16".to_owned()),
            sound: true,
            difference: 8e-3,
            note: None,
        });
        let mixed = judge(&named, &[able]);
        assert!(
            mixed.state == State::Good && mixed.says.contains("in mixed precision (bf16) to 8.0e-3"),
            "{mixed:?}"
        );
    }

    #[test]
    fn a_trainer_that_does_not_work_is_told_where_it_may_have_gpus() {
        let state = |device| {
            let installed = Installed {
                program: PathBuf::from("of-cuda"),
                found: Err(anyhow::anyhow!("it is of another version")),
            };
            let found = look(&wish(device), &[installed]);
            assert_eq!(found.says.contains("of-cuda"), found.state != State::Good, "{found:?}");
            found.state
        };
        assert_eq!(state(DeviceWish::Auto), State::Look);
        assert_eq!(state(DeviceWish::Gpu), State::Bad);
        assert_eq!(state(DeviceWish::Cpu), State::Good);
    }

    /// Who insists on two GPUs and has one of them trains nothing, and hears so.
    #[test]
    fn gpus_that_are_insisted_on_by_number_must_all_compute() {
        let named = |device, numbers: &[u32]| TrainingConfig {
            gpus: Some(numbers.to_vec()),
            ..wish(device)
        };
        let machine = [gpu(0, true), gpu(1, false)];
        for numbers in [[0, 1], [0, 7]] {
            let refused = judge(&named(DeviceWish::Gpu, &numbers), &machine);
            assert!(
                refused.state == State::Bad && refused.says.contains("nothing is trained"),
                "{refused:?}"
            );
            let fewer = judge(&named(DeviceWish::Auto, &numbers), &machine);
            assert!(
                fewer.state == State::Look && fewer.says.contains("not used"),
                "{fewer:?}"
            );
        }
        assert_eq!(judge(&named(DeviceWish::Gpu, &[0]), &machine).state, State::Good);
        let none = judge(&named(DeviceWish::Auto, &[1]), &machine);
        assert!(
            none.state == State::Look && none.says.contains("no GPU is used"),
            "{none:?}"
        );
    }
}
