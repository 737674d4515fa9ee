//! The hospitals that take part.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use snowball_protocol::{ProblemCode, Sha256Digest, SiteName, ids::UnixSeconds};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    Enrolment, Registry, RegistryError,
    rows::{Columns as _, from_count, to_count, to_json},
};

/// How seldom a site's last sign of life is written down, in seconds.
const TOUCH_SECONDS: UnixSeconds = 10;

/// The last sign of life of each site that stands in the database, and the certificate that it came with, as far as this process knows:
/// every request is one, and nearly none need be looked up. A site is here from its first request on.
#[derive(Clone, Default, Debug)]
pub(crate) struct Touched(Arc<Mutex<HashMap<SiteName, (String, UnixSeconds)>>>);

impl Touched {
    fn is_recent(&self, site: &SiteName, serial: &str, now: UnixSeconds) -> bool {
        let touched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = touched.get(site);
        known.is_some_and(|(with, last)| with == serial && is_recent(*last, now))
    }

    fn keep(&self, site: &SiteName, serial: &str, last: UnixSeconds) {
        let mut touched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        touched.insert(site.clone(), (serial.to_owned(), last));
    }
}

fn is_recent(last: UnixSeconds, now: UnixSeconds) -> bool {
    now.abs_diff(last) < TOUCH_SECONDS.unsigned_abs()
}

/// A hospital that was enrolled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    /// Its name.
    pub name: SiteName,
    /// The Ed25519 key of its ledger, base64.
    pub ledger_key: String,
    /// When it was last approved.
    pub enrolled: UnixSeconds,
    /// When and why it was revoked, if it is.
    pub revoked: Option<Revocation>,
    /// Its last sign of life, within some seconds.
    pub last_seen: Option<UnixSeconds>,
    /// What its last hello said.
    pub heard: Option<Heard>,
    /// Index of the newest ledger entry that came with an update.
    pub ledger_index: Option<u64>,
    /// Hash of that entry.
    pub ledger_head: Option<Sha256Digest>,
    /// The newest signed head of its ledger, countersigned.
    pub head: Option<KeptHead>,
    /// Hash of the head that was refused since, if one was.
    pub head_refused: Option<Sha256Digest>,
    /// Serial numbers of its certificates that are not revoked.
    pub serials: Vec<String>,
    /// Fingerprints of the CAs that it has said that it trusts, since it was last approved.
    pub authorities: Vec<Sha256Digest>,
}

/// A signed head of a site's ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptHead {
    /// How many records it answers for.
    pub entries: u64,
    /// Hash of the last of them.
    pub hash: Sha256Digest,
    /// The signed note, with the aggregator's cosignature.
    pub note: String,
}

/// When and why a site was revoked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revocation {
    /// When.
    pub at: UnixSeconds,
    /// Why.
    pub reason: String,
}

/// What a site's hello says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heard {
    /// Its program's version.
    pub program_version: String,
    /// The protocol version that both sides speak.
    pub protocol: u16,
    /// Digest of the policy in force there, if any.
    pub policy_digest: Option<Sha256Digest>,
}

