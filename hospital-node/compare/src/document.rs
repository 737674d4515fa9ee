//! What is compared with what, as a document that is written before anything is trained.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use snowball_protocol::plan::Augmentation;

/// Trainings of one comparison, at most: a slip of the pen should not cost a month.
const RUNS_MAX: u64 = 2_000;
const NAME_BYTES_MAX: usize = 60;

/// A comparison. What it is about (network, head, recipe) is a study's plan beside it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Version of this format: 1.
    pub format: u16,
    /// The question, in one line.
    pub title: String,
    /// With how many labels each arm is trained, rising.
    pub labels: Vec<u64>,
    /// How often each is trained, with another draw of the labels and another start of everything random.
    pub seeds: u32,
    /// Draws of the bootstrap.
    #[serde(default = "draws")]
    pub draws: u32,
    /// On which patients every arm is judged.
    #[serde(default)]
    pub judged_on: JudgedOn,
    /// What is trained first, on this site's radiographs and without the label in question, for arms to begin from.
    #[serde(default)]
    pub pretrain: Vec<Pretraining>,
    /// What is compared; the others are compared with the first.
    pub arms: Vec<Arm>,
    /// What was claimed before anything was trained, and what is looked at beside it.
    #[serde(default)]
    pub claims: Vec<Claim>,
}

/// Patients that nothing is fitted to. No arm stops early or is chosen by how good it is, so that validation patients are as untouched as
/// testing patients; whoever will choose by the one or the other judges on testing patients alone.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JudgedOn {
    /// Testing patients.
    #[default]
    Testing,
    /// Validation and testing patients: twice as many, and intervals that are narrower.
    HeldBack,
}

/// A network that is trained first.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pretraining {
    /// Its name; an arm begins from `pretrained:NAME`.
    pub name: String,
    /// The file of its plan, beside this document.
    pub plan: String,
    /// What it begins from, as `finetune --from` names it; absent: at random.
    #[serde(default)]
    pub from: Option<String>,
    /// Another number of steps than the plan's.
    #[serde(default)]
    pub steps: Option<u32>,
}

/// One way of learning.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Its name, for people.
    pub name: String,
    /// What it begins from, each as `finetune --from` names it, or `pretrained:NAME`; none: at random. Of several the mean is taken, as
    /// of all hospitals that trained alone.
    #[serde(default)]
    pub from: Vec<String>,
    /// How many steps.
    pub steps: u32,
    /// Another recipe of augmentation than the plan's.
    #[serde(default)]
    pub augmentation: Option<Augmentation>,
    /// Another peak rate than the plan's.
    #[serde(default)]
    pub learning_rate: Option<f64>,
    /// The part of the heads' rate at which the trunk learns; 0: it stays as it came.
    #[serde(default = "whole")]
    pub trunk_rate: f64,
    /// The part of that at which each stage further towards the picture learns.
    #[serde(default = "whole")]
    pub rate_fall: f64,
    /// After every so many steps one stage more learns, from the heads downwards; 0: all from the first step on.
    #[serde(default)]
    pub unfreeze_every: u32,
    /// Whether the labels that it learns from are exchanged among their radiographs: a control, which must learn nothing.
    #[serde(default)]
    pub shuffled: bool,
}

/// A claim about two arms.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The arm that is said to be better.
    pub better: String,
    /// Than which.
    pub than: String,
    /// With each of these numbers of labels.
    pub labels: Vec<u64>,
    /// The claim holds where the gain is above this with 95 % confidence; below zero for a claim of being hardly worse.
    #[serde(default)]
    pub margin: f64,
    /// Whether it was not among what was claimed beforehand: the gain is told apart from the claims and without a verdict.
    #[serde(default)]
    pub exploratory: bool,
}

const fn draws() -> u32 {
    2_000
}

const fn whole() -> f64 {
    1.0
}

impl Comparison {
    /// Trainings, without those that come first.
    #[must_use]
    pub fn runs(&self) -> u64 {
        let starts: u64 = self.arms.iter().map(|arm| arm.starts() as u64).sum();
        starts * self.labels.len() as u64 * u64::from(self.seeds)
    }

    /// The place of the arm of this name.
    #[must_use]
    pub fn arm(&self, name: &str) -> Option<usize> {
        self.arms.iter().position(|arm| arm.name == name)
    }

