//! Made-up runs whose answer is known.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{Judged, Outputs, Reach, Replicates, Run, RunFault, Truths};

/// `people` patients with two radiographs each, every second with the finding.
fn judged(people: usize) -> Judged {
    Judged {
        patients: (0..2 * people).map(|place| place / 2).collect(),
        truths: Truths::Classes {
            names: vec!["no".to_owned(), "yes".to_owned()],
            of: (0..2 * people).map(|place| (place / 2) % 2).collect(),
        },
    }
}

/// A run whose scores lie `apart` deviations apart; the noise is that of `luck`, shared by who shares it.
fn run(judged: &Judged, (arm, labels, seed): (usize, u64, u32), apart: f64, luck: u64) -> Run {
    let Truths::Classes { of, .. } = &judged.truths else {
        unreachable!("two classes")
    };
    let mut random = ChaCha8Rng::seed_from_u64(luck);
    let rows = of.iter().map(|class| {
        // The sum of twelve uniform numbers is nearly normal.
        let noise: f64 = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
        let score = 1.0 / (1.0 + (-(noise + apart * *class as f64)).exp());
        vec![1.0 - score, score]
    });
    Run {
        arm,
        start: 0,
        labels,
        seed,
        outputs: Outputs::Probabilities(rows.collect()),
    }
}

fn grid(judged: &Judged, apart: impl Fn(usize, u64) -> f64) -> Vec<Run> {
    let mut runs = Vec::new();
    for arm in 0..2 {
        for labels in [50, 100, 400] {
            for seed in 0..3 {
                let luck = u64::from(seed) * 1000 + labels * 10 + arm as u64;
                runs.push(run(judged, (arm, labels, seed), apart(arm, labels), luck));
            }
        }
    }
    runs
}

#[test]
fn a_better_arm_is_found_and_an_equal_one_is_not() {
    let judged = judged(200);
    let better = Replicates::of(&judged, &grid(&judged, |arm, _| 0.5 + arm as f64), 400, 1).unwrap();
    for place in 0..3 {
        let gain = better.gain(1, 0, place);
        assert!(
            gain.low > 0.0 && gain.low < gain.value && gain.value < gain.high,
            "{gain:?}"
        );
        assert!(better.gain(0, 1, place).high < 0.0);
    }
    let equal = Replicates::of(&judged, &grid(&judged, |_, _| 1.0), 400, 1).unwrap();
    let open = (0..3).filter(|place| {
        let gain = equal.gain(1, 0, *place);
        gain.low <= 0.0 && gain.high >= 0.0
    });
    assert!(open.count() >= 2);
    assert_eq!(equal.gain(1, 1, 0).high, 0.0, "an arm is exactly as good as itself");
}

#[test]
fn the_same_seed_draws_the_same() {
    let judged = judged(40);
    let runs = grid(&judged, |arm, _| arm as f64);
    let figure = |seed| Replicates::of(&judged, &runs, 100, seed).unwrap().figure(1, 0);
    assert_eq!(figure(1), figure(1));
    assert_ne!(figure(1), figure(2));
    assert_eq!(figure(1).value, figure(2).value, "the value itself is not drawn");
}

/// Where the arms share patients and luck, their difference is known far better than either figure.
#[test]
fn pairing_takes_the_luck_of_the_patients_out() {
    let judged = judged(100);
    let mut runs = Vec::new();
    for arm in 0..2 {
        for seed in 0..3 {
            runs.push(run(&judged, (arm, 50, seed), 1.0 + arm as f64 * 0.3, 77));
        }
    }
    let replicates = Replicates::of(&judged, &runs, 400, 3).unwrap();
    let width = |interval: crate::Interval| interval.high - interval.low;
    assert!(width(replicates.gain(1, 0, 0)) < width(replicates.figure(1, 0)) / 2.0);
}

