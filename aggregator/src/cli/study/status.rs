//! `aggregator study status`: where a study stands, who takes part, and each round's quality.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use snowball_protocol::{
    SiteName, StudyName,
    evaluation::{Evaluation, HeadEvaluation},
    gain::{Gain, of_finals, worst},
    plan::Head,
    record::RoundRecord,
    session::PhaseName,
};
use snowball_registry::{Answer as Reply, Participant, Registry, Study};

use super::find;
use crate::{
    cli::{Answer, open, table::table},
    home::Home,
    quality::{self, Discrimination},
};

/// Shows where a study stands, or all studies in one table.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator study status body-parts\n  aggregator --json study status body-parts")]
pub struct Status {
    /// Which study; without it, all of them
    study: Option<StudyName>,
}

impl Status {
    /// JSON holds the round records as they are, with the pooled quality beside each.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let (_, registry) = open(home).await?;
        let answer = match &self.study {
            Some(name) => {
                let study = find(&registry, name).await?;
                one(&registry, &study).await?
            }
            None => all(&registry).await?,
        };
        registry.close().await;
        Ok(answer)
    }
}

async fn all(registry: &Registry) -> Result<Answer> {
    let studies = registry.studies().await?;
    let rows: Vec<_> = studies
        .iter()
        .map(|study| {
            let rounds = format!("{} of {}", study.phase.round(), study.plan.rounds.count);
            let sites = study.phase.members().len().to_string();
            [
                study.plan.study.to_string(),
                phase(study),
                rounds,
                sites,
                study.plan_digest.short(),
            ]
        })
        .collect();
    let text = if rows.is_empty() {
        "No study yet; create one: aggregator study create PLAN.toml".to_owned()
    } else {
        table(["study", "phase", "round", "sites", "plan"], &rows)
    };
    let studies: Vec<_> = studies.iter().map(outline).collect();
    Ok(Answer::new(text, json!({ "studies": studies })))
}

async fn one(registry: &Registry, study: &Study) -> Result<Answer> {
    let name = &study.plan.study;
    let rounds: Vec<RoundRecord> = registry
        .rounds(name)
        .await?
        .into_iter()
        .filter_map(|round| round.record)
        .collect();
    let participants = registry.participants(name).await?;
    let finals = registry.evaluations(name).await?;
    let numbers: Vec<(SiteName, Evaluation)> = finals
        .iter()
        .filter_map(|(site, done)| Some((site.clone(), done.evaluation.clone()?)))
        .collect();
    let pooled = Evaluation::pooled(numbers.iter().map(|(_, evaluation)| evaluation));

    let mut text = format!(
        "{name}: {}, round {} of {}, {} site(s) joined, plan {}\n",
        phase(study),
        study.phase.round(),
        study.plan.rounds.count,
        participants
            .iter()
            .filter(|participant| matches!(participant.answer, Reply::Joined(_)))
            .count(),
        study.plan_digest.short()
    );
    if let Some(paused) = study.phase.paused() {
        let reason = &paused.reason;
        text += &format!("  paused: {reason}; to go on: aggregator study resume {name}\n");
    }
    text += &sites_text(study, &participants);
    if !rounds.is_empty() {
        let rows: Vec<_> = rounds.iter().map(|record| row(&study.plan.heads, record)).collect();
        text += "\n";
        text += &table(
            [
                "round",
                "updates",
                "refused",
                "silent",
                "bytes",
                "train loss",
                "loss",
                "quality of the model before it",
            ],
            &rows,
        );
    }
    if let Some(pooled) = &pooled {
        text += &format!(
            "\nfinal model at {} site(s): loss {}, {}\n",
            numbers.len(),
            decimals(pooled.mean_loss()),
            line(&study.plan.heads, pooled)
        );
    }
    let heads = &study.plan.heads;
    text += &discrimination_text(heads, &numbers, pooled.as_ref());
    let gains = of_finals(&finals);
    text += &gain_text(&gains);
    let mut json = outline(study);
    json["sites"] = participants
        .iter()
        .map(|participant| site_json(study, participant))
        .collect();
    json["rounds"] = rounds
        .iter()
        .map(|record| record_json(heads, record))
        .collect::<Result<_, _>>()?;
    json["final"] = json!({
        "evaluated": finals.iter().map(|(site, _)| site).collect::<Vec<_>>(),
        "sites": numbers.iter().map(|(site, evaluation)| json!({ "site": site, "evaluation": evaluation, "metrics": metrics(heads, evaluation) })).collect::<Vec<_>>(),
        "pooled": pooled.as_ref().map(|pooled| metrics(heads, pooled)),
        "gains": gains.iter().map(gain_json).collect::<Vec<_>>(),
    });
    Ok(Answer::new(text, json))
}

