//! What is picked of which machine.

use std::path::PathBuf;

use snowball_confine::Hold;
use snowball_worker::job::ProbedMixed;

use super::*;

fn cpu() -> ProbedDevice {
    ProbedDevice {
        name: "processor".to_owned(),
        choice: DeviceChoice::Cpu,
        sound: true,
        difference: 0.0,
        seconds: 0.0,
        note: None,
        family: "CPU".to_owned(),
        mixed: None,
    }
}

/// A GPU that is sound in both precisions.
fn gpu(number: u32, family: &str) -> ProbedDevice {
    ProbedDevice {
        name: format!("adapter {number}"),
        choice: DeviceChoice::Gpu(Gpus {
            adapters: vec![number],
            precision: Precision::Full,
        }),
        family: family.to_owned(),
        mixed: Some(ProbedMixed {
            halves: Some("bf16".to_owned()),
            sound: true,
            difference: 1e-2,
            note: None,
        }),
        ..cpu()
    }
}

fn unsound(gpu: ProbedDevice) -> ProbedDevice {
    ProbedDevice {
        sound: false,
        note: Some("it burns".to_owned()),
        mixed: None,
        ..gpu
    }
}

fn without_halves(gpu: ProbedDevice) -> ProbedDevice {
    ProbedDevice {
        mixed: Some(ProbedMixed {
            halves: None,
            sound: false,
            difference: 0.0,
            note: Some("it has none".to_owned()),
        }),
        ..gpu
    }
}

fn trainers(gpus: Vec<ProbedDevice>) -> Vec<Installed> {
    vec![trainer("trainer", gpus)]
}

fn trainer(program: &str, gpus: Vec<ProbedDevice>) -> Installed {
    Installed {
        program: PathBuf::from(program),
        found: Ok(Probed {
            devices: std::iter::once(cpu()).chain(gpus).collect(),
            confinement: Confinement {
                files: Hold::Whole,
                calls: Hold::Whole,
                memory: Hold::Whole,
            },
        }),
    }
}

fn wish(device: DeviceWish, gpus: Option<&[u32]>, precision: Precision) -> TrainingConfig {
    TrainingConfig {
        device,
        gpus: gpus.map(<[u32]>::to_vec),
        precision,
        ..TrainingConfig::default()
    }
}

fn auto() -> TrainingConfig {
    wish(DeviceWish::Auto, None, Precision::Full)
}

fn chosen(config: &TrainingConfig, gpus: Vec<ProbedDevice>) -> (DeviceChoice, String) {
    let picked = pick(config, &trainers(gpus)).unwrap();
    (picked.device, format!("{} ({})", picked.name, picked.why))
}

fn asks(adapters: &[u32], precision: Precision) -> DeviceChoice {
    DeviceChoice::Gpu(Gpus {
        adapters: adapters.to_vec(),
        precision,
    })
}

#[test]
fn a_sound_gpu_is_taken_and_an_unsound_one_is_not() {
    assert_eq!(chosen(&auto(), vec![gpu(0, "CUDA")]).0, asks(&[0], Precision::Full));
    let cpu = wish(DeviceWish::Cpu, None, Precision::Full);
    assert_eq!(chosen(&cpu, vec![gpu(0, "CUDA")]).0, DeviceChoice::Cpu);
    let (device, says) = chosen(&auto(), vec![unsound(gpu(0, "CUDA"))]);
    assert!(device == DeviceChoice::Cpu && says.contains("it burns"), "{says}");
    let insists = wish(DeviceWish::Gpu, None, Precision::Full);
    assert!(pick(&insists, &trainers(vec![unsound(gpu(0, "CUDA"))])).is_err());
    assert!(pick(&auto(), &[]).is_err());
}

#[test]
fn all_sound_gpus_of_the_best_family_share_the_work() {
    let machine = vec![
        gpu(0, "CUDA"),
        unsound(gpu(1, "CUDA")),
        gpu(2, "CUDA"),
        gpu(3, "Vulkan"),
    ];
    let (device, says) = chosen(&auto(), machine);
    assert_eq!(device, asks(&[0, 2], Precision::Full));
    assert!(says.starts_with("2 devices: adapter 0 and adapter 2"), "{says}");
    assert!(says.contains("without adapter 1: it burns"), "{says}");
    // Where no adapter of the first family works the next one's do.
    let machine = vec![unsound(gpu(0, "CUDA")), gpu(1, "Vulkan"), gpu(2, "Vulkan")];
    assert_eq!(chosen(&auto(), machine).0, asks(&[1, 2], Precision::Full));
    // The line that stands for a probe that its driver took down is no adapter.
    let mut lost = gpu(0, "");
    lost.choice = DeviceChoice::Gpu(Gpus::default());
    assert_eq!(chosen(&auto(), vec![lost]).0, DeviceChoice::Cpu);
}

