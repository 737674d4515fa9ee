//! `pretrain --local`: an ordinary run on this site's radiographs alone. Nothing leaves.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use snowball_layout::Layout;
use snowball_protocol::{StudyPlan, limits::PLAN_BYTES_MAX};
use snowball_service::{files, output};
use snowball_weights::Report;

use super::{
    Context, Refused,
    alone::{Alone, Order},
};
use crate::{
    beginning,
    local_model::Parent,
    parent::{self, Opened, Source},
};

/// Train on this site's radiographs alone, by a study's plan. Nothing leaves; the policy must permit it.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  hospital-node pretrain --local --plan plan.toml\n  hospital-node pretrain --local --plan spines.toml --from release-1/model.safetensors"
)]
pub struct Pretrain {
    /// Alone, without an aggregator: the only way so far, named so that nobody mistakes it.
    #[arg(long, required = true)]
    local: bool,
    /// The plan: the network, its heads and its recipe; the number of steps is that of all its rounds.
    #[arg(long)]
    plan: PathBuf,
    /// Another number of steps.
    #[arg(long)]
    steps: Option<u32>,
    /// Begin with the trunk of these weights instead of at random: a release's folder or its model.safetensors, a file that PyTorch wrote
    /// with the names of torchvision's network, local:STUDY or federated:STUDY. What fits is told; heads always begin anew.
    #[arg(long, value_name = "WHERE")]
    from: Option<Source>,
    /// Evaluate on the validation part after every so many steps.
    #[arg(long, default_value_t = 0)]
    evaluate_every: u32,
}

impl Pretrain {
    pub fn run(self, context: &Context) -> Result<()> {
        let alone = Alone::prepare(context, read_plan(&self.plan)?)?;
        let (plan, steps) = (&alone.plan, alone.steps(self.steps)?);
        let (initial, weights, parents) = self.initial(&alone)?;
        let learned = alone.train(Order {
            initial,
            steps,
            evaluate_every: self.evaluate_every,
            tuning: None,
        })?;
        let model = alone.keep(&learned, None, parents)?;
        let document = serde_json::json!({
            "study": plan.study, "steps": steps, "seconds": learned.seconds, "loss": learned.loss, "model": model.path,
            "weights": weights, "validation": model.validation, "testing": model.testing,
        });
        context.print(&document, || {
            format!(
                "{steps} steps in {:.1} s, loss {:.3}\n{}",
                learned.seconds,
                learned.loss,
                model.told()
            )
        })
    }

    /// What training begins with, what of the weights fitted, and whose they are.
    fn initial(&self, alone: &Alone) -> Result<(Vec<f32>, Option<Report>, Vec<Parent>)> {
        let plan = &alone.plan;
        let Some(source) = &self.from else {
            if let Some(start) = &plan.start {
                bail!(Refused(format!(
                    "the plan begins from {}; name these weights with --from",
                    beginning::origin(start)
                )));
            }
            return Ok((alone.layout.initial_parameters(plan.seed), None, Vec::new()));
        };
        let opened = parent::open(&alone.home, source, None)?;
        let name = opened.parents[0].from.clone();
        let (initial, report) = laid(&opened, plan)?;
        output::note(format_args!("{name}: {report}"));
        Ok((initial, Some(report), opened.parents))
    }
}

/// The trunk of the weights over the seed; where the plan says what it begins from, that and nothing else.
pub fn laid(opened: &Opened, plan: &StudyPlan) -> Result<(Vec<f32>, Report)> {
    if let Some(start) = &plan.start {
        let begun = beginning::as_planned(opened, plan, start)?;
        return Ok((begun.parameters, begun.report));
    }
    let name = &opened.parents[0].from;
    let mut initial = Layout::of(plan).initial_parameters(plan.seed);
    let report = snowball_weights::lay(&opened.weights, plan, &mut initial)
        .with_context(|| format!("cannot begin with {name}"))?;
    Ok((initial, report))
}

/// Reads a plan from TOML or JSON and checks its rules.
pub fn read_plan(path: &Path) -> Result<StudyPlan> {
    let bytes = files::read_bounded(path, PLAN_BYTES_MAX).with_context(|| format!("cannot read {}", path.display()))?;
    let text = String::from_utf8(bytes).with_context(|| format!("{} is not text", path.display()))?;
    plan_of(&text).with_context(|| path.display().to_string())
}

/// The plan that `text` is, in TOML or JSON, if it keeps the rules.
pub fn plan_of(text: &str) -> Result<StudyPlan> {
    let plan: StudyPlan = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).context("this is no plan")?
    } else {
        toml::from_str(text).context("this is no plan")?
    };
    if let Some(fault) = plan.faults().first() {
        bail!("the plan breaks a rule: {fault}");
    }
    Ok(plan)
}
