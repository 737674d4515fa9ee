//! `node.toml`: what hospital IT decides. Unknown fields are an error, so that a typing mistake never passes unseen.

pub mod network;
pub mod pacs;
pub mod segments;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use network::NetworkConfig;
use serde::{Deserialize, Serialize};
use snowball_imaging::Dictionary;
use snowball_protocol::{SiteName, limits::POLICY_BYTES_MAX};
use snowball_service::{files, metrics, telemetry};
use snowball_worker::job::Precision;

const DICTIONARY_BYTES_MAX: usize = POLICY_BYTES_MAX * 8;

/// The whole file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// The site's name in the consortium.
    pub site: SiteName,
    /// Pseudonyms of one project cannot be linked with those of another.
    #[serde(default = "default_project")]
    pub project: String,
    /// What `run`, `receive` and `watch` log, as levels; absent: `info`. Read again at SIGHUP.
    pub log: Option<String>,
    /// How the aggregator is reached.
    #[serde(default)]
    pub network: NetworkConfig,
    /// What is kept of radiographs.
    #[serde(default)]
    pub store: StoreConfig,
    /// How files are taken in.
    #[serde(default)]
    pub intake: IntakeConfig,
    /// How text among the pixels is searched for.
    #[serde(default)]
    pub text: TextConfig,
    /// How the trainer runs.
    #[serde(default)]
    pub training: TrainingConfig,
    /// The ledger's files.
    #[serde(default)]
    pub ledger: LedgerConfig,
    /// Objects between their arrival and their intake.
    #[serde(default)]
    pub spool: pacs::SpoolConfig,
    /// The storage SCP; absent: nothing listens.
    pub receive: Option<pacs::ReceiveConfig>,
    /// Query and retrieve; absent: no archive is asked.
    pub retrieve: Option<pacs::RetrieveConfig>,
    /// DICOMweb.
    #[serde(default)]
    pub dicomweb: pacs::DicomwebConfig,
    /// What the classes of masks are called in DICOM.
    #[serde(default)]
    pub segments: segments::SegmentsConfig,
    /// Where numbers for a monitoring system are given out; absent: nowhere.
    pub metrics: Option<metrics::Settings>,
    /// Where the dashboard is given out; absent: on this machine alone.
    pub dashboard: Option<snowball_dashboard::Settings>,
}

/// What is kept of radiographs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// Longest side of the pictures that are kept, in pixels.
    pub master_side_max: u32,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { master_side_max: 1024 }
    }
}

/// How files are taken in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntakeConfig {
    /// A dictionary of descriptions of this site's own; absent: the standard one.
    pub dictionary: Option<PathBuf>,
    /// Whether the way back from pseudonyms to patients is kept, sealed, in the vault.
    #[serde(default)]
    pub linkage: bool,
}

impl IntakeConfig {
    /// The words that mean a body part, a view or a side: the standard ones, changed by the site's own.
    pub fn dictionary(&self) -> Result<Dictionary> {
        let Some(path) = &self.dictionary else {
            return Ok(Dictionary::standard());
        };
        let bytes = files::read_bounded(path, DICTIONARY_BYTES_MAX)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let text = String::from_utf8(bytes).context("the dictionary is not UTF-8 text")?;
        Dictionary::from_toml(&text).with_context(|| format!("{} cannot be used", path.display()))
    }
}

/// The ledger's files.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerConfig {
    /// The open file becomes an archive when it has grown to this, in megabytes of 1,048,576 bytes.
    pub archive_megabytes: u32,
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self { archive_megabytes: 64 }
    }
}

impl LedgerConfig {
    fn check(&self) -> Result<()> {
        anyhow::ensure!(
            (1..=4096).contains(&self.archive_megabytes),
            "archive_megabytes under [ledger] must be from 1 to 4096"
        );
        Ok(())
    }

    /// The same in bytes.
    pub fn archive_bytes(&self) -> u64 {
        u64::from(self.archive_megabytes) * 1024 * 1024
    }
}

/// How text among the pixels is searched for, besides our own search.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextConfig {
    /// A program that reads every picture again before it is taken in.
    #[serde(default)]
    pub second_reader: SecondReaderWish,
}

/// A program that reads every picture again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondReaderWish {
    /// None.
    #[default]
    None,
    /// Tesseract, from `PATH`.
    Tesseract,
}

/// How the trainer runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// Where to compute.
    #[serde(default)]
    pub device: DeviceWish,
    /// Which GPUs, by the numbers that the probe of the first trainer with any lists them under; absent: all sound ones of one family.
    pub gpus: Option<Vec<u32>>,
    /// In which numbers GPUs train.
    #[serde(default)]
    pub precision: Precision,
    /// Threads on the CPU; 0: as many as cores.
    #[serde(default)]
    pub threads: u32,
    /// The trainer's program; absent: those beside this program.
    pub trainer: Option<PathBuf>,
    /// Whether it must be confined by the kernel.
    #[serde(default)]
    pub confinement: ConfinementWish,
}

