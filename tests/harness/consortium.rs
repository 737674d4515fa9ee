//! Making a consortium as people would: homes, policies, intake, invitations, approvals.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use snowball_protocol::{Sha256Digest, SiteName, StudyPlan};
use snowball_service::clock;
use tokio::sync::mpsc;

use crate::{
    children::{Running, Said},
    programs::{Programs, ask},
};

/// The consortium's folder and everybody in it.
pub struct Consortium {
    /// Where everything lies.
    pub root: PathBuf,
    /// The programs that it runs.
    pub programs: Programs,
    /// The hospitals.
    pub sites: Vec<Site>,
}

/// One hospital with its home.
#[derive(Clone)]
pub struct Site {
    /// Its name in the consortium.
    pub name: SiteName,
    /// The node's folder.
    pub home: PathBuf,
    /// Its radiographs.
    pub dicom: PathBuf,
}

/// What a board permits, where it differs from the usual.
#[derive(Clone, Debug)]
pub struct PolicyWish {
    /// `local`, `proof-of-concept`, `collaboration`.
    pub stage: &'static str,
    /// What may leave.
    pub release: Vec<&'static str>,
    /// First day, in days from today.
    pub begins_days: i64,
    /// Last day, in days from today.
    pub ends_days: i64,
    /// When a training may begin, as policies write it; empty: never.
    pub training_hours: &'static str,
    /// Most rounds of all studies together.
    pub rounds_all_studies_max: u32,
}

impl Default for PolicyWish {
    fn default() -> Self {
        Self {
            stage: "collaboration",
            release: vec!["update", "metrics"],
            begins_days: -1,
            ends_days: 30,
            training_hours: "always",
            rounds_all_studies_max: 1000,
        }
    }
}

