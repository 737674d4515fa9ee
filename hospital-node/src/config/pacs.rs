//! The parts of `node.toml` that speak of the hospital's archive. A part that is absent means: not that way in.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf};

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};
use snowball_pacs::AeTitle;

/// Objects between their arrival and their intake.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpoolConfig {
    /// Largest object that is taken.
    pub object_bytes_max: u64,
    /// Below so many free bytes on the disk nothing more is taken.
    pub disk_free_bytes_min: u64,
}

impl Default for SpoolConfig {
    fn default() -> Self {
        Self {
            object_bytes_max: 256 << 20,
            disk_free_bytes_min: 2 << 30,
        }
    }
}

/// The storage SCP.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiveConfig {
    /// Address and port to listen at.
    pub listen: SocketAddr,
    /// Our own AE titles; who calls us by another name is refused.
    pub called: BTreeSet<AeTitle>,
    /// The AE titles of those who may send; everybody else is refused.
    pub calling: BTreeSet<AeTitle>,
    /// Associations at once.
    #[serde(default = "associations_max")]
    pub associations_max: usize,
    /// Longest P-DATA PDU.
    #[serde(default = "pdu_bytes_max")]
    pub pdu_bytes_max: u32,
    /// An association ends when no byte moved for so long.
    #[serde(default = "receive_idle_seconds")]
    pub idle_seconds: u64,
    /// TLS; absent: in the clear.
    pub tls: Option<ReceiveTls>,
}

/// TLS of the storage SCP.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiveTls {
    /// Our certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM, readable by its owner alone.
    pub key: PathBuf,
    /// The CA of those who may send; absent: peers need no certificate.
    pub peers: Option<PathBuf>,
}

/// Query and retrieve.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetrieveConfig {
    /// The archive's `host:port`.
    pub archive: String,
    /// Its AE title.
    pub archive_title: AeTitle,
    /// Ours, which the archive must know with our host and the port of `[receive]`.
    pub title: AeTitle,
    /// How objects come.
    #[serde(default)]
    pub method: Method,
    /// An association ends when no byte moved for so long; archives may fetch from slow storage meanwhile.
    #[serde(default = "retrieve_idle_seconds")]
    pub idle_seconds: u64,
    /// TLS; absent: in the clear.
    pub tls: Option<ClientTls>,
}

/// How objects come from an archive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The archive sends to our storage SCP (C-MOVE).
    #[default]
    Move,
    /// On the association that asks for them (C-GET).
    Get,
}

/// TLS towards an archive.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTls {
    /// The CA that certified the archive, PEM.
    pub ca: PathBuf,
    /// Our certificate chain where the archive asks for one, PEM.
    pub certificate: Option<PathBuf>,
    /// Its key, PEM.
    pub key: Option<PathBuf>,
}

/// DICOMweb.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DicomwebConfig {
    /// A file of one line, `Basic USER:PASSWORD` or `Bearer TOKEN`, readable by its owner alone.
    pub credentials: Option<PathBuf>,
    /// TLS, needed for `https`.
    pub tls: Option<ClientTls>,
    /// Requests at once.
    pub requests_max: usize,
    /// Bytes a second of all requests together; 0: no bound.
    pub bytes_per_second_max: u64,
    /// A request ends when no byte came for so long.
    pub idle_seconds: u64,
    /// How often a request is tried.
    pub tries: u32,
}

impl Default for DicomwebConfig {
    fn default() -> Self {
        Self {
            credentials: None,
            tls: None,
            requests_max: 4,
            bytes_per_second_max: 0,
            idle_seconds: 60,
            tries: 5,
        }
    }
}

const fn associations_max() -> usize {
    8
}

const fn pdu_bytes_max() -> u32 {
    128 * 1024
}

const fn receive_idle_seconds() -> u64 {
    60
}

const fn retrieve_idle_seconds() -> u64 {
    600
}

impl SpoolConfig {
    pub(super) fn check(&self) -> Result<()> {
        within("spool.object_bytes_max", self.object_bytes_max, 1 << 16, 4 << 30)
    }
}

impl ReceiveConfig {
    pub(super) fn check(&self) -> Result<()> {
        ensure!(
            !self.called.is_empty(),
            "receive.called names nobody: name this node's AE title"
        );
        ensure!(
            !self.calling.is_empty(),
            "receive.calling names nobody: name the AE titles that may send"
        );
        within("receive.associations_max", self.associations_max as u64, 1, 256)?;
        within("receive.pdu_bytes_max", u64::from(self.pdu_bytes_max), 4096, 1 << 20)?;
        within("receive.idle_seconds", self.idle_seconds, 1, 3600)
    }
}

impl RetrieveConfig {
    pub(super) fn check(&self, receive: Option<&ReceiveConfig>) -> Result<()> {
        let port = self.archive.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        ensure!(
            matches!(port, Some(Ok(_))),
            "retrieve.archive is host:port, for instance pacs.hospital.example:104"
        );
        within("retrieve.idle_seconds", self.idle_seconds, 1, 86_400)?;
        match (self.method, receive) {
            (Method::Move, None) => {
                bail!("retrieve.method = \"move\" needs [receive], to which the archive sends; or use method = \"get\"")
            }
            (Method::Move, Some(receive)) => ensure!(
                receive.called.contains(&self.title) && receive.calling.contains(&self.archive_title),
                "with retrieve.method = \"move\" the archive sends to us: receive.called must hold retrieve.title, and \
                 receive.calling must hold retrieve.archive_title"
            ),
            (Method::Get, _) => {}
        }
        self.tls.as_ref().map_or(Ok(()), |tls| tls.check("retrieve.tls"))
    }
}

