//! The node's keys under a passphrase: enrolled, renewed, read by `openssl`, and closed to whoever lacks it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
};

use snowball_service::files;
use snowball_tests::run;

use crate::stage::Stage;

const WORDS: &str = "correct horse battery";
const KEYS: [&str; 3] = ["keys/site.secret", "keys/ledger.pem", "keys/tls.pem"];

fn is_wrapped(home: &Path, name: &str) -> bool {
    fs::read_to_string(home.join(name))
        .unwrap()
        .contains("-----BEGIN ENCRYPTED ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_under_a_passphrase_serve_as_before_and_open_for_nobody_else() {
    let stage = Stage::set(1, 1, 8).await;
    let site = &stage.consortium.sites[0];
    let node = &stage.consortium.programs.node;
    stage.consortium.make_node(site, 1).await.unwrap();
    let words = stage.folder.path().join("words");
    files::write_private(&words, format!("{WORDS}\n").as_bytes()).unwrap();
    let words = words.to_str().unwrap();
    let with = |arguments: &[&'static str]| {
        let arguments: Vec<String> = [arguments, &["--passphrase-file"]]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .chain([words.to_owned()])
            .collect();
        let home = site.home.clone();
        async move {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let output = run(node, &home, &arguments).await.unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{arguments:?}: {said}");
            String::from_utf8(output.stdout).unwrap()
        }
    };
    with(&["keys", "protect"]).await;
    assert!(is_wrapped(&site.home, KEYS[0]) && is_wrapped(&site.home, KEYS[1]));

    // Enrolled as ever, with a key that is wrapped from its first byte.
    let answer = stage
        .consortium
        .aggregator(&["invite", "--site", site.name.as_str()])
        .await
        .unwrap();
    let invitation: &'static str = answer["invitation"].as_str().unwrap().to_owned().leak();
    let output = run(node, &site.home, &["enroll", invitation, "--wait-seconds", "0"])
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("none is at hand") && said.contains("--passphrase-file"),
        "{said}"
    );
    assert!(!site.home.join("enrolment.json").exists() && !site.home.join("keys/tls.enrolment.pem").exists());
    let pending = ["enroll", invitation, "--wait-seconds", "0", "--passphrase-file", words];
    run(node, &site.home, &pending).await.unwrap();
    assert!(is_wrapped(&site.home, "keys/tls.enrolment.pem"));
    let sites = stage.consortium.aggregator(&["sites"]).await.unwrap();
    let fingerprint = sites["waiting"][0]["key_fingerprint"].as_str().unwrap();
    let approve = [
        "approve",
        site.name.as_str(),
        "--fingerprint",
        fingerprint,
        "--reason",
        "telephone",
    ];
    stage.consortium.aggregator(&approve).await.unwrap();
    with(&["enroll", invitation]).await;
    let enrolled = fs::read(site.home.join(KEYS[2])).unwrap();
    with(&["renew"]).await;
    assert_ne!(fs::read(site.home.join(KEYS[2])).unwrap(), enrolled);
    for key in KEYS {
        assert!(is_wrapped(&site.home, key), "{key}");
        let mode = fs::metadata(site.home.join(key)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
    let shown = run(node, &site.home, &["doctor", "--passphrase-file", words])
        .await
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("under a passphrase") && shown.contains("\"check\":\"connection\",\"state\":\"good\""),
        "{shown}"
    );

    for name in ["keys/ledger.pem", "keys/tls.pem"] {
        let passphrase = format!("file:{words}");
        let path = site.home.join(name);
        let read = Command::new("openssl")
            .args(["pkey", "-noout", "-passin", &passphrase, "-in"])
            .arg(&path)
            .output();
        match read {
            Ok(output) => assert!(
                output.status.success(),
                "{name}: {}",
                String::from_utf8_lossy(&output.stderr)
            ),
            Err(_) => println!("skipped: openssl is not installed"),
        }
    }

    // No passphrase, another one, and one that everybody can read.
    let other = stage.folder.path().join("other");
    files::write_private(&other, b"another passphrase").unwrap();
    let open = stage.folder.path().join("open");
    fs::write(&open, WORDS).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o644)).unwrap();
    for (arguments, expected) in [
        (vec!["census"], "none is at hand"),
        (vec!["renew"], "none is at hand"),
        (vec!["run"], "none is at hand"),
        (
            vec!["census", "--passphrase-file", other.to_str().unwrap()],
            "not the one that it was wrapped with",
        ),
        (
            vec!["census", "--passphrase-file", open.to_str().unwrap()],
            "can be read by others",
        ),
    ] {
        let before = fs::read_dir(site.home.join("keys")).unwrap().count();
        let output = run(node, &site.home, &arguments).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains(expected),
            "{arguments:?}: {said}"
        );
        assert_eq!(fs::read_dir(site.home.join("keys")).unwrap().count(), before);
    }

    with(&["keys", "unprotect"]).await;
    assert!(!KEYS.iter().any(|key| is_wrapped(&site.home, key)));
    fs::set_permissions(site.home.join(KEYS[1]), Permissions::from_mode(0o640)).unwrap();
    let output = run(node, &site.home, &["renew"]).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("chmod 600"), "{said}");
}
