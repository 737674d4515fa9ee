//! How each site answered to a study.

use serde::{Deserialize, Serialize};
use snowball_protocol::{
    SiteName, StudyName,
    ids::UnixSeconds,
    session::{Decline, JoinRequest},
};
use sqlx::SqliteConnection;

use crate::{
    Registry, RegistryError,
    rows::{Columns as _, to_json},
    sites,
    studies::{self, Change},
};

/// A site's newest answer to a study.
#[derive(Clone, Debug)]
pub struct Participant {
    /// Which site.
    pub site: SiteName,
    /// What it answered.
    pub answer: Answer,
    /// When.
    pub answered: UnixSeconds,
}

/// What a site answers to a study.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Its policy permits the study.
    Joined(JoinRequest),
    /// Its policy does not.
    Declined(Decline),
}

impl Registry {
    /// Writes down that `site` joined, with the phase that this led to.
    ///
    /// # Errors
    /// [`RegistryError::Stale`] when the study is no longer at `version`; when the site is unknown or revoked; or the
    /// database fails.
    pub async fn join(
        &self,
        study: &StudyName,
        version: u64,
        change: impl Into<Change<'_>>,
        site: &SiteName,
        request: &JoinRequest,
        now: UnixSeconds,
    ) -> Result<u64, RegistryError> {
        let mut transaction = self.begin("join a study").await?;
        sites::expect_in_good_standing(transaction.connection(), site).await?;
        let version = studies::advance(transaction.connection(), study, version, change, now).await?;
        keep(
            transaction.connection(),
            study,
            site,
            &Answer::Joined(request.clone()),
            now,
        )
        .await?;
        transaction.commit().await?;
        Ok(version)
    }

    /// Writes down that the policy of `site` does not permit the study.
    ///
    /// # Errors
    /// When there is no such study, the site is unknown or revoked, or the database fails.
    pub async fn decline(
        &self,
        study: &StudyName,
        site: &SiteName,
        decline: &Decline,
        now: UnixSeconds,
    ) -> Result<(), RegistryError> {
        let mut transaction = self.begin("decline a study").await?;
        sites::expect_in_good_standing(transaction.connection(), site).await?;
        let known: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM studies WHERE name = $1")
            .bind(study.as_str())
            .fetch_one(transaction.connection())
            .await?;
        if known == 0 {
            return Err(studies::not_found(study));
        }
        keep(
            transaction.connection(),
            study,
            site,
            &Answer::Declined(decline.clone()),
            now,
        )
        .await?;
        transaction.commit().await
    }

    /// The newest answer of every site to `study`, by site.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn participants(&self, study: &StudyName) -> Result<Vec<Participant>, RegistryError> {
        let rows = sqlx::query("SELECT site, answer, answered FROM participants WHERE study = $1 ORDER BY site")
            .bind(study.as_str())
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Participant {
                    site: row.parsed("site")?,
                    answer: row.document("answer")?,
                    answered: row.number("answered")?,
                })
            })
            .collect()
    }
}

async fn keep(
    connection: &mut SqliteConnection,
    study: &StudyName,
    site: &SiteName,
    answer: &Answer,
    now: UnixSeconds,
) -> Result<(), RegistryError> {
    sqlx::query(
        "INSERT INTO participants (study, site, answer, answered) VALUES ($1, $2, $3, $4)
         ON CONFLICT (study, site) DO UPDATE SET answer = excluded.answer, answered = excluded.answered",
    )
    .bind(study.as_str())
    .bind(site.as_str())
    .bind(to_json(answer))
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}
