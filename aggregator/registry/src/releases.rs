//! Models that were signed and handed out.

use snowball_protocol::{Sha256Digest, StudyName, ids::UnixSeconds};
use snowball_rounds::Step;
use sqlx::sqlite::SqliteRow;

use crate::{
    Registry, RegistryError,
    rows::{Columns as _, to_json},
    studies,
};

/// One released model.
#[derive(Clone, PartialEq, Debug)]
pub struct Release {
    /// Of which study.
    pub study: StudyName,
    /// SHA-256 of the released file.
    pub digest: Sha256Digest,
    /// Digest of the global model in it.
    pub model: Sha256Digest,
    /// Where the file is.
    pub file: String,
    /// Its card, lineage and signature.
    pub document: serde_json::Value,
    /// When it was signed.
    pub released: UnixSeconds,
}

impl Registry {
    /// Writes down a release, with the phase that this led to. The same release again is fine.
    ///
    /// # Errors
    /// [`RegistryError::Stale`] when the study is no longer at `version`; or the database fails.
    pub async fn add_release(
        &self,
        study: &StudyName,
        version: u64,
        step: &Step,
        release: &Release,
        now: UnixSeconds,
    ) -> Result<u64, RegistryError> {
        let mut transaction = self.begin("add a release").await?;
        let version = studies::advance(transaction.connection(), study, version, step, now).await?;
        sqlx::query(
            "INSERT INTO releases (digest, study, model, file, document, released) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT DO NOTHING",
        )
        .bind(release.digest.to_string())
        .bind(study.as_str())
        .bind(release.model.to_string())
        .bind(&release.file)
        .bind(to_json(&release.document))
        .bind(release.released)
        .execute(transaction.connection())
        .await?;
        transaction.commit().await?;
        Ok(version)
    }

    /// Every release, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn releases(&self) -> Result<Vec<Release>, RegistryError> {
        let rows = sqlx::query("SELECT * FROM releases ORDER BY released, digest")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(release_of).collect()
    }
}

pub(crate) fn release_of(row: &SqliteRow) -> Result<Release, RegistryError> {
    Ok(Release {
        study: row.parsed("study")?,
        digest: row.parsed("digest")?,
        model: row.parsed("model")?,
        file: row.text("file")?,
        document: row.document("document")?,
        released: row.number("released")?,
    })
}
