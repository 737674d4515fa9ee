//! Lists the devices and tries each with a small network: forward and back, compared with the CPU.
//!
//! A broken driver takes the whole process with it, so adapters are tried in a child process: what it says before it dies
//! counts, and its death is a line in the list. The CPU itself is compared with finite differences.
//!
//! An adapter that computes soundly is tried in mixed precision as well, against the CPU's full precision: formats and kernels of halves
//! are what drivers get wrong most. So each is tried in a child of its own, and one that dies takes no verdict in full with it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Command, ExitCode, Output, Stdio},
    time::Instant,
};

use burn::tensor::{Device, Tensor, TensorData};
use snowball_layout::Layout;
use snowball_models::{Halves, Network};
use snowball_protocol::StudyPlan;
use snowball_worker::job::{DeviceChoice, Gpus, Precision, ProbedDevice, ProbedMixed};

use crate::{
    device::{self, Place},
    failure::Failure,
    say,
};

/// The hidden word by which the probe starts itself for the adapters.
pub const ADAPTERS: &str = "--adapters";
/// The hidden word by which the probe starts itself for halves on one adapter.
pub const HALVES: &str = "--halves";

/// Largest relative difference of a sound device. Matrix units may round to 10 bits.
const DIFFERENCE_MAX: f64 = 1e-2;
/// The same in mixed precision, where 8 bits are exact and each layer rounds: burn's own processor, in bf16, is 1e-2 away.
const MIXED_DIFFERENCE_MAX: f64 = 5e-2;
const PICTURES: usize = 6;
const SIDE: usize = 32;

/// The study of the probe: a class head, and a head of one output, which fused kernels have got wrong.
const PLAN: &str = include_str!("probe.json");

