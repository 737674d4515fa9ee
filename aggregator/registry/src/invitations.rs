//! Invitations: a single-use token that expires, kept as its SHA-256 alone.

use snowball_protocol::{
    ProblemCode, Sha256Digest, SiteName,
    enrolment::EnrolmentRequest,
    ids::{EnrolmentId, UnixSeconds},
    limits::CSR_BYTES_MAX,
};

use crate::{Registry, RegistryError, enrolments, rows::Columns as _};

/// Longest text of a site's ledger key (32 bytes in base64 take 44 characters).
const LEDGER_KEY_CHARACTERS_MAX: usize = 64;

impl Registry {
    /// Invites `site` with `token`. Earlier invitations of this site that nobody has used end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invite(
        &self,
        site: &SiteName,
        token: &str,
        expires: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<(), RegistryError> {
        let mut transaction = self.begin("invite a site").await?;
        sqlx::query("DELETE FROM invitations WHERE site = $1 AND enrolment IS NULL")
            .bind(site.as_str())
            .execute(transaction.connection())
            .await?;
        sqlx::query("INSERT INTO invitations (token_digest, site, made, expires) VALUES ($1, $2, $3, $4)")
            .bind(digest_of(token))
            .bind(site.as_str())
            .bind(now)
            .bind(expires)
            .execute(transaction.connection())
            .await?;
        transaction.commit().await
    }

    /// Sites whose invitation nobody has used and which holds at `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_invitations(&self, now: UnixSeconds) -> Result<Vec<SiteName>, RegistryError> {
        let rows = sqlx::query("SELECT site FROM invitations WHERE enrolment IS NULL AND expires >= $1 ORDER BY site")
            .bind(now)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|row| row.parsed("site")).collect()
    }

    /// Turns an invitation into a request that waits for the coordinator. The same request again, because its answer
    /// was lost, gets the same id.
    ///
    /// # Errors
    /// When the token is unknown, for another site, used by another key or expired; or the database fails.
    pub async fn redeem_invitation(
        &self,
        request: &EnrolmentRequest,
        key_fingerprint: Sha256Digest,
        now: UnixSeconds,
    ) -> Result<EnrolmentId, RegistryError> {
        check_size(request)?;
        let token_digest = digest_of(&request.token);
        let mut transaction = self.begin("redeem an invitation").await?;
        let invitation = sqlx::query("SELECT site, expires, enrolment FROM invitations WHERE token_digest = $1")
            .bind(&token_digest)
            .fetch_optional(transaction.connection())
            .await?
            .ok_or_else(|| invalid("the invitation is not known here"))?;
        if invitation.parsed::<SiteName>("site")? != request.site {
            return Err(invalid("the invitation is for another site"));
        }
        if let Some(id) = invitation.text_or_none("enrolment")? {
            let id = EnrolmentId(id);
            let enrolment = enrolments::read(transaction.connection(), &id).await?;
            let is_same = enrolment.is_some_and(|enrolment| enrolment.csr_pem == request.csr_pem);
            return if is_same {
                Ok(id)
            } else {
                Err(invalid("the invitation was used by another key"))
            };
        }
        if invitation.number("expires")? < now {
            return Err(invalid("the invitation has expired"));
        }
        let id = enrolments::insert(transaction.connection(), request, &token_digest, key_fingerprint, now).await?;
        sqlx::query("UPDATE invitations SET enrolment = $1 WHERE token_digest = $2")
            .bind(&id.0)
            .bind(&token_digest)
            .execute(transaction.connection())
            .await?;
        transaction.commit().await?;
        Ok(id)
    }
}

/// How a token is kept.
pub(crate) fn digest_of(token: &str) -> String {
    Sha256Digest::of(token.as_bytes()).to_string()
}

fn check_size(request: &EnrolmentRequest) -> Result<(), RegistryError> {
    if request.csr_pem.len() > CSR_BYTES_MAX {
        let reason = format!("a certificate signing request has at most {CSR_BYTES_MAX} bytes");
        return Err(RegistryError::refused(ProblemCode::TooLarge, reason));
    }
    if request.ledger_key.len() > LEDGER_KEY_CHARACTERS_MAX {
        return Err(RegistryError::refused(
            ProblemCode::RequestInvalid,
            "the ledger key is no Ed25519 key in base64",
        ));
    }
    Ok(())
}

fn invalid(reason: &str) -> RegistryError {
    RegistryError::refused(ProblemCode::InvitationInvalid, reason)
}