fn outline(study: &Study) -> Value {
    json!({
        "study": study.plan.study,
        "title": study.plan.title,
        "phase": study.phase.name(),
        "paused": study.phase.paused().map(|paused| json!({ "since": paused.since, "reason": paused.reason })),
        "round": study.phase.round(),
        "rounds_planned": study.plan.rounds.count,
        "plan_digest": study.plan_digest,
        "model": study.phase.model().map(|model| json!({ "round": model.round, "digest": model.digest })),
        "members": study.phase.members(),
        "contributed": study.phase.contributions().keys().collect::<Vec<_>>(),
    })
}

fn phase(study: &Study) -> String {
    let name = serde_json::to_value(study.phase.name());
    let name = name.ok().and_then(|name| name.as_str().map(str::to_owned));
    let name = name.unwrap_or_default();
    match study.phase.paused() {
        Some(_) => format!("{name}, paused"),
        None => name,
    }
}

fn is_over(study: &Study) -> bool {
    matches!(study.phase.name(), PhaseName::Released | PhaseName::Abandoned)
}

fn sites_text(study: &Study, participants: &[Participant]) -> String {
    let mut text = String::new();
    for participant in participants {
        let site = &participant.site;
        text += &match &participant.answer {
            Reply::Joined(request) => {
                let now = if study.phase.has_contributed(site) {
                    ", has sent its update"
                } else {
                    ""
                };
                let left = if is_over(study) || study.phase.is_member(site) {
                    ""
                } else {
                    ", left"
                };
                format!(
                    "  {site}: joined with {} radiographs{now}{left}\n",
                    request.training_examples
                )
            }
            Reply::Declined(decline) => format!("  {site}: declined ({}): {}\n", decline.clause, decline.reason),
        };
    }
    text
}

fn site_json(study: &Study, participant: &Participant) -> Value {
    let site = &participant.site;
    let mut json = json!({
        "site": site,
        "answered": participant.answered,
        "is_member": study.phase.is_member(site) || (is_over(study) && matches!(participant.answer, Reply::Joined(_))),
        "has_contributed": study.phase.has_contributed(site),
    });
    match &participant.answer {
        Reply::Joined(request) => {
            json["state"] = "joined".into();
            json["training_examples"] = request.training_examples.into();
            json["policy_digest"] = json!(request.policy_digest);
        }
        Reply::Declined(decline) => {
            json["state"] = "declined".into();
            json["clause"] = decline.clause.clone().into();
            json["reason"] = decline.reason.clone().into();
        }
    }
    json
}

fn record_json(heads: &[Head], record: &RoundRecord) -> Result<Value, serde_json::Error> {
    let mut json = serde_json::to_value(record)?;
    json["bytes"] = record.contributions.iter().map(|part| part.bytes).sum::<u64>().into();
    json["training_loss"] = json!(training_loss(record));
    json["metrics"] = json!(record.evaluation.as_ref().map(|evaluation| metrics(heads, evaluation)));
    Ok(json)
}

/// Mean training loss of the round, weighted by examples.
fn training_loss(record: &RoundRecord) -> Option<f64> {
    let examples: u64 = record.contributions.iter().map(|part| part.examples).sum();
    let sum: f64 = record
        .contributions
        .iter()
        .map(|part| part.training_loss * part.examples as f64)
        .sum();
    (examples > 0).then(|| sum / examples as f64)
}

fn row(heads: &[Head], record: &RoundRecord) -> [String; 8] {
    let bytes: u64 = record.contributions.iter().map(|part| part.bytes).sum();
    [
        record.round.to_string(),
        record.contributions.len().to_string(),
        record.refusals.len().to_string(),
        record.silent.len().to_string(),
        bytes.to_string(),
        decimals(training_loss(record)),
        decimals(record.evaluation.as_ref().and_then(Evaluation::mean_loss)),
        record
            .evaluation
            .as_ref()
            .map(|evaluation| line(heads, evaluation))
            .unwrap_or_default(),
    ]
}

