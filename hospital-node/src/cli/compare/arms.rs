//! Trains every arm and keeps what each run said, so that a comparison that was ended goes on where it stood.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context as _, Result, bail, ensure};
use snowball_compare::{Arm, Judged, JudgedOn, Outputs, Run, Truths};
use snowball_layout::Layout;
use snowball_protocol::{
    Sha256Digest, StudyPlan,
    plan::{Head, HeadKind},
};
use snowball_service::{files, output, progress};
use snowball_weights::Weights;
use snowball_worker::{
    draw::LabelDraw,
    groups::{Groups, Pace},
    job::Tuning,
    shard::{Part, ShardRecord},
};

use super::{Question, bench::Bench};
use crate::{
    beginning,
    cli::{alone::Order, pretrain},
    comparisons::{Begun, RUNS, RUNS_FORMAT},
    parent::Opened,
};

const RUNS_BYTES_MAX: usize = 1 << 30;

/// What was trained.
pub(super) struct Trained {
    pub judged: Judged,
    pub runs: Vec<Run>,
}

/// Trains what is not in `out` yet.
pub(super) fn train(bench: &Bench, question: &Question, out: &Path) -> Result<Trained> {
    files::create_home(out).with_context(|| format!("cannot use {}", out.display()))?;
    let head = &question.plan.heads[0];
    let held_back = bench.alone.records(parts(question.comparison.judged_on))?;
    let (places, judged) = judged(head, &held_back);
    ensure!(
        judged.people() >= 10,
        "{} patients with the label are set apart to judge by; at least 10 are needed",
        judged.people()
    );
    let to_learn_from = labelled(head, &bench.alone.records(&[Part::Training])?);
    let most = question.comparison.labels.last().copied().unwrap_or_default();
    ensure!(
        to_learn_from >= most,
        "{most} labels were asked for, and {to_learn_from} radiographs of the training part have one; ask for fewer"
    );
    let runs_file = out.join(RUNS);
    // Where nothing was begun, what lies there for arms to begin from is of something else.
    let is_begun = runs_file.exists();
    let (mut runs, mut file) = open(&runs_file, bench.digest)?;
    // Before anything is said of anybody: whoever withdraws is looked for here, too.
    bench.note(out)?;
    let pretrained = pretrain(bench, question, out, is_begun)?;
    let comparison = &question.comparison;
    let mut done: BTreeSet<_> = runs.iter().map(key).collect();
    let bar = progress::bar("trainings", comparison.runs());
    bar.set_position(done.len() as u64);
    for labels in &comparison.labels {
        for seed in 0..comparison.seeds {
            for (arm, of) in comparison.arms.iter().enumerate() {
                for start in 0..of.starts() {
                    if done.contains(&(arm, start, *labels, seed)) {
                        continue;
                    }
                    bar.set_message(format!("{} with {labels} labels, seed {seed}", of.name));
                    let from = of
                        .from
                        .get(start)
                        .map(|from| source(bench, &pretrained, from))
                        .transpose()?;
                    let told = taught(bench, question, of, from, *labels, seed)?;
                    let outputs = outputs(head, places.iter().map(|place| told[*place].as_slice()));
                    let run = Run {
                        arm,
                        start,
                        labels: *labels,
                        seed,
                        outputs,
                    };
                    let mut line = serde_json::to_vec(&run)?;
                    line.push(b'\n');
                    file.write_all(&line).context("cannot write runs.jsonl")?;
                    done.insert(key(&run));
                    runs.push(run);
                    bar.inc(1);
                }
            }
        }
    }
    bar.finish_and_clear();
    Ok(Trained { judged, runs })
}

const fn key(run: &Run) -> (usize, usize, u64, u32) {
    (run.arm, run.start, run.labels, run.seed)
}

