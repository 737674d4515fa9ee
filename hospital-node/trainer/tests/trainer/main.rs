//! The program as the node sees it: a job into its standard input, answers out of its standard output.
#![allow(clippy::unwrap_used, missing_docs)]

mod masks;
mod pairs;
mod tuning;
mod without_labels;

use std::{
    io::BufReader,
    path::Path,
    process::{ChildStdout, Command, ExitStatus, Stdio},
};

use snowball_layout::Layout;
use snowball_protocol::{
    StudyPlan,
    evaluation::{Evaluation, HeadEvaluation},
    labels::{BodyPart, LabelName, Labels, View},
    plan::{Decoder, HeadKind, Masked, OptimiserRule, Preprocessing, Pretext, Reconstruction, Schedule},
};
use snowball_worker::{
    draw::LabelDraw,
    groups::{Groups, Pace},
    job::{
        Answer, DeviceChoice, DrawJob, EXPLAINED_MAX, EvaluateJob, ExplainJob, Gpus, Job, ProbedDevice, TrainJob,
        Tuning,
    },
    key::{DatasetKey, DatasetSource},
    pipe,
    shard::{Part, ShardRecord, ShardWriter},
};

const SIDE: usize = 32;

/// The probe's plan with three classes and more learning in it.
fn plan() -> StudyPlan {
    let mut plan: StudyPlan = serde_json::from_str(include_str!("../../src/probe.json")).unwrap();
    plan.augmentation = snowball_protocol::plan::Augmentation::XrLightV1;
    plan.optimiser.learning_rate = 5e-3;
    plan.optimiser.weight_decay = 0.05;
    plan.optimiser.schedule = Schedule::Cosine { warmup_fraction: 0.1 };
    plan.optimiser.gradient_norm_max = Some(1.0);
    plan.local.batch_size = 24;
    assert_eq!(plan.faults(), []);
    plan
}

/// A picture of a class: bars across, bars down or a disc; the older, the brighter the ground.
fn picture(body_part: BodyPart, age: f32, number: usize) -> Vec<u16> {
    let shift = number * 7 % 5;
    let ground = 6_000 + (age * 250.0) as u16;
    let bright = |row: usize, column: usize| match body_part {
        BodyPart::Chest => ((row + shift) / 4).is_multiple_of(2),
        BodyPart::Hand => ((column + shift) / 4).is_multiple_of(2),
        _ => (row.abs_diff(14 + shift / 2)).pow(2) + (column.abs_diff(15)).pow(2) < 64,
    };
    (0..SIDE * SIDE)
        .map(|place| {
            if bright(place / SIDE, place % SIDE) {
                52_000
            } else {
                ground
            }
        })
        .collect()
}

/// The key of every dataset here.
fn source(folder: &Path) -> DatasetSource {
    DatasetSource {
        folder: folder.to_owned(),
        key: DatasetKey::from_bytes(&[9; 32]).unwrap(),
    }
}

fn writer(folder: &Path) -> ShardWriter {
    ShardWriter::create(
        folder,
        SIDE as u32,
        Preprocessing::LetterboxV1,
        &source(folder).key,
        b"",
    )
    .unwrap()
}

/// Patients 0 to 89: two thirds training, the rest validation, with the given parts of the body in turn.
fn dataset(folder: &Path, parts: &[BodyPart]) {
    let mut writer = writer(folder);
    for number in 0..90 {
        let (body_part, age) = (parts[number / 3 % parts.len()], (number * 11 % 80) as f32);
        let labels = Labels {
            body_part: (number % 10 != 9).then_some(body_part),
            age_years: (number % 4 != 3).then_some(age),
            view: Some(View::Lateral),
            ..Labels::default()
        };
        let part = if number % 3 == 2 {
            Part::Validation
        } else {
            Part::Training
        };
        let record = ShardRecord {
            radiograph: format!("r{number}"),
            patient: format!("p{number}"),
            part,
            labels,
        };
        writer.add(&record, &picture(body_part, age, number)).unwrap();
    }
    writer.finish().unwrap();
}

