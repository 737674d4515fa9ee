//! The model card (Mitchell et al. 2019): what the model is, how it came about, how good it is, what it must not be used for.

use std::{collections::BTreeMap, fmt::Write as _};

use snowball_layout::Layout;
use snowball_protocol::{
    Sha256Digest, SiteName,
    evaluation::{Evaluation, HeadEvaluation},
    gain::{Gain, Verdict, worst},
    plan::{Decoder, HeadKind, Late, Positives, StudyPlan, StudyStage},
};

use super::{MODEL_FILE, ONNX_FILE, ReleaseRequest, SCRIPT_FILE, ranks};

/// The card as Markdown.
pub fn card(request: &ReleaseRequest<'_>, layout: &Layout, model_file: &Sha256Digest) -> String {
    let mut text = String::new();
    // Writing into a text never fails.
    let _ = write(&mut text, request, layout, model_file);
    text
}

fn write(
    out: &mut String,
    request: &ReleaseRequest<'_>,
    layout: &Layout,
    model_file: &Sha256Digest,
) -> std::fmt::Result {
    let plan = request.plan;
    writeln!(out, "# {}\n", plan.title)?;
    writeln!(
        out,
        "A network for radiographs, trained by the consortium **{}** without any radiograph leaving its",
        request.consortium
    )?;
    writeln!(
        out,
        "hospital: sites sent changes of parameters only, each under the site's own signed policy.\n"
    )?;
    writeln!(out, "| | |\n|---|---|")?;
    writeln!(out, "| Study | {} |", plan.study)?;
    writeln!(out, "| Purpose | {} |", plan.purpose)?;
    writeln!(out, "| Released | {} |", date(request.now))?;
    writeln!(out, "| Publication | {} |", publication(plan.stage))?;
    writeln!(out, "| Approved by | {} |", request.approved_by.unwrap_or("not stated"))?;
    writeln!(out, "| Plan | {} |", plan.digest())?;
    writeln!(out, "| File | `{MODEL_FILE}`, {model_file} |")?;
    writeln!(
        out,
        "| Network | {}, width {}, {} parameters |",
        plan.network.architecture.code(),
        plan.network.width,
        layout.parameters()
    )?;
    writeln!(
        out,
        "| Input | one grey channel, {side} x {side}, f32 |\n",
        side = plan.network.input_side
    )?;
    parents(out, plan)?;
    recipe(out, plan)?;
    sites(out, request)?;
    metrics(out, request)?;
    gain(out, request.gains)?;
    rounds(out, request)?;
    limits(out)?;
    writeln!(
        out,
        "## Plan\n\n```json\n{}\n```",
        serde_json::to_string_pretty(plan).unwrap_or_default()
    )
}

/// A site joins only under its board's approval of the plan's stage, so the plan's stage speaks for all of them.
const fn publication(stage: StudyStage) -> &'static str {
    match stage {
        StudyStage::Publication => "approved by the boards of all sites that took part",
        StudyStage::Collaboration => "**not approved**: for the hospitals of the consortium only",
        StudyStage::ProofOfConcept => "**not approved**: a trial",
    }
}

