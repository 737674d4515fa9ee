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
