//! `compare`: which way of learning needs fewer labels. It trains every arm on this site's radiographs alone; nothing leaves.

mod arms;
mod bench;
mod preset;
mod starts;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde_json::json;
use snowball_compare::{Comparison, Interval, Replicates, findings};
use snowball_protocol::{Sha256Digest, StudyPlan};
use snowball_service::files;

use super::{Context, pretrain::plan_of};
use arms::Trained;
use bench::Bench;
use preset::Preset;

const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// Compare ways of learning with few labels on this site's radiographs alone. Nothing leaves; the policy must permit it.
///
/// The folder holds report.html, figures.json, and runs.jsonl: ended early, the same command goes on where it stood.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  hospital-node compare --preset body-parts-for-age --out comparison\n  hospital-node compare --preset body-parts-for-age --write my-question\n  hospital-node compare --arms my-question/comparison.toml \\\n    --plan my-question/plan.toml --out comparison"
)]
pub struct Compare {
    /// What is compared: arms, numbers of labels, seeds, claims.
    #[arg(long, value_name = "FILE", requires = "plan", conflicts_with = "preset")]
    arms: Option<PathBuf>,
    /// The plan: the network, the one label in question, and the recipe.
    #[arg(long, value_name = "FILE", requires = "arms")]
    plan: Option<PathBuf>,
    /// A question that is asked often, with its plan.
    #[arg(long, value_enum)]
    preset: Option<Preset>,
    /// Write the preset's documents into a new folder, to be changed, and train nothing.
    #[arg(long, value_name = "DIR", requires = "preset")]
    write: Option<PathBuf>,
    /// Where the report goes: a new folder, or one in which the same comparison was begun.
    #[arg(long, value_name = "DIR", required_unless_present = "write")]
    out: Option<PathBuf>,
}

/// What is asked, as it was read.
pub(super) struct Question {
    pub comparison: Comparison,
    pub plan: StudyPlan,
    /// The plans of what is trained first, in the document's order.
    pub before: Vec<StudyPlan>,
    /// The documents as they were written.
    pub texts: Vec<(String, String)>,
}

impl Compare {
    pub fn run(self, context: &Context) -> Result<()> {
        if let (Some(preset), Some(folder)) = (self.preset, &self.write) {
            preset.write(folder)?;
            let (arms, plan) = (folder.join("comparison.toml"), folder.join("plan.toml"));
            return context.print(&json!({ "arms": arms, "plan": plan }), || {
                format!(
                    "written: {0} and its plans; then: hospital-node compare --arms {0} --plan {1} --out DIR",
                    arms.display(),
                    plan.display()
                )
            });
        }
        let question = match (self.preset, &self.arms, &self.plan) {
            (Some(preset), ..) => Question::read(&preset.texts())?,
            (None, Some(arms), Some(plan)) => Question::open(arms, plan)?,
            _ => bail!("name --arms and --plan, or --preset"),
        };
        let out = self.out.context("name --out")?;
        let bench = Bench::prepare(context, &question)?;
        let Trained { judged, runs } = arms::train(&bench, &question, &out)?;
        let comparison = &question.comparison;
        let seed = question.plan.seed;
        let replicates = Replicates::of(&judged, &runs, comparison.draws, seed)?;
        let told = snowball_compare::Told {
            facts: bench.facts(&question),
            documents: question
                .texts
                .iter()
                .map(|(name, text)| (name.as_str(), text.clone()))
                .collect(),
        };
        let report = out.join("report.html");
        let page = snowball_compare::page(comparison, &judged, &replicates, &told);
        files::write_private(&report, page.as_bytes()).with_context(|| format!("cannot write {}", report.display()))?;
        let document = figures(&question, &judged, &replicates);
        let path = out.join("figures.json");
        let text = serde_json::to_string_pretty(&document)?;
        files::write_private(&path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
        context.print(&document, || {
            let mut lines = findings::sentences(comparison, &judged, &replicates);
            lines.extend(findings::lines(comparison, &replicates));
            lines.push(format!("report: {}", report.display()));
            lines.join("\n")
        })
    }
}

impl Question {
    /// Reads the document at `arms` and the plans that it names, which lie beside it.
    fn open(arms: &Path, plan: &Path) -> Result<Self> {
        let read = |path: &Path| {
            let bytes = files::read_bounded(path, DOCUMENT_BYTES_MAX)
                .with_context(|| format!("cannot read {}", path.display()))?;
            String::from_utf8(bytes).with_context(|| format!("{} is not text", path.display()))
        };
        let document = read(arms)?;
        let comparison: Comparison =
            toml::from_str(&document).with_context(|| format!("{} is no comparison", arms.display()))?;
        let mut texts = vec![
            ("comparison.toml".to_owned(), document),
            ("plan.toml".to_owned(), read(plan)?),
        ];
        for one in &comparison.pretrain {
            let is_name = Path::new(&one.plan)
                .file_name()
                .is_some_and(|name| name == one.plan.as_str());
            ensure!(is_name, "pretrain.plan: {:?} is no file beside the document", one.plan);
            let beside = arms.parent().unwrap_or(Path::new("")).join(&one.plan);
            texts.push((one.plan.clone(), read(&beside)?));
        }
        Self::read(&texts)
    }