fn job(plan: &StudyPlan, dataset: &Path, steps: u32) -> TrainJob {
    TrainJob {
        plan: plan.clone(),
        dataset: source(dataset),
        stream: 5,
        steps_before: 0,
        steps_total: u64::from(steps),
        steps,
        corrects: false,
        evaluate_first: false,
        evaluate_every: 0,
        device: DeviceChoice::Cpu,
        threads: 1,
        tuning: None,
    }
}

/// Trains from `parameters` as `tuning` says.
fn tuned(plan: &StudyPlan, data: &Path, steps: u32, parameters: &[f32], tuning: Tuning) -> Outcome {
    let job = TrainJob {
        evaluate_every: 10,
        tuning: Some(tuning),
        ..job(plan, data, steps)
    };
    run(&Job::Train(job), Some(parameters))
}

fn at_pace(plan: &StudyPlan, pace: Pace) -> Tuning {
    Tuning {
        groups: Some(Groups::of(&Layout::of(plan), pace)),
        ..Tuning::default()
    }
}

struct Outcome {
    answers: Vec<Answer>,
    parameters: Option<Vec<f32>>,
    status: ExitStatus,
    /// Bytes after the last frame.
    rest: usize,
}

fn run(job: &Job, parameters: Option<&[f32]>) -> Outcome {
    run_with(job, parameters.as_slice())
}

/// With so many blocks of numbers after the job, the first of which are parameters.
fn run_with(job: &Job, blocks: &[&[f32]]) -> Outcome {
    let mut child = Command::new(env!("CARGO_BIN_EXE_snowball-trainer"))
        .arg("work")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // A trainer that refuses the job early closes its end.
    let _ = pipe::send(&mut input, job);
    for block in blocks {
        let _ = pipe::send_parameters(&mut input, block);
    }
    drop(input);
    let mut output: BufReader<ChildStdout> = BufReader::new(child.stdout.take().unwrap());
    let mut outcome = Outcome {
        answers: Vec::new(),
        parameters: None,
        status: ExitStatus::default(),
        rest: 0,
    };
    while let Ok(answer) = pipe::receive::<Answer>(&mut output) {
        let numbers = match (&answer, job) {
            (Answer::Trained { .. }, _) => Some(blocks[0].len()),
            (Answer::Drawn, Job::Draw(asked)) => Some(asked.pictures as usize * 3 * SIDE * SIDE),
            (Answer::Drawn, Job::Segment(asked)) => Some(asked.radiographs.len() * SIDE * SIDE),
            _ => None,
        };
        if let Some(numbers) = numbers {
            outcome.parameters = Some(pipe::receive_parameters(&mut output, numbers).unwrap());
        }
        outcome.answers.push(answer);
    }
    outcome.rest = std::io::copy(&mut output, &mut std::io::sink()).unwrap() as usize;
    outcome.status = child.wait().unwrap();
    outcome
}

fn reason(outcome: &Outcome) -> (&str, &str) {
    assert!(!outcome.status.success());
    match outcome.answers.last() {
        Some(Answer::Failed { reason, remedy }) => (reason, remedy),
        other => panic!("{other:?}"),
    }
}

fn recall(evaluation: &Evaluation) -> f64 {
    evaluation
        .head(LabelName::BodyPart)
        .and_then(HeadEvaluation::balanced_accuracy)
        .unwrap()
}

