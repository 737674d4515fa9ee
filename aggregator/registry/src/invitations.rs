//! Invitations: a single-use token that expires, kept as its SHA-256 alone.

use snowball_protocol::{
    Problem, ProblemCode, Sha256Digest, SiteName,
    enrolment::EnrolmentRequest,
    ids::{EnrolmentId, UnixSeconds},
    limits::CSR_BYTES_MAX,
};

use crate::{Decision, Registry, RegistryError, contests, enrolments, rows::Columns as _};

/// Longest text of a site's ledger key (32 bytes in base64 take 44 characters).
const LEDGER_KEY_CHARACTERS_MAX: usize = 64;

/// What became of a request with an invitation's token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Redeemed {
    /// It waits for the coordinator.
    New(EnrolmentId),
    /// It came before, and stands as it did.
    Again(EnrolmentId),
    /// Another key has used the invitation; this one gets nothing.
    Contested {
        /// Whether this key had not tried before.
        is_new: bool,
    },
}

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
    /// was lost, gets the same id. Another key that comes too late is written down for the coordinator.
    ///
    /// # Errors
    /// When the token is unknown, for another site, or expired; when the request was refused; or the database fails.
    pub async fn redeem_invitation(
        &self,
        request: &EnrolmentRequest,
        key_fingerprint: Sha256Digest,
        now: UnixSeconds,
    ) -> Result<Redeemed, RegistryError> {
        check_size(request)?;
        let token_digest = digest_of(&request.token);
        let mut transaction = self.begin("redeem an invitation").await?;
        // Found by the SHA-256 of the token: how long the search takes tells nobody how much of a guess was right.
        let invitation = sqlx::query("SELECT site, expires, enrolment FROM invitations WHERE token_digest = $1")
            .bind(&token_digest)
            .fetch_optional(transaction.connection())
            .await?
            .ok_or_else(unknown)?;
        if invitation.parsed::<SiteName>("site")? != request.site {
            return Err(invalid("the invitation is for another site"));
        }
        if let Some(id) = invitation.text_or_none("enrolment")? {
            let id = EnrolmentId(id);
            let enrolment = enrolments::read(transaction.connection(), &id).await?;
            let enrolment = enrolment.ok_or(RegistryError::Corrupt {
                what: "invitations.enrolment",
            })?;
            if enrolment.csr_pem == request.csr_pem {
                return Ok(Redeemed::Again(id));
            }
            if let Decision::Refused { reason, .. } = enrolment.decision {
                let reason = format!("the coordinator refused the request of this invitation: {reason}");
                return Err(RegistryError::refused(ProblemCode::EnrolmentRefused, reason));
            }
            let is_new = contests::note(&mut transaction, &token_digest, &request.site, key_fingerprint, now).await?;
            transaction.commit().await?;
            return Ok(Redeemed::Contested { is_new });
        }
        let expires = invitation.number("expires")?;
        if expires < now {
            return Err(expired(now - expires));
        }
        let id = enrolments::insert(transaction.connection(), request, &token_digest, key_fingerprint, now).await?;
        sqlx::query("UPDATE invitations SET enrolment = $1 WHERE token_digest = $2")
            .bind(&id.0)
            .bind(&token_digest)
            .execute(transaction.connection())
            .await?;
        transaction.commit().await?;
        Ok(Redeemed::New(id))
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

fn unknown() -> RegistryError {
    let reason =
        "the invitation is not known here: its token was altered, or a newer invitation of the site took its place";
    let remedy = "use the newest line that the coordinator sent, whole; if that one is refused too, ask for a new one";
    RegistryError::Refused(Problem::new(ProblemCode::InvitationInvalid, reason).with_remedy(remedy))
}

fn expired(seconds_ago: i64) -> RegistryError {
    let ago = match seconds_ago {
        0..7200 => format!("{} minutes", seconds_ago / 60),
        7200..172_800 => format!("{} hours", seconds_ago / 3600),
        _ => format!("{} days", seconds_ago / 86_400),
    };
    invalid(&format!("the invitation expired {ago} ago, by the aggregator's clock"))
}
