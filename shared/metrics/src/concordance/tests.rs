use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found} {expected}");
}

fn concordance(scores: &[f64], has: &[bool], patients: &[usize]) -> Option<Concordance> {
    Influence::of(scores, has, patients).map(|influence| influence.concordance())
}

/// Pair by pair, and Obuchowski's three sums as her paper writes them.
fn naive(scores: &[f64], has: &[bool], patients: &[usize]) -> (f64, f64) {
    let rank = |with: f64, without: f64| match with.total_cmp(&without) {
        std::cmp::Ordering::Greater => 1.0,
        std::cmp::Ordering::Equal => 0.5,
        std::cmp::Ordering::Less => 0.0,
    };
    let rows = |wanted: bool| {
        (0..scores.len())
            .filter(move |row| has[*row] == wanted)
            .collect::<Vec<_>>()
    };
    let (with, without) = (rows(true), rows(false));
    let (m, n) = (with.len() as f64, without.len() as f64);
    let mut area = 0.0;
    for one in &with {
        for other in &without {
            area += rank(scores[*one], scores[*other]) / m / n;
        }
    }
    let mut names = patients.to_vec();
    names.sort_unstable();
    names.dedup();
    let (mut s10, mut s01, mut s11, mut i10, mut i01) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for name in &names {
        let own: Vec<usize> = with.iter().copied().filter(|row| patients[*row] == *name).collect();
        let others: Vec<usize> = without.iter().copied().filter(|row| patients[*row] == *name).collect();
        let mut x = 0.0;
        for one in &own {
            x += without
                .iter()
                .map(|other| rank(scores[*one], scores[*other]))
                .sum::<f64>()
                / n;
        }
        let mut y = 0.0;
        for other in &others {
            y += with.iter().map(|one| rank(scores[*one], scores[*other])).sum::<f64>() / m;
        }
        let (x, y) = (x - own.len() as f64 * area, y - others.len() as f64 * area);
        i10 += f64::from(u8::from(!own.is_empty()));
        i01 += f64::from(u8::from(!others.is_empty()));
        (s10, s01, s11) = (s10 + x * x, s01 + y * y, s11 + x * y);
    }
    let all = names.len() as f64;
    let (s10, s01, s11) = (
        i10 / ((i10 - 1.0) * m) * s10,
        i01 / ((i01 - 1.0) * n) * s01,
        all / (all - 1.0) * s11,
    );
    (area, s10 / m + s01 / n + 2.0 * s11 / (m * n))
}

/// DeLong by hand: scores with (0.35, 0.8), without (0.1, 0.4). Placements 1/2 and 1; 1 and 1/2. Area 3/4, each sample variance 1/8.
#[test]
fn four_patients_by_hand() {
    let found = concordance(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true], &[1, 2, 3, 4]).unwrap();
    assert_eq!((found.patients, found.other_patients), (2, 2));
    near(found.area, 0.75);
    near(found.variance, 0.125 / 2.0 + 0.125 / 2.0);
    near(found.sums().weight, 0.8);
}

#[test]
fn fewer_than_two_patients_on_a_side_say_nothing() {
    let scores = [0.1, 0.4, 0.35, 0.8];
    let has = [false, false, true, true];
    assert_eq!(concordance(&scores, &has, &[1, 2, 3, 3]), None);
    assert_eq!(concordance(&scores, &[true; 4], &[1, 2, 3, 4]), None);
    assert_eq!(concordance(&[], &[], &[]), None);
}

/// As if each radiograph twice, under the same patient, were a patient, the variance would be half of what it is.
#[test]
fn a_radiograph_that_is_there_twice_says_nothing_more() {
    let scores = [0.1, 0.4, 0.35, 0.8, 0.5, 0.3];
    let has = [false, false, true, true, false, true];
    let once = concordance(&scores, &has, &[1, 2, 3, 4, 5, 6]).unwrap();
    let twice = concordance(
        &[scores, scores].concat(),
        &[has, has].concat(),
        &[1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6],
    )
    .unwrap();
    near(twice.area, once.area);
    near(twice.variance, once.variance);
    let as_patients = concordance(
        &[scores, scores].concat(),
        &[has, has].concat(),
        &(0..12).collect::<Vec<_>>(),
    );
    assert!(as_patients.unwrap().variance < 0.55 * once.variance);
}

