//! What a site says of a class beyond counts is held against its counts: whoever sends it may be broken, or lie.

use snowball_metrics::{AREA_VARIANCE_MAX, weight};
use snowball_protocol::{
    Problem, ProblemCode,
    evaluation::{ClassCount, ClassDetail, Ranks},
};

use super::covariance::{Varying, first_impossible};

/// Sums of rounded numbers are off by this much at most, as a share.
const ROUNDING: f64 = 1e-9;
/// Probabilities of 32 bits add up to 1 only so far.
const PROBABILITY_ROUNDING: f64 = 1e-3;
const REMEDY: &str = "report it to the hospital's operator: its program and the aggregator's must be of versions that count alike; it may take \
     part without \"detailed_metrics\" in its policy's release.allowed";

/// Whether what is told of `class`, one of `known`, fits its counts, where the head is of so many images.
///
/// # Errors
/// As [`check_evaluation`](super::check_evaluation).
pub(super) fn check(known: &[String], head_images: u64, class: &ClassCount) -> Result<(), Problem> {
    let Some(detail) = &class.detail else { return Ok(()) };
    let place = known.iter().position(|known| *known == class.class);
    let said: u128 = detail.said.iter().map(|count| u128::from(*count)).sum();
    let right = place.and_then(|place| detail.said.get(place)).copied();
    if detail.said.len() != known.len() || said != u128::from(class.images) || right != Some(class.correct) {
        return refused(
            ProblemCode::Malformed,
            class,
            "a row of the confusion matrix does not fit its counts",
        );
    }
    if !(1..=class.images).contains(&detail.patients) {
        return refused(
            ProblemCode::Malformed,
            class,
            "it is of no patient, or of more than images",
        );
    }
    let images = class.images as f64;
    // Of each patient at most all of its images differ from the mean, and few patients make it twice that.
    if !is_within(detail.correct_variance, 2.0 * images * images, ROUNDING)
        || !is_within(detail.brier_sum, 2.0 * images, PROBABILITY_ROUNDING)
    {
        return refused(
            ProblemCode::NotFinite,
            class,
            "a sum is negative, not finite, or larger than its images allow",
        );
    }
    detail.ranks.map_or(Ok(()), |ranks| {
        check_ranks(class, detail, head_images.saturating_sub(class.images), ranks)
    })
}

/// Whether what is told of how `classes`, of those `known`, go together fits their ranks and can be at all.
///
/// # Errors
/// As [`check_evaluation`](super::check_evaluation).
pub(super) fn check_together(known: &[String], classes: &[ClassCount]) -> Result<(), Problem> {
    let ranks_at = |place: usize| -> Option<Ranks> {
        let class = classes.iter().find(|class| known.get(place) == Some(&class.class))?;
        class.detail.as_ref()?.ranks
    };
    for class in classes {
        let Some(sums) = class.detail.as_ref().and_then(|detail| detail.covariance_sums.as_ref()) else {
            continue;
        };
        let place = known.iter().position(|known| *known == class.class);
        let (true, Some(own)) = (place == Some(sums.len()), place.and_then(ranks_at)) else {
            return refused(
                ProblemCode::Malformed,
                class,
                "it goes together with other classes than stand before it in the plan, or has no ranks",
            );
        };
        for (before, sum) in sums.iter().enumerate() {
            let weight = ranks_at(before).map_or(0.0, |ranks| ranks.weight_sum);
            let most = AREA_VARIANCE_MAX * own.weight_sum * weight;
            if !is_within(sum.abs(), most, ROUNDING) {
                return refused(
                    ProblemCode::NotFinite,
                    class,
                    "how it goes together with another class is not finite, or beyond what their weights allow",
                );
            }
        }
    }
    check_possible(known, classes)
}

/// The variances that come with them bind covariances closer than weights do: else one site's could outweigh what all others vary by.
fn check_possible(known: &[String], classes: &[ClassCount]) -> Result<(), Problem> {
    let mut ranked: Vec<(usize, &ClassCount)> = Vec::new();
    let mut numbers: Vec<Varying> = Vec::new();
    for (place, name) in known.iter().enumerate() {
        let Some(class) = classes.iter().find(|class| class.class == *name) else {
            continue;
        };
        let Some((detail, ranks)) = class.detail.as_ref().and_then(|detail| Some((detail, detail.ranks?))) else {
            continue;
        };
        // What is not told takes nothing away: over all sites it is then unknown, and the interval the wider for it.
        let sums = detail.covariance_sums.as_deref().unwrap_or_default();
        let with = |(before, _): &(usize, &ClassCount)| sums.get(*before).copied().unwrap_or(0.0);
        numbers.push(Varying {
            variance: ranks.variance_sum,
            variance_max: AREA_VARIANCE_MAX * ranks.weight_sum * ranks.weight_sum,
            covariances: ranked.iter().map(with).collect(),
        });
        ranked.push((place, class));
    }
    first_impossible(&numbers)
        .and_then(|place| ranked.get(place))
        .map_or(Ok(()), |(_, class)| {
            refused(
                ProblemCode::NotFinite,
                class,
                "how it goes together with the classes before it is beyond what their variances allow",
            )
        })
}

