//! `receive` over TLS: senders that the hospital's CA certified come in, and nobody else.

use tokio::process::Command;

use crate::{
    archive::{Ward, lacks, option},
    authority::Authority,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_certified_senders_come_in() {
    if lacks(&["storescu"]).await {
        return;
    }
    let mut ward = Ward::open(1, 0.0, "").await;
    let folder = ward.folder.path().to_owned();
    let (own, other) = (Authority::found(&folder, "own"), Authority::found(&folder, "other"));
    let (node, modality, stranger) = (own.certify("node"), own.certify("modality"), other.certify("stranger"));
    ward.configure(&format!(
        "{}[receive.tls]\ncertificate = {:?}\nkey = {:?}\npeers = {:?}\n",
        ward.receiving(),
        node.certificate,
        node.key,
        own.certificate
    ));
    let receiving = ward.receive().await;
    let file = ward.path(ward.sound()[0]);
    let syntax = option(&ward.sound()[0].syntax).unwrap();
    let send = async |how: &[&std::ffi::OsStr]| {
        let output = Command::new("storescu")
            .args([
                "-v", "-nh", syntax, "-R", "-to", "10", "-ta", "10", "-td", "10", "-aec", "SNOWBALL", "-aet", "PACS",
            ])
            .args(how)
            .args(["127.0.0.1", &ward.port.to_string()])
            .arg(&file)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (said.contains("Received Store Response (Success)"), said.into_owned())
    };
    let words = |words: &[&'static str]| words.iter().map(Into::into).collect::<Vec<std::ffi::OsString>>();
    let with = |certified: &crate::authority::Certified, ca: &Authority| {
        let mut how = words(&["-pw", "+tls"]);
        how.extend([
            certified.key.clone().into(),
            certified.certificate.clone().into(),
            "+cf".into(),
        ]);
        how.push(ca.certificate.clone().into());
        how
    };
    let mut anonymous = words(&["+tla", "+cf"]);
    anonymous.push(own.certificate.clone().into());
    for (who, how) in [
        ("in the clear", Vec::new()),
        ("without a certificate", anonymous),
        ("with a certificate of another CA", with(&stranger, &own)),
        ("who trusts another CA than ours", with(&modality, &other)),
    ] {
        let how: Vec<&std::ffi::OsStr> = how.iter().map(AsRef::as_ref).collect();
        let (is_in, said) = send(&how).await;
        assert!(!is_in, "a sender {who} came in: {said}");
    }
    let how = with(&modality, &own);
    let how: Vec<&std::ffi::OsStr> = how.iter().map(AsRef::as_ref).collect();
    let (is_in, said) = send(&how).await;
    assert!(is_in, "{said}\n{}", ward.logs());
    let counts = ward.hear_files(1).await;
    assert_eq!((counts.files, counts.accepted), (1, 1), "{counts:?}");
    receiving.end().await.unwrap();
    assert_eq!(ward.spooled("receive"), 0);
}
