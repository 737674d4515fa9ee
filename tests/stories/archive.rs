//! What the stories of the ways in share: a node alone, DCMTK's senders, an Orthanc as the hospital's archive.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use snowball_phantoms::{Hospital, Truth, read_truth};
use snowball_protocol::intake::Disposition;
use snowball_tests::{Consortium, Running, Said, Site, free_port, run, text};
use tempfile::TempDir;
use tokio::{process::Command, sync::mpsc};

use crate::stage::{phantoms, programs, site_name};

const WEB_PLUGIN: &str = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so";

/// Says that a story is skipped where one of `wanted` is not installed.
pub async fn lacks(wanted: &[&str]) -> bool {
    for program in wanted {
        let found = Command::new("which").arg(program).stdout(Stdio::null()).status().await;
        if !found.is_ok_and(|status| status.success()) {
            eprintln!("skipped: {program} is not installed here");
            return true;
        }
    }
    false
}

/// The same for the archive with its DICOMweb service.
pub async fn lacks_archive() -> bool {
    if !Path::new(WEB_PLUGIN).exists() {
        eprintln!("skipped: Orthanc's DICOMweb plug-in is not installed here");
        return true;
    }
    lacks(&["Orthanc", "storescu", "dcmdump"]).await
}

/// One hospital with its node, and no consortium.
pub struct Ward {
    pub folder: TempDir,
    pub consortium: Consortium,
    pub hospital: Hospital,
    pub truth: Vec<Truth>,
    pub port: u16,
    hear: mpsc::Sender<Said>,
    heard: mpsc::Receiver<Said>,
}

impl Ward {
    pub async fn open(images: u64, hostile: f64, config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hospital = phantoms(folder.path(), 1, images, hostile).remove(0);
        let sites = vec![(site_name(&hospital), hospital.dicom.clone())];
        let consortium = Consortium::new(folder.path(), programs().await, sites).unwrap();
        consortium.make_node(&consortium.sites[0], 1).await.unwrap();
        let truth = read_truth(&hospital.truth).unwrap();
        let (hear, heard) = mpsc::channel(4096);
        let ward = Self {
            folder,
            consortium,
            hospital,
            truth,
            port: free_port().unwrap(),
            hear,
            heard,
        };
        ward.configure(config);
        ward
    }

    pub fn site(&self) -> &Site {
        &self.consortium.sites[0]
    }

    /// Adds to `node.toml`.
    pub fn configure(&self, config: &str) {
        self.set_configuration(&(self.configuration() + config));
    }

    /// `node.toml` as it is.
    pub fn configuration(&self) -> String {
        std::fs::read_to_string(self.site().home.join("node.toml")).unwrap()
    }

    /// Puts a whole `node.toml` in its place.
    pub fn set_configuration(&self, config: &str) {
        std::fs::write(self.site().home.join("node.toml"), config).unwrap();
    }

    /// `[receive]` at this ward's port, for the archive and for DCMTK.
    pub fn receiving(&self) -> String {
        format!(
            "[receive]\nlisten = \"127.0.0.1:{}\"\ncalled = [\"SNOWBALL\"]\ncalling = [\"PACS\"]\n",
            self.port
        )
    }

    /// Where a sound file lies.
    pub fn path(&self, truth: &Truth) -> PathBuf {
        self.hospital.folder.join(&truth.file)
    }

    pub fn sound(&self) -> Vec<&Truth> {
        (self.truth.iter())
            .filter(|truth| truth.disposition == Disposition::Accepted)
            .collect()
    }

