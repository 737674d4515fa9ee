//! The model of round 0 of a study that begins from weights: the plan's seed, overlaid with what fits.

use std::collections::BTreeSet;

use snowball_layout::Layout;
use snowball_protocol::{
    Sha256Digest, StudyPlan,
    labels::LabelName,
    limits::START_NUMBER_MAX,
    plan::{Beginning, Origin},
};

use crate::{Reason, Report, Weights, WeightsError, lay_head, lay_where};

/// Why a study cannot begin from these weights.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// Nothing fits.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A tensor that would have been taken holds what no number is, or what no training mends.
    #[error(
        "{tensor} of the weights is not all finite numbers of at most {START_NUMBER_MAX:e}; a study does not begin from it"
    )]
    Unfit {
        /// Which.
        tensor: String,
    },
    /// The plan names a stage that its network has not.
    #[error("the plan's [start] names the stage {stage:?}, which the network has not; it has {known}")]
    Stage {
        /// Which.
        stage: String,
        /// Those that there are.
        known: String,
    },
    /// More stages were asked for than there are.
    #[error("the trunk has {stages} stages; no more can be taken")]
    Stages {
        /// How many there are.
        stages: usize,
    },
}

/// Weights, and what is known of them.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The weights.
    pub weights: &'a Weights,
    /// The plan that they were trained by; unknown of a bare file.
    pub plan: Option<&'a StudyPlan>,
    /// What they are of, then what that began from, nearest first.
    pub parents: &'a [Origin],
}

/// What of them is to be taken. A plan that says itself what is taken is followed to the letter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wish {
    /// Only so many of the trunk's lowest stages.
    pub layers: Option<usize>,
    /// No heads.
    pub fresh_heads: bool,
}

/// What a study begins with.
#[derive(Debug)]
pub struct Begun {
    /// All parameters, in the order of the plan's layout.
    pub parameters: Vec<f32>,
    /// What its plan says of them.
    pub start: Beginning,
    /// What became of the weights' tensors.
    pub report: Report,
}

/// The model of round 0 of `plan` from the weights that were found.
///
/// # Errors
/// [`BeginError`].
pub fn begin(found: Found<'_>, plan: &StudyPlan, wish: Wish) -> Result<Begun, BeginError> {
    let layout = Layout::of(plan);
    let asked = stages_asked(&layout, plan, wish)?;
    let mut parameters = layout.initial_parameters(plan.seed);
    let is_asked = |stage: Option<&str>| stage.is_some_and(|stage| asked.contains(stage));
    let mut report = lay_where(found.weights, plan, &mut parameters, |tensor| is_asked(tensor.stage()))?;
    if let Some((tensor, _)) = report.kept.iter().find(|(_, reason)| **reason == Reason::NotFinite) {
        return Err(BeginError::Unfit { tensor: tensor.clone() });
    }
    // On another trunk's features a head tells nothing.
    let is_whole = report.kept.is_empty() && report.not_asked == 0;
    let heads = match found.plan {
        Some(theirs) if is_whole && !wish.fresh_heads => {
            let is_wanted = |label| plan.start.as_ref().is_none_or(|start| start.heads.contains(&label));
            lay_alike_heads(found.weights, theirs, plan, is_wanted, &mut parameters)
        }
        _ => Vec::new(),
    };
    report.without_heads(&heads);
    let beyond = |tensor: &&snowball_layout::Tensor| {
        let values = &parameters[tensor.offset..tensor.offset + tensor.values()];
        // What is not a number is not within the bound either.
        !values.iter().all(|value| value.abs() <= START_NUMBER_MAX)
    };
    if let Some(tensor) = layout.tensors.iter().find(beyond) {
        return Err(BeginError::Unfit {
            tensor: tensor.name.clone(),
        });
    }
    let is_taken = |stage: &&snowball_layout::Stage| {
        let mut names = stage.tensors.iter().map(|tensor| &layout.tensors[*tensor].name);
        asked.contains(&stage.name) && names.any(|name| !report.kept.contains_key(name))
    };
    let stages = layout.stages();
    let start = Beginning {
        model: Sha256Digest::of(&snowball_layout::to_le_bytes(&parameters)),
        stages: stages.iter().filter(is_taken).map(|stage| stage.name.clone()).collect(),
        heads,
        parents: found.parents.to_vec(),
    };
    Ok(Begun {
        parameters,
        start,
        report,
    })
}

/// SHA-256 of the model of round 0 of `plan`, whose layout this is: what it says that it begins from, else what its seed makes.
#[must_use]
pub fn first_model(plan: &StudyPlan, layout: &Layout) -> Sha256Digest {
    match &plan.start {
        Some(start) => start.model,
        None => Sha256Digest::of(&snowball_layout::to_le_bytes(&layout.initial_parameters(plan.seed))),
    }
}

/// Lays those heads over `parameters` that are wanted and that `theirs` has for the same label, with the same classes or unit; which.
pub fn lay_alike_heads(
    weights: &Weights,
    theirs: &StudyPlan,
    plan: &StudyPlan,
    is_wanted: impl Fn(LabelName) -> bool,
    parameters: &mut [f32],
) -> Vec<LabelName> {
    let alike = plan.heads.iter().filter(|head| {
        let mut others = theirs.heads.iter();
        others.any(|other| other.label == head.label && other.kind == head.kind)
    });
    alike
        .map(|head| head.label)
        .filter(|label| is_wanted(*label) && lay_head(weights, plan, *label, parameters))
        .collect()
}

