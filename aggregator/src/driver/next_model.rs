//! The next model out of files: a stretch of parameters at a time, in memory that neither sites nor parameters make grow, but for
//! the running sum of a mean.

use std::io::{self, Read as _, Write};

use anyhow::{Context as _, Result, bail};
use snowball_encoding::Coding;
use snowball_protocol::{Sha256Digest, SiteName, StudyPlan};
use snowball_registry::{ObjectError, ObjectFolder, ObjectName};
use snowball_rounds::{
    AdmittedUpdate, ControlStep, Gram, Looked, RoundEnd, RunningMean, StrategyFault, initial_state, needs_distances,
};

use super::{hashing::Hashing, rows::Rows};

/// Bytes of a number.
const WIDTH: usize = size_of::<f32>();
/// An update is read in blocks of this size for the running sum.
const BLOCK_BYTES: usize = 256 * 1024;
/// Numbers of a stretch, at most; a multiple of eight, as the products of updates want it.
const STRETCH_MAX: usize = 64 * 1024;
/// What the stretches of a mean's updates take together, at most: they are looked at once more, for the record, and no larger
/// stretch makes that faster.
const MEAN_STRETCHES_BYTES_MAX: usize = 4 * 1024 * 1024;

/// An update that counts, with where its numbers lie.
pub(super) type Counted = (AdmittedUpdate, ObjectName);

/// A file, and what it should hold.
pub(super) type Kept = (ObjectName, Sha256Digest);

/// What a round ends with.
pub(super) struct Ingredients {
    pub plan: StudyPlan,
    pub parameters: usize,
    pub objects: ObjectFolder,
    /// In the order of the sites' names.
    pub counted: Vec<Counted>,
    pub model_in: Kept,
    /// How the control variate of all sites moves, where the plan has one and it does not begin anew.
    pub control: Option<ControlStep>,
    /// The state of the server's optimiser, or the control variate, after the round before; `None` before the first.
    pub state_in: Option<Kept>,
    pub model_out: ObjectName,
    pub state_out: ObjectName,
    /// What the updates' stretches may take together.
    pub memory_bytes: usize,
}

/// What came of it.
pub(super) struct Made {
    pub model: Sha256Digest,
    /// Of the server's optimiser where it has a state, or the control variate where there is one.
    pub state: Option<Sha256Digest>,
    pub cosines: Vec<(SiteName, f64)>,
}

/// Makes the next model; `sum` is the running sum where there is one. The same ingredients give the same model, bit for bit, with or
/// without it.
pub(super) fn make(sum: Option<RunningMean>, ingredients: &Ingredients) -> Result<Made> {
    let combine = &ingredients.plan.strategy.combine;
    let looked = if combine.is_running() {
        Looked::Running(sum.map_or_else(|| fold_files(ingredients), Ok)?)
    } else if needs_distances(combine) {
        Looked::Distances(ingredients.distances()?)
    } else {
        Looked::NotYet
    };
    let updates: Vec<AdmittedUpdate> = ingredients.counted.iter().map(|(update, _)| update.clone()).collect();
    let mut end = RoundEnd::new(&ingredients.plan, &updates, looked)?.with_control(ingredients.control);
    let (mut model, mut state) = (None, None);
    let objects = &ingredients.objects;
    let result = objects.put_with(&ingredients.model_out, |out| {
        if ingredients.state_vectors() == 0 {
            model = Some(
                ingredients
                    .write(&mut end, out, &mut io::sink())
                    .map_err(io::Error::other)?
                    .0,
            );
            return Ok(());
        }
        let written = objects.put_with(&ingredients.state_out, |state_out| {
            let digests = ingredients.write(&mut end, out, state_out).map_err(io::Error::other)?;
            (model, state) = (Some(digests.0), Some(digests.1));
            Ok(())
        });
        written.map_err(io::Error::other)
    });
    result.context("cannot write the next model")?;
    // What was written of numbers that have changed since is not told to anybody, and written over by the next try.
    let cosines = end.finish()?;
    let sites = updates.iter().map(|update| update.site().clone());
    Ok(Made {
        model: model.context("no model was written")?,
        state,
        cosines: sites.zip(cosines).collect(),
    })
}

/// Adds one update to a running sum.
pub(super) fn fold_file(sum: &mut RunningMean, objects: &ObjectFolder, (update, file): &Counted) -> Result<()> {
    let mut fold = sum.fold(update);
    objects.read_chunks(file, BLOCK_BYTES, |block| fold.bytes(block).map_err(Fault::Strategy))?;
    fold.commit()?;
    Ok(())
}