/// `snowball-trainer probe`.
pub fn print(as_json: bool) -> ExitCode {
    let devices = devices();
    if as_json {
        say(serde_json::to_string_pretty(&devices).unwrap_or_default());
    } else {
        say(format_args!(
            "snowball-trainer {} ({})",
            env!("CARGO_PKG_VERSION"),
            device::BUILD
        ));
        devices.iter().for_each(print_device);
        if !device::KNOWS_GPUS {
            say("a GPU would be used by the trainer built with --features wgpu (or cuda)");
        }
    }
    if devices.iter().any(|device| device.sound) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// `snowball-trainer probe --adapters`: one JSON line an adapter, each said before the next is tried.
pub fn print_adapters() -> ExitCode {
    for place in device::adapters() {
        say(serde_json::to_string(&probe(&place)).unwrap_or_default());
    }
    ExitCode::SUCCESS
}

/// `snowball-trainer probe --halves NUMBER`: one JSON line about mixed precision on that adapter.
pub fn print_halves(number: &str) -> ExitCode {
    let asked = |place: &Place| number.parse::<u32>() == Ok(place.number);
    let Some(place) = device::adapters().into_iter().find(asked) else {
        eprintln!("snowball-trainer: there is no GPU {number}; run snowball-trainer probe to see which there are");
        return ExitCode::FAILURE;
    };
    say(serde_json::to_string(&mixed(&place, place.halves())).unwrap_or_default());
    ExitCode::SUCCESS
}

/// All devices; the CPU is first.
pub fn devices() -> Vec<ProbedDevice> {
    let mut devices = vec![probe(&Place::cpu())];
    if device::KNOWS_GPUS {
        devices.extend(adapters_in_a_child());
        try_halves(&mut devices, halves_in_a_child);
    }
    devices
}

/// Has `halves` tried on each GPU that is sound in full, by its number.
fn try_halves(devices: &mut [ProbedDevice], halves: impl Fn(u32) -> ProbedMixed) {
    for device in devices.iter_mut().filter(|device| device.sound) {
        device.mixed = device.adapter().map(&halves);
    }
}

fn print_device(device: &ProbedDevice) {
    let verdict = if device.sound { "sound" } else { "NOT SOUND" };
    say(format_args!(
        "{}{:<28} {verdict:<10} difference {:.1e}  {:.1} ms",
        device
            .adapter()
            .map_or(String::new(), |number| format!("GPU {number}: ")),
        device.name,
        device.difference,
        device.seconds * 1e3
    ));
    if let Some(note) = &device.note {
        say(format_args!("    {note}"));
    }
    match (&device.mixed, device.halves()) {
        (None, _) => {}
        (Some(mixed), Ok(halves)) => say(format_args!(
            "    mixed precision ({halves}): sound, difference {:.1e}",
            mixed.difference
        )),
        (Some(_), Err(why)) => say(format_args!("    no mixed precision: {why}")),
    }
}

/// What this program says as `probe` with `words`.
fn child(words: &[&str]) -> std::io::Result<Output> {
    Command::new(std::env::current_exe()?)
        .arg("probe")
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .output()
}

fn halves_in_a_child(number: u32) -> ProbedMixed {
    match child(&[HALVES, &number.to_string()]) {
        Err(error) => none(format!("cannot start the probe of halves: {error}")),
        Ok(output) => heard(&output),
    }
}

/// Of a child that tried halves. What it said counts only where it lived: training would end as it did.
fn heard(output: &Output) -> ProbedMixed {
    if !output.status.success() {
        return none(format!("the driver took the probe of halves down ({})", output.status));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let mut lines = said.lines();
    let found = lines.find_map(|line| serde_json::from_str(line).ok());
    found.unwrap_or_else(|| none("the probe of halves said nothing".to_owned()))
}

fn adapters_in_a_child() -> Vec<ProbedDevice> {
    match child(&[ADAPTERS]) {
        Err(error) => vec![unsound("GPU", format!("cannot start the probe of adapters: {error}"))],
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            let mut devices: Vec<ProbedDevice> = said
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect();
            if !output.status.success() {
                devices.push(unsound(
                    "GPU",
                    format!("the driver took the probe down ({})", output.status),
                ));
            }
            devices
        }
    }
}

fn unsound(name: &str, note: String) -> ProbedDevice {
    ProbedDevice {
        name: name.to_owned(),
        choice: DeviceChoice::Gpu(Gpus::default()),
        sound: false,
        difference: 0.0,
        seconds: 0.0,
        note: Some(note),
        family: String::new(),
        mixed: None,
    }
}

/// What `place` computes in full beside what it should. Halves are not tried: a driver that computes soundly in full may abort on them.
pub fn probe(place: &Place) -> ProbedDevice {
    let choice = if place.is_cpu {
        DeviceChoice::Cpu
    } else {
        DeviceChoice::Gpu(Gpus {
            adapters: vec![place.number],
            precision: Precision::Full,
        })
    };
    let found = tried(|| compare(place));
    let said = unsound(&place.name, String::new());
    let said = ProbedDevice {
        choice,
        family: place.family.clone(),
        ..said
    };
    match found {
        Ok((difference, seconds)) => {
            let sound = difference < DIFFERENCE_MAX;
            ProbedDevice {
                sound,
                difference: written(difference),
                seconds,
                note: (!sound).then(|| TOO_FAR.to_owned()),
                ..said
            }
        }
        Err(failure) => ProbedDevice {
            note: Some(failure.reason),
            ..said
        },
    }
}

const TOO_FAR: &str = "its results differ too much from what they should be";

/// JSON has neither NaN nor infinity: a line with one could not be read again, and its device would be lost.
fn written(difference: f64) -> f64 {
    difference.min(f64::MAX)
}

/// No mixed precision, and why.
fn none(note: String) -> ProbedMixed {
    ProbedMixed {
        halves: None,
        sound: false,
        difference: 0.0,
        note: Some(note),
    }
}

/// The same in `halves`, which are those that `place` says it computes in.
pub fn mixed(place: &Place, halves: Option<Halves>) -> ProbedMixed {
    let Some(halves) = halves else {
        return none("it computes neither in bf16 nor in f16".to_owned());
    };
    match tried(|| apart(place, Some(halves))) {
        Ok(difference) => judge(halves, difference),
        Err(failure) => none(failure.reason),
    }
}

fn judge(halves: Halves, difference: f64) -> ProbedMixed {
    // A NaN is not below.
    let sound = difference < MIXED_DIFFERENCE_MAX;
    ProbedMixed {
        halves: Some(halves.code().to_owned()),
        sound,
        difference: written(difference),
        note: (!sound).then(|| format!("in {} {TOO_FAR}", halves.code())),
    }
}

fn tried<T>(compute: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(compute))
        .unwrap_or_else(|_| Err(Failure::new("the device failed in the tensor library", "")))
}

