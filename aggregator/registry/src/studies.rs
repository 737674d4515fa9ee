//! Studies: the plan, and the phase that is kept by compare and swap.

use snowball_protocol::{ProblemCode, Sha256Digest, StudyName, StudyPlan, ids::UnixSeconds};
use snowball_rounds::{Phase, Step};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    Registry, RegistryError, rounds,
    rows::{Columns as _, from_count, to_json},
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
            "INSERT INTO studies (name, plan, plan_digest, phase, version, created, moved) VALUES ($1, $2, $3, $4, 1, $5, $5)
             ON CONFLICT DO NOTHING",
        )
        .bind(plan.study.as_str())
        .bind(String::from_utf8_lossy(&canonical).into_owned())
        .bind(digest.to_string())
        .bind(to_json(&Phase::draft()))
        .bind(now)
        .execute(transaction.connection())
        .await?;
        if added.rows_affected() == 0 {
            let reason = format!("there is a study {} already", plan.study);
            return Err(RegistryError::refused(ProblemCode::Malformed, reason));
        }
        transaction.commit().await
    }

    /// The study `name`, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn study(&self, name: &StudyName) -> Result<Option<Study>, RegistryError> {
        let row = sqlx::query("SELECT * FROM studies WHERE name = $1")
            .bind(name.as_str())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(study_of).transpose()
    }

    /// Every study, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn studies(&self) -> Result<Vec<Study>, RegistryError> {
        let rows = sqlx::query("SELECT * FROM studies ORDER BY created, name")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(study_of).collect()
    }

    /// Keeps the phase that `step` led to and the facts of its round. Gives the study's new version.
    ///
    /// # Errors
    /// [`RegistryError::Stale`] when the study is no longer at `version`; or the database fails.
    pub async fn save_phase(
        &self,
        study: &StudyName,
        version: u64,
        step: &Step,
        now: UnixSeconds,
    ) -> Result<u64, RegistryError> {
        let mut transaction = self.begin("save a phase").await?;
        let version = advance(transaction.connection(), study, version, step, now).await?;
        transaction.commit().await?;
        Ok(version)
    }
}

/// Within a transaction: what [`Registry::save_phase`] does. A step that changed nothing only checks the version.
pub(crate) async fn advance(
    connection: &mut SqliteConnection,
    study: &StudyName,
    version: u64,
    step: &Step,
    now: UnixSeconds,
) -> Result<u64, RegistryError> {
    let next = if step.changed {
        version.saturating_add(1)
    } else {
        version
    };
    let moved = sqlx::query(
        "UPDATE studies SET phase = $1, version = $2, moved = CASE WHEN version = $2 THEN moved ELSE $5 END
         WHERE name = $3 AND version = $4",
    )
    .bind(to_json(&step.phase))
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
    if step.changed {
        rounds::keep(connection, study, &step.phase).await?;
    }
    Ok(next)
}

pub(crate) fn not_found(study: &StudyName) -> RegistryError {
    RegistryError::refused(ProblemCode::NotFound, format!("there is no study {study}"))
}

fn study_of(row: &SqliteRow) -> Result<Study, RegistryError> {
    Ok(Study {
        plan: row.document("plan")?,
        plan_digest: row.parsed("plan_digest")?,
        phase: row.document("phase")?,
        version: row.count("version")?,
        created: row.number("created")?,
        moved: row.number("moved")?,
    })
}
