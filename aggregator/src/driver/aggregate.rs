//! The end of a round: updates become the next model, and everything about it is written down.

use anyhow::{Context as _, Result, bail};
use snowball_ledger::Entry;
use snowball_protocol::{
    ProblemCode, Sha256Digest, SiteName,
    digest::RunningDigest,
    evaluation::Evaluation,
    ids::{RoundNumber, UnixSeconds},
    record::{Contribution, RoundRecord},
};
use snowball_registry::{ObjectError, ObjectFolder, ObjectName, Upload, UploadState};
use snowball_rounds::{AdmittedUpdate, Effect, Event, FedAvg, Phase, StrategyFault};
use snowball_service::clock;
use tokio::task::spawn_blocking;

use super::{
    heal,
    study::{Driver, Save},
};
use crate::intake;

/// Files are read and written in blocks of this size; a model is held once, an update never.
const BLOCK_BYTES: usize = 256 * 1024;

/// An update that counts, with where its numbers lie.
pub(super) type Counted = (AdmittedUpdate, ObjectName);

impl Driver {
    /// Adds one update to the running sum. On any fault the sum is given up; the round's end makes it anew from the files.
    pub(super) async fn fold(&mut self, update: AdmittedUpdate, file: ObjectName) {
        let round = update.round();
        let started = match self.sum.take() {
            Some((of, sum)) if of == round => Some(sum),
            // The first update of a round starts a sum; after a restart there may be earlier ones, which only files hold.
            _ if self.phase.contributions().len() <= 1 => Some(FedAvg::new(self.desk.plan(), self.desk.parameters())),
            _ => None,
        };
        let Some(mut sum) = started else { return };
        let objects = self.core.objects.clone();
        let folded = spawn_blocking(move || fold_file(&mut sum, &objects, &(update, file)).map(|()| sum)).await;
        match folded {
            Ok(Ok(sum)) => self.sum = Some((round, sum)),
            Ok(Err(error)) => tracing::warn!(
                error = format!("{error:#}"),
                "an update is added at the round's end instead"
            ),
            Err(error) => tracing::error!(%error, "adding an update broke off"),
        }
    }

    /// Carries out [`Effect::CloseRound`]; may be repeated after a crash at any point and gives the same model.
    pub(super) async fn close_round(&mut self, effect: Effect) -> Result<()> {
        let Effect::CloseRound {
            round,
            contributors,
            silent,
        } = effect
        else {
            bail!("not the end of a round")
        };
        let Phase::Aggregating(aggregating) = &self.phase else {
            bail!("the study is not aggregating")
        };
        let (opened, closed) = (aggregating.opened, aggregating.closed);
        let model_in = self.phase.model().context("the round has no model")?;

        let uploads = self.core.registry.admitted(self.name(), round).await?;
        let mut counted = Vec::new();
        for upload in &uploads {
            if let UploadState::Admitted { update, .. } = &upload.state
                && contributors.contains(&upload.site)
            {
                counted.push((update.clone(), upload.file.clone()));
            }
        }
        if counted.len() != contributors.len() {
            bail!(
                "{} of {} updates are in the database",
                counted.len(),
                contributors.len()
            );
        }
        let sum = match self.sum.take() {
            Some((of, sum)) if of == round && is_of(&sum, &contributors) => Some(sum),
            _ => None,
        };
        let (plan, parameters, objects) = (
            self.desk.plan().clone(),
            self.desk.parameters(),
            self.core.objects.clone(),
        );
        let input = (ObjectName::model(self.name(), model_in.round), model_in.digest);
        let output = ObjectName::model(self.name(), round);
        let work = move || -> Result<(Sha256Digest, Vec<(SiteName, f64)>)> {
            let sum = match sum {
                Some(sum) => sum,
                None => fold_files(FedAvg::new(&plan, parameters), &objects, &counted)?,
            };
            let model_out = write_model(&sum, &objects, &input, &output, parameters)?;
            Ok((model_out, cosines(&sum, &objects, &counted)?))
        };
        let (model_out, cosines) = spawn_blocking(work).await.context("aggregating broke off")??;

        let refusals = self.core.registry.refusals(self.name(), round).await?;
        let contributions: Vec<Contribution> = uploads
            .iter()
            .filter_map(|upload| contribution(upload, opened, &cosines))
            .collect();
        let record = RoundRecord {
            study: self.name().clone(),
            round,
            opened,
            closed,
            model_in: model_in.digest,
            model_out,
            evaluation: Evaluation::pooled(contributions.iter().filter_map(|part| part.evaluation.as_ref())),
            contributions,
            refusals,
            silent: silent.into_iter().collect(),
        };
        self.advance(
            &Event::Aggregated {
                round,
                model: model_out,
            },
            Save::Round(&record),
        )
        .await?;
        // Uploads that were still coming when the round closed were refused by that very write.
        let late = record
            .refusals
            .iter()
            .filter(|refusal| refusal.code == ProblemCode::RoundClosed);
        let mut entries: Vec<Entry> = late
            .map(|refusal| intake::refused_entry(self.name(), round, &refusal.site, refusal.code))
            .collect();
        entries.push(finished_entry(&record));
        self.core.record(clock::now(), entries).await;
        heal::files(&self.core).await;
        Ok(())
    }
}

