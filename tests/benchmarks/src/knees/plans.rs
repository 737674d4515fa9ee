//! The plans that are learned by: each as its text file has it, for the hospitals and the size that were asked for.

use anyhow::{Context as _, Result, bail};
use snowball_protocol::StudyPlan;

const ANATOMY: &str = include_str!("pretraining.toml");
const UNLABELLED: &str = include_str!("unlabelled.toml");
const KNEES: &str = include_str!("knees.toml");

/// What may differ from the text files.
#[derive(clap::Args, Clone, Copy, Default)]
pub struct Size {
    /// Another number of rounds of learning together.
    #[arg(long)]
    pub rounds: Option<u32>,
    /// Another side of the pictures, in pixels, of every network.
    #[arg(long, value_name = "PIXELS")]
    pub side: Option<u32>,
    /// Another number of channels in the first stage of every network; the others follow from it.
    #[arg(long, value_name = "CHANNELS")]
    pub width: Option<u32>,
}

/// All plans of a run; their networks are alike.
pub struct Plans {
    /// Body part, view, sex and age: of the hospitals' headers.
    pub anatomy: StudyPlan,
    /// The same without any label.
    pub unlabelled: StudyPlan,
    /// What every arm is judged by.
    pub knees: StudyPlan,
}

impl Plans {
    /// For so many hospitals.
    ///
    /// # Errors
    /// When a plan of this size breaks a rule.
    pub fn of(size: Size, sites: u32) -> Result<Self> {
        let together = |text| -> Result<StudyPlan> {
            let mut plan = sized(text, size)?;
            (plan.rounds.sites.min, plan.rounds.sites.max) = (sites, sites);
            (plan.rounds.updates.min, plan.rounds.updates.max) = (sites, sites);
            plan.rounds.count = size.rounds.unwrap_or(plan.rounds.count);
            kept(plan)
        };
        Ok(Self {
            anatomy: together(ANATOMY)?,
            unlabelled: together(UNLABELLED)?,
            knees: kept(sized(KNEES, size)?)?,
        })
    }
}

fn sized(text: &str, size: Size) -> Result<StudyPlan> {
    let mut plan: StudyPlan = toml::from_str(text).context("a plan in this program")?;
    plan.network.input_side = size.side.unwrap_or(plan.network.input_side);
    plan.network.width = size.width.unwrap_or(plan.network.width);
    Ok(plan)
}

/// Told before anything is trained: the programs would refuse such a plan much later.
fn kept(plan: StudyPlan) -> Result<StudyPlan> {
    match plan.faults().first() {
        Some(fault) => bail!("{}: {fault}; choose another --rounds, --side or --width", plan.study),
        None => Ok(plan),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(rounds: u32, side: u32, width: u32) -> Size {
        Size {
            rounds: Some(rounds),
            side: Some(side),
            width: Some(width),
        }
    }

    #[test]
    fn all_plans_have_the_size_that_was_asked_for() {
        let plans = Plans::of(size(2, 96, 24), 3).unwrap();
        let anatomy = &plans.anatomy;
        assert_eq!((anatomy.rounds.sites.min, anatomy.rounds.count), (3, 2));
        assert_eq!((anatomy.network.input_side, anatomy.network.width), (96, 24));
        for other in [&plans.unlabelled, &plans.knees] {
            assert_eq!(other.network, anatomy.network, "a trunk fits only its own network");
        }
        let plain = Plans::of(Size::default(), 4).unwrap();
        assert_eq!(plain.anatomy, toml::from_str(ANATOMY).unwrap());
        assert_eq!(plain.knees, toml::from_str(KNEES).unwrap());
    }

    #[test]
    fn what_is_learned_without_labels_differs_in_its_task_alone() {
        let Plans {
            anatomy, unlabelled, ..
        } = Plans::of(size(7, 64, 16), 4).unwrap();
        assert!(unlabelled.heads.is_empty() && unlabelled.pretext.is_some());
        let as_anatomy = StudyPlan {
            study: anatomy.study.clone(),
            title: anatomy.title.clone(),
            heads: anatomy.heads.clone(),
            pretext: None,
            augmentation: anatomy.augmentation,
            send: anatomy.send.clone(),
            ..unlabelled
        };
        assert_eq!(as_anatomy, anatomy);
    }

    #[test]
    fn a_size_that_no_network_takes_is_refused_before_anything_is_trained() {
        for (rounds, side, width) in [(0, 64, 16), (2, 1, 16), (2, 64, 0)] {
            let fault = Plans::of(size(rounds, side, width), 4).err().unwrap().to_string();
            assert!(fault.contains("choose another --rounds, --side or --width"), "{fault}");
        }
    }
}
