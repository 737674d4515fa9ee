//! `POST /v1/certificate`: a site asks for its next certificate over the present one.

use axum::{Json, extract::State};
use snowball_ledger::Entry;
use snowball_protocol::{
    Problem, ProblemCode,
    enrolment::{Renewal, RenewalRequest},
    limits::CSR_BYTES_MAX,
};
use snowball_registry::Certificate;
use snowball_service::{clock, tls};

use super::{
    document::Document,
    guard::{Serial, Site},
    refusal::{Answer, Refusal},
};
use crate::state::Shared;

/// Signs a new key of a site in good standing. The certificate before stays valid to its end.
pub async fn renew(
    State(app): State<Shared>,
    Site(site): Site,
    Serial(previous_serial): Serial,
    Document(request): Document<RenewalRequest>,
) -> Answer<Json<Renewal>> {
    if request.csr_pem.len() > CSR_BYTES_MAX {
        return Err(Problem::new(ProblemCode::TooLarge, "the certificate signing request is too large").into());
    }
    let wrong = |_| {
        Problem::new(
            ProblemCode::RequestInvalid,
            "the certificate signing request does not parse or is not signed by its own key",
        )
    };
    let key_fingerprint = tls::key_fingerprint_of_csr(&request.csr_pem).map_err(wrong)?;
    let now = clock::now();
    let authorities = app
        .home
        .authorities()
        .map_err(|error| Refusal::internal("reading the authorities", &error))?;
    let issued = authorities
        .signing()
        .issue_site(&site, &request.csr_pem, app.site_certificate_days, now)
        .map_err(|_| {
            Problem::new(
                ProblemCode::RequestInvalid,
                "the request's key is neither ECDSA P-256 nor Ed25519",
            )
        })?;
    let certificate = Certificate {
        serial: issued.serial.clone(),
        pem: issued.pem.clone(),
        expires: issued.not_after,
    };
    app.core
        .registry
        .add_certificate(&site, &certificate, now)
        .await
        .map_err(Problem::from)?;
    let entry = Entry::CertificateRenewed {
        site: site.clone(),
        key_fingerprint,
        certificate_serial: issued.serial.clone(),
        previous_serial,
    };
    app.core.record(now, vec![entry]).await;
    tracing::info!(%site, serial = issued.serial, "a site renewed its certificate");
    Ok(Json(Renewal {
        certificate_pem: issued.pem,
    }))
}
