//! What a site has from taking part: the shared model beside the one that its radiographs alone make, on its own validation patients.

use serde::Serialize;

use crate::{
    evaluation::{ClassCount, Evaluation, HeadEvaluation, NORMAL_95},
    ids::SiteName,
    labels::LabelName,
    update::FinalEvaluation,
};

/// The shared model beside the site's own, for one label.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Gain {
    /// Which site.
    pub site: SiteName,
    /// Which label.
    pub label: LabelName,
    /// In what the models are compared.
    pub measure: Measure,
    /// Radiographs that both models were tried on.
    pub images: u64,
    /// The shared model's figure.
    pub shared: f64,
    /// The own model's figure.
    pub own: f64,
    /// By how much the shared model is better; negative where it is worse. In the measure's unit.
    pub gain: f64,
    /// The interval that holds the gain with 95 % confidence, where the counts allow to say.
    pub interval: Option<(f64, f64)>,
}

/// In what two models are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Mean of the classes' recalls, in 0 to 1; more is better.
    BalancedAccuracy,
    /// Mean absolute error in the label's unit (age: years); less is better.
    MeanAbsoluteError,
}

/// What can be said of a gain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The shared model is better here.
    Gain,
    /// The shared model is worse here.
    Harm,
    /// Too few radiographs to tell, or no difference.
    Open,
}

impl Gain {
    /// What can be said: gain or harm only where the interval does not hold zero.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.interval {
            Some((low, _)) if low > 0.0 => Verdict::Gain,
            Some((_, high)) if high < 0.0 => Verdict::Harm,
            _ => Verdict::Open,
        }
    }
}

/// The gains of every site that said how good both models are.
#[must_use]
pub fn of_finals(finals: &[(SiteName, FinalEvaluation)]) -> Vec<Gain> {
    let both =
        |(site, done): &(SiteName, FinalEvaluation)| Some(gains(site, done.evaluation.as_ref()?, done.own.as_ref()?));
    finals.iter().filter_map(both).flatten().collect()
}

/// The gains of a site: one for each label that both evaluations speak of.
#[must_use]
pub fn gains(site: &SiteName, shared: &Evaluation, own: &Evaluation) -> Vec<Gain> {
    let both = |head: &HeadEvaluation| {
        let other = own.head(head.label())?;
        compare(site, head, other)
    };
    shared.heads.iter().filter_map(both).collect()
}

/// For each label the site with the least gain, in the order of the labels' first appearance.
#[must_use]
pub fn worst(gains: &[Gain]) -> Vec<&Gain> {
    let mut worst: Vec<&Gain> = Vec::new();
    for gain in gains {
        match worst.iter_mut().find(|least| least.label == gain.label) {
            Some(least) if gain.gain < least.gain => *least = gain,
            Some(_) => {}
            None => worst.push(gain),
        }
    }
    worst
}

fn compare(site: &SiteName, shared: &HeadEvaluation, own: &HeadEvaluation) -> Option<Gain> {
    let (measure, images, shared_figure, own_figure, gain, interval) = match (shared, own) {
        (
            HeadEvaluation::Classes { classes, .. },
            HeadEvaluation::Classes {
                classes: own_classes, ..
            },
        ) => {
            let pairs = pairs(classes, own_classes);
            let count = pairs.len() as f64;
            let mean = |recall: fn(&Pair) -> f64| pairs.iter().map(recall).sum::<f64>() / count;
            let (shared, own) = (
                mean(|pair| pair.shared / pair.images),
                mean(|pair| pair.own / pair.images),
            );
            let images = pairs.iter().map(|pair| pair.images as u64).sum();
            let interval = interval_of_recalls(&pairs);
            (
                Measure::BalancedAccuracy,
                images,
                shared,
                own,
                shared - own,
                Some(interval),
            )
        }
        (HeadEvaluation::Regression { images, .. }, HeadEvaluation::Regression { .. }) => {
            let variance = shared.mean_error_variance().zip(own.mean_error_variance());
            let (shared, own) = (shared.mean_absolute_errors()?.0, own.mean_absolute_errors()?.0);
            let interval = variance.map(|(shared_variance, own_variance)| {
                let half = NORMAL_95 * (shared_variance + own_variance).sqrt();
                (own - shared - half, own - shared + half)
            });
            (Measure::MeanAbsoluteError, *images, shared, own, own - shared, interval)
        }
        _ => return None,
    };
    (images > 0).then(|| Gain {
        site: site.clone(),
        label: shared.label(),
        measure,
        images,
        shared: shared_figure,
        own: own_figure,
        gain,
        interval,
    })
}

/// One class that both models were tried on.
struct Pair {
    images: f64,
    shared: f64,
    own: f64,
}

/// Only classes that both were tried on, on the same radiographs: one that is hidden on one side would tilt the means.
fn pairs(shared: &[ClassCount], own: &[ClassCount]) -> Vec<Pair> {
    let pair = |class: &ClassCount| {
        let other = own
            .iter()
            .find(|other| other.class == class.class && other.images == class.images)?;
        (class.images > 0).then_some(Pair {
            images: class.images as f64,
            shared: class.correct as f64,
            own: other.correct as f64,
        })
    };
    shared.iter().filter_map(pair).collect()
}

