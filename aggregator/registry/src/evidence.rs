//! Single facts as the ledger names them: for evidence that is handed to an auditor, in the memory of one fact.

use snowball_protocol::{RoundNumber, Sha256Digest, StudyName, record::RoundRecord};

use crate::{
    Enrolment, Registry, RegistryError, Release, enrolments::enrolment_of, releases::release_of, rows::Columns as _,
};

impl Registry {
    /// The enrolment that the certificate `serial` was issued for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enrolment_of_certificate(&self, serial: &str) -> Result<Option<Enrolment>, RegistryError> {
        let row = sqlx::query("SELECT * FROM enrolments WHERE serial = $1")
            .bind(serial)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(enrolment_of).transpose()
    }

    /// The certificate `serial`, PEM.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn certificate_pem(&self, serial: &str) -> Result<Option<String>, RegistryError> {
        let row = sqlx::query("SELECT pem FROM certificates WHERE serial = $1")
            .bind(serial)
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| row.text("pem")).transpose()
    }

    /// The record of a finished round.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn round_record(
        &self,
        study: &StudyName,
        round: RoundNumber,
    ) -> Result<Option<RoundRecord>, RegistryError> {
        let row = sqlx::query("SELECT record FROM rounds WHERE study = $1 AND round = $2")
            .bind(study.as_str())
            .bind(i64::from(round.0))
            .fetch_optional(&self.readers)
            .await?;
        match row {
            Some(row) => row.document_or_none("record"),
            None => Ok(None),
        }
    }

    /// The release whose document has this digest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release(&self, digest: &Sha256Digest) -> Result<Option<Release>, RegistryError> {
        let row = sqlx::query("SELECT * FROM releases WHERE digest = $1")
            .bind(digest.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(release_of).transpose()
    }
}
