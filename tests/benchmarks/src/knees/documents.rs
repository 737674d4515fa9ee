//! What is asked, fixed before anything is trained: the comparison with its claims, and the policy that permits it.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use snowball_protocol::StudyPlan;

use super::{Knees, plans::Plans};

/// Names of files beside the comparison.
pub const COMPARISON_FILE: &str = "comparison.toml";
pub const KNEES_FILE: &str = "knees.toml";
pub const PRETRAINING_FILE: &str = "pretraining.toml";
pub const UNLABELLED_FILE: &str = "unlabelled.toml";

/// An arm that can be left out: its networks cost as much as everything else.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Costly {
    /// All radiographs in one place.
    Centralised,
    /// Each hospital alone.
    Alone,
    /// Learned together, without labels.
    SelfSupervised,
    /// Learned together, without a knee.
    WrongAnatomy,
}

/// Where networks that are learned first will lie, for other programs.
pub struct Learned {
    /// The release of the anatomy of all sites.
    pub release: PathBuf,
    /// Of each site alone.
    pub alone: Vec<PathBuf>,
    /// The release of what was learned without labels.
    pub unlabelled: PathBuf,
    /// The release of the anatomy of all sites without their knees.
    pub without_knees: PathBuf,
}

const FEDERATED: &str = "federated";
const LIGHT: &str = "scratch, light";
const STRONG: &str = "scratch, strong";
const CENTRALISED: &str = "centralised";
const ALONE: &str = "alone, mean";
const UNLABELLED: &str = "federated self-supervised";
const OTHERS: &str = "wrong anatomy";

/// The comparison. Every arm has the same network, rate and batches; scratch has twice the steps and may choose its augmentation.
///
/// The claims are those of the project's protocol: learned together beats scratch; is hardly worse than with all radiographs in one place
/// (by less than 0.02); and beats what a hospital learns alone, in the mean over hospitals. The last two arms were added when figures of
/// the others were known, so nothing is claimed of them.
pub fn comparison(asked: &Knees, plan: &StudyPlan, learned: &Learned) -> Result<String> {
    let labels = &asked.labels;
    // With fewer the luck of the draw says more than any network.
    let mut claimed: Vec<u64> = labels.iter().copied().filter(|count| *count >= 100).collect();
    if claimed.is_empty() {
        claimed.clone_from(labels);
    }
    let mut text = String::new();
    writeln!(
        text,
        "format = 1\n\
         title = \"Does learning anatomy together first help to tell osteoarthritis of the knee?\"\n\
         labels = {labels:?}\nseeds = {seeds}\ndraws = 2000\njudged_on = \"held_back\"\n",
        seeds = asked.seeds
    )?;
    if asked.has(Costly::Centralised) {
        let steps = plan.steps_total() * u64::from(plan.rounds.sites.max);
        writeln!(
            text,
            "# All radiographs in one place, as many pictures seen as all hospitals saw together.\n\
             [[pretrain]]\nname = {CENTRALISED:?}\nplan = \"{PRETRAINING_FILE}\"\nsteps = {steps}\n"
        )?;
    }
    let arms = arms(asked, learned)?;
    for arm in &arms {
        writeln!(text, "{}[[arms]]\nname = {:?}\n{}", arm.remark, arm.name, arm.lines)?;
    }
    let has = |name: &str| arms.iter().any(|arm| arm.name == name);
    for (than, margin) in [(LIGHT, 0.0), (STRONG, 0.0), (CENTRALISED, -0.02), (ALONE, 0.0)] {
        if has(than) {
            writeln!(
                text,
                "[[claims]]\nbetter = {FEDERATED:?}\nthan = {than:?}\nlabels = {claimed:?}\nmargin = {margin:?}\n"
            )?;
        }
    }
    for (better, than) in [(FEDERATED, UNLABELLED), (UNLABELLED, LIGHT), (FEDERATED, OTHERS)] {
        if has(better) && has(than) {
            writeln!(
                text,
                "[[claims]]\nbetter = {better:?}\nthan = {than:?}\nlabels = {claimed:?}\nexploratory = true\n"
            )?;
        }
    }
    Ok(text)
}

