//! A frozen dataset as the plan's heads see it: pictures and targets.

use snowball_protocol::{
    StudyPlan,
    labels::Labels,
    plan::{Head, HeadKind},
};
use snowball_worker::{
    key::DatasetSource,
    shard::{Part, Shard},
};

use crate::failure::Failure;

/// What one head should say of one radiograph.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Target {
    /// The class at this place of the head's list.
    Class(usize),
    /// The label's number divided by the head's unit.
    Number(f32),
}

/// What the training part holds for one head.
#[derive(Clone, PartialEq, Debug)]
pub enum Known {
    /// Radiographs of each class.
    Classes(Vec<u64>),
    /// The median of the targets, if there are any.
    Number(Option<f32>),
}

/// The dataset of a job.
pub struct Examples {
    shard: Shard,
    targets: Vec<Vec<Option<Target>>>,
    /// Whether a radiograph without labels is learned from as well.
    needs_no_label: bool,
}

impl Examples {
    /// Opens the dataset of `source` and reads the labels that `plan` asks for.
    ///
    /// # Errors
    /// When it is damaged or was prepared for another plan.
    pub fn open(plan: &StudyPlan, source: &DatasetSource) -> Result<Self, Failure> {
        let shard = Shard::open(source)?;
        let manifest = shard.manifest();
        let side = plan.network.input_side;
        if manifest.side != side || manifest.preprocessing != plan.preprocessing {
            return Err(Failure::new(
                format!(
                    "the dataset holds squares of {} pixels, the plan asks for {side}, prepared as it says",
                    manifest.side
                ),
                "freeze the dataset again for this study",
            ));
        }
        let targets = shard
            .records()
            .iter()
            .map(|record| plan.heads.iter().map(|head| target(head, &record.labels)).collect())
            .collect();
        Ok(Self {
            shard,
            targets,
            needs_no_label: plan.pretext.is_some(),
        })
    }

    /// Side of each picture in pixels.
    pub fn side(&self) -> usize {
        self.shard.manifest().side as usize
    }

    /// The radiographs of `part` that have at least one label of the plan; all, where it learns without labels.
    pub fn labelled(&self, part: Part) -> Vec<usize> {
        let positions = self.shard.part(part);
        positions
            .into_iter()
            .filter(|position| self.needs_no_label || self.targets[*position].iter().any(Option::is_some))
            .collect()
    }

    /// The targets of the radiograph at `position`, one a head.
    pub fn targets(&self, position: usize) -> &[Option<Target>] {
        &self.targets[position]
    }

    /// The stored square of the radiograph at `position`, 0 black to 65535 white.
    ///
    /// # Errors
    /// When it is not what was written there.
    pub fn square(&self, position: usize) -> Result<Vec<u16>, Failure> {
        Ok(self.shard.square(position)?)
    }

    /// What the training part holds for each head of `plan`.
    pub fn known(&self, plan: &StudyPlan) -> Vec<Known> {
        let training = self.labelled(Part::Training);
        let of = |place: usize| {
            training
                .iter()
                .filter_map(move |position| self.targets[*position][place])
        };
        let heads = plan.heads.iter().enumerate();
        heads
            .map(|(place, head)| match &head.kind {
                HeadKind::Classes(classes) => {
                    let mut counts = vec![0; classes.len()];
                    for target in of(place) {
                        if let Target::Class(class) = target {
                            counts[class] += 1;
                        }
                    }
                    Known::Classes(counts)
                }
                HeadKind::Regression { .. } => Known::Number(median(of(place).filter_map(|target| {
                    if let Target::Number(value) = target {
                        Some(value)
                    } else {
                        None
                    }
                }))),
            })
            .collect()
    }
}

fn target(head: &Head, labels: &Labels) -> Option<Target> {
    match &head.kind {
        HeadKind::Classes(_) => head.class(labels).map(Target::Class),
        HeadKind::Regression { unit } => {
            let number = head.number(labels)?;
            Some(Target::Number((f64::from(number) / unit) as f32))
        }
    }
}

fn median(values: impl Iterator<Item = f32>) -> Option<f32> {
    let mut values: Vec<f32> = values.collect();
    values.sort_unstable_by(f32::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median([].into_iter()), None);
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.5));
    }
}
