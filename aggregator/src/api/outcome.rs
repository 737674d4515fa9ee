//! `GET /v1/studies/{study}/rounds/{round}/outcome`: which model a round made, signed, for the sites that took part.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use axum::{
    Json,
    extract::{Path, State},
};
use snowball_protocol::{
    Problem, ProblemCode, RoundNumber, StudyName,
    outcome::{RoundOutcome, SignedOutcome},
};

use super::{
    desk,
    guard::Site,
    refusal::{Answer, Refusal},
    round,
};
use crate::{driver::control_reference, state::Shared};

/// The newest outcome that was asked for of each study: every site asks for the same one at the same time, and it takes the whole
/// record of the round, which grows with the sites, to tell it.
#[derive(Default)]
pub struct Outcomes(Mutex<BTreeMap<StudyName, SignedOutcome>>);

impl Outcomes {
    fn of(&self, study: &StudyName, round: RoundNumber) -> Option<SignedOutcome> {
        let newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let signed = newest.get(study).filter(|signed| signed.outcome.round == round);
        signed.cloned()
    }

    fn keep(&self, signed: &SignedOutcome) {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        newest.insert(signed.outcome.study.clone(), signed.clone());
    }
}

/// Signs what the record of the round says; the same record always gets the same signature.
pub async fn outcome(
    State(app): State<Shared>,
    Site(site): Site,
    Path((study, number)): Path<(String, String)>,
) -> Answer<Json<SignedOutcome>> {
    let (desk, round) = (desk(&app, &study)?, round(&number)?);
    if !desk.is_member(&site) {
        return Err(Refusal::new(
            ProblemCode::NotJoined,
            "outcomes are for sites that take part",
        ));
    }
    if let Some(signed) = app.outcomes.of(&desk.plan().study, round) {
        return Ok(Json(signed));
    }
    let record = app.core.registry.record(&desk.plan().study, round).await;
    let record = record
        .map_err(Problem::from)?
        .ok_or_else(|| Refusal::new(ProblemCode::NotFound, "the round has not made a model yet"))?;
    let control = control_reference(&record);
    let outcome = RoundOutcome {
        study: record.study,
        round: record.round,
        plan_digest: desk.plan_digest(),
        model_in: record.model_in,
        model_out: record.model_out,
        control,
        contributions: record.contributions.len() as u64,
        closed: record.closed,
    };
    let signature = app.core.key.sign(&outcome.signed_bytes()).to_string();
    let signed = SignedOutcome { outcome, signature };
    app.outcomes.keep(&signed);
    Ok(Json(signed))
}
