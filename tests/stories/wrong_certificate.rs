//! Certificates of somebody else: another consortium's, none at all, a revoked one.

use snowball_egress::{
    EgressError,
    client::{ClientSettings, Transport},
};
use snowball_protocol::{ProblemCode, session::StudySummary};
use snowball_service::tls;
use snowball_tests::Site;

use crate::stage::Stage;

fn transport(stage: &Stage, site: &Site, authority: &Site) -> Transport {
    let read = |site: &Site, name: &str| std::fs::read_to_string(site.home.join(name)).unwrap();
    let client = tls::client(
        &read(authority, "certs/ca.pem"),
        &read(site, "certs/node.pem"),
        &read(site, "keys/tls.pem"),
    )
    .unwrap();
    let settings = ClientSettings {
        address: format!("https://localhost:{}", stage.port),
        proxy: None,
    };
    Transport::new(&settings, client).unwrap()
}

async fn enrolled(stage: &Stage) -> &Site {
    let site = &stage.consortium.sites[0];
    stage.consortium.make_node(site, 1).await.unwrap();
    stage.consortium.enrol(site, &stage.hear).await.unwrap();
    site
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_another_consortium_does_not_pass_the_handshake() {
    let (stage, other) = (Stage::set(1, 1, 8).await, Stage::set(1, 1, 8).await);
    let (site, stranger) = (enrolled(&stage).await, enrolled(&other).await);
    let own = transport(&stage, site, site)
        .get::<Vec<StudySummary>>("v1/studies")
        .await;
    assert!(own.is_ok(), "{own:?}");
    let foreign = transport(&stage, stranger, site)
        .get::<Vec<StudySummary>>("v1/studies")
        .await;
    assert!(matches!(foreign, Err(EgressError::Unreachable { .. })), "{foreign:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_certificate_only_enrolment_is_open() {
    let stage = Stage::set(1, 1, 8).await;
    let answer = stage
        .consortium
        .aggregator(&["invite", "--site", "north"])
        .await
        .unwrap();
    let line = answer["invitation"].as_str().unwrap();
    let invitation = snowball_protocol::enrolment::Invitation::from_line(line).unwrap();
    let settings = ClientSettings {
        address: invitation.address.clone(),
        proxy: None,
    };
    let bare = Transport::new(&settings, tls::pinned_client(invitation.ca_fingerprint).unwrap()).unwrap();
    for path in [
        "v1/studies",
        "v1/studies/story/task",
        "v1/studies/story/models/0",
        "v1/anything",
    ] {
        let refused = bare.get::<serde_json::Value>(path).await;
        let is_missing =
            matches!(&refused, Err(EgressError::Refused(problem)) if problem.code == ProblemCode::CertificateMissing);
        assert!(is_missing, "{path}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_site_is_refused_at_once() {
    let stage = Stage::set(1, 1, 8).await;
    let site = enrolled(&stage).await;
    let transport = transport(&stage, site, site);
    assert!(transport.get::<Vec<StudySummary>>("v1/studies").await.is_ok());
    stage
        .consortium
        .aggregator(&["revoke", site.name.as_str(), "--reason", "left the consortium"])
        .await
        .unwrap();
    let refused = transport.get::<Vec<StudySummary>>("v1/studies").await;
    let is_revoked =
        matches!(&refused, Err(EgressError::Refused(problem)) if problem.code == ProblemCode::CertificateRevoked);
    assert!(is_revoked, "{refused:?}");
}
