//! Which parameter learns, at which factor of the rate, from which step on.
//!
//! What fine-tuning decides, as a value: computed from a layout, told to people before it is done, carried out by the trainer.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use snowball_layout::Layout;

/// A factor above this is a mistake of writing.
const FACTOR_MAX: f64 = 100.0;

/// How fast the trunk learns beside the heads, which learn at the plan's rate from the first step on.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// The part of the heads' rate at which the stage next to them learns; 0: the whole trunk stays as it is.
    pub trunk_rate: f64,
    /// The part of that at which the next stage towards the picture learns, and so on (discriminative rates, Howard and Ruder 2018).
    pub rate_fall: f64,
    /// After every so many steps one stage more learns, from the heads downwards (gradual unfreezing); 0: all from the first step on.
    pub unfreeze_steps: u32,
}

impl Default for Pace {
    /// The whole network at one rate.
    fn default() -> Self {
        Self {
            trunk_rate: 1.0,
            rate_fall: 1.0,
            unfreeze_steps: 0,
        }
    }
}

impl Pace {
    /// The heads alone learn.
    pub const HEADS_ALONE: Self = Self {
        trunk_rate: 0.0,
        rate_fall: 1.0,
        unfreeze_steps: 0,
    };
}

/// Tensors that learn alike.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// For people: `heads`, or a stage of the trunk.
    pub name: String,
    /// Whole tensors of the flat vector, in order; neighbours are one stretch.
    pub stretches: Vec<Range<usize>>,
    /// Times the plan's rate.
    pub factor: f64,
    /// Before this step it stays as it is.
    pub from_step: u32,
}

/// All that learns. What is in no group stays bit for bit as it was.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Groups {
    /// The heads first, then from them towards the picture.
    pub groups: Vec<Group>,
}

impl Groups {
    /// What learns of the network of `layout` at this pace.
    #[must_use]
    pub fn of(layout: &Layout, pace: Pace) -> Self {
        let behind = (0..layout.tensors.len()).filter(|position| layout.tensors[*position].stage().is_none());
        let mut groups = vec![Group {
            name: "heads".to_owned(),
            stretches: stretches(layout, behind),
            factor: 1.0,
            from_step: 0,
        }];
        if pace.trunk_rate > 0.0 {
            for (number, stage) in (0_u32..).zip(layout.stages().into_iter().rev()) {
                groups.push(Group {
                    name: stage.name,
                    stretches: stretches(layout, stage.tensors.into_iter()),
                    // No network has so many stages that this loses anything.
                    factor: pace.trunk_rate * pace.rate_fall.powi(i32::try_from(number).unwrap_or(i32::MAX)),
                    from_step: pace.unfreeze_steps.saturating_mul(number + 1),
                });
            }
        }
        Self { groups }
    }

    /// The group that holds the tensor that begins at `offset`.
    #[must_use]
    pub fn at(&self, offset: usize) -> Option<&Group> {
        let holds = |group: &&Group| group.stretches.iter().any(|stretch| stretch.contains(&offset));
        self.groups.iter().find(holds)
    }

    /// Whether the tensor that begins at `offset` learns in this step.
    #[must_use]
    pub fn learns(&self, offset: usize, step: u32) -> bool {
        self.at(offset).is_some_and(|group| group.from_step <= step)
    }

    /// What is wrong with them for a network of so many parameters.
    #[must_use]
    pub fn fault(&self, parameters: usize) -> Option<String> {
        if !self.groups.iter().any(|group| group.from_step == 0) {
            return Some("nothing learns in the first step".to_owned());
        }
        for group in &self.groups {
            if !(group.factor > 0.0 && group.factor <= FACTOR_MAX) {
                return Some(format!(
                    "{}: the factor {} is not above 0 and at most {FACTOR_MAX}",
                    group.name, group.factor
                ));
            }
            if group.stretches.iter().any(|stretch| stretch.end > parameters) {
                return Some(format!("{}: it reaches beyond the network's parameters", group.name));
            }
        }
        None
    }
}

impl Group {
    /// Parameters in it.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.stretches.iter().map(ExactSizeIterator::len).sum()
    }
}

fn stretches(layout: &Layout, positions: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut stretches: Vec<Range<usize>> = Vec::new();
    for tensor in positions.map(|position| &layout.tensors[position]) {
        let end = tensor.offset + tensor.values();
        match stretches.last_mut() {
            Some(last) if last.end == tensor.offset => last.end = end,
            _ => stretches.push(tensor.offset..end),
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use snowball_protocol::StudyPlan;

    use super::*;

    fn layout() -> Layout {
        let plan: StudyPlan = serde_json::from_str(include_str!("../../trainer/src/probe.json")).unwrap();
        Layout::of(&plan)
    }

    #[test]
    fn rates_fall_and_stages_follow_from_the_heads_towards_the_picture() {
        let layout = layout();
        let pace = Pace {
            trunk_rate: 0.5,
            rate_fall: 0.1,
            unfreeze_steps: 30,
        };
        let groups = Groups::of(&layout, pace);
        let told: Vec<(&str, f64, u32)> = (groups.groups.iter())
            .map(|group| (group.name.as_str(), group.factor, group.from_step))
            .collect();
        let expected = [
            ("heads", 1.0, 0),
            ("stage4", 0.5, 30),
            ("stage3", 0.05, 60),
            ("stage2", 0.005, 90),
            ("stage1", 0.0005, 120),
        ];
        for (told, expected) in told.iter().zip(&expected) {
            assert_eq!((told.0, told.2), (expected.0, expected.2));
            assert!((told.1 - expected.1).abs() < 1e-12);
        }
        assert_eq!(told.len(), expected.len());
        let all: usize = groups.groups.iter().map(Group::parameters).sum();
        assert_eq!(all, layout.parameters(), "each parameter in one group");
        let first = layout.tensor("trunk.stage1.conv.weight").unwrap().offset;
        assert!(!groups.learns(first, 119) && groups.learns(first, 120));
        assert_eq!(groups.fault(layout.parameters()), None);
    }

    #[test]
    fn heads_alone_are_the_heads_and_nothing_of_the_trunk() {
        let layout = layout();
        let groups = Groups::of(&layout, Pace::HEADS_ALONE);
        for tensor in &layout.tensors {
            assert_eq!(groups.learns(tensor.offset, 1_000), tensor.name.starts_with("heads."));
        }
        let whole = Groups::of(&layout, Pace::default());
        assert!((whole.groups.iter()).all(|group| group.factor == 1.0 && group.from_step == 0));
    }

    #[test]
    fn groups_that_cannot_be_are_told() {
        let layout = layout();
        let mut groups = Groups::of(&layout, Pace::default());
        assert!(groups.fault(layout.parameters() - 1).unwrap().contains("beyond"));
        groups.groups[1].factor = f64::NAN;
        assert!(groups.fault(layout.parameters()).unwrap().contains("factor"));
        groups.groups.clear();
        assert!(groups.fault(layout.parameters()).unwrap().contains("nothing learns"));
    }
}
