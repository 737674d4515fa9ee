//! `finetune`: a network that learned elsewhere learns on, on this site's radiographs alone. Nothing leaves.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use snowball_crypto::VerifyingKey;
use snowball_layout::{Layout, Tensor};
use snowball_protocol::{StudyPlan, labels::LabelName};
use snowball_service::output;
use snowball_weights::Report;
use snowball_worker::{
    draw::LabelDraw,
    groups::{Groups, Pace},
    job::Tuning,
};

use super::{
    Context, Refused,
    alone::{Alone, Learned, Order, Tuned},
    pretrain::read_plan,
};
use crate::{
    beginning,
    parent::{self, Opened, Source},
};

/// With patience and no other word, so many evaluations in passing.
const EVALUATIONS: u32 = 20;

/// Fine-tune a network that learned elsewhere on this site's radiographs alone. Nothing leaves; the policy must permit it.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  hospital-node finetune --plan knees.toml --from release-1 \\\n    --key 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo= --head-only\n  hospital-node finetune --plan knees.toml --from local:body-parts \\\n    --trunk-rate 0.1 --labels 50 --patience 3\n  hospital-node finetune --plan knees.toml --from resnet18.safetensors \\\n    --rate-fall 0.385 --unfreeze-every 100\n  hospital-node finetune --plan spines.toml --from local:knees --layers 2"
)]
pub struct Finetune {
    /// The plan: the network, the heads and the recipe to learn by; the number of steps is that of all its rounds.
    #[arg(long)]
    plan: PathBuf,
    /// What to learn on from: a release's folder, a safetensors file (a release's, or PyTorch's under torchvision's names), local:STUDY (a
    /// model that this site trained alone) or federated:STUDY (a study's final model). A plan with `[start]` takes no others than it means.
    #[arg(long, value_name = "WHERE")]
    from: Source,
    /// The public key of the aggregator that signed the release; without it the signature is not checked, and that is said.
    #[arg(long)]
    key: Option<VerifyingKey>,
    /// Another number of steps.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    steps: Option<u32>,
    /// The heads alone learn; the trunk stays bit for bit as it came.
    #[arg(long, conflicts_with_all = ["trunk_rate", "rate_fall", "unfreeze_every"])]
    head_only: bool,
    /// The trunk learns at this part of the heads' rate.
    #[arg(long, value_name = "PART", default_value_t = 1.0, value_parser = part)]
    trunk_rate: f64,
    /// Each stage towards the picture learns at this part of the rate of the one above it; Howard and Ruder took 0.385.
    #[arg(long, value_name = "PART", default_value_t = 1.0, value_parser = part)]
    rate_fall: f64,
    /// First the heads learn alone; after every so many steps one stage more learns with them, from the heads downwards.
    #[arg(long, value_name = "STEPS", default_value_t = 0)]
    unfreeze_every: u32,
    /// Take only the lowest so many stages of the trunk, such as 2 for a stem and the first stage.
    #[arg(long, value_name = "NUMBER", conflicts_with = "only", value_parser = clap::value_parser!(u32).range(1..))]
    layers: Option<u32>,
    /// Take only tensors whose name begins so, such as trunk.stem; may be given several times.
    #[arg(long, value_name = "PREFIX")]
    only: Vec<String>,
    /// Take the heads too that the other model has for the same label, with the same classes or unit. A bare file does not say.
    #[arg(long)]
    keep_heads: bool,
    /// Learn from so many labelled radiographs: drawn by patient, balanced over the classes of the first head that has some, and fewer
    /// always some of more.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    labels: Option<u64>,
    /// Draws the labels; the plan's seed where it is left out.
    #[arg(long, value_name = "NUMBER", requires = "labels")]
    labels_seed: Option<u64>,
    /// Evaluate on the validation part after every so many steps; with --patience a twentieth of the steps where it is left out.
    #[arg(long, value_name = "STEPS")]
    evaluate_every: Option<u32>,
    /// Keep the best model by the loss on the validation part, and stop after so many evaluations without a better one.
    #[arg(long, value_name = "EVALUATIONS", value_parser = clap::value_parser!(u32).range(1..))]
    patience: Option<u32>,
}