/// An arm as the document has it.
struct Arm {
    name: &'static str,
    /// What the reader of the document should know of it.
    remark: &'static str,
    /// What it begins from and how it learns.
    lines: String,
}

/// Those that were asked for, in the order of the report: what all are compared with first.
fn arms(asked: &Knees, learned: &Learned) -> Result<Vec<Arm>> {
    let (steps, twice) = (asked.steps, asked.steps * 2);
    let tuned = format!("steps = {steps}\nrate_fall = 0.6\n");
    let begun = |from: &[&Path]| -> Result<String> { Ok(format!("{}{tuned}", list(from)?)) };
    let release = learned.release.as_path();
    let mut arms = Vec::new();
    let mut add = |name, remark, lines| arms.push(Arm { name, remark, lines });
    add(LIGHT, "", format!("steps = {twice}\n"));
    add(
        STRONG,
        "",
        format!("steps = {twice}\naugmentation = \"xr-strong-v1\"\n"),
    );
    add(FEDERATED, "", begun(&[release])?);
    if asked.has(Costly::Centralised) {
        let pretrained = format!("pretrained:{CENTRALISED}");
        add(CENTRALISED, "", begun(&[Path::new(&pretrained)])?);
    }
    if asked.has(Costly::Alone) {
        let alone: Vec<&Path> = learned.alone.iter().map(PathBuf::as_path).collect();
        add(ALONE, "", begun(&alone)?);
    }
    add(
        "exchanged labels",
        "",
        format!("{}shuffled = true\n", begun(&[release])?),
    );
    if asked.has(Costly::SelfSupervised) {
        let remark = "# No label at all, by the same hospitals. Added when figures of the arms above were known: nothing is claimed of it.\n";
        add(UNLABELLED, remark, begun(&[&learned.unlabelled])?);
    }
    if asked.has(Costly::WrongAnatomy) {
        let remark = "# The same plan at the same hospitals, which took in everything but their knees. Added when figures of the arms above \
                      were known: nothing is claimed of it.\n";
        add(OTHERS, remark, begun(&[&learned.without_knees])?);
    }
    Ok(arms)
}

fn list(paths: &[&Path]) -> Result<String> {
    let texts: Vec<&str> = paths
        .iter()
        .map(|path| snowball_tests::text(path))
        .collect::<Result<_>>()?;
    Ok(format!("from = {texts:?}\n"))
}