fn fold_files(ingredients: &Ingredients) -> Result<RunningMean> {
    let mut sum = RunningMean::new(&ingredients.plan, ingredients.parameters);
    for part in &ingredients.counted {
        fold_file(&mut sum, &ingredients.objects, part)?;
    }
    Ok(sum)
}

impl Ingredients {
    fn state_vectors(&self) -> usize {
        self.state_start().len()
    }

    /// What each vector of the state holds before the first round.
    fn state_start(&self) -> Vec<f32> {
        let mut start = initial_state(&self.plan.strategy.server);
        start.extend(self.control.map(|_| 0.0));
        start
    }

    fn rows(&self) -> Rows<'_> {
        let coding = Coding::of(&self.plan, self.parameters);
        Rows::begin(&self.objects, self.counted.iter().map(|(_, file)| file), &coding)
    }

    /// From where to where each stretch goes.
    fn stretches(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let most = if self.plan.strategy.combine.is_running() {
            self.memory_bytes.min(MEAN_STRETCHES_BYTES_MAX)
        } else {
            self.memory_bytes
        };
        let fit = most / WIDTH / self.counted.len().max(1);
        let width = (fit.min(STRETCH_MAX) / 8 * 8).max(8);
        let parameters = self.parameters;
        (0..parameters)
            .step_by(width)
            .map(move |from| (from, (from + width).min(parameters)))
    }

    fn distances(&self) -> Result<Gram> {
        let (mut gram, mut rows) = (Gram::new(self.counted.len()), self.rows());
        for (from, to) in self.stretches() {
            gram.block(rows.next(to - from)?);
        }
        Ok(gram)
    }

    /// Writes model and state, and returns their digests.
    fn write(
        &self,
        end: &mut RoundEnd<'_>,
        model_out: &mut dyn Write,
        state_out: &mut dyn Write,
    ) -> Result<(Sha256Digest, Sha256Digest)> {
        let mut model_in = Source::open(&self.objects, &self.model_in)?;
        let mut state_in = self
            .state_in
            .as_ref()
            .map(|kept| Source::open(&self.objects, kept))
            .transpose()?;
        let start = self.state_start();
        let (model_digest, state_digest) = (Hashing::begin()?, Hashing::begin()?);
        let mut rows = self.rows();
        for (from, to) in self.stretches() {
            let mut model = model_in.numbers(to - from)?;
            let mut state = match &mut state_in {
                Some(state_in) => apart(&state_in.numbers((to - from) * start.len())?, start.len()),
                None => start.iter().map(|start| vec![*start; to - from]).collect(),
            };
            end.block(rows.next(to - from)?, &mut model, &mut state)?;
            emit(&model, &model_digest, model_out)?;
            emit(&together(&state), &state_digest, state_out)?;
        }
        model_in.finish()?;
        state_in.map_or(Ok(()), Source::finish)?;
        Ok((model_digest.finish()?, state_digest.finish()?))
    }
}

fn emit(numbers: &[f32], digest: &Hashing, out: &mut dyn Write) -> io::Result<()> {
    let bytes = snowball_layout::to_le_bytes(numbers);
    out.write_all(&bytes)?;
    digest.update(bytes)
}

/// A file that is read from its beginning to its end, and must be what it was.
struct Source<'a> {
    file: std::fs::File,
    digest: Hashing,
    kept: &'a Kept,
}

impl<'a> Source<'a> {
    fn open(objects: &ObjectFolder, kept: &'a Kept) -> Result<Self> {
        Ok(Self {
            file: objects.reader(&kept.0)?,
            digest: Hashing::begin()?,
            kept,
        })
    }

    fn numbers(&mut self, count: usize) -> Result<Vec<f32>> {
        let mut bytes = vec![0; count * WIDTH];
        self.file
            .read_exact(&mut bytes)
            .with_context(|| format!("cannot read {}", self.kept.0))?;
        let numbers = snowball_layout::from_le_bytes(&bytes).context("a number is cut")?;
        self.digest.update(bytes)?;
        Ok(numbers)
    }

    fn finish(mut self) -> Result<()> {
        let is_over = self.file.read(&mut [0])? == 0;
        if self.digest.finish()? != self.kept.1 || !is_over {
            bail!("the file {} does not have the digest in the database", self.kept.0);
        }
        Ok(())
    }
}

/// A state lies in its file parameter by parameter, so that the stretches do not show in it.
fn together(vectors: &[Vec<f32>]) -> Vec<f32> {
    let width = vectors.first().map_or(0, Vec::len);
    (0..width)
        .flat_map(|place| vectors.iter().map(move |vector| vector[place]))
        .collect()
}

