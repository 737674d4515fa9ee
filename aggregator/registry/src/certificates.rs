//! Certificates by serial number, and who may come in with them.

use std::collections::BTreeSet;

use snowball_protocol::{ProblemCode, SiteName, ids::UnixSeconds};
use sqlx::SqliteConnection;

use crate::{Registry, RegistryError, rows::Columns as _, sites};

/// Certificates that a site may hold at once: the one in use, the one before, and some for a node that crashed while it renewed.
pub const LIVE_CERTIFICATES_MAX: i64 = 8;

/// A certificate that the consortium's CA has issued.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certificate {
    /// Its serial number, lower-case hex.
    pub serial: String,
    /// The certificate, PEM.
    pub pem: String,
    /// When it ends.
    pub expires: UnixSeconds,
}

/// Who holds a certificate. Whether it has expired is for TLS to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// A site in good standing.
    Known {
        /// Which.
        site: SiteName,
    },
    /// A site that is revoked, or whose certificate is.
    Revoked {
        /// Which.
        site: SiteName,
        /// Why.
        reason: String,
    },
    /// Nobody was given this certificate.
    Unknown,
}

/// A certificate that no longer counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevokedSerial {
    /// Its serial number, lower-case hex.
    pub serial: String,
    /// Whose it was.
    pub site: SiteName,
    /// Since when.
    pub revoked: UnixSeconds,
    /// Why.
    pub reason: String,
}

impl Registry {
    /// Who comes in with the certificate `serial`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn standing(&self, serial: &str) -> Result<Standing, RegistryError> {
        let row = sqlx::query(
            "SELECT sites.name, COALESCE(sites.revoked, certificates.revoked) AS revoked,
                 COALESCE(sites.revoked_reason, certificates.revoked_reason, '') AS reason
             FROM certificates JOIN sites ON sites.name = certificates.site WHERE certificates.serial = $1",
        )
        .bind(serial)
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(Standing::Unknown) };
        let site = row.parsed("name")?;
        Ok(match row.number_or_none("revoked")? {
            Some(_) => Standing::Revoked {
                site,
                reason: row.text("reason")?,
            },
            None => Standing::Known { site },
        })
    }

    /// Every certificate that is neither revoked nor over at `now`, with its site, the newest of each site last.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn live_certificates(&self, now: UnixSeconds) -> Result<Vec<(SiteName, Certificate)>, RegistryError> {
        let rows = sqlx::query(
            "SELECT serial, site, pem, expires FROM certificates WHERE revoked IS NULL AND expires >= $1
             ORDER BY site, issued, expires, serial",
        )
        .bind(now)
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                let certificate = Certificate {
                    serial: row.text("serial")?,
                    pem: row.text("pem")?,
                    expires: row.number("expires")?,
                };
                Ok((row.parsed("site")?, certificate))
            })
            .collect()
    }

    /// The serial numbers of the certificates with which their sites have been let in at least once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn used_serials(&self) -> Result<BTreeSet<String>, RegistryError> {
        let serials: Vec<String> = sqlx::query_scalar("SELECT serial FROM certificates WHERE used IS NOT NULL")
            .fetch_all(&self.readers)
            .await?;
        Ok(serials.into_iter().collect())
    }

    /// Adds a renewed certificate of `site`; those before it stay valid until they expire.
    ///
    /// # Errors
    /// When the site is unknown or revoked, holds [`LIVE_CERTIFICATES_MAX`] already, the serial number was used, or the
    /// database fails.
    pub async fn add_certificate(
        &self,
        site: &SiteName,
        certificate: &Certificate,
        now: UnixSeconds,
    ) -> Result<(), RegistryError> {
        let mut transaction = self.begin("add a certificate").await?;
        sites::expect_in_good_standing(transaction.connection(), site).await?;
        let live: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM certificates WHERE site = $1 AND revoked IS NULL AND expires > $2",
        )
        .bind(site.as_str())
        .bind(now)
        .fetch_one(transaction.connection())
        .await?;
        if live >= LIVE_CERTIFICATES_MAX {
            return Err(RegistryError::refused(
                ProblemCode::Busy,
                "the site holds as many valid certificates as it may; one of them has to end first",
            ));
        }
        insert(transaction.connection(), site, certificate, now).await?;
        transaction.commit().await
    }

    /// Revokes one certificate. Again is fine; the first reason stays.
    ///
    /// # Errors
    /// When there is no such certificate, or the database fails.
    pub async fn revoke_serial(&self, serial: &str, reason: &str, now: UnixSeconds) -> Result<(), RegistryError> {
        let mut transaction = self.begin("revoke a certificate").await?;
        let known: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM certificates WHERE serial = $1")
            .bind(serial)
            .fetch_one(transaction.connection())
            .await?;
        if known == 0 {
            return Err(RegistryError::refused(
                ProblemCode::NotFound,
                "there is no certificate with this serial number",
            ));
        }
        sqlx::query("UPDATE certificates SET revoked = $1, revoked_reason = $2 WHERE serial = $3 AND revoked IS NULL")
            .bind(now)
            .bind(reason)
            .bind(serial)
            .execute(transaction.connection())
            .await?;
        transaction.commit().await
    }

    /// Every revoked certificate.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoked_serials(&self) -> Result<Vec<RevokedSerial>, RegistryError> {
        let rows = sqlx::query(
            "SELECT serial, site, revoked, revoked_reason FROM certificates WHERE revoked IS NOT NULL ORDER BY serial",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(RevokedSerial {
                    serial: row.text("serial")?,
                    site: row.parsed("site")?,
                    revoked: row.number("revoked")?,
                    reason: row.text_or_none("revoked_reason")?.unwrap_or_default(),
                })
            })
            .collect()
    }
}

pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    site: &SiteName,
    certificate: &Certificate,
    now: UnixSeconds,
) -> Result<(), RegistryError> {
    let added = sqlx::query(
        "INSERT INTO certificates (serial, site, pem, issued, expires) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
    )
    .bind(&certificate.serial)
    .bind(site.as_str())
    .bind(&certificate.pem)
    .bind(now)
    .bind(certificate.expires)
    .execute(connection)
    .await?;
    if added.rows_affected() == 0 {
        return Err(RegistryError::refused(
            ProblemCode::RequestInvalid,
            "this serial number was given out already",
        ));
    }
    Ok(())
}
