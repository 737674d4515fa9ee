//! What a model says of each radiograph of a part, and where in the picture it came from. It stays at the site.

use anyhow::{Context, Result, ensure};
use snowball_protocol::{
    StudyPlan,
    plan::{Head, HeadKind},
};
use snowball_worker::{
    job::{Answer, EvaluateJob, ExplainJob, Job, SEGMENTED_MAX, SaliencyMap, SegmentJob},
    key::DatasetSource,
    shard::{Part, Shard, ShardRecord},
};

use crate::trainer::Trainer;

/// A model and the radiographs that it is asked of.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub trainer: &'a Trainer,
    pub plan: &'a StudyPlan,
    pub dataset: &'a DatasetSource,
    pub parameters: &'a [f32],
}

/// One radiograph and what the model says of it: head after head, a class head's probabilities or a number in the label's unit.
#[derive(Clone, Debug)]
pub struct Told {
    pub record: ShardRecord,
    pub outputs: Vec<f32>,
}

impl Asked<'_> {
    /// Of every radiograph of `part`, in the dataset's order.
    pub fn tell(&self, shard: &Shard, part: Part) -> Result<Vec<Told>> {
        let positions = shard.part(part);
        let width: usize = told_heads(&self.plan.heads).map(Head::outputs).sum();
        let mut told: Vec<Vec<f32>> = Vec::new();
        let mut is_in_order = true;
        self.trainer
            .run(&Job::Tell(self.job(part)), &[self.parameters], 0, |answer| {
                if let Answer::Told { first, outputs } = answer {
                    is_in_order &= first == told.len() as u64 && told.len() + outputs.len() <= positions.len();
                    if is_in_order {
                        told.extend(outputs);
                    }
                }
            })?;
        let is_whole = is_in_order && told.len() == positions.len() && told.iter().all(|row| row.len() == width);
        ensure!(
            is_whole,
            "the trainer did not tell the outputs of every radiograph; check that it is of this version"
        );
        let records = positions.into_iter().map(|position| shard.records()[position].clone());
        Ok(records
            .zip(told)
            .map(|(record, outputs)| Told { record, outputs })
            .collect())
    }

    /// Where what the head at place `head` says of the radiographs at `places` of `part` came from, in their order.
    pub fn explain(&self, part: Part, head: usize, places: &[usize]) -> Result<Vec<SaliencyMap>> {
        let radiographs: Vec<u32> = places
            .iter()
            .map(|place| u32::try_from(*place))
            .collect::<Result<_, _>>()?;
        let job = Job::Explain(ExplainJob {
            of: self.job(part),
            head: u32::try_from(head)?,
            radiographs: radiographs.clone(),
        });
        let mut maps: Vec<SaliencyMap> = Vec::new();
        self.trainer.run(&job, &[self.parameters], 0, |answer| {
            if let Answer::Explained(map) = answer
                && maps.len() < radiographs.len()
            {
                maps.push(map);
            }
        })?;
        let is_sound = |(map, asked): (&SaliencyMap, &u32)| {
            let fields = u64::from(map.width) * u64::from(map.height);
            map.radiograph == *asked && fields > 0 && fields == map.values.len() as u64
        };
        let is_whole = maps.len() == radiographs.len() && maps.iter().zip(&radiographs).all(is_sound);
        is_whole
            .then_some(maps)
            .context("the trainer did not tell a map of every radiograph")
    }

    /// The masks that the model draws of the radiographs at `places` of `part`, in their order: the number of each pixel's class, row by row.
    pub fn segment(&self, part: Part, places: &[usize]) -> Result<Vec<Vec<u8>>> {
        let (side, classes) = (
            self.plan.network.input_side as usize,
            self.plan.mask_head().map_or(0, Head::outputs),
        );
        let mut masks = Vec::with_capacity(places.len());
        for places in places.chunks(SEGMENTED_MAX) {
            let radiographs = places.iter().map(|place| u32::try_from(*place));
            let job = Job::Segment(SegmentJob {
                of: self.job(part),
                radiographs: radiographs.collect::<Result<_, _>>()?,
            });
            let numbers = places.len() * side * side;
            let drawn = self.trainer.run(&job, &[self.parameters], numbers, |_| {})?;
            let drawn = drawn.context("the trainer drew nothing")?;
            for square in drawn.chunks_exact(side * side) {
                let is_class = |number: &&f32| number.fract() == 0.0 && (0.0..classes as f32).contains(*number);
                ensure!(
                    square.iter().all(|number| is_class(&number)),
                    "the trainer drew a class that the plan does not have"
                );
                // A whole number below 16: just checked.
                masks.push(square.iter().map(|number| *number as u8).collect());
            }
        }
        ensure!(masks.len() == places.len(), "the trainer did not draw every mask");
        Ok(masks)
    }

    fn job(&self, part: Part) -> EvaluateJob {
        EvaluateJob {
            plan: self.plan.clone(),
            dataset: self.dataset.clone(),
            part,
            device: self.trainer.device.clone(),
            threads: self.trainer.threads,
        }
    }
}

/// The heads that tell an output a radiograph: all but masks, which are drawn.
pub fn told_heads(heads: &[Head]) -> impl Iterator<Item = &Head> {
    heads.iter().filter(|head| !matches!(head.kind, HeadKind::Mask { .. }))
}