/// The runs that are there, and the file for the others. A line that a kill cut is trained again.
fn open(path: &Path, digest: Sha256Digest) -> Result<(Vec<Run>, std::fs::File)> {
    let mut runs = Vec::new();
    let mut whole = 0;
    if path.exists() {
        let bytes =
            files::read_bounded(path, RUNS_BYTES_MAX).with_context(|| format!("cannot read {}", path.display()))?;
        for (place, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if place == 0 {
                if Begun::of(line).is_none_or(|begun| begun.digest != digest || begun.format != RUNS_FORMAT) {
                    bail!(
                        "{} is of another comparison, of other radiographs, of other networks or of an earlier version; name another \
                         folder",
                        path.display()
                    );
                }
            } else {
                match serde_json::from_slice::<Run>(line) {
                    Ok(run) if line.ends_with(b"\n") => runs.push(run),
                    _ => break,
                }
            }
            whole += line.len() as u64;
        }
    }
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.set_len(whole)?;
    if whole == 0 {
        let mut line = serde_json::to_vec(&Begun {
            format: RUNS_FORMAT,
            digest,
        })?;
        line.push(b'\n');
        file.write_all(&line)?;
    }
    Ok((runs, file))
}

/// Trains what the arms begin from, or takes it from `out` where this comparison `is_begun` and it was trained before.
fn pretrain(all: &Bench, question: &Question, out: &Path, is_begun: bool) -> Result<BTreeMap<String, Weights>> {
    let mut networks = BTreeMap::new();
    for (place, (one, bench)) in question.comparison.pretrain.iter().zip(&all.before).enumerate() {
        let path = out.join(format!("pretrained-{place}.f32"));
        let bytes = usize::try_from(bench.layout.bytes())?;
        let kept = files::read_bounded(&path, bytes)
            .ok()
            .filter(|kept| is_begun && kept.len() == bytes)
            .and_then(|kept| snowball_layout::from_le_bytes(&kept));
        let values = if let Some(kept) = kept {
            kept
        } else {
            output::note(format_args!("first, for arms to begin from: {}", one.name));
            let initial = match &one.from {
                Some(from) => pretrain::laid(opened(all, from)?, &bench.plan)?.0,
                None => bench.layout.initial_parameters(bench.plan.seed),
            };
            let learned = bench.train(Order {
                initial,
                steps: bench.steps(one.steps)?,
                evaluate_every: 0,
                tuning: None,
            })?;
            let bytes = snowball_layout::to_le_bytes(&learned.parameters);
            files::write_private(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
            learned.parameters
        };
        networks.insert(one.name.clone(), Weights::of(&bench.layout, &values));
    }
    Ok(networks)
}

/// What an arm begins from.
#[derive(Clone, Copy)]
enum From<'a> {
    /// What was trained first, here.
    Pretrained(&'a Weights),
    /// What was there.
    Opened(&'a Opened),
}

fn source<'a>(bench: &'a Bench, pretrained: &'a BTreeMap<String, Weights>, from: &str) -> Result<From<'a>> {
    match from.strip_prefix("pretrained:") {
        Some(name) => {
            let found = pretrained.get(name).map(From::Pretrained);
            found.with_context(|| format!("{from} was not trained"))
        }
        None => opened(bench, from).map(From::Opened),
    }
}

fn opened<'a>(bench: &'a Bench, from: &str) -> Result<&'a Opened> {
    bench.opened.get(from).with_context(|| format!("{from} was not opened"))
}

/// Where the patients are whom every run is judged on.
const fn parts(judged_on: JudgedOn) -> &'static [Part] {
    match judged_on {
        JudgedOn::Testing => &[Part::Testing],
        JudgedOn::HeldBack => &[Part::Validation, Part::Testing],
    }
}

/// One training, and what it says of every radiograph that it is judged on.
fn taught(
    bench: &Bench,
    question: &Question,
    arm: &Arm,
    from: Option<From<'_>>,
    labels: u64,
    seed: u32,
) -> Result<Vec<Vec<f32>>> {
    let plan = plan_of(&question.plan, arm, seed);
    let layout = Layout::of(&plan);
    let initial = initial(&plan, &layout, from).with_context(|| format!("{} cannot begin so", arm.name))?;
    let pace = Pace {
        trunk_rate: arm.trunk_rate,
        rate_fall: arm.rate_fall,
        unfreeze_steps: arm.unfreeze_every,
    };
    let tuning = Tuning {
        groups: (pace != Pace::default()).then(|| Groups::of(&layout, pace)),
        // Every arm draws the same labels under the same seed.
        draw: Some(LabelDraw {
            labels,
            seed: question.plan.seed.wrapping_add(u64::from(seed)),
        }),
        patience: None,
        exchanged: arm.shuffled,
    };
    let order = Order {
        initial,
        steps: arm.steps,
        evaluate_every: 0,
        tuning: Some(tuning),
    };
    bench.alone.teach(&plan, order, parts(question.comparison.judged_on))
}

