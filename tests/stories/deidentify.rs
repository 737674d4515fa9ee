//! De-identified DICOM: written under the policy, verified, resumed, and never mixed with another policy's files.

use std::path::{Path, PathBuf};

use snowball_tests::{PolicyWish, run};

use crate::stage::Stage;

fn dicom_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .flat_map(|patient| std::fs::read_dir(patient.unwrap().path()).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_becomes_deidentified_dicom_once_and_only_under_a_policy() {
    let stage = Stage::set_with(1, 1, 60, 0.05, |_| {}).await;
    let site = &stage.consortium.sites[0];
    stage.consortium.make_node(site, 1).await.unwrap();
    let output = tempfile::tempdir().unwrap();
    let folders = [site.dicom.to_str().unwrap(), output.path().to_str().unwrap()];
    let arguments = ["deidentify", folders[0], folders[1]];
    let node = &stage.consortium.programs.node;
    let refused = run(node, &site.home, &arguments).await.unwrap();
    assert_eq!(refused.status.code(), Some(3), "without a policy nothing is written");

    let wish = PolicyWish::default();
    stage.consortium.install_policy(site, &stage.plan, &wish).await.unwrap();
    let first = stage.consortium.node(site, &arguments).await.unwrap();
    let files = dicom_files(output.path());
    assert_eq!(first["written"].as_u64(), Some(files.len() as u64), "{first}");
    assert!(files.len() >= 30, "{first}");
    assert_eq!(first["findings"], serde_json::json!({}));
    assert!(
        files
            .iter()
            .all(|file| file.extension().is_some_and(|end| end == "dcm"))
    );
    let bytes: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();

    std::fs::remove_file(&files[0]).unwrap();
    let second = stage.consortium.node(site, &arguments).await.unwrap();
    assert_eq!(
        second["written"], 1,
        "what was deleted is written again, the rest is skipped: {second}"
    );
    let again: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert!(bytes == again, "the same input gives the same file");

    let decisions = std::fs::read_to_string(second["records"].as_str().unwrap()).unwrap();
    let line: serde_json::Value = serde_json::from_str(decisions.lines().next().unwrap()).unwrap();
    for field in ["instance", "path", "attribute", "vr", "action", "rule"] {
        assert!(line[field].is_string(), "{line}");
    }
    let other = ["deidentify", folders[0], folders[1], "--project", "another"];
    let mixed = run(node, &site.home, &other).await.unwrap();
    assert_eq!(
        mixed.status.code(),
        Some(3),
        "files of two projects never lie in one folder"
    );
}
