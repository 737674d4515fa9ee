//! Updates on their way: announced, uploaded in pieces, then admitted, refused or superseded.
//!
//! The row says how many bytes are acknowledged; the file may hold more after a crash, never less.

use snowball_protocol::{
    Attempt, Problem, ProblemCode, RoundNumber, Sha256Digest, SiteName, StudyName,
    ids::{UnixSeconds, UploadId},
    receipt::SignedReceipt,
    update::UpdateHeader,
};
use snowball_rounds::AdmittedUpdate;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    ObjectName, Registry, RegistryError, rounds,
    rows::{Columns as _, from_count, to_json},
    sites,
    studies::{self, Change},
};

/// Most tries of one site in one round: a node that fails for ever fills neither the database nor the disk.
const ATTEMPTS_MAX: i64 = 64;

/// One update of one site.
#[derive(Clone, PartialEq, Debug)]
pub struct Upload {
    /// Under which id its bytes come.
    pub id: UploadId,
    /// Whose. Only this site may send them.
    pub site: SiteName,
    /// What was announced.
    pub header: UpdateHeader,
    /// Where its bytes are kept.
    pub file: ObjectName,
    /// How many of them are acknowledged.
    pub offset: u64,
    /// When it was announced.
    pub began: UnixSeconds,
    /// When it last moved: bytes, or a decision.
    pub moved: UnixSeconds,
    /// Where it stands.
    pub state: UploadState,
}

/// Where an update stands.
#[derive(Clone, PartialEq, Debug)]
// One lives at a time, so a box would save nothing.
#[allow(clippy::large_enum_variant)]
pub enum UploadState {
    /// Bytes are missing, or were not checked yet.
    Uploading,
    /// It counts.
    Admitted {
        /// What the strategy folds.
        update: AdmittedUpdate,
        /// What its site got for it.
        receipt: SignedReceipt,
    },
    /// It does not count.
    Refused {
        /// Why.
        problem: Problem,
    },
    /// The site announced a newer try before this one was whole.
    Superseded,
}

impl Registry {
    /// Begins an upload, or finds the one that began. A newer try supersedes the unfinished one before it.
    ///
    /// # Errors
    /// When this try was refused, superseded or announced with another content; when the site has contributed to the
    /// round already, or has tried too often; or the database fails.
    pub async fn begin_upload(
        &self,
        site: &SiteName,
        header: &UpdateHeader,
        now: UnixSeconds,
    ) -> Result<Upload, RegistryError> {
        let mut transaction = self.begin("begin an upload").await?;
        let id = id_of(site, header);
        if let Some(row) = fetch(transaction.connection(), &id).await? {
            return resume(&row, header);
        }
        expect_room(transaction.connection(), site, header).await?;
        sqlx::query(
            "UPDATE updates SET state = 'superseded'
             WHERE study = $1 AND round = $2 AND site = $3 AND state = 'uploading'",
        )
        .bind(header.study.as_str())
        .bind(i64::from(header.round.0))
        .bind(site.as_str())
        .execute(transaction.connection())
        .await?;
        let file = ObjectName::update(&header.study, header.round, site, header.attempt);
        sqlx::query(
            "INSERT INTO updates (id, study, round, site, attempt, header, bytes, file, held, began, moved, state)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $9, 'uploading')",
        )
        .bind(&id.0)
        .bind(header.study.as_str())
        .bind(i64::from(header.round.0))
        .bind(site.as_str())
        .bind(i64::from(header.attempt.0))
        .bind(to_json(header))
        .bind(from_count(header.bytes, "the update")?)
        .bind(file.to_string())
        .bind(now)
        .execute(transaction.connection())
        .await?;
        transaction.commit_quietly().await?;
        let (site, header) = (site.clone(), header.clone());
        Ok(Upload {
            id,
            site,
            header,
            file,
            offset: 0,
            began: now,
            moved: now,
            state: UploadState::Uploading,
        })
    }