impl Consortium {
    /// A consortium in `root` with a site for each name and folder of radiographs.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(root: &Path, programs: Programs, sites: Vec<(SiteName, PathBuf)>) -> Result<Self> {
        std::fs::create_dir_all(root.join("logs")).with_context(|| format!("cannot make {}", root.display()))?;
        let site = |(name, dicom): (SiteName, PathBuf)| Site {
            home: root.join(name.as_str()),
            name,
            dicom,
        };
        Ok(Self {
            root: root.to_owned(),
            programs,
            sites: sites.into_iter().map(site).collect(),
        })
    }

    /// The aggregator's folder.
    #[must_use]
    pub fn aggregator_home(&self) -> PathBuf {
        self.root.join("aggregator")
    }

    /// Where the study's plan lies.
    #[must_use]
    pub fn plan_file(&self) -> PathBuf {
        self.root.join("plan.toml")
    }

    /// A program's log.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(format!("{name}.log"))
    }

    /// Asks the aggregator's command line.
    ///
    /// # Errors
    /// When the program refuses; its own words are in the error.
    pub async fn aggregator(&self, arguments: &[&str]) -> Result<Value> {
        ask(&self.programs.aggregator, &self.aggregator_home(), arguments).await
    }

    /// Asks a node's command line.
    ///
    /// # Errors
    /// As [`aggregator`](Self::aggregator).
    pub async fn node(&self, site: &Site, arguments: &[&str]) -> Result<Value> {
        ask(&self.programs.node, &site.home, arguments).await
    }

    /// Makes an aggregator that will be reached at `localhost:port`.
    ///
    /// # Errors
    /// When `init` refuses.
    pub async fn found(&self, port: u16) -> Result<()> {
        let address = format!("localhost:{port}");
        let arguments = [
            "init",
            "--consortium",
            "snowball-test",
            "--address",
            &address,
            "--name",
            "127.0.0.1",
        ];
        self.aggregator(&arguments).await.map(drop)
    }

    /// Serves on `127.0.0.1:port` and waits until it listens.
    ///
    /// # Errors
    /// When it ends or does not listen within ten seconds.
    pub async fn serve(&self, port: u16, hear: &mpsc::Sender<Said>) -> Result<Running> {
        let (home, log) = (self.aggregator_home(), self.log("aggregator"));
        let listen = format!("127.0.0.1:{port}");
        let program = &self.programs.aggregator;
        let mut running = Running::start(
            "aggregator",
            program,
            &home,
            &["serve", "--listen", &listen],
            &log,
            hear.clone(),
        )?;
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Ok(running);
            }
            running.check()?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the aggregator does not listen; see {}", log.display())
    }

    /// Makes a site's node. Its secret follows from the site's name: which part a patient belongs to follows from the secret, and
    /// with few patients one drawn anew each time would leave a site without validation patients every hundredth time.
    ///
    /// # Errors
    /// When `init` refuses or the secret cannot be written.
    pub async fn make_node(&self, site: &Site, threads: u32) -> Result<()> {
        let threads = threads.to_string();
        self.node(site, &["init", "--site", site.name.as_str(), "--threads", &threads])
            .await?;
        let secret = hex::encode(Sha256Digest::of(format!("the test secret of {}", site.name).as_bytes()).as_bytes());
        snowball_service::files::write_private(&site.home.join("keys/site.secret"), secret.as_bytes())?;
        Ok(())
    }

    /// Writes, signs and installs a policy as the site's board would for this one plan.
    ///
    /// # Errors
    /// When a step refuses.
    pub async fn install_policy(&self, site: &Site, plan: &StudyPlan, wish: &PolicyWish) -> Result<()> {
        let board = self.root.join("boards").join(site.name.as_str());
        std::fs::create_dir_all(&board)?;
        let (key, policy) = (board.join("ethics.pem"), board.join("policy.toml"));
        if !key.exists() {
            self.node(site, &["policy", "key", "--out", text(&key)?]).await?;
        }
        // The board counts its policies and names the one before.
        let before = std::fs::read(&policy).ok();
        std::fs::write(&policy, policy_text(&site.name, plan, wish, before.as_deref())?)?;
        self.node(site, &["policy", "sign", "--key", text(&key)?, text(&policy)?])
            .await?;
        let public = key.with_extension("pub");
        self.node(
            site,
            &["policy", "install", text(&policy)?, "--ethics-key", text(&public)?],
        )
        .await
        .map(drop)
    }

    /// Takes in a site's radiographs; gives the counts.
    ///
    /// # Errors
    /// When `ingest` refuses.
    pub async fn ingest(&self, site: &Site) -> Result<Value> {
        self.node(site, &["ingest", text(&site.dicom)?]).await
    }

    /// Invitation, request and approval: the fingerprint that the node shows is the one that the coordinator compares.
    ///
    /// # Errors
    /// When a step refuses or takes longer than half a minute.
    pub async fn enrol(&self, site: &Site, hear: &mpsc::Sender<Said>) -> Result<()> {
        let answer = self.aggregator(&["invite", "--site", site.name.as_str()]).await?;
        let invitation = answer["invitation"]
            .as_str()
            .context("no invitation in the answer")?
            .to_owned();
        let log = self.log(&format!("{}-enroll", site.name));
        let before = std::fs::read_to_string(&log).map_or(0, |said| said.len());
        let name = format!("{} enroll", site.name);
        let mut request = self.start_node(&name, site, &["enroll", &invitation], &log, hear)?;
        let mut is_approved = false;
        for _ in 0..600 {
            if !is_approved && let Some(short) = fingerprint(&log, before) {
                let reason = "the consortium's agreement";
                let approve = [
                    "approve",
                    site.name.as_str(),
                    "--fingerprint",
                    &short,
                    "--reason",
                    reason,
                ];
                self.aggregator(&approve).await?;
                is_approved = true;
            }
            if request.has_ended() {
                return request.check();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("{} did not get its certificate; see {}", site.name, log.display())
    }

    /// Starts a node's command as a child.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_node(
        &self,
        name: &str,
        site: &Site,
        arguments: &[&str],
        log: &Path,
        hear: &mpsc::Sender<Said>,
    ) -> Result<Running> {
        Running::start(name, &self.programs.node, &site.home, arguments, log, hear.clone())
    }

    /// Starts a node's service; it ends with the study.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run_node(&self, site: &Site, study: &str, hear: &mpsc::Sender<Said>) -> Result<Running> {
        let name = site.name.as_str();
        self.start_node(name, site, &["run", "--until-done", study], &self.log(name), hear)
    }
}

