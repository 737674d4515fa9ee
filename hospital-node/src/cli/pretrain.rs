//! `pretrain --local`: an ordinary run on this site's radiographs alone. Nothing leaves.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use snowball_layout::Layout;
use snowball_policy::{Action, Request, Spent};
use snowball_protocol::{Sha256Digest, StudyPlan, limits::PLAN_BYTES_MAX};
use snowball_service::{clock, files, output};
use snowball_weights::{Report, Weights};
use snowball_worker::{
    job::{Answer, Job, TrainJob},
    shard::Part,
};

use super::{Context, Refused};
use crate::{datasets, events, home::Home, policy, round, trainer};

/// Far above the largest network, with its running means and in binary32.
const WEIGHTS_BYTES_MAX: usize = 4 << 30;

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
    /// Begin with the trunk of these weights instead of at random: a release's model.safetensors, or one that PyTorch wrote with the
    /// names of torchvision's network. What fits is told; heads always begin anew.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Evaluate on the validation part after every so many steps.
    #[arg(long, default_value_t = 0)]
    evaluate_every: u32,
}

impl Pretrain {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let config = home.config()?;
        let plan = read_plan(&self.plan)?;
        let store = home.open_store(&config)?;
        let dataset = datasets::freeze(&home, &store, &plan)?;
        let trainer = trainer::choose(&config.training, &home.scratch())?.held_as(policy::confinement(&home));
        let is_confined = trainer.confinement.is_whole();
        permit(&home, &plan, &dataset, Action::TrainAlone, is_confined)?;
        let layout = Layout::of(&plan);
        let steps = match self.steps {
            Some(steps) => steps,
            None => {
                u32::try_from(plan.steps_total()).context("the plan has too many steps for one run; name --steps")?
            }
        };
        let mut initial = layout.initial_parameters(plan.seed);
        let weights = match &self.from {
            Some(file) => Some(begin_with(file, &plan, &mut initial)?),
            None => None,
        };
        output::note(format_args!(
            "training on {} ({}), {steps} steps",
            trainer.device_name, trainer.why
        ));
        // A site that trains alone counts steps and has no round's model to stay near to, nor other sites.
        let mut alone = plan.clone();
        (alone.local.epochs, alone.local.proximal, alone.local.drift) = (None, None, None);
        let job = Job::Train(TrainJob {
            plan: alone,
            dataset: dataset.source.clone(),
            stream: 0,
            steps_before: 0,
            steps_total: u64::from(steps),
            steps,
            corrects: false,
            evaluate_first: false,
            evaluate_every: self.evaluate_every,
            device: trainer.device,
            threads: trainer.threads,
        });
        let bar = progress_bar(u64::from(steps));
        let (mut seconds, mut loss) = (0.0, f64::NAN);
        let trained = trainer
            .run(&job, &[&initial], layout.parameters(), |answer| match answer {
                Answer::Progress {
                    step,
                    loss,
                    images_per_second,
                    ..
                } => {
                    bar.set_position(u64::from(step));
                    bar.set_message(format!("loss {loss:.3}, {images_per_second:.0} radiographs a second"));
                }
                Answer::Checked { step, evaluation } => {
                    bar.suspend(|| output::note(format_args!("after {step} steps: {}", events::summary(&evaluation))));
                }
                Answer::Trained {
                    seconds: took,
                    loss: last,
                    ..
                } => (seconds, loss) = (took, last),
                _ => {}
            })?
            .context("the trainer gave no parameters")?;
        bar.finish_and_clear();
        let path = home.model(&plan.study, "local");
        if let Some(parent) = path.parent() {
            files::create_home(parent)?;
        }
        let bytes = snowball_layout::to_le_bytes(&trained);
        files::write_private(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
        let evaluate = |part| {
            round::quality(
                &trainer,
                &plan,
                &dataset.source,
                part,
                &trained,
                Sha256Digest::of(&bytes),
            )
        };
        let (validation, testing) = (evaluate(Part::Validation)?, evaluate(Part::Testing)?);
        let document = serde_json::json!({
            "study": plan.study, "steps": steps, "seconds": seconds, "loss": loss, "model": path, "weights": weights,
            "validation": validation, "testing": testing,
        });
        context.print(&document, || {
            format!(
                "{steps} steps in {seconds:.1} s, loss {loss:.3}\nvalidation: {}\ntesting:    {}\nthe model stays in {}",
                events::summary(&validation),
                events::summary(&testing),
                path.display()
            )
        })
    }
}

/// Lays the trunk of the weights in `file` over `initial`, and says what fitted.
fn begin_with(file: &Path, plan: &StudyPlan, initial: &mut [f32]) -> Result<Report> {
    let bytes =
        files::read_bounded(file, WEIGHTS_BYTES_MAX).with_context(|| format!("cannot read {}", file.display()))?;
    let report = Weights::read(&bytes).and_then(|weights| snowball_weights::lay(&weights, plan, initial));
    let report = report.with_context(|| format!("cannot begin with {}", file.display()))?;
    output::note(format_args!("{}: {report}", file.display()));
    Ok(report)
}

/// Reads a plan from TOML or JSON and checks its rules.
pub fn read_plan(path: &Path) -> Result<StudyPlan> {
    let bytes = files::read_bounded(path, PLAN_BYTES_MAX).with_context(|| format!("cannot read {}", path.display()))?;
    let text = String::from_utf8(bytes).with_context(|| format!("{} is not text", path.display()))?;
    let plan: StudyPlan = if text.trim_start().starts_with('{') {
        serde_json::from_str(&text).with_context(|| format!("{} is no plan", path.display()))?
    } else {
        toml::from_str(&text).with_context(|| format!("{} is no plan", path.display()))?
    };
    if let Some(fault) = plan.faults().first() {
        bail!("the plan breaks a rule: {fault}");
    }
    Ok(plan)
}

/// Asks the policy whether `action` may be done with `dataset`, inside the hospital; the ledger keeps the answer.
pub(super) fn permit(
    home: &Home,
    plan: &StudyPlan,
    dataset: &datasets::StudyDataset,
    action: Action,
    is_confined: bool,
) -> Result<()> {
    let config = home.config()?;
    let ledger = home.open_ledger(&config)?;
    let policy = policy::in_force(home);
    let request = Request {
        site: &config.site,
        plan,
        action,
        dataset: dataset.facts,
        // Nothing leaves, so nothing is spent.
        spent: Spent::default(),
        is_confined,
        now: clock::now(),
    };
    let decision = snowball_policy::decide(policy.as_ref(), &request);
    let entry = snowball_ledger::Entry::DecisionMade {
        study: plan.study.clone(),
        round: None,
        action: request.action.code().to_owned(),
        permitted: decision.is_permitted(),
        clause: decision.clause().to_string(),
        policy_digest: policy.as_ref().ok().map(|signed| signed.digest),
    };
    let mut ledger = ledger.lock().map_err(|_| anyhow::anyhow!("the ledger is in use"))?;
    ledger.append_all(clock::now(), vec![dataset.entry(plan), entry])?;
    if decision.is_permitted() {
        Ok(())
    } else {
        Err(Refused(decision.to_string()).into())
    }
}

fn progress_bar(steps: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(steps), target);
    if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len} steps {eta:>4} {msg}") {
        bar.set_style(style);
    }
    bar
}
