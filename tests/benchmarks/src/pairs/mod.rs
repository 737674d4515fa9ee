//! Whether a network that learned to find two radiographs of one patient sees more in real radiographs than one that learned nothing:
//! its loss on patients set apart, and a head on its frozen trunk beside the same head on an untrained one.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use snowball_layout::Layout;
use snowball_protocol::{StudyPlan, evaluation::ContrastEvaluation};
use snowball_tests::text;

use crate::{Common, home::Home};

const PAIRS: &str = include_str!("pairs.toml");
const VIEW: &str = include_str!("view.toml");
const UNTRAINED: &str = "untrained";
const TRAINED: &str = "pairs first";

/// Let a network find the two radiographs of one patient among others, on real radiographs, and set a head on its frozen trunk beside the
/// same head on an untrained trunk: chests from the front or from behind.
#[derive(clap::Args)]
#[command(
    after_help = "Example: snowball-benchmark pairs --dicom shared/data/radiographs/b/dicom --labels 100,400 --seeds 3"
)]
pub struct Pairs {
    #[command(flatten)]
    common: Common,
    /// A folder of chest radiographs, some of them several of one patient.
    #[arg(long, value_name = "DIR")]
    dicom: PathBuf,
    /// Steps of looking for pairs.
    #[arg(long, default_value_t = 300)]
    steps: u32,
    /// Steps of each head.
    #[arg(long, default_value_t = 300)]
    head_steps: u32,
    /// With how many labels, rising.
    #[arg(long, value_delimiter = ',', default_value = "100,400")]
    labels: Vec<u64>,
    /// How often each head is trained with each number of labels.
    #[arg(long, default_value_t = 3)]
    seeds: u32,
}

/// What was measured.
#[derive(Serialize)]
struct Measured {
    /// On patients of the validation part, after one step.
    before: Found,
    /// After all.
    after: Found,
    steps: u32,
    /// What `compare` says of the heads.
    heads: Value,
}

/// How well pairs are found.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
struct Found {
    loss: f64,
    found: u64,
    by_chance: f64,
    of: u64,
}

impl Pairs {
    /// Runs everything and prints it as it falls.
    pub fn run(&self) -> Result<bool> {
        ensure!(
            self.dicom.is_dir(),
            "{} is no folder of radiographs",
            self.dicom.display()
        );
        let work = self.common.folder()?;
        let home = Home::with_policy(&self.common.node()?, &work.path().join("home"), &policy()?, None)?;
        home.ask(&["ingest", text(&self.dicom)?])?;
        let plan = work.path().join("pairs.toml");
        fs::write(&plan, PAIRS)?;
        let learn = |steps: u32| -> Result<Found> {
            let steps = steps.to_string();
            let said = home.ask(&["pretrain", "--local", "--plan", text(&plan)?, "--steps", &steps])?;
            Found::read(&said["validation"]["contrast"])
        };
        let (before, after) = (learn(1)?, learn(self.steps)?);
        eprintln!("{}", told(before, after, self.steps));
        let measured = Measured {
            before,
            after,
            steps: self.steps,
            heads: self.compare(&home, work.path())?,
        };
        if self.common.json {
            println!("{}", serde_json::to_string_pretty(&measured)?);
        } else {
            print!("{}", measured.table()?);
        }
        Ok(true)
    }

    fn compare(&self, home: &Home, work: &Path) -> Result<Value> {
        let untrained = untrained(work)?;
        let (plan, document) = (work.join("view.toml"), work.join("comparison.toml"));
        fs::write(&plan, VIEW)?;
        fs::write(&document, self.document(text(&untrained)?))?;
        let out = work.join("comparison");
        home.ask(&[
            "compare",
            "--arms",
            text(&document)?,
            "--plan",
            text(&plan)?,
            "--out",
            text(&out)?,
        ])
    }

    /// Both trunks stay as they came; the claim stands here before anything is trained.
    fn document(&self, untrained: &str) -> String {
        let arm = |name: &str, from: &str| {
            format!(
                "[[arms]]\nname = {name:?}\nfrom = [{from:?}]\nsteps = {}\ntrunk_rate = 0.0\n",
                self.head_steps
            )
        };
        format!(
            "format = 1\ntitle = \"Does a network that finds pairs see more than one that learned nothing?\"\nlabels = {labels:?}\n\
             seeds = {seeds}\njudged_on = \"held_back\"\n{}{}[[claims]]\nbetter = {TRAINED:?}\nthan = {UNTRAINED:?}\nlabels = {labels:?}\n",
            arm(UNTRAINED, untrained),
            arm(TRAINED, "local:pairs"),
            labels = self.labels,
            seeds = self.seeds,
        )
    }
}

