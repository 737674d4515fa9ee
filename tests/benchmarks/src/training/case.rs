//! What is trained: a network, its pictures and its batches.

use std::{fmt, str::FromStr};

use anyhow::{Context as _, Result, ensure};
use snowball_protocol::{StudyPlan, plan::Augmentation};

const PLAN: &str = include_str!("plan.toml");

/// One network at one size.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    architecture: String,
    pub side: u32,
    width: u32,
    pub batch: u32,
}

impl Case {
    /// The plan to train by: body parts, by AdamW.
    pub fn plan(&self, augmentation: Augmentation) -> Result<StudyPlan> {
        let mut plan: toml::Table = toml::from_str(PLAN).context("the plan in this program")?;
        let mut network = toml::Table::new();
        network.insert("architecture".to_owned(), self.architecture.as_str().into());
        network.insert("input_side".to_owned(), self.side.into());
        network.insert("width".to_owned(), self.width.into());
        plan.insert("network".to_owned(), network.into());
        plan.insert("augmentation".to_owned(), augmentation.code().into());
        let mut plan: StudyPlan = plan.try_into().with_context(|| format!("{self}: no such network"))?;
        plan.local.batch_size = self.batch;
        let faults: Vec<String> = plan.faults().iter().map(ToString::to_string).collect();
        ensure!(faults.is_empty(), "{self}: {}", faults.join("; "));
        Ok(plan)
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        let [architecture, side, width, batch] = parts[..] else {
            return Err(format!(
                "{text}: a case is architecture:side:width:batch, such as small:64:16:32"
            ));
        };
        let number = |number: &str| number.parse().map_err(|_| format!("{text}: {number} is no number"));
        Ok(Self {
            architecture: architecture.to_owned(),
            side: number(side)?,
            width: number(width)?,
            batch: number(batch)?,
        })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            architecture,
            side,
            width,
            batch,
        } = self;
        write!(formatter, "{architecture}:{side}:{width}:{batch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_a_sound_plan_or_says_why_not() {
        for sound in ["small:64:16:32", "resnet-18-full:128:64:16"] {
            let case: Case = sound.parse().unwrap();
            assert_eq!(case.to_string(), sound);
            let plan = case.plan(Augmentation::XrLightV1).unwrap();
            assert_eq!(
                (plan.network.input_side, plan.local.batch_size),
                (case.side, case.batch)
            );
        }
        assert!(
            "small:64"
                .parse::<Case>()
                .unwrap_err()
                .contains("architecture:side:width:batch")
        );
        assert!("small:x:16:32".parse::<Case>().unwrap_err().contains("x is no number"));
        let unknown: Case = "large:64:16:32".parse().unwrap();
        assert!(
            unknown
                .plan(Augmentation::None)
                .unwrap_err()
                .to_string()
                .contains("large:64:16:32")
        );
    }
}
