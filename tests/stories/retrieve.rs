//! Query and retrieve: everything of a day comes, once, by C-MOVE to our own SCP or by C-GET.

use crate::archive::{Counts, Orthanc, Ward, days_and_modalities, lacks_archive};

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
            lines.iter().for_each(|line| counts.add(line));
            let total = lines.last().unwrap();
            series += total["series"].as_u64().unwrap();
            known += total["known"].as_u64().unwrap();
        }
        assert!(series > 0);
        assert_eq!(known, if round == 1 { 0 } else { series }, "round {round}");
        assert_eq!(
            (counts.files, counts.accepted),
            (expected, expected),
            "round {round}: {counts:?}"
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