    /// The update of `site` by its try, if it was announced. Look here first: a replayed announcement of an admitted
    /// update gets its receipt, also after the round.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_upload(
        &self,
        site: &SiteName,
        study: &StudyName,
        round: RoundNumber,
        attempt: Attempt,
    ) -> Result<Option<Upload>, RegistryError> {
        let row = sqlx::query("SELECT * FROM updates WHERE study = $1 AND round = $2 AND site = $3 AND attempt = $4")
            .bind(study.as_str())
            .bind(i64::from(round.0))
            .bind(site.as_str())
            .bind(i64::from(attempt.0))
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(upload_of).transpose()
    }

    /// The upload `id`, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn upload(&self, id: &UploadId) -> Result<Option<Upload>, RegistryError> {
        let row = sqlx::query("SELECT * FROM updates WHERE id = $1")
            .bind(&id.0)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(upload_of).transpose()
    }

    /// Acknowledges the bytes up to `to`, which are on disk. No other process waits for it.
    ///
    /// # Errors
    /// When the upload does not stand at `from`, takes no more bytes, or would grow past its announced size; or the
    /// database fails.
    pub async fn advance_upload(
        &self,
        id: &UploadId,
        from: u64,
        to: u64,
        now: UnixSeconds,
    ) -> Result<(), RegistryError> {
        let mut transaction = self.begin("advance an upload").await?;
        let upload = expect_uploading(transaction.connection(), id).await?;
        if upload.offset != from || to < from {
            let reason = format!("the upload stands at {} bytes, not {from}", upload.offset);
            return Err(RegistryError::refused(ProblemCode::OffsetMismatch, reason));
        }
        if to > upload.header.bytes {
            let reason = format!("the upload was announced with {} bytes", upload.header.bytes);
            return Err(RegistryError::refused(ProblemCode::TooLarge, reason));
        }
        sqlx::query("UPDATE updates SET held = $1, moved = $3 WHERE id = $2")
            .bind(from_count(to, "the offset")?)
            .bind(&id.0)
            .bind(now)
            .execute(transaction.connection())
            .await?;
        transaction.commit_quietly().await
    }

    /// Counts an update: its state, its receipt, the phase that it led to and its site's ledger head, all or nothing.
    ///
    /// # Errors
    /// [`RegistryError::Stale`] when the study is no longer at `version`; when the upload is not whole, is somebody
    /// else's, was decided meanwhile or is of a site that was revoked meanwhile; or the database fails.
    pub async fn admit_update(
        &self,
        id: &UploadId,
        version: u64,
        change: impl Into<Change<'_>>,
        admitted: &AdmittedUpdate,
        receipt: &SignedReceipt,
        now: UnixSeconds,
    ) -> Result<u64, RegistryError> {
        let mut transaction = self.begin("admit an update").await?;
        let Upload {
            site, header, offset, ..
        } = expect_uploading(transaction.connection(), id).await?;
        // Another process may have revoked it since the intake looked.
        sites::expect_in_good_standing(transaction.connection(), &site).await?;
        let is_it = *admitted.site() == site
            && admitted.round() == header.round
            && admitted.attempt() == header.attempt
            && admitted.digest() == header.digest;
        if !is_it || offset != header.bytes {
            let reason = "the update that was checked is not the one that was uploaded whole";
            return Err(RegistryError::refused(ProblemCode::DigestMismatch, reason));
        }
        // First the update: closing the round refuses whatever is still uploading.
        sqlx::query("UPDATE updates SET state = 'admitted', admitted = $1, receipt = $2, moved = $4 WHERE id = $3")
            .bind(to_json(admitted))
            .bind(to_json(receipt))
            .bind(&id.0)
            .bind(now)
            .execute(transaction.connection())
            .await?;
        let version = studies::advance(transaction.connection(), &header.study, version, change, now).await?;
        sites::keep_ledger_head(transaction.connection(), &site, header.ledger_index, header.ledger_head).await?;
        transaction.commit().await?;
        Ok(version)
    }

    /// Turns an update down, and notes it for the record of its round.
    ///
    /// # Errors
    /// When it was decided otherwise, or the database fails.
    pub async fn refuse_update(&self, id: &UploadId, problem: &Problem, now: UnixSeconds) -> Result<(), RegistryError> {
        let mut transaction = self.begin("refuse an update").await?;
        let upload = expect_uploading(transaction.connection(), id).await?;
        refuse(transaction.connection(), &upload, problem, now).await?;
        transaction.commit().await
    }

    /// The updates that count in a round, by site.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn admitted(&self, study: &StudyName, round: RoundNumber) -> Result<Vec<Upload>, RegistryError> {
        let rows =
            sqlx::query("SELECT * FROM updates WHERE study = $1 AND round = $2 AND state = 'admitted' ORDER BY site")
                .bind(study.as_str())
                .bind(i64::from(round.0))
                .fetch_all(&self.readers)
                .await?;
        rows.iter().map(upload_of).collect()
    }

    /// The updates of a round whose bytes are under way, by site.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn under_way(&self, study: &StudyName, round: RoundNumber) -> Result<Vec<Upload>, RegistryError> {
        let rows =
            sqlx::query("SELECT * FROM updates WHERE study = $1 AND round = $2 AND state = 'uploading' ORDER BY site")
                .bind(study.as_str())
                .bind(i64::from(round.0))
                .fetch_all(&self.readers)
                .await?;
        rows.iter().map(upload_of).collect()
    }

    /// Updates whose files nobody needs any more: refused, superseded, or of a round whose model is made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn spent_files(&self) -> Result<Vec<Upload>, RegistryError> {
        let rows = sqlx::query(
            "SELECT updates.* FROM updates
             JOIN rounds ON rounds.study = updates.study AND rounds.round = updates.round
             WHERE updates.file_gone = 0
                 AND (updates.state IN ('refused', 'superseded') OR rounds.record IS NOT NULL)",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(upload_of).collect()
    }

    /// Notes that the files of these updates were deleted. No other process waits for it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_files(&self, ids: &[UploadId]) -> Result<(), RegistryError> {
        let mut transaction = self.begin("forget the files of updates").await?;
        for id in ids {
            sqlx::query("UPDATE updates SET file_gone = 1 WHERE id = $1")
                .bind(&id.0)
                .execute(transaction.connection())
                .await?;
        }
        transaction.commit_quietly().await
    }
}