impl TrainingConfig {
    fn check(&self) -> Result<()> {
        if let Some(gpus) = &self.gpus {
            let distinct: BTreeSet<u32> = gpus.iter().copied().collect();
            anyhow::ensure!(
                !gpus.is_empty() && distinct.len() == gpus.len(),
                "gpus under [training] must name at least one GPU, and each once; leave it out for all"
            );
            anyhow::ensure!(
                self.device != DeviceWish::Cpu,
                "gpus under [training] names GPUs and device = \"cpu\" uses none; take one of the two out"
            );
        }
        Ok(())
    }
}

/// Whether the trainer must be confined: no network, no file but its dataset, no other program.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfinementWish {
    /// Where the kernel cannot, nothing is trained.
    #[default]
    Required,
    /// As far as the kernel can.
    WhereAvailable,
}

/// Where to compute.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceWish {
    /// The GPUs that a probe finds sound, else the CPU.
    #[default]
    Auto,
    /// The CPU, always.
    Cpu,
    /// GPUs, or nothing.
    Gpu,
}

fn default_project() -> String {
    "snowball".to_owned()
}

impl NodeConfig {
    /// The configuration that `init` writes.
    pub fn new(site: SiteName) -> Self {
        Self {
            site,
            project: default_project(),
            log: None,
            network: NetworkConfig::default(),
            store: StoreConfig::default(),
            intake: IntakeConfig::default(),
            text: TextConfig::default(),
            training: TrainingConfig::default(),
            ledger: LedgerConfig::default(),
            spool: pacs::SpoolConfig::default(),
            receive: None,
            retrieve: None,
            dicomweb: pacs::DicomwebConfig::default(),
            segments: segments::SegmentsConfig::default(),
            metrics: None,
            dashboard: None,
        }
    }

    /// Reads and checks the file.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes =
            files::read_bounded(path, POLICY_BYTES_MAX).with_context(|| format!("cannot read {}", path.display()))?;
        let text = String::from_utf8(bytes).with_context(|| format!("{} is not text", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} cannot be used", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let config: Self = toml::from_str(text).context("it does not parse")?;
        if let Some(levels) = &config.log {
            telemetry::check(levels).context("log")?;
        }
        config.network.check()?;
        config.training.check()?;
        config.ledger.check()?;
        config.spool.check()?;
        if let Some(receive) = &config.receive {
            receive.check()?;
        }
        if let Some(retrieve) = &config.retrieve {
            retrieve.check(config.receive.as_ref())?;
        }
        config.dicomweb.check()?;
        if let Some(dashboard) = &config.dashboard {
            dashboard.check()?;
        }
        config.segments.check()?;
        Ok(config)
    }