/// SCAFFOLD: whatever the slope, and however it was bounded, each step goes its rate times the correction further, also where this site
/// has nothing to learn from; and steps that are corrected add up.
#[test]
fn every_step_is_corrected_everywhere_after_the_bound_of_the_slope() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    // No knee: its row of the head is not learned here.
    dataset(&data, &[BodyPart::Chest, BodyPart::Hand]);
    let mut plan = plan();
    plan.optimiser.rule = OptimiserRule::Sgd { momentum: 0.0 };
    plan.optimiser.learning_rate = 0.1;
    plan.optimiser.schedule = Schedule::Constant;
    assert_eq!(plan.faults(), []);
    let parameters = Layout::of(&plan).initial_parameters(plan.seed);
    let correction: Vec<f32> = (0..parameters.len())
        .map(|place| (place % 7) as f32 * 0.01 - 0.03)
        .collect();
    let trained = |steps, corrects| {
        let job = TrainJob {
            corrects,
            ..job(&plan, &data, steps)
        };
        let blocks = [&parameters[..], &correction[..]];
        run_with(&Job::Train(job), &blocks[..1 + usize::from(corrects)])
            .parameters
            .unwrap()
    };
    let (plain, corrected) = (trained(1, false), trained(1, true));
    for ((plain, corrected), correction) in plain.iter().zip(&corrected).zip(&correction) {
        let more = 0.1 * correction;
        assert!((plain - more - corrected).abs() < 1e-6, "{plain} {more} {corrected}");
    }
    let layout = Layout::of(&plan);
    let classes = layout.tensor("heads.body_part.bias").unwrap();
    let unlearned =
        (classes.offset..classes.offset + classes.values()).find(|place| plain[*place] == parameters[*place]);
    let place = unlearned.expect("a class that this site does not have");
    let third = trained(3, true)[place];
    assert!(
        (third - (parameters[place] - 3.0 * 0.1 * correction[place])).abs() < 1e-6,
        "{third}"
    );

    let asked = TrainJob {
        corrects: true,
        ..job(&plan, &data, 1)
    };
    let outcome = run_with(&Job::Train(asked), &[&parameters, &vec![f32::NAN; parameters.len()]]);
    assert!(reason(&outcome).0.contains("NaN"));
}

/// The evaluation after training by `plan` on radiographs of `parts`.
fn trained(plan: &StudyPlan, parts: &[BodyPart], steps: u32) -> Evaluation {
    assert_eq!(plan.faults(), []);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    dataset(&data, parts);
    let asked = TrainJob {
        evaluate_every: steps,
        ..job(plan, &data, steps)
    };
    let mut outcome = run(
        &Job::Train(asked),
        Some(&Layout::of(plan).initial_parameters(plan.seed)),
    );
    assert!(outcome.status.success(), "{:?}", outcome.answers.last());
    let checked = outcome.answers.drain(..).find_map(|answer| match answer {
        Answer::Checked { evaluation, .. } => Some(evaluation),
        _ => None,
    });
    checked.unwrap()
}

#[test]
fn a_site_learns_to_tell_its_parts_apart_and_its_ages() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    dataset(&data, &[BodyPart::Chest, BodyPart::Hand, BodyPart::Knee]);
    let plan = plan();
    let parameters = Layout::of(&plan).initial_parameters(plan.seed);
    let asked = TrainJob {
        evaluate_first: true,
        evaluate_every: 60,
        ..job(&plan, &data, 120)
    };
    let outcome = run(&Job::Train(asked), Some(&parameters));
    assert!(outcome.status.success());
    assert_eq!(outcome.rest, 0, "something else was printed among the answers");

    let checks: Vec<(u32, &Evaluation)> = outcome
        .answers
        .iter()
        .filter_map(|answer| {
            if let Answer::Checked { step, evaluation } = answer {
                Some((*step, evaluation))
            } else {
                None
            }
        })
        .collect();
    assert_eq!(checks.iter().map(|check| check.0).collect::<Vec<_>>(), [0, 60, 120]);
    assert!(recall(checks[2].1) > 0.95, "{:?}", checks[2].1);
    assert!(recall(checks[0].1) < 0.7, "{:?}", checks[0].1);
    let (error, constant) = checks[2]
        .1
        .head(LabelName::Age)
        .and_then(HeadEvaluation::mean_absolute_errors)
        .unwrap();
    assert!(error < 0.8 * constant, "{error} {constant}");

    let Some(Answer::Trained {
        examples,
        loss,
        seconds,
        ..
    }) = outcome.answers.last()
    else {
        panic!("{:?}", outcome.answers.last())
    };
    // Of 60 training radiographs those without any of both labels do not count: number % 10 == 9 and number % 4 == 3.
    let expected = (0..90)
        .filter(|number| number % 3 != 2 && (number % 10 != 9 || number % 4 != 3))
        .count();
    assert_eq!(*examples, expected as u64);
    assert!(*loss < 1.0 && *seconds > 0.0);
    assert!(outcome.answers.iter().any(|answer| matches!(
        answer,
        Answer::Progress {
            step: 120,
            steps: 120,
            ..
        }
    )));

    let trained = outcome.parameters.unwrap();
    let evaluate = EvaluateJob {
        plan,
        dataset: source(&data),
        part: Part::Validation,
        device: DeviceChoice::Cpu,
        threads: 2,
    };
    let outcome = run(&Job::Evaluate(evaluate), Some(&trained));
    let Some(Answer::Evaluated { evaluation }) = outcome.answers.last() else {
        panic!("{:?}", outcome.answers.last())
    };
    assert_eq!(evaluation, checks[2].1);
}

