//! What a study begins from instead of from its seed: weights that others learned, and where those come from.
//!
//! It stands in the plan, so the sites approve it with everything else, and a release's signed lineage holds it with its plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{digest::Sha256Digest, ids::StudyName, labels::LabelName};

/// Weights that a study begins from. `aggregator study create --from` writes it; nobody need write it by hand.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Beginning {
    /// SHA-256 of the model of round 0, all parameters as they travel: a site that is handed another one trains nothing.
    pub model: Sha256Digest,
    /// Stages of the trunk that are the first parent's, as far as it has their tensors; everything else begins from the seed.
    pub stages: Vec<String>,
    /// Heads that are the first parent's too, with the same classes or unit. Absent: all begin from the seed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<LabelName>,
    /// What the weights are of, then what that began from, nearest first.
    pub parents: Vec<Origin>,
}

/// Where weights come from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Origin {
    /// A study's release.
    Release {
        /// Which study.
        study: StudyName,
        /// SHA-256 of its `lineage.json`, by which ledgers name a release.
        lineage: Sha256Digest,
        /// SHA-256 of its parameters.
        model: Sha256Digest,
    },
    /// A safetensors file that nobody signed, such as torchvision's.
    File {
        /// What the file is called.
        name: String,
        /// SHA-256 of the file.
        digest: Sha256Digest,
    },
}

impl Origin {
    /// In words, for model cards and terminals.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Release { study, lineage, .. } => format!("the release {lineage} of {study}"),
            Self::File { name, digest } => format!("the file {name}, {digest}, which bears no signature"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::StudyPlan;

    fn plan() -> StudyPlan {
        toml::from_str(include_str!("../../../../policies/cases/studies/body-parts.toml")).unwrap()
    }

    #[test]
    fn a_plan_that_begins_from_its_seed_has_the_digest_that_it_had() {
        let plan = plan();
        assert_eq!(plan.start, None);
        assert!(!String::from_utf8(plan.canonical_bytes()).unwrap().contains("\"start\""));
    }

    #[test]
    fn the_sample_of_the_operators_page_is_read_and_comes_back() {
        let page = include_str!("../../../../aggregator/docs/operating.md");
        let sample = page
            .split("```toml\n")
            .filter_map(|rest| rest.split("```").next())
            .find(|block| block.starts_with("[start]"))
            .unwrap();
        #[derive(Deserialize)]
        struct Sample {
            start: Beginning,
        }
        let start = toml::from_str::<Sample>(sample).unwrap().start;
        assert_eq!((start.heads.len(), start.parents.len()), (1, 2));
        let begun = StudyPlan {
            start: Some(start),
            ..plan()
        };
        assert_eq!(begun.faults(), []);
        assert_ne!(begun.digest(), plan().digest(), "the sites approve what it begins from");
        let text = toml::to_string(&begun).unwrap();
        assert_eq!(toml::from_str::<StudyPlan>(&text).unwrap(), begun);
        assert!(toml::from_str::<StudyPlan>(&text.replace("[start]", "[start]\nscript = \"x\"")).is_err());
    }
}
