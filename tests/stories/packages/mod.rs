//! The Debian packages, from the programs that are built here to a machine that is upgraded, rolled back and purged.
//!
//! On the machine everything is as at a hospital: packages installed by dpkg, services of systemd under their own users, a folder that is
//! watched, an enrolment, a study. Only the network is left out: both sides are one machine.

mod container;
mod image;
mod machine;

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use snowball_protocol::Sha256Digest;
use snowball_tests::{Consortium, PolicyWish, Programs, Site};
use tokio::sync::mpsc;

use crate::stage;
use machine::{Machine, is_there, said};

const NODE_HOME: &str = "var/lib/snowball-node";
const AGGREGATOR_HOME: &str = "var/lib/snowball-aggregator";
/// The machine has a network of its own.
const PORT: u16 = 7443;
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.ci/packages");
/// The systemd that counts an exposure as the figures below do; others weigh otherwise.
const COUNTED_BY: &str = "252";
/// Units whose exposure is held, in tenths: what each must keep costs that much (the network above all).
const UNITS: [(&str, &str, u32); 4] = [
    ("hospital-node", "snowball-node.service", 12),
    ("hospital-node", "snowball-node-receive.service", 12),
    ("hospital-node", "snowball-node-watch@.service", 6),
    ("aggregator", "snowball-aggregator.service", 11),
];

