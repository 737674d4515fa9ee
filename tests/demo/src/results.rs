//! What the demo found, as one document: table, report and verdict are views of it.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use snowball_protocol::{evaluation::Evaluation, labels::LabelName, record::RoundRecord};

/// Everything that table, report and verdict show.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Results {
    pub title: String,
    pub folder: PathBuf,
    pub is_real: bool,
    pub seconds: f64,
    pub plan_digest: String,
    pub network: String,
    pub parameters_bytes: u64,
    pub rounds: Vec<RoundRecord>,
    /// Quality of the final model on validation patients, added up over the sites.
    pub last: Option<Quality>,
    /// How well that model ranks them, head by head.
    pub ranked: Vec<Ranked>,
    pub sites: Vec<SiteResult>,
    pub release: Option<Value>,
    pub aggregator_ledger: Option<LedgerResult>,
}

/// One hospital.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SiteResult {
    pub site: String,
    /// What became of its files: the counts of `ingest`.
    pub intake: Value,
    pub training: u64,
    pub validation: u64,
    pub testing: u64,
    /// The federated model on its held-out patients, validation and testing: nothing was fitted to them or chosen by them.
    pub federated: Option<Evaluation>,
    /// The model that it trained alone, on the same patients.
    pub alone: Option<Evaluation>,
    pub ledger: Option<LedgerResult>,
    pub policy: String,
    /// A picture of its radiographs as the network sees them, PNG, base64. The demo's phantoms are nobody's.
    pub sheet_png: String,
    pub captions: Vec<Value>,
}

/// A ledger that was verified, or not.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LedgerResult {
    pub is_verified: bool,
    pub entries: u64,
    pub head: String,
    pub kinds: BTreeMap<String, u64>,
    /// Its last lines, for people.
    pub lines: Vec<String>,
    pub fault: Option<String>,
}

/// How well a head that names classes ranks patients, over all hospitals: the area under the receiver operating characteristic, with the
/// interval that holds it with 95 % confidence over patients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    pub label: String,
    pub auroc: f64,
    pub low: f64,
    pub high: f64,
}

impl Ranked {
    /// Of each head that `study status` tells an area of.
    pub fn of(status: &Value) -> Vec<Self> {
        let heads = status["final"]["pooled"]["heads"].as_array();
        let ranked = |head: &Value| {
            let area = &head["discrimination"]["auroc"];
            Some(Self {
                label: head["label"].as_str()?.replace('_', " "),
                auroc: area["value"].as_f64()?,
                low: area["low"].as_f64()?,
                high: area["high"].as_f64()?,
            })
        };
        heads.into_iter().flatten().filter_map(ranked).collect()
    }
}

impl std::fmt::Display for Ranked {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            label,
            auroc,
            low,
            high,
        } = self;
        write!(formatter, "{label} {auroc:.3} ({low:.3} to {high:.3})")
    }
}

/// The numbers that people ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    pub loss: Option<f64>,
    pub body_part: Option<f64>,
    pub view: Option<f64>,
    pub sex: Option<f64>,
    /// Mean absolute error in years.
    pub age: Option<f64>,
    /// That of the constant predictor.
    pub age_constant: Option<f64>,
}

impl Quality {
    pub fn of(evaluation: &Evaluation) -> Self {
        let accuracy = |label| evaluation.head(label).and_then(|head| head.balanced_accuracy());
        let age = evaluation
            .head(LabelName::Age)
            .and_then(|head| head.mean_absolute_errors());
        Self {
            loss: evaluation.mean_loss(),
            body_part: accuracy(LabelName::BodyPart),
            view: accuracy(LabelName::View),
            sex: accuracy(LabelName::Sex),
            age: age.map(|errors| errors.0),
            age_constant: age.map(|errors| errors.1),
        }
    }
}

impl Results {
    /// Quality after each round, in order: the model of round r is measured when round r + 1 begins.
    pub fn curve(&self) -> Vec<(u32, Quality)> {
        let mut curve: Vec<_> = self
            .rounds
            .iter()
            .filter_map(|record| {
                Some((
                    record.round.0.saturating_sub(1),
                    Quality::of(record.evaluation.as_ref()?),
                ))
            })
            .collect();
        if let (Some(last), Some(record)) = (self.last, self.rounds.last()) {
            curve.push((record.round.0, last));
        }
        curve
    }

    /// The federated model on the held-out patients of all sites together.
    pub fn federated(&self) -> Option<Quality> {
        let parts: Vec<&Evaluation> = self.sites.iter().filter_map(|site| site.federated.as_ref()).collect();
        Evaluation::pooled(parts).as_ref().map(Quality::of)
    }

    /// Bytes of all updates.
    pub fn update_bytes(&self) -> u64 {
        self.rounds
            .iter()
            .flat_map(|record| &record.contributions)
            .map(|part| part.bytes)
            .sum()
    }
}
