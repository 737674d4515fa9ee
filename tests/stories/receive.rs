//! What a modality or an archive sends by C-STORE is kept before it is acknowledged, and taken in after.

use tokio::process::Command;

use crate::archive::{Ward, lacks, send};

fn everything(ward: &Ward) -> Vec<(std::path::PathBuf, String)> {
    (ward.truth.iter())
        .map(|truth| (ward.path(truth), truth.syntax.clone()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_taken_in_and_a_second_time_nothing_is() {
    if lacks(&["storescu", "echoscu"]).await {
        return;
    }
    let mut ward = Ward::open(60, 0.5, "").await;
    ward.configure(&ward.receiving());
    let receiving = ward.receive().await;
    let port = ward.port;

    for (called, calling, reason) in [
        ("WRONG", "PACS", "Called AE Title Not Recognized"),
        ("SNOWBALL", "WRONG", "Calling AE Title Not Recognized"),
    ] {
        let echo = Command::new("echoscu")
            .args(["-v", "-aec", called, "-aet", calling, "127.0.0.1", &port.to_string()])
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&echo.stdout) + String::from_utf8_lossy(&echo.stderr);
        assert!(!echo.status.success() && said.contains(reason), "{said}");
    }
    let echo = Command::new("echoscu")
        .args(["-aec", "SNOWBALL", "-aet", "PACS", "127.0.0.1", &port.to_string()])
        .status();
    assert!(echo.await.unwrap().success());

    let (_, doctor) = ward.run(&["doctor", "--offline"]).await;
    let finding = (doctor[0]["findings"].as_array().unwrap().iter()).find(|finding| finding["code"] == "N301");
    assert!(
        finding.unwrap()["says"].as_str().unwrap().contains("is running"),
        "{doctor:?}"
    );

    let files = everything(&ward);
    let sent = send(&files, ("SNOWBALL", port), "PACS").await;
    let sound = ward.sound().len() as u64;
    assert!(sent.acknowledged >= sound, "{}\n{}", sent.said, ward.logs());
    let counts = ward.hear_files(sent.acknowledged).await;
    assert_eq!(counts.files, sent.acknowledged);
    assert_eq!(counts.accepted, sound, "{counts:?}");
    assert!(
        counts.quarantined + counts.rejected > 0,
        "hostile ones came as well: {counts:?}"
    );

    let sent = send(&files, ("SNOWBALL", port), "PACS").await;
    let counts = ward.hear_files(sent.acknowledged).await;
    assert_eq!(counts.accepted, 0, "{counts:?}");
    receiving.end().await.unwrap();
    assert_eq!(ward.spooled("receive"), 0);
    assert_eq!(ward.ingest_again().await.accepted, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_spool_and_store_loses_nothing_that_was_acknowledged() {
    if lacks(&["storescu"]).await {
        return;
    }
    let mut ward = Ward::open(60, 0.0, "").await;
    ward.configure(&ward.receiving());
    let receiving = ward.receive().await;
    // Somebody else writes to the store, so the intake waits, and everything stays in the spool.
    let store = rusqlite::Connection::open(ward.site().home.join("store/store.sqlite")).unwrap();
    store.execute_batch("BEGIN IMMEDIATE").unwrap();
    let files = everything(&ward);
    let sent = send(&files, ("SNOWBALL", ward.port), "PACS").await;
    assert_eq!(sent.acknowledged, files.len() as u64, "{}", sent.said);
    receiving.kill().await.unwrap();
    store.execute_batch("ROLLBACK").unwrap();
    drop(store);
    assert_eq!(ward.spooled("receive") as u64, sent.acknowledged);

    let again = ward.receive().await;
    let counts = ward.hear_files(sent.acknowledged).await;
    again.end().await.unwrap();
    assert_eq!(counts.accepted, sent.acknowledged, "{counts:?}");
    assert_eq!(ward.spooled("receive"), 0, "{}", ward.logs());
    assert_eq!(ward.ingest_again().await.accepted, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn low_disk_is_told_and_nothing_is_acknowledged() {
    if lacks(&["storescu"]).await {
        return;
    }
    let mut ward = Ward::open(4, 0.0, "[spool]\ndisk_free_bytes_min = 9000000000000000000\n").await;
    ward.configure(&ward.receiving());
    let receiving = ward.receive().await;
    let files = everything(&ward);
    let sent = send(&files, ("SNOWBALL", ward.port), "PACS").await;
    assert_eq!(sent.acknowledged, 0, "{}", sent.said);
    assert_eq!(
        sent.said.matches("Refused: OutOfResources").count(),
        files.len(),
        "{}",
        sent.said
    );
    assert_eq!(ward.spooled("receive"), 0);
    receiving.end().await.unwrap();
}

/// Two processes: strangers speak to the one, their files are decoded by the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_half_that_decodes_has_no_network_and_the_half_that_listens_no_key() {
    let mut ward = Ward::open(4, 0.0, "").await;
    ward.configure(&ward.receiving());
    let receiving = ward.receive().await;
    let decoding = receiving.id().unwrap();
    let children = std::fs::read_to_string(format!("/proc/{decoding}/task/{decoding}/children")).unwrap();
    let listening: u32 = children
        .split_whitespace()
        .next()
        .expect("a child listens")
        .parse()
        .unwrap();
    let of = |process: u32, field: &str| {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap().trim();
        line.parse::<u32>().unwrap()
    };
    // The filter of calls comes when keys and store are open, which may be a moment after the other half listens.
    let held = async {
        while of(decoding, "Seccomp:") != 2 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(30), held).await;
    waited.expect("a filter of calls holds the half that decodes");
    assert_eq!(of(decoding, "NoNewPrivs:"), 1);
    assert_eq!(
        of(listening, "NoNewPrivs:"),
        1,
        "Landlock and its kind hold the half that listens"
    );
    // Of both only the one that listens has a socket of the network: the other one has those to hear signals by.
    let inet = std::fs::read_to_string(format!("/proc/{listening}/net/tcp")).unwrap();
    let has_one = |process: u32| {
        let links = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().flatten();
        let mut targets = links.filter_map(|link| std::fs::read_link(link.path()).ok());
        targets.any(|target| {
            let name = target.to_string_lossy().into_owned();
            let number = name.strip_prefix("socket:[").and_then(|name| name.strip_suffix(']'));
            number.is_some_and(|number| {
                inet.lines()
                    .any(|line| line.split_whitespace().any(|word| word == number))
            })
        })
    };
    assert!(has_one(listening) && !has_one(decoding));
    receiving.end().await.unwrap();
    assert!(
        !std::path::Path::new(&format!("/proc/{listening}")).exists(),
        "both end together"
    );
}