/// Of the difference of two means of recalls: for each class one success and one failure are added (Agresti and Caffo 2000), which
/// keeps the interval honest where a class has few radiographs. That both models saw the same ones would make it narrower.
fn interval_of_recalls(pairs: &[Pair]) -> (f64, f64) {
    let count = pairs.len() as f64;
    let (mut centre, mut variance) = (0.0, 0.0);
    for pair in pairs {
        let images = pair.images + 2.0;
        let [shared, own] = [pair.shared, pair.own].map(|correct| (correct + 1.0) / images);
        centre += (shared - own) / count;
        variance += (shared * (1.0 - shared) + own * (1.0 - own)) / images / (count * count);
    }
    let half = NORMAL_95 * variance.sqrt();
    (centre - half, centre + half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;

    fn classes(counts: &[(&str, u64, u64)]) -> Evaluation {
        let of = |(class, images, correct): &(&str, u64, u64)| ClassCount {
            class: (*class).to_owned(),
            images: *images,
            correct: *correct,
            detail: None,
        };
        let head = HeadEvaluation::Classes {
            label: LabelName::BodyPart,
            loss_sum: 1.0,
            images: counts.iter().map(|(_, images, _)| images).sum(),
            classes: counts.iter().map(of).collect(),
        };
        evaluation(head)
    }

    fn ages(errors: &[f64]) -> Evaluation {
        evaluation(HeadEvaluation::Regression {
            label: LabelName::Age,
            loss_sum: 1.0,
            images: errors.len() as u64,
            absolute_error_sum: errors.iter().sum(),
            constant_absolute_error_sum: 1.0,
            absolute_error_square_sum: Some(errors.iter().map(|error| error * error).sum()),
        })
    }

    fn evaluation(head: HeadEvaluation) -> Evaluation {
        Evaluation {
            model_digest: Sha256Digest::of(b"model"),
            images: 100,
            heads: vec![head],
            reconstruction: None,
            contrast: None,
        }
    }

    fn only(site: &str, shared: &Evaluation, own: &Evaluation) -> Gain {
        let mut gains = gains(&site.parse().unwrap(), shared, own);
        assert_eq!(gains.len(), 1);
        gains.remove(0)
    }

    #[test]
    fn a_clear_difference_is_gain_or_harm_and_a_small_one_is_left_open() {
        let (good, bad) = (
            classes(&[("CHEST", 100, 95), ("HAND", 50, 45)]),
            classes(&[("CHEST", 100, 60), ("HAND", 50, 20)]),
        );
        let gain = only("north", &good, &bad);
        assert!((gain.gain - (0.925 - 0.5)).abs() < 1e-12 && gain.images == 150);
        assert_eq!(
            (gain.verdict(), only("north", &bad, &good).verdict()),
            (Verdict::Gain, Verdict::Harm)
        );
        let few = only("north", &classes(&[("CHEST", 4, 4)]), &classes(&[("CHEST", 4, 2)]));
        assert_eq!((few.gain, few.verdict()), (0.5, Verdict::Open));
        let same = only("north", &good, &good);
        assert_eq!((same.gain, same.verdict()), (0.0, Verdict::Open));
    }

    #[test]
    fn the_interval_is_that_of_the_paper_for_one_class() {
        // Agresti and Caffo (2000): 7 of 8 and 1 of 2 with one success and one failure each are 8 of 10 and 2 of 4.
        let gain = only("north", &classes(&[("CHEST", 8, 7)]), &classes(&[("CHEST", 8, 3)]));
        let (low, high) = gain.interval.unwrap();
        let half = 1.959_964 * (0.8 * 0.2 / 10.0 + 0.4 * 0.6 / 10.0_f64).sqrt();
        assert!((low - (0.4 - half)).abs() < 1e-6 && (high - (0.4 + half)).abs() < 1e-6);
    }

    #[test]
    fn classes_that_are_hidden_on_one_side_count_on_neither() {
        let shared = classes(&[("CHEST", 10, 10), ("HAND", 10, 0)]);
        let own = classes(&[("CHEST", 10, 5)]);
        assert_eq!(only("north", &shared, &own).gain, 0.5);
        assert!(gains(&"north".parse().unwrap(), &shared, &classes(&[])).is_empty());
        assert!(gains(&"north".parse().unwrap(), &shared, &ages(&[1.0])).is_empty());
    }

    #[test]
    fn less_error_is_gain_and_the_interval_needs_the_squares() {
        let (small, large) = (ages(&[1.0, 2.0, 1.5, 0.5]), ages(&[9.0, 11.0, 10.0, 10.5]));
        let gain = only("north", &small, &large);
        assert!((gain.gain - 8.875).abs() < 1e-12);
        // Variances of the means by hand: 0.4167 / 4 and 0.7292 / 4.
        let half = 1.959_964 * ((5.0 / 12.0 + 35.0 / 48.0) / 4.0_f64).sqrt();
        let (low, high) = gain.interval.unwrap();
        assert!(
            (low - (8.875 - half)).abs() < 1e-6 && (high - (8.875 + half)).abs() < 1e-6,
            "{low} {high}"
        );
        assert_eq!(
            (gain.verdict(), only("north", &large, &small).verdict()),
            (Verdict::Gain, Verdict::Harm)
        );
        let mut untold = large.clone();
        if let HeadEvaluation::Regression {
            absolute_error_square_sum,
            ..
        } = &mut untold.heads[0]
        {
            *absolute_error_square_sum = None;
        }
        assert_eq!(only("north", &small, &untold).verdict(), Verdict::Open);
    }

    #[test]
    fn the_worst_site_of_each_label_is_named() {
        let (good, bad) = (classes(&[("CHEST", 100, 95)]), classes(&[("CHEST", 100, 60)]));
        let all = [
            only("north", &good, &bad),
            only("south", &bad, &good),
            only("west", &ages(&[1.0, 2.0]), &ages(&[2.0, 3.0])),
        ];
        let worst: Vec<&str> = worst(&all).iter().map(|gain| gain.site.as_str()).collect();
        assert_eq!(worst, ["south", "west"]);
    }
}