/// The figures that people compare: per head, balanced accuracy or the errors beside the constant predictor's; and what follows from
/// detailed metrics where there are any.
fn metrics(planned: &[Head], evaluation: &Evaluation) -> Value {
    let told = quality::of(planned, evaluation);
    let heads = evaluation.heads.iter().map(|head| match head {
        HeadEvaluation::Classes { label, images, .. } => {
            let mut json = json!({
                "label": label, "images": images, "loss": head.mean_loss(), "balanced_accuracy": head.balanced_accuracy(),
            });
            if let Some(told) = told.iter().find(|told| told.label == *label) {
                json["discrimination"] = json!(told);
            }
            json
        }
        HeadEvaluation::Regression { label, images, .. } => json!({
            "label": label, "images": images, "loss": head.mean_loss(),
            "mean_absolute_error": head.mean_absolute_errors().map(|errors| errors.0),
            "constant_mean_absolute_error": head.mean_absolute_errors().map(|errors| errors.1),
        }),
        HeadEvaluation::Mask {
            label,
            images,
            patients,
            ..
        } => json!({
            "label": label, "images": images, "patients": patients, "loss": head.mean_loss(),
            "classes": head.dice().into_iter().map(|(class, dice)| json!({
                "class": class, "dice": dice.mean, "interval": dice.interval, "constant_dice": dice.constant,
            })).collect::<Vec<_>>(),
        }),
    });
    let mut json =
        json!({ "images": evaluation.images, "loss": evaluation.mean_loss(), "heads": heads.collect::<Vec<_>>() });
    if let Some(drawn) = evaluation.reconstruction {
        let errors = drawn.mean_squared_errors();
        json["reconstruction"] = json!({
            "images": drawn.images, "mean_squared_error": errors.map(|errors| errors.0),
            "constant_mean_squared_error": errors.map(|errors| errors.1),
        });
    }
    if let Some(paired) = evaluation.contrast {
        let shares = paired.shares_found();
        json["contrast"] = json!({
            "images": paired.images, "loss": paired.mean_loss(), "found": shares.map(|shares| shares.0),
            "chance": shares.map(|shares| shares.1),
        });
    }
    json
}

/// The same in a line.
fn line(planned: &[Head], evaluation: &Evaluation) -> String {
    let told = quality::of(planned, evaluation);
    let area = |label| {
        let area = told.iter().find(|told| told.label == label)?.auroc?;
        Some(format!(" (AUROC {:.3})", area.value))
    };
    let heads = evaluation.heads.iter().filter_map(|head| {
        let area = area(head.label()).unwrap_or_default();
        let label = head.label();
        let label = label.code();
        match (head.balanced_accuracy(), head.mean_absolute_errors()) {
            (Some(accuracy), _) => Some(format!("{label} {:.1} %{area}", accuracy * 100.0)),
            (_, Some((error, constant))) => Some(format!("{label} {error:.2} (constant {constant:.2})")),
            _ => {
                let (dice, constant) = head.mean_dice()?;
                Some(format!("{label} Dice {dice:.3} (constant {constant:.3})"))
            }
        }
    });
    let drawn = evaluation.reconstruction.and_then(|drawn| drawn.mean_squared_errors());
    let drawn =
        drawn.map(|(error, constant)| format!("drawn again off by {error:.3} squared (constant {constant:.3})"));
    let paired = evaluation.contrast.and_then(|paired| paired.shares_found());
    let paired =
        paired.map(|(found, chance)| format!("pairs found {:.1} % (chance {:.1} %)", found * 100.0, chance * 100.0));
    heads.chain(drawn).chain(paired).collect::<Vec<_>>().join(", ")
}

