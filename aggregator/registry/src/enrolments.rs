//! Requests for certificates, and what the coordinator decided.

use snowball_protocol::{
    ProblemCode, Sha256Digest, SiteName,
    enrolment::EnrolmentRequest,
    ids::{EnrolmentId, UnixSeconds},
};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{Certificate, Registry, RegistryError, certificates, invitations::digest_of, rows::Columns, sites};

/// Why a request is refused that waited when another one of its site was approved.
pub const SUPERSEDED: &str = "another request of this site was approved";

/// A site's request for a certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Enrolment {
    /// Under which id the site asks.
    pub id: EnrolmentId,
    /// Which site.
    pub site: SiteName,
    /// PKCS#10 certificate signing request, PEM.
    pub csr_pem: String,
    /// SHA-256 of the request's public key, which both people compare.
    pub key_fingerprint: Sha256Digest,
    /// The Ed25519 key of the site's ledger, base64.
    pub ledger_key: String,
    /// When it was made.
    pub requested: UnixSeconds,
    /// What the coordinator decided.
    pub decision: Decision,
}

/// What the coordinator decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Nothing yet.
    Pending,
    /// The site takes part.
    Approved {
        /// Its certificate, PEM.
        certificate_pem: String,
        /// The certificate's serial number, lower-case hex.
        serial: String,
        /// Why.
        reason: String,
        /// When.
        decided: UnixSeconds,
    },
    /// The site does not.
    Refused {
        /// Why.
        reason: String,
        /// When.
        decided: UnixSeconds,
    },
}

impl Registry {
    /// The enrolment `id`, for whoever holds the invitation's token.
    ///
    /// # Errors
    /// [`ProblemCode::NotFound`] when there is none, or its token is another one; or the database fails.
    pub async fn enrolment_status(&self, id: &EnrolmentId, token: &str) -> Result<Enrolment, RegistryError> {
        let row = sqlx::query("SELECT * FROM enrolments WHERE id = $1")
            .bind(&id.0)
            .fetch_optional(&self.readers)
            .await?;
        let row = row.ok_or_else(not_found)?;
        if !snowball_crypto::are_equal(&row.text("token_digest")?, &digest_of(token)) {
            return Err(not_found());
        }
        enrolment_of(&row)
    }

    /// The enrolment `id`, for the coordinator.
    ///
    /// # Errors
    /// As [`enrolment_status`](Self::enrolment_status).
    pub async fn enrolment(&self, id: &EnrolmentId) -> Result<Enrolment, RegistryError> {
        let row = sqlx::query("SELECT * FROM enrolments WHERE id = $1")
            .bind(&id.0)
            .fetch_optional(&self.readers)
            .await?;
        enrolment_of(&row.ok_or_else(not_found)?)
    }

