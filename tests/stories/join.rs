//! A hospital joins: invitation, key on site, fingerprint, approval. And everything that should not get in.

use snowball_tests::run;

use crate::{authority::Authority, stage::Stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_works_once_and_leaves_a_private_key_on_site() {
    let stage = Stage::set(2, 1, 8).await;
    let (north, south) = (&stage.consortium.sites[0], &stage.consortium.sites[1]);
    for site in [north, south] {
        stage.consortium.make_node(site, 1).await.unwrap();
    }
    stage.consortium.enrol(north, &stage.hear).await.unwrap();
    for secret in ["keys/tls.pem", "keys/ledger.pem", "keys/site.secret"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(north.home.join(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    // The key never left: no file of the aggregator holds it.
    let key = std::fs::read_to_string(north.home.join("keys/tls.pem")).unwrap();
    let secret_line = key.lines().nth(1).unwrap();
    assert!(!crate::capture::is_anywhere_below(
        &stage.consortium.aggregator_home(),
        secret_line.as_bytes()
    ));
    let verified = stage.consortium.node(north, &["ledger", "verify"]).await.unwrap();
    assert_eq!(verified["kinds"]["certificate_received"], 1);

    // Another site cannot use an invitation that was made for this one.
    let answer = stage
        .consortium
        .aggregator(&["invite", "--site", north.name.as_str()])
        .await
        .unwrap();
    let invitation = answer["invitation"].as_str().unwrap();
    let output = run(&stage.consortium.programs.node, &south.home, &["enroll", invitation])
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("the invitation is for site"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_used_invitation_and_a_refused_site_get_their_own_words() {
    let stage = Stage::set(2, 1, 8).await;
    let site = &stage.consortium.sites[0];
    stage.consortium.make_node(site, 1).await.unwrap();
    let answer = stage
        .consortium
        .aggregator(&["invite", "--site", site.name.as_str()])
        .await
        .unwrap();
    let invitation = answer["invitation"].as_str().unwrap().to_owned();
    let ask = ["enroll", invitation.as_str(), "--wait-seconds", "0"];
    let output = run(&stage.consortium.programs.node, &site.home, &ask).await.unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("not approved yet"));
    // Somebody else who got hold of the line, with a key of their own.
    let thief = &stage.consortium.sites[1];
    let home = thief.home.clone();
    run(
        &stage.consortium.programs.node,
        &home,
        &["init", "--site", site.name.as_str()],
    )
    .await
    .unwrap();
    let output = run(&stage.consortium.programs.node, &home, &ask).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("used already, by another key") && said.contains("somebody else has the line"),
        "{said}"
    );
    assert!(!home.join("enrolment.json").exists() && !home.join("keys/tls.enrolment.pem").exists());
    // The coordinator sees that, and only the first key waits.
    let sites = stage.consortium.aggregator(&["sites"]).await.unwrap();
    assert_eq!(sites["contested"].as_array().unwrap().len(), 1, "{sites}");
    assert_eq!(sites["waiting"].as_array().unwrap().len(), 1, "{sites}");
    assert_ne!(
        sites["contested"][0]["key_fingerprint"],
        sites["waiting"][0]["key_fingerprint"]
    );
    // The coordinator refuses; the node reads why.
    stage
        .consortium
        .aggregator(&["refuse", site.name.as_str(), "--reason", "not in the agreement"])
        .await
        .unwrap();
    let output = run(&stage.consortium.programs.node, &site.home, &ask).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("not in the agreement"), "{said}");
    for left in [
        "enrolment.json",
        "keys/tls.enrolment.pem",
        "keys/tls.pem",
        "certs/node.pem",
    ] {
        assert!(!site.home.join(left).exists(), "{left}");
    }
    // Asked once more, the invitation says the same, and nobody is taken for a thief.
    let output = run(&stage.consortium.programs.node, &site.home, &ask).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("not in the agreement"), "{said}");
    let sites = stage.consortium.aggregator(&["sites"]).await.unwrap();
    assert_eq!(sites["contested"].as_array().unwrap().len(), 1, "{sites}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_man_in_the_middle_with_another_authority_gets_nothing() {
    let stage = Stage::set(1, 1, 8).await;
    let other = Stage::set(1, 1, 8).await;
    let site = &stage.consortium.sites[0];
    stage.consortium.make_node(site, 1).await.unwrap();
    let answer = stage
        .consortium
        .aggregator(&["invite", "--site", site.name.as_str()])
        .await
        .unwrap();
    let line = answer["invitation"].as_str().unwrap();
    let mut invitation = snowball_protocol::enrolment::Invitation::from_line(line).unwrap();
    invitation.address = format!("https://localhost:{}", other.port);
    let output = run(
        &stage.consortium.programs.node,
        &site.home,
        &["enroll", &invitation.to_line()],
    )
    .await
    .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("this is not the aggregator of the invitation") && said.contains("another consortium"),
        "{said}"
    );
    assert!(!site.home.join("certs/node.pem").exists());

    // A proxy that opens the traffic, as hospitals have them, is named with what to do.
    let inspector = Authority::found(stage.folder.path(), "Zscaler Test");
    invitation.address = format!("https://localhost:{}", inspector.proxy("localhost", stage.port).await);
    let output = run(
        &stage.consortium.programs.node,
        &site.home,
        &["enroll", &invitation.to_line()],
    )
    .await
    .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("Zscaler Test") && said.contains("exempt this host and port from TLS inspection"),
        "{said}"
    );
    for left in ["enrolment.json", "keys/tls.enrolment.pem", "keys/tls.pem"] {
        assert!(!site.home.join(left).exists(), "{left}");
    }
    let sites = stage.consortium.aggregator(&["sites"]).await.unwrap();
    assert_eq!(sites["waiting"].as_array().unwrap().len(), 0, "{sites}");
}