    /// Every rule that it breaks.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut unless = |holds: bool, rule: &str| {
            if !holds {
                faults.push(rule.to_owned());
            }
        };
        unless(self.format == 1, "format: must be 1");
        unless(
            (1..=200).contains(&self.title.chars().count()),
            "title: must be 1 to 200 characters",
        );
        unless(
            !self.labels.is_empty()
                && self.labels.len() <= 12
                && self.labels[0] > 0
                && self.labels.is_sorted_by(|a, b| a < b),
            "labels: must be 1 to 12 numbers, rising, from 1",
        );
        unless((1..=100).contains(&self.seeds), "seeds: must be 1 to 100");
        unless((200..=100_000).contains(&self.draws), "draws: must be 200 to 100000");
        unless((2..=16).contains(&self.arms.len()), "arms: must be 2 to 16");
        unless(
            self.runs() <= RUNS_MAX,
            "arms x labels x seeds: must be at most 2000 trainings",
        );
        unless(
            self.pretrain.len() <= 16 && are_names(self.pretrain.iter().map(|one| one.name.as_str())),
            "pretrain.name: must be different, 1 to 60 characters without a colon; at most 16",
        );
        unless(
            !(self.pretrain.iter()).any(|one| one.from.as_ref().is_some_and(|from| from.starts_with("pretrained:"))),
            "pretrain.from: must be weights that are there, not pretrained:NAME; train those beforehand and name them local:STUDY",
        );
        unless(
            are_names(self.arms.iter().map(|arm| arm.name.as_str())),
            "arms.name: must be different, 1 to 60 characters without a colon",
        );
        for arm in &self.arms {
            unless(
                (1..=10_000_000).contains(&arm.steps),
                "arms.steps: must be 1 to 10000000",
            );
            unless(
                (0.0..=1.0).contains(&arm.trunk_rate) && arm.rate_fall > 0.0 && arm.rate_fall <= 1.0,
                "arms.trunk_rate, arms.rate_fall: must be at most 1; a rate_fall is above 0",
            );
            unless(
                arm.learning_rate.is_none_or(|rate| (1e-9..=10.0).contains(&rate)),
                "arms.learning_rate: must be from 1e-9 to 10",
            );
            unless(
                !arm.from.is_empty() || (arm.trunk_rate - 1.0).abs() < f64::EPSILON,
                "arms.trunk_rate: an arm that begins at random has no trunk to keep",
            );
            for from in arm.from.iter().filter_map(|from| from.strip_prefix("pretrained:")) {
                let is_known = self.pretrain.iter().any(|one| one.name == from);
                unless(
                    is_known,
                    "arms.from: pretrained:NAME must be the name of a [[pretrain]]",
                );
            }
        }
        for claim in &self.claims {
            let is_known = self.arm(&claim.better).is_some() && self.arm(&claim.than).is_some();
            unless(is_known, "claims.better, claims.than: must be names of arms");
            let are_tried = claim.labels.iter().all(|count| self.labels.contains(count));
            unless(
                are_tried && !claim.labels.is_empty(),
                "claims.labels: must be among the labels that are tried",
            );
            unless(claim.margin.is_finite(), "claims.margin: must be a number");
        }
        faults
    }
}

impl Arm {
    /// How many trainings make one figure of it.
    #[must_use]
    pub fn starts(&self) -> usize {
        self.from.len().max(1)
    }
}

fn are_names<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    let mut seen = BTreeSet::new();
    let mut names = names;
    names.all(|name| (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.contains(':') && seen.insert(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        format = 1
        title = "Does learning body parts help to tell osteoarthritis of the knee?"
        labels = [50, 100]
        seeds = 3
        [[pretrain]]
        name = "body parts"
        plan = "body-parts.toml"
        [[arms]]
        name = "scratch"
        steps = 600
        augmentation = "xr-light-v1"
        [[arms]]
        name = "body parts first"
        from = ["pretrained:body parts"]
        steps = 200
        trunk_rate = 0.1
        [[arms]]
        name = "control"
        from = ["release-1", "release-2"]
        steps = 200
        shuffled = true
        [[claims]]
        better = "body parts first"
        than = "scratch"
        labels = [50]
    "#;

    fn document() -> Comparison {
        toml::from_str(TEXT).unwrap()
    }

    #[test]
    fn a_document_says_what_is_trained() {
        let document = document();
        assert_eq!(document.faults(), Vec::<String>::new());
        assert_eq!(document.runs(), (1 + 1 + 2) * 2 * 3);
        assert_eq!(document.draws, 2_000);
        assert_eq!(document.judged_on, JudgedOn::Testing);
        let more =
            toml::from_str::<Comparison>(&TEXT.replace("seeds = 3", "seeds = 3\njudged_on = \"held_back\"")).unwrap();
        assert_eq!(more.judged_on, JudgedOn::HeldBack);
    }

    #[test]
    fn every_rule_is_kept() {
        type Change = fn(&mut Comparison);
        let changes: [(&str, Change); 12] = [
            ("format", |it| it.format = 2),
            ("title", |it| it.title.clear()),
            ("labels", |it| it.labels = vec![100, 50]),
            ("seeds", |it| it.seeds = 0),
            ("draws", |it| it.draws = 10),
            ("pretrain.from", |it| {
                it.pretrain[0].from = Some("pretrained:body parts".to_owned());
            }),
            ("arms:", |it| it.arms.truncate(1)),
            ("arms.name", |it| it.arms[1].name = "scratch".to_owned()),
            ("arms.trunk_rate:", |it| it.arms[0].trunk_rate = 0.5),
            ("arms.from", |it| it.arms[1].from = vec!["pretrained:hands".to_owned()]),
            ("claims.labels", |it| it.claims[0].labels = vec![75]),
            ("claims.better", |it| it.claims[0].than = "nobody".to_owned()),
        ];
        for (field, change) in changes {
            let mut changed = document();
            change(&mut changed);
            let faults = changed.faults();
            assert!(
                faults.iter().any(|fault| fault.starts_with(field)),
                "{field}: {faults:?}"
            );
        }
        assert!(toml::from_str::<Comparison>(&TEXT.replace("shuffled", "shufled")).is_err());
    }
}