    /// From the documents: the comparison, the plan, then the plans that the comparison names.
    fn read(texts: &[(String, String)]) -> Result<Self> {
        let text = |name: &str| {
            let found = texts.iter().find(|(of, _)| of == name);
            found
                .map(|(_, text)| text)
                .with_context(|| format!("there is no {name}"))
        };
        let comparison: Comparison = toml::from_str(text("comparison.toml")?).context("this is no comparison")?;
        if let Some(fault) = comparison.faults().first() {
            bail!("the comparison breaks a rule: {fault}");
        }
        let plan = plan_of(text("plan.toml")?).context("the plan")?;
        ensure!(
            plan.heads.len() == 1,
            "a comparison is about one label, and the plan has {} heads; leave one",
            plan.heads.len()
        );
        ensure!(
            plan.mask_head().is_none(),
            "a comparison is about classes or a number, and the plan's head is a mask"
        );
        let before = comparison
            .pretrain
            .iter()
            .map(|one| plan_of(text(&one.plan)?).with_context(|| one.plan.clone()))
            .collect::<Result<_>>()?;
        Ok(Self {
            comparison,
            plan,
            before,
            texts: texts.to_vec(),
        })
    }

    /// What every run follows from, but for the dataset.
    pub(super) fn digest(&self) -> Sha256Digest {
        let text: Vec<&str> = self.texts.iter().map(|(_, text)| text.as_str()).collect();
        Sha256Digest::of(text.join("\n\0\n").as_bytes())
    }
}

/// For programs: every figure, every gain over the first arm, every claim.
fn figures(question: &Question, judged: &snowball_compare::Judged, replicates: &Replicates) -> serde_json::Value {
    let comparison = &question.comparison;
    let by_labels = |told: &dyn Fn(usize) -> Interval| {
        let places = replicates.labels().iter().enumerate();
        places
            .map(|(place, labels)| json!({ "labels": labels, "is": told(place) }))
            .collect::<Vec<_>>()
    };
    let arms: Vec<_> = comparison
        .arms
        .iter()
        .enumerate()
        .map(|(arm, of)| {
            let (reach, few, many) = replicates.reach(arm, 0);
            json!({
                "arm": of.name,
                "figures": by_labels(&|place| replicates.figure(arm, place)),
                "gains": by_labels(&|place| replicates.gain(arm, 0, place)),
                "labels_to_reach_the_first": { "value": reach, "low": few, "high": many },
            })
        })
        .collect();
    json!({
        "title": comparison.title, "label": question.plan.heads[0].label, "measure": replicates.measure(),
        "patients": judged.people(), "radiographs": judged.radiographs(), "arms": arms,
        "claims": findings::judge(comparison, replicates), "explored": findings::looks(comparison, replicates),
        "sentences": findings::sentences(comparison, judged, replicates), "limits": findings::limits(comparison, judged, replicates),
    })
}