fn apart(numbers: &[f32], vectors: usize) -> Vec<Vec<f32>> {
    (0..vectors)
        .map(|vector| numbers.iter().skip(vector).step_by(vectors).copied().collect())
        .collect()
}

/// What can go wrong while a file is read for the sum.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("a file could not be read")]
    Object(#[from] ObjectError),
    #[error("an update could not be added")]
    Strategy(#[source] StrategyFault),
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use snowball_protocol::plan::{Combination, Span, UpdateEncoding};

    use super::*;

    const PARAMETERS: usize = 5000;

    /// As [`snowball_rounds`] adds up squares: over eight lanes.
    fn square_sum(values: &[f32]) -> f64 {
        let mut lanes = [0.0; 8];
        for (place, value) in values.iter().enumerate() {
            lanes[place % 8] += f64::from(*value) * f64::from(*value);
        }
        lanes.iter().sum()
    }

    fn counted(objects: &ObjectFolder, coding: &Coding, number: u32) -> Counted {
        let value = |place: usize| ((place * 37 + number as usize * 101) % 1009) as f32 / 1009.0 - 0.5;
        let values: Vec<f32> = (0..PARAMETERS).map(value).collect();
        let bytes = coding.encode(&values);
        let mut read = Vec::new();
        let taken = coding.decoder().read(&bytes, |block| {
            read.extend_from_slice(block);
            Ok::<(), snowball_encoding::DecodeFault>(())
        });
        taken.unwrap();
        let file: ObjectName = format!("updates/{number}").parse().unwrap();
        objects.put(&file, &bytes).unwrap();
        let update = serde_json::from_value(json!({
            "site": format!("site-{number}"), "round": 1, "attempt": 1, "digest": Sha256Digest::of(&bytes), "bytes": bytes.len(),
            "examples": 10 + number, "local_steps": 1, "square_sum_bits": square_sum(&read).to_bits(),
        }));
        (update.unwrap(), file)
    }

    #[test]
    fn neither_the_stretch_nor_the_running_sum_shows_in_the_model_whatever_the_encoding() {
        let folder = tempfile::tempdir().unwrap();
        let objects = ObjectFolder::open(folder.path()).unwrap();
        let name = |text: &str| text.parse::<ObjectName>().unwrap();
        let model = snowball_layout::to_le_bytes(&vec![0.25; PARAMETERS]);
        objects.put(&name("before"), &model).unwrap();
        for encoding in [
            UpdateEncoding::F32,
            UpdateEncoding::Bf16,
            UpdateEncoding::Int8,
            UpdateEncoding::TopK { share: 0.01 },
        ] {
            for combine in [Combination::Mean, Combination::GeometricMedian, Combination::Median] {
                let mut plan = crate::fixture::plan("stretches");
                plan.rounds.updates = Span { min: 2, max: 3 };
                plan.rounds.sites.max = 3;
                (plan.transfer.encoding, plan.strategy.combine) = (encoding, combine);
                if !plan.faults().is_empty() {
                    continue;
                }
                let coding = Coding::of(&plan, PARAMETERS);
                let counted: Vec<Counted> = (0..3).map(|number| counted(&objects, &coding, number)).collect();
                let made = |memory_bytes, is_running: bool| {
                    let ingredients = Ingredients {
                        plan: plan.clone(),
                        parameters: PARAMETERS,
                        objects: objects.clone(),
                        counted: counted.clone(),
                        model_in: (name("before"), Sha256Digest::of(&model)),
                        control: None,
                        state_in: None,
                        model_out: name("after"),
                        state_out: name("state"),
                        memory_bytes,
                    };
                    let mut sum = RunningMean::new(&plan, PARAMETERS);
                    for part in counted.iter().rev().filter(|_| is_running) {
                        fold_file(&mut sum, &objects, part).unwrap();
                    }
                    make(is_running.then_some(sum), &ingredients).unwrap().model
                };
                let whole = made(1 << 20, false);
                assert_ne!(whole, Sha256Digest::of(&model), "it moved");
                for memory_bytes in [1, 12 * 64, 12 * 1000] {
                    assert_eq!(
                        made(memory_bytes, false),
                        whole,
                        "{encoding:?} {:?} {memory_bytes}",
                        plan.strategy.combine
                    );
                }
                if plan.strategy.combine.is_running() {
                    assert_eq!(made(12 * 64, true), whole, "{encoding:?}");
                }
            }
        }
    }
}
