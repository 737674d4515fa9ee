//! The lineage of a release: every digest on the way from the plan to the file.

use serde::{Deserialize, Serialize};
use snowball_crypto::VerifyingKey;
use snowball_protocol::{
    Sha256Digest, StudyName, StudyPlan,
    evaluation::Evaluation,
    ids::{RoundNumber, SiteName, UnixSeconds},
    record::RoundRecord,
};

/// The content of `lineage.json`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lineage {
    /// Version of this format: 1.
    pub format: u16,
    /// The consortium.
    pub consortium: String,
    /// The study.
    pub study: StudyName,
    /// When the release was made.
    pub released: UnixSeconds,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// Digest of the plan's canonical JSON.
    pub plan_digest: Sha256Digest,
    /// The plan itself, so that the digest can be checked.
    pub plan: StudyPlan,
    /// Digest of the parameter layout.
    pub layout_digest: Sha256Digest,
    /// Number of parameters.
    pub parameters: u64,
    /// Digest of the final parameters as little-endian f32 in the layout's order.
    pub model_digest: Sha256Digest,
    /// Digest of `model.safetensors`.
    pub model_file_digest: Sha256Digest,
    /// Digest of `model.onnx`.
    pub onnx_file_digest: Sha256Digest,
    /// Digest of `network.json`.
    pub network_digest: Sha256Digest,
    /// Digest of `model.py`.
    pub script_digest: Sha256Digest,
    /// Digest of `model-card.md`.
    pub card_digest: Sha256Digest,
    /// One entry a round, from the first on.
    pub rounds: Vec<LineageRound>,
    /// Quality of the final model over the sites that let metrics leave.
    pub evaluation: Option<Evaluation>,
    /// The key that signs this lineage and the receipts.
    pub aggregator_key: VerifyingKey,
}

/// One round's part.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineageRound {
    /// Which round.
    pub round: RoundNumber,
    /// The model it started from.
    pub model_in: Sha256Digest,
    /// The model it made.
    pub model_out: Sha256Digest,
    /// Who contributed with how many examples.
    pub contributions: Vec<LineageContribution>,
}

/// One site's part in a round.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineageContribution {
    /// Which site.
    pub site: SiteName,
    /// With which weight.
    pub examples: u64,
}

impl From<&RoundRecord> for LineageRound {
    fn from(record: &RoundRecord) -> Self {
        let contributions = record.contributions.iter();
        Self {
            round: record.round,
            model_in: record.model_in,
            model_out: record.model_out,
            contributions: contributions
                .map(|part| LineageContribution {
                    site: part.site.clone(),
                    examples: part.examples,
                })
                .collect(),
        }
    }
}

impl Lineage {
    /// Everything in the document that contradicts itself; empty for a sound lineage.
    pub fn contradictions(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut unless = |holds: bool, text: String| {
            if !holds {
                found.push(text)
            }
        };
        unless(self.format == 1, "the lineage's format is not 1".to_owned());
        unless(
            self.plan.digest() == self.plan_digest,
            "the plan does not have the digest that is claimed".to_owned(),
        );
        unless(self.plan.study == self.study, "the plan is another study's".to_owned());
        for (position, round) in self.rounds.iter().enumerate() {
            let expected = u32::try_from(position + 1).unwrap_or(u32::MAX);
            unless(round.round.0 == expected, format!("round {expected} is missing"));
        }
        for pair in self.rounds.windows(2) {
            let holds = pair[0].model_out == pair[1].model_in;
            unless(
                holds,
                format!(
                    "round {} does not start from the model of the round before",
                    pair[1].round
                ),
            );
        }
        if let (Some(start), Some(first)) = (&self.plan.start, self.rounds.first()) {
            unless(
                first.model_in == start.model,
                "round 1 does not start from the model that the plan begins with".to_owned(),
            );
        }
        let last = self.rounds.last().map(|round| round.model_out);
        unless(
            last == Some(self.model_digest),
            "the model is not the one that the last round made".to_owned(),
        );
        found
    }

    /// The bytes that are signed for the file content `document`: the content behind a line that says what it is.
    pub fn signed_bytes(document: &[u8]) -> Vec<u8> {
        snowball_audit::lineage_signed_bytes(document)
    }
}
