//! What a training on this site alone begins with, where its plan says it: those weights, laid as the plan says, and nothing else.

use anyhow::{Context as _, Result, ensure};
use snowball_protocol::{
    StudyPlan,
    plan::{Beginning, Origin},
};
use snowball_weights::{Begun, Found, Wish};

use crate::{cli::Refused, parent::Opened};

/// The model that `plan` begins with by its `start`, of weights that a person named; weights that give another one are refused.
pub fn as_planned(opened: &Opened, plan: &StudyPlan, start: &Beginning) -> Result<Begun> {
    let begun = laid(opened, plan, start)?;
    ensure!(
        begun.start.model == start.model,
        Refused(format!(
            "{} gives the model {}, and the plan begins with {}, from {}; name the weights that it means. To begin from others, take \
             [start] out of the plan: the board then judges another plan",
            opened.parents[0].from,
            begun.start.model,
            start.model,
            origin(start)
        ))
    );
    Ok(begun)
}

/// As [`as_planned`], whatever model it gives: a plan under another seed begins elsewhere where the weights leave something out.
pub fn laid(opened: &Opened, plan: &StudyPlan, start: &Beginning) -> Result<Begun> {
    let found = Found {
        weights: &opened.weights,
        plan: opened.plan.as_ref(),
        parents: &start.parents,
    };
    snowball_weights::begin(found, plan, Wish::default())
        .with_context(|| format!("cannot begin with {}", opened.parents[0].from))
}

/// What the plan says that it begins from, for people.
pub fn origin(start: &Beginning) -> String {
    start.parents.first().map(Origin::name).unwrap_or_default()
}

#[cfg(test)]
pub mod fixture {
    use snowball_layout::Layout;
    use snowball_protocol::{Sha256Digest, plan::Architecture};
    use snowball_weights::Weights;

    use super::*;
    use crate::local_model::{Parent, SignatureCheck};

    /// A small network's plan.
    pub fn plan() -> StudyPlan {
        let text = include_str!("../../policies/cases/studies/body-parts.toml");
        let mut plan: StudyPlan = toml::from_str(text).unwrap();
        plan.network.architecture = Architecture::Small;
        plan.network.width = 8;
        plan
    }

    /// Weights of that plan's network, under `seed`.
    pub fn opened(seed: u64) -> Opened {
        let plan = plan();
        let layout = Layout::of(&plan);
        let values = layout.initial_parameters(seed);
        let digest = Sha256Digest::of(&snowball_layout::to_le_bytes(&values));
        Opened {
            weights: Weights::of(&layout, &values),
            plan: Some(plan),
            parents: vec![Parent {
                from: format!("weights-{seed}"),
                study: None,
                digest,
                model: Some(digest),
                signature: SignatureCheck::None,
            }],
        }
    }

    /// The plan, which begins from the two lowest stages of `opened`.
    pub fn begun_from(opened: &Opened) -> StudyPlan {
        let mut plan = plan();
        let parents = [Origin::Release {
            study: plan.study.clone(),
            lineage: Sha256Digest::of(b"lineage"),
            model: opened.parents[0].digest,
        }];
        let found = Found {
            weights: &opened.weights,
            plan: opened.plan.as_ref(),
            parents: &parents,
        };
        let wish = Wish {
            layers: Some(2),
            fresh_heads: false,
        };
        plan.start = Some(snowball_weights::begin(found, &plan, wish).unwrap().start);
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_begins_with_the_weights_that_it_means_and_with_no_others() {
        let meant = fixture::opened(5);
        let plan = fixture::begun_from(&meant);
        let start = plan.start.as_ref().unwrap();
        let begun = as_planned(&meant, &plan, start).unwrap();
        assert_eq!(&begun.start, start);

        let other = fixture::opened(6);
        let refused = as_planned(&other, &plan, start).unwrap_err();
        assert!(refused.is::<Refused>(), "{refused}");
        for said in ["weights-6 gives", "name the weights that it means", "take [start] out"] {
            assert!(refused.to_string().contains(said), "{refused}");
        }

        // Under another seed the rest is another one, and what is taken is the same.
        let mut reseeded = plan.clone();
        reseeded.seed += 1;
        assert!(as_planned(&meant, &reseeded, start).is_err());
        let again = laid(&meant, &reseeded, start).unwrap();
        assert_eq!(again.start.stages, start.stages);
        assert_eq!(again.parameters[..8], begun.parameters[..8]);
        assert_ne!(again.parameters, begun.parameters);
    }
}
