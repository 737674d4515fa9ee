//! N110 and N111: a trainer works here and is held by the kernel, and what it finds of GPUs, each after a small real computation.
//! One probe tells both.

use snowball_service::doctor::{Check, Finding};

use super::{fault, gpu};
use crate::{config::NodeConfig, home::Home, trainer};

const CHECK: Check = Check::new("N110", "trainer");

pub fn look(home: &Home, config: &NodeConfig) -> Vec<Finding> {
    let remedy = "put snowball-trainer (and, for a GPU, snowball-trainer-wgpu or -cuda) beside hospital-node, of the same version; where \
                  the kernel cannot hold it, see \"How the trainer is held\" in operating.md";
    let installed = match trainer::installed(&config.training, &home.scratch()) {
        Ok(installed) => installed,
        Err(error) => return vec![CHECK.of(Err(fault(&error, remedy)))],
    };
    let gpus = gpu::look(&config.training, &installed);
    let chosen = trainer::choose_among(&config.training, &home.scratch(), &installed);
    let finding = match chosen {
        Ok(trainer) => {
            let says = format!(
                "{}: {}; it keeps {}",
                trainer.device_name, trainer.why, trainer.confinement
            );
            if trainer.confinement.is_whole() {
                CHECK.good(says)
            } else {
                CHECK.look(
                    says,
                    "let the ethics board know, or use a kernel with Landlock and seccomp (Linux 6.7 or later)",
                )
            }
        }
        Err(error) => CHECK.of(Err(fault(&error, remedy))),
    };
    vec![finding, gpus]
}
