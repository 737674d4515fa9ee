//! `POST /v1/enrolments` and `POST /v1/enrolments/{id}`: a site asks for its certificate and for the decision.

use axum::{
    Json,
    extract::{Path, State},
};
use snowball_crypto::VerifyingKey;
use snowball_ledger::Entry;
use snowball_protocol::{
    Problem, ProblemCode,
    enrolment::{EnrolmentAccepted, EnrolmentQuery, EnrolmentRequest, EnrolmentStatus},
    ids::EnrolmentId,
    limits::CSR_BYTES_MAX,
};
use snowball_registry::{Decision, Redeemed};
use snowball_service::{clock, tls};

use super::{document::Document, refusal::Answer};
use crate::state::Shared;

/// Longest token or enrolment id that is looked up.
const SECRET_CHARACTERS_MAX: usize = 128;

/// Takes a request; the invitation's token is used up by it.
pub async fn request(
    State(app): State<Shared>,
    Document(request): Document<EnrolmentRequest>,
) -> Answer<Json<EnrolmentAccepted>> {
    let wrong = |reason: &str| Problem::new(ProblemCode::RequestInvalid, reason);
    if request.csr_pem.len() > CSR_BYTES_MAX {
        return Err(Problem::new(ProblemCode::TooLarge, "the certificate signing request is too large").into());
    }
    check_token(&request.token)?;
    let key_fingerprint = tls::key_fingerprint_of_csr(&request.csr_pem)
        .map_err(|_| wrong("the certificate signing request does not parse or is not signed by its own key"))?;
    request
        .ledger_key
        .parse::<VerifyingKey>()
        .map_err(|_| wrong("the ledger key is no Ed25519 key"))?;
    let now = clock::now();
    let redeemed = app
        .core
        .registry
        .redeem_invitation(&request, key_fingerprint, now)
        .await
        .map_err(Problem::from)?;
    let site = request.site.clone();
    let enrolment = match redeemed {
        Redeemed::New(enrolment) => {
            tracing::info!(%site, fingerprint = key_fingerprint.spoken(), "a site asks for its certificate");
            let entry = Entry::EnrolmentRequested { site, key_fingerprint };
            app.core.record(now, vec![entry]).await;
            enrolment
        }
        Redeemed::Again(enrolment) => enrolment,
        Redeemed::Contested { is_new } => {
            tracing::warn!(
                %site,
                fingerprint = key_fingerprint.spoken(),
                "somebody tried an invitation that another key had used"
            );
            if is_new {
                let entry = Entry::InvitationContested { site, key_fingerprint };
                app.core.record(now, vec![entry]).await;
            }
            return Err(contested().into());
        }
    };
    Ok(Json(EnrolmentAccepted {
        enrolment,
        key_fingerprint,
    }))
}

/// Tells how the coordinator decided.
pub async fn status(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Document(query): Document<EnrolmentQuery>,
) -> Answer<Json<EnrolmentStatus>> {
    check_token(&query.token)?;
    check_token(&id)?;
    let enrolment = app
        .core
        .registry
        .enrolment_status(&EnrolmentId(id), &query.token)
        .await
        .map_err(Problem::from)?;
    Ok(Json(match enrolment.decision {
        Decision::Pending => EnrolmentStatus::Pending,
        Decision::Approved { certificate_pem, .. } => EnrolmentStatus::Approved {
            certificate_pem,
            ca_pem: app.identity.borrow().trust_text.clone(),
            aggregator_key: app.core.key.verifying_key().to_string(),
        },
        Decision::Refused { reason, .. } => EnrolmentStatus::Refused { reason },
    }))
}

fn contested() -> Problem {
    Problem::new(
        ProblemCode::InvitationInvalid,
        "the invitation was used already, by another key; the coordinator sees that this key came, too",
    )
    .with_remedy(
        "if this hospital did not use it before, somebody else has the line: call the coordinator, have that request refused and \
         enrol with a new invitation; if its folder was lost or made anew, ask for a new invitation",
    )
}

fn check_token(text: &str) -> Result<(), Problem> {
    if text.is_empty() || text.len() > SECRET_CHARACTERS_MAX {
        return Err(Problem::new(
            ProblemCode::InvitationInvalid,
            "the invitation's token is not one of ours",
        ));
    }
    Ok(())
}
