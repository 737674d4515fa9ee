//! Which way of learning needs fewer labels: a hospital asks by a document, the power fails in between, and the answer is the same.

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use serde_json::Value;
use snowball_phantoms::read_truth;
use snowball_protocol::labels::LabelName;
use snowball_tests::{PolicyWish, Site, run, text};

use crate::{
    sealed::{planted, pseudonym_of},
    stage::Stage,
};

const DOCUMENT: &str = r#"
format = 1
title = "Does a network that learned ages learn ages?"
labels = [10, 30]
seeds = 2
draws = 200
judged_on = "held_back"

[[arms]]
name = "scratch"
steps = 6

[[arms]]
name = "learned before"
from = ["local:story"]
steps = 3
trunk_rate = 0.1

[[arms]]
name = "exchanged"
from = ["local:story"]
steps = 3
shuffled = true

[[claims]]
better = "learned before"
than = "scratch"
labels = [10]
"#;

fn runs(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("runs.jsonl")).unwrap_or_default();
    text.lines()
        .skip(1)
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn figures(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("figures.json")).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_comparison_that_a_power_cut_ended_goes_on_and_says_the_same() {
    let stage = Stage::set_with(1, 1, 160, 0.0, |plan| {
        plan.heads.retain(|head| head.label == LabelName::Age);
    })
    .await;
    let site: &Site = &stage.consortium.sites[0];
    let (node, program) = (&stage.consortium, &stage.consortium.programs.node);
    node.make_node(site, 2).await.unwrap();
    node.ingest(site).await.unwrap();
    let (plan, document) = (node.plan_file(), stage.folder.path().join("question.toml"));
    std::fs::write(&document, DOCUMENT).unwrap();
    let ask = |out: &Path| {
        let (arms, plan) = (text(&document).unwrap(), text(&plan).unwrap());
        let words = ["compare", "--arms", arms, "--plan", plan, "--out", text(out).unwrap()];
        words.map(str::to_owned)
    };
    let whole = stage.folder.path().join("whole");

    // What an arm begins from must be there before anything is trained.
    let asked = ask(&whole);
    let asked = asked.each_ref().map(String::as_str);
    let missing = run(program, &site.home, &asked).await.unwrap();
    let said = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(!missing.status.success() && said.contains("local:story"), "{said}");
    node.install_policy(site, &stage.plan, &PolicyWish::default())
        .await
        .unwrap();
    let pretrained = ["pretrain", "--local", "--plan", text(&plan).unwrap()];
    node.node(site, &pretrained).await.unwrap();
    node.node(site, &asked).await.unwrap();
    assert_eq!(runs(&whole).len(), 3 * 2 * 2);

    let cut = stage.folder.path().join("cut");
    let again = ask(&cut);
    let again = again.each_ref().map(String::as_str);
    let log = node.log("compare");
    let running = node.start_node("compare", site, &again, &log, &stage.hear).unwrap();
    for _ in 0..1200 {
        if runs(&cut).len() >= 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    running.kill().await.unwrap();
    let before = runs(&cut);
    assert!(
        (2..12).contains(&before.len()),
        "{} runs before the power cut",
        before.len()
    );
    assert!(!cut.join("report.html").exists());
    node.node(site, &again).await.unwrap();
    assert_eq!(runs(&cut)[..before.len()], before, "what was done is not done again");
    assert_eq!(runs(&cut), runs(&whole));
    assert_eq!(figures(&cut), figures(&whole));

    let figures = figures(&whole);
    assert_eq!(figures["measure"], "mean_absolute_error", "{figures}");
    assert!(figures["patients"].as_u64() >= Some(10), "{figures}");
    assert_eq!(figures["claims"].as_array().map(Vec::len), Some(1), "{figures}");
    let page = std::fs::read_to_string(whole.join("report.html")).unwrap();
    for told in ["What was claimed beforehand", "learned before", "local:story", "<svg"] {
        assert!(page.contains(told), "{told} is not on the page");
    }
    for file in std::fs::read_dir(&whole).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    // More labels than there are: said before anything is trained.
    std::fs::write(&document, DOCUMENT.replace("[10, 30]", "[10, 3000]")).unwrap();
    let many = run(program, &site.home, &again).await.unwrap();
    let said = String::from_utf8_lossy(&many.stderr).into_owned();
    assert!(!many.status.success() && said.contains("ask for fewer"), "{said}");

    // Another question does not go into the same folder, and a study that the board did not approve is not trained at all.
    std::fs::write(&document, DOCUMENT.replace("seeds = 2", "seeds = 3")).unwrap();
    let other = run(program, &site.home, &again).await.unwrap();
    let said = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(
        !other.status.success() && said.contains("name another folder"),
        "{said}"
    );
    let mut foreign = stage.plan.clone();
    foreign.study = "foreign".parse().unwrap();
    std::fs::write(&plan, toml::to_string(&foreign).unwrap()).unwrap();
    let nowhere = stage.folder.path().join("nowhere");
    let asked = ask(&nowhere);
    let asked = asked.each_ref().map(String::as_str);
    let denied = run(program, &site.home, &asked).await.unwrap();
    assert_eq!(
        denied.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&denied.stderr)
    );
    assert!(!nowhere.exists());

    // One of the patients withdraws: what the networks said of each radiograph goes, and the receipt names both folders.
    let truth = read_truth(&stage.hospitals[0].truth).unwrap();
    let aged = truth
        .iter()
        .find(|one| one.kind == "sound" && one.labels.age_years.is_some());
    let patient = planted(aged.unwrap(), "PatientID");
    let pseudonym = pseudonym_of(&site.home, patient.unwrap()).to_string();
    let receipt = node.node(site, &["withdraw", "--pseudonym", &pseudonym]).await.unwrap();
    let mut expected: Vec<Value> = [&cut, &whole]
        .map(|folder| {
            let folder = std::fs::canonicalize(folder).unwrap();
            serde_json::json!({"folder": folder, "there": true, "outputs_removed": true, "networks": 0, "report": true})
        })
        .into();
    assert_eq!(receipt["comparisons"], Value::from(expected.clone()), "{receipt}");
    assert!(!cut.join("runs.jsonl").exists() && !whole.join("runs.jsonl").exists());
    let again = node.node(site, &["withdraw", "--pseudonym", &pseudonym]).await.unwrap();
    expected
        .iter_mut()
        .for_each(|one| one["outputs_removed"] = false.into());
    assert_eq!(again["comparisons"], Value::from(expected), "{again}");
}