/// The fingerprint that a node reads out while it enrols; the person beside it reads it from its screen, here its log.
/// What a request reads out, once its line is whole; `before` are the bytes that earlier requests left in the log.
fn fingerprint(log: &Path, before: usize) -> Option<String> {
    let said = std::fs::read_to_string(log).ok()?;
    let whole = said
        .get(before..)?
        .split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n'));
    whole
        .filter_map(|line| Some(line.rsplit_once("coordinator: ")?.1.trim().to_owned()))
        .next()
}

/// A policy as a board would write it for this one plan.
fn policy_text(site: &SiteName, plan: &StudyPlan, wish: &PolicyWish, before: Option<&[u8]>) -> Result<String> {
    let day = |seconds: i64| -> Result<String> {
        Ok(jiff::Timestamp::from_second(seconds)?.strftime("%Y-%m-%d").to_string())
    };
    let now = clock::now();
    let labels: Vec<String> = plan
        .heads
        .iter()
        .map(|head| format!("{:?}", head.label.code()))
        .collect();
    let (approved, expires) = (
        day(now + wish.begins_days * 86_400)?,
        day(now + wish.ends_days * 86_400)?,
    );
    let (version, supersedes) = match before {
        None => (1, String::new()),
        Some(bytes) => {
            let text = std::str::from_utf8(bytes)?;
            let version = text.lines().find_map(|line| line.strip_prefix("version = "));
            let version: u32 = version.context("a policy without a version")?.parse()?;
            (version + 1, format!("supersedes = \"{}\"\n", Sha256Digest::of(bytes)))
        }
    };
    // Beside what the wish names, the hospital may train alone.
    let mut stages = vec!["local", wish.stage];
    stages.dedup();
    let approvals: String = stages
        .iter()
        .map(|stage| {
            format!(
                r#"
[[approvals]]
stage = "{stage}"
board = "Research Ethics Board of {site}"
reference = "TEST-1"
approved_on = {approved}
expires_on = {expires}
studies = ["{}"]
digests = ["{}"]
"#,
                plan.study,
                plan.digest()
            )
        })
        .collect();
    Ok(format!(
        r#"format = 1
version = {version}
{supersedes}site = "{site}"
{approvals}
[purposes]
allowed = ["{purpose}"]

[labels]
allowed = [{labels}]

[architectures]
allowed = ["{architecture}"]
input_side_max = {side}

[deidentification]
profile = "radiograph-allow-list-v1"
options = ["retain-patient-characteristics"]

[cohort]
training_patients_min = 5
cell_min = 3

[aggregation]
sites_min = 1
secure_aggregation = "not-required"

[release]
allowed = [{release}]

[limits]
bytes_per_round_max = {bytes}
bytes_per_day_max = {bytes_all}
bytes_per_study_max = {bytes_all}
rounds_per_study_max = {rounds}
rounds_all_studies_max = {rounds_all}

[hours]
time_zone = "UTC"
training = [{training}]
sending = ["always"]

[training]
confinement = "required"

[privacy]
mechanism = "none"

[retention]
datasets_days = 30
evidence_days = 30
outbox_days = 30
"#,
        bytes = if wish.release.is_empty() { 0 } else { 16_777_216 },
        bytes_all = if wish.release.is_empty() { 0 } else { 68_719_476_736_u64 },
        rounds_all = wish.rounds_all_studies_max,
        training = if wish.training_hours.is_empty() {
            String::new()
        } else {
            format!("{:?}", wish.training_hours)
        },
        release = wish
            .release
            .iter()
            .map(|kind| format!("{kind:?}"))
            .collect::<Vec<_>>()
            .join(", "),
        purpose = plan.purpose,
        labels = labels.join(", "),
        architecture = plan.network.architecture.code(),
        side = plan.network.input_side,
        rounds = plan.rounds.count,
    ))
}

/// A port that was free a moment ago.
///
/// # Errors
/// When loopback has none.
pub fn free_port() -> Result<u16> {
    // Below the range that systems take for outgoing connections, and each one once: a port that is free at this moment may
    // else be somebody's before it is bound.
    const PORTS: std::ops::Range<u32> = 10_000..32_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(97);
    for _ in PORTS {
        let number = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % (PORTS.end - PORTS.start);
        let port = u16::try_from(PORTS.start + number).context("a port has 16 bits")?;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port on loopback")
}

/// A path as an argument.
///
/// # Errors
/// When it is not UTF-8.
pub fn text(path: &Path) -> Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is not UTF-8", path.display()))
}