impl Registry {
    /// Every site, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sites(&self) -> Result<Vec<Site>, RegistryError> {
        let mut snapshot = self.readers.begin().await?;
        let rows = sqlx::query("SELECT * FROM sites ORDER BY name")
            .fetch_all(&mut *snapshot)
            .await?;
        let serials =
            sqlx::query("SELECT site, serial FROM certificates WHERE revoked IS NULL ORDER BY issued, serial")
                .fetch_all(&mut *snapshot)
                .await?;
        let mut by_site: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in &serials {
            by_site.entry(row.text("site")?).or_default().push(row.text("serial")?);
        }
        rows.iter()
            .map(|row| site_of(row, by_site.remove(&row.text("name")?).unwrap_or_default()))
            .collect()
    }

    /// The sites that are shut out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoked_sites(&self) -> Result<BTreeSet<SiteName>, RegistryError> {
        let rows = sqlx::query("SELECT name FROM sites WHERE revoked IS NOT NULL")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|row| row.parsed("name")).collect()
    }

    /// The site `name`, if it was enrolled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn site(&self, name: &SiteName) -> Result<Option<Site>, RegistryError> {
        let mut snapshot = self.readers.begin().await?;
        let row = sqlx::query("SELECT * FROM sites WHERE name = $1")
            .bind(name.as_str())
            .fetch_optional(&mut *snapshot)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let serials = sqlx::query_scalar(
            "SELECT serial FROM certificates WHERE site = $1 AND revoked IS NULL ORDER BY issued, serial",
        )
        .bind(name.as_str())
        .fetch_all(&mut *snapshot)
        .await?;
        site_of(&row, serials).map(Some)
    }

    /// Shuts a site out: itself, all its certificates, and its invitations that nobody has used. Again is fine; the
    /// first reason stays.
    ///
    /// # Errors
    /// When there is no such site, or the database fails.
    pub async fn revoke_site(&self, site: &SiteName, reason: &str, now: UnixSeconds) -> Result<(), RegistryError> {
        let mut transaction = self.begin("revoke a site").await?;
        read_revocation(transaction.connection(), site).await?;
        sqlx::query("UPDATE sites SET revoked = $1, revoked_reason = $2 WHERE name = $3 AND revoked IS NULL")
            .bind(now)
            .bind(reason)
            .bind(site.as_str())
            .execute(transaction.connection())
            .await?;
        sqlx::query("UPDATE certificates SET revoked = $1, revoked_reason = $2 WHERE site = $3 AND revoked IS NULL")
            .bind(now)
            .bind(reason)
            .bind(site.as_str())
            .execute(transaction.connection())
            .await?;
        sqlx::query("DELETE FROM invitations WHERE site = $1 AND enrolment IS NULL")
            .bind(site.as_str())
            .execute(transaction.connection())
            .await?;
        transaction.commit().await
    }

    /// Writes down what a site's hello said. No other process waits for it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn seen(&self, site: &SiteName, heard: &Heard, now: UnixSeconds) -> Result<(), RegistryError> {
        let mut transaction = self.begin("hear from a site").await?;
        sqlx::query(
            "UPDATE sites SET last_seen = $1, program_version = $2, protocol = $3, policy_digest = $4 WHERE name = $5",
        )
        .bind(now)
        .bind(&heard.program_version)
        .bind(i64::from(heard.protocol))
        .bind(heard.policy_digest.map(|digest| digest.to_string()))
        .bind(site.as_str())
        .execute(transaction.connection())
        .await?;
        transaction.commit_quietly().await
    }

    /// Keeps the newest signed head of a site's ledger in place of the one before; a refusal since is forgotten.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_head(&self, site: &SiteName, head: &KeptHead) -> Result<(), RegistryError> {
        let mut transaction = self.begin("keep a ledger's head").await?;
        sqlx::query(
            "UPDATE sites SET head_entries = $1, head_hash = $2, head_note = $3, head_refused = NULL WHERE name = $4",
        )
        .bind(from_count(head.entries, "head_entries")?)
        .bind(head.hash.to_string())
        .bind(&head.note)
        .bind(site.as_str())
        .execute(transaction.connection())
        .await?;
        transaction.commit_quietly().await
    }

    /// Notes that the head with this hash was refused.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_refused_head(&self, site: &SiteName, hash: Sha256Digest) -> Result<(), RegistryError> {
        let mut transaction = self.begin("refuse a ledger's head").await?;
        sqlx::query("UPDATE sites SET head_refused = $1 WHERE name = $2")
            .bind(hash.to_string())
            .bind(site.as_str())
            .execute(transaction.connection())
            .await?;
        transaction.commit_quietly().await
    }

    /// Writes down which CAs a site has said that it trusts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_authorities(&self, site: &SiteName, authorities: &[Sha256Digest]) -> Result<(), RegistryError> {
        let mut transaction = self.begin("note which CAs a site trusts").await?;
        sqlx::query("UPDATE sites SET authorities = $1 WHERE name = $2")
            .bind(to_json(&authorities))
            .bind(site.as_str())
            .execute(transaction.connection())
            .await?;
        transaction.commit_quietly().await
    }

    /// Writes down a site's sign of life, at most every ten seconds, and that its certificate `serial` has come to use.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch(&self, site: &SiteName, serial: &str, now: UnixSeconds) -> Result<(), RegistryError> {
        if self.touched.is_recent(site, serial, now) {
            return Ok(());
        }
        let known = sqlx::query(
            "SELECT sites.last_seen, certificates.used FROM sites
             LEFT JOIN certificates ON certificates.site = sites.name AND certificates.serial = $2 WHERE sites.name = $1",
        )
        .bind(site.as_str())
        .bind(serial)
        .fetch_optional(&self.readers)
        .await?;
        let Some(known) = known else { return Ok(()) };
        let seen = known.number_or_none("last_seen")?.filter(|last| is_recent(*last, now));
        if let (Some(last), Some(_)) = (seen, known.number_or_none("used")?) {
            self.touched.keep(site, serial, last);
            return Ok(());
        }
        let mut transaction = self.begin("note a sign of life").await?;
        sqlx::query("UPDATE certificates SET used = COALESCE(used, $1) WHERE serial = $2 AND site = $3")
            .bind(now)
            .bind(serial)
            .bind(site.as_str())
            .execute(transaction.connection())
            .await?;
        sqlx::query("UPDATE sites SET last_seen = $1 WHERE name = $2")
            .bind(now)
            .bind(site.as_str())
            .execute(transaction.connection())
            .await?;
        transaction.commit_quietly().await?;
        self.touched.keep(site, serial, now);
        Ok(())
    }
}

