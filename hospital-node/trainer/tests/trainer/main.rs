//! The program as the node sees it: a job into its standard input, answers out of its standard output.
#![allow(clippy::unwrap_used, missing_docs)]

mod drift;
mod learning;
mod masks;
mod outputs;
mod pairs;
mod program;
mod refusals;
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