/// What detailed metrics say of the final model, at each site that let them leave and over all of them.
fn discrimination_text(heads: &[Head], sites: &[(SiteName, Evaluation)], pooled: Option<&Evaluation>) -> String {
    let named = sites.iter().map(|(site, evaluation)| (site.as_str(), evaluation));
    let all = pooled.map(|pooled| ("all", pooled));
    let row = |name: &str, told: Discrimination| {
        [
            name.to_owned(),
            told.label.code().to_owned(),
            told.images.to_string(),
            quality::text(told.auroc),
            quality::text(told.kappa),
            told.brier.map_or_else(|| "-".to_owned(), |brier| format!("{brier:.3}")),
        ]
    };
    let rows: Vec<_> = named
        .chain(all)
        .flat_map(|(name, evaluation)| {
            quality::of(heads, evaluation)
                .into_iter()
                .map(move |told| row(name, told))
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let columns = ["site", "label", "images", "AUROC (95 %)", "kappa (95 %)", "Brier"];
    format!(
        "\nhow the final model ranks patients within each site\n{}",
        table(columns, &rows)
    )
}

/// The final model beside each site's own.
fn gain_text(gains: &[Gain]) -> String {
    if gains.is_empty() {
        return String::new();
    }
    let rows: Vec<_> = gains
        .iter()
        .map(|gain| {
            let interval = gain
                .interval
                .map_or_else(|| "-".to_owned(), |(low, high)| format!("{low:+.3} to {high:+.3}"));
            [
                gain.site.to_string(),
                gain.label.code().to_owned(),
                gain.images.to_string(),
                format!("{:.3}", gain.shared),
                format!("{:.3}", gain.own),
                format!("{:+.3}", gain.gain),
                interval,
                format!("{:?}", gain.verdict()).to_lowercase(),
            ]
        })
        .collect();
    let columns = ["site", "label", "images", "shared", "own", "gain", "95 %", "so it is"];
    let mut text = format!("\nthe final model beside each site's own\n{}", table(columns, &rows));
    for least in worst(gains) {
        text += &format!("least well off for {}: {}\n", least.label.code(), least.site);
    }
    text
}

fn gain_json(gain: &Gain) -> Value {
    let mut json = json!(gain);
    json["verdict"] = json!(gain.verdict());
    json
}

fn decimals(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use snowball_protocol::{Sha256Digest, evaluation::ClassCount, labels::LabelName};

    #[test]
    fn a_record_shows_pooled_quality_and_weighted_loss() {
        let plan = fixture::plan("spines");
        let mut record = fixture::record(&plan, 1, Sha256Digest::of(b"in"), Sha256Digest::of(b"out"));
        record.contributions[0].training_loss = 1.0;
        record.contributions[0].examples = 30;
        record.contributions[1].training_loss = 2.0;
        record.contributions[1].examples = 10;
        let classes = vec![ClassCount {
            class: "CHEST".to_owned(),
            images: 10,
            correct: 9,
            detail: None,
        }];
        record.evaluation = Some(Evaluation {
            model_digest: record.model_in,
            images: 10,
            heads: vec![
                HeadEvaluation::Classes {
                    label: LabelName::BodyPart,
                    loss_sum: 5.0,
                    images: 10,
                    classes,
                },
                HeadEvaluation::Regression {
                    label: LabelName::Age,
                    loss_sum: 1.0,
                    images: 10,
                    absolute_error_sum: 80.0,
                    constant_absolute_error_sum: 150.0,
                    absolute_error_square_sum: None,
                },
            ],
            reconstruction: None,
            contrast: None,
        });
        let json = record_json(&plan.heads, &record).unwrap();
        assert_eq!(json["training_loss"], 1.25);
        assert_eq!(json["metrics"]["heads"][0]["balanced_accuracy"], 0.9);
        assert_eq!(json["metrics"]["heads"][1]["constant_mean_absolute_error"], 15.0);
        assert_eq!(json["metrics"]["heads"][0]["discrimination"], Value::Null);
        assert_eq!(
            row(&plan.heads, &record)[7],
            "body_part 90.0 %, age 8.00 (constant 15.00)"
        );
    }

    #[test]
    fn detailed_metrics_are_shown_for_each_site_and_for_all() {
        let plan = fixture::plan("spines");
        let evaluation = Evaluation {
            model_digest: Sha256Digest::of(b"m"),
            images: 80,
            heads: vec![HeadEvaluation::Classes {
                label: LabelName::BodyPart,
                loss_sum: 40.0,
                images: 80,
                classes: quality::tests::classes(),
            }],
            reconstruction: None,
            contrast: None,
        };
        let told = &metrics(&plan.heads, &evaluation)["heads"][0]["discrimination"];
        let auroc = told["auroc"]["value"].as_f64().unwrap();
        assert!(
            (auroc - 0.8).abs() < 1e-9 && told["auroc"]["low"].as_f64().unwrap() < auroc,
            "{told}"
        );
        assert_eq!(told["classes"][1]["said"], json!([10, 30]));
        assert_eq!(line(&plan.heads, &evaluation), "body_part 75.0 % (AUROC 0.800)");
        let sites = [("north".parse().unwrap(), evaluation.clone())];
        let text = discrimination_text(&plan.heads, &sites, Some(&evaluation));
        for part in ["north", "all", "0.800 (0.6", "0.500 (0.2", "0.300"] {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
        assert_eq!(discrimination_text(&plan.heads, &[], None), "");
    }
}
