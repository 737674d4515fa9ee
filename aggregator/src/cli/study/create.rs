//! `aggregator study check` and `create`: a plan is read, judged, and kept by its digest.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use snowball_encoding::Coding;
use snowball_layout::Layout;
use snowball_ledger::Entry;
use snowball_protocol::{
    RoundNumber, StudyPlan,
    limits::{PARAMETERS_MAX, PLAN_BYTES_MAX},
    plan::Origin,
};
use snowball_registry::{ObjectFolder, ObjectName};
use snowball_service::{clock, files};
use snowball_weights::Begun;

use super::begin::BeginFrom;
use crate::{
    cli::{Answer, Refused, open},
    home::Home,
    journal,
};

/// Says whether a plan is sound.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator study check body-parts.toml")]
pub struct Check {
    /// The plan, TOML or JSON
    plan: PathBuf,
}

/// Creates a study from a plan.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  aggregator study create body-parts.toml\n  aggregator study create knees.toml --from release-1 --out knees-for-the-boards.json\n  aggregator study create knees.toml --from resnet18.safetensors --layers 2"
)]
pub struct Create {
    /// The plan, TOML or JSON
    plan: PathBuf,
    #[command(flatten)]
    from: BeginFrom,
}

impl Check {
    /// Exit code 3 for a plan that breaks a rule; each is named.
    pub fn run(&self) -> Result<Answer> {
        let plan = read(&self.plan)?;
        Ok(Answer::new(format!("Sound.\n{}", describe(&plan)), facts(&plan)))
    }
}

impl Create {
    /// The plan can not be changed afterwards: sites approve its digest.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let mut plan = read(&self.plan)?;
        let (home, registry) = open(home).await?;
        let begun = self.from.begin(&home, &mut plan)?;
        let (name, digest) = (plan.study.clone(), plan.digest());
        if let Some(existing) = registry.study(&name).await? {
            if existing.plan_digest == digest {
                // The very model that the plan names: this brings back one whose file was lost.
                if let Some(begun) = &begun {
                    keep_first_model(&home, &plan, begun)?;
                }
                self.from.write(&plan)?;
                return Ok(Answer::new(
                    format!("{name} exists already with this very plan."),
                    facts(&plan),
                ));
            }
            bail!(Refused(format!(
                "a study called {name} exists already with another plan; give this one another name"
            )));
        }
        match (&begun, &plan.start) {
            // Before the study is there: one that begins from weights has its model from the first moment on.
            (Some(begun), _) => keep_first_model(&home, &plan, begun)?,
            (None, Some(start)) => bail!(Refused(format!(
                "the plan begins from {}; name these weights with --from",
                start.parents.first().map(Origin::name).unwrap_or_default()
            ))),
            (None, None) => {}
        }
        self.from.write(&plan)?;
        let now = clock::now();
        journal::record(
            &home,
            now,
            vec![Entry::StudyCreated {
                study: name.clone(),
                plan_digest: digest,
            }],
        )?;
        registry.create_study(&plan, now).await?;
        registry.close().await;
        let report = begun
            .as_ref()
            .map(|begun| format!("{}\n", begun.report))
            .unwrap_or_default();
        let text = format!(
            "Created.\n{}{report}Next: aggregator study start {name}",
            describe(&plan)
        );
        let mut facts = facts(&plan);
        if let Some(begun) = &begun {
            facts["weights"] = json!(begun.report);
        }
        Ok(Answer::new(text, facts))
    }
}

fn keep_first_model(home: &Home, plan: &StudyPlan, begun: &Begun) -> Result<()> {
    let bytes = snowball_layout::to_le_bytes(&begun.parameters);
    ObjectFolder::open(&home.objects_dir())?
        .put(&ObjectName::model(&plan.study, RoundNumber(0)), &bytes)
        .context("cannot write the model that the study begins with")
}

/// Reads and judges a plan.
fn read(path: &Path) -> Result<StudyPlan> {
    let bytes = files::read_bounded(path, PLAN_BYTES_MAX).with_context(|| format!("cannot read {}", path.display()))?;
    let text = String::from_utf8(bytes).with_context(|| format!("{} is not text", path.display()))?;
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    let parsed: Result<StudyPlan, String> = if is_json {
        serde_json::from_str(&text).map_err(|error| error.to_string())
    } else {
        toml::from_str(&text).map_err(|error| error.to_string())
    };
    let plan = parsed.map_err(|error| Refused(format!("{} is not a study plan: {error}", path.display())))?;
    let mut faults: Vec<String> = plan.faults().iter().map(ToString::to_string).collect();
    // Only a plan within the limits may be laid out: the layout of an absurd one could be absurdly large.
    if faults.is_empty() {
        let parameters = Layout::of(&plan).parameters() as u64;
        if parameters > PARAMETERS_MAX {
            faults.push(format!(
                "network: has {parameters} parameters; at most {PARAMETERS_MAX} are allowed"
            ));
        }
    }
    if !faults.is_empty() {
        bail!(Refused(format!(
            "the plan breaks {} rule(s):\n  {}",
            faults.len(),
            faults.join("\n  ")
        )));
    }
    Ok(plan)
}

fn describe(plan: &StudyPlan) -> String {
    let layout = Layout::of(plan);
    let kept: String = (plan.local.keep.iter())
        .map(|role| {
            format!(
                "kept        {}, {} parameters: they stay at the sites\n",
                role.name(),
                layout.kept(plan).parameters()
            )
        })
        .collect();
    let control = if plan.is_scaffold() {
        format!(
            "control     SCAFFOLD: {} bytes more go to each site in a round\n",
            layout.bytes()
        )
    } else {
        String::new()
    };
    let start: String = (plan.start.iter())
        .map(|start| {
            let parents: Vec<String> = start.parents.iter().map(Origin::name).collect();
            let heads: Vec<&str> = start.heads.iter().map(|label| label.code()).collect();
            let heads = if heads.is_empty() {
                "none".to_owned()
            } else {
                heads.join(", ")
            };
            format!(
                "begins with {}\ntaken from  {}\n            stages {}; heads {heads}; all else from the seed\n",
                start.model,
                parents.join(",\n            which began from "),
                start.stages.join(", ")
            )
        })
        .collect();
    format!(
        "study       {}\nplan        {}\nnetwork     {}, {} parameters\nupdates     {}\nrounds      {} of at most {} s\n\
         sites       {} to {}\n{start}{kept}{control}",
        plan.study,
        plan.digest(),
        plan.network.architecture.code(),
        layout.parameters(),
        transfer(plan),
        plan.rounds.count,
        plan.rounds.collect_seconds.max,
        plan.rounds.sites.min,
        plan.rounds.sites.max,
    )
}

/// How an update travels, and how large it is.
fn transfer(plan: &StudyPlan) -> String {
    let bytes = Coding::of(plan, Layout::of(plan).parameters()).bytes();
    let at_most = if bytes.start() == bytes.end() { "" } else { "at most " };
    format!("{at_most}{} bytes, {}", bytes.end(), plan.transfer.encoding.name())
}

fn facts(plan: &StudyPlan) -> Value {
    let layout = Layout::of(plan);
    json!({
        "study": plan.study,
        "plan_digest": plan.digest(),
        "layout_digest": layout.digest(),
        "parameters": layout.parameters(),
        "start": plan.start,
        "update_bytes_max": Coding::of(plan, layout.parameters()).bytes().end(),
    })
}
