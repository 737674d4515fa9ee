//! DICOMweb servers as hospitals have them: behind a CA of their own, and busy.

use std::time::Duration;

use crate::{
    archive::{Counts, Orthanc, Ward, days_and_modalities, lacks_archive},
    authority::Authority,
    web_server::WebServer,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_behind_https_is_trusted_by_the_hospitals_own_ca_alone() {
    if lacks_archive().await {
        return;
    }
    let ward = Ward::open(4, 0.0, "").await;
    let folder = ward.folder.path();
    let (own, other) = (Authority::found(folder, "own"), Authority::found(folder, "other"));
    let archive = Orthanc::start(folder, ward.port).await;
    let port = own.proxy("archive", archive.web_port).await;
    let filled = archive.fill(&ward).await;
    let (days, modalities) = days_and_modalities(&ward).await;
    let credentials = own.certify("unused").key;
    std::fs::write(&credentials, "Basic reader:secret\n").unwrap();
    let config = |ca: &str| format!("[dicomweb]\ncredentials = {credentials:?}\n{ca}");
    let named = |authority: &Authority| config(&format!("[dicomweb.tls]\nca = {:?}\n", authority.certificate));
    let url = format!("https://localhost:{port}/dicom-web");
    let pull = async |day: &str| {
        let words = [
            "pull",
            "--url",
            &url,
            "--from",
            day,
            "--to",
            day,
            "--modality",
            &modalities,
        ];
        ward.run(&words).await
    };
    let first_day = days.first().unwrap();

    let before = ward.configuration();
    ward.configure(&named(&own));
    let mut counts = Counts::default();
    for day in &days {
        let (output, lines) = pull(day).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        lines.iter().for_each(|line| counts.add(line));
    }
    assert_eq!((counts.files, counts.accepted), (filled, filled), "{counts:?}");

    for (config, remedy) in [
        (config(""), "name it as ca under [dicomweb]"),
        (
            named(&other),
            "name the CA that certified it as ca under [dicomweb.tls]",
        ),
    ] {
        ward.set_configuration(&(before.clone() + &config));
        let (output, _) = pull(first_day).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(remedy), "{said}");
        assert!(!said.contains("secret"), "{said}");
    }

    // The certificate is for the name alone: by its address the host is another.
    ward.set_configuration(&(before + &named(&own)));
    let elsewhere = url.replace("localhost", "127.0.0.1");
    let words = ["pull", "--url", &elsewhere, "--from", first_day, "--to", first_day];
    let (output, _) = ward.run(&words).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("its host in --url"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_server_is_asked_again_when_it_says_and_left_alone_where_it_says_so() {
    let ward = Ward::open(1, 0.0, "").await;
    let server = WebServer::start(&ward.path(ward.sound()[0])).await;
    let words = [
        "pull",
        "--url",
        &server.url,
        "--from",
        "2026-01-05",
        "--to",
        "2026-01-05",
        "--modality",
        "DX",
    ];
    let total = |lines: &[serde_json::Value], name: &str| lines.last().unwrap()[name].as_u64().unwrap();

    // More patience than ours: it is not asked a second time, and the person is told.
    server.refuse(&[], &[("503 Service Unavailable", "3600"); 2]);
    let (output, lines) = ward.run(&words).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    for told in ["503", "left alone for 3600 seconds", "run it again"] {
        assert!(said.contains(told), "{told}: {said}");
    }
    assert_eq!((total(&lines, "failed"), server.asked().len()), (1, 1), "{said}");

    // Refused more often than there are tries: the same.
    server.refuse(&[], &[("429 Too Many Requests", "0"); 9]);
    ward.configure("[dicomweb]\ntries = 2\n");
    let (output, lines) = ward.run(&words).await;
    assert!(!output.status.success());
    assert_eq!((total(&lines, "failed"), server.asked().len()), (1, 2));

    // Within our patience it is asked again, and not before it says.
    server.refuse(
        &[
            ("429 Too Many Requests", "1"),
            ("503 Service Unavailable", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ],
        &[("503 Service Unavailable", "2")],
    );
    let node_toml = ward.configuration().replace("tries = 2", "tries = 5");
    ward.set_configuration(&node_toml);
    let (output, lines) = ward.run(&words).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((total(&lines, "fetched"), total(&lines, "failed")), (1, 0));
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert!(
        asked[1] - asked[0] >= Duration::from_secs(2),
        "it asked for two seconds"
    );
    let mut counts = Counts::default();
    lines.iter().for_each(|line| counts.add(line));
    assert_eq!(counts.accepted, 1, "{counts:?}");
}
