//! Query and retrieve: everything of a day comes, once, by C-MOVE to our own SCP or by C-GET.

use tokio::process::Command;

use crate::{
    archive::{Counts, Orthanc, Ward, days_and_modalities, lacks, lacks_archive, send},
    pages::json::is_as_documented,
};

async fn retrieved(method: &str) {
    if lacks_archive().await {
        return;
    }
    let ward = Ward::open(16, 0.0, "").await;
    let archive = Orthanc::start(ward.folder.path(), ward.port).await;
    let filled = archive.fill(&ward).await;
    let (days, modalities) = days_and_modalities(&ward).await;
    ward.configure(&format!(
        "{}[retrieve]\narchive = \"127.0.0.1:{}\"\narchive_title = \"PACS\"\ntitle = \"SNOWBALL\"\nmethod = \"{method}\"\n",
        ward.receiving(),
        archive.dicom_port
    ));
    for (round, expected) in [(1, filled), (2, 0)] {
        let mut counts = Counts::default();
        let (mut series, mut known) = (0, 0);
        for day in &days {
            let arguments = ["retrieve", "--from", day, "--to", day, "--modality", &modalities];
            let (output, lines) = ward.run(&arguments).await;
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            is_as_documented("retrieve", &lines);
            lines.iter().for_each(|line| counts.add(line));
            let total = lines.last().unwrap();
            series += total["series"].as_u64().unwrap();
            known += total["known"].as_u64().unwrap();
        }
        assert!(series > 0);
        assert_eq!(known, if round == 1 { 0 } else { series }, "round {round}");
        let waiting = ward
            .consortium
            .node(ward.site(), &["quarantine", "list"])
            .await
            .unwrap();
        assert_eq!(
            (counts.files, counts.accepted),
            (expected, expected),
            "round {round}: {counts:?}, waiting: {waiting}"
        );
    }
    assert_eq!(ward.spooled("receive") + ward.spooled("fetch"), 0);
    assert_eq!(ward.ingest_again().await.accepted, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_comes_once_by_move() {
    retrieved("move").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_comes_once_by_get() {
    retrieved("get").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_receive_service_takes_what_is_moved() {
    if lacks_archive().await {
        return;
    }
    let mut ward = Ward::open(4, 0.0, "").await;
    let archive = Orthanc::start(ward.folder.path(), ward.port).await;
    let filled = archive.fill(&ward).await;
    let (days, modalities) = days_and_modalities(&ward).await;
    ward.configure(&format!(
        "{}[retrieve]\narchive = \"127.0.0.1:{}\"\narchive_title = \"PACS\"\ntitle = \"SNOWBALL\"\n",
        ward.receiving(),
        archive.dicom_port
    ));
    let receiving = ward.receive().await;
    for day in &days {
        let (output, _) = ward
            .run(&["retrieve", "--from", day, "--to", day, "--modality", &modalities])
            .await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(ward.hear_files(filled).await.accepted, filled);
    receiving.end().await.unwrap();
}

/// Puts a series of three instances into the archive, one of them 150 KB longer than the others.
async fn fill_with_one_series(ward: &Ward, archive: &Orthanc) {
    let is_explicit = |syntax: &str| syntax == "1.2.840.10008.1.2.1" || syntax.starts_with("1.2.840.10008.1.2.4");
    let mut files = Vec::new();
    for truth in ward
        .sound()
        .into_iter()
        .filter(|truth| is_explicit(&truth.syntax))
        .take(3)
    {
        let path = ward.folder.path().join(format!("{}.dcm", files.len()));
        std::fs::copy(ward.path(truth), &path).unwrap();
        let mut modify = Command::new("dcmodify");
        modify.arg("-nb");
        for change in [
            "StudyInstanceUID=2.25.77",
            "SeriesInstanceUID=2.25.78",
            "PatientID=S-1",
            "StudyDate=20260105",
            "Modality=DX",
        ] {
            modify.args(["-i", change]);
        }
        assert!(modify.arg(&path).status().await.unwrap().success());
        files.push((path, truth.syntax.clone()));
    }
    assert_eq!(files.len(), 3);
    // An ICC profile is as long as it likes, and nothing that the intake looks at.
    let profile = ward.folder.path().join("profile");
    std::fs::write(&profile, vec![0; 150_000]).unwrap();
    let long = Command::new("dcmodify")
        .args(["-nb", "-if", &format!("(0028,2000)={}", profile.display())])
        .arg(&files[2].0)
        .status();
    assert!(long.await.unwrap().success());
    let sent = send(&files, ("PACS", archive.dicom_port), "FILLER").await;
    assert_eq!(sent.acknowledged, 3, "{}", sent.said);
}

/// An object of a series is refused, here because it is too large: the next run asks for that one alone.
async fn only_what_is_missing(method: &str) {
    if lacks_archive().await || lacks(&["dcmodify"]).await {
        return;
    }
    let ward = Ward::open(12, 0.0, "").await;
    let archive = Orthanc::start(ward.folder.path(), ward.port).await;
    fill_with_one_series(&ward, &archive).await;
    ward.configure(&format!(
        "[spool]\nobject_bytes_max = 100000\n{}[retrieve]\narchive = \"127.0.0.1:{}\"\narchive_title = \"PACS\"\n\
         title = \"SNOWBALL\"\nmethod = \"{method}\"\n",
        ward.receiving(),
        archive.dicom_port
    ));
    let words = [
        "retrieve",
        "--from",
        "2026-01-05",
        "--to",
        "2026-01-05",
        "--modality",
        "DX",
    ];
    let mut counts = Counts::default();
    // Twice with the same outcome, but the second time nothing that had come is sent again.
    for objects in [2, 0] {
        let (output, lines) = ward.run(&words).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains("did not come whole"),
            "{said}"
        );
        let total = lines.last().unwrap();
        let expected = (&objects.into(), &1.into());
        assert_eq!((&total["objects"], &total["failed"]), expected, "{total} {said}");
        lines.iter().for_each(|line| counts.add(line));
    }
    assert_eq!(counts.accepted, 2, "{counts:?}");

    let wider = ward
        .configuration()
        .replace("object_bytes_max = 100000", "object_bytes_max = 1000000");
    ward.set_configuration(&wider);
    let (output, lines) = ward.run(&words).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    lines.iter().for_each(|line| counts.add(line));
    assert_eq!(lines.last().unwrap()["objects"], 1);
    assert_eq!(counts.accepted, 3, "{counts:?}");

    let (output, lines) = ward.run(&words).await;
    assert!(output.status.success());
    assert_eq!(lines.last().unwrap()["known"], 1, "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_series_that_came_in_part_only_the_rest_is_sent_by_get() {
    only_what_is_missing("get").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_series_that_came_in_part_only_the_rest_is_sent_by_move() {
    only_what_is_missing("move").await;
}
