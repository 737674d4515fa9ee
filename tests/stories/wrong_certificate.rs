//! Certificates of somebody else: another consortium's, none at all, a revoked one.

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType, date_time_ymd};
use snowball_egress::{
    EgressError,
    client::{ClientSettings, Transport},
};
use snowball_protocol::{ProblemCode, session::StudySummary};
use snowball_service::{clock, tls};
use snowball_tests::{Site, run};

use crate::stage::Stage;

/// How often each is asked.
const TIMES: u32 = 20;

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
    assert_eq!(told(&transport(&stage, stranger, site)).await, "certificate_foreign");
    // The other way round: whoever answers is none of this node's.
    assert_eq!(told(&transport(&stage, site, stranger)).await, "aggregator_foreign");

    // The node's own words, with what to do: its certificate is of another consortium's CA.
    for name in ["certs/node.pem", "keys/tls.pem"] {
        std::fs::copy(stranger.home.join(name), site.home.join(name)).unwrap();
    }
    let said = doctor(&stage, site).await;
    assert!(
        said.contains("certificate_foreign") && said.contains("enrol again") && !said.contains("firewall"),
        "{said}"
    );
}

/// The code of what keeps two sides apart. The server reads the client's certificate when the client may have sent its first request:
/// what it says of it must arrive every time, not now and then.
async fn told(transport: &Transport) -> &'static str {
    let mut codes = Vec::new();
    for _ in 0..TIMES {
        match transport.get::<Vec<StudySummary>>("v1/studies").await {
            Err(EgressError::Handshake(trouble)) => codes.push(trouble.code),
            other => panic!("{other:?}"),
        }
    }
    codes.dedup();
    assert_eq!(codes.len(), 1, "{codes:?}");
    codes[0]
}

/// What `doctor` says, which finds something bad.
async fn doctor(stage: &Stage, site: &Site) -> String {
    let output = run(&stage.consortium.programs.node, &site.home, &["doctor"])
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_has_run_out_is_named_by_the_aggregator_by_doctor_and_before_any_try() {
    let stage = Stage::set(1, 1, 8).await;
    let site = enrolled(&stage).await;
    // The CA's key signs one that ended yesterday.
    let authority = std::fs::read_to_string(stage.consortium.aggregator_home().join("ca.pem")).unwrap();
    let ca_key = std::fs::read_to_string(stage.consortium.aggregator_home().join("ca.key.pem")).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&authority, KeyPair::from_pem(&ca_key).unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::default();
    let name = format!("snowball:site:{}", site.name);
    parameters.subject_alt_names = vec![SanType::URI(name.as_str().try_into().unwrap())];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let day = |days: i64| {
        let seconds = (clock::now() + days * 86_400).unsigned_abs();
        date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(seconds)
    };
    (parameters.not_before, parameters.not_after) = (day(-31), day(-1));
    let certificate = parameters.signed_by(&key, &issuer).unwrap().pem();
    std::fs::write(site.home.join("certs/node.pem"), certificate).unwrap();
    snowball_service::files::write_private(&site.home.join("keys/tls.pem"), key.serialize_pem().as_bytes()).unwrap();

    assert_eq!(told(&transport(&stage, site, site)).await, "certificate_expired");
    let said = doctor(&stage, site).await;
    assert!(said.contains("it has expired"), "{said}");
    let output = run(&stage.consortium.programs.node, &site.home, &["run"])
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("(certificate_expired)") && said.contains("enroll"),
        "{said}"
    );
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