/// Within a transaction: refuses what is still uploading for a round that closes.
pub(crate) async fn refuse_unfinished(
    connection: &mut SqliteConnection,
    study: &StudyName,
    round: RoundNumber,
    now: UnixSeconds,
) -> Result<(), RegistryError> {
    let rows = sqlx::query("SELECT * FROM updates WHERE study = $1 AND round = $2 AND state = 'uploading'")
        .bind(study.as_str())
        .bind(i64::from(round.0))
        .fetch_all(&mut *connection)
        .await?;
    let problem = Problem::new(
        ProblemCode::RoundClosed,
        format!("round {round} closed before this update was whole"),
    );
    for row in &rows {
        refuse(connection, &upload_of(row)?, &problem, now).await?;
    }
    Ok(())
}

async fn refuse(
    connection: &mut SqliteConnection,
    upload: &Upload,
    problem: &Problem,
    now: UnixSeconds,
) -> Result<(), RegistryError> {
    sqlx::query("UPDATE updates SET state = 'refused', problem = $1, moved = $3 WHERE id = $2")
        .bind(to_json(problem))
        .bind(&upload.id.0)
        .bind(now)
        .execute(&mut *connection)
        .await?;
    rounds::refuse(
        connection,
        &upload.header.study,
        upload.header.round,
        &upload.site,
        problem,
        now,
    )
    .await
}

/// The same try always has the same id. It is no secret: only its site's certificate may use it.
fn id_of(site: &SiteName, header: &UpdateHeader) -> UploadId {
    let text = format!(
        "snowball upload v1\n{}\n{}\n{site}\n{}",
        header.study, header.round, header.attempt.0
    );
    UploadId(
        Sha256Digest::of(text.as_bytes())
            .to_string()
            .trim_start_matches("sha256:")[..32]
            .to_owned(),
    )
}

