//! How each of the networks is trained: Adam over batches made on the fly. Threads make the next batch while they work through
//! this one; each example has a stream of random numbers of its own and gradients are summed in order, so that the weights depend on
//! the seed and the number of batches, not on the threads.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use snowball_service::say;
use snowball_text::{
    Networks, detector, judge,
    network::{Network, Step},
    proposer, reader, words,
};

use crate::adam::{Adam, rate, start};

/// What one network learns from.
pub trait Lesson: Sync {
    /// What it sees and what it should say.
    type Example: Send + Sync;
    /// Examples whose gradients are summed.
    const BATCH: usize;
    /// The highest learning rate, where it begins from nothing.
    const RATE: f32;
    /// Names of the kinds of answers that are counted.
    const KINDS: &'static [&'static str];

    /// The network's steps and the channels of what it sees.
    fn shape(&self) -> (&'static [Step], usize);

    fn example(&self, random: &mut ChaCha8Rng) -> Self::Example;

    /// Adds to `gradient` what the example makes of it, as a mean over a batch.
    fn judge(&self, network: &Network, example: &Self::Example, gradient: &mut [f32]) -> Score;
}

/// What a network made of examples.
#[derive(Default)]
pub struct Score {
    /// Cross-entropy, as a mean over a batch.
    pub loss: f64,
    /// Right answers and all, of each kind.
    pub counts: Vec<[u32; 2]>,
}

impl Score {
    pub fn new(kinds: usize) -> Self {
        Self {
            loss: 0.0,
            counts: vec![[0; 2]; kinds],
        }
    }

    pub fn count(&mut self, kind: usize, right: bool) {
        self.counts[kind][0] += u32::from(right);
        self.counts[kind][1] += 1;
    }

    fn add(&mut self, other: &Self) {
        self.loss += other.loss;
        for (sum, one) in self.counts.iter_mut().zip(&other.counts) {
            *sum = [sum[0] + one[0], sum[1] + one[1]];
        }
    }
}

/// How long and from where.
#[derive(clap::Args)]
pub struct Course {
    /// Where the weights go.
    pub out: PathBuf,
    /// Batches.
    #[arg(long, default_value_t = 12_000)]
    pub steps: usize,
    /// Ends after so many of these, although the rate is that of all: what a run that was cut off had made.
    #[arg(long)]
    pub until: Option<usize>,
    /// As many batches as fit into so many seconds instead; their number is printed, and with `--steps` gives the same weights.
    #[arg(long)]
    pub seconds: Option<f64>,
    /// The same seed and the same number of batches give the same weights.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Goes on from these weights.
    #[arg(long)]
    pub from: Option<PathBuf>,
    /// The highest learning rate; lower where it goes on.
    #[arg(long)]
    pub rate: Option<f32>,
    /// Threads; by default one for each processor. They do not change the weights.
    #[arg(long)]
    pub threads: Option<usize>,
}

/// Batches between two lines of progress.
const REPORTED: usize = 200;
/// Seconds between two writings of the weights, so that a run that is cut off leaves some.
const WRITTEN_SECONDS: f64 = 20.0;
/// Batches that are timed before a run of so many seconds.
const TIMED: usize = 24;
/// Share of the seconds that is planned for: what else a machine does may slow the rest.
const PLANNED: f64 = 0.94;

/// Trains as `course` says and writes the weights.
pub fn train<L: Lesson>(lesson: &L, course: &Course) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(course.threads.unwrap_or(0))
        .build()?;
    pool.install(|| run(lesson, course))
}

