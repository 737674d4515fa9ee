//! What is asked, fixed before anything is trained: the plans, the comparison with its claims, and the policy that permits them.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use snowball_protocol::StudyPlan;

use super::Knees;

pub const KNEES: &str = include_str!("knees.toml");
const PRETRAINING: &str = include_str!("pretraining.toml");

/// Names of files beside the comparison.
pub const COMPARISON_FILE: &str = "comparison.toml";
pub const KNEES_FILE: &str = "knees.toml";
pub const PRETRAINING_FILE: &str = "pretraining.toml";

/// The plan that is learned first, for so many sites.
pub fn pretraining(sites: u32, rounds: Option<u32>) -> Result<StudyPlan> {
    let mut plan: StudyPlan = toml::from_str(PRETRAINING).context("the plan in this program")?;
    (plan.rounds.sites.min, plan.rounds.sites.max) = (sites, sites);
    (plan.rounds.updates.min, plan.rounds.updates.max) = (sites, sites);
    plan.rounds.count = rounds.unwrap_or(plan.rounds.count);
    Ok(plan)
}

/// Networks that were learned first, where other programs find them.
pub struct Learned {
    /// The release of the study of all sites.
    pub release: PathBuf,
    /// Of each site alone.
    pub alone: Vec<PathBuf>,
}

/// The comparison. Every arm has the same network, rate and batches; scratch has twice the steps and may choose its augmentation.
///
/// The claims are those of the project's protocol: learned together beats scratch; is hardly worse than with all radiographs in one place
/// (by less than 0.02); and beats what a hospital learns alone, in the mean over hospitals.
pub fn comparison(asked: &Knees, plan: &StudyPlan, learned: &Learned) -> Result<String> {
    let labels = &asked.labels;
    // With fewer the luck of the draw says more than any network.
    let mut claimed: Vec<u64> = labels.iter().copied().filter(|count| *count >= 100).collect();
    if claimed.is_empty() {
        claimed.clone_from(labels);
    }
    let centralised = plan.steps_total() * u64::from(plan.rounds.sites.max);
    let mut text = String::new();
    writeln!(
        text,
        "format = 1\n\
         title = \"Does learning anatomy together first help to tell osteoarthritis of the knee?\"\n\
         labels = {labels:?}\nseeds = {seeds}\ndraws = 2000\njudged_on = \"held_back\"\n\n\
         # All radiographs in one place, as many pictures seen as all hospitals saw together.\n\
         [[pretrain]]\nname = \"centralised\"\nplan = \"{PRETRAINING_FILE}\"\nsteps = {centralised}\n",
        seeds = asked.seeds
    )?;
    let steps = asked.steps;
    let tuned = format!("steps = {steps}\nrate_fall = 0.6\n");
    let alone = learned.alone.iter().map(|path| path.as_path());
    for (name, from, rest) in [
        ("scratch, light", String::new(), format!("steps = {}\n", steps * 2)),
        (
            "scratch, strong",
            String::new(),
            format!("steps = {}\naugmentation = \"xr-strong-v1\"\n", steps * 2),
        ),
        ("federated", list([learned.release.as_path()])?, tuned.clone()),
        (
            "centralised",
            list([Path::new("pretrained:centralised")])?,
            tuned.clone(),
        ),
        ("alone, mean", list(alone)?, tuned.clone()),
        (
            "exchanged labels",
            list([learned.release.as_path()])?,
            format!("{tuned}shuffled = true\n"),
        ),
    ] {
        writeln!(text, "[[arms]]\nname = {name:?}\n{from}{rest}")?;
    }
    for (than, margin) in [
        ("scratch, light", 0.0),
        ("scratch, strong", 0.0),
        ("centralised", -0.02),
        ("alone, mean", 0.0),
    ] {
        writeln!(
            text,
            "[[claims]]\nbetter = \"federated\"\nthan = {than:?}\nlabels = {claimed:?}\nmargin = {margin:?}\n"
        )?;
    }
    Ok(text)
}

fn list<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<String> {
    let texts: Vec<&str> = paths.into_iter().map(snowball_tests::text).collect::<Result<_>>()?;
    Ok(format!("from = {texts:?}\n"))
}

/// The policy of the place where all radiographs lie: it may train alone, on the table's label too, and lets nothing out.
pub fn policy() -> Result<String> {
    let mut policy: toml::Table = toml::from_str(&crate::home::policy()?)?;
    let mut set = |table: &str, field: &str, words: &[&str]| -> Result<()> {
        let table = policy
            .get_mut(table)
            .and_then(toml::Value::as_table_mut)
            .context("the policy lacks a table")?;
        let words = words.iter().map(|word| toml::Value::from(*word)).collect();
        table.insert(field.to_owned(), toml::Value::Array(words));
        Ok(())
    };
    set(
        "labels",
        "allowed",
        &["body_part", "view", "sex", "age", "site_knee_oa"],
    )?;
    set("deidentification", "options", &["retain-patient-characteristics"])?;
    let approvals = policy.get_mut("approvals").and_then(toml::Value::as_array_mut);
    let approval = approvals.and_then(|all| all.first_mut()?.as_table_mut());
    let studies = ["body-parts", "knees"].map(toml::Value::from).to_vec();
    approval
        .context("the policy has no approval")?
        .insert("studies".to_owned(), toml::Value::Array(studies));
    Ok(toml::to_string(&policy)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plans_and_the_policy_break_no_rule() {
        let plan = pretraining(3, Some(2)).unwrap();
        assert_eq!(plan.faults(), vec![]);
        assert_eq!((plan.rounds.sites.min, plan.rounds.count), (3, 2));
        let knees: StudyPlan = toml::from_str(KNEES).unwrap();
        assert_eq!(knees.faults(), vec![]);
        assert_eq!(knees.network, plan.network, "a trunk fits only its own network");
        snowball_policy::parse(&policy().unwrap()).unwrap();
    }
}