#[test]
fn gpus_that_are_named_are_taken_in_that_order_and_no_others() {
    let machine = || vec![gpu(0, "CUDA"), unsound(gpu(1, "CUDA")), gpu(2, "CUDA")];
    let named = |device, numbers: &[u32]| wish(device, Some(numbers), Precision::Full);
    let (device, _) = chosen(&named(DeviceWish::Gpu, &[2, 0]), machine());
    assert_eq!(device, asks(&[2, 0], Precision::Full));
    let (device, says) = chosen(&named(DeviceWish::Auto, &[1, 2, 7]), machine());
    assert_eq!(device, asks(&[2], Precision::Full));
    assert!(
        says.contains("it burns") && says.contains("GPU 7: the trainer lists none"),
        "{says}"
    );
    for numbers in [[0, 1], [0, 7]] {
        let fault = pick(&named(DeviceWish::Gpu, &numbers), &trainers(machine()))
            .err()
            .unwrap();
        assert!(
            fault
                .to_string()
                .contains(if numbers[1] == 1 { "it burns" } else { "GPU 7" }),
            "{fault}"
        );
    }
}

/// Number 1 of the build for CUDA is not number 1 of that for Vulkan.
#[test]
fn numbers_count_in_the_first_list_of_gpus_alone() {
    let machine = |cuda: Vec<ProbedDevice>| {
        let vulkan = vec![gpu(0, "Vulkan"), gpu(1, "Vulkan")];
        vec![trainer("of-cuda", cuda), trainer("of-vulkan", vulkan)]
    };
    let named = |device| wish(device, Some(&[1]), Precision::Full);
    let broken = || vec![gpu(0, "CUDA"), unsound(gpu(1, "CUDA"))];
    for cuda in [broken(), vec![gpu(0, "CUDA")]] {
        let fault = pick(&named(DeviceWish::Gpu), &machine(cuda)).err().unwrap().to_string();
        assert!(
            fault.contains("numbers of of-cuda") && fault.contains("name it as trainer"),
            "{fault}"
        );
    }
    let picked = pick(&named(DeviceWish::Auto), &machine(broken())).unwrap();
    assert!(
        picked.device == DeviceChoice::Cpu && picked.why.contains("numbers of of-cuda"),
        "{}",
        picked.why
    );
    // A trainer that lists no GPU numbers none; and without numbers the next one's GPUs do.
    let picked = pick(&named(DeviceWish::Gpu), &machine(Vec::new())).unwrap();
    assert_eq!((picked.program, picked.device), (1, asks(&[1], Precision::Full)));
    let picked = pick(&auto(), &machine(vec![unsound(gpu(0, "CUDA"))])).unwrap();
    assert_eq!((picked.program, picked.device), (1, asks(&[0, 1], Precision::Full)));
}

/// As one of another version that was left beside a new node.
#[test]
fn a_trainer_that_does_not_work_is_told_and_its_numbers_are_not_another_s() {
    let machine = || {
        let lost = Installed {
            program: PathBuf::from("of-cuda"),
            found: Err(anyhow::anyhow!("it is of another version")),
        };
        vec![
            lost,
            trainer("of-vulkan", vec![gpu(0, "Vulkan")]),
            trainer("plain", vec![]),
        ]
    };
    let picked = pick(&auto(), &machine()).unwrap();
    assert!(
        picked.program == 1 && picked.why.contains("without of-cuda: it is of another version"),
        "{}",
        picked.why
    );
    let named = |device| wish(device, Some(&[0]), Precision::Full);
    let picked = pick(&named(DeviceWish::Auto), &machine()).unwrap();
    assert!(
        picked.device == DeviceChoice::Cpu && picked.why.contains("numbers of of-cuda"),
        "{}",
        picked.why
    );
    let fault = pick(&named(DeviceWish::Gpu), &machine()).err().unwrap().to_string();
    assert!(fault.contains("of another version"), "{fault}");
    let mut without_vulkan = machine();
    without_vulkan.remove(1);
    let picked = pick(&auto(), &without_vulkan).unwrap();
    assert_eq!(picked.why, "of-cuda: it is of another version");
}

#[test]
fn mixed_precision_needs_all_gpus_and_its_lack_is_told() {
    let mixed = wish(DeviceWish::Auto, None, Precision::Mixed);
    let (device, says) = chosen(&mixed, vec![gpu(0, "CUDA"), gpu(1, "CUDA")]);
    assert_eq!(device, asks(&[0, 1], Precision::Mixed));
    assert!(says.contains("in mixed precision (bf16)"), "{says}");
    let mut other = gpu(1, "CUDA");
    other.mixed.as_mut().unwrap().halves = Some("f16".to_owned());
    let (device, says) = chosen(&mixed, vec![gpu(0, "CUDA"), other]);
    assert_eq!(device, asks(&[0, 1], Precision::Mixed));
    assert!(
        says.contains("adapter 0 in mixed precision (bf16) and adapter 1 in mixed precision (f16)"),
        "{says}"
    );
    let (device, says) = chosen(&mixed, vec![gpu(0, "CUDA"), without_halves(gpu(1, "CUDA"))]);
    assert_eq!(device, asks(&[0, 1], Precision::Full));
    assert!(
        says.contains("in full precision, not in mixed as node.toml asks: adapter 1: it has none"),
        "{says}"
    );
    let (device, says) = chosen(&auto(), vec![gpu(0, "CUDA")]);
    assert!(
        device == asks(&[0], Precision::Full) && !says.contains("precision"),
        "{says}"
    );
}