/// The ledger's entry for a finished round.
pub(super) fn finished_entry(record: &RoundRecord) -> Entry {
    Entry::RoundFinished {
        study: record.study.clone(),
        round: record.round,
        model_in: record.model_in,
        model_out: record.model_out,
        contributions: record.contributions.len() as u64,
    }
}

fn is_of<'a>(sum: &FedAvg, contributors: impl IntoIterator<Item = &'a SiteName, IntoIter: ExactSizeIterator>) -> bool {
    let contributors = contributors.into_iter();
    sum.updates() as usize == contributors.len() && contributors.into_iter().all(|site| sum.contains(site))
}

fn fold_files(mut sum: FedAvg, objects: &ObjectFolder, counted: &[Counted]) -> Result<FedAvg> {
    for part in counted {
        fold_file(&mut sum, objects, part)?;
    }
    Ok(sum)
}

fn fold_file(sum: &mut FedAvg, objects: &ObjectFolder, (update, file): &Counted) -> Result<()> {
    let mut fold = sum.fold(update);
    objects.read_chunks(file, BLOCK_BYTES, |block| fold.bytes(block).map_err(Fault::Strategy))?;
    fold.commit()?;
    Ok(())
}

fn cosines(sum: &FedAvg, objects: &ObjectFolder, counted: &[Counted]) -> Result<Vec<(SiteName, f64)>> {
    let mut cosines = Vec::new();
    for (update, file) in counted {
        let mut comparison = sum.compare()?;
        objects.read_chunks(file, BLOCK_BYTES, |block| {
            comparison.bytes(block);
            Ok::<(), Fault>(())
        })?;
        cosines.push((update.site().clone(), comparison.finish()?));
    }
    Ok(cosines)
}

/// The round's model plus the mean, as a durable file; returns its digest.
fn write_model(
    sum: &FedAvg,
    objects: &ObjectFolder,
    (input, digest): &(ObjectName, Sha256Digest),
    output: &ObjectName,
    parameters: usize,
) -> Result<Sha256Digest> {
    let mut global = Vec::with_capacity(parameters);
    let (mut rest, mut read) = (Vec::new(), RunningDigest::default());
    objects.read_chunks(input, BLOCK_BYTES, |block| {
        read.update(block);
        rest.extend_from_slice(block);
        let whole = rest.len() / 4 * 4;
        global.extend(
            rest[..whole]
                .chunks_exact(4)
                .map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]])),
        );
        rest.drain(..whole);
        Ok::<(), Fault>(())
    })?;
    if read.finish() != *digest {
        bail!("the file of the model {input} does not have the digest in the database");
    }
    sum.finish_into(&mut global)?;
    let mut written = RunningDigest::default();
    objects.put_with(output, |out| {
        for numbers in global.chunks(BLOCK_BYTES / 4) {
            let block = snowball_layout::to_le_bytes(numbers);
            written.update(&block);
            out.write_all(&block)?;
        }
        Ok(())
    })?;
    Ok(written.finish())
}

fn contribution(upload: &Upload, opened: UnixSeconds, cosines: &[(SiteName, f64)]) -> Option<Contribution> {
    let UploadState::Admitted { update, receipt } = &upload.state else {
        return None;
    };
    let (_, cosine) = cosines.iter().find(|(site, _)| *site == upload.site)?;
    Some(Contribution {
        site: upload.site.clone(),
        examples: update.examples(),
        bytes: update.bytes(),
        norm: update.norm(),
        cosine: *cosine,
        seconds: (receipt.receipt.received - opened).max(0) as f64,
        training_loss: upload.header.training_loss,
        evaluation: upload.header.evaluation.clone(),
    })
}

/// What can go wrong while a file is read for the sum.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("a file could not be read")]
    Object(#[from] ObjectError),
    #[error("an update could not be added")]
    Strategy(#[source] StrategyFault),
}

/// Which rounds' entries a ledger may lack after a crash.
pub(super) fn is_recent(round: RoundNumber, newest: RoundNumber) -> bool {
    round.0 + 1 >= newest.0
}
