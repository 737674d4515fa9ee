//! N111: the GPUs that the installed trainers list. Each did a small real computation, which the CPU did as well.

use snowball_service::doctor::{Check, Finding};
use snowball_worker::job::{DeviceChoice, ProbedDevice};

use crate::{
    config::{DeviceWish, NodeConfig},
    trainer::Installed,
};

const CHECK: Check = Check::new("N111", "gpu");

pub fn look(config: &NodeConfig, installed: &[Installed]) -> Finding {
    let gpus: Vec<ProbedDevice> = installed
        .iter()
        .filter_map(|trainer| trainer.found.as_ref().ok())
        .flat_map(|probed| {
            probed
                .devices
                .iter()
                .filter(|device| device.choice == DeviceChoice::Gpu)
                .cloned()
        })
        .collect();
    judge(config.training.device, &gpus)
}

fn judge(wish: DeviceWish, gpus: &[ProbedDevice]) -> Finding {
    let told = gpus.iter().map(words).collect::<Vec<_>>().join("; ");
    let remedy = "see the driver (nvidia-smi, vulkaninfo --summary) and that the node's user may open /dev/nvidia* or /dev/dri/render*; \
                  until then device = \"cpu\" under [training] trains on the CPU";
    let is_sound = gpus.iter().any(|gpu| gpu.sound);
    match (wish, gpus.is_empty(), is_sound) {
        (DeviceWish::Gpu, true, _) => CHECK.bad(
            "node.toml asks for a GPU, and no installed trainer lists one",
            format!("install snowball-trainer-wgpu or snowball-trainer-cuda beside hospital-node; {remedy}"),
        ),
        (DeviceWish::Gpu, false, false) => CHECK.bad(told, remedy),
        (DeviceWish::Auto, false, false) => CHECK.look(format!("{told}; the CPU is used"), remedy),
        (_, true, _) => CHECK.good("no installed trainer lists one; the CPU is used"),
        (DeviceWish::Cpu, false, _) => CHECK.good(format!("{told}; not used, as node.toml says")),
        (_, false, true) => CHECK.good(told),
    }
}

fn words(gpu: &ProbedDevice) -> String {
    if gpu.sound {
        format!(
            "{}: its computation agrees with the CPU's to {:.1e}, in {:.2} s",
            gpu.name, gpu.difference, gpu.seconds
        )
    } else {
        format!(
            "{}: {}",
            gpu.name,
            gpu.note.as_deref().unwrap_or("its computation is not the CPU's")
        )
    }
}

#[cfg(test)]
mod tests {
    use snowball_service::doctor::State;

    use super::*;

    fn gpu(sound: bool) -> ProbedDevice {
        ProbedDevice {
            name: "Adapter".to_owned(),
            choice: DeviceChoice::Gpu,
            sound,
            difference: 2e-6,
            seconds: 0.25,
            note: None,
        }
    }

    #[test]
    fn a_gpu_that_is_asked_for_must_compute_and_another_need_not() {
        let state = |wish, gpus: &[ProbedDevice]| judge(wish, gpus).state;
        assert_eq!(state(DeviceWish::Gpu, &[]), State::Bad);
        assert_eq!(state(DeviceWish::Gpu, &[gpu(false)]), State::Bad);
        assert_eq!(state(DeviceWish::Auto, &[gpu(false)]), State::Look);
        assert_eq!(state(DeviceWish::Auto, &[]), State::Good);
        assert_eq!(state(DeviceWish::Cpu, &[gpu(false)]), State::Good);
        let sound = judge(DeviceWish::Auto, &[gpu(false), gpu(true)]);
        assert!(
            sound.state == State::Good && sound.says.contains("agrees with the CPU's to 2.0e-6"),
            "{sound:?}"
        );
    }
}