fn run<L: Lesson>(lesson: &L, course: &Course) -> Result<()> {
    let begun = Instant::now();
    let (shape, channels) = lesson.shape();
    let mut values = match &course.from {
        Some(path) => read(path)?,
        None => start(shape, channels, &mut ChaCha8Rng::seed_from_u64(course.seed)),
    };
    let full = course.rate.unwrap_or(L::RATE);
    let mut adam = Adam::new(values.len());
    let mut examples = batch(lesson, None, &[], 0, course.seed).1;
    let mut steps = course.steps;
    if let Some(seconds) = course.seconds {
        steps = fitting(lesson, course, &values, &examples, begun, seconds)?;
        say!("{steps} batches of {} for {seconds} seconds", L::BATCH)?;
    }
    ensure!(steps > 0, "no time for a single batch: give more --seconds");
    let ends = course.until.unwrap_or(steps).min(steps);
    let mut score = Score::new(L::KINDS.len());
    let (mut reported, mut written) = (0, begun.elapsed().as_secs_f64());
    for step in 0..ends {
        let network = Network::from_values(shape, channels, &values).context("weights")?;
        let (judged, next) = batch(lesson, Some(&network), &examples, step + 1, course.seed);
        examples = next;
        let mut gradient = vec![0.0; values.len()];
        for (one, part) in &judged {
            score.add(one);
            gradient.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        adam.step(rate(full, step, steps), &mut values, &gradient);
        let passed = begun.elapsed().as_secs_f64();
        let cut_off = course.seconds.is_some_and(|seconds| passed > seconds);
        let last = step + 1 == ends || cut_off;
        if (step + 1) % REPORTED == 0 || last {
            report::<L>(step + 1, steps, &score, step + 1 - reported, passed)?;
            (score, reported) = (Score::new(L::KINDS.len()), step + 1);
        }
        if passed - written > WRITTEN_SECONDS || last {
            write(&course.out, &values)?;
            written = passed;
        }
        if cut_off && step + 1 < ends {
            say!("out of time: the weights are those of a run that was cut off")?;
            break;
        }
    }
    Ok(())
}

/// How many batches fit into `seconds`, of which some went by; what is timed here changes nothing.
fn fitting<L: Lesson>(
    lesson: &L,
    course: &Course,
    values: &[f32],
    examples: &[L::Example],
    begun: Instant,
    seconds: f64,
) -> Result<usize> {
    let (shape, channels) = lesson.shape();
    let network = Network::from_values(shape, channels, values).context("weights")?;
    let timed = Instant::now();
    for at in 0..TIMED {
        let (judged, _) = batch(lesson, Some(&network), examples, at + 1, course.seed);
        let mut gradient = vec![0.0; values.len()];
        for (_, part) in &judged {
            gradient.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        Adam::new(values.len()).step(0.0, &mut values.to_vec(), &gradient);
    }
    let one = timed.elapsed().as_secs_f64() / TIMED as f64;
    let left = (seconds - begun.elapsed().as_secs_f64()) * PLANNED;
    Ok((left / one).max(0.0) as usize)
}

enum Done<E> {
    Judged(Score, Vec<f32>),
    Made(E),
}

/// A batch that was judged, each example with its gradient, and the examples of the next one.
type Batch<E> = (Vec<(Score, Vec<f32>)>, Vec<E>);

/// What `network` makes of each example, with its gradient, and the examples of batch `next`.
fn batch<L: Lesson>(
    lesson: &L,
    network: Option<&Network>,
    examples: &[L::Example],
    next: usize,
    seed: u64,
) -> Batch<L::Example> {
    let count = network.map_or(0, |network| network.values().len());
    let judged = if network.is_some() { examples.len() } else { 0 };
    let task = |at: usize| match network {
        Some(network) if at < judged => {
            let mut gradient = vec![0.0; count];
            let score = lesson.judge(network, &examples[at], &mut gradient);
            Done::Judged(score, gradient)
        }
        _ => {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream((next * L::BATCH + at - judged) as u64 + 1);
            Done::Made(lesson.example(&mut random))
        }
    };
    let tasks = (0..judged + L::BATCH).into_par_iter().with_max_len(1);
    let (mut scores, mut made) = (Vec::new(), Vec::new());
    for done in tasks.map(task).collect::<Vec<_>>() {
        match done {
            Done::Judged(score, gradient) => scores.push((score, gradient)),
            Done::Made(example) => made.push(example),
        }
    }
    (scores, made)
}

fn report<L: Lesson>(step: usize, steps: usize, score: &Score, count: usize, passed: f64) -> Result<()> {
    let share = |[right, all]: [u32; 2]| f64::from(right) / f64::from(all.max(1));
    let kinds = L::KINDS.iter().zip(&score.counts);
    let kinds: Vec<String> = kinds
        .map(|(name, counts)| format!("{name} {:.4}", share(*counts)))
        .collect();
    say!(
        "{step:6} of {steps} loss {:.4} right: {}  {passed:.0} s",
        score.loss / count.max(1) as f64,
        kinds.join(" ")
    )?;
    Ok(())
}

/// Weights as little-endian numbers of 32 bits, one after another.
pub fn read(path: &Path) -> Result<Vec<f32>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let numbers = bytes.as_chunks::<4>().0.iter();
    Ok(numbers.map(|value| f32::from_le_bytes(*value)).collect())
}

/// The networks whose weights stand in `folder`.
pub fn networks(folder: &Path) -> Result<Networks> {
    let network = |name: &str, steps, channels| {
        let path = folder.join(format!("{name}.f32"));
        Network::from_values(steps, channels, &read(&path)?)
            .with_context(|| format!("not a {name}: {}", path.display()))
    };
    Ok(Networks {
        proposer: network("proposer", proposer::STEPS, proposer::CHANNELS)?,
        detector: network("detector", detector::STEPS, detector::CHANNELS)?,
        judge: network("judge", judge::STEPS, judge::CHANNELS)?,
        reader: network("reader", reader::STEPS, reader::CHANNELS)?,
        words: network("words", words::STEPS, words::CHANNELS)?,
    })
}

/// Whole or not at all: a run may be cut off while it writes.
fn write(path: &Path, values: &[f32]) -> Result<()> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let beside = path.with_extension("part");
    fs::write(&beside, bytes).with_context(|| format!("cannot write {}", beside.display()))?;
    fs::rename(&beside, path).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use rand::Rng;
    use snowball_text::{convolve::BLOCK, map::Map};

    use super::*;
    use crate::backward::{backward, forward};

    const STEPS: &[Step] = &[Step::Mix { outputs: BLOCK }, Step::Head { outputs: BLOCK }];

    /// The first answer is to be the sum of what is seen.
    struct Sum;

    impl Lesson for Sum {
        type Example = Map;
        const BATCH: usize = 5;
        const RATE: f32 = 1e-2;
        const KINDS: &'static [&'static str] = &["near"];

        fn shape(&self) -> (&'static [Step], usize) {
            (STEPS, 4)
        }

        fn example(&self, random: &mut ChaCha8Rng) -> Map {
            let mut map = Map::zeros(1, 1, 4);
            map.values
                .iter_mut()
                .for_each(|value| *value = random.random_range(0.0..1.0));
            map
        }

        fn judge(&self, network: &Network, seen: &Map, gradient: &mut [f32]) -> Score {
            let trace = forward(network, seen.clone());
            let past = trace.answer.values[0] - seen.values.iter().sum::<f32>();
            let mut above = Map::zeros(1, 1, BLOCK);
            above.values[0] = past / 5.0;
            backward(network, &trace, above, gradient);
            let mut score = Score::new(1);
            score.loss = f64::from(past * past);
            score.count(0, past.abs() < 0.1);
            score
        }
    }

    fn train_until(out: &Path, steps: usize, until: Option<usize>) -> Vec<f32> {
        let course = Course {
            out: out.to_owned(),
            steps,
            until,
            seconds: None,
            seed: 3,
            from: None,
            rate: None,
            threads: Some(1),
        };
        train(&Sum, &course).unwrap();
        read(&course.out).unwrap()
    }

    #[test]
    fn threads_do_not_change_the_weights_and_time_is_kept() {
        let folder = std::env::temp_dir().join(format!("snowball-course-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let trained = |name: &str, threads, steps, seconds| {
            let course = Course {
                out: folder.join(name),
                steps,
                until: None,
                seconds,
                seed: 3,
                from: None,
                rate: None,
                threads: Some(threads),
            };
            train(&Sum, &course).unwrap();
            read(&course.out).unwrap()
        };
        let alone = trained("alone", 1, 300, None);
        assert_eq!(alone, trained("three", 3, 300, None));
        assert_ne!(alone, trained("fewer", 1, 299, None));
        let cut_off = train_until(&folder.join("cut"), 300, Some(150));
        assert_ne!(cut_off, trained("half", 1, 150, None));
        assert_eq!(cut_off, train_until(&folder.join("again"), 300, Some(150)));
        assert_eq!(alone, train_until(&folder.join("past"), 300, Some(400)));
        let network = Network::from_values(STEPS, 4, &alone).unwrap();
        let seen = Sum.example(&mut ChaCha8Rng::seed_from_u64(9));
        let answer = network.answer(&seen).values[0];
        assert!((answer - seen.values.iter().sum::<f32>()).abs() < 0.2, "{answer}");
        assert!(!trained("timed", 2, 0, Some(0.5)).is_empty());
        fs::remove_dir_all(&folder).unwrap();
    }
}
