//! What a change of policy would do is known before it is signed: counts over the site's own files, and a table that a board
//! reads in its own language.

use std::path::Path;

use crate::{archive::Ward, sealed::planted, stage::programs};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_policy_is_counted_over_the_sites_own_files() {
    let ward = Ward::open(40, 0.4, "").await;
    ward.ingest_again().await;
    let folder = ward.folder.path();
    let text = include_str!("../../policies/collaboration.toml");
    let options = "[\"retain-patient-characteristics\"]";
    assert!(text.contains(options));
    let wider =
        "[\"retain-patient-characteristics\", \"retain-device-identity\", \"retain-longitudinal-modified-dates\"]";
    let policies = [("strict", "[]"), ("wide", wider)].map(|(name, new)| {
        let path = folder.join(format!("{name}.toml"));
        std::fs::write(&path, text.replacen(options, new, 1)).unwrap();
        path.to_str().unwrap().to_owned()
    });
    let corpus = ward.site().dicom.to_str().unwrap();
    let diff = async |words: &[&str]| {
        let (output, lines) = ward
            .run(&[&["policy", "diff", &policies[0], &policies[1]], words].concat())
            .await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        lines.into_iter().next_back().unwrap()
    };
    assert!(
        diff(&[]).await.is_array(),
        "without a corpus it says what it always said"
    );
    let answer = diff(&["--corpus", corpus, "--store"]).await;
    let (counted, sound) = (&answer["corpus"], ward.sound().len() as u64);
    assert_eq!(counted["files"].as_u64().unwrap(), ward.truth.len() as u64);
    let compared = counted["compared"].as_u64().unwrap();
    assert!(
        compared >= sound && compared < ward.truth.len() as u64,
        "{sound} sound, hostile ones beside: {counted}"
    );
    let of = |keyword: &str, to: &str| {
        (counted["attributes"].as_array().unwrap().iter())
            .filter(|change| change["keyword"] == keyword && change["to"] == to)
            .map(|change| change["instances"].as_u64().unwrap())
            .sum::<u64>()
    };
    // The study date moves where it was emptied, in every file that has one; no identifier of a patient changes its fate.
    assert!(of("StudyDate", "shift_date") >= sound, "{counted}");
    assert_eq!(of("PatientName", "keep") + of("PatientID", "keep"), 0, "{counted}");
    assert!(of("PatientAge", "cap_age") > 0, "{counted}");
    assert_eq!(answer["store"]["radiographs"].as_u64().unwrap(), sound, "{answer}");
    // Of a policy with itself nothing changes.
    let words = ["policy", "diff", &policies[1], &policies[1], "--corpus", corpus];
    let (_, lines) = ward.run(&words).await;
    assert_eq!(
        (&lines[0]["corpus"]["changed"], &lines[0]["changes"]),
        (&0.into(), &serde_json::json!([]))
    );
    // No value of a patient is in it.
    let said = answer.to_string();
    for truth in &ward.truth {
        for keyword in ["PatientID", "PatientName", "AccessionNumber"] {
            if let Some(value) = planted(truth, keyword).filter(|value| value.len() > 3) {
                assert!(!said.contains(value), "{keyword} is in the answer");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_reads_the_table_in_french() {
    let programs = programs().await;
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/collaboration.toml");
    let output = tokio::process::Command::new(&programs.node)
        .args([
            "policy",
            "explain",
            policy.to_str().unwrap(),
            "--table",
            "--language",
            "fr",
        ])
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("ce qui ne figure pas ici est supprimé"), "{said}");
    assert!(said.contains("La clé des codes reste à l'hôpital."), "{said}");
}
