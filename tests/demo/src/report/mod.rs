//! One self-contained page: plots, a contact sheet, ledgers, policies. No script, nothing fetched.

mod plots;

use anyhow::{Context, Result};
use askama::Template;

use crate::{
    results::{Quality, Results, SiteResult},
    verdict::Finding,
};

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    results: &'a Results,
    findings: &'a [Finding],
    holds: bool,
    final_quality: Quality,
    accuracy_plot: String,
    age_plot: String,
    loss_plot: String,
    gain_plot: String,
    rounds: Vec<Row>,
    sites: Vec<Site<'a>>,
    megabytes: String,
}

struct Row {
    round: u32,
    sites: usize,
    loss: String,
    body_part: String,
    view: String,
    age: String,
    constant: String,
    bytes: String,
}

struct Site<'a> {
    result: &'a SiteResult,
    alone: Quality,
    federated: Quality,
    captions: Vec<String>,
    accepted: u64,
    quarantined: u64,
    rejected: u64,
    reasons: Vec<(String, u64)>,
}

impl Page<'_> {
    fn percent(&self, value: &Option<f64>) -> String {
        percent(*value)
    }

    fn decimals(&self, value: &Option<f64>, places: usize) -> String {
        decimals(*value, places)
    }

    fn share(&self, value: &f64) -> String {
        decimals(Some(*value), 3)
    }
}

/// The page.
pub fn page(results: &Results, findings: &[Finding]) -> Result<String> {
    let curve = results.curve();
    let page = Page {
        results,
        findings,
        holds: findings.iter().all(|finding| finding.holds),
        final_quality: results.federated().unwrap_or_default(),
        accuracy_plot: plots::accuracy(&curve)?,
        age_plot: plots::age(&curve)?,
        loss_plot: plots::loss(&curve)?,
        gain_plot: plots::gain(results)?,
        rounds: curve
            .iter()
            .map(|(round, quality)| row(results, *round, quality))
            .collect(),
        sites: results.sites.iter().map(site).collect(),
        megabytes: format!("{:.1}", results.update_bytes() as f64 / 1e6),
    };
    page.render().context("the report cannot be written")
}

fn row(results: &Results, round: u32, quality: &Quality) -> Row {
    let record = results.rounds.iter().find(|record| record.round.0 == round);
    Row {
        round,
        sites: record.map_or(0, |record| record.contributions.len()),
        loss: decimals(quality.loss, 3),
        body_part: percent(quality.body_part),
        view: percent(quality.view),
        age: decimals(quality.age, 1),
        constant: decimals(quality.age_constant, 1),
        bytes: record.map_or("-".to_owned(), |record| {
            let bytes: u64 = record.contributions.iter().map(|part| part.bytes).sum();
            format!("{:.2} MB", bytes as f64 / 1e6)
        }),
    }
}

fn site(result: &SiteResult) -> Site<'_> {
    let count = |name: &str| result.intake[name].as_u64().unwrap_or(0);
    let reasons = result.intake["reasons"].as_object().map(|reasons| {
        reasons
            .iter()
            .map(|(name, count)| (name.replace('_', " "), count.as_u64().unwrap_or(0)))
            .collect()
    });
    Site {
        result,
        alone: result.alone.as_ref().map(Quality::of).unwrap_or_default(),
        federated: result.federated.as_ref().map(Quality::of).unwrap_or_default(),
        captions: result.captions.iter().map(caption).collect(),
        accepted: count("accepted"),
        quarantined: count("quarantined"),
        rejected: count("rejected"),
        reasons: reasons.unwrap_or_default(),
    }
}

fn caption(value: &serde_json::Value) -> String {
    let word = |name: &str| value[name].as_str().unwrap_or("?").to_owned();
    format!("{} {} {}", word("body_part"), word("view"), word("age_band"))
}

fn percent(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{:.1} %", value * 100.0))
}

fn decimals(value: Option<f64>, places: usize) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.places$}"))
}