fn check_ranks(class: &ClassCount, detail: &ClassDetail, others: u64, ranks: Ranks) -> Result<(), Problem> {
    if detail.patients < 2 || !(2..=others).contains(&ranks.other_patients) {
        return refused(
            ProblemCode::Malformed,
            class,
            "its ranks are of fewer than two patients on a side, or of more than images",
        );
    }
    let due = weight(detail.patients, ranks.other_patients);
    let is_due = (ranks.weight_sum - due).abs() <= ROUNDING * due;
    if !is_due {
        return refused(
            ProblemCode::Malformed,
            class,
            "its ranks do not have the weight of their patients",
        );
    }
    let area_max = ranks.weight_sum;
    let variance_max = AREA_VARIANCE_MAX * ranks.weight_sum * ranks.weight_sum;
    if !is_within(ranks.area_sum, area_max, ROUNDING) || !is_within(ranks.variance_sum, variance_max, ROUNDING) {
        return refused(
            ProblemCode::NotFinite,
            class,
            "its ranks are negative, not finite, or beyond what their weight allows",
        );
    }
    Ok(())
}

/// NaN is within nothing.
fn is_within(sum: f64, max: f64, rounding: f64) -> bool {
    (0.0..=max * (1.0 + rounding)).contains(&sum)
}

fn refused(code: ProblemCode, class: &ClassCount, reason: &str) -> Result<(), Problem> {
    let reason = format!("the details of class {} contradict themselves: {reason}", class.class);
    Err(Problem::new(code, reason).with_remedy(REMEDY))
}

#[cfg(test)]
mod tests {
    use snowball_protocol::{
        Sha256Digest, StudyPlan,
        evaluation::{Evaluation, HeadEvaluation},
        labels::LabelName,
        plan::{HeadKind, Sent},
    };

    use crate::{check_evaluation, testing};

    use super::*;

    fn plan() -> StudyPlan {
        let mut plan = testing::plan();
        plan.heads[0].label = LabelName::Sex;
        plan.heads[0].kind = HeadKind::Classes(["F", "M", "O"].map(str::to_owned).into());
        plan.heads.truncate(1);
        plan.send.push(Sent::DetailedMetrics);
        plan
    }

    fn sound() -> Evaluation {
        let due = weight(6, 4);
        Evaluation {
            model_digest: Sha256Digest::of(b"m"),
            images: 20,
            heads: vec![HeadEvaluation::Classes {
                label: LabelName::Sex,
                loss_sum: 3.0,
                images: 18,
                classes: vec![ClassCount {
                    class: "M".to_owned(),
                    images: 10,
                    correct: 7,
                    detail: Some(ClassDetail {
                        patients: 6,
                        said: vec![2, 7, 1],
                        correct_variance: 3.0,
                        brier_sum: 5.0,
                        ranks: Some(Ranks {
                            other_patients: 4,
                            weight_sum: due,
                            area_sum: 0.7 * due,
                            variance_sum: 0.01 * due * due,
                        }),
                        covariance_sums: Some(vec![0.0]),
                    }),
                }],
            }],
            reconstruction: None,
            contrast: None,
        }
    }

    /// Both classes ranked, their areas going together by `share` of their variance.
    fn both(share: f64) -> Evaluation {
        let mut evaluation = sound();
        let HeadEvaluation::Classes { classes, .. } = &mut evaluation.heads[0] else {
            panic!()
        };
        let mut other = classes[0].clone();
        (other.class, other.images, other.correct) = ("F".to_owned(), 8, 5);
        let detail = other.detail.as_mut().unwrap();
        (detail.patients, detail.said, detail.covariance_sums) = (4, vec![5, 2, 1], Some(vec![]));
        ranks(detail).other_patients = 6;
        let detail = classes[0].detail.as_mut().unwrap();
        detail.covariance_sums = Some(vec![share * ranks(detail).variance_sum]);
        // In no order that the plan has.
        classes.push(other);
        evaluation
    }

