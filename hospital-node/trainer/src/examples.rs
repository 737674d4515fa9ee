//! A frozen dataset as the plan's heads see it: pictures and targets.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use rand::seq::SliceRandom;
use snowball_protocol::{
    StudyPlan,
    labels::Labels,
    plan::{Head, HeadKind},
};
use snowball_worker::{
    draw::{self, LabelDraw, Labelled},
    key::DatasetSource,
    shard::{Part, Shard},
};

use crate::{failure::Failure, random::JobSeed};

/// What one head should say of one radiograph.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Target {
    /// The class at this place of the head's list.
    Class(usize),
    /// The label's number divided by the head's unit.
    Number(f32),
    /// The radiograph's mask.
    Mask,
}

/// What the training part holds for one head.
#[derive(Clone, PartialEq, Debug)]
pub enum Known {
    /// Radiographs of each class.
    Classes(Vec<u64>),
    /// The median of the targets, if there are any.
    Number(Option<f32>),
    /// Masks of so many outputs, which a loss of their own learns; all of them, since most masks lack some class.
    Masks(usize),
}

/// The dataset of a job.
pub struct Examples {
    shard: Shard,
    targets: Vec<Vec<Option<Target>>>,
    /// The radiographs to learn from, where they are not all.
    drawn: Option<BTreeSet<usize>>,
    /// Whether a radiograph without labels is learned from as well.
    needs_no_label: bool,
    /// The constant mask of the training part, once an evaluation has made it.
    constant_mask: OnceLock<Vec<u8>>,
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
        let records = shard.records().iter().enumerate();
        let targets = records
            .map(|(position, record)| {
                let heads = plan.heads.iter();
                heads.map(|head| target(head, &record.labels, position)).collect()
            })
            .collect();
        Ok(Self {
            shard,
            targets,
            drawn: None,
            needs_no_label: plan.pretext.is_some(),
            constant_mask: OnceLock::new(),
        })
    }

    /// The same where the training part is so many of its labels, balanced by the first head of `plan` that has classes.
    ///
    /// # Errors
    /// When it has fewer.
    pub fn drawn(mut self, plan: &StudyPlan, draw: LabelDraw) -> Result<Self, Failure> {
        let training = self.labelled(Part::Training);
        if (training.len() as u64) < draw.labels {
            return Err(Failure::new(
                format!(
                    "{} labels were asked for, and {} radiographs of the training part have one",
                    draw.labels,
                    training.len()
                ),
                "ask for fewer",
            ));
        }
        let balanced = plan
            .heads
            .iter()
            .position(|head| matches!(head.kind, HeadKind::Classes(_)));
        let labelled: Vec<Labelled<'_>> = (training.iter())
            .map(|position| Labelled {
                patient: &self.shard.records()[*position].patient,
                class: balanced.and_then(|head| match self.targets[*position][head] {
                    Some(Target::Class(class)) => Some(class),
                    _ => None,
                }),
            })
            .collect();
        let order = draw::order(&labelled, draw.seed);
        // No more than there are radiographs, which fit into memory.
        let count = usize::try_from(draw.labels).unwrap_or(usize::MAX);
        self.constant_mask = OnceLock::new();
        self.drawn = Some(order.into_iter().take(count).map(|place| training[place]).collect());
        Ok(self)
    }

    /// The same where the labels of the training part are exchanged among its radiographs, each radiograph's labels together.
    pub fn exchanged(mut self, seed: JobSeed) -> Self {
        let training = self.labelled(Part::Training);
        let mut places = training.clone();
        places.shuffle(&mut seed.exchange());
        let taken: Vec<_> = places.iter().map(|place| self.targets[*place].clone()).collect();
        for (position, targets) in training.into_iter().zip(taken) {
            self.targets[position] = targets;
        }
        self
    }

    /// Side of each picture in pixels.
    pub fn side(&self) -> usize {
        self.shard.manifest().side as usize
    }

    /// All radiographs of `part`, in its order.
    pub fn part(&self, part: Part) -> Vec<usize> {
        self.shard.part(part)
    }

    /// The radiographs of `part` that have at least one label of the plan; all, where it learns without labels.
    pub fn labelled(&self, part: Part) -> Vec<usize> {
        let positions = self.shard.part(part);
        positions
            .into_iter()
            .filter(|position| self.needs_no_label || self.targets[*position].iter().any(Option::is_some))
            .filter(|position| match &self.drawn {
                Some(drawn) if part == Part::Training => drawn.contains(position),
                _ => true,
            })
            .collect()
    }

    /// How many radiographs the squares at `positions` are of: fewer where each was cut into several.
    pub fn radiographs(&self, positions: &[usize]) -> u64 {
        let records = self.shard.records();
        let names: BTreeSet<&str> = positions
            .iter()
            .map(|position| records[*position].radiograph.as_str())
            .collect();
        names.len() as u64
    }

    /// The patient of the radiograph at each of `positions`, as a number that means nothing beyond this call.
    pub fn patients(&self, positions: &[usize]) -> Vec<usize> {
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let of = |position: &usize| {
            let next = numbers.len();
            *numbers.entry(&self.shard.records()[*position].patient).or_insert(next)
        };
        positions.iter().map(of).collect()
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

    /// The mask of the radiograph at `position`, row by row.
    ///
    /// # Errors
    /// When it is not what was written there, or the dataset has none.
    pub fn mask(&self, position: usize) -> Result<Vec<u8>, Failure> {
        let mask = self.shard.mask(position)?;
        mask.ok_or_else(|| Failure::new("the dataset holds no masks", "freeze the dataset again for this study"))
    }

    /// The constant mask of the training part: made by `make` for the first evaluation, and the same for those that follow.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn constant_mask(&self, make: impl FnOnce() -> Result<Vec<u8>, Failure>) -> Result<&[u8], Failure> {
        if let Some(made) = self.constant_mask.get() {
            return Ok(made);
        }
        let made = make()?;
        Ok(self.constant_mask.get_or_init(|| made))
    }

    /// The pseudonym of the patient of the radiograph at `position`.
    pub fn patient(&self, position: usize) -> &str {
        &self.shard.records()[position].patient
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
                // Drawn evenly, whatever the radiographs are.
                HeadKind::Classes(classes) if head.label.is_made() => Known::Classes(vec![1; classes.len()]),
                HeadKind::Classes(classes) => {
                    let mut counts = vec![0; classes.len()];
                    for target in of(place) {
                        if let Target::Class(class) = target {
                            counts[class] += 1;
                        }
                    }
                    Known::Classes(counts)
                }
                HeadKind::Mask { .. } => Known::Masks(head.outputs()),
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

/// What `head` should say of the radiograph at `position`. Of labels that are made it is what an evaluation makes, each class in turn;
/// training draws.
fn target(head: &Head, labels: &Labels, position: usize) -> Option<Target> {
    match &head.kind {
        HeadKind::Classes(classes) if head.label.is_made() => Some(Target::Class(position % classes.len())),
        HeadKind::Classes(_) => head.class(labels).map(Target::Class),
        HeadKind::Mask { .. } => head.has_mask(labels).then_some(Target::Mask),
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