fn plan() -> Result<StudyPlan, Failure> {
    serde_json::from_str(PLAN).map_err(|error| Failure::new(format!("the probe's plan does not parse: {error}"), ""))
}

/// The largest relative difference from what should come out, and the seconds of a second run.
fn compare(place: &Place) -> Result<(f64, f64), Failure> {
    let plan = plan()?;
    let parameters = Layout::of(&plan).initial_parameters(plan.seed);
    let (_, gradient) = compute(&plan, &parameters, &place.device, None)?;
    let begun = Instant::now();
    compute(&plan, &parameters, &place.device, None)?;
    let seconds = begun.elapsed().as_secs_f64();
    if !place.is_cpu {
        return Ok((apart(place, None)?, seconds));
    }
    let length = gradient
        .iter()
        .map(|slope| f64::from(*slope).powi(2))
        .sum::<f64>()
        .sqrt();
    let at = |distance: f64| -> Result<f64, Failure> {
        let moved = parameters
            .iter()
            .zip(&gradient)
            .map(|(value, slope)| value + (distance * f64::from(*slope) / length) as f32);
        Ok(f64::from(
            compute(&plan, &moved.collect::<Vec<_>>(), &place.device, None)?.0,
        ))
    };
    let measured = (at(2e-3)? - at(-2e-3)?) / 4e-3;
    Ok(((measured / length - 1.0).abs(), seconds))
}

/// The largest difference of loss and slopes from the CPU's in full, as a share of the loss and of the largest slope.
fn apart(place: &Place, halves: Option<Halves>) -> Result<f64, Failure> {
    let plan = plan()?;
    let parameters = Layout::of(&plan).initial_parameters(plan.seed);
    let (loss, gradient) = compute(&plan, &parameters, &place.device, halves)?;
    let (expected_loss, expected) = compute(&plan, &parameters, &Device::flex(), None)?;
    let largest = expected.iter().fold(0.0_f32, |largest, slope| largest.max(slope.abs()));
    let slopes = gradient.iter().zip(&expected);
    let furthest = slopes.fold(0.0_f32, |furthest, (a, b)| worse(furthest, (a - b).abs()));
    Ok(f64::from(worse(
        furthest / largest,
        (loss - expected_loss).abs() / expected_loss,
    )))
}

/// Like `f32::max`, but a NaN wins.
fn worse(a: f32, b: f32) -> f32 {
    if b > a || b.is_nan() { b } else { a }
}

