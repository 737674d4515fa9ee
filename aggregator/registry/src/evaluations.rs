//! What the sites say of the final model.

use snowball_protocol::{SiteName, StudyName, ids::UnixSeconds, update::FinalEvaluation};

use crate::{
    Registry, RegistryError,
    rows::{Columns as _, to_json},
    studies::{self, Change},
};

impl Registry {
    /// Keeps the answer of `site`, with the phase that this led to. The first answer stays.
    ///
    /// # Errors
    /// [`RegistryError::Stale`] when the study is no longer at `version`; or the database fails.
    pub async fn save_evaluation(
        &self,
        study: &StudyName,
        version: u64,
        change: impl Into<Change<'_>>,
        site: &SiteName,
        evaluation: &FinalEvaluation,
        now: UnixSeconds,
    ) -> Result<u64, RegistryError> {
        let mut transaction = self.begin("save an evaluation").await?;
        let version = studies::advance(transaction.connection(), study, version, change, now).await?;
        sqlx::query(
            "INSERT INTO evaluations (study, site, evaluation, received) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
        )
        .bind(study.as_str())
        .bind(site.as_str())
        .bind(to_json(evaluation))
        .bind(now)
        .execute(transaction.connection())
        .await?;
        transaction.commit().await?;
        Ok(version)
    }

    /// The answer of `site`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn evaluation(
        &self,
        study: &StudyName,
        site: &SiteName,
    ) -> Result<Option<FinalEvaluation>, RegistryError> {
        let row = sqlx::query("SELECT evaluation FROM evaluations WHERE study = $1 AND site = $2")
            .bind(study.as_str())
            .bind(site.as_str())
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| row.document("evaluation")).transpose()
    }

    /// Every site's answer, by site.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn evaluations(&self, study: &StudyName) -> Result<Vec<(SiteName, FinalEvaluation)>, RegistryError> {
        let rows = sqlx::query("SELECT site, evaluation FROM evaluations WHERE study = $1 ORDER BY site")
            .bind(study.as_str())
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| Ok((row.parsed("site")?, row.document("evaluation")?)))
            .collect()
    }
}