/// Weights as the seed makes them, in a file that an arm can begin from.
fn untrained(work: &Path) -> Result<PathBuf> {
    let plan: StudyPlan = toml::from_str(VIEW).context("the plan in this program")?;
    let folder = work.join(UNTRAINED);
    fs::create_dir(&folder)?;
    let parameters = folder.join("parameters.f32");
    let values = Layout::of(&plan).initial_parameters(plan.seed);
    fs::write(&parameters, snowball_layout::to_le_bytes(&values))?;
    snowball_model_files::write(&folder, &plan, &parameters, &[])?;
    Ok(folder.join("model.safetensors"))
}

/// The policy of the place where the radiographs lie, for the two plans here; nothing leaves.
fn policy() -> Result<String> {
    let mut policy: toml::Table = toml::from_str(&crate::home::policy()?)?;
    let approvals = policy.get_mut("approvals").and_then(toml::Value::as_array_mut);
    let approval = approvals.and_then(|all| all.first_mut()?.as_table_mut());
    let studies = ["pairs", "view"].map(toml::Value::from).to_vec();
    approval
        .context("the policy has no approval")?
        .insert("studies".to_owned(), toml::Value::Array(studies));
    Ok(toml::to_string(&policy)?)
}

impl Found {
    fn read(contrast: &Value) -> Result<Self> {
        let contrast =
            ContrastEvaluation::deserialize(contrast).context("pretrain did not say how many pairs it finds")?;
        ensure!(contrast.images > 0, "no patient of the validation part has a pair");
        Ok(Self {
            loss: contrast.loss_sum / contrast.images as f64,
            found: contrast.found,
            by_chance: contrast.chance_sum,
            of: contrast.images,
        })
    }
}

fn told(before: Found, after: Found, steps: u32) -> String {
    let one = |found: Found| format!("loss {:.3}, {} of {} pairs found", found.loss, found.found, found.of);
    format!(
        "after 1 step {}; after {steps} {} (by chance {:.1})",
        one(before),
        one(after),
        after.by_chance
    )
}

impl Measured {
    fn table(&self) -> Result<String> {
        let mut text = told(self.before, self.after, self.steps) + "\n\n";
        writeln!(
            text,
            "Chest views, {}, on {} radiographs of {} patients\n\n| labels | trunk | figure | 95 % |\n|---|---|---|---|",
            self.heads["measure"].as_str().unwrap_or_default(),
            self.heads["radiographs"],
            self.heads["patients"]
        )?;
        for arm in self.heads["arms"].as_array().into_iter().flatten() {
            for figure in arm["figures"].as_array().into_iter().flatten() {
                let number = |name: &str| figure["is"][name].as_f64().unwrap_or(f64::NAN);
                writeln!(
                    text,
                    "| {} | {} | {:.3} | {:.3} to {:.3} |",
                    figure["labels"],
                    arm["arm"].as_str().unwrap_or_default(),
                    number("value"),
                    number("low"),
                    number("high")
                )?;
            }
        }
        text.push('\n');
        for sentence in self.heads["sentences"].as_array().into_iter().flatten() {
            writeln!(text, "{}", sentence.as_str().unwrap_or_default())?;
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plans_and_the_policy_break_no_rule_and_share_a_trunk() {
        let plans = [PAIRS, VIEW].map(|text| toml::from_str::<StudyPlan>(text).unwrap());
        for plan in &plans {
            assert_eq!(plan.faults(), vec![]);
        }
        assert_eq!(plans[0].network, plans[1].network, "a trunk fits only its own network");
        snowball_policy::parse(&policy().unwrap()).unwrap();
    }

    #[test]
    fn what_was_measured_is_told_as_it_falls() {
        let contrast = serde_json::json!({ "images": 4, "loss_sum": 8.0, "found": 1, "chance_sum": 0.5 });
        let found = Found::read(&contrast).unwrap();
        let interval = serde_json::json!({ "value": 0.4, "low": 0.3, "high": 0.5 });
        let heads = serde_json::json!({
            "measure": "auroc", "patients": 9, "radiographs": 12,
            "arms": [{ "arm": "untrained", "figures": [{ "labels": 50, "is": interval }] }],
            "sentences": ["The data do not tell."],
        });
        let measured = Measured {
            before: found,
            after: found,
            steps: 7,
            heads,
        };
        let table = measured.table().unwrap();
        for said in [
            "after 7 loss 2.000, 1 of 4 pairs found (by chance 0.5)",
            "auroc, on 12 radiographs of 9 patients",
            "| 50 | untrained | 0.400 | 0.300 to 0.500 |",
            "The data do not tell.",
        ] {
            assert!(table.contains(said), "{table}");
        }
        assert!(Found::read(&Value::Null).is_err());
    }
}