    fn checked(plan: &StudyPlan, change: &dyn Fn(&mut ClassDetail)) -> Result<(), Problem> {
        let mut evaluation = sound();
        let HeadEvaluation::Classes { classes, .. } = &mut evaluation.heads[0] else {
            panic!()
        };
        change(classes[0].detail.as_mut().unwrap());
        check_evaluation(plan, evaluation.model_digest, &evaluation)
    }

    fn ranks(detail: &mut ClassDetail) -> &mut Ranks {
        detail.ranks.as_mut().unwrap()
    }

    #[test]
    fn sound_details_pass_where_the_plan_asks_for_them() {
        assert_eq!(checked(&plan(), &|_| {}), Ok(()));
        let unranked = |detail: &mut ClassDetail| (detail.ranks, detail.covariance_sums) = (None, None);
        assert_eq!(checked(&plan(), &unranked), Ok(()));
        assert_eq!(checked(&plan(), &|detail| detail.covariance_sums = None), Ok(()));
        let mut silent = plan();
        silent.send.retain(|sent| *sent != Sent::DetailedMetrics);
        let refusal = checked(&silent, &|_| {}).unwrap_err();
        assert!(
            refusal.code == ProblemCode::Malformed && refusal.reason.contains("does not ask"),
            "{refusal}"
        );
    }

    #[test]
    fn details_that_do_not_fit_their_counts_are_refused_with_what_to_do() {
        let malformed: [&dyn Fn(&mut ClassDetail); 14] = [
            &|detail| detail.covariance_sums = Some(vec![]),
            &|detail| detail.covariance_sums = Some(vec![0.0, 0.0]),
            &|detail| detail.ranks = None,
            &|detail| detail.said.truncate(2),
            &|detail| detail.said.push(0),
            &|detail| detail.said = vec![3, 7, 1],
            &|detail| detail.said = vec![3, 6, 1],
            &|detail| detail.said = vec![u64::MAX, 7, u64::MAX],
            &|detail| detail.patients = 0,
            &|detail| detail.patients = 11,
            &|detail| detail.patients = 5,
            &|detail| ranks(detail).other_patients = 1,
            &|detail| ranks(detail).other_patients = 9,
            &|detail| ranks(detail).weight_sum = f64::NAN,
        ];
        for (place, change) in malformed.into_iter().enumerate() {
            let refusal = checked(&plan(), change).unwrap_err();
            assert_eq!(refusal.code, ProblemCode::Malformed, "{place}: {refusal}");
            assert!(
                refusal.reason.contains("class M") && refusal.remedy.contains("release.allowed"),
                "{refusal}"
            );
        }
    }

    /// Within what their weights allow, one site's would take away what all others vary by, and the interval of their mean would have no width.
    #[test]
    fn a_site_whose_classes_go_together_by_more_than_they_vary_is_refused() {
        let taken = |share| {
            let evaluation = both(share);
            check_evaluation(&plan(), evaluation.model_digest, &evaluation)
        };
        for honest in [-1.0, -0.4, 0.0, 0.7, 1.0, 1.0 + 1e-12] {
            assert_eq!(taken(honest), Ok(()), "{honest}");
        }
        for lie in [-25.0, -1.001, 1.001, 25.0] {
            let refusal = taken(lie).unwrap_err();
            assert!(
                refusal.code == ProblemCode::NotFinite && refusal.reason.contains("class M"),
                "{lie}: {refusal}"
            );
            assert!(refusal.reason.contains("their variances allow"), "{lie}: {refusal}");
        }
    }

    #[test]
    fn sums_beyond_what_is_possible_are_refused() {
        let due = weight(6, 4);
        for wrong in [-1e-6, f64::NAN, f64::INFINITY, 1e9] {
            let changes: [&dyn Fn(&mut ClassDetail); 5] = [
                // The class before it has no ranks here, so nothing goes together with it.
                &|detail| detail.covariance_sums = Some(vec![wrong]),
                &|detail| detail.correct_variance = wrong,
                &|detail| detail.brier_sum = wrong,
                &|detail| ranks(detail).area_sum = wrong,
                &|detail| ranks(detail).variance_sum = wrong,
            ];
            for (place, change) in changes.into_iter().enumerate() {
                let refusal = checked(&plan(), change).unwrap_err();
                assert_eq!(refusal.code, ProblemCode::NotFinite, "{place} {wrong}: {refusal}");
            }
        }
        // As far as they go.
        let most = |detail: &mut ClassDetail| {
            (detail.correct_variance, detail.brier_sum) = (200.0, 20.0);
            (ranks(detail).area_sum, ranks(detail).variance_sum) = (due, 0.25 * due * due);
        };
        assert_eq!(checked(&plan(), &most), Ok(()));
    }
}