/// A smooth loss of a small network on fixed pictures, and its gradient.
fn compute(
    plan: &StudyPlan,
    parameters: &[f32],
    device: &Device,
    halves: Option<Halves>,
) -> Result<(f32, Vec<f32>), Failure> {
    let device = device.clone().autodiff();
    let network = Network::load(plan, parameters, &device)?.in_halves(halves);
    let values: Vec<f32> = (0..PICTURES * SIDE * SIDE)
        .map(|position| (position * 37 % 101) as f32 / 50.0 - 1.0)
        .collect();
    let pictures = Tensor::from_data(TensorData::new(values, [PICTURES, 1, SIDE, SIDE]), &device);
    let outputs = network.forward(pictures)?;
    let loss = outputs
        .into_iter()
        .map(|output| output.add_scalar(0.3).square().sum())
        .reduce(|sum, next| sum + next);
    let loss: Tensor<1> = loss.ok_or_else(|| Failure::new("the probe's plan has no head", ""))?;
    let value = loss.clone().detach().try_into_scalar::<f32>();
    let value = value.map_err(|error| Failure::new(format!("the device did not give its values back: {error}"), ""))?;
    let gradient = network.slopes(loss)?;
    Ok((value, gradient))
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus};

    use super::*;

    #[test]
    fn the_cpu_is_first_and_sound() {
        let devices = devices();
        assert_eq!(devices[0].choice, DeviceChoice::Cpu);
        assert!(devices[0].sound && devices[0].seconds > 0.0, "{devices:?}");
    }

    #[test]
    fn a_nan_is_worse_than_any_number() {
        assert!(worse(1.0, f32::NAN).is_nan());
        assert_eq!(worse(1.0, 0.5), 1.0);
    }

    /// What a GPU goes through, on the processor with burn's operations for every device.
    #[test]
    fn halves_are_found_sound_where_they_are_and_never_tried_unasked() {
        let like_a_gpu = Place {
            is_cpu: false,
            number: 3,
            ..Place::cpu()
        };
        let probed = probe(&like_a_gpu);
        assert!(probed.sound && probed.adapter() == Some(3), "{probed:?}");
        assert!(probed.mixed.is_none(), "{probed:?}");
        for halves in [Halves::Bf16, Halves::F16] {
            let found = mixed(&like_a_gpu, Some(halves));
            // In full it is 1e-6: halves were computed in, and are no further away than the bound with room to spare.
            assert!(
                found.sound && (1e-5..MIXED_DIFFERENCE_MAX / 3.0).contains(&found.difference),
                "{found:?}"
            );
        }
        assert!(mixed(&like_a_gpu, None).note.unwrap().contains("neither"));
        // A CPU that is asked all the same computes in none.
        let cpu = Place::cpu();
        assert!(mixed(&cpu, cpu.halves()).note.unwrap().contains("neither"));
    }

    /// A GPU whose driver aborts on halves, between one that has them and one that is not sound at all.
    #[test]
    fn a_driver_that_dies_on_halves_keeps_its_verdict_in_full() {
        let gpu = |number: u32, sound: bool| ProbedDevice {
            choice: DeviceChoice::Gpu(Gpus {
                adapters: vec![number],
                precision: Precision::Full,
            }),
            sound,
            ..unsound("adapter", String::new())
        };
        let said = |status: i32| Output {
            status: ExitStatus::from_raw(status),
            stdout: serde_json::to_vec(&judge(Halves::Bf16, 1e-3)).unwrap(),
            stderr: Vec::new(),
        };
        let mut devices = vec![probe(&Place::cpu()), gpu(0, true), gpu(1, true), gpu(2, false)];
        // The number of a signal alone is how the system says that it ended a process; 6 is SIGABRT.
        try_halves(&mut devices, |number| heard(&said(if number == 1 { 6 } else { 0 })));
        assert_eq!(devices[1].halves(), Ok("bf16"));
        assert!(devices[2].sound);
        let why = devices[2].halves().unwrap_err();
        assert!(why.contains("took the probe of halves down"), "{why}");
        assert!(devices[0].mixed.is_none() && devices[3].mixed.is_none());
        let silent = Output {
            stdout: Vec::new(),
            ..said(0)
        };
        assert!(!heard(&silent).sound);
    }

    #[test]
    fn what_is_not_a_number_can_be_written_and_read_again() {
        for difference in [f64::NAN, f64::INFINITY] {
            let judged = judge(Halves::F16, difference);
            let read: ProbedMixed = serde_json::from_str(&serde_json::to_string(&judged).unwrap()).unwrap();
            assert!(!read.sound && read.difference > MIXED_DIFFERENCE_MAX, "{read:?}");
        }
    }

    #[test]
    fn halves_that_are_wrong_are_not_sound() {
        let wrong = judge(Halves::F16, 0.2);
        assert!(!wrong.sound && wrong.note.unwrap().contains("f16"));
        assert!(!judge(Halves::Bf16, f64::NAN).sound);
        assert!(judge(Halves::Bf16, 1e-3).sound);
    }

    /// On a machine with a GPU, under a build for it: every adapter that is listed must be sound.
    #[test]
    fn every_adapter_is_sound() {
        let adapters = device::adapters();
        if adapters.is_empty() {
            eprintln!("skipped: no GPU here ({})", device::BUILD);
        }
        for place in adapters {
            let probed = probe(&place);
            assert!(probed.sound, "{probed:?}");
        }
    }
}
