//! A bundle for a web server: what was signed and nothing else, pages whose links all lead to files, and no model that no board let out.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::stage::Stage;

/// Exports both releases of a stage whose studies were approved as a collaboration.
pub async fn two_releases_become_pages(stage: &Stage, releases: [&Path; 2], studies: [&str; 2]) {
    let key = stage.consortium.aggregator_home().join("ledger.pub");
    let out = stage.folder.path().join("public");
    let words = |more: &[&str]| {
        let mut words = vec!["release".to_owned(), "export".to_owned()];
        words.extend(releases.map(|release| release.display().to_string()));
        words.extend(["--key".to_owned(), key.display().to_string()]);
        words.extend(["--out".to_owned(), out.display().to_string()]);
        words.extend(more.iter().map(|&word| word.to_owned()));
        words
    };
    let export = async |more: &[&str]| {
        let words = words(more);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        super::begun::said(stage, &words).await
    };

    let (code, text) = export(&[]).await;
    assert!(
        code == Some(3) && text.contains("did not approve the publication of story") && text.contains("collaboration"),
        "{text}"
    );
    let model = releases[1].join("model.onnx");
    let sound = std::fs::read(&model).unwrap();
    let mut changed = sound.clone();
    *changed.last_mut().unwrap() ^= 1;
    std::fs::write(&model, changed).unwrap();
    let (code, text) = export(&["--within-consortium"]).await;
    assert!(code == Some(3) && text.contains("model.onnx was changed"), "{text}");
    std::fs::write(&model, sound).unwrap();
    assert!(!out.exists(), "nothing was written");

    let (code, text) = export(&["--within-consortium", "--json"]).await;
    assert_eq!(code, Some(0), "{text}");
    let said: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(said["pages"].as_array().unwrap().len(), 2);
    let list = std::fs::read_to_string(out.join("index.html")).unwrap();
    assert!(list.contains("the consortium&#39;s hospitals"), "{list}");
    let newest_first = studies.map(|study| list.find(&format!("./{study}/index.html")).unwrap());
    assert!(newest_first[1] < newest_first[0], "{list}");
    assert_eq!(
        linked(&list, &out),
        studies.map(|study| out.join(study).join("index.html")).into()
    );

    for (study, release) in studies.into_iter().zip(releases) {
        let folder = out.join(study);
        let page = std::fs::read_to_string(folder.join("index.html")).unwrap();
        let signed: BTreeSet<PathBuf> = std::fs::read_dir(release)
            .unwrap()
            .map(|entry| folder.join(entry.unwrap().file_name()))
            .collect();
        assert_eq!(
            linked(&page, &folder),
            signed,
            "every file of the release, and nothing else"
        );
        for part in [
            "Not for the public",
            "<h2>Limits</h2>",
            "<h2>Sites</h2>",
            "--key aggregator.pub",
        ] {
            assert!(page.contains(part), "{part} is missing in {page}");
        }
        let check = tokio::process::Command::new("sha256sum")
            .args(["--check", "--strict", "SHA256SUMS"])
            .current_dir(&folder)
            .output()
            .await
            .unwrap();
        let told = String::from_utf8_lossy(&check.stdout).into_owned();
        assert!(check.status.success() && told.lines().count() == signed.len(), "{told}");
        let folder = folder.to_str().unwrap();
        let key = format!("{folder}/aggregator.pub");
        let verified = stage
            .consortium
            .aggregator(&["release", "verify", folder, "--key", &key])
            .await;
        assert_eq!(verified.unwrap()["holds"], json!(true));
    }
    let (code, text) = export(&["--within-consortium"]).await;
    assert!(
        code == Some(1) && text.contains("is not empty; name a new folder"),
        "{text}"
    );
}

/// Where the links of a page lead, from its folder.
fn linked(page: &str, folder: &Path) -> BTreeSet<PathBuf> {
    let links = page.split("href=\"./").skip(1);
    let found: BTreeSet<PathBuf> = links.map(|rest| folder.join(rest.split_once('"').unwrap().0)).collect();
    for path in &found {
        assert!(path.is_file(), "{} is linked and not there", path.display());
    }
    assert_eq!(page.matches("href=").count(), found.len(), "no link leads elsewhere");
    found
}
