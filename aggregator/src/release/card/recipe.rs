//! The card's sections on how the network came about: what it began from, and by which recipe it learned.

use std::fmt::Write as _;

use snowball_protocol::plan::{Decoder, HeadKind, Late, Optimiser, OptimiserRule, Positives, Schedule, StudyPlan};

use crate::release::{ONNX_FILE, SCRIPT_FILE};

/// What was learned before, elsewhere: its data and its faults are in this network too.
pub fn parents(out: &mut String, plan: &StudyPlan) -> std::fmt::Result {
    let Some(start) = &plan.start else { return Ok(()) };
    let heads: Vec<&str> = start.heads.iter().map(|label| label.code()).collect();
    let heads = if heads.is_empty() {
        "No head was taken".to_owned()
    } else {
        format!("So are the heads {}", heads.join(", "))
    };
    writeln!(
        out,
        "## Parents\n\nIt did not begin at random: the trunk's stages {} are those of the first of these. {heads}; all else began from \
         the plan's seed. What those networks learned from is in this one too; their own cards say what that was.\n",
        start.stages.join(", ")
    )?;
    for parent in &start.parents {
        writeln!(out, "1. {}", parent.name())?;
    }
    writeln!(out)
}

/// The rule by which weights moved, in words that let somebody else do the same.
fn optimiser(asked: &Optimiser) -> String {
    let rule = match asked.rule {
        OptimiserRule::Adamw => "AdamW (beta 0.9 and 0.999, epsilon 1e-8)".to_owned(),
        OptimiserRule::Sgd { momentum } => format!("stochastic gradient descent with momentum {momentum}"),
    };
    let rate = match asked.schedule {
        Schedule::Constant => format!("learning rate {}", asked.learning_rate),
        Schedule::Cosine { warmup_fraction } => format!(
            "learning rate rising to {} over the first {} % of all steps, then falling by half a cosine to a hundredth of it",
            asked.learning_rate,
            (warmup_fraction * 1000.0).round() / 10.0
        ),
    };
    let bound = asked.gradient_norm_max.map_or_else(
        || "gradients as they are".to_owned(),
        |norm| format!("gradients cut to a norm of {norm}"),
    );
    format!("{rule}; {rate}; decoupled weight decay {}; {bound}", asked.weight_decay)
}

pub fn recipe(out: &mut String, plan: &StudyPlan) -> std::fmt::Result {
    writeln!(out, "## Recipe\n")?;
    writeln!(out, "- Preprocessing: {}", code(&plan.preprocessing))?;
    writeln!(out, "- Augmentation: {}", plan.augmentation.code())?;
    for operation in plan.augmentation.operations() {
        writeln!(out, "  - {}: {}", operation.name(), operation.range())?;
    }
    writeln!(out, "- Optimiser: {}", optimiser(&plan.optimiser))?;
    writeln!(
        out,
        "- Local training: {} steps of {} radiographs a round",
        plan.local.steps, plan.local.batch_size
    )?;
    writeln!(out, "- Combination: {}", plan.strategy_name())?;
    if let Late::Fold { rounds } = plan.rounds.late {
        writeln!(
            out,
            "- Late updates counted, for less, up to {rounds} round(s) after their own"
        )?;
    }
    if !plan.local.keep.is_empty() {
        let kept: Vec<&str> = plan.local.keep.iter().map(|role| role.name()).collect();
        writeln!(
            out,
            "- **Kept at the sites**: {}. Here they have the values that all sites began with; each site trained and measured \
             this network with values of its own, which it never sent. A hospital that took no part trains them on its own \
             radiographs before use.",
            kept.join(", ")
        )?;
    }
    writeln!(out, "- Updates travelled as {}", plan.transfer.encoding.name())?;
    for head in &plan.heads {
        let what = match &head.kind {
            HeadKind::Classes(classes) => format!("{} classes in this order: {}", classes.len(), classes.join(", ")),
            HeadKind::Regression { unit } => format!("one number, times {unit}"),
            HeadKind::Mask { classes } => format!(
                "a class a pixel with U-Net's decoder, in this order after what lies beside all of them: {}",
                classes.join(", ")
            ),
        };
        writeln!(out, "- Head `{}`: {what}", head.label.code())?;
    }
    if let Some(asked) = plan.reconstruction() {
        let decoder = match asked.decoder {
            Decoder::Plain => "plain decoder",
            Decoder::UNet => "U-Net's decoder",
        };
        let hidden = asked.masked.map_or_else(
            || "all of the picture is shown".to_owned(),
            |masked| {
                format!(
                    "{:.0} % of its patches of {} pixels are hidden and must be guessed",
                    masked.share * 100.0,
                    masked.patch
                )
            },
        );
        writeln!(
            out,
            "- Draws radiographs again, without any label: {decoder}; {hidden}. The tensors `trunk.*` are of use for other tasks; \
             `decoder.*` are not."
        )?;
    }
    if let Some(asked) = plan.contrastive() {
        let pair = match asked.positives {
            Positives::Patient => {
                "two radiographs of one patient (two views of the same where the patient has no other)"
            }
            Positives::Radiograph => "two views of one radiograph",
        };
        writeln!(
            out,
            "- Finds {pair} among those of other patients, without any label: NT-Xent at temperature {} on {} numbers. The tensors \
             `trunk.*` are of use for other tasks; `projection.*` are not.",
            asked.temperature, asked.dimension
        )?;
    }
    writeln!(
        out,
        "\nOpen it in PyTorch: `import model; network = model.load()` with `{SCRIPT_FILE}` of this folder; or `{ONNX_FILE}` in any ONNX \
         runtime: input `pictures`, outputs `features` and one a head.\n"
    )
}

fn code(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(value) => format!("`{value}`"),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_optimiser_is_told_so_that_somebody_else_can_set_it() {
        let mut asked = Optimiser {
            rule: OptimiserRule::Adamw,
            learning_rate: 0.002,
            weight_decay: 0.01,
            schedule: Schedule::Cosine { warmup_fraction: 0.05 },
            gradient_norm_max: Some(5.0),
        };
        assert_eq!(
            optimiser(&asked),
            "AdamW (beta 0.9 and 0.999, epsilon 1e-8); learning rate rising to 0.002 over the first 5 % of all steps, then falling by \
             half a cosine to a hundredth of it; decoupled weight decay 0.01; gradients cut to a norm of 5"
        );
        asked.rule = OptimiserRule::Sgd { momentum: 0.9 };
        (asked.schedule, asked.gradient_norm_max) = (Schedule::Constant, None);
        let told = optimiser(&asked);
        assert!(told.starts_with("stochastic gradient descent with momentum 0.9; learning rate 0.002; "));
        assert!(told.ends_with("gradients as they are"), "{told}");
    }
}
