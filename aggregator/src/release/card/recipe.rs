//! The card's sections on how the network came about: what it began from, and by which recipe it learned.

use std::fmt::Write as _;

use snowball_protocol::plan::{Decoder, HeadKind, Late, Positives, StudyPlan};

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

pub fn recipe(out: &mut String, plan: &StudyPlan) -> std::fmt::Result {
    writeln!(out, "## Recipe\n")?;
    writeln!(out, "- Preprocessing: {}", code(&plan.preprocessing))?;
    writeln!(out, "- Augmentation: {}", plan.augmentation.code())?;
    for operation in plan.augmentation.operations() {
        writeln!(out, "  - {}: {}", operation.name(), operation.range())?;
    }
    writeln!(out, "- Optimiser: {}", code(&plan.optimiser))?;
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
