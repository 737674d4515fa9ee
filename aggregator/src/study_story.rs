//! A study of two rounds through the whole program, from the invitations to the release, with restarts in its middle.

use std::time::Duration;

use serde_json::{Value, json};
use snowball_protocol::{
    ProblemCode, Sha256Digest,
    record::RoundRecord,
    session::{StudySummary, Task},
    update::UploadState,
};
use snowball_service::clock;
use tokio::time::sleep;

use crate::{
    fixture,
    home::Home,
    story::{
        Client, Running, STUDY, command, enrol, head, header, init, one_hot, task, training, updates_path, upload,
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn a_study_runs_from_invitation_to_release_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    init(&dir).await;
    let mut running = Running::start(&dir).await;
    let (north_tls, north_ledger) = enrol(&dir, running.port, "north").await;
    let (south_tls, south_ledger) = enrol(&dir, running.port, "south").await;
    let north = Client::new(north_tls.clone(), running.port);
    let south = Client::new(south_tls.clone(), running.port);
    let hello = json!({ "protocol_min": 1, "protocol_max": 1, "program_version": "1", "policy_digest": null, "clock": clock::now() });
    assert_eq!(north.post::<Value>("/v1/hello", &hello).await["protocol"], 1);

    let plan = fixture::plan(STUDY);
    let layout = snowball_layout::Layout::of(&plan);
    let file = folder.path().join("plan.toml");
    std::fs::write(&file, toml::to_string(&plan).unwrap()).unwrap();
    command(&dir, &["study", "create", file.to_str().unwrap()]).await;
    assert_eq!(north.get::<Vec<StudySummary>>("/v1/studies").await, []);
    command(&dir, &["study", "start", STUDY]).await;
    while north.get::<Vec<StudySummary>>("/v1/studies").await.is_empty() {
        sleep(Duration::from_millis(20)).await;
    }
    let (_, _, canonical) = north.send("GET", &format!("/v1/studies/{STUDY}/plan"), "", b"").await;
    assert_eq!(Sha256Digest::of(&canonical), plan.digest());
    let join = json!({
        "plan_digest": plan.digest(), "policy_digest": Sha256Digest::of(b"policy"),
        "layout_digest": layout.digest(), "training_examples": 10,
    });
    for client in [&north, &south] {
        assert!(
            client
                .post::<StudySummary>(&format!("/v1/studies/{STUDY}/join"), &join)
                .await
                .joined
        );
    }

    // Round 1: north in two pieces with a restart between them, and a replay afterwards.
    let model = training(&north, 1).await;
    let (first, bytes) = header(&plan, &model, &one_hot(layout.parameters(), 0), 1);
    let unproven = serde_json::to_vec(&first).unwrap();
    let refused = north.refused("POST", &updates_path(&first), &unproven).await;
    assert_eq!(refused.code, ProblemCode::LedgerHeadMissing);
    for (client, site, key) in [(&north, "north", &north_ledger), (&south, "south", &south_ledger)] {
        client.post::<Value>("/v1/heads", &head(site, 2, b"head", key)).await;
    }
    // A head that comes late, behind a newer one, is refused; the next one that goes on from the newer one mends it.
    let late = serde_json::to_vec(&head("north", 1, b"late", &north_ledger)).unwrap();
    let refused = north.refused("POST", "/v1/heads", &late).await;
    assert_eq!(refused.code, ProblemCode::LedgerRewound);
    let refused = north.refused("POST", &updates_path(&first), &unproven).await;
    assert_eq!(refused.code, ProblemCode::LedgerHeadMissing);
    north
        .post::<Value>("/v1/heads", &head("north", 3, b"next", &north_ledger))
        .await;
    let state: UploadState = north.post(&updates_path(&first), &first).await;
    let (status, ..) = north
        .send(
            "PATCH",
            &format!("/v1/uploads/{}?offset=0", state.upload.0),
            "",
            &bytes[..101],
        )
        .await;
    assert_eq!(status, 200);
    running.stop().await;
    running = Running::start(&dir).await;
    let mut north = Client::new(north_tls, running.port);
    let mut south = Client::new(south_tls, running.port);
    let again: UploadState = north.post(&updates_path(&first), &first).await;
    assert_eq!((again.offset, &again.upload, again.receipt), (101, &state.upload, None));
    let misplaced = north
        .refused("PATCH", &format!("/v1/uploads/{}?offset=5", state.upload.0), b"x")
        .await;
    assert_eq!(misplaced.code, ProblemCode::OffsetMismatch);
    let foreign = south
        .refused("PATCH", &format!("/v1/uploads/{}?offset=101", state.upload.0), b"x")
        .await;
    assert_eq!(foreign.code, ProblemCode::NotFound);
    let receipt = upload(&north, &first, &bytes).await.receipt.unwrap();
    let replay: UploadState = north.post(&updates_path(&first), &first).await;
    assert_eq!(replay.receipt.as_ref(), Some(&receipt));
    let (other, _) = header(&plan, &model, &one_hot(layout.parameters(), 5), 2);
    let body = serde_json::to_vec(&other).unwrap();
    assert_eq!(
        north.refused("POST", &updates_path(&other), &body).await.code,
        ProblemCode::AlreadyContributed
    );
    let (bad, bad_bytes) = header(&plan, &model, &vec![f32::NAN; layout.parameters()], 1);
    let state: UploadState = south.post(&updates_path(&bad), &bad).await;
    let refusal = south
        .refused("PATCH", &format!("/v1/uploads/{}?offset=0", state.upload.0), &bad_bytes)
        .await;
    assert_eq!(refusal.code, ProblemCode::NotFinite);

    // North's long poll is answered by south's update, not by a timeout.
    let (second, bytes) = header(&plan, &model, &one_hot(layout.parameters(), 1), 2);
    let waiting = async { training(&north, 2).await };
    let (model, sent) = tokio::join!(waiting, upload(&south, &second, &bytes));
    assert!(sent.receipt.is_some());

    // One-hot sums: half of each, neither lost nor counted twice; downloaded in two ranges.
    let path = format!("/v1/studies/{STUDY}/models/1");
    let (status, head, mut global) = north.send("GET", &path, "range: bytes=0-9\r\n", b"").await;
    assert!(
        status == 206
            && head
                .to_lowercase()
                .contains(&format!("content-range: bytes 0-9/{}", model.bytes)),
        "{head}"
    );
    global.extend(north.send("GET", &path, "range: bytes=10-\r\n", b"").await.2);
    assert_eq!(Sha256Digest::of(&global), model.digest);
    let initial = layout.initial_parameters(plan.seed);
    let global = snowball_layout::from_le_bytes(&global).unwrap();
    for (place, (new, old)) in global.iter().zip(&initial).enumerate() {
        let expected = if place < 2 { 0.5 } else { 0.0 };
        assert!(
            (new - old - expected).abs() < 1e-6,
            "parameter {place}: {old} became {new}"
        );
    }

    for (client, place) in [(&north, 0), (&south, 1)] {
        let (header, bytes) = header(&plan, &model, &one_hot(layout.parameters(), place), 1);
        assert!(upload(client, &header, &bytes).await.receipt.is_some());
    }
    for client in [&north, &south] {
        let Task::Evaluate { .. } = task(client).await else {
            panic!("the final model is to be evaluated")
        };
        client
            .post::<Value>(
                &format!("/v1/studies/{STUDY}/evaluation"),
                &json!({ "evaluation": null }),
            )
            .await;
    }
    let records: Vec<RoundRecord> = north.get(&format!("/v1/studies/{STUDY}/rounds")).await;
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].contributions.len(), 2);
    assert_eq!(records[0].model_out, records[1].model_in);
    assert!(
        records[0]
            .refusals
            .iter()
            .any(|refusal| refusal.code == ProblemCode::NotFinite)
    );
    for part in &records[0].contributions {
        assert!(
            (part.norm - 1.0).abs() < 1e-6 && (part.cosine - 0.5f64.sqrt()).abs() < 1e-6,
            "{part:?}"
        );
    }

    let out = folder.path().join("release");
    command(&dir, &["release", "create", STUDY, "--out", out.to_str().unwrap()]).await;
    let key = Home::at(&dir).public_key_file();
    command(
        &dir,
        &[
            "release",
            "verify",
            out.to_str().unwrap(),
            "--key",
            key.to_str().unwrap(),
        ],
    )
    .await;
    let Task::Done { model: Some(model), .. } = task(&north).await else {
        panic!("the study is over")
    };
    for _ in 0..2 {
        let (status, _, last) = south
            .send("GET", &format!("/v1/studies/{STUDY}/models/{}", model.round), "", b"")
            .await;
        assert_eq!((status, Sha256Digest::of(&last)), (200, model.digest));
        running.stop().await;
        running = Running::start(&dir).await;
        north.port = running.port;
        south.port = running.port;
    }
    assert_eq!(command(&dir, &["study", "status", STUDY]).await["phase"], "released");

    command(&dir, &["revoke", "north", "--reason", "story over"]).await;
    assert_eq!(
        north.refused("GET", "/v1/studies", b"").await.code,
        ProblemCode::CertificateRevoked
    );
    assert_eq!(south.get::<Vec<StudySummary>>("/v1/studies").await.len(), 1);
    running.stop().await;
    command(&dir, &["ledger", "verify"]).await;
    let shown = command(&dir, &["ledger", "show"]).await;
    let count = |kind: &str| {
        let records = shown["records"].as_array().unwrap();
        records.iter().filter(|record| record["entry"]["entry"] == kind).count()
    };
    assert_eq!(
        (
            count("update_admitted"),
            count("round_finished"),
            count("update_refused")
        ),
        (4, 2, 2)
    );
    assert_eq!(
        (count("study_joined"), count("release_signed"), count("site_revoked")),
        (2, 1, 1)
    );

    // As if a crash had come before any of it reached the ledger: the next start adds what the database knows.
    std::fs::remove_dir_all(Home::at(&dir).ledger_dir()).unwrap();
    Running::start(&dir).await.stop().await;
    let shown = command(&dir, &["ledger", "show"]).await;
    let kinds: Vec<_> = shown["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| &record["entry"]["entry"])
        .collect();
    let count = |kind: &str| kinds.iter().filter(|found| **found == kind).count();
    assert_eq!(
        (count("study_joined"), count("update_admitted"), count("round_finished")),
        (2, 4, 2)
    );
}
