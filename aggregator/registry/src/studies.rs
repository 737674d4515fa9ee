//! Studies: the plan, and the phase that is kept by compare and swap.
//!
//! A phase holds all its sites, so it is written whole only where it becomes another one. What a single site adds to it is a row of
//! its own; the phase is the one that was written last with the additions since.

use std::collections::BTreeMap;

use snowball_protocol::{ProblemCode, Sha256Digest, StudyName, StudyPlan, ids::UnixSeconds};
use snowball_rounds::{Addition, Phase, Step};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    Registry, RegistryError, rounds,
    rows::{Columns as _, from_count, from_json, to_json},
};

/// A study as it stands.
#[derive(Clone, PartialEq, Debug)]
pub struct Study {
    /// What is declared.
    pub plan: StudyPlan,
    /// Digest of the whole canonical plan.
    pub plan_digest: Sha256Digest,
    /// Where it stands.
    pub phase: Phase,
    /// Grows with each change of the phase; what a change must name.
    pub version: u64,
    /// When it was created.
    pub created: UnixSeconds,
    /// When its phase last changed.
    pub moved: UnixSeconds,
}

/// What happened to a study's phase.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// It is another one, or the same.
    Step(&'a Step),
    /// A site added something to it.
    Addition(&'a Addition),
}

impl<'a> From<&'a Step> for Change<'a> {
    fn from(step: &'a Step) -> Self {
        Self::Step(step)
    }
}

impl<'a> From<&'a Addition> for Change<'a> {
    fn from(addition: &'a Addition) -> Self {
        Self::Addition(addition)
    }
}

impl Registry {
    /// Writes down a new study as a draft of version 1.
    ///
    /// # Errors
    /// When the plan breaks a rule, a study has this name already, or the database fails.
    pub async fn create_study(&self, plan: &StudyPlan, now: UnixSeconds) -> Result<(), RegistryError> {
        if let Some(fault) = plan.faults().into_iter().next() {
            return Err(RegistryError::refused(ProblemCode::Malformed, fault.to_string()));
        }
        let canonical = plan.canonical_bytes();
        let digest = Sha256Digest::of(&canonical);
        let mut transaction = self.begin("create a study").await?;
        let added = sqlx::query(
            "INSERT INTO studies (name, plan, plan_digest, version, created, moved) VALUES ($1, $2, $3, 1, $4, $4)
             ON CONFLICT DO NOTHING",
        )
        .bind(plan.study.as_str())
        .bind(String::from_utf8_lossy(&canonical).into_owned())
        .bind(digest.to_string())
        .bind(now)
        .execute(transaction.connection())
        .await?;
        if added.rows_affected() == 0 {
            let reason = format!("there is a study {} already", plan.study);
            return Err(RegistryError::refused(ProblemCode::Malformed, reason));
        }
        keep_phase(transaction.connection(), &plan.study, &Phase::draft()).await?;
        transaction.commit().await
    }

    /// The study `name`, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn study(&self, name: &StudyName) -> Result<Option<Study>, RegistryError> {
        let mut snapshot = self.readers.begin().await?;
        let row = sqlx::query("SELECT * FROM studies JOIN phases ON phases.study = studies.name WHERE name = $1")
            .bind(name.as_str())
            .fetch_optional(&mut *snapshot)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let additions = sqlx::query_scalar("SELECT addition FROM additions WHERE study = $1 ORDER BY version")
            .bind(name.as_str())
            .fetch_all(&mut *snapshot)
            .await?;
        study_of(&row, &additions).map(Some)
    }

    /// The version of every study, by name: of whom one must look again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn study_versions(&self) -> Result<Vec<(StudyName, u64)>, RegistryError> {
        let rows = sqlx::query("SELECT name, version FROM studies ORDER BY created, name")
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| Ok((row.parsed("name")?, row.count("version")?)))
            .collect()
    }

    /// Every study, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn studies(&self) -> Result<Vec<Study>, RegistryError> {
        let mut snapshot = self.readers.begin().await?;
        let rows =
            sqlx::query("SELECT * FROM studies JOIN phases ON phases.study = studies.name ORDER BY created, name")
                .fetch_all(&mut *snapshot)
                .await?;
        let additions = sqlx::query("SELECT study, addition FROM additions ORDER BY study, version")
            .fetch_all(&mut *snapshot)
            .await?;
        let mut by_study: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in &additions {
            by_study
                .entry(row.text("study")?)
                .or_default()
                .push(row.text("addition")?);
        }
        rows.iter()
            .map(|row| study_of(row, &by_study.remove(&row.text("name")?).unwrap_or_default()))
            .collect()
    }

    /// Keeps the phase that `step` led to and the facts of its round. Gives the study's new version.
    ///
    /// # Errors
    /// [`RegistryError::Stale`] when the study is no longer at `version`; or the database fails.
    pub async fn save_phase(
        &self,
        study: &StudyName,
        version: u64,
        change: impl Into<Change<'_>>,
        now: UnixSeconds,
    ) -> Result<u64, RegistryError> {
        let mut transaction = self.begin("save a phase").await?;
        let version = advance(transaction.connection(), study, version, change, now).await?;
        transaction.commit().await?;
        Ok(version)
    }
}

