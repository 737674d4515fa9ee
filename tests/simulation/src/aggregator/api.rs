//! What the routes answer, as `aggregator/src/api` does.

use snowball_ledger::{Course, Head};
use snowball_protocol::{
    Problem, ProblemCode, SiteName,
    ids::UnixSeconds,
    limits::CLOCK_SKEW_SECONDS_MAX,
    session::{ModelReference, StudySummary, Task},
};
use snowball_rounds::{Duty, Event, Model, Phase};

use super::{Aggregator, RequestNumber, driver::Save, store::Broken};
use crate::{
    ledger::Entry,
    message::{Answer, Request},
    planted::Planted,
};

impl Aggregator {
    /// The answer, unless the request waits.
    pub(super) fn answer(
        &mut self,
        number: RequestNumber,
        site: &SiteName,
        request: &Request,
        now: UnixSeconds,
    ) -> Result<Option<Answer>, Broken> {
        self.expect_certificate(site)?;
        Ok(Some(match request {
            Request::Hello(clock) if (clock - now).abs() > CLOCK_SKEW_SECONDS_MAX => {
                return Err(Problem::new(ProblemCode::ClockSkew, "the clocks differ").into());
            }
            Request::Hello(_) => Answer::Done,
            Request::Heads(head) => self.exchange_heads(site, head, now)?,
            Request::Studies => Answer::Studies(self.summary(site).into_iter().collect()),
            Request::Task(_) => {
                self.expect_running()?;
                self.process.polls.push((number, site.clone()));
                return Ok(None);
            }
            Request::Join => {
                self.expect_running()?;
                if !self.process.phase.is_member(site) {
                    self.advance(&Event::Joined { site: site.clone() }, &Save::Join(site), now)?;
                    self.store.record(Entry::StudyJoined(site.clone()))?;
                }
                Answer::Done
            }
            Request::Model(round) => match self.store.models.get(round) {
                Some(bytes) if self.process.phase.model().is_some_and(|newest| *round <= newest.round) => {
                    Answer::Model(bytes.clone())
                }
                _ => return Err(Problem::new(ProblemCode::NotFound, "no such model yet").into()),
            },
            Request::Control(round) => {
                let newest = self.process.phase.model();
                let goes_with = newest.is_some_and(|newest| newest.round == *round && newest.control.is_some());
                let bytes = self.store.controls.get(round);
                match bytes.filter(|_| goes_with && round.0 < self.study.plan.rounds.count) {
                    Some(bytes) => Answer::Model(bytes.clone()),
                    None => return Err(Problem::new(ProblemCode::NotFound, "no control variate goes with it").into()),
                }
            }
            Request::Announce(header) => self.announce(site, header, now)?,
            Request::Chunk(id, offset, bytes) => self.receive(site, id, *offset, bytes, now)?,
            Request::Evaluation => {
                self.expect_running()?;
                let before = self.process.version;
                self.advance(&Event::Evaluated { site: site.clone() }, &Save::Phase, now)?;
                if self.process.version != before {
                    self.store.record(Entry::EvaluationAdmitted(site.clone()))?;
                }
                Answer::Done
            }
        }))
    }

    /// What `site` should do now, and whether that is worth an answer at once.
    pub(super) fn task(&self, site: &SiteName) -> (Task, bool) {
        let phase = &self.process.phase;
        match phase.duty(site) {
            Duty::Wait => (Task::Wait { phase: phase.name() }, false),
            Duty::Train { round, model, deadline } => {
                let (model, control) = (self.reference(&model), model.control);
                let task = Task::Train {
                    round,
                    model,
                    deadline,
                    control,
                };
                (task, true)
            }
            Duty::Evaluate { model } => {
                let model = self.reference(&model);
                (Task::Evaluate { model }, true)
            }
            Duty::Done { model } => {
                let model = model.map(|model| self.reference(&model));
                (
                    Task::Done {
                        phase: phase.name(),
                        model,
                    },
                    true,
                )
            }
        }
    }

    /// Deny by default: a revoked certificate opens nothing.
    fn expect_certificate(&self, site: &SiteName) -> Result<(), Broken> {
        if self.store.is_revoked(site) && self.planted != Some(Planted::AdmitsRevoked) {
            return Err(Problem::new(ProblemCode::CertificateRevoked, format!("{site} is revoked")).into());
        }
        Ok(())
    }

    /// Drafts are nobody's business yet.
    pub(super) fn expect_running(&self) -> Result<(), Broken> {
        match self.process.phase {
            Phase::Draft(_) => Err(Problem::new(ProblemCode::NotFound, "no such study").into()),
            _ => Ok(()),
        }
    }

    fn summary(&self, site: &SiteName) -> Option<StudySummary> {
        let phase = &self.process.phase;
        let is_over = matches!(phase, Phase::Released(_) | Phase::Abandoned(_));
        (!matches!(phase, Phase::Draft(_))).then(|| StudySummary {
            study: self.study.plan.study.clone(),
            plan_digest: self.study.plan_digest,
            phase: phase.name(),
            round: phase.round(),
            joined: phase.is_member(site) || (is_over && self.store.joined.contains(site)),
            paused: phase.paused().is_some(),
        })
    }

    fn reference(&self, model: &Model) -> ModelReference {
        ModelReference {
            round: model.round,
            digest: model.digest,
            bytes: self.study.model_bytes(),
            layout_digest: self.study.layout_digest,
        }
    }

    /// The ledger first, then the database, which takes it from there after a crash in between.
    fn exchange_heads(&mut self, site: &SiteName, shown: &Head, now: UnixSeconds) -> Result<Answer, Broken> {
        let kept = self.store.sites.get(site).and_then(|enrolled| enrolled.head.clone());
        let refused = self.store.sites.get(site).and_then(|enrolled| enrolled.head_refused);
        match kept.map(|kept| shown.course(&kept)) {
            Some(Course::Same) => Ok(Answer::Heads(shown.clone(), self.store.ledger.head())),
            Some(course) if course.refusal().is_some() => {
                let code = course.refusal().unwrap_or(ProblemCode::LedgerForked);
                if refused != Some(shown.hash) {
                    self.store.record(Entry::HeadRefused(site.to_string(), shown.clone()))?;
                    self.store.refuse_head(&self.study, site, shown, now)?;
                }
                Err(Problem::new(code, format!("the ledger of {site} contradicts the head that was kept")).into())
            }
            _ => {
                let own = self.store.record(Entry::SiteHeadKept(site.clone(), shown.clone()))?;
                self.store.keep_head(&self.study, site, shown.clone(), now)?;
                Ok(Answer::Heads(shown.clone(), own))
            }
        }
    }
}
