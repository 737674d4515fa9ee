//! The end of a round: updates become the next model, and everything about it is written down.

use anyhow::{Context as _, Result, bail};
use snowball_ledger::Entry;
use snowball_protocol::{
    ProblemCode, SiteName,
    evaluation::Evaluation,
    ids::{RoundNumber, UnixSeconds},
    record::{Contribution, RoundRecord},
    session::ControlReference,
};
use snowball_registry::{ObjectName, Upload, UploadState};
use snowball_rounds::{AdmittedUpdate, Effect, Event, Phase, RunningMean, next_control};
use snowball_service::clock;
use tokio::task::spawn_blocking;

use super::{
    heal,
    next_model::{self, Ingredients, Kept, Made, fold_file},
    study::{Driver, Save},
};
use crate::intake;

impl Driver {
    /// Adds one update to the running sum. On any fault the sum is given up; the round's end makes it anew from the files.
    pub(super) async fn fold(&mut self, update: AdmittedUpdate, file: ObjectName) {
        if !self.desk.plan().strategy.combine.is_running() {
            return;
        }
        let round = update.round();
        let started = match self.sum.take() {
            Some((of, sum)) if of == round => Some(sum),
            // The first update of a round starts a sum; after a restart there may be earlier ones, which only files hold.
            _ if self.phase.contributions().len() <= 1 => {
                Some(RunningMean::new(self.desk.plan(), self.desk.parameters()))
            }
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
        let Phase::Aggregating(aggregating) = self.phase.within() else {
            bail!("the study is not aggregating")
        };
        let (opened, closed, members) = (aggregating.opened, aggregating.closed, aggregating.sites.clone());
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
        counted.sort_by(|(one, _), (other, _)| one.site().cmp(other.site()));
        let sum = match self.sum.take() {
            Some((of, sum)) if of == round && sum.is_of(&contributors) => Some(sum),
            _ => None,
        };
        let before = self.record_of(model_in.round).await?;
        let updates: Vec<AdmittedUpdate> = counted.iter().map(|(update, _)| update.clone()).collect();
        let made_of = before.as_ref().and_then(|record| record.control.as_ref());
        let control = next_control(self.desk.plan(), round, made_of, &members, &updates);
        if self.desk.plan().is_scaffold() && control.is_none() {
            tracing::warn!(study = %self.name(), %round, "the control variates begin anew: a site that had a part in them left or lost its own");
        }
        let (control, step) = control.unzip();
        // Control variates that begin anew have no state before.
        let state_in = match step {
            None if self.desk.plan().is_scaffold() => None,
            _ => self.state_after(model_in.round, before.as_ref())?,
        };
        let ingredients = Ingredients {
            plan: self.desk.plan().clone(),
            parameters: self.desk.parameters(),
            objects: self.core.objects.clone(),
            counted,
            model_in: (ObjectName::model(self.name(), model_in.round), model_in.digest),
            control: step,
            state_in,
            model_out: ObjectName::model(self.name(), round),
            state_out: ObjectName::server_state(self.name(), round),
            memory_bytes: self.core.aggregation_bytes,
        };
        let Made {
            model: model_out,
            state,
            cosines,
        } = spawn_blocking(move || next_model::make(sum, &ingredients))
            .await
            .context("aggregating broke off")??;

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
            server_state: state,
            control,
            evaluation: pooled(&contributions),
            contributions,
            refusals,
            silent: silent.into_iter().collect(),
        };
        self.advance(
            &Event::Aggregated {
                round,
                model: model_out,
                control: control_reference(&record),
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
        self.forget_states(round).await;
        Ok(())
    }

    /// The record of `round`, where the next one goes on from more than its model.
    async fn record_of(&self, round: RoundNumber) -> Result<Option<RoundRecord>> {
        if round.0 == 0 || !self.has_state() {
            return Ok(None);
        }
        Ok(self.core.registry.record(self.name(), round).await?)
    }

    /// Whether something beside the model goes from a round to the next.
    fn has_state(&self) -> bool {
        let plan = self.desk.plan();
        plan.strategy.server.state_vectors() > 0 || plan.is_scaffold()
    }

    /// The state of the server's optimiser, or the control variate of all sites, after `round`, whose record is given.
    fn state_after(&self, round: RoundNumber, record: Option<&RoundRecord>) -> Result<Option<Kept>> {
        let digest = record.and_then(|record| record.server_state);
        if round.0 == 0 || !self.has_state() || (self.desk.plan().is_scaffold() && digest.is_none()) {
            return Ok(None);
        }
        let digest = digest.with_context(|| format!("round {round} has no state of the server's optimiser"))?;
        Ok(Some((ObjectName::server_state(self.name(), round), digest)))
    }

    /// Deletes the states that no later round begins from.
    async fn forget_states(&self, round: RoundNumber) {
        let plan = self.desk.plan();
        if !self.has_state() {
            return;
        }
        let newest = if round.0 == plan.rounds.count {
            round.0
        } else {
            round.0.saturating_sub(1)
        };
        // One more than this round made useless: a crash may have kept it from being deleted.
        for old in newest.saturating_sub(1)..=newest {
            let (objects, name) = (
                self.core.objects.clone(),
                ObjectName::server_state(self.name(), RoundNumber(old)),
            );
            if let Ok(Err(error)) = spawn_blocking(move || objects.delete(&name)).await {
                tracing::warn!(%error, "a state of the server's optimiser could not be deleted");
            }
        }
    }
}

/// What the sites are told of the control variate after a round.
pub fn control_reference(record: &RoundRecord) -> Option<ControlReference> {
    let (digest, control) = record.server_state.zip(record.control.as_ref())?;
    Some(ControlReference {
        digest,
        since: control.since,
    })
}

/// The ledger's entry for a finished round.
pub(super) fn finished_entry(record: &RoundRecord) -> Entry {
    Entry::RoundFinished {
        study: record.study.clone(),
        round: record.round,
        model_in: record.model_in,
        model_out: record.model_out,
        control: control_reference(record),
        contributions: record.contributions.len() as u64,
    }
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
        behind: update.behind(),
    })
}

/// The quality of the round's own model: who was behind has evaluated another one.
fn pooled(contributions: &[Contribution]) -> Option<Evaluation> {
    let timely = contributions.iter().filter(|part| part.behind == 0);
    Evaluation::pooled(timely.filter_map(|part| part.evaluation.as_ref()))
}

/// Which rounds' entries a ledger may lack after a crash.
pub(super) fn is_recent(round: RoundNumber, newest: RoundNumber) -> bool {
    round.0 + 1 >= newest.0
}
