//! Where to compute: always the CPU, and the adapters of a build for GPUs.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use burn::tensor::Device;
use snowball_models::{Halves, ModelError, Network};
use snowball_protocol::StudyPlan;

use crate::failure::Failure;

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
#[derive(Clone, Debug)]
pub struct Place {
    /// burn's handle.
    pub device: Device,
    /// Its name, for people.
    pub name: String,
    /// Whether it is the CPU.
    pub is_cpu: bool,
    /// Its place in the list of adapters.
    pub number: u32,
    /// Those of one family are alike enough to share a step.
    pub family: String,
    /// What it computes the products of training in, where not in f32.
    pub halves: Option<Halves>,
    /// How many slices overflowed in halves and were done once more in full.
    pub again_in_full: Arc<AtomicU64>,
}

impl Place {
    /// The CPU, which is always there.
    pub fn cpu() -> Self {
        Self {
            device: Device::flex(),
            name: format!("CPU, {} threads", rayon::current_num_threads()),
            is_cpu: true,
            number: 0,
            family: "CPU".to_owned(),
            halves: None,
            again_in_full: Arc::default(),
        }
    }

    /// What it could compute the products of training in. On a CPU halves are slower, so it never does.
    pub fn halves(&self) -> Option<Halves> {
        Halves::of(&self.device).filter(|_| !self.is_cpu)
    }

    /// The network of `plan` as it learns here: where asked, its products are in halves.
    pub fn learning(
        &self,
        plan: &StudyPlan,
        parameters: &[f32],
        learns: impl Fn(usize) -> bool,
    ) -> Result<Network, ModelError> {
        let device = self.device.clone().autodiff();
        let network = Network::load_learning(plan, parameters, &device, |tensor| learns(tensor.offset))?;
        Ok(network.in_halves(self.halves))
    }

    /// Does `pass` here; once more in full where it was done in halves and something overflowed in them, which is counted.
    pub fn pass<T>(
        &self,
        pass: impl Fn(&Self) -> Result<T, Failure>,
        is_finite: impl Fn(&T) -> bool,
    ) -> Result<T, Failure> {
        let passed = pass(self)?;
        if self.halves.is_none() || is_finite(&passed) {
            return Ok(passed);
        }
        self.again_in_full.fetch_add(1, Ordering::Relaxed);
        pass(&Self {
            halves: None,
            ..self.clone()
        })
    }
}

/// The GPUs that this build reaches: discrete, integrated and virtual ones. Software that plays a GPU is left out: it crashes
/// inside its driver.
pub fn adapters() -> Vec<Place> {
    numbered(cuda().into_iter().chain(vulkan()))
}

/// The adapters with their numbers and families.
fn numbered(adapters: impl IntoIterator<Item = Place>) -> Vec<Place> {
    let number = |(number, place): (u32, Place)| Place {
        number,
        family: family(&place.name).to_owned(),
        ..place
    };
    (0..).zip(adapters).map(number).collect()
}

/// How an adapter is reached and of what kind it is: the end of its name, less its number there.
fn family(name: &str) -> &str {
    let end = name.rsplit('(').next().unwrap_or(name);
    end.trim_end_matches(')')
        .trim_end_matches(|end: char| end.is_ascii_digit() || end == ' ')
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
        ..Place::cpu()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapters_are_numbered_and_of_one_family_where_they_are_reached_alike() {
        let names = [
            "NVIDIA H200 (CUDA device 0)",
            "CUDA device 1",
            "AMD Radeon 7900 (RADV NAVI31) (Vulkan, discrete GPU 10)",
            "Intel UHD (Vulkan, integrated GPU 0)",
        ];
        let listed = names.map(|name| Place {
            name: name.to_owned(),
            ..Place::cpu()
        });
        let found: Vec<(u32, String)> = (numbered(listed).into_iter())
            .map(|place| (place.number, place.family))
            .collect();
        let families = [
            "CUDA device",
            "CUDA device",
            "Vulkan, discrete GPU",
            "Vulkan, integrated GPU",
        ];
        assert_eq!(found, (0..).zip(families.map(str::to_owned)).collect::<Vec<_>>());
    }
}