    /// Starts a verb that goes on until it is ended.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let log = self.consortium.log(arguments[0]);
        self.consortium
            .start_node(arguments[0], self.site(), arguments, &log, &self.hear)
            .unwrap()
    }

    /// Starts the storage SCP and waits until it listens.
    pub async fn receive(&mut self) -> Running {
        let running = self.start(&["receive"]);
        self.hear_until("receive listens", |said| said["event"] == "listening")
            .await;
        running
    }

    /// Runs a verb to its end; gives its lines.
    pub async fn run(&self, arguments: &[&str]) -> (Output, Vec<Value>) {
        let output = run(&self.consortium.programs.node, &self.site().home, arguments)
            .await
            .unwrap();
        let lines = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        (output, lines)
    }

    /// Hears what the running verbs say until `is_it`; all that was heard is returned.
    pub async fn hear_until(&mut self, what: &str, mut is_it: impl FnMut(&Value) -> bool) -> Vec<Value> {
        let mut lines = Vec::new();
        let wait = async {
            while let Some(said) = self.heard.recv().await {
                lines.push(said.what);
                if is_it(&lines[lines.len() - 1]) {
                    return;
                }
            }
        };
        let is_heard = tokio::time::timeout(Duration::from_secs(60), wait).await.is_ok();
        assert!(is_heard, "{what}; heard {lines:?}\n{}", self.logs());
        lines
    }

    /// Hears batches until they hold `files` files; their sum.
    pub async fn hear_files(&mut self, files: u64) -> Counts {
        let mut counts = Counts::default();
        if files > 0 {
            self.hear_until(&format!("{files} files are taken in"), |said| {
                counts.add(said);
                counts.files >= files
            })
            .await;
        }
        counts
    }

    pub fn logs(&self) -> String {
        let mut logs = String::new();
        for entry in std::fs::read_dir(self.folder.path().join("logs")).unwrap().flatten() {
            logs += &format!("--- {}\n", entry.path().display());
            logs += &std::fs::read_to_string(entry.path()).unwrap_or_default();
        }
        logs
    }

    /// What waits in the spool of one way in.
    pub fn spooled(&self, way: &str) -> usize {
        let folder = self.site().home.join("spool").join(way);
        std::fs::read_dir(folder).map_or(0, |entries| {
            entries
                .flatten()
                .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "dcm"))
                .count()
        })
    }

    /// Takes the hospital's folder in on top of it all: what is stored already is not accepted again.
    pub async fn ingest_again(&self) -> Counts {
        let answer = self.consortium.ingest(self.site()).await.unwrap();
        let mut counts = Counts::default();
        counts.add(&answer);
        counts
    }
}

/// Sums of batches.
#[derive(Default, Debug, PartialEq, Eq)]
pub struct Counts {
    pub files: u64,
    pub accepted: u64,
    pub quarantined: u64,
    pub rejected: u64,
    pub skipped: u64,
    pub withdrawn: u64,
}

impl Counts {
    pub fn add(&mut self, said: &Value) {
        let count = |name: &str| said[name].as_u64().unwrap_or(0);
        self.files += count("files");
        self.accepted += count("accepted");
        self.quarantined += count("quarantined");
        self.rejected += count("rejected");
        self.skipped += count("skipped");
        self.withdrawn += count("withdrawn");
    }

    pub fn of(lines: &[Value]) -> Self {
        let mut counts = Self::default();
        lines.iter().for_each(|line| counts.add(line));
        counts
    }
}

/// What `storescu` did.
#[derive(Default, Debug)]
pub struct Sent {
    /// Objects that were acknowledged with success.
    pub acknowledged: u64,
    pub said: String,
}

/// Sends files to an SCP as DCMTK's `storescu` does, each in its own transfer syntax.
pub async fn send(files: &[(PathBuf, String)], to: (&str, u16), from: &str) -> Sent {
    let mut groups: BTreeMap<&str, Vec<&Path>> = BTreeMap::new();
    for (path, syntax) in files {
        if let Some(option) = option(syntax) {
            groups.entry(option).or_default().push(path);
        }
    }
    let mut sent = Sent::default();
    for (option, paths) in groups {
        let output = Command::new("storescu")
            .args(["-v", "-nh", option, "-aec", to.0, "-aet", from, "127.0.0.1"])
            .arg(to.1.to_string())
            .args(paths)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        sent.acknowledged += said.matches("Received Store Response (Success)").count() as u64;
        sent.said += &said;
    }
    sent
}