/// What was learned before, elsewhere: its data and its faults are in this network too.
fn parents(out: &mut String, plan: &StudyPlan) -> std::fmt::Result {
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

fn recipe(out: &mut String, plan: &StudyPlan) -> std::fmt::Result {
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

fn sites(out: &mut String, request: &ReleaseRequest<'_>) -> std::fmt::Result {
    let mut parts: BTreeMap<&SiteName, (u64, u64)> = BTreeMap::new();
    for part in request.rounds.iter().flat_map(|round| &round.contributions) {
        let entry = parts.entry(&part.site).or_default();
        entry.0 += 1;
        entry.1 = entry.1.max(part.examples);
    }
    writeln!(
        out,
        "## Sites\n\n| site | rounds | weight a round, at most |\n|---|---|---|"
    )?;
    for (site, (rounds, examples)) in parts {
        writeln!(out, "| {site} | {rounds} | {examples} |")?;
    }
    writeln!(out)
}

fn metrics(out: &mut String, request: &ReleaseRequest<'_>) -> std::fmt::Result {
    writeln!(out, "## Quality of the final model\n")?;
    let Some(pooled) = Evaluation::pooled(request.evaluations.iter().map(|(_, evaluation)| evaluation)) else {
        return writeln!(out, "No site let its evaluation of the final model leave.\n");
    };
    writeln!(
        out,
        "On validation patients of {} site(s), {} radiographs; classes too rare at a site are left out there. Intervals are of 95 % and \
         take radiographs as independent.\n",
        request.evaluations.len(),
        pooled.images
    )?;
    writeln!(
        out,
        "| site | label | radiographs | balanced accuracy | mean absolute error | interval | the error of a constant |\n|---|---|---|---|---|---|---|"
    )?;
    for (site, evaluation) in request.evaluations {
        heads(out, site.as_str(), evaluation)?;
    }
    heads(out, "all", &pooled)?;
    writeln!(out)?;
    ranks::write(out, request, &pooled)
}

/// The final model beside each site's own: nobody should have to believe that taking part was good for everybody.
fn gain(out: &mut String, gains: &[Gain]) -> std::fmt::Result {
    if gains.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "## Gain and harm at each site\n\nBeside the model that the site's radiographs alone make by the same plan, on the site's validation\n\
         patients; above zero the released model is better. 95 % intervals.\n\n\
         | site | label | radiographs | released model | site's own | difference | interval | so it is |\n|---|---|---|---|---|---|---|---|"
    )?;
    for gain in gains {
        let interval = gain
            .interval
            .map_or_else(|| "-".to_owned(), |(low, high)| format!("{low:.3} to {high:.3}"));
        let verdict = match gain.verdict() {
            Verdict::Gain => "a gain",
            Verdict::Harm => "**harm**",
            Verdict::Open => "open",
        };
        writeln!(
            out,
            "| {} | {} | {} | {:.3} | {:.3} | {:+.3} | {interval} | {verdict} |",
            gain.site,
            gain.label.code(),
            gain.images,
            gain.shared,
            gain.own,
            gain.gain,
        )?;
    }
    for least in worst(gains) {
        write!(
            out,
            "\nLeast well off for {}: {}, {:+.3}.",
            least.label.code(),
            least.site,
            least.gain
        )?;
    }
    writeln!(out, "\n")
}

fn heads(out: &mut String, name: &str, evaluation: &Evaluation) -> std::fmt::Result {
    let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    for head in &evaluation.heads {
        let images = head.images();
        for (class, dice) in head.dice() {
            let interval = dice
                .interval
                .map_or_else(String::new, |(low, high)| format!(" ({low:.3} to {high:.3})"));
            writeln!(
                out,
                "| {name} | {}: {class}, Dice{interval} | {images} | - | {:.3} | {:.3} |",
                head.label().code(),
                dice.mean,
                dice.constant,
            )?;
        }
        if matches!(head, HeadEvaluation::Mask { .. }) {
            continue;
        }
        let errors = head.mean_absolute_errors();
        writeln!(
            out,
            "| {name} | {} | {images} | {} | {} | {} | {} |",
            head.label().code(),
            cell(head.balanced_accuracy()),
            cell(errors.map(|errors| errors.0)),
            head.interval()
                .map_or_else(|| "-".to_owned(), |(low, high)| format!("{low:.3} to {high:.3}")),
            cell(errors.map(|errors| errors.1)),
        )?;
    }
    if let Some(drawn) = evaluation.reconstruction {
        let errors = drawn.mean_squared_errors();
        writeln!(
            out,
            "| {name} | drawn again, squared error | {} | - | {} | - | {} |",
            drawn.images,
            cell(errors.map(|errors| errors.0)),
            cell(errors.map(|errors| errors.1)),
        )?;
    }
    if let Some(paired) = evaluation.contrast {
        let (found, chance) = paired.shares_found().unzip();
        writeln!(
            out,
            "| {name} | pairs found: {}, by chance {} | {} | - | - | - |",
            cell(found),
            cell(chance),
            paired.images,
        )?;
    }
    Ok(())
}

fn rounds(out: &mut String, request: &ReleaseRequest<'_>) -> std::fmt::Result {
    writeln!(
        out,
        "## Rounds\n\n| round | updates | refused | silent | loss of the model before | model |\n|---|---|---|---|---|---|"
    )?;
    for record in request.rounds {
        let loss = record.evaluation.as_ref().and_then(Evaluation::mean_loss);
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            record.round,
            record.contributions.len(),
            record.refusals.len(),
            record.silent.len(),
            loss.map_or_else(|| "-".to_owned(), |loss| format!("{loss:.4}")),
            record.model_out.short(),
        )?;
    }
    writeln!(out)
}

fn limits(out: &mut String) -> std::fmt::Result {
    writeln!(out, "## Limits\n")?;
    writeln!(
        out,
        "- For research. Not a medical device; no decision about a patient may rest on it."
    )?;
    writeln!(
        out,
        "- Labels come from the headers of radiographs and carry their mistakes."
    )?;
    writeln!(
        out,
        "- It saw the sites named above; other devices, populations and techniques need their own evaluation."
    )?;
    writeln!(
        out,
        "- Averaging updates is no proof that nothing of the training data can be drawn from the parameters; no"
    )?;
    writeln!(out, "  differential privacy was applied.")?;
    writeln!(
        out,
        "- The split into training and validation is by patient within each site, not across sites.\n"
    )
}