/// What is told is what is evaluated: every radiograph of the part, in order, also one without a label.
#[test]
fn outputs_and_maps_are_told_of_every_radiograph_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    dataset(&data, &[BodyPart::Chest, BodyPart::Hand, BodyPart::Knee]);
    let plan = plan();
    let untrained = Layout::of(&plan).initial_parameters(plan.seed);
    let parameters = run(&Job::Train(job(&plan, &data, 40)), Some(&untrained))
        .parameters
        .unwrap();
    let asked = EvaluateJob {
        plan,
        dataset: source(&data),
        part: Part::Validation,
        device: DeviceChoice::Cpu,
        threads: 2,
    };
    let outcome = run(&Job::Tell(asked.clone()), Some(&parameters));
    assert!(outcome.status.success());
    let mut told: Vec<Vec<f32>> = Vec::new();
    for answer in &outcome.answers {
        if let Answer::Told { first, outputs } = answer {
            assert_eq!(*first, told.len() as u64);
            told.extend(outputs.clone());
        }
    }
    let shard = snowball_worker::shard::Shard::open(&asked.dataset).unwrap();
    let part = shard.part(Part::Validation);
    assert!(matches!(outcome.answers.last(), Some(Answer::Done { radiographs }) if *radiographs == part.len() as u64));
    assert_eq!(told.len(), part.len());
    let outcome = run(&Job::Evaluate(asked.clone()), Some(&parameters));
    let Some(Answer::Evaluated { evaluation }) = outcome.answers.last() else {
        panic!("{:?}", outcome.answers.last())
    };
    let Some(HeadEvaluation::Classes { images, classes, .. }) = evaluation.head(LabelName::BodyPart) else {
        panic!()
    };
    let HeadKind::Classes(names) = &asked.plan.heads[0].kind else {
        panic!()
    };
    let (mut labelled, mut right, mut error) = (0, 0, 0.0);
    for (row, position) in told.iter().zip(&part) {
        assert_eq!(row.len(), 4, "three probabilities and an age");
        assert!((row[..3].iter().sum::<f32>() - 1.0).abs() < 1e-5);
        let labels = &shard.records()[*position].labels;
        if let Some(truth) = labels.class(LabelName::BodyPart) {
            let said = (0..3).max_by(|one, other| row[*one].total_cmp(&row[*other])).unwrap();
            labelled += 1;
            right += u64::from(names[said] == truth);
        }
        if let Some(age) = labels.age_years {
            error += f64::from((row[3] - age).abs());
        }
    }
    assert_eq!(
        (*images, classes.iter().map(|class| class.correct).sum::<u64>()),
        (labelled, right)
    );
    let Some(HeadEvaluation::Regression { absolute_error_sum, .. }) = evaluation.head(LabelName::Age) else {
        panic!()
    };
    assert!(
        (absolute_error_sum - error).abs() < 1e-3,
        "{absolute_error_sum} {error}"
    );

    let explain = |radiographs: Vec<u32>, head| {
        let of = asked.clone();
        run(&Job::Explain(ExplainJob { of, head, radiographs }), Some(&parameters))
    };
    let outcome = explain((0..10).rev().collect(), 0);
    let maps = outcome.answers.iter().filter_map(|answer| match answer {
        Answer::Explained(map) => Some(map),
        _ => None,
    });
    let maps: Vec<_> = maps.collect();
    assert_eq!(
        maps.iter().map(|map| map.radiograph).collect::<Vec<_>>(),
        (0..10).rev().collect::<Vec<_>>()
    );
    for map in maps {
        assert_eq!(map.values.len(), (map.width * map.height) as usize);
        let row = &told[map.radiograph as usize][..3];
        assert!(
            row.iter().all(|other| *other <= row[map.output as usize]),
            "the class that the head says"
        );
    }
    for (radiographs, head) in [
        (vec![part.len() as u32], 0),
        (vec![0], 2),
        (vec![0; EXPLAINED_MAX + 1], 0),
    ] {
        assert!(reason(&explain(radiographs, head)).0.contains("not there"));
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    dataset(&data, &[BodyPart::Chest, BodyPart::Hand, BodyPart::Knee]);
    let plan = plan();
    let parameters = Layout::of(&plan).initial_parameters(plan.seed);
    let train = |threads: u32, stream: u64| {
        let asked = TrainJob {
            threads,
            stream,
            ..job(&plan, &data, 6)
        };
        run(&Job::Train(asked), Some(&parameters))
            .parameters
            .unwrap()
            .iter()
            .map(|value| value.to_bits())
            .collect::<Vec<_>>()
    };
    let first = train(1, 5);
    assert!(first == train(1, 5) && first == train(2, 5) && first == train(3, 5));
    assert!(first != train(1, 6));
}

