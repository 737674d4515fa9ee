//! Rounds: when they opened and closed, and the record of each.

use snowball_protocol::{
    Problem, ProblemCode, RoundNumber, Sha256Digest, SiteName, StudyName,
    ids::UnixSeconds,
    record::{Refusal, RoundRecord},
};
use snowball_rounds::{Aggregating, Collecting, Phase};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    Registry, RegistryError,
    rows::{Columns as _, to_json},
    studies::{self, Change},
    updates,
};

/// One round of a study.
#[derive(Clone, PartialEq, Debug)]
pub struct Round {
    /// Which.
    pub round: RoundNumber,
    /// When it opened.
    pub opened: UnixSeconds,
    /// The model that it started from.
    pub model_in: Sha256Digest,
    /// When it closes, or would have, with its quorum.
    pub deadline: UnixSeconds,
    /// How often the deadline passed without a quorum.
    pub extensions: u32,
    /// When it closed, if it has.
    pub closed: Option<UnixSeconds>,
    /// What came of it, once the next model is made.
    pub record: Option<RoundRecord>,
}

impl Registry {
    /// Writes down what came of a round, with the phase that [`Event::Aggregated`](snowball_rounds::Event) led to.
    ///
    /// # Errors
    /// [`RegistryError::Stale`] when the study is no longer at `version`; or the database fails.
    pub async fn close_round(
        &self,
        study: &StudyName,
        version: u64,
        change: impl Into<Change<'_>>,
        record: &RoundRecord,
        now: UnixSeconds,
    ) -> Result<u64, RegistryError> {
        let mut transaction = self.begin("close a round").await?;
        let version = studies::advance(transaction.connection(), study, version, change, now).await?;
        let kept = sqlx::query("UPDATE rounds SET record = $1 WHERE study = $2 AND round = $3 AND closed IS NOT NULL")
            .bind(to_json(record))
            .bind(study.as_str())
            .bind(i64::from(record.round.0))
            .execute(transaction.connection())
            .await?;
        if kept.rows_affected() == 0 {
            let reason = format!("round {} of {study} has not closed", record.round);
            return Err(RegistryError::refused(ProblemCode::NotFound, reason));
        }
        transaction.commit().await?;
        Ok(version)
    }

    /// Every round of `study` so far, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rounds(&self, study: &StudyName) -> Result<Vec<Round>, RegistryError> {
        let rows = sqlx::query("SELECT * FROM rounds WHERE study = $1 ORDER BY round")
            .bind(study.as_str())
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Round {
                    round: row.round("round")?,
                    opened: row.number("opened")?,
                    model_in: row.parsed("model_in")?,
                    deadline: row.number("deadline")?,
                    extensions: row.small_count("extensions")?,
                    closed: row.number_or_none("closed")?,
                    record: row.document_or_none("record")?,
                })
            })
            .collect()
    }

    /// The record of one round, once its model is made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record(&self, study: &StudyName, round: RoundNumber) -> Result<Option<RoundRecord>, RegistryError> {
        let row = sqlx::query("SELECT record FROM rounds WHERE study = $1 AND round = $2")
            .bind(study.as_str())
            .bind(i64::from(round.0))
            .fetch_optional(&self.readers)
            .await?;
        row.map_or(Ok(None), |row| row.document_or_none("record"))
    }

    /// Writes down a refusal for the record of its round. A site can have one of each code in a round: a node that
    /// repeats itself fills nothing. Rounds that never were are ignored.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_refusal(
        &self,
        study: &StudyName,
        round: RoundNumber,
        site: &SiteName,
        problem: &Problem,
        now: UnixSeconds,
    ) -> Result<(), RegistryError> {
        let mut transaction = self.begin("note a refusal").await?;
        refuse(transaction.connection(), study, round, site, problem, now).await?;
        transaction.commit().await
    }

    /// Who was refused in a round, and why, in order of time. Sites whose update was not whole when the round closed
    /// are among them, with [`ProblemCode::RoundClosed`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refusals(&self, study: &StudyName, round: RoundNumber) -> Result<Vec<Refusal>, RegistryError> {
        let rows = sqlx::query(
            "SELECT site, code, reason FROM refusals WHERE study = $1 AND round = $2 ORDER BY refused, site, code",
        )
        .bind(study.as_str())
        .bind(i64::from(round.0))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(refusal_of).collect()
    }

    /// The refusals of all rounds of a study, each with its round, in order of round and time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refusals_of_study(&self, study: &StudyName) -> Result<Vec<(RoundNumber, Refusal)>, RegistryError> {
        let rows = sqlx::query(
            "SELECT round, site, code, reason FROM refusals WHERE study = $1 ORDER BY round, refused, site, code",
        )
        .bind(study.as_str())
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| Ok((row.round("round")?, refusal_of(row)?)))
            .collect()
    }
}

fn refusal_of(row: &SqliteRow) -> Result<Refusal, RegistryError> {
    Ok(Refusal {
        site: row.parsed("site")?,
        code: row.document("code")?,
        reason: row.text("reason")?,
    })
}

/// Within a transaction: keeps what the phase says of its round.
pub(crate) async fn keep(
    connection: &mut SqliteConnection,
    study: &StudyName,
    phase: &Phase,
) -> Result<(), RegistryError> {
    match phase.within() {
        Phase::Collecting(open) => keep_open(connection, study, open).await,
        Phase::Aggregating(closed) => keep_closed(connection, study, closed).await,
        _ => Ok(()),
    }
}

/// Within a transaction: what [`Registry::note_refusal`] does.
pub(crate) async fn refuse(
    connection: &mut SqliteConnection,
    study: &StudyName,
    round: RoundNumber,
    site: &SiteName,
    problem: &Problem,
    now: UnixSeconds,
) -> Result<(), RegistryError> {
    sqlx::query(
        "INSERT INTO refusals (study, round, site, code, reason, refused)
         SELECT rounds.study, rounds.round, $3, $4, $5, $6 FROM rounds WHERE rounds.study = $1 AND rounds.round = $2
         ON CONFLICT (study, round, site, code) DO UPDATE SET reason = excluded.reason, refused = excluded.refused",
    )
    .bind(study.as_str())
    .bind(i64::from(round.0))
    .bind(site.as_str())
    .bind(to_json(&problem.code))
    .bind(&problem.reason)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

async fn keep_open(
    connection: &mut SqliteConnection,
    study: &StudyName,
    open: &Collecting,
) -> Result<(), RegistryError> {
    sqlx::query(
        "INSERT INTO rounds (study, round, opened, model_in, deadline, extensions) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (study, round) DO UPDATE SET deadline = excluded.deadline, extensions = excluded.extensions",
    )
    .bind(study.as_str())
    .bind(i64::from(open.round.0))
    .bind(open.opened)
    .bind(open.model.digest.to_string())
    .bind(open.deadline)
    .bind(i64::from(open.extensions))
    .execute(connection)
    .await?;
    Ok(())
}

async fn keep_closed(
    connection: &mut SqliteConnection,
    study: &StudyName,
    closed: &Aggregating,
) -> Result<(), RegistryError> {
    let first = sqlx::query("UPDATE rounds SET closed = $1 WHERE study = $2 AND round = $3 AND closed IS NULL")
        .bind(closed.closed)
        .bind(study.as_str())
        .bind(i64::from(closed.round.0))
        .execute(&mut *connection)
        .await?;
    if first.rows_affected() > 0 {
        updates::refuse_unfinished(connection, study, closed.round, closed.closed).await?;
    }
    Ok(())
}