fn code(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(value) => format!("`{value}`"),
        Err(_) => String::new(),
    }
}

fn date(time: i64) -> String {
    jiff::Timestamp::from_second(time)
        .map(|time| time.strftime("%Y-%m-%d").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use snowball_protocol::{evaluation::ClassCount, gain::Measure, labels::LabelName, plan::KeptRole};

    use super::*;
    use crate::fixture;

    #[test]
    fn a_card_names_recipe_sites_and_limits() {
        let plan = fixture::plan("spines");
        let rounds = [fixture::record(
            &plan,
            1,
            Sha256Digest::of(b"in"),
            Sha256Digest::of(b"out"),
        )];
        let gain = |site: &str, shared, interval| Gain {
            site: site.parse().unwrap(),
            label: LabelName::BodyPart,
            measure: Measure::BalancedAccuracy,
            images: 40,
            shared,
            own: 0.5,
            gain: shared - 0.5,
            interval: Some(interval),
        };
        let gains = [
            gain("north", 0.75, (0.125, 0.375)),
            gain("south", 0.25, (-0.375, -0.125)),
        ];
        let seen = Evaluation {
            model_digest: Sha256Digest::of(b"out"),
            images: 10,
            heads: vec![HeadEvaluation::Classes {
                label: LabelName::BodyPart,
                loss_sum: 1.0,
                images: 10,
                classes: vec![ClassCount {
                    class: "CHEST".to_owned(),
                    images: 10,
                    correct: 5,
                    detail: None,
                }],
            }],
            reconstruction: None,
            contrast: None,
        };
        let evaluations = [("north".parse().unwrap(), seen)];
        let request = ReleaseRequest {
            consortium: "Test",
            plan: &plan,
            rounds: &rounds,
            parameters: "unused".as_ref(),
            evaluations: &evaluations,
            gains: &gains,
            approved_by: None,
            now: 1_800_000_000,
        };
        let text = card(&request, &Layout::of(&plan), &Sha256Digest::of(b"file"));
        for part in [
            "CHEST, HAND",
            "| north | 1 | 10 |",
            "| all | body_part | 10 | 0.500 | - | 0.238 to 0.762 | - |",
            "| north | body_part | 40 | 0.750 | 0.500 | +0.250 | 0.125 to 0.375 | a gain |",
            "| south | body_part | 40 | 0.250 | 0.500 | -0.250 | -0.375 to -0.125 | **harm** |",
            "Least well off for body_part: south, -0.250.",
            "| Publication | **not approved**: for the hospitals of the consortium only |",
            "2027-01-15",
            "Not a medical device",
            "letterbox-v1",
            "not stated",
        ] {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
        assert!(!text.contains("Kept at the sites") && !text.contains("## Parents") && !text.contains("AUROC"));
        let mut ranked = evaluations.clone();
        if let HeadEvaluation::Classes { classes, .. } = &mut ranked[0].1.heads[0] {
            *classes = crate::quality::tests::classes();
        }
        let of_ranked = ReleaseRequest {
            evaluations: &ranked,
            ..request
        };
        let text = card(&of_ranked, &Layout::of(&plan), &Sha256Digest::of(b"file"));
        for part in [
            "| north | body_part | 80 | 0.800 (0.6",
            "| all | body_part | 80 | 0.800 (0.6",
            ") | 0.500 (0.2",
            " | 0.300 |\n",
            "| body_part | HAND | 20 | 0.800 (0.6",
        ] {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
        let mut begun = plan.clone();
        begun.start = Some(fixture::start(Sha256Digest::of(b"in")));
        let of_begun = ReleaseRequest {
            plan: &begun,
            ..request
        };
        let text = card(&of_begun, &Layout::of(&begun), &Sha256Digest::of(b"file"));
        for part in [
            "stages stem, stage1",
            "No head was taken",
            "1. the release sha256:",
            " of ages\n",
            "bears no signature",
        ] {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
        let mut keeping = plan.clone();
        keeping.local.keep = vec![KeptRole::Normalisation];
        let request = ReleaseRequest {
            plan: &keeping,
            ..request
        };
        let text = card(&request, &Layout::of(&keeping), &Sha256Digest::of(b"file"));
        assert!(
            text.contains("- **Kept at the sites**: scale and shift of the normalisations (FedBN)."),
            "{text}"
        );
    }
}
