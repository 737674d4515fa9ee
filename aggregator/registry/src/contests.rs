//! Keys that came with an invitation which another key had used: its line has leaked, or a site lost its key.

use snowball_protocol::{Sha256Digest, SiteName, ids::UnixSeconds};

use crate::{
    Registry, RegistryError,
    rows::{Columns as _, to_count},
    transaction::Transaction,
};

/// Keys that are kept of one invitation. Who has the line can make any number of keys.
const KEYS_MAX: i64 = 8;

/// A key that came too late.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contest {
    /// For which site.
    pub site: SiteName,
    /// SHA-256 of the public key.
    pub key_fingerprint: Sha256Digest,
    /// How often it tried.
    pub tries: u64,
    /// When it tried last.
    pub last_tried: UnixSeconds,
}

impl Registry {
    /// Every key that came too late, the last one first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn contests(&self) -> Result<Vec<Contest>, RegistryError> {
        let rows = sqlx::query(
            "SELECT site, key_fingerprint, tries, last_tried FROM contests ORDER BY last_tried DESC, key_fingerprint",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Contest {
                    site: row.parsed("site")?,
                    key_fingerprint: row.parsed("key_fingerprint")?,
                    tries: to_count(row.number("tries")?, "contests.tries")?,
                    last_tried: row.number("last_tried")?,
                })
            })
            .collect()
    }
}

/// Writes a try down; says whether it is the key's first.
pub(crate) async fn note(
    transaction: &mut Transaction,
    token_digest: &str,
    site: &SiteName,
    key_fingerprint: Sha256Digest,
    now: UnixSeconds,
) -> Result<bool, RegistryError> {
    let again = sqlx::query(
        "UPDATE contests SET tries = tries + 1, last_tried = $1 WHERE token_digest = $2 AND key_fingerprint = $3",
    )
    .bind(now)
    .bind(token_digest)
    .bind(key_fingerprint.to_string())
    .execute(transaction.connection())
    .await?;
    if again.rows_affected() > 0 {
        return Ok(false);
    }
    let known: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM contests WHERE token_digest = $1")
        .bind(token_digest)
        .fetch_one(transaction.connection())
        .await?;
    if known >= KEYS_MAX {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO contests (token_digest, key_fingerprint, site, first_tried, last_tried, tries)
         VALUES ($1, $2, $3, $4, $4, 1)",
    )
    .bind(token_digest)
    .bind(key_fingerprint.to_string())
    .bind(site.as_str())
    .bind(now)
    .execute(transaction.connection())
    .await?;
    Ok(true)
}