#[test]
fn a_site_weighs_by_its_patients_and_not_by_its_pairs() {
    let site = |patients, area| Concordance {
        patients,
        other_patients: patients,
        area,
        variance: 0.01 / patients as f64,
    };
    let (small, large) = (site(50, 0.6).sums(), site(500, 0.9).sums());
    let all = ConcordanceSums {
        weight: small.weight + large.weight,
        area: small.area + large.area,
        variance: small.variance + large.variance,
    };
    let found = all.figure().unwrap();
    // Nearly a tenth of the weight; by pairs it would be a hundredth.
    near(found.value, (small.weight * 0.6 + large.weight * 0.9) / all.weight);
    assert!((found.value - 0.873).abs() < 1e-3, "{found:?}");
    assert!(found.low.unwrap() < found.value && found.value < found.high.unwrap());
    assert_eq!(ConcordanceSums::default().figure(), None);
}

/// Ranked without a fault, the variance is 0 and the interval is not: by Hanley and McNeil ten against ten patients cannot tell 1 from 0.8.
#[test]
fn an_area_of_one_is_not_sure() {
    let scores: Vec<f64> = (0..20).map(f64::from).collect();
    let has: Vec<bool> = (0..20).map(|row| row >= 10).collect();
    let found = concordance(&scores, &has, &(0..20).collect::<Vec<_>>()).unwrap();
    assert_eq!((found.area, found.variance), (1.0, 0.0));
    let figure = found.sums().figure().unwrap();
    assert_eq!(figure.high, Some(1.0));
    assert!((0.75..0.85).contains(&figure.low.unwrap()), "{figure:?}");
}

/// Wilson's interval of 15 of 20 (Newcombe 1998 gives 81 of 263 as 0.2553 to 0.3662).
#[test]
fn wilsons_interval_is_that_of_the_paper() {
    let (low, high) = wilson(81.0 / 263.0, 263.0);
    assert!(
        (low - 0.2553).abs() < 1e-4 && (high - 0.3662).abs() < 1e-4,
        "{low} {high}"
    );
}

#[test]
fn a_mean_is_as_wide_as_its_classes_where_they_go_together_and_else_narrower() {
    let of = |value: f64| Figure {
        value,
        low: Some(value - 0.1),
        high: Some(value + 0.05),
    };
    for (correlation, narrower) in [(1.0, 1.0), (7.0, 1.0), (0.0, 0.5_f64.sqrt()), (-1.0, 0.0)] {
        let found = macro_area(&[of(0.6), of(0.8)], |_, _| correlation).unwrap();
        near(found.value, 0.7);
        near(found.low.unwrap(), 0.7 - 0.1 * narrower);
        near(found.high.unwrap(), 0.7 + 0.05 * narrower);
    }
    assert_eq!(macro_area(&[], |_, _| 1.0), None);
}

/// Two classes that are each other's rest have one area and one variance, so that this is their covariance too.
#[test]
fn a_class_and_its_rest_are_lucky_together() {
    let scores = [0.1, 0.4, 0.35, 0.8, 0.5, 0.3, 0.9];
    let has = [false, false, true, true, false, true, true];
    let patients = [1, 2, 2, 3, 4, 4, 5];
    let one = Influence::of(&scores, &has, &patients).unwrap();
    let other = Influence::of(&scores.map(|score| 1.0 - score), &has.map(|has| !has), &patients).unwrap();
    near(one.covariance(&one), one.concordance().variance);
    near(one.covariance(&other), one.concordance().variance);
    near(one.weight(), other.weight());
}

/// Two patients can seem to vary by more than an area can: what is held to that goes together less with all else.
#[test]
fn a_variance_is_held_to_what_it_can_be_and_covariances_with_it() {
    let scores = [2.0, 3.0, 0.0, 4.0, 1.0];
    let has = [true, true, true, false, false];
    let patients = [0, 0, 1, 1, 0];
    let one = Influence::of(&scores, &has, &patients).unwrap();
    assert!(one.variance > 0.3, "{}", one.variance);
    let other = Influence::of(&scores.map(|score| -score), &has.map(|has| !has), &patients).unwrap();
    for covariance in [one.concordance().variance, one.covariance(&one), one.covariance(&other)] {
        near(covariance, AREA_VARIANCE_MAX);
    }
}

