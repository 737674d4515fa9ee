//! What hospital IT and a coordinator read at three in the morning: one thing at a time is broken, and `doctor` names it by its
//! number, with what to do.

mod middle;
mod pages;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use middle::{Clock, Manner, Middle};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType, date_time_ymd};
use serde_json::Value;
use snowball_service::{clock, files};
use snowball_tests::{Site, free_port, run};

use crate::stage::Stage;

/// What a machine lacks that runs stories is not what they are about.
const OF_THIS_MACHINE: [&str; 3] = ["N108", "N109", "N112"];

/// A node that has everything, at an aggregator that serves.
async fn sound() -> Stage {
    let stage = Stage::set(1, 1, 8).await;
    stage.settle().await;
    stage
}

struct Told {
    exit: Option<i32>,
    report: Value,
}

impl Told {
    /// What was found by the check of this number.
    fn of(&self, code: &str) -> &Value {
        let findings = self.report["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["code"] == code);
        found.unwrap_or_else(|| panic!("no {code} in {}", self.report))
    }

    /// The numbers in this state.
    fn codes(&self, state: &str) -> Vec<&str> {
        let findings = self.report["findings"].as_array().unwrap();
        let in_it = findings.iter().filter(|finding| finding["state"] == state);
        in_it.map(|finding| finding["code"].as_str().unwrap()).collect()
    }

    /// One number is bad with these words, and its remedy has those.
    fn is_bad(&self, code: &str, says: &str, remedy: &str) {
        let finding = self.of(code);
        assert_eq!(finding["state"], "bad", "{finding}");
        assert!(finding["says"].as_str().unwrap().contains(says), "{finding}");
        assert!(finding["remedy"].as_str().unwrap().contains(remedy), "{finding}");
        assert_eq!(self.exit, Some(3), "{}", self.report);
    }
}

async fn asked(program: &Path, home: &Path) -> Told {
    asked_with(program, home, &["doctor"]).await
}

async fn asked_with(program: &Path, home: &Path, arguments: &[&str]) -> Told {
    let output = run(program, home, arguments).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let report = serde_json::from_str(said.trim())
        .unwrap_or_else(|_| panic!("{said}\n{}", String::from_utf8_lossy(&output.stderr)));
    let told = Told {
        exit: output.status.code(),
        report,
    };
    pages::have_entries(&told.report);
    told
}

async fn doctor(stage: &Stage) -> Told {
    asked(&stage.consortium.programs.node, &stage.consortium.sites[0].home).await
}

/// Writes another address of the aggregator where the enrolment wrote it.
fn move_to(site: &Site, address: &str) {
    let path = site.home.join("aggregator.json");
    let mut aggregator: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    aggregator["address"] = address.into();
    fs::write(&path, aggregator.to_string()).unwrap();
}

fn use_proxy(site: &Site, proxy: &str) {
    let path = site.home.join("node.toml");
    let text = fs::read_to_string(&path).unwrap();
    let without: String = text
        .lines()
        .filter(|line| !line.starts_with("proxy = "))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(
        &path,
        without.replace("[network]\n", &format!("[network]\nproxy = \"{proxy}\"\n")),
    )
    .unwrap();
}

/// A certificate of the consortium's CA, from and to so many days from now, with its key.
fn signed(stage: &Stage, name: SanType, usage: ExtendedKeyUsagePurpose, from: i64, to: i64) -> (String, String) {
    let read = |name: &str| fs::read_to_string(stage.consortium.aggregator_home().join(name)).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&read("ca.pem"), KeyPair::from_pem(&read("ca.key.pem")).unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::default();
    parameters.subject_alt_names = vec![name];
    parameters.extended_key_usages = vec![usage];
    let day = |days: i64| {
        let seconds = (clock::now() + days * 86_400).unsigned_abs();
        date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(seconds)
    };
    (parameters.not_before, parameters.not_after) = (day(from), day(to));
    (parameters.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
}

/// Gives the node a certificate of its own that holds from and to so many days from now.
fn certify(stage: &Stage, site: &Site, from: i64, to: i64) {
    let name = format!("snowball:site:{}", site.name);
    let name = SanType::URI(name.as_str().try_into().unwrap());
    let (certificate, key) = signed(stage, name, ExtendedKeyUsagePurpose::ClientAuth, from, to);
    fs::write(site.home.join("certs/node.pem"), certificate).unwrap();
    files::write_private(&site.home.join("keys/tls.pem"), key.as_bytes()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sound_node_is_all_good_and_files_and_times_that_are_not_are_named() {
    let stage = sound().await;
    let (site, node) = (&stage.consortium.sites[0], &stage.consortium.programs.node);
    let told = doctor(&stage).await;
    assert_eq!((told.exit, told.codes("bad").len()), (Some(0), 0), "{}", told.report);
    let look: Vec<&str> = told
        .codes("look")
        .into_iter()
        .filter(|code| !OF_THIS_MACHINE.contains(code))
        .collect();
    assert!(look.is_empty(), "{}", told.report);
    for code in [
        "N101", "N102", "N103", "N104", "N105", "N106", "N107", "N110", "N111", "N201", "N203", "N204", "N205", "N206",
    ] {
        assert_eq!(told.of(code)["state"], "good", "{code}");
    }
    let words = tokio::process::Command::new(node)
        .arg("--home")
        .arg(&site.home)
        .arg("doctor")
        .output()
        .await
        .unwrap();
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(
        words.contains("good  N101  configuration") && words.contains(" 0 bad"),
        "{words}"
    );
    assert!(!words.contains('\u{1b}'), "no colours where there is no terminal");

    let key = site.home.join("keys/ledger.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    doctor(&stage)
        .await
        .is_bad("N102", "ledger.pem can be read by others (mode 644)", "chmod 600");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();

    certify(&stage, site, -29, 1);
    // The aggregator knows the certificates that it gave out, and this is none of them.
    let told = asked_with(node, &site.home, &["doctor", "--offline"]).await;
    assert_eq!(
        (told.exit, told.of("N103")["state"].as_str()),
        (Some(0), Some("look")),
        "{}",
        told.report
    );
    assert!(
        told.of("N103")["remedy"]
            .as_str()
            .unwrap()
            .contains("hospital-node renew")
    );
    certify(&stage, site, -31, -1);
    doctor(&stage)
        .await
        .is_bad("N103", "it has expired, 1 days ago", "enrol again");

    fs::write(site.home.join("policy/policy.toml"), "# nothing\n").unwrap();
    doctor(&stage).await.is_bad("N105", "", "policy install");
    let config = site.home.join("node.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("[store]", "[storr]")).unwrap();
    doctor(&stage).await.is_bad("N101", "storr", "node.toml");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_of_the_way_to_the_aggregator_fails_by_its_own_number() {
    let stage = sound().await;
    let site = &stage.consortium.sites[0];
    let here = format!("https://localhost:{}", stage.port);

    move_to(site, "https://aggregator.invalid:7443");
    let told = doctor(&stage).await;
    told.is_bad(
        "N201",
        "aggregator.invalid, the aggregator, has no address here",
        "getent hosts",
    );
    assert_eq!(told.codes("bad"), ["N201"], "later steps lead over this one");

    let closed = free_port().unwrap();
    move_to(site, &format!("https://localhost:{closed}"));
    doctor(&stage)
        .await
        .is_bad("N203", &format!("localhost:{closed} refuses at once"), "--explain");

    // Whoever stands in the aggregator's place has its certificate, and another clock.
    let (chain, key) = server_certificate(&stage, -10, 80);
    let late = Middle::start(Manner::Serve {
        chain,
        key,
        clock: Clock::Ahead(7200),
    })
    .await;
    move_to(site, &format!("https://localhost:{}", late.port));
    doctor(&stage)
        .await
        .is_bad("N206", "120 minutes behind the aggregator's", "timedatectl");
    let (chain, key) = server_certificate(&stage, 20, 110);
    let early = Middle::start(Manner::Serve {
        chain,
        key,
        clock: Clock::Ahead(25 * 86_400),
    })
    .await;
    move_to(site, &format!("https://localhost:{}", early.port));
    let told = doctor(&stage).await;
    told.is_bad("N204", "does not hold at this machine's time", "clock");
    told.is_bad("N206", "25 days behind", "timedatectl");

    move_to(site, &here);
    assert_eq!(doctor(&stage).await.exit, Some(0));
}

/// The server's certificate with its CA behind it, and its key.
fn server_certificate(stage: &Stage, from: i64, to: i64) -> (String, String) {
    let name = SanType::DnsName("localhost".try_into().unwrap());
    let (certificate, key) = signed(stage, name, ExtendedKeyUsagePurpose::ServerAuth, from, to);
    let authority = fs::read_to_string(stage.consortium.aggregator_home().join("ca.pem")).unwrap();
    (format!("{certificate}\n{authority}"), key)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_forbids_asks_for_a_name_or_opens_the_traffic_is_told_apart() {
    let stage = sound().await;
    let site = &stage.consortium.sites[0];

    let honest = Middle::start(Manner::Tunnel { login: None }).await;
    use_proxy(site, &format!("http://127.0.0.1:{}", honest.port));
    let told = doctor(&stage).await;
    assert_eq!(
        (told.exit, told.of("N202")["state"].as_str()),
        (Some(0), Some("good")),
        "{}",
        told.report
    );
    assert!(honest.tunnels() >= 3, "doctor's, and those of what it asks");

    let forbidding = Middle::start(Manner::Forbid).await;
    use_proxy(site, &format!("http://127.0.0.1:{}", forbidding.port));
    doctor(&stage)
        .await
        .is_bad("N202", "403 Blocked by category", "permit CONNECT");

    // north:secret
    let wants_login = Middle::start(Manner::Tunnel {
        login: Some("Basic bm9ydGg6c2VjcmV0"),
    })
    .await;
    use_proxy(site, &format!("http://127.0.0.1:{}", wants_login.port));
    doctor(&stage)
        .await
        .is_bad("N202", "wants to know who asks (407)", "user:password@");
    use_proxy(site, &format!("http://north:secret@127.0.0.1:{}", wants_login.port));
    let told = doctor(&stage).await;
    assert_eq!(told.exit, Some(0), "{}", told.report);
    assert!(!told.report.to_string().contains("secret"), "no password is shown");

    let inspecting = Middle::start(Manner::Inspect).await;
    use_proxy(site, &format!("http://127.0.0.1:{}", inspecting.port));
    let told = doctor(&stage).await;
    assert_eq!(told.of("N202")["state"], "good", "it opens a tunnel, into itself");
    told.is_bad("N204", "TLS is inspected on the way", "exempt this host and port");
    told.is_bad("N204", "Hospital Inspection CA", "");
    assert_eq!(inspecting.heard(), 0, "no word was said to it");

    let gone = free_port().unwrap();
    use_proxy(site, &format!("http://127.0.0.1:{gone}"));
    doctor(&stage).await.is_bad("N202", "cannot be reached", "network IT");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aggregator_is_all_good_and_what_is_not_is_named() {
    let mut stage = sound().await;
    let (program, home) = (
        stage.consortium.programs.aggregator.clone(),
        stage.consortium.aggregator_home(),
    );
    let told = asked(&program, &home).await;
    assert_eq!((told.exit, told.codes("bad").len()), (Some(0), 0), "{}", told.report);
    let look: Vec<&str> = told.codes("look").into_iter().filter(|code| *code != "A109").collect();
    assert!(look.is_empty(), "{}", told.report);

    let key = home.join("ca.key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    asked(&program, &home)
        .await
        .is_bad("A102", "ca.key.pem is open to other users (mode 640)", "chmod 600");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();

    let config = home.join("aggregator.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        &config,
        text.replace("disk_free_megabytes_min = 2048", "disk_free_megabytes_min = 4294967295"),
    )
    .unwrap();
    asked(&program, &home)
        .await
        .is_bad("A109", "the limit is 4294967295 MiB", "larger disk");
    fs::write(&config, &text).unwrap();

    stage.aggregator.take().unwrap().end().await.unwrap();
    let told = asked(&program, &home).await;
    told.is_bad("A203", "nothing answers", "start aggregator serve");
    assert_eq!(told.of("A201")["state"], "look");

    // A balancer in front ends TLS itself.
    let balancer = Middle::start(Manner::Balance).await;
    fs::write(
        &config,
        text.replace(
            &format!("localhost:{}", stage.port),
            &format!("localhost:{}", balancer.port),
        ),
    )
    .unwrap();
    asked(&program, &home)
        .await
        .is_bad("A203", "by \"CN=Hospital Inspection CA\"", "pass TCP through");
}
