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

fn comparison() -> crate::Comparison {
    let text = r#"
        format = 1
        title = "Does <it> help?"
        labels = [50, 100, 400]
        seeds = 3
        draws = 200
        [[arms]]
        name = "scratch & co"
        steps = 10
        [[arms]]
        name = "<b>transfer</b>"
        from = ["release-1"]
        steps = 10
        trunk_rate = 0.1
        [[claims]]
        better = "<b>transfer</b>"
        than = "scratch & co"
        labels = [50, 400]
        [[claims]]
        better = "scratch & co"
        than = "<b>transfer</b>"
        labels = [100]
        margin = -0.02
    "#;
    let comparison: crate::Comparison = toml::from_str(text).unwrap();
    assert_eq!(comparison.faults(), Vec::<String>::new());
    comparison
}

#[test]
fn claims_are_judged_by_their_margins_and_told_as_they_fall() {
    let (judged, comparison) = (judged(200), comparison());
    let verdicts = |apart: &dyn Fn(usize, u64) -> f64| {
        let replicates = Replicates::of(&judged, &grid(&judged, apart), 200, 1).unwrap();
        let judged = crate::findings::judge(&comparison, &replicates);
        judged.iter().map(|judgement| judgement.verdict).collect::<Vec<_>>()
    };
    use crate::findings::Verdict::{Fails, Holds, Open};
    assert_eq!(verdicts(&|arm, _| 0.3 + arm as f64), [Holds, Fails]);
    assert_eq!(verdicts(&|arm, _| 1.3 - arm as f64), [Fails, Holds]);
    assert_eq!(verdicts(&|_, _| 0.8)[0], Open);
}

#[test]
fn what_nobody_claimed_beforehand_stands_apart_and_gets_no_verdict() {
    let (judged, mut comparison) = (judged(200), comparison());
    let replicates = Replicates::of(&judged, &grid(&judged, |arm, _| 0.3 + arm as f64), 200, 1).unwrap();
    let told = crate::Told {
        facts: Vec::new(),
        documents: Vec::new(),
    };
    let (claimed, looked) = ("What was claimed beforehand", "What was looked at beside that");
    comparison.claims[1].exploratory = true;
    let page = crate::page(&comparison, &judged, &replicates, &told);
    let (before, after) = page.split_once(looked).unwrap();
    assert!(before.contains(claimed) && before.contains(">holds<"), "{before}");
    assert!(
        !after.contains(">holds<") && !after.contains("does not hold"),
        "{after}"
    );
    assert!(
        after.contains("scratch &amp; co less &lt;b&gt;transfer") && !after.contains("scratch &amp; co is at most"),
        "{after}"
    );
    let lines = crate::findings::lines(&comparison, &replicates);
    assert!(
        lines[0].starts_with("Claimed: ") && lines[0].ends_with(": Holds."),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("Not claimed, looked at: scratch & co less <b>transfer</b>: 100 labels: -"),
        "{lines:?}"
    );
    let limits = |of: &crate::Comparison| crate::findings::limits(of, &judged, &replicates).join("\n");
    assert!(limits(&comparison).contains("a look and no test: scratch & co beside <b>transfer</b>."));
    comparison.claims[0].exploratory = true;
    let page = crate::page(&comparison, &judged, &replicates, &told);
    assert!(page.contains(looked) && !page.contains(claimed), "{page}");
    assert!(limits(&comparison).contains("Nothing was claimed beforehand"));
}

/// What other programs read: a verdict stands where a claim was made, and nowhere else.
#[test]
fn documents_for_programs_have_a_verdict_for_claims_alone() {
    let (judged, mut comparison) = (judged(200), comparison());
    comparison.claims[1].exploratory = true;
    let replicates = Replicates::of(&judged, &grid(&judged, |arm, _| 0.3 + arm as f64), 200, 1).unwrap();
    let claims = serde_json::to_value(crate::findings::judge(&comparison, &replicates)).unwrap();
    let verdicts: Vec<_> = claims.as_array().unwrap().iter().map(|one| &one["verdict"]).collect();
    assert_eq!(verdicts, ["holds"], "{claims}");
    let looks = serde_json::to_value(crate::findings::looks(&comparison, &replicates)).unwrap();
    let look = looks[0].as_object().unwrap();
    assert_eq!(look.keys().collect::<Vec<_>>(), ["difference", "gains"], "{looks}");
    assert_eq!(look["difference"], "scratch & co less <b>transfer</b>");
    assert_eq!(looks.as_array().map(Vec::len), Some(1), "{looks}");
}

/// A claim is of its arms with its labels: a difference with others was not claimed, and where nothing was claimed at all the limits say so.
#[test]
fn sentences_say_which_differences_nobody_claimed() {
    let (judged, mut comparison) = (judged(200), comparison());
    let replicates = Replicates::of(&judged, &grid(&judged, |arm, _| 0.3 + arm as f64), 200, 1).unwrap();
    let unclaimed = |of: &crate::Comparison| -> Vec<bool> {
        let said = crate::findings::sentences(of, &judged, &replicates);
        let differences = said.iter().filter(|line| line.starts_with("With "));
        differences
            .map(|line| line.contains("; not claimed beforehand)"))
            .collect()
    };
    assert_eq!(unclaimed(&comparison), [false, false, false]);
    comparison.claims[1].exploratory = true;
    assert_eq!(unclaimed(&comparison), [false, true, false], "with 100 labels");
    comparison.claims.clear();
    assert_eq!(unclaimed(&comparison), [false, false, false]);
}

#[test]
fn the_words_say_better_worse_and_not_told_apart() {
    let (judged, comparison) = (judged(200), comparison());
    let said = |apart: &dyn Fn(usize, u64) -> f64, comparison: &crate::Comparison| {
        let replicates = Replicates::of(&judged, &grid(&judged, apart), 200, 1).unwrap();
        crate::findings::sentences(comparison, &judged, &replicates).join("\n")
    };
    let better = said(&|arm, _| 0.3 + arm as f64, &comparison);
    assert_eq!(better.matches("does better than scratch & co").count(), 3, "{better}");
    assert!(better.contains("needs 50 or fewer labels"), "{better}");
    let worse = said(&|arm, _| 1.3 - arm as f64, &comparison);
    assert_eq!(worse.matches("does worse than").count(), 3, "{worse}");
    assert!(worse.contains("needs more than 400 labels"), "{worse}");
    assert!(said(&|_, _| 0.8, &comparison).contains("do not tell"));
    let mut control = comparison;
    control.arms[1].shuffled = true;
    assert!(said(&|arm, _| 1.0 - arm as f64, &control).contains("As it should be."));
    assert!(said(&|_, _| 1.0, &control).contains("look for it before believing"));
}

#[test]
fn the_page_is_well_formed_and_names_stand_in_it_as_words() {
    let (judged, comparison) = (judged(50), comparison());
    let replicates = Replicates::of(&judged, &grid(&judged, |arm, _| arm as f64), 200, 1).unwrap();
    let told = crate::Told {
        facts: vec![("dataset".to_owned(), "<i>sha</i>".to_owned())],
        documents: vec![("the plan", "study = \"<x>\"".to_owned())],
    };
    let html = crate::page(&comparison, &judged, &replicates, &told);
    assert_eq!(snowball_web::fault(&html), None);
    assert!(html.contains("&lt;b&gt;transfer&lt;/b&gt;") && !html.contains("<b>transfer"));
    assert!(html.contains("does not hold") || html.contains("holds"));
}