    /// The file with a comment to each part.
    pub fn to_toml(&self) -> String {
        format!(
            r#"# What this node is and how it works. Unknown fields are an error; hospital-node doctor checks this file.

# The site's name in the consortium, as in the invitation.
site = "{site}"
# Pseudonyms of one project cannot be linked with those of another. Changing it makes every patient a new one.
project = "{project}"
# What hospital-node run logs. Levels are error, warn, info, debug, trace and off, also for one part, as in info,snowball_egress=debug.
# After a change, tell the running node by kill -HUP.
# log = "info"

[network]
# The hospital's proxy, reached with CONNECT; the environment's proxy variables are never used.
# proxy = "http://proxy.hospital.example:3128"
# At which hours models and updates may take no more than so many bytes a second, each way; at all others, what the line takes.
# time_zone = "Europe/Zurich"
# bandwidth = [{{ hours = "mon-fri 07:00-19:00", bytes_per_second_max = 500000 }}]

[store]
# Longest side of the pictures that are kept, in pixels.
master_side_max = {side}

[intake]
# A dictionary of this site's own words for body parts and views; absent: the standard one (English and French).
# dictionary = "/etc/snowball/dictionary.toml"
# true: keep the way back from pseudonyms to patients, sealed under a key of its own, for this site alone (linkage show).
linkage = {linkage}

[text]
# tesseract: where it is installed, it also reads every picture that would be taken in, and what it reads beyond the closed
# list of markers sends the file to a person. About a second a picture. none: our own search alone.
second_reader = "none"

[training]
# auto: the GPUs that a probe finds sound, else the CPU. cpu or gpu: that.
device = "auto"
# Which GPUs share the work, by the numbers that the first trainer with any lists (snowball-trainer-cuda probe, else -wgpu); absent: all
# sound ones of a kind.
# gpus = [0, 1]
# full: all is computed in f32. mixed: on GPUs that can, training multiplies in bf16 or f16, which are less exact, and the rest stays f32;
# not yet tried on a GPU.
precision = "full"
# Threads on the CPU; 0: as many as cores.
threads = {threads}
# required: the trainer runs only where the kernel takes the network, all other files and other programs from it (Landlock
# and seccomp; hospital-node doctor says whether). where-available: as far as the kernel can; let your ethics board know.
confinement = "required"
# The trainer's program; absent: those beside hospital-node.
# trainer = "/usr/lib/snowball/snowball-trainer"

[ledger]
# The open file becomes an archive when it has grown to this. Archives stay in ledger/archives, which may be a link.
archive_megabytes = {archive}

# Numbers for Prometheus while hospital-node run works, by plain HTTP and without a password; absent: none.
#[metrics]
#listen = "127.0.0.1:9464"

# Where hospital-node dashboard is given out; absent: http://127.0.0.1:7481, for browsers of this machine. Any other address needs a
# certificate; names are those under which browsers reach it.
#[dashboard]
#listen = "10.0.0.5:7481"
#names = ["snowball.hospital.example"]
#certificate = "/etc/snowball/dashboard.pem"
#key = "/etc/snowball/dashboard.key"
{pacs}{segments}"#,
            segments = segments::SAMPLE,
            pacs = pacs::SAMPLE,
            site = self.site,
            project = self.project,
            linkage = self.intake.linkage,
            side = self.store.master_side_max,
            threads = self.training.threads,
            archive = self.ledger.archive_megabytes,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_init_writes_is_read_back() {
        let config = NodeConfig::new("north".parse().unwrap());
        let read: NodeConfig = toml::from_str(&config.to_toml()).unwrap();
        assert_eq!(format!("{read:?}"), format!("{config:?}"));
    }

    #[test]
    fn every_commented_sample_is_a_real_field() {
        let text = NodeConfig::new("north".parse().unwrap()).to_toml();
        let uncommented: String = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(sample) if sample.contains(" = \"") && !sample.contains(": ") => format!("{sample}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let config: NodeConfig = toml::from_str(&uncommented).unwrap();
        assert!(
            config.network.proxy.is_some()
                && config.log.as_deref() == Some("info")
                && config.network.bandwidth.len() == 1
                && config.intake.dictionary.is_some()
                && config.training.trainer.is_some()
        );
    }

    #[test]
    fn the_sample_of_metrics_is_a_real_part_and_off() {
        let text = NodeConfig::new("north".parse().unwrap()).to_toml();
        assert!(NodeConfig::parse(&text).unwrap().metrics.is_none());
        let on = text
            .replace("#[metrics]", "[metrics]")
            .replace("#listen = \"127.0.0.1:9464\"", "listen = \"127.0.0.1:9464\"");
        assert!(
            NodeConfig::parse(&on)
                .unwrap()
                .metrics
                .unwrap()
                .listen
                .ip()
                .is_loopback()
        );
    }

    #[test]
    fn the_sample_of_the_dashboard_is_a_real_part_and_never_open_without_tls() {
        let text = NodeConfig::new("north".parse().unwrap()).to_toml();
        let (before, part) = text.split_once("#[dashboard]\n").unwrap();
        let (part, after) = part.split_once("\n\n").unwrap_or((part, ""));
        let on = part.replace('#', "");
        let with = |part: &str| NodeConfig::parse(&format!("{before}[dashboard]\n{part}\n\n{after}"));
        let settings = with(&on).unwrap().dashboard.unwrap();
        assert!(settings.has_tls() && settings.names == ["snowball.hospital.example"]);
        assert!(with("listen = \"10.0.0.5:7481\"").is_err(), "others could listen in");
        assert!(with("listen = \"127.0.0.1:7481\"").is_ok());
    }

    #[test]
    fn gpus_are_named_once_each_and_not_beside_the_cpu() {
        let text = NodeConfig::new("north".parse().unwrap()).to_toml();
        let with = |gpus: &str, device: &str| {
            let named = text.replace("# gpus = [0, 1]", gpus);
            assert!(gpus.is_empty() || named != text);
            NodeConfig::parse(&named.replace("device = \"auto\"", device))
        };
        let named = with("gpus = [2, 0]", "device = \"gpu\"").unwrap().training;
        assert_eq!((named.gpus, named.precision), (Some(vec![2, 0]), Precision::Full));
        assert_eq!(with("# none", "device = \"cpu\"").unwrap().training.gpus, None);
        let mixed = text.replace("precision = \"full\"", "precision = \"mixed\"");
        assert_eq!(NodeConfig::parse(&mixed).unwrap().training.precision, Precision::Mixed);
        for (gpus, device) in [("gpus = []", "auto"), ("gpus = [1, 1]", "auto"), ("gpus = [0]", "cpu")] {
            let fault = with(gpus, &format!("device = \"{device}\"")).unwrap_err();
            assert!(format!("{fault:#}").contains("gpus under [training]"), "{fault:#}");
        }
    }

    #[test]
    fn a_typing_mistake_is_an_error() {
        assert!(toml::from_str::<NodeConfig>("site = \"north\"\n[training]\nthread = 2\n").is_err());
    }
}
