//! What the plans of a comparison say that they begin from, beside what its arms say: settled before anything is trained.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};

use super::Question;
use crate::{beginning, cli::Refused, parent::Opened};

/// Refuses a comparison whose arms begin from other weights than its plans mean, or from none where a plan means some.
///
/// Arms that begin at random stay what they are: what the others are compared with.
pub(super) fn check(question: &Question, opened: &BTreeMap<String, Opened>) -> Result<()> {
    let means = |from: &str| {
        opened
            .get(from)
            .with_context(|| format!("{from} is trained first, and a plan with [start] means weights that are there"))
    };
    if let Some(start) = &question.plan.start {
        let all: Vec<&String> = question.comparison.arms.iter().flat_map(|arm| &arm.from).collect();
        if all.is_empty() {
            bail!(Refused(format!(
                "the plan begins from {}, and every arm at random; name these weights as `from` of an arm, or take [start] out of the \
                 plan: the board then judges another plan",
                beginning::origin(start)
            )));
        }
        for from in all {
            if from.starts_with("pretrained:") {
                bail!(Refused(format!(
                    "the plan begins from {}, and an arm from {from}; name the weights that the plan means, or take [start] out of it: \
                     each arm then begins with the trunk that it names, and the board judges another plan",
                    beginning::origin(start)
                )));
            }
            beginning::as_planned(means(from)?, &question.plan, start).with_context(|| format!("arms.from: {from}"))?;
        }
    }
    for (one, plan) in question.comparison.pretrain.iter().zip(&question.before) {
        match (&plan.start, &one.from) {
            (Some(start), Some(from)) => {
                beginning::as_planned(means(from)?, plan, start).with_context(|| format!("pretrain.from: {from}"))?;
            }
            (Some(start), None) => bail!(Refused(format!(
                "{} begins from {}; name these weights as `from` of its [[pretrain]]",
                one.plan,
                beginning::origin(start)
            ))),
            (None, _) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beginning::fixture;

    const DOCUMENT: &str = r#"
        format = 1
        title = "Does it help?"
        labels = [50]
        seeds = 2
        [[pretrain]]
        name = "first"
        plan = "first.toml"
        [[arms]]
        name = "scratch"
        steps = 10
        [[arms]]
        name = "transfer"
        from = ["release-1"]
        steps = 10
    "#;

    /// What is said of `document`, whose own plan and whose first training's begin from weights or do not.
    fn said(document: &str, begins: bool, first_begins: bool) -> Result<(), String> {
        let meant = fixture::opened(5);
        let plan = |begins| match begins {
            true => fixture::begun_from(&meant),
            false => fixture::plan(),
        };
        let question = Question {
            comparison: toml::from_str(document).unwrap(),
            plan: plan(begins),
            before: vec![plan(first_begins)],
            texts: Vec::new(),
        };
        let opened = BTreeMap::from([
            ("release-1".to_owned(), fixture::opened(5)),
            ("release-2".to_owned(), fixture::opened(6)),
        ]);
        check(&question, &opened).map_err(|fault| {
            assert!(
                fault.chain().any(|cause| cause.is::<Refused>()) || fault.is::<Refused>(),
                "{fault:#}"
            );
            format!("{fault:#}")
        })
    }

    #[test]
    fn arms_begin_from_what_the_plan_means_or_nothing_is_trained() {
        assert_eq!(said(DOCUMENT, false, false), Ok(()));
        assert_eq!(said(DOCUMENT, true, false), Ok(()));
        let refused = |document: &str| said(document, true, false).unwrap_err();
        let others = refused(&DOCUMENT.replace("release-1", "release-2"));
        assert!(others.contains("name the weights that it means"), "{others}");
        let none = refused(&DOCUMENT.replace("from = [\"release-1\"]", ""));
        assert!(none.contains("every arm at random"), "{none}");
        let first = refused(&DOCUMENT.replace("release-1", "pretrained:first"));
        assert!(first.contains("take [start] out of it"), "{first}");
    }

    #[test]
    fn what_is_trained_first_begins_from_what_its_plan_means() {
        let silent = said(DOCUMENT, false, true).unwrap_err();
        assert!(silent.contains("as `from` of its [[pretrain]]"), "{silent}");
        let with = |from: &str| {
            DOCUMENT.replace(
                "plan = \"first.toml\"",
                &format!("plan = \"first.toml\"\nfrom = \"{from}\""),
            )
        };
        assert_eq!(said(&with("release-1"), false, true), Ok(()));
        assert!(said(&with("release-2"), false, true).is_err());
        assert_eq!(said(&with("release-2"), false, false), Ok(()));
    }
}