impl Finetune {
    pub fn run(self, context: &Context) -> Result<()> {
        let plan = read_plan(&self.plan)?;
        // Before anything is frozen for it: weights that are not to be used end the command.
        let opened = parent::open(&context.home()?, &self.from, self.key.as_ref())?;
        output::note(format_args!("from {}", opened.parents[0].told()));
        let (initial, report, heads) = self.begin(&opened, &plan)?;
        let alone = Alone::prepare(context, plan)?;
        let steps = alone.steps(self.steps)?;
        output::note(format_args!("{report}{}", heads_told(&heads)));
        let groups = Groups::of(&alone.layout, self.pace());
        output::note(pace_told(&groups, &alone.layout, alone.plan.optimiser.learning_rate));
        let draw = self.draw(&alone.plan);
        let tuning = Tuning {
            groups: Some(groups.clone()),
            draw,
            patience: self.patience,
            exchanged: false,
        };
        let learned = alone.train(Order {
            initial,
            steps,
            evaluate_every: self.evaluate_every(steps),
            tuning: Some(tuning),
        })?;
        let pace = self.pace();
        let model = alone.keep(&learned, Some(&Tuned { pace, draw }), opened.parents.clone())?;
        let document = serde_json::json!({
            "study": alone.plan.study, "from": opened.parents, "weights": report, "heads_kept": heads, "pace": pace, "groups": groups,
            "draw": draw, "examples": learned.examples, "steps": learned.steps, "steps_asked": steps, "best_step": learned.best_step,
            "seconds": learned.seconds, "loss": learned.loss, "model": model.path, "model_digest": model.digest,
            "validation": model.validation, "testing": model.testing,
        });
        context.print(&document, || {
            format!("{}\n{}", learned_told(&learned, steps), model.told())
        })
    }

    /// What training begins with, what of the weights fitted, and the heads that were taken. A plan that says it itself is followed.
    fn begin(&self, opened: &Opened, plan: &StudyPlan) -> Result<(Vec<f32>, Report, Vec<LabelName>)> {
        if let Some(start) = &plan.start {
            if let Some(option) = self.choosing() {
                bail!(Refused(format!(
                    "the plan's [start] says which stages and heads it begins from, and so does {option}; leave out {option}, or take \
                     [start] out of the plan: the board then judges another plan"
                )));
            }
            let begun = beginning::as_planned(opened, plan, start)?;
            return Ok((begun.parameters, begun.report, begun.start.heads));
        }
        let mut initial = Layout::of(plan).initial_parameters(plan.seed);
        let (report, heads) = self.lay(opened, plan, &mut initial)?;
        Ok((initial, report, heads))
    }

