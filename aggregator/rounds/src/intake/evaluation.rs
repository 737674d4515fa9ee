//! What a site says of a model's quality is bounded before it is kept or added up.

use std::collections::BTreeSet;

use snowball_protocol::{
    Problem, ProblemCode, Sha256Digest, StudyPlan,
    evaluation::{ClassCount, Evaluation, HeadEvaluation, MaskCount},
    limits::EXAMPLES_MAX,
    plan::{HeadKind, Sent},
};

use super::detail;

/// Whether `evaluation` speaks of `model` and of what `plan` learns, with counts that may be added up over all sites.
///
/// # Errors
/// The first rule that it breaks, as [`ProblemCode::Malformed`], [`ProblemCode::DigestMismatch`] or
/// [`ProblemCode::NotFinite`].
pub fn check_evaluation(plan: &StudyPlan, model: Sha256Digest, evaluation: &Evaluation) -> Result<(), Problem> {
    if !plan.send.contains(&Sent::Metrics) {
        return malformed("the plan does not ask for metrics");
    }
    if evaluation.model_digest != model {
        return Err(
            Problem::new(ProblemCode::DigestMismatch, "the evaluation is of another model")
                .with_remedy("take the task again and evaluate its model"),
        );
    }
    if evaluation.images > EXAMPLES_MAX {
        return malformed(&format!("the evaluation is of more than {EXAMPLES_MAX} images"));
    }
    let labels: BTreeSet<_> = evaluation.heads.iter().map(HeadEvaluation::label).collect();
    if labels.len() != evaluation.heads.len() {
        return malformed("the evaluation names a head twice");
    }
    if evaluation.has_details() && !plan.send.contains(&Sent::DetailedMetrics) {
        return malformed("the plan does not ask for detailed metrics");
    }
    evaluation
        .heads
        .iter()
        .try_for_each(|head| check_head(plan, evaluation.images, head))?;
    check_reconstruction(plan, evaluation)?;
    check_contrast(plan, evaluation)
}

fn check_reconstruction(plan: &StudyPlan, evaluation: &Evaluation) -> Result<(), Problem> {
    let Some(drawn) = evaluation.reconstruction else {
        return Ok(());
    };
    if plan.reconstruction().is_none() {
        return malformed("the evaluation is of a reconstruction that the plan does not ask for");
    }
    if drawn.images > evaluation.images {
        return malformed("the reconstruction has more images than were evaluated");
    }
    check_sums(&[drawn.squared_error_sum, drawn.constant_squared_error_sum])
}

fn check_contrast(plan: &StudyPlan, evaluation: &Evaluation) -> Result<(), Problem> {
    let Some(paired) = evaluation.contrast else {
        return Ok(());
    };
    if plan.contrastive().is_none() {
        return malformed("the evaluation is of pairs that the plan does not ask for");
    }
    if paired.images > evaluation.images || paired.found > paired.images {
        return malformed("the pairs have more images than were evaluated, or more were found than looked for");
    }
    check_sums(&[paired.loss_sum, paired.chance_sum])?;
    if paired.chance_sum > paired.images as f64 {
        return malformed("chance finds more pairs than were looked for");
    }
    Ok(())
}

fn check_head(plan: &StudyPlan, images_evaluated: u64, head: &HeadEvaluation) -> Result<(), Problem> {
    let Some(planned) = plan.heads.iter().find(|planned| planned.label == head.label()) else {
        return malformed("the evaluation is of a head that the plan does not have");
    };
    let (images, sums) = match (head, &planned.kind) {
        (
            HeadEvaluation::Classes {
                loss_sum,
                images,
                classes,
                ..
            },
            HeadKind::Classes(known),
        ) => {
            check_classes(known, *images, classes)?;
            (*images, [*loss_sum, 0.0, 0.0, 0.0])
        }
        (
            HeadEvaluation::Regression {
                loss_sum,
                images,
                absolute_error_sum,
                constant_absolute_error_sum,
                absolute_error_square_sum,
                ..
            },
            HeadKind::Regression { .. },
        ) => {
            let squares = absolute_error_square_sum.unwrap_or_default();
            (
                *images,
                [*loss_sum, *absolute_error_sum, *constant_absolute_error_sum, squares],
            )
        }
        (
            HeadEvaluation::Mask {
                loss_sum,
                images,
                patients,
                masks,
                ..
            },
            HeadKind::Mask { classes },
        ) => {
            check_masks(classes, (*images, *patients), masks)?;
            (*images, [*loss_sum, 0.0, 0.0, 0.0])
        }
        _ => return malformed("the evaluation takes classes for a number or a number for classes"),
    };
    if images > images_evaluated {
        return malformed("a head of the evaluation has more images than were evaluated");
    }
    check_sums(&sums)
}

