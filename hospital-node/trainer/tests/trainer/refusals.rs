//! What the trainer does not do, and says so.

use super::*;

#[test]
fn what_cannot_be_done_is_said_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    dataset(&data, &[BodyPart::Chest, BodyPart::Hand, BodyPart::Knee]);
    let plan = plan();
    let parameters = Layout::of(&plan).initial_parameters(plan.seed);
    let fails = |job: TrainJob, parameters: &[f32], expected: &str| {
        let outcome = run(&Job::Train(job), Some(parameters));
        let (reason, remedy) = reason(&outcome);
        assert!(reason.contains(expected) && !remedy.is_empty(), "{reason} ({remedy})");
    };
    fails(job(&plan, &folder.path().join("none"), 1), &parameters, "cannot use");
    fails(job(&plan, &data, 1), &parameters[1..], "longer than the limit");
    fails(job(&plan, &data, 1), &vec![f32::NAN; parameters.len()], "NaN");
    if !cfg!(any(feature = "wgpu", feature = "cuda")) {
        fails(
            TrainJob {
                device: DeviceChoice::Gpu(Gpus::default()),
                ..job(&plan, &data, 1)
            },
            &parameters,
            "CPUs only",
        );
    }

    let mut wrong = plan.clone();
    wrong.network.input_side = 64;
    fails(job(&wrong, &data, 1), &parameters, "squares of 32 pixels");
    let mut unsound = plan.clone();
    unsound.network.width = 7;
    fails(job(&unsound, &data, 1), &parameters, "not sound");
    // Every step multiplies the age head's output until it leaves the range of f32.
    let mut steep = plan.clone();
    steep.optimiser.rule = OptimiserRule::Sgd { momentum: 0.9 };
    steep.optimiser.learning_rate = 10.0;
    steep.optimiser.schedule = Schedule::Constant;
    steep.optimiser.gradient_norm_max = None;
    steep.heads.iter_mut().for_each(|head| head.weight = 1e6);
    let mut close = parameters.clone();
    let age = Layout::of(&plan).tensor("heads.age.weight").unwrap().offset;
    close[age] = 1e37;
    fails(job(&steep, &data, 20), &close, "diverged");

    let empty = folder.path().join("empty");
    writer(&empty).finish().unwrap();
    fails(job(&plan, &empty, 1), &parameters, "training part");

    let locked = TrainJob {
        dataset: DatasetSource {
            key: DatasetKey::from_bytes(&[8; 32]).unwrap(),
            ..source(&data)
        },
        ..job(&plan, &data, 1)
    };
    fails(locked, &parameters, "the key is another");
    let pixels = data.join("pixels.sealed");
    let mut bytes = std::fs::read(&pixels).unwrap();
    bytes.iter_mut().step_by(100).for_each(|byte| *byte ^= 1);
    std::fs::write(&pixels, bytes).unwrap();
    fails(job(&plan, &data, 1), &parameters, "was changed");
}

#[test]
fn noise_instead_of_a_job_is_refused() {
    use std::io::{Read, Write};
    let mut child = Command::new(env!("CARGO_BIN_EXE_snowball-trainer"))
        .arg("work")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&[0xff; 64]).unwrap();
    let mut output = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut output).unwrap();
    assert!(matches!(
        pipe::receive::<Answer>(&mut output.as_slice()),
        Ok(Answer::Failed { .. })
    ));
    assert!(!child.wait().unwrap().success());
}
