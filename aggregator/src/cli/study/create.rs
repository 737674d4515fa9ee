//! `aggregator study check` and `create`: a plan is read, judged, and kept by its digest.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use snowball_encoding::Coding;
use snowball_layout::Layout;
use snowball_ledger::Entry;
use snowball_protocol::{
    StudyPlan,
    limits::{PARAMETERS_MAX, PLAN_BYTES_MAX},
};
use snowball_service::{clock, files};

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
#[command(after_help = "Example:\n  aggregator study create body-parts.toml")]
pub struct Create {
    /// The plan, TOML or JSON
    plan: PathBuf,
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
        let plan = read(&self.plan)?;
        let (home, registry) = open(home).await?;
        let (name, digest) = (plan.study.clone(), plan.digest());
        if let Some(existing) = registry.study(&name).await? {
            if existing.plan_digest == digest {
                return Ok(Answer::new(
                    format!("{name} exists already with this very plan."),
                    facts(&plan),
                ));
            }
            bail!(Refused(format!(
                "a study called {name} exists already with another plan; give this one another name"
            )));
        }
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
        let text = format!("Created.\n{}Next: aggregator study start {name}", describe(&plan));
        Ok(Answer::new(text, facts(&plan)))
    }
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
    format!(
        "study       {}\nplan        {}\nnetwork     {}, {} parameters\nupdates     {}\nrounds      {} of at most {} s\n\
         sites       {} to {}\n{kept}{control}",
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
        "update_bytes_max": Coding::of(plan, layout.parameters()).bytes().end(),
    })
}