fn stages_asked(layout: &Layout, plan: &StudyPlan, wish: Wish) -> Result<BTreeSet<String>, BeginError> {
    let stages = layout.stages();
    if let Some(start) = &plan.start {
        let is_there = |name: &&String| stages.iter().any(|stage| stage.name == **name);
        if let Some(unknown) = start.stages.iter().find(|name| !is_there(name)) {
            return Err(BeginError::Stage {
                stage: unknown.clone(),
                known: stages
                    .into_iter()
                    .map(|stage| stage.name)
                    .collect::<Vec<_>>()
                    .join(", "),
            });
        }
        return Ok(start.stages.iter().cloned().collect());
    }
    let count = wish.layers.unwrap_or(stages.len());
    if count > stages.len() {
        return Err(BeginError::Stages { stages: stages.len() });
    }
    Ok(stages.into_iter().take(count).map(|stage| stage.name).collect())
}

#[cfg(test)]
mod tests {
    use snowball_protocol::plan::HeadKind;

    use super::*;

    fn plan() -> StudyPlan {
        let mut plan: StudyPlan =
            toml::from_str(include_str!("../../../policies/cases/studies/body-parts.toml")).unwrap();
        plan.network.architecture = snowball_protocol::plan::Architecture::Small;
        plan.network.width = 8;
        plan
    }

    fn file() -> Vec<Origin> {
        vec![Origin::File {
            name: "a.safetensors".to_owned(),
            digest: Sha256Digest::of(b"a"),
        }]
    }

    #[test]
    fn a_study_begins_with_what_fits_and_with_its_seed_for_the_rest() {
        let former = plan();
        let layout = Layout::of(&former);
        let learned = layout.initial_parameters(99);
        let weights = Weights::of(&layout, &learned);
        let mut next = plan();
        next.seed = 5;
        let HeadKind::Classes(classes) = &mut next.heads[0].kind else {
            panic!("the first head has classes");
        };
        classes.pop();
        let parents = file();
        let found = Found {
            weights: &weights,
            plan: Some(&former),
            parents: &parents,
        };
        let begun = begin(found, &next, Wish::default()).unwrap();
        let own = Layout::of(&next);
        let seeded = own.initial_parameters(5);
        let of = |name: &str, values: &[f32], layout: &Layout| {
            let tensor = layout.tensor(name).unwrap();
            values[tensor.offset..tensor.offset + tensor.values()].to_vec()
        };
        for tensor in &own.tensors {
            let now = of(&tensor.name, &begun.parameters, &own);
            let changed = tensor
                .name
                .starts_with(&format!("heads.{}.", next.heads[0].label.code()));
            let expected = if changed {
                of(&tensor.name, &seeded, &own)
            } else {
                of(&tensor.name, &learned, &layout)
            };
            assert_eq!(now, expected, "{}", tensor.name);
        }
        let others: Vec<LabelName> = next.heads[1..].iter().map(|head| head.label).collect();
        assert_eq!((&begun.start.heads, &begun.start.parents), (&others, &parents));
        assert_eq!(begun.start.stages.len(), own.stages().len());
        assert_eq!(
            begun.start.model,
            Sha256Digest::of(&snowball_layout::to_le_bytes(&begun.parameters))
        );
        assert_ne!(first_model(&next, &own), begun.start.model);

        // A plan that says what it begins from gives the very same again, whatever is wished.
        next.start = Some(begun.start.clone());
        assert_eq!(first_model(&next, &own), begun.start.model);
        assert_eq!(begin(found, &next, Wish::default()).unwrap().start, begun.start);

        // Low layers alone: no head goes with another trunk.
        next.start = None;
        let wish = Wish {
            layers: Some(2),
            fresh_heads: false,
        };
        let low = begin(found, &next, wish).unwrap();
        assert_eq!((low.start.stages.len(), low.start.heads.len()), (2, 0));
        next.start = Some(low.start.clone());
        assert_eq!(begin(found, &next, Wish::default()).unwrap().start, low.start);
        next.start = None;
        let wish = Wish {
            layers: Some(99),
            fresh_heads: false,
        };
        assert!(matches!(begin(found, &next, wish), Err(BeginError::Stages { .. })));
    }

    #[test]
    fn numbers_that_no_training_mends_are_refused() {
        let plan = plan();
        let layout = Layout::of(&plan);
        for bad in [f32::NAN, f32::INFINITY, -2e6] {
            let mut learned = layout.initial_parameters(99);
            learned[3] = bad;
            let weights = Weights::of(&layout, &learned);
            let found = Found {
                weights: &weights,
                plan: None,
                parents: &file(),
            };
            let refused = begin(found, &plan, Wish::default());
            assert!(
                matches!(&refused, Err(BeginError::Unfit { tensor }) if *tensor == layout.tensors[0].name),
                "{bad}: {refused:?}"
            );
        }
    }

    #[test]
    fn a_stage_that_the_network_has_not_is_named() {
        let mut plan = plan();
        let weights = Weights::of(&Layout::of(&plan), &Layout::of(&plan).initial_parameters(5));
        plan.start = Some(Beginning {
            model: Sha256Digest::of(b"round 0"),
            stages: vec!["stage1".to_owned(), "stem".to_owned()],
            heads: Vec::new(),
            parents: Vec::new(),
        });
        let found = Found {
            weights: &weights,
            plan: None,
            parents: &[],
        };
        let refused = begin(found, &plan, Wish::default()).unwrap_err().to_string();
        assert!(
            refused.contains("\"stem\"") && refused.contains("it has stage1, "),
            "{refused}"
        );
    }
}