/// Within a transaction: what [`Registry::save_phase`] does. A step that changed nothing only checks the version.
pub(crate) async fn advance(
    connection: &mut SqliteConnection,
    study: &StudyName,
    version: u64,
    change: impl Into<Change<'_>>,
    now: UnixSeconds,
) -> Result<u64, RegistryError> {
    match change.into() {
        Change::Step(step) if !step.changed => swap_version(connection, study, version, version, now).await,
        Change::Step(step) => {
            let next = swap_version(connection, study, version, version.saturating_add(1), now).await?;
            keep_phase(connection, study, &step.phase).await?;
            rounds::keep(connection, study, &step.phase).await?;
            Ok(next)
        }
        Change::Addition(addition) => {
            let next = swap_version(connection, study, version, version.saturating_add(1), now).await?;
            sqlx::query("INSERT INTO additions (study, version, addition) VALUES ($1, $2, $3)")
                .bind(study.as_str())
                .bind(from_count(next, "studies.version")?)
                .bind(to_json(addition))
                .execute(connection)
                .await?;
            Ok(next)
        }
    }
}

/// Within a transaction: brings the study from `version` to `next`.
async fn swap_version(
    connection: &mut SqliteConnection,
    study: &StudyName,
    version: u64,
    next: u64,
    now: UnixSeconds,
) -> Result<u64, RegistryError> {
    let moved = sqlx::query(
        "UPDATE studies SET version = $1, moved = CASE WHEN version = $1 THEN moved ELSE $4 END
         WHERE name = $2 AND version = $3",
    )
    .bind(from_count(next, "studies.version")?)
    .bind(study.as_str())
    .bind(from_count(version, "studies.version")?)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    if moved.rows_affected() == 0 {
        let known: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM studies WHERE name = $1")
            .bind(study.as_str())
            .fetch_one(&mut *connection)
            .await?;
        return Err(match known {
            0 => not_found(study),
            _ => RegistryError::Stale { study: study.clone() },
        });
    }
    Ok(next)
}

/// Within a transaction: keeps a whole phase, in which all additions so far are.
async fn keep_phase(connection: &mut SqliteConnection, study: &StudyName, phase: &Phase) -> Result<(), RegistryError> {
    sqlx::query(
        "INSERT INTO phases (study, phase) VALUES ($1, $2) ON CONFLICT (study) DO UPDATE SET phase = excluded.phase",
    )
    .bind(study.as_str())
    .bind(to_json(phase))
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM additions WHERE study = $1")
        .bind(study.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) fn not_found(study: &StudyName) -> RegistryError {
    RegistryError::refused(ProblemCode::NotFound, format!("there is no study {study}"))
}

fn study_of(row: &SqliteRow, additions: &[String]) -> Result<Study, RegistryError> {
    let mut phase: Phase = row.document("phase")?;
    for addition in additions {
        if !phase.add(&from_json(addition, "additions.addition")?) {
            return Err(RegistryError::Corrupt {
                what: "additions.addition",
            });
        }
    }
    Ok(Study {
        plan: row.document("plan")?,
        plan_digest: row.parsed("plan_digest")?,
        phase,
        version: row.count("version")?,
        created: row.number("created")?,
        moved: row.number("moved")?,
    })
}