/// Makes the site of an approved enrolment, or lets it back in. A new ledger key begins a new ledger.
pub(crate) async fn admit(
    connection: &mut SqliteConnection,
    enrolment: &Enrolment,
    now: UnixSeconds,
) -> Result<(), RegistryError> {
    sqlx::query(
        "INSERT INTO sites (name, ledger_key, enrolled) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET
             ledger_index = CASE WHEN sites.ledger_key = excluded.ledger_key THEN sites.ledger_index END,
             ledger_head = CASE WHEN sites.ledger_key = excluded.ledger_key THEN sites.ledger_head END,
             head_entries = CASE WHEN sites.ledger_key = excluded.ledger_key THEN sites.head_entries END,
             head_hash = CASE WHEN sites.ledger_key = excluded.ledger_key THEN sites.head_hash END,
             head_note = CASE WHEN sites.ledger_key = excluded.ledger_key THEN sites.head_note END,
             head_refused = CASE WHEN sites.ledger_key = excluded.ledger_key THEN sites.head_refused END,
             ledger_key = excluded.ledger_key, enrolled = excluded.enrolled, revoked = NULL, revoked_reason = NULL,
             authorities = NULL",
    )
    .bind(enrolment.site.as_str())
    .bind(&enrolment.ledger_key)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Refuses a site that is unknown or revoked.
pub(crate) async fn expect_in_good_standing(
    connection: &mut SqliteConnection,
    site: &SiteName,
) -> Result<(), RegistryError> {
    match read_revocation(connection, site).await? {
        None => Ok(()),
        Some(_) => Err(RegistryError::refused(
            ProblemCode::CertificateRevoked,
            format!("{site} is revoked"),
        )),
    }
}

/// Keeps the newest ledger entry that a site has announced.
pub(crate) async fn keep_ledger_head(
    connection: &mut SqliteConnection,
    site: &SiteName,
    index: u64,
    head: Sha256Digest,
) -> Result<(), RegistryError> {
    sqlx::query(
        "UPDATE sites SET ledger_index = $1, ledger_head = $2
         WHERE name = $3 AND (ledger_index IS NULL OR ledger_index <= $1)",
    )
    .bind(from_count(index, "ledger_index")?)
    .bind(head.to_string())
    .bind(site.as_str())
    .execute(connection)
    .await?;
    Ok(())
}

async fn read_revocation(connection: &mut SqliteConnection, site: &SiteName) -> Result<Option<i64>, RegistryError> {
    let row: Option<Option<i64>> = sqlx::query_scalar("SELECT revoked FROM sites WHERE name = $1")
        .bind(site.as_str())
        .fetch_optional(connection)
        .await?;
    row.ok_or_else(|| RegistryError::refused(ProblemCode::NotFound, format!("there is no site {site}")))
}

fn site_of(row: &SqliteRow, serials: Vec<String>) -> Result<Site, RegistryError> {
    let revoked = match row.number_or_none("revoked")? {
        Some(at) => Some(Revocation {
            at,
            reason: row.text_or_none("revoked_reason")?.unwrap_or_default(),
        }),
        None => None,
    };
    let heard = match row.text_or_none("program_version")? {
        Some(program_version) => Some(Heard {
            program_version,
            protocol: u16::try_from(row.number("protocol")?)
                .map_err(|_| RegistryError::Corrupt { what: "sites.protocol" })?,
            policy_digest: row.parsed_or_none("policy_digest")?,
        }),
        None => None,
    };
    let ledger_index = row.number_or_none("ledger_index")?;
    let head = match row.text_or_none("head_note")? {
        Some(note) => Some(KeptHead {
            entries: row.count("head_entries")?,
            hash: row.parsed("head_hash")?,
            note,
        }),
        None => None,
    };
    Ok(Site {
        name: row.parsed("name")?,
        ledger_key: row.text("ledger_key")?,
        enrolled: row.number("enrolled")?,
        revoked,
        last_seen: row.number_or_none("last_seen")?,
        heard,
        ledger_index: ledger_index
            .map(|index| to_count(index, "sites.ledger_index"))
            .transpose()?,
        ledger_head: row.parsed_or_none("ledger_head")?,
        head,
        head_refused: row.parsed_or_none("head_refused")?,
        serials,
        authorities: row.document_or_none("authorities")?.unwrap_or_default(),
    })
}
