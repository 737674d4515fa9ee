//! DICOMweb: everything of a day comes, once, with the credentials of a file.

use std::os::unix::fs::PermissionsExt;

use crate::{
    archive::{Counts, Orthanc, Ward, days_and_modalities, lacks_archive},
    pages::json::is_as_documented,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_comes_once() {
    if lacks_archive().await {
        return;
    }
    let ward = Ward::open(16, 0.0, "").await;
    let archive = Orthanc::start(ward.folder.path(), ward.port).await;
    let filled = archive.fill(&ward).await;
    let (days, modalities) = days_and_modalities(&ward).await;
    let url = format!("http://127.0.0.1:{}/dicom-web", archive.web_port);
    let pull = |day: &str| {
        let arguments: Vec<String> = [
            "pull",
            "--url",
            &url,
            "--from",
            day,
            "--to",
            day,
            "--modality",
            &modalities,
        ]
        .map(str::to_owned)
        .to_vec();
        arguments
    };
    let first_day = days.first().unwrap().clone();

    // Without credentials the server refuses, and the program says what to do.
    let arguments = pull(&first_day);
    let (output, _) = ward
        .run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("credentials"), "{said}");

    let credentials = ward.folder.path().join("credentials");
    std::fs::write(&credentials, "Basic reader:secret\n").unwrap();
    ward.configure(&format!(
        "[dicomweb]\ncredentials = {credentials:?}\nrequests_max = 3\n"
    ));
    let (output, _) = ward
        .run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("chmod 600"), "a secret that others can read: {said}");
    std::fs::set_permissions(&credentials, std::fs::Permissions::from_mode(0o600)).unwrap();

    for (round, expected) in [(1, filled), (2, 0)] {
        let mut counts = Counts::default();
        let (mut instances, mut known) = (0, 0);
        for day in &days {
            let arguments = pull(day);
            let (output, lines) = ward
                .run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
                .await;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{said}");
            assert!(!said.contains("secret"), "{said}");
            is_as_documented("pull", &lines);
            lines.iter().for_each(|line| counts.add(line));
            let total = lines.last().unwrap();
            instances += total["instances"].as_u64().unwrap();
            known += total["known"].as_u64().unwrap();
        }
        assert_eq!(instances, filled, "round {round}");
        assert_eq!(known, filled - expected, "round {round}");
        assert_eq!(
            (counts.files, counts.accepted),
            (expected, expected),
            "round {round}: {counts:?}"
        );
    }
    assert_eq!(ward.spooled("fetch"), 0);
    assert_eq!(ward.ingest_again().await.accepted, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_any_moment_lose_and_double_nothing() {
    if lacks_archive().await {
        return;
    }
    let ward = Ward::open(8, 0.0, "").await;
    let archive = Orthanc::start(ward.folder.path(), ward.port).await;
    let filled = archive.fill(&ward).await;
    let (days, modalities) = days_and_modalities(&ward).await;
    let credentials = ward.folder.path().join("credentials");
    std::fs::write(&credentials, "Basic reader:secret\n").unwrap();
    std::fs::set_permissions(&credentials, std::fs::Permissions::from_mode(0o600)).unwrap();
    ward.configure(&format!("[dicomweb]\ncredentials = {credentials:?}\n"));
    let url = format!("http://127.0.0.1:{}/dicom-web", archive.web_port);
    let arguments = |day| {
        [
            "pull",
            "--url",
            &url,
            "--from",
            day,
            "--to",
            day,
            "--modality",
            &modalities,
        ]
    };
    for (number, day) in days.iter().enumerate() {
        let pulling = ward.start(&arguments(day));
        tokio::time::sleep(std::time::Duration::from_millis(20 + 30 * number as u64)).await;
        // One that was faster than the kill has done its work.
        let _ = pulling.kill().await;
    }
    let mut instances = 0;
    for day in &days {
        let (output, lines) = ward.run(&arguments(day)).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        instances += lines.last().unwrap()["instances"].as_u64().unwrap();
    }
    assert_eq!(instances, filled);
    assert_eq!(ward.spooled("fetch"), 0);
    let again = ward.ingest_again().await;
    assert_eq!((again.accepted, again.files), (0, filled));
    let verified = ward.consortium.node(ward.site(), &["ledger", "verify"]).await;
    assert!(verified.is_ok(), "{verified:?}");
}