/// The option under which `storescu` proposes a syntax.
pub fn option(syntax: &str) -> Option<&'static str> {
    Some(match syntax {
        "1.2.840.10008.1.2" => "-xi",
        "1.2.840.10008.1.2.1" => "-xe",
        "1.2.840.10008.1.2.2" => "-xb",
        "1.2.840.10008.1.2.1.99" => "-xd",
        "1.2.840.10008.1.2.5" => "-xr",
        "1.2.840.10008.1.2.4.50" => "-xy",
        "1.2.840.10008.1.2.4.51" => "-xx",
        "1.2.840.10008.1.2.4.70" => "-xs",
        "1.2.840.10008.1.2.4.90" => "-xv",
        "1.2.840.10008.1.2.4.91" => "-xw",
        _ => return None,
    })
}

/// The hospital's archive.
pub struct Orthanc {
    _child: tokio::process::Child,
    pub dicom_port: u16,
    pub web_port: u16,
}

impl Orthanc {
    /// Starts one in `folder` that knows our node at `node_port`, with a user `reader` and its password `secret`.
    pub async fn start(folder: &Path, node_port: u16) -> Self {
        let (dicom_port, web_port) = (free_port().unwrap(), free_port().unwrap());
        let storage = folder.join("orthanc");
        std::fs::create_dir_all(&storage).unwrap();
        let config = serde_json::json!({
            "Name": "story",
            "StorageDirectory": storage,
            "IndexDirectory": storage,
            "Plugins": [WEB_PLUGIN],
            "HttpPort": web_port,
            "DicomPort": dicom_port,
            "DicomAet": "PACS",
            "RemoteAccessAllowed": false,
            "AuthenticationEnabled": true,
            "RegisteredUsers": { "reader": "secret" },
            "DicomAlwaysAllowStore": true,
            "DicomAlwaysAllowFind": true,
            "DicomAlwaysAllowMove": true,
            "DicomAlwaysAllowGet": true,
            "DicomModalities": { "node": ["SNOWBALL", "127.0.0.1", node_port] },
            "DicomWeb": { "Enable": true, "Root": "/dicom-web/" },
            "HttpsVerifyPeers": false,
        });
        let file = folder.join("orthanc.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let log = std::fs::File::create(folder.join("logs/orthanc.log")).unwrap();
        let child = Command::new("Orthanc")
            .arg(&file)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let archive = Self {
            _child: child,
            dicom_port,
            web_port,
        };
        for _ in 0..600 {
            let mut is_up = true;
            for port in [dicom_port, web_port] {
                is_up &= tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok();
            }
            if is_up {
                return archive;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!(
            "Orthanc does not listen: {}",
            std::fs::read_to_string(folder.join("logs/orthanc.log")).unwrap()
        );
    }

    /// Fills it with the ward's sound files; their number.
    pub async fn fill(&self, ward: &Ward) -> u64 {
        let files: Vec<_> = (ward.sound().iter())
            .map(|truth| (ward.path(truth), truth.syntax.clone()))
            .collect();
        let sent = send(&files, ("PACS", self.dicom_port), "FILLER").await;
        assert_eq!(sent.acknowledged, files.len() as u64, "{}", sent.said);
        sent.acknowledged
    }
}

/// The study dates and the modalities of the ward's sound files.
pub async fn days_and_modalities(ward: &Ward) -> (BTreeSet<String>, String) {
    let mut days = BTreeSet::new();
    for truth in ward.sound() {
        let output = Command::new("dcmdump")
            .args(["+P", "0008,0020", text(&ward.path(truth)).unwrap()])
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let day = said
            .split(['[', ']'])
            .nth(1)
            .unwrap_or_else(|| panic!("no study date: {said}"));
        days.insert(format!("{}-{}-{}", &day[..4], &day[4..6], &day[6..8]));
    }
    let modalities: BTreeSet<&str> = ward.sound().iter().map(|truth| &*truth.modality).collect();
    (days, modalities.into_iter().collect::<Vec<_>>().join(","))
}