impl DicomwebConfig {
    pub(super) fn check(&self) -> Result<()> {
        within("dicomweb.requests_max", self.requests_max as u64, 1, 64)?;
        within("dicomweb.idle_seconds", self.idle_seconds, 1, 3600)?;
        within("dicomweb.tries", u64::from(self.tries), 1, 20)?;
        self.tls.as_ref().map_or(Ok(()), |tls| tls.check("dicomweb.tls"))
    }
}

impl ClientTls {
    fn check(&self, name: &str) -> Result<()> {
        ensure!(
            self.certificate.is_some() == self.key.is_some(),
            "{name} needs certificate and key together, or neither"
        );
        Ok(())
    }
}

fn within(name: &str, value: u64, least: u64, most: u64) -> Result<()> {
    ensure!(
        (least..=most).contains(&value),
        "{name} is {value}; it must lie between {least} and {most}"
    );
    Ok(())
}

/// What `init` writes of these parts: commented out, a remark with `# `, a setting with `#` alone.
pub(super) const SAMPLE: &str = r##"
# The ways in beside a folder. Remove the # before a part and its settings to open it; hospital-node doctor checks them.

#[spool]
# Largest object that is taken, in bytes.
#object_bytes_max = 268435456
# Below so many free bytes on the node's disk nothing more is taken: senders are told to try again later.
#disk_free_bytes_min = 2147483648

# hospital-node receive: a storage SCP to which archives and modalities send.
#[receive]
#listen = "0.0.0.0:11112"
# This node's AE titles, and those of the senders. Who is not named is refused.
#called = ["SNOWBALL"]
#calling = ["PACS"]
#associations_max = 8
#pdu_bytes_max = 131072
#idle_seconds = 60

# Without this part everything comes in the clear. With peers, only senders with a certificate of that CA come in.
#[receive.tls]
#certificate = "/etc/snowball/dicom.pem"
#key = "/etc/snowball/dicom.key.pem"
#peers = "/etc/snowball/hospital-ca.pem"

# hospital-node retrieve: query the archive and have it send (move: to [receive]; get: on the same connection).
#[retrieve]
#archive = "pacs.hospital.example:104"
#archive_title = "PACS"
#title = "SNOWBALL"
#method = "move"
#idle_seconds = 600

# hospital-node pull: DICOMweb. The credentials file has one line, Basic USER:PASSWORD or Bearer TOKEN, and mode 600.
#[dicomweb]
#credentials = "/etc/snowball/dicomweb.credentials"
#requests_max = 4
#bytes_per_second_max = 0
#idle_seconds = 60
#tries = 5

#[dicomweb.tls]
#ca = "/etc/snowball/hospital-ca.pem"
"##;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::NodeConfig;

    fn parse(text: &str) -> Result<NodeConfig> {
        NodeConfig::parse(&format!("site = \"north\"\n{text}"))
    }

    #[test]
    fn the_sample_is_a_configuration_once_it_is_uncommented() {
        let uncommented: String = SAMPLE
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let config = parse(&uncommented).unwrap();
        let (receive, retrieve) = (config.receive.unwrap(), config.retrieve.unwrap());
        assert_eq!(receive.associations_max, associations_max());
        assert_eq!(receive.pdu_bytes_max, pdu_bytes_max());
        assert_eq!(receive.idle_seconds, receive_idle_seconds());
        assert!(receive.tls.unwrap().peers.is_some());
        assert_eq!(retrieve.idle_seconds, retrieve_idle_seconds());
        let given = format!("{:?}", config.spool);
        assert_eq!(given, format!("{:?}", SpoolConfig::default()));
        let web = config.dicomweb;
        assert!(web.tls.is_some() && web.credentials.is_some());
        assert_eq!(web.requests_max, DicomwebConfig::default().requests_max);
    }

    #[test]
    fn mistakes_are_named() {
        let receive = "[receive]\nlisten = \"127.0.0.1:11112\"\n";
        for (text, named) in [
            (format!("{receive}called = []\ncalling = [\"A\"]"), "receive.called"),
            (format!("{receive}called = [\"A\"]\ncalling = []"), "receive.calling"),
            (format!("{receive}called = [\"A\"]"), "calling"),
            (
                format!("{receive}called = [\"MUCH TOO LONG A TITLE\"]\ncalling = [\"A\"]"),
                "AE title",
            ),
            (
                format!("{receive}called = [\"A\"]\ncalling = [\"B\"]\nassociations_max = 0"),
                "associations_max",
            ),
            (
                "[retrieve]\narchive = \"pacs\"\narchive_title = \"P\"\ntitle = \"S\"".to_owned(),
                "retrieve.archive",
            ),
            (
                "[retrieve]\narchive = \"pacs:104\"\narchive_title = \"P\"\ntitle = \"S\"".to_owned(),
                "[receive]",
            ),
            (
                format!(
                    "{receive}called = [\"A\"]\ncalling = [\"B\"]\n[retrieve]\narchive = \"p:104\"\narchive_title = \
                     \"B\"\ntitle = \"S\""
                ),
                "receive.called",
            ),
            ("[dicomweb]\nrequests = 3".to_owned(), "requests"),
            ("[dicomweb]\ntries = 0".to_owned(), "dicomweb.tries"),
        ] {
            let fault = format!("{:#}", parse(&text).err().unwrap());
            assert!(fault.contains(named), "{text}: {fault}");
        }
    }
}