    /// Every enrolment, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enrolments(&self) -> Result<Vec<Enrolment>, RegistryError> {
        let rows = sqlx::query("SELECT * FROM enrolments ORDER BY requested, id")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(enrolment_of).collect()
    }

    /// The requests of `site` that wait for a decision, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pending_enrolments(&self, site: &SiteName) -> Result<Vec<Enrolment>, RegistryError> {
        let rows =
            sqlx::query("SELECT * FROM enrolments WHERE site = $1 AND state = 'pending' ORDER BY requested DESC, id")
                .bind(site.as_str())
                .fetch_all(&self.readers)
                .await?;
        rows.iter().map(enrolment_of).collect()
    }

    /// Takes the site in with `certificate`: makes the site, or lets it back in after a revocation. Its other requests that wait
    /// are refused with it. The same certificate again is fine.
    ///
    /// # Errors
    /// When there is no such enrolment, it was decided otherwise, or the database fails.
    pub async fn approve(
        &self,
        id: &EnrolmentId,
        certificate: &Certificate,
        reason: &str,
        now: UnixSeconds,
    ) -> Result<(), RegistryError> {
        let mut transaction = self.begin("approve an enrolment").await?;
        let enrolment = read(transaction.connection(), id).await?.ok_or_else(not_found)?;
        match &enrolment.decision {
            Decision::Pending => {}
            Decision::Approved { serial, .. } if *serial == certificate.serial => return Ok(()),
            _ => return Err(decided()),
        }
        sites::admit(transaction.connection(), &enrolment, now).await?;
        certificates::insert(transaction.connection(), &enrolment.site, certificate, now).await?;
        sqlx::query(
            "UPDATE enrolments SET state = 'approved', decided = $1, reason = $2, certificate_pem = $3, serial = $4
             WHERE id = $5",
        )
        .bind(now)
        .bind(reason)
        .bind(&certificate.pem)
        .bind(&certificate.serial)
        .bind(&id.0)
        .execute(transaction.connection())
        .await?;
        sqlx::query(
            "UPDATE enrolments SET state = 'refused', decided = $1, reason = $2 WHERE site = $3 AND state = 'pending'",
        )
        .bind(now)
        .bind(SUPERSEDED)
        .bind(enrolment.site.as_str())
        .execute(transaction.connection())
        .await?;
        transaction.commit().await
    }

    /// Turns the request down.
    ///
    /// # Errors
    /// When there is no such enrolment, it was approved, or the database fails.
    pub async fn refuse(&self, id: &EnrolmentId, reason: &str, now: UnixSeconds) -> Result<(), RegistryError> {
        let mut transaction = self.begin("refuse an enrolment").await?;
        match read(transaction.connection(), id)
            .await?
            .ok_or_else(not_found)?
            .decision
        {
            Decision::Pending => {}
            Decision::Refused { .. } => return Ok(()),
            Decision::Approved { .. } => return Err(decided()),
        }
        sqlx::query("UPDATE enrolments SET state = 'refused', decided = $1, reason = $2 WHERE id = $3")
            .bind(now)
            .bind(reason)
            .bind(&id.0)
            .execute(transaction.connection())
            .await?;
        transaction.commit().await
    }
}

pub(crate) async fn read(
    connection: &mut SqliteConnection,
    id: &EnrolmentId,
) -> Result<Option<Enrolment>, RegistryError> {
    let row = sqlx::query("SELECT * FROM enrolments WHERE id = $1")
        .bind(&id.0)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(enrolment_of).transpose()
}

pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    request: &EnrolmentRequest,
    token_digest: &str,
    key_fingerprint: Sha256Digest,
    now: UnixSeconds,
) -> Result<EnrolmentId, RegistryError> {
    // Follows from the token, so it needs no chance; it opens nothing without the token itself.
    let digest = Sha256Digest::of(format!("snowball enrolment v1\n{token_digest}").as_bytes());
    let id = EnrolmentId(digest.to_string().trim_start_matches("sha256:")[..32].to_owned());
    sqlx::query(
        "INSERT INTO enrolments (id, token_digest, site, csr_pem, key_fingerprint, ledger_key, requested, state)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending')",
    )
    .bind(&id.0)
    .bind(token_digest)
    .bind(request.site.as_str())
    .bind(&request.csr_pem)
    .bind(key_fingerprint.to_string())
    .bind(&request.ledger_key)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(id)
}

pub(crate) fn enrolment_of(row: &SqliteRow) -> Result<Enrolment, RegistryError> {
    Ok(Enrolment {
        id: EnrolmentId(row.text("id")?),
        site: row.parsed("site")?,
        csr_pem: row.text("csr_pem")?,
        key_fingerprint: row.parsed("key_fingerprint")?,
        ledger_key: row.text("ledger_key")?,
        requested: row.number("requested")?,
        decision: match row.text("state")?.as_str() {
            "approved" => Decision::Approved {
                certificate_pem: row.text("certificate_pem")?,
                serial: row.text("serial")?,
                reason: row.text("reason")?,
                decided: row.number("decided")?,
            },
            "refused" => Decision::Refused {
                reason: row.text("reason")?,
                decided: row.number("decided")?,
            },
            _ => Decision::Pending,
        },
    })
}

fn not_found() -> RegistryError {
    RegistryError::refused(ProblemCode::NotFound, "there is no such enrolment")
}

fn decided() -> RegistryError {
    RegistryError::refused(ProblemCode::RequestInvalid, "this enrolment was decided already")
}