/// Of few patients, most of whom have several radiographs of several classes.
#[test]
fn no_mean_over_classes_varies_by_less_than_nothing() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut seen = 0;
    for _ in 0..300 {
        let mut drawn = |below: usize| (0..12).map(|_| random.random_range(0..below)).collect::<Vec<_>>();
        let (truths, patients) = (drawn(3), drawn(5));
        let ranked: Option<Vec<Influence>> = (0..3)
            .map(|class| {
                let scores: Vec<f64> = drawn(100).iter().map(|score| *score as f64).collect();
                let has: Vec<bool> = truths.iter().map(|truth| *truth == class).collect();
                Influence::of(&scores, &has, &patients)
            })
            .collect();
        let Some(ranked) = ranked else { continue };
        seen += 1;
        for weights in [[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [0.5, 0.0, 2.0], [-1.0, 3.0, 1.0]] {
            let mut sum = 0.0;
            for (one, weight) in ranked.iter().zip(weights) {
                for (other, other_weight) in ranked.iter().zip(weights) {
                    sum += weight * other_weight * one.covariance(other);
                }
            }
            assert!(sum > -1e-12, "{sum} {weights:?} {truths:?} {patients:?}");
        }
    }
    assert!(seen > 100, "{seen}");
}

/// Three sites whose scores are shifted against each other, patients with one to three alike radiographs: the interval must hold the true
/// area in about 95 of 100 consortia. As many radiographs as patients, it would in about 85.
#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut normal = move || {
        let (one, other): (f64, f64) = (random.random(), random.random());
        (-2.0 * (1.0 - one).ln()).sqrt() * (std::f64::consts::TAU * other).cos()
    };
    // Of a patient's deviation, 0.8 are its own and 0.6 the radiograph's; with the class all are 1.2 higher: 0.8019 of pairs are right.
    const TRUTH: f64 = 0.801_9;
    let (mut held, mut narrow) = (0, 0);
    const CONSORTIA: u32 = 400;
    for _ in 0..CONSORTIA {
        let (mut all, mut alone) = (ConcordanceSums::default(), ConcordanceSums::default());
        for (site, count) in [12_usize, 30, 60].into_iter().enumerate() {
            let (mut scores, mut has, mut patients) = (Vec::new(), Vec::new(), Vec::new());
            for patient in 0..count {
                let (own, with) = (0.8 * normal(), patient % 3 == 0);
                for _ in 0..patient % 3 + 2 {
                    scores.push(3.0 * site as f64 + own + 0.6 * normal() + if with { 1.2 } else { 0.0 });
                    has.push(with);
                    patients.push(patient);
                }
            }
            let rows: Vec<usize> = (0..scores.len()).collect();
            for (sums, patients) in [(&mut all, &patients), (&mut alone, &rows)] {
                let of = concordance(&scores, &has, patients).unwrap().sums();
                sums.weight += of.weight;
                sums.area += of.area;
                sums.variance += of.variance;
            }
        }
        let holds = |sums: &ConcordanceSums| {
            let figure = sums.figure().unwrap();
            u32::from((figure.low.unwrap()..figure.high.unwrap()).contains(&TRUTH))
        };
        held += holds(&all);
        narrow += holds(&alone);
    }
    let share = |held: u32| f64::from(held) / f64::from(CONSORTIA);
    assert!((0.925..=0.985).contains(&share(held)), "{}", share(held));
    assert!(share(narrow) < 0.9, "{}", share(narrow));
}