/// What systemd itself says of the units, without starting them: that it knows every word, and how much of the machine they leave open.
#[test]
fn units_are_sound_and_leave_little_open() {
    if !is_there("systemd-analyze") {
        println!("skipped: systemd-analyze is not installed");
        return;
    }
    let version = Command::new("systemd-analyze").arg("--version").output().unwrap();
    let is_counted = said(&version).starts_with(&format!("systemd {COUNTED_BY} "));
    if !is_counted {
        println!(
            "exposure skipped: only systemd {COUNTED_BY} counts as the figures here do; the words of the units are checked"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    for (program, unit, exposure_max) in UNITS {
        let shipped = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../{program}/deploy/systemd/{unit}"));
        // The programs are not installed here; something that is takes their place.
        let text = fs::read_to_string(shipped).unwrap();
        let (copy, text) = (
            folder.path().join(unit),
            text.replace(&format!("/usr/bin/{program}"), "/bin/true"),
        );
        fs::write(&copy, text).unwrap();
        let analyze = |words: &[&str]| Command::new("systemd-analyze").args(words).arg(&copy).output().unwrap();
        let verified = analyze(&["verify", "--man=no"]);
        let faults = String::from_utf8_lossy(&verified.stderr).into_owned();
        assert!(verified.status.success() && !faults.contains(unit), "{unit}: {faults}");
        if !is_counted {
            continue;
        }
        let threshold = format!("--threshold={exposure_max}");
        let judged = analyze(&["security", "--offline=yes", &threshold]);
        assert!(
            judged.status.success(),
            "{unit} is exposed to more than {exposure_max} tenths: {}",
            said(&judged).lines().last().unwrap_or_default()
        );
    }
}

/// The ready-made drop-ins, each laid over each unit that it may serve: systemd knows their words, but for those of the growing pauses, which it
/// passes over before version 254.
#[test]
fn drop_ins_are_sound_over_every_unit() {
    if !is_there("systemd-analyze") {
        println!("skipped: systemd-analyze is not installed");
        return;
    }
    let version = Command::new("systemd-analyze").arg("--version").output().unwrap();
    let version: Option<u32> = said(&version)
        .split_whitespace()
        .nth(1)
        .and_then(|number| number.parse().ok());
    let mut seen = 0;
    for (program, unit, _) in UNITS {
        let shipped = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../{program}/deploy/systemd"));
        let text = fs::read_to_string(shipped.join(unit)).unwrap();
        let text = text.replace(&format!("/usr/bin/{program}"), "/bin/true");
        for example in fs::read_dir(shipped.join("examples")).unwrap().flatten() {
            let folder = tempfile::tempdir().unwrap();
            let (copy, over) = (folder.path().join(unit), folder.path().join(format!("{unit}.d")));
            fs::write(&copy, &text).unwrap();
            fs::create_dir(&over).unwrap();
            let name = example.file_name().into_string().unwrap();
            fs::copy(example.path(), over.join(&name)).unwrap();
            let mut analyze = Command::new("systemd-analyze");
            let verified = analyze.args(["verify", "--man=no"]).arg(&copy).output().unwrap();
            let faults = String::from_utf8_lossy(&verified.stderr).into_owned();
            let mut about: Vec<&str> = faults.lines().filter(|line| line.contains(unit)).collect();
            if name == "backoff.conf" && version.is_some_and(|version| version < 254) {
                about.retain(|line| !line.contains("'RestartSteps'") && !line.contains("'RestartMaxDelaySec'"));
            }
            assert!(
                verified.status.success() && about.is_empty(),
                "{unit} with {name}: {about:?}"
            );
            seen += 1;
        }
    }
    assert_eq!(
        seen, 19,
        "five drop-ins for each of the node's units, four for the aggregator's"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packages_carry_a_hospital_from_its_installation_to_the_purge() {
    let folder = tempfile::tempdir().unwrap();
    let [packages, desk] = ["packages", "desk"].map(|name| {
        let path = folder.path().join(name);
        fs::create_dir(&path).unwrap();
        path
    });
    let hospital = stage::phantoms(folder.path(), 1, 70, 0.0).remove(0);
    let binds = [
        (packages.as_path(), "/srv/packages"),
        (hospital.dicom.as_path(), "/srv/radiographs"),
        (desk.as_path(), desk.to_str().unwrap()),
    ];
    let machine = match Machine::boot(&binds) {
        Ok(machine) => machine,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let built = stage::programs().await;
    let programs = built.node.parent().unwrap();
    let lintian = judge(&made_packages(&make(programs, &packages, "0.1.0")));
    make(programs, &packages, "0.2.0");

    install(&machine, "0.1.0");
    for home in [NODE_HOME, AGGREGATOR_HOME] {
        let about = fs::metadata(machine.root().join(home)).unwrap();
        assert!(
            about.permissions().mode() & 0o777 == 0o700 && about.uid() != 0,
            "{home}"
        );
    }
    let consortium = found(&machine, &desk, stage::site_name(&hospital)).await;
    let site = consortium.sites[0].clone();
    take_in(&machine, &consortium, &site).await;
    begin_study(&consortium).await;
    machine.did(&["systemctl", "enable", "--now", "snowball-node"]);
    held(&machine, "snowball-node");
    for unit in ["snowball-node", "snowball-aggregator"] {
        reloaded(&machine, unit).await;
    }
    let journal = || machine.did(&["journalctl", "--no-pager", "--lines=30", "--unit=snowball-*"]);
    reviewed(&consortium, journal).await;

    let before = standing(&consortium, &site).await;
    for version in ["0.2.0", "0.1.0"] {
        let running = property(&machine, "snowball-node", "MainPID");
        install(&machine, version);
        for unit in ["snowball-node", "snowball-aggregator"] {
            assert_eq!(
                machine.did(&["systemctl", "is-active", unit]).trim(),
                "active",
                "{unit} after {version}"
            );
        }
        assert_ne!(
            property(&machine, "snowball-node", "MainPID"),
            running,
            "the program of before runs on"
        );
        machine.did(&["test", "!", "-e", "/run/snowball-node.stopped"]);
        listening(&machine).await;
        assert_eq!(standing(&consortium, &site).await, before, "after {version}");
    }
    let out = desk.join("release");
    let out = out.to_str().unwrap();
    consortium
        .aggregator(&["release", "create", "story", "--out", out])
        .await
        .unwrap();

    refused_is_not_restarted(&machine, &consortium, &site).await;
    leave(&machine);
    if let Some(lintian) = lintian {
        judged(lintian);
    }
}

/// Both packages of a version, quickly.
fn make(programs: &Path, packages: &Path, version: &str) -> String {
    let made = Command::new(SCRIPT)
        .args(["--fast", "--version", version, "--programs"])
        .arg(programs)
        .arg("--out")
        .arg(packages)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    said(&made)
}

/// Debian's own checker, where it is installed; it takes its time.
fn judge(packages: &[PathBuf]) -> Option<Child> {
    if !is_there("lintian") {
        println!("skipped: lintian is not installed");
        return None;
    }
    let mut lintian = Command::new("lintian");
    lintian
        .args(["--allow-root", "--fail-on", "error,warning"])
        .args(packages);
    Some(lintian.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
}

fn judged(lintian: Child) {
    let judged = lintian.wait_with_output().unwrap();
    assert!(judged.status.success(), "{}", said(&judged));
}

fn made_packages(said: &str) -> Vec<PathBuf> {
    said.lines().map(PathBuf::from).collect()
}

fn install(machine: &Machine, version: &str) {
    let packages = ["snowball-node", "snowball-aggregator"].map(|name| {
        format!(
            "/srv/packages/{name}_{version}_{}.deb",
            machine.did(&["dpkg", "--print-architecture"]).trim()
        )
    });
    machine.did(&["dpkg", "--install", &packages[0], &packages[1]]);
}

/// An aggregator that serves as its unit says, and a node; both told what to do through their own users' doors.
async fn found(machine: &Machine, desk: &Path, name: snowball_protocol::SiteName) -> Consortium {
    let programs = Programs {
        aggregator: machine.doorway("aggregator", "snowball-aggregator", "/var/lib/snowball-aggregator"),
        node: machine.doorway("hospital-node", "snowball-node", "/var/lib/snowball-node"),
    };
    let consortium = Consortium::new(desk, programs, vec![(name.clone(), PathBuf::from("/srv/radiographs"))]).unwrap();
    // The programs write there as their own users, and what people hand in is written by this one.
    for folder in [
        desk.to_owned(),
        desk.join("boards"),
        desk.join("boards").join(name.as_str()),
    ] {
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    }
    consortium.found(PORT).await.unwrap();
    machine.did(&["systemctl", "enable", "--now", "snowball-aggregator"]);
    listening(machine).await;
    held(machine, "snowball-aggregator");
    consortium
}

/// The node, its policy, its enrolment; its radiographs by a watched folder.
async fn take_in(machine: &Machine, consortium: &Consortium, site: &Site) {
    let name = site.name.as_str();
    consortium
        .node(site, &["init", "--site", name, "--threads", "1"])
        .await
        .unwrap();
    // As in the harness: a secret of which it is known that every part gets patients.
    let secret = hex::encode(Sha256Digest::of(format!("the test secret of {name}").as_bytes()).as_bytes());
    fs::write(machine.root().join(NODE_HOME).join("keys/site.secret"), secret).unwrap();
    let plan = stage::plan(1, 2);
    fs::write(consortium.plan_file(), toml::to_string(&plan).unwrap()).unwrap();
    consortium
        .install_policy(site, &plan, &PolicyWish::default())
        .await
        .unwrap();

    // Before the enrolment the service has nothing to do, and does not fail for it.
    machine.did(&["systemctl", "start", "snowball-node"]);
    assert_eq!(property(machine, "snowball-node", "ActiveState"), "inactive");
    let (hear, _heard) = mpsc::channel(64);
    consortium.enrol(site, &hear).await.unwrap();

    let watch = "snowball-node-watch@srv-radiographs.service";
    machine.did(&["systemctl", "start", watch]);
    held(machine, watch);
    reloaded(machine, watch).await;
    until("the watched folder", async || {
        let census = consortium.node(site, &["census"]).await.unwrap();
        census["total"]["radiographs"].as_u64().unwrap_or_default() >= 60
    })
    .await;
    machine.did(&["systemctl", "stop", watch]);
    assert_eq!(property(machine, watch, "Result"), "success");
}

async fn begin_study(consortium: &Consortium) {
    let plan = consortium.plan_file();
    consortium
        .aggregator(&["study", "create", plan.to_str().unwrap()])
        .await
        .unwrap();
    consortium.aggregator(&["study", "start", "story"]).await.unwrap();
}

/// The study's way to its review, under a policy that lets nothing be trained by a trainer that is not confined.
async fn reviewed(consortium: &Consortium, log: impl Fn() -> String) {
    let begun = Instant::now();
    loop {
        let status = consortium.aggregator(&["study", "status", "story"]).await.unwrap();
        if status["phase"] == "reviewing"
            && status["final"]["evaluated"]
                .as_array()
                .is_some_and(|done| done.len() == 1)
        {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(90),
            "no review: {status}\n{}",
            log()
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// What must be the same under each version.
async fn standing(consortium: &Consortium, site: &Site) -> (Value, Value) {
    let status = consortium.aggregator(&["study", "status", "story"]).await.unwrap();
    consortium.node(site, &["ledger", "verify"]).await.unwrap();
    let census = consortium.node(site, &["census"]).await.unwrap();
    (census["total"].clone(), status["rounds"].clone())
}

/// What the kernel says of a service's first process.
fn held(machine: &Machine, unit: &str) {
    assert_eq!(
        machine.did(&["systemctl", "is-active", unit]).trim(),
        "active",
        "{unit}"
    );
    let process = property(machine, unit, "MainPID");
    let status = machine.did(&["cat", &format!("/proc/{process}/status")]);
    for line in [
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
    ] {
        assert!(status.contains(line), "{unit}: {line} is not in {status}");
    }
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:\t")).unwrap();
    assert!(!user.starts_with("0\t"), "{unit} runs as root");
}

/// A reload reaches the service as it is held, and it reads again what it logs.
async fn reloaded(machine: &Machine, unit: &str) {
    let process = property(machine, unit, "MainPID");
    until("a service that listens for a hangup", async || {
        let status = machine.did(&["cat", &format!("/proc/{process}/status")]);
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() & 1 == 1
    })
    .await;
    machine.did(&["systemctl", "reload", unit]);
    until("a log that was read again", async || {
        let journal = machine.did(&["journalctl", "--no-pager", "--unit", unit]);
        journal.contains("what is logged was read again")
    })
    .await;
    assert_eq!(property(machine, unit, "MainPID"), process, "{unit}");
}

/// A node that the coordinator shut out ends with 3, and is not started again to be refused again.
async fn refused_is_not_restarted(machine: &Machine, consortium: &Consortium, site: &Site) {
    let revoke = ["revoke", site.name.as_str(), "--reason", "the end"];
    consortium.aggregator(&revoke).await.unwrap();
    until("the node's end", async || {
        property(machine, "snowball-node", "ActiveState") == "failed"
    })
    .await;
    assert_eq!(property(machine, "snowball-node", "ExecMainStatus"), "3");
    assert_eq!(property(machine, "snowball-node", "NRestarts"), "0");
}

/// Removed and purged, the packages leave what is not theirs to delete, and say so; and nothing where there was nothing.
fn leave(machine: &Machine) {
    let root = machine.root();
    let kept = [
        format!("{NODE_HOME}/keys/site.secret"),
        format!("{NODE_HOME}/store/store.sqlite"),
        format!("{NODE_HOME}/ledger/ledger.jsonl"),
        format!("{AGGREGATOR_HOME}/ca.key.pem"),
        format!("{AGGREGATOR_HOME}/ledger/ledger.jsonl"),
    ];
    let content = || kept.each_ref().map(|name| fs::read(root.join(name)).unwrap());
    machine.did(&["dpkg", "--remove", "snowball-node", "snowball-aggregator"]);
    let left = content();
    assert!(!root.join("usr/bin/hospital-node").exists() && !root.join("usr/lib/snowball-node").exists());
    assert_eq!(property(machine, "snowball-aggregator", "ActiveState"), "inactive");
    assert!(root.join("etc/default/snowball-node").exists());

    let purged = machine.did(&["dpkg", "--purge", "snowball-node", "snowball-aggregator"]);
    for home in [NODE_HOME, AGGREGATOR_HOME] {
        assert!(purged.contains(&format!("/{home} stays as it is")), "{purged}");
    }
    assert_eq!(content(), left);
    assert!(!root.join("etc/default/snowball-node").exists());
    let wants = fs::read_dir(root.join("etc/systemd/system/multi-user.target.wants")).unwrap();
    let links: Vec<_> = wants.flatten().map(|link| link.file_name()).collect();
    assert!(
        !links.iter().any(|link| link.to_string_lossy().starts_with("snowball")),
        "{links:?}"
    );

    // Somebody who only looked at it keeps nothing.
    for home in [NODE_HOME, AGGREGATOR_HOME] {
        fs::remove_dir_all(root.join(home)).unwrap();
    }
    install(machine, "0.2.0");
    machine.did(&["dpkg", "--purge", "snowball-node", "snowball-aggregator"]);
    assert!(!root.join(NODE_HOME).exists() && !root.join(AGGREGATOR_HOME).exists());
}

fn property(machine: &Machine, unit: &str, name: &str) -> String {
    machine
        .did(&["systemctl", "show", "--property", name, "--value", unit])
        .trim()
        .to_owned()
}

async fn listening(machine: &Machine) {
    let knock = format!("exec 3<>/dev/tcp/127.0.0.1/{PORT}");
    until("the aggregator", async || {
        machine.run(&["bash", "-c", &knock]).status.success()
    })
    .await;
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    for _ in 0..200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    panic!("{what} did not come within a minute");
}