fn check_sums(sums: &[f64]) -> Result<(), Problem> {
    if sums.iter().any(|sum| !sum.is_finite() || *sum < 0.0) {
        return Err(Problem::new(
            ProblemCode::NotFinite,
            "a sum of the evaluation is negative or not finite",
        ));
    }
    Ok(())
}

fn check_masks(known: &[String], (images, patients): (u64, u64), masks: &[MaskCount]) -> Result<(), Problem> {
    let named = masks.iter().map(|mask| &mask.class);
    if !named.eq(known) {
        return malformed("the evaluation does not name the classes of the plan's mask in their order");
    }
    if patients > images {
        return malformed("the masks of the evaluation are of more patients than images");
    }
    // A coefficient is at most 1, and so is its square; a sum may be off by what rounding adds.
    let most = patients as f64 * (1.0 + 1e-9);
    for mask in masks {
        let sums = [mask.dice_sum, mask.dice_square_sum, mask.constant_dice_sum];
        check_sums(&sums)?;
        if sums.iter().any(|sum| *sum > most) {
            return malformed("a mask of the evaluation overlaps by more than all");
        }
    }
    Ok(())
}

fn check_classes(known: &[String], images: u64, classes: &[ClassCount]) -> Result<(), Problem> {
    let named: BTreeSet<&str> = classes.iter().map(|count| count.class.as_str()).collect();
    if named.len() != classes.len() || !named.iter().all(|class| known.iter().any(|known| known == class)) {
        return malformed("the evaluation names a class twice or one that the plan does not have");
    }
    let is_sound = |count: &ClassCount| count.correct <= count.images && count.images <= images;
    let total: u128 = classes.iter().map(|count| u128::from(count.images)).sum();
    if !classes.iter().all(is_sound) || total > u128::from(images) {
        return malformed("the counts of the evaluation contradict each other");
    }
    classes
        .iter()
        .try_for_each(|count| detail::check(known, images, count))?;
    detail::check_together(known, classes)
}

fn malformed(reason: &str) -> Result<(), Problem> {
    Err(Problem::new(ProblemCode::Malformed, reason))
}

#[cfg(test)]
mod tests {
    use snowball_protocol::{
        evaluation::{ContrastEvaluation, ReconstructionEvaluation},
        labels::LabelName,
        plan::{Contrastive, Positives, Pretext, Reconstruction},
    };

    use super::*;

