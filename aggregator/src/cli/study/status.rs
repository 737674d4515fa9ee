//! `aggregator study status`: where a study stands, who takes part, and each round's quality.

mod figures;
mod rounds;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use snowball_protocol::{
    SiteName, StudyName, evaluation::Evaluation, gain::of_finals, record::RoundRecord, session::PhaseName,
};
use snowball_registry::{Answer as Reply, Participant, Registry, Study};

use super::find;
use crate::{
    cli::{Answer, open, table::table},
    home::Home,
};
use figures::{decimals, discrimination_text, gain_json, gain_text, line, metrics};
use rounds::{record_json, row};

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