async fn fetch(connection: &mut SqliteConnection, id: &UploadId) -> Result<Option<SqliteRow>, RegistryError> {
    Ok(sqlx::query("SELECT * FROM updates WHERE id = $1")
        .bind(&id.0)
        .fetch_optional(connection)
        .await?)
}

/// The announcement of a try that is known already. Texts are compared, so that no number is rounded on the way.
fn resume(row: &SqliteRow, header: &UpdateHeader) -> Result<Upload, RegistryError> {
    if row.text("header")? != to_json(header) {
        let reason = format!("try {} was announced with another content", header.attempt.0);
        let problem = Problem::new(ProblemCode::DigestMismatch, reason).with_remedy("announce it as the next try");
        return Err(RegistryError::Refused(problem));
    }
    let upload = upload_of(row)?;
    match upload.state {
        UploadState::Refused { problem } => Err(RegistryError::Refused(problem)),
        UploadState::Superseded => Err(superseded()),
        UploadState::Uploading | UploadState::Admitted { .. } => Ok(upload),
    }
}

/// Refuses a try that comes after the site's update counted, after a newer try, or after too many.
async fn expect_room(
    connection: &mut SqliteConnection,
    site: &SiteName,
    header: &UpdateHeader,
) -> Result<(), RegistryError> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS tries, COALESCE(MAX(attempt), -1) AS newest,
             COALESCE(SUM(CASE WHEN state = 'admitted' THEN 1 ELSE 0 END), 0) AS admitted
         FROM updates WHERE study = $1 AND round = $2 AND site = $3",
    )
    .bind(header.study.as_str())
    .bind(i64::from(header.round.0))
    .bind(site.as_str())
    .fetch_one(connection)
    .await?;
    if row.number("admitted")? > 0 {
        let reason = format!("{site} has already contributed to round {}", header.round);
        return Err(RegistryError::refused(ProblemCode::AlreadyContributed, reason));
    }
    if row.number("newest")? > i64::from(header.attempt.0) {
        return Err(superseded());
    }
    if row.number("tries")? >= ATTEMPTS_MAX {
        let reason = format!("{site} has tried {ATTEMPTS_MAX} times in round {}", header.round);
        let problem = Problem::new(ProblemCode::RoundClosed, reason).with_remedy("look at the node's log");
        return Err(RegistryError::Refused(problem));
    }
    Ok(())
}

fn superseded() -> RegistryError {
    let problem = Problem::new(ProblemCode::RoundClosed, "a newer try of this update was announced");
    RegistryError::Refused(problem.with_remedy("send the newer one"))
}

async fn expect_uploading(connection: &mut SqliteConnection, id: &UploadId) -> Result<Upload, RegistryError> {
    let row = fetch(connection, id).await?;
    let row = row.ok_or_else(|| RegistryError::refused(ProblemCode::NotFound, "there is no such upload"))?;
    let upload = upload_of(&row)?;
    match upload.state {
        UploadState::Uploading => Ok(upload),
        UploadState::Refused { problem } => Err(RegistryError::Refused(problem)),
        UploadState::Superseded => Err(superseded()),
        UploadState::Admitted { .. } => Err(RegistryError::refused(
            ProblemCode::AlreadyContributed,
            "this update counts already",
        )),
    }
}

fn upload_of(row: &SqliteRow) -> Result<Upload, RegistryError> {
    Ok(Upload {
        id: UploadId(row.text("id")?),
        site: row.parsed("site")?,
        header: row.document("header")?,
        file: row.parsed("file")?,
        offset: row.count("held")?,
        began: row.number("began")?,
        moved: row.number("moved")?,
        state: match row.text("state")?.as_str() {
            "admitted" => UploadState::Admitted {
                update: row.document("admitted")?,
                receipt: row.document("receipt")?,
            },
            "refused" => UploadState::Refused {
                problem: row.document("problem")?,
            },
            "superseded" => UploadState::Superseded,
            _ => UploadState::Uploading,
        },
    })
}
