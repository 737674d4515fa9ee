//! Named transactions that write, and the tables they find.

use std::time::Duration;

use sqlx::{Sqlite, SqliteConnection};

use crate::{Registry, RegistryError};

/// The tables, one script a version. A script that was ever released is never changed.
pub(crate) const MIGRATIONS: [&str; 4] = [
    include_str!("../migrations/0001_begin.sql"),
    include_str!("../migrations/0002_authorities.sql"),
    include_str!("../migrations/0003_used.sql"),
    include_str!("../migrations/0004_additions.sql"),
];
/// How often a transaction is begun before another process's lock is taken for a fault; each try waits `BUSY_WAIT`.
const BEGINS_MAX: u32 = 4;
const PAUSE: Duration = Duration::from_millis(50);

/// A transaction that holds the right to write from its first statement on, so that it is never told "busy" in its
/// middle. Dropped without commit, it leaves no trace.
pub(crate) struct Transaction {
    name: &'static str,
    inner: sqlx::Transaction<'static, Sqlite>,
}

impl Registry {
    /// Begins the transaction `name` (an infinitive: "admit an update"), again while another process writes.
    pub(crate) async fn begin(&self, name: &'static str) -> Result<Transaction, RegistryError> {
        let mut tries = 1;
        loop {
            match self.writer.begin_with("BEGIN IMMEDIATE").await {
                Ok(inner) => return Ok(Transaction { name, inner }),
                Err(error) if is_busy(&error) && tries < BEGINS_MAX => {
                    tracing::debug!(transaction = name, tries, "the registry is busy; trying again");
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(source) if is_busy(&source) => {
                    return Err(RegistryError::Busy {
                        transaction: name,
                        source,
                    });
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Brings the tables up to date. Two processes may do it at once: the second finds it done.
    pub(crate) async fn migrate(&self) -> Result<(), RegistryError> {
        let mut transaction = self.begin("bring the tables up to date").await?;
        let connection = transaction.connection();
        sqlx::query("CREATE TABLE IF NOT EXISTS migrations (version BIGINT NOT NULL PRIMARY KEY)")
            .execute(&mut *connection)
            .await?;
        let found: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM migrations")
            .fetch_one(&mut *connection)
            .await?;
        let known = MIGRATIONS.len() as i64;
        if found > known {
            return Err(RegistryError::FromTheFuture { found, known });
        }
        for (version, script) in (1..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
            sqlx::raw_sql(script).execute(&mut *connection).await?;
            sqlx::query("INSERT INTO migrations (version) VALUES ($1)")
                .bind(version)
                .execute(&mut *connection)
                .await?;
        }
        transaction.commit_quietly().await
    }
}

impl Transaction {
    /// Where its statements go.
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.inner
    }

    /// Makes it durable and lets other processes see that something has changed.
    pub(crate) async fn commit(mut self) -> Result<(), RegistryError> {
        sqlx::query("UPDATE changes SET counter = counter + 1")
            .execute(self.connection())
            .await?;
        self.commit_quietly().await
    }

    /// Makes it durable. For what no other process waits for.
    pub(crate) async fn commit_quietly(self) -> Result<(), RegistryError> {
        self.inner.commit().await?;
        tracing::trace!(transaction = self.name, "committed");
        Ok(())
    }
}

/// SQLITE_BUSY (5) and its extended forms, whose low byte it is.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.and_then(|code| code.parse::<u32>().ok())
        .is_some_and(|code| code & 0xff == 5)
}
