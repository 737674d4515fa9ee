//! The model card (Mitchell et al. 2019): what the model is, how it came about, how good it is, what it must not be used for.

mod quality;
mod ranks;
mod recipe;

use std::{collections::BTreeMap, fmt::Write as _};

use snowball_layout::Layout;
use snowball_protocol::{Sha256Digest, SiteName, evaluation::Evaluation, plan::StudyStage};

use super::{MODEL_FILE, ReleaseRequest};
use quality::{gain, metrics};
use recipe::{parents, recipe};

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

fn date(time: i64) -> String {
    jiff::Timestamp::from_second(time)
        .map(|time| time.strftime("%Y-%m-%d").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use snowball_protocol::{
        evaluation::{ClassCount, HeadEvaluation},
        gain::{Gain, Measure},
        labels::LabelName,
        plan::KeptRole,
    };

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