#[test]
fn intervals_cover_the_truth_about_as_often_as_they_say() {
    // The true area for normal scores one deviation apart: the standard normal distribution at 1/sqrt(2).
    let truth = 0.760_25;
    let mut covered = 0;
    for world in 0..60 {
        let judged = Judged {
            patients: (0..120).collect(),
            truths: Truths::Classes {
                names: vec!["no".to_owned(), "yes".to_owned()],
                of: (0..120).map(|place| place % 2).collect(),
            },
        };
        let runs = [run(&judged, (0, 50, 0), 1.0, 5_000 + world)];
        let figure = Replicates::of(&judged, &runs, 300, world).unwrap().figure(0, 0);
        covered += usize::from(figure.low <= truth && truth <= figure.high);
    }
    assert!((51..=60).contains(&covered), "{covered} of 60");
}

#[test]
fn the_labels_that_reach_another_arm_lie_between_those_tried() {
    let judged = judged(300);
    let apart = |arm: usize, labels: u64| match (arm, labels) {
        (0, 50) => 0.2,
        (0, 100) => 0.6,
        (0, _) => 1.2,
        (_, 50) => 0.7,
        (_, 100) => 1.8,
        _ => 2.2,
    };
    let replicates = Replicates::of(&judged, &grid(&judged, apart), 300, 1).unwrap();
    let (told, few, many) = replicates.reach(1, 0);
    let Reach::With(labels) = told else { panic!("{told:?}") };
    assert!((50.0..100.0).contains(&labels), "{labels}");
    assert!(
        matches!(few, Reach::With(_)) && matches!(many, Reach::With(_)),
        "{few:?} {many:?}"
    );
    assert_eq!(replicates.reach(0, 1).0, Reach::Never);
    let at_once = Replicates::of(&judged, &grid(&judged, |arm, _| arm as f64), 100, 1).unwrap();
    assert_eq!(at_once.reach(1, 0).0, Reach::AtOnce);
}

#[test]
fn an_arm_may_be_the_mean_of_several_starts() {
    let judged = judged(60);
    let mut runs = Vec::new();
    for seed in 0..2 {
        runs.push(run(&judged, (0, 50, seed), 1.0, u64::from(seed)));
        for start in 0..3 {
            runs.push(Run {
                start,
                ..run(
                    &judged,
                    (1, 50, seed),
                    start as f64,
                    10 * start as u64 + u64::from(seed),
                )
            });
        }
    }
    let replicates = Replicates::of(&judged, &runs, 100, 1).unwrap();
    let whole = replicates.figure(1, 0).value;
    let alone = |start: usize| {
        let of_start = runs.iter().filter(|run| run.arm == 1 && run.start == start);
        let of_start: Vec<Run> = of_start
            .map(|run| Run {
                arm: 0,
                start: 0,
                ..run.clone()
            })
            .collect();
        Replicates::of(&judged, &of_start, 20, 1).unwrap().figure(0, 0).value
    };
    assert!((whole - (alone(0) + alone(1) + alone(2)) / 3.0).abs() < 1e-12);
    runs.pop();
    let fault = Replicates::of(&judged, &runs, 100, 1).unwrap_err();
    assert_eq!(fault, RunFault::Missing { arm: 1, labels: 50 });
}

#[test]
fn what_cannot_be_compared_is_said() {
    let few = judged(5);
    assert_eq!(
        Replicates::of(&few, &grid(&few, |_, _| 1.0), 10, 1).unwrap_err(),
        RunFault::Patients(5)
    );
    let mut healthy = judged(30);
    let runs = grid(&healthy, |_, _| 1.0);
    if let Truths::Classes { of, .. } = &mut healthy.truths {
        of.fill(0);
    }
    assert_eq!(Replicates::of(&healthy, &runs, 10, 1).unwrap_err(), RunFault::Classes);
    let judged = judged(30);
    let mut runs = grid(&judged, |_, _| 1.0);
    runs[3].outputs = Outputs::Numbers(vec![1.0; 60]);
    assert_eq!(Replicates::of(&judged, &runs, 10, 1).unwrap_err(), RunFault::Outputs(0));
}