    /// The option that chooses what of the weights is taken, where one was given.
    const fn choosing(&self) -> Option<&'static str> {
        match self {
            Self { layers: Some(_), .. } => Some("--layers"),
            Self { keep_heads: true, .. } => Some("--keep-heads"),
            Self { only, .. } if !only.is_empty() => Some("--only"),
            _ => None,
        }
    }

    /// Lays what is asked for over `initial`; what fitted, and the heads that were taken.
    fn lay(&self, opened: &Opened, plan: &StudyPlan, initial: &mut [f32]) -> Result<(Report, Vec<LabelName>)> {
        let name = &opened.parents[0].from;
        let is_asked = self.choice(&Layout::of(plan))?;
        let mut report = snowball_weights::lay_where(&opened.weights, plan, initial, is_asked)
            .with_context(|| format!("cannot learn on from {name}"))?;
        if !self.keep_heads {
            return Ok((report, Vec::new()));
        }
        let theirs = opened.plan.as_ref();
        let theirs =
            theirs.with_context(|| format!("{name} does not say what its heads mean; leave out --keep-heads"))?;
        let taken = snowball_weights::lay_alike_heads(&opened.weights, theirs, plan, |_| true, initial);
        ensure!(
            !taken.is_empty(),
            "{name} has no head like one of this plan, with the same classes or unit; leave out --keep-heads"
        );
        report.without_heads(&taken);
        Ok((report, taken))
    }

    /// Which tensors of the trunk are taken.
    fn choice(&self, layout: &Layout) -> Result<impl Fn(&Tensor) -> bool + use<>> {
        let stages = layout.stages();
        let lowest: Option<Vec<String>> = match self.layers {
            Some(count) => {
                ensure!(
                    count as usize <= stages.len(),
                    "the trunk has {} stages; --layers takes no more",
                    stages.len()
                );
                Some(
                    stages
                        .into_iter()
                        .take(count as usize)
                        .map(|stage| stage.name)
                        .collect(),
                )
            }
            None => None,
        };
        let only = self.only.clone();
        Ok(move |tensor: &Tensor| match (&lowest, only.is_empty()) {
            (Some(stages), _) => tensor
                .stage()
                .is_some_and(|stage| stages.iter().any(|name| name == stage)),
            (None, false) => only.iter().any(|prefix| tensor.name.starts_with(prefix.as_str())),
            (None, true) => true,
        })
    }

    const fn pace(&self) -> Pace {
        if self.head_only {
            Pace::HEADS_ALONE
        } else {
            Pace {
                trunk_rate: self.trunk_rate,
                rate_fall: self.rate_fall,
                unfreeze_steps: self.unfreeze_every,
            }
        }
    }

    fn draw(&self, plan: &StudyPlan) -> Option<LabelDraw> {
        let seed = self.labels_seed.unwrap_or(plan.seed);
        self.labels.map(|labels| LabelDraw { labels, seed })
    }

    fn evaluate_every(&self, steps: u32) -> u32 {
        let alone = self.patience.map_or(0, |_| (steps / EVALUATIONS).max(1));
        self.evaluate_every.unwrap_or(alone)
    }
}

/// A part of a rate: above 0, at most 1.
fn part(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(part) if part > 0.0 && part <= 1.0 => Ok(part),
        _ => Err("is no number above 0 and at most 1; where the trunk is not to learn, say --head-only".to_owned()),
    }
}

fn heads_told(heads: &[LabelName]) -> String {
    if heads.is_empty() {
        return "\nthe heads begin anew".to_owned();
    }
    let heads: Vec<&str> = heads.iter().map(|label| label.code()).collect();
    format!("\nheads taken: {}", heads.join(", "))
}

/// What learns how fast from when on, a line each.
fn pace_told(groups: &Groups, layout: &Layout, rate: f64) -> String {
    let mut text = "what learns        parameters        rate  from step".to_owned();
    for group in &groups.groups {
        text += &format!(
            "\n  {:<16} {:>10}  {:>10.2e}  {:>9}",
            group.name,
            group.parameters(),
            rate * group.factor,
            group.from_step
        );
    }
    let learn: usize = groups
        .groups
        .iter()
        .map(snowball_worker::groups::Group::parameters)
        .sum();
    match layout.parameters() - learn {
        0 => text,
        stay => format!("{text}\n  {:<16} {stay:>10}  stay as they are", "the others"),
    }
}