/// What a training of `plan` begins with: its seed, under the trunk of the weights, or under what of them its `start` says.
fn initial(plan: &StudyPlan, layout: &Layout, from: Option<From<'_>>) -> Result<Vec<f32>> {
    let weights = match (from, &plan.start) {
        (Some(From::Opened(opened)), Some(start)) => return Ok(beginning::laid(opened, plan, start)?.parameters),
        (Some(From::Opened(opened)), None) => Some(&opened.weights),
        (Some(From::Pretrained(weights)), _) => Some(weights),
        (None, _) => None,
    };
    let mut initial = layout.initial_parameters(plan.seed);
    if let Some(weights) = weights {
        snowball_weights::lay(weights, plan, &mut initial)?;
    }
    Ok(initial)
}

/// The question's plan as this arm has it, under this seed.
fn plan_of(plan: &StudyPlan, arm: &Arm, seed: u32) -> StudyPlan {
    let mut plan = plan.clone();
    plan.seed = plan.seed.wrapping_add(u64::from(seed));
    if let Some(augmentation) = arm.augmentation {
        plan.augmentation = augmentation;
    }
    if let Some(rate) = arm.learning_rate {
        plan.optimiser.learning_rate = rate;
    }
    plan
}

/// How many of `records` have the label.
fn labelled(head: &Head, records: &[ShardRecord]) -> u64 {
    let has = |record: &&ShardRecord| head.class(&record.labels).is_some() || head.number(&record.labels).is_some();
    records.iter().filter(has).count() as u64
}

/// The places among `records` that have the label, and what is true of them.
fn judged(head: &Head, records: &[ShardRecord]) -> (Vec<usize>, Judged) {
    let mut patients: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut places, mut of_patient, mut classes, mut numbers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (place, record) in records.iter().enumerate() {
        match (head.class(&record.labels), head.number(&record.labels)) {
            (Some(class), _) => classes.push(class),
            (_, Some(number)) => numbers.push(f64::from(number)),
            _ => continue,
        }
        let next = patients.len();
        of_patient.push(*patients.entry(&record.patient).or_insert(next));
        places.push(place);
    }
    let truths = match &head.kind {
        HeadKind::Classes(names) => Truths::Classes {
            names: names.clone(),
            of: classes,
        },
        _ => Truths::Numbers { of: numbers },
    };
    let judged = Judged {
        patients: of_patient,
        truths,
    };
    (places, judged)
}

fn outputs<'a>(head: &Head, rows: impl Iterator<Item = &'a [f32]>) -> Outputs {
    match &head.kind {
        HeadKind::Classes(_) => Outputs::Probabilities(
            rows.map(|row| row.iter().map(|value| f64::from(*value)).collect())
                .collect(),
        ),
        _ => Outputs::Numbers(
            rows.map(|row| row.first().copied().map_or(f64::NAN, f64::from))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seed: u32) -> Run {
        Run {
            arm: 0,
            start: 0,
            labels: 50,
            seed,
            outputs: Outputs::Numbers(vec![1.0, 2.0]),
        }
    }

    #[test]
    fn a_comparison_goes_on_behind_its_last_whole_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.jsonl");
        let digest = Sha256Digest::of(b"question");
        let (none, mut file) = open(&path, digest).unwrap();
        assert!(none.is_empty());
        for seed in 0..2 {
            file.write_all(&[serde_json::to_vec(&run(seed)).unwrap(), vec![b'\n']].concat())
                .unwrap();
        }
        file.write_all(b"{\"arm\":0,\"start\"").unwrap();
        drop(file);
        let (two, mut file) = open(&path, digest).unwrap();
        assert_eq!(two, [run(0), run(1)]);
        file.write_all(&[serde_json::to_vec(&run(2)).unwrap(), vec![b'\n']].concat())
            .unwrap();
        drop(file);
        assert_eq!(open(&path, digest).unwrap().0, [run(0), run(1), run(2)]);
        let other = open(&path, Sha256Digest::of(b"another")).unwrap_err();
        assert!(other.to_string().contains("name another folder"), "{other}");
    }
}
