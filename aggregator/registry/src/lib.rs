//! What the aggregator remembers: its consortium, sites, studies, rounds, updates and releases.
//!
//! Facts are rows of one database that the server and the command line share; models and updates are files in an
//! [`ObjectFolder`]. Every verb of [`Registry`] that changes something is one named transaction, and it is durable
//! when the verb returns. Nothing may be acknowledged to a site before that. No token and no private key is kept, and
//! no verb decides anything about a round: `snowball-rounds` does, and the registry keeps its phase.
//!
//! Start at [`Registry`]; each file holds the verbs of one table.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod certificates;
mod consortium;
mod contests;
mod copy;
mod enrolments;
mod error;
mod evaluations;
mod evidence;
mod invitations;
mod objects;
mod participants;
mod releases;
mod rounds;
mod rows;
mod sites;
mod studies;
#[cfg(test)]
mod tests;
mod totals;
mod transaction;
mod updates;

use std::{path::Path, time::Duration};

use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use certificates::{Certificate, LIVE_CERTIFICATES_MAX, RevokedSerial, Standing};
pub use consortium::Consortium;
pub use contests::Contest;
pub use copy::tables;
pub use enrolments::{Decision, Enrolment, SUPERSEDED};
pub use error::RegistryError;
pub use invitations::Redeemed;
pub use objects::{MalformedObjectName, ObjectError, ObjectFolder, ObjectName};
pub use participants::{Answer, Participant};
pub use releases::Release;
pub use rounds::Round;
pub use sites::{Heard, KeptHead, Revocation, Site};
pub use studies::{Change, Study};
pub use totals::Totals;
pub use updates::{Upload, UploadState};

/// How long one connection waits for another's write before it is told that the database is busy.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Connections that only read.
const READERS_MAX: u32 = 4;

/// The aggregator's database. Cheap to clone; several processes may hold one on the same file.
#[derive(Clone, Debug)]
pub struct Registry {
    /// One connection, so that writers of this process queue here in order instead of polling for the file's lock.
    writer: SqlitePool,
    readers: SqlitePool,
    touched: sites::Touched,
}

impl Registry {
    /// Opens the database at `file`; makes it and brings its tables up to date where needed.
    ///
    /// # Errors
    /// When the file cannot be opened or written, is no such database, or comes from a newer program.
    pub async fn open(file: &Path) -> Result<Self, RegistryError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_WAIT);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await?;
        let reading = options.pragma("query_only", "ON");
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_lazy_with(reading);
        let touched = sites::Touched::default();
        let registry = Self {
            writer,
            readers,
            touched,
        };
        registry.migrate().await?;
        Ok(registry)
    }

    /// Closes the connections. Without it nothing is lost; the next to open cleans up.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// The counter of changes, if it is no longer `seen`: this process or another has changed something that others
    /// should look at. Heartbeats and the progress of uploads do not count. Start with 0.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn changed_since(&self, seen: u64) -> Result<Option<u64>, RegistryError> {
        let counter: i64 = sqlx::query_scalar("SELECT counter FROM changes")
            .fetch_one(&self.readers)
            .await?;
        let counter = rows::to_count(counter, "changes.counter")?;
        Ok((counter != seen).then_some(counter))
    }
}