fn learned_told(learned: &Learned, asked: u32) -> String {
    let Learned {
        examples,
        steps,
        seconds,
        loss,
        ..
    } = learned;
    let text = format!("{steps} steps on {examples} radiographs in {seconds:.1} s, loss {loss:.3}");
    match learned.best_step {
        Some(best) if *steps < asked => format!(
            "{text}\nstopped early, {} steps before the end: no evaluation was better than that after step {best}; that model is kept",
            asked - steps
        ),
        Some(best) => format!("{text}\nthe best evaluation was that after step {best}; that model is kept"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use snowball_protocol::Sha256Digest;

    use super::*;
    use crate::beginning::fixture;

    #[derive(Parser)]
    struct Words {
        #[command(flatten)]
        finetune: Finetune,
    }

    fn said(words: &str) -> Result<Finetune, clap::Error> {
        let words = format!("finetune --plan p.toml --from local:a {words}");
        Words::try_parse_from(words.split_whitespace()).map(|words| words.finetune)
    }

    fn plan() -> StudyPlan {
        toml::from_str(include_str!("../../../policies/cases/studies/body-parts.toml")).unwrap()
    }

    #[test]
    fn words_that_do_not_go_together_are_refused() {
        assert!(said("--head-only --trunk-rate 0.1").is_err());
        assert!(said("--layers 2 --only trunk.stem").is_err());
        assert!(said("--trunk-rate 0").is_err() && said("--trunk-rate nan").is_err());
        assert!(said("--labels-seed 3").is_err() && said("--patience 0").is_err());
        assert_eq!(said("--head-only").unwrap().pace(), Pace::HEADS_ALONE);
        assert_eq!(said("").unwrap().pace(), Pace::default());
    }

    #[test]
    fn a_plan_that_says_what_it_begins_from_is_followed() {
        let meant = fixture::opened(5);
        let plan = fixture::begun_from(&meant);
        let (initial, report, heads) = said("").unwrap().begin(&meant, &plan).unwrap();
        let digest = Sha256Digest::of(&snowball_layout::to_le_bytes(&initial));
        assert_eq!(digest, plan.start.as_ref().unwrap().model);
        assert!(report.not_asked > 0 && heads.is_empty(), "two stages and no head");

        let other = said("").unwrap().begin(&fixture::opened(6), &plan).unwrap_err();
        assert!(other.to_string().contains("name the weights that it means"), "{other}");
        for words in ["--layers 2", "--only trunk.stem", "--keep-heads"] {
            let refused = said(words).unwrap().begin(&meant, &plan).unwrap_err().to_string();
            let option = words.split(' ').next().unwrap();
            assert!(refused.contains(&format!("leave out {option}")), "{refused}");
        }

        // Without it the command line says what is taken: the whole trunk, from whatever is named.
        let plan = fixture::plan();
        let (whole, ..) = said("").unwrap().begin(&meant, &plan).unwrap();
        assert_ne!(whole, initial);
        assert!(said("").unwrap().begin(&fixture::opened(6), &plan).is_ok());
    }

    #[test]
    fn patience_evaluates_a_twentieth_of_the_steps_apart() {
        assert_eq!(said("--patience 3").unwrap().evaluate_every(400), 20);
        assert_eq!(said("--patience 3").unwrap().evaluate_every(10), 1);
        assert_eq!(said("--patience 3 --evaluate-every 7").unwrap().evaluate_every(400), 7);
        assert_eq!(said("").unwrap().evaluate_every(400), 0);
    }

    #[test]
    fn low_layers_are_chosen_by_number_or_by_name() {
        let layout = Layout::of(&plan());
        let stages = layout.stages();
        let chosen = |words: &str| -> Vec<String> {
            let choice = said(words).unwrap().choice(&layout).unwrap();
            let mut names: Vec<String> = (layout.tensors.iter())
                .filter(|tensor| choice(tensor))
                .filter_map(|tensor| tensor.stage().map(str::to_owned))
                .collect();
            names.dedup();
            names
        };
        assert_eq!(chosen("--layers 2"), [stages[0].name.clone(), stages[1].name.clone()]);
        assert_eq!(
            chosen(&format!("--only trunk.{}.", stages[1].name)),
            [stages[1].name.clone()]
        );
        assert_eq!(chosen("").len(), stages.len());
        assert!(said("--layers 99").unwrap().choice(&layout).is_err());
    }

    #[test]
    fn what_learns_and_where_it_ended_is_told() {
        let layout = Layout::of(&plan());
        let text = pace_told(&Groups::of(&layout, Pace::HEADS_ALONE), &layout, 1e-3);
        assert!(text.contains("heads") && text.contains("stay as they are"), "{text}");
        let whole = pace_told(&Groups::of(&layout, Pace::default()), &layout, 1e-3);
        assert!(!whole.contains("stay"), "{whole}");
        let mut learned = Learned {
            parameters: Vec::new(),
            examples: 50,
            steps: 120,
            best_step: Some(90),
            seconds: 1.0,
            loss: 0.5,
        };
        assert!(learned_told(&learned, 400).contains("stopped early, 280 steps before the end"));
        learned.steps = 400;
        assert!(learned_told(&learned, 400).contains("after step 90; that model is kept"));
    }
}
