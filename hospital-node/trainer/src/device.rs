//! Where to compute: always the CPU, and the adapters of a build for GPUs.

use burn::tensor::Device;
use snowball_worker::job::DeviceChoice;

use crate::{failure::Failure, probe};

/// What this build can use, for people.
pub const BUILD: &str = if cfg!(all(feature = "cuda", feature = "wgpu")) {
    "built for CPU, CUDA and Vulkan"
} else if cfg!(feature = "cuda") {
    "built for CPU and CUDA"
} else if cfg!(feature = "wgpu") {
    "built for CPU and Vulkan"
} else {
    "built for CPU"
};

/// Whether this build knows any GPU.
pub const KNOWS_GPUS: bool = cfg!(any(feature = "cuda", feature = "wgpu"));

/// A device to compute on.
pub struct Place {
    /// burn's handle.
    pub device: Device,
    /// Its name, for people.
    pub name: String,
    /// Whether it is the CPU.
    pub is_cpu: bool,
}

impl Place {
    /// The CPU, which is always there.
    pub fn cpu() -> Self {
        Self {
            device: Device::flex(),
            name: format!("CPU, {} threads", rayon::current_num_threads()),
            is_cpu: true,
        }
    }

    /// The device that a job asked for. A GPU is tried with a small computation first; the CPU never stands in for it unasked.
    pub fn open(choice: DeviceChoice) -> Result<Self, Failure> {
        match choice {
            DeviceChoice::Cpu => Ok(Self::cpu()),
            DeviceChoice::Gpu if !KNOWS_GPUS => Err(Failure::new(
                "this trainer is built for CPUs only",
                "install the trainer built with --features wgpu, or train on the CPU",
            )),
            DeviceChoice::Gpu => adapters().into_iter().find(probe::is_sound).ok_or_else(|| {
                Failure::new(
                    "no GPU passed the probe",
                    "run snowball-trainer probe to see why; check the driver, or train on the CPU",
                )
            }),
        }
    }
}

/// The GPUs that this build reaches: discrete, integrated and virtual ones. Software that plays a GPU is left out: it crashes
/// inside its driver.
pub fn adapters() -> Vec<Place> {
    cuda().into_iter().chain(vulkan()).collect()
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Vec<Place> {
    Vec::new()
}

#[cfg(feature = "cuda")]
fn cuda() -> Vec<Place> {
    let devices = Device::enumerate(burn::tensor::DeviceType::Cuda).into_vec();
    devices
        .into_iter()
        .enumerate()
        .map(|(number, device)| place(device, &format!("CUDA device {number}")))
        .collect()
}

#[cfg(not(feature = "wgpu"))]
fn vulkan() -> Vec<Place> {
    Vec::new()
}

#[cfg(feature = "wgpu")]
fn vulkan() -> Vec<Place> {
    use burn::tensor::{DeviceKind, DeviceType};

    /// More adapters of a kind than any machine has.
    const ADAPTERS_MAX: usize = 16;

    let listed = Device::enumerate(DeviceType::Vulkan).into_vec();
    let kinds: [(&str, fn(usize) -> DeviceKind); 3] = [
        ("discrete", DeviceKind::DiscreteGpu),
        ("integrated", DeviceKind::IntegratedGpu),
        ("virtual", DeviceKind::VirtualGpu),
    ];
    let mut places = Vec::new();
    for (kind, make) in kinds {
        for number in 0..ADAPTERS_MAX {
            let device = Device::vulkan(make(number));
            if listed.contains(&device) {
                places.push(place(device, &format!("Vulkan, {kind} GPU {number}")));
            }
        }
    }
    places
}

/// A GPU under the name that it gives itself. Asking opens it, which panics where its driver is broken.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn place(device: Device, kind: &str) -> Place {
    let identity = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| device.identity()));
    let name = match identity {
        Ok(Some(identity)) => format!("{} ({kind})", identity.name),
        Ok(None) | Err(_) => kind.to_owned(),
    };
    Place {
        device,
        name,
        is_cpu: false,
    }
}