/// The policy of the place where all radiographs lie: it may train alone, on the table's label too, and lets nothing out.
pub fn policy(plans: &Plans) -> Result<String> {
    let mut policy: toml::Table = toml::from_str(&crate::home::policy()?)?;
    let mut set = |table: &str, field: &str, value: toml::Value| -> Result<()> {
        let table = policy
            .get_mut(table)
            .and_then(toml::Value::as_table_mut)
            .context("the policy lacks a table")?;
        table.insert(field.to_owned(), value);
        Ok(())
    };
    let words = |words: &[&str]| toml::Value::Array(words.iter().map(|word| toml::Value::from(*word)).collect());
    set(
        "labels",
        "allowed",
        words(&["body_part", "view", "sex", "age", "site_knee_oa"]),
    )?;
    set(
        "deidentification",
        "options",
        words(&["retain-patient-characteristics"]),
    )?;
    let side = i64::from(plans.knees.network.input_side);
    set("architectures", "input_side_max", side.into())?;
    let approvals = policy.get_mut("approvals").and_then(toml::Value::as_array_mut);
    let approval = approvals.and_then(|all| all.first_mut()?.as_table_mut());
    let studies = words(&[plans.anatomy.study.as_str(), plans.knees.study.as_str()]);
    approval
        .context("the policy has no approval")?
        .insert("studies".to_owned(), studies);
    Ok(toml::to_string(&policy)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knees::plans::Size;

    fn asked(words: &str) -> Knees {
        use clap::Parser as _;
        #[derive(clap::Parser)]
        struct Alone {
            #[command(flatten)]
            knees: Knees,
        }
        let line = format!("knees --dicom d --out o {words}");
        Alone::try_parse_from(line.split_whitespace()).unwrap().knees
    }

    fn document(words: &str) -> toml::Table {
        let learned = Learned {
            release: "/o/release".into(),
            alone: ["/o/a", "/o/b"].map(PathBuf::from).to_vec(),
            unlabelled: "/o/pairs".into(),
            without_knees: "/o/others".into(),
        };
        let plans = Plans::of(Size::default(), 4).unwrap();
        toml::from_str(&comparison(&asked(words), &plans.anatomy, &learned).unwrap()).unwrap()
    }

    fn names<'a>(document: &'a toml::Table, list: &str, field: &str) -> Vec<&'a str> {
        let entries = document.get(list).and_then(toml::Value::as_array).into_iter().flatten();
        entries.map(|entry| entry[field].as_str().unwrap()).collect()
    }

    #[test]
    fn the_claims_are_the_four_that_were_fixed_and_new_arms_are_only_looked_at() {
        let document = document("");
        assert_eq!(
            names(&document, "arms", "name"),
            [
                LIGHT,
                STRONG,
                FEDERATED,
                CENTRALISED,
                ALONE,
                "exchanged labels",
                UNLABELLED,
                OTHERS
            ]
        );
        let is_look = |claim: &&toml::Value| claim.get("exploratory").is_some();
        let all = document["claims"].as_array().unwrap();
        let (looks, claims): (Vec<&toml::Value>, Vec<_>) = all.iter().partition(is_look);
        let pairs = |of: &[&toml::Value]| -> Vec<(String, String, Option<f64>)> {
            let word = |claim: &toml::Value, field: &str| claim[field].as_str().unwrap().to_owned();
            of.iter()
                .map(|claim| {
                    (
                        word(claim, "better"),
                        word(claim, "than"),
                        claim.get("margin").and_then(toml::Value::as_float),
                    )
                })
                .collect()
        };
        let fixed = [(LIGHT, 0.0), (STRONG, 0.0), (CENTRALISED, -0.02), (ALONE, 0.0)];
        let fixed = fixed.map(|(than, margin)| (FEDERATED.to_owned(), than.to_owned(), Some(margin)));
        assert_eq!(pairs(&claims), fixed);
        assert_eq!(looks.len(), 3);
        for (better, than, _) in pairs(&looks) {
            assert!(
                [&better, &than]
                    .iter()
                    .any(|name| [UNLABELLED, OTHERS].contains(&name.as_str()))
            );
        }
        assert!(all.iter().all(|claim| claim["labels"].as_array().unwrap().len() == 2));
        let alone = &document["arms"].as_array().unwrap()[4];
        assert_eq!(alone["from"].as_array().unwrap().len(), 2);
        assert_eq!(document["pretrain"][0]["steps"].as_integer(), Some(40 * 90 * 4));
    }

    #[test]
    fn an_arm_that_is_left_out_is_neither_trained_for_nor_claimed() {
        let document = document("--without centralised,alone,self-supervised,wrong-anatomy --labels 50");
        assert_eq!(
            names(&document, "arms", "name"),
            [LIGHT, STRONG, FEDERATED, "exchanged labels"]
        );
        assert_eq!(names(&document, "claims", "than"), [LIGHT, STRONG]);
        assert!(document.get("pretrain").is_none());
    }

    #[test]
    fn the_policy_permits_both_trainings_at_their_size() {
        let size = Size {
            side: Some(320),
            ..Size::default()
        };
        let text = policy(&Plans::of(size, 4).unwrap()).unwrap();
        snowball_policy::parse(&text).unwrap();
        assert!(
            text.contains("input_side_max = 320") && text.contains("\"body-parts\", \"knees\""),
            "{text}"
        );
    }
}
