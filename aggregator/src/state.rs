//! What the routes and the drivers share.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use snowball_crypto::SigningKey;
use snowball_ledger::{Entry, Ledger};
use snowball_protocol::ids::UnixSeconds;
use snowball_registry::{ObjectFolder, Registry};

use crate::{
    api::{Heads, Outcomes, Pace, Shares, Shelves},
    driver::Studies,
    home::Home,
    identity::Present,
    intake::Uploads,
    journal::{Journal, JournalFault, Outbox, Writing},
    revoked::Revoked,
    stop::Stop,
};

/// How the ledger names this side.
pub const LEDGER_OWNER: &str = snowball_ledger::AGGREGATOR;

/// The stores and the key: what a driver needs.
pub struct Core {
    /// Sites, studies, rounds, updates.
    pub registry: Registry,
    /// Models and updates as files.
    pub objects: ObjectFolder,
    /// What the stretches of a round's updates may take in memory together, in bytes.
    pub aggregation_bytes: usize,
    /// The ledger's one writer.
    pub journal: Journal,
    /// Signs receipts and the list of CAs.
    pub key: SigningKey,
    /// Certificates that are in force no more.
    pub revoked: Revoked,
}

/// Everything that a request may need.
pub struct App {
    /// The stores and the key.
    pub core: Arc<Core>,
    /// The studies that run in this process.
    pub studies: Studies,
    /// Whose head is being compared with the one before.
    pub heads: Heads,
    /// What the newest rounds made.
    pub outcomes: Outcomes,
    /// Uploads under way.
    pub uploads: Uploads,
    /// Models that are fetched at this moment.
    pub shelves: Shelves,
    /// Whom the server is and whom it trusts at this moment.
    pub identity: Present,
    /// The aggregator's folder, for the CAs' keys, which are read when they are needed.
    pub home: Home,
    /// How long a site's certificate holds.
    pub site_certificate_days: u32,
    /// How often strangers may ask for enrolment.
    pub pace: Pace,
    /// How much each site may ask.
    pub shares: Shares,
    /// Heard when the server is asked to stop.
    pub stop: Stop,
}

/// The state as routes hold it.
pub type Shared = Arc<App>;

impl Core {
    /// Opens the stores of `home`; fails where another process serves it already.
    pub async fn open(home: &Home) -> Result<Arc<Self>> {
        let (key, config) = (home.signing_key()?, home.config()?);
        let ledger = Ledger::open(&home.ledger_dir(), LEDGER_OWNER, home.signing_key()?)
            .context("cannot open the ledger; is another process at work in this folder?")?
            .with_archives_of(config.ledger_archive_bytes());
        let registry = Registry::open(&home.database_file())
            .await
            .context("cannot open the database")?;
        let objects =
            ObjectFolder::open(&home.objects_dir()).context("cannot open the folder of models and updates")?;
        let journal = Journal::start(ledger, Outbox::at(&home.outbox_dir()), &home.ledger_dir())?;
        Ok(Arc::new(Self {
            registry,
            objects,
            aggregation_bytes: config.aggregation_bytes(),
            journal,
            key,
            revoked: Revoked::default(),
        }))
    }

    /// Writes `entries` into the ledger; durable when it returns. A ledger that cannot be written is reported loudly:
    /// what it should have said is in the database and is added at the next start.
    pub async fn record(&self, now: UnixSeconds, entries: Vec<Entry>) {
        self.begin_record(now, entries).await.done().await;
    }

    /// The same, durable when what is returned says so.
    pub async fn begin_record(&self, now: UnixSeconds, entries: Vec<Entry>) -> Recording {
        Recording(self.journal.begin(now, entries).await)
    }
}

/// Entries on their way into the ledger.
pub struct Recording(Result<Writing, JournalFault>);

impl Recording {
    /// Returns when they are durable.
    pub async fn done(self) {
        let written = match self.0 {
            Ok(writing) => writing.done().await,
            Err(fault) => Err(fault),
        };
        if let Err(error) = written {
            tracing::error!(%error, "the ledger could not be written");
        }
    }
}