#[test]
fn a_site_without_a_class_does_not_unlearn_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    dataset(&data, &[BodyPart::Chest, BodyPart::Knee]);
    for rule in [OptimiserRule::Adamw, OptimiserRule::Sgd { momentum: 0.9 }] {
        let mut plan = plan();
        plan.optimiser.rule = rule;
        let layout = Layout::of(&plan);
        let before = layout.initial_parameters(plan.seed);
        let after = run(&Job::Train(job(&plan, &data, 5)), Some(&before))
            .parameters
            .unwrap();
        let HeadKind::Classes(classes) = &plan.heads[0].kind else {
            panic!()
        };
        for (row, class) in classes.iter().enumerate() {
            for name in ["heads.body_part.weight", "heads.body_part.bias"] {
                let tensor = layout.tensor(name).unwrap();
                let length = tensor.values() / tensor.shape[0];
                let range = tensor.offset + row * length..tensor.offset + (row + 1) * length;
                // Not even weight decay touches what the site cannot learn.
                assert_eq!(before[range.clone()] == after[range], class == "HAND", "{class} {name}");
            }
        }
    }
}

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

/// What the kernel says of a running trainer, and not what it says of itself.
#[test]
fn while_it_trains_the_kernel_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    dataset(&data, &[BodyPart::Chest, BodyPart::Hand, BodyPart::Knee]);
    let plan = plan();
    let parameters = Layout::of(&plan).initial_parameters(plan.seed);
    let mut child = Command::new(env!("CARGO_BIN_EXE_snowball-trainer"))
        .arg("work")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    pipe::send(&mut input, &Job::Train(job(&plan, &data, 2_000))).unwrap();
    pipe::send_parameters(&mut input, &parameters).unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let first = pipe::receive::<Answer>(&mut output).unwrap();
    let Answer::Confined { confinement } = first else {
        panic!("the first answer is {first:?}")
    };
    let second = pipe::receive::<Answer>(&mut output).unwrap();
    assert!(matches!(second, Answer::Progress { .. }), "{second:?}");
    let says = |line: &str| {
        std::fs::read_dir(format!("/proc/{}/task", child.id()))
            .unwrap()
            .map(|thread| std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap())
            .all(|status| {
                status
                    .lines()
                    .any(|found| found.split_whitespace().eq(line.split_whitespace()))
            })
    };
    if confinement.is_whole() {
        assert!(says("Seccomp: 2"), "a thread makes calls unfiltered");
    } else {
        println!("skipped in part: this kernel does not confine wholly: {confinement}");
    }
    assert!(says("NoNewPrivs: 1"));
    child.kill().unwrap();
    child.wait().unwrap();
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

#[test]
fn the_probe_speaks_to_people_and_programs() {
    let probe = |words: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_snowball-trainer"))
            .args(words)
            .output()
            .unwrap()
    };
    let text = String::from_utf8(probe(&["probe"]).stdout).unwrap();
    assert!(text.contains("CPU") && text.contains("sound"), "{text}");
    let devices: Vec<ProbedDevice> = serde_json::from_slice(&probe(&["probe", "--json"]).stdout).unwrap();
    assert!(devices[0].choice == DeviceChoice::Cpu && devices[0].sound);
    let outcome = run(&Job::Probe, None);
    assert!(outcome.status.success());
    assert!(matches!(outcome.answers.as_slice(), [Answer::Probed { devices, .. }] if devices[0].sound));
    assert!(!probe(&["dance"]).status.success());
}