/// Four classes at three sites, patients with two to four alike radiographs: the interval of the mean over classes must hold the true one in
/// about 95 of 100 consortia. The mean of the classes' ends holds it always, and is three quarters wider.
#[test]
fn the_interval_of_a_mean_over_classes_holds_the_truth_as_often_as_it_says() {
    const CLASSES: usize = 4;
    const CONSORTIA: u32 = 1000;
    // The score of a radiograph's own class is 1.2 higher, all vary by 1, and each is told less the mean of the four, as of shares of one
    // whole: a pair differs by 1.2 in the mean, with a variance of 2 (1 - 1/4).
    const TRUTH: f64 = 0.836_4;
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let mut normal = move || {
        let (one, other): (f64, f64) = (random.random(), random.random());
        (-2.0 * (1.0 - one).ln()).sqrt() * (std::f64::consts::TAU * other).cos()
    };
    let (mut held, mut held_wide, mut width, mut width_wide) = (0, 0, 0.0, 0.0);
    for _ in 0..CONSORTIA {
        let mut sums = [ConcordanceSums::default(); CLASSES];
        let mut covariances = [[0.0; CLASSES]; CLASSES];
        for count in [24_usize, 40, 80] {
            let (mut scores, mut truths, mut patients) = (Vec::new(), Vec::new(), Vec::new());
            for patient in 0..count {
                let own: [f64; CLASSES] = std::array::from_fn(|_| 0.8 * normal());
                for _ in 0..patient % 3 + 2 {
                    let mut row = own.map(|own| own + 0.6 * normal());
                    row[patient % CLASSES] += 1.2;
                    let mean = row.iter().sum::<f64>() / CLASSES as f64;
                    scores.push(row.map(|score| score - mean));
                    truths.push(patient % CLASSES);
                    patients.push(patient);
                }
            }
            let ranked: Vec<Influence> = (0..CLASSES)
                .map(|class| {
                    let of_class: Vec<f64> = scores.iter().map(|row| row[class]).collect();
                    let has: Vec<bool> = truths.iter().map(|truth| *truth == class).collect();
                    Influence::of(&of_class, &has, &patients).unwrap()
                })
                .collect();
            for (class, one) in ranked.iter().enumerate() {
                let of = one.concordance().sums();
                sums[class].weight += of.weight;
                sums[class].area += of.area;
                sums[class].variance += of.variance;
                for (other, two) in ranked.iter().enumerate() {
                    covariances[class][other] += one.covariance(two) * one.weight() * two.weight();
                }
            }
        }
        let figures: Vec<Figure> = sums.iter().map(|sums| sums.figure().unwrap()).collect();
        let together =
            |one: usize, other: usize| covariances[one][other] / (sums[one].variance * sums[other].variance).sqrt();
        let found = macro_area(&figures, together).unwrap();
        let wide = macro_area(&figures, |_, _| 1.0).unwrap();
        let ends = |figure: &Figure| figure.low.unwrap()..figure.high.unwrap();
        held += u32::from(ends(&found).contains(&TRUTH));
        held_wide += u32::from(ends(&wide).contains(&TRUTH));
        width += found.high.unwrap() - found.low.unwrap();
        width_wide += wide.high.unwrap() - wide.low.unwrap();
    }
    let share = |held: u32| f64::from(held) / f64::from(CONSORTIA);
    assert!((0.935..=0.98).contains(&share(held)), "{}", share(held));
    assert!(
        share(held_wide) > 0.99 && width < 0.7 * width_wide,
        "{} {}",
        share(held_wide),
        width / width_wide
    );
}

proptest! {
    /// Few distinct scores and patients, so that many are equal and many patients have both.
    #[test]
    fn area_and_variance_are_those_of_all_pairs(
        rows in proptest::collection::vec((0_u8..6, any::<bool>(), 0_usize..9), 4..60)
    ) {
        let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0) / 5.0).collect();
        let has: Vec<bool> = rows.iter().map(|row| row.1).collect();
        let patients: Vec<usize> = rows.iter().map(|row| row.2).collect();
        if let Some(found) = concordance(&scores, &has, &patients) {
            let (area, variance) = naive(&scores, &has, &patients);
            prop_assert!((found.area - area).abs() < 1e-12);
            prop_assert!(variance > -1e-12);
            prop_assert!((found.variance - variance.clamp(0.0, AREA_VARIANCE_MAX)).abs() < 1e-12);
        }
    }
}