    #[test]
    fn an_evaluation_is_bounded() {
        let plan = crate::testing::plan();
        let model = Sha256Digest::of(b"initial");
        let sound = Evaluation {
            model_digest: model,
            images: 10,
            heads: vec![HeadEvaluation::Classes {
                label: LabelName::BodyPart,
                loss_sum: 3.0,
                images: 10,
                classes: vec![ClassCount {
                    class: "CHEST".to_owned(),
                    images: 6,
                    correct: 5,
                    detail: None,
                }],
            }],
            reconstruction: None,
            contrast: None,
        };
        assert_eq!(check_evaluation(&plan, model, &sound), Ok(()));

        let code = |change: &dyn Fn(&mut Evaluation)| {
            let mut evaluation = sound.clone();
            change(&mut evaluation);
            check_evaluation(&plan, model, &evaluation).unwrap_err().code
        };
        assert_eq!(
            code(&|evaluation| evaluation.model_digest = Sha256Digest::of(b"")),
            ProblemCode::DigestMismatch
        );
        assert_eq!(code(&|evaluation| evaluation.images = 9), ProblemCode::Malformed);
        assert_eq!(
            code(&|evaluation| evaluation.heads.push(evaluation.heads[0].clone())),
            ProblemCode::Malformed
        );
        for count in [
            ("CHEST", 6, 7),
            ("HAND", 5, 0),
            ("FOOT", 1, 1),
            ("CHEST", 1, 1),
            ("HAND", u64::MAX, 0),
        ] {
            let change = |evaluation: &mut Evaluation| {
                let HeadEvaluation::Classes { classes, .. } = &mut evaluation.heads[0] else {
                    return;
                };
                classes.push(ClassCount {
                    class: count.0.to_owned(),
                    images: count.1,
                    correct: count.2,
                    detail: None,
                });
            };
            assert_eq!(code(&change), ProblemCode::Malformed, "{count:?}");
        }
        let number = HeadEvaluation::Regression {
            label: LabelName::BodyPart,
            loss_sum: 0.0,
            images: 1,
            absolute_error_sum: 0.0,
            constant_absolute_error_sum: 0.0,
            absolute_error_square_sum: None,
        };
        assert_eq!(
            code(&|evaluation| evaluation.heads[0] = number.clone()),
            ProblemCode::Malformed
        );
        let infinite = |evaluation: &mut Evaluation| {
            let HeadEvaluation::Classes { loss_sum, .. } = &mut evaluation.heads[0] else {
                return;
            };
            *loss_sum = f64::INFINITY;
        };
        assert_eq!(code(&infinite), ProblemCode::NotFinite);
    }

    #[test]
    fn a_reconstruction_is_bounded_and_only_taken_where_the_plan_asks_for_it() {
        let mut plan = crate::testing::plan();
        let model = Sha256Digest::of(b"initial");
        let evaluation = |images, squared_error_sum| Evaluation {
            model_digest: model,
            images: 10,
            heads: Vec::new(),
            reconstruction: Some(ReconstructionEvaluation {
                images,
                squared_error_sum,
                constant_squared_error_sum: 5.0,
            }),
            contrast: None,
        };
        let code =
            |plan: &StudyPlan, evaluation| check_evaluation(plan, model, &evaluation).map_err(|fault| fault.code);
        assert_eq!(code(&plan, evaluation(10, 3.0)), Err(ProblemCode::Malformed));
        plan.heads.clear();
        plan.pretext = Some(Pretext::Reconstruction(Reconstruction::default()));
        assert_eq!(code(&plan, evaluation(10, 3.0)), Ok(()));
        assert_eq!(code(&plan, evaluation(11, 3.0)), Err(ProblemCode::Malformed));
        for sum in [f64::NAN, -1.0, f64::INFINITY] {
            assert_eq!(code(&plan, evaluation(10, sum)), Err(ProblemCode::NotFinite));
        }
    }

    #[test]
    fn pairs_are_bounded_and_only_taken_where_the_plan_asks_for_them() {
        let mut plan = crate::testing::plan();
        let model = Sha256Digest::of(b"initial");
        let sound = ContrastEvaluation {
            images: 10,
            loss_sum: 20.0,
            found: 4,
            chance_sum: 0.5,
        };
        let code = |plan: &StudyPlan, paired| {
            let evaluation = Evaluation {
                model_digest: model,
                images: 10,
                heads: Vec::new(),
                reconstruction: None,
                contrast: Some(paired),
            };
            check_evaluation(plan, model, &evaluation).map_err(|fault| fault.code)
        };
        assert_eq!(code(&plan, sound), Err(ProblemCode::Malformed));
        plan.heads.clear();
        plan.pretext = Some(Pretext::Contrastive(Contrastive {
            temperature: 0.1,
            dimension: 64,
            positives: Positives::Patient,
        }));
        assert_eq!(code(&plan, sound), Ok(()));
        for broken in [
            ContrastEvaluation { images: 11, ..sound },
            ContrastEvaluation { found: 11, ..sound },
            ContrastEvaluation {
                chance_sum: 10.5,
                ..sound
            },
        ] {
            assert_eq!(code(&plan, broken), Err(ProblemCode::Malformed), "{broken:?}");
        }
        for loss_sum in [f64::NAN, -1.0, f64::INFINITY] {
            let broken = ContrastEvaluation { loss_sum, ..sound };
            assert_eq!(code(&plan, broken), Err(ProblemCode::NotFinite));
        }
    }
}
