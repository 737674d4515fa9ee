//! A study that begins from another one's release: its sites approve the digest of what it begins with, nobody can exchange it, and its own
//! release names its parents, and theirs.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use snowball_layout::Layout;
use snowball_protocol::{
    Sha256Digest, StudyPlan,
    labels::LabelName,
    plan::{Head, HeadKind},
};
use snowball_tests::{PolicyWish, run};

use crate::{
    audit::both_auditors_find_nothing,
    publish::two_releases_become_pages,
    stage::{Stage, ended},
};

/// A plan for a study with the age's head of the story's and one that the story has not, and its file.
fn another(stage: &Stage, name: &str) -> (StudyPlan, PathBuf) {
    let mut plan = stage.plan.clone();
    plan.study = name.parse().unwrap();
    plan.seed = 77;
    plan.comparison.own_model = true;
    plan.heads.retain(|head| head.label == LabelName::Age);
    plan.heads.push(Head {
        label: LabelName::View,
        kind: HeadKind::Classes(LabelName::View.codes().into_iter().map(str::to_owned).collect()),
        weight: 1.0,
    });
    (plan.clone(), write(stage, &plan))
}

fn write(stage: &Stage, plan: &StudyPlan) -> PathBuf {
    let file = stage.folder.path().join(format!("{}.toml", plan.study));
    std::fs::write(&file, toml::to_string(plan).unwrap()).unwrap();
    file
}

/// The aggregator's exit code and all that it said to people.
pub async fn said(stage: &Stage, words: &[&str]) -> (Option<i32>, String) {
    let mut command = tokio::process::Command::new(&stage.consortium.programs.aggregator);
    command
        .arg("--home")
        .arg(stage.consortium.aggregator_home())
        .args(words);
    let output = command.output().await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

fn tensor(plan: &StudyPlan, model: &[u8], name: &str) -> Vec<u8> {
    let layout = Layout::of(plan);
    let tensor = layout.tensor(name).unwrap();
    model[tensor.offset * 4..(tensor.offset + tensor.values()) * 4].to_vec()
}

fn document(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Releases the study when its sites have evaluated the final model.
async fn released(stage: &Stage, study: &str) -> PathBuf {
    let out = stage.folder.path().join(format!("release-of-{study}"));
    let mut last = Value::Null;
    for _ in 0..1200 {
        last = stage.consortium.aggregator(&["study", "status", study]).await.unwrap();
        let evaluated = last["final"]["evaluated"].as_array().map_or(0, Vec::len);
        if last["phase"] == "reviewing" && evaluated == stage.consortium.sites.len() {
            let words = ["release", "create", study, "--out", out.to_str().unwrap()];
            stage.consortium.aggregator(&words).await.unwrap();
            return out;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{study} was not evaluated: {last}\n{}", stage.logs());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_study_begins_from_a_release_and_its_own_names_the_parents() {
    let stage = Stage::set(2, 2, 80).await;
    stage.settle().await;
    stage.start_study().await;
    let mut nodes = stage.run_nodes();
    stage.wait_for_review().await;
    let parent = stage.release().await;
    ended(&mut nodes).await;
    let from = parent.to_str().unwrap();
    let parents_lineage = std::fs::read(parent.join("lineage.json")).unwrap();

    let (ages, file) = another(&stage, "ages");
    nothing_begins_from_what_nobody_vouches_for(&stage, &ages, &file, &parent).await;

    let boards = stage.folder.path().join("ages-for-the-boards.json");
    let words = [
        "study",
        "create",
        file.to_str().unwrap(),
        "--from",
        from,
        "--out",
        boards.to_str().unwrap(),
    ];
    let created = stage.consortium.aggregator(&words).await.unwrap();
    let approved: StudyPlan = serde_json::from_value(document(&boards)).unwrap();
    let start = approved.start.clone().unwrap();
    assert_eq!(created["plan_digest"], approved.digest().to_string());
    assert_ne!(approved.digest(), ages.digest());
    assert_eq!(start.heads, [LabelName::Age]);
    assert_eq!(created["weights"]["kept"], json!({}), "the whole trunk fits: {created}");
    let parents_of = |value: &Value| value["parents"].as_array().unwrap().clone();
    let release_of_story = json!({ "release": {
        "study": "story", "lineage": Sha256Digest::of(&parents_lineage).to_string(),
        "model": document(&parent.join("lineage.json"))["model_digest"],
    }});
    assert_eq!(parents_of(&created["start"]), std::slice::from_ref(&release_of_story));

    // What it begins with: the parent's trunk and head, and its own seed for the head that the parent has not.
    let kept = stage.consortium.aggregator_home().join("objects/models/ages/0.f32");
    let first = std::fs::read(&kept).unwrap();
    assert_eq!(Sha256Digest::of(&first), start.model);
    let federated = std::fs::read(stage.consortium.sites[0].home.join("models/story-federated.f32")).unwrap();
    let seeded = snowball_layout::to_le_bytes(&Layout::of(&approved).initial_parameters(approved.seed));
    for one in Layout::of(&approved).tensors {
        let expected = if one.name.starts_with("heads.view.") {
            tensor(&approved, &seeded, &one.name)
        } else {
            tensor(&stage.plan, &federated, &one.name)
        };
        assert_eq!(tensor(&approved, &first, &one.name), expected, "{}", one.name);
    }

    // A file that was changed since is not handed to anybody.
    let mut changed = first.clone();
    *changed.last_mut().unwrap() ^= 1;
    std::fs::write(&kept, &changed).unwrap();
    let (code, text) = said(&stage, &["study", "start", "ages"]).await;
    assert!(code == Some(3) && text.contains("was changed since"), "{text}");
    stage.consortium.aggregator(&words).await.unwrap();
    assert_eq!(std::fs::read(&kept).unwrap(), first, "the same weights bring it back");

    for site in &stage.consortium.sites {
        let wish = PolicyWish::default();
        stage.consortium.install_policy(site, &approved, &wish).await.unwrap();
    }
    let started = stage.consortium.aggregator(&["study", "start", "ages"]).await.unwrap();
    assert_eq!(started["initial_model"], start.model.to_string());
    let mut nodes: Vec<_> = (stage.consortium.sites.iter())
        .map(|site| stage.consortium.run_node(site, "ages", &stage.hear).unwrap())
        .collect();
    let child = released(&stage, "ages").await;
    ended(&mut nodes).await;
    a_site_learns_on_as_the_plan_begins(&stage, &boards, &parent, &child).await;

    let lineage = document(&child.join("lineage.json"));
    assert_eq!(lineage["rounds"][0]["model_in"], start.model.to_string());
    assert_eq!(
        parents_of(&lineage["plan"]["start"]),
        std::slice::from_ref(&release_of_story)
    );
    let card = std::fs::read_to_string(child.join("model-card.md")).unwrap();
    let named = format!("the release {} of story", Sha256Digest::of(&parents_lineage));
    assert!(card.contains("## Parents") && card.contains(&named), "{card}");
    let listed = stage.consortium.aggregator(&["release", "list"]).await.unwrap();
    let of = |name: &str| listed[0][name].clone();
    assert_eq!(
        (of("study"), of("parents"), of("folder")),
        (json!("story"), json!([]), json!("there"))
    );
    assert_eq!(listed[1]["parents"], json!([release_of_story]));
    assert_eq!(
        (&listed[1]["sites"], &listed[1]["rounds"]),
        (&json!(2), &json!(lineage["rounds"].as_array().unwrap().len()))
    );
    let (code, text) = said(&stage, &["release", "list"]).await;
    assert!(
        code == Some(0) && text.contains("  its seed  ") && text.contains("  story  "),
        "{text}"
    );
    let key = stage.consortium.aggregator_home().join("ledger.pub");
    let verify = [
        "release",
        "verify",
        child.to_str().unwrap(),
        "--key",
        key.to_str().unwrap(),
    ];
    let (code, text) = said(&stage, &verify).await;
    assert!(
        code == Some(0) && text.contains(&format!("It began from {named}.")),
        "{text}"
    );

    two_releases_become_pages(&stage, [&parent, &child], ["story", "ages"]).await;

    // A grandchild: its parents are what the child's own lineage says.
    let (_, file) = another(&stage, "old-ages");
    let words = [
        "study",
        "create",
        file.to_str().unwrap(),
        "--from",
        child.to_str().unwrap(),
        "--layers",
        "2",
    ];
    let created = stage.consortium.aggregator(&words).await.unwrap();
    let chain = parents_of(&created["start"]);
    assert_eq!(
        (chain.len(), &chain[0]["release"]["study"]),
        (2, &json!("ages")),
        "{created}"
    );
    assert_eq!(chain[1], release_of_story);
    assert!(
        created["start"].get("heads").is_none(),
        "no head goes with another trunk"
    );
    both_auditors_find_nothing(&stage).await;
}

/// Alone, a site begins with what the plan means too, whichever command it gives; with other weights or another choice it trains nothing.
async fn a_site_learns_on_as_the_plan_begins(stage: &Stage, plan: &Path, meant: &Path, other: &Path) {
    let site = &stage.consortium.sites[0];
    let program = &stage.consortium.programs.node;
    let finetune = |from: &Path, more: &[&str]| {
        let words = [
            "finetune",
            "--steps",
            "2",
            "--head-only",
            "--plan",
            plan.to_str().unwrap(),
        ];
        let words = [&words[..], &["--from", from.to_str().unwrap()], more].concat();
        words.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    for (words, why) in [
        (finetune(other, &[]), "name the weights that it means"),
        (finetune(meant, &["--layers", "2"]), "leave out --layers"),
    ] {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let refused = run(program, &site.home, &words).await.unwrap();
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(3) && said.contains(why), "{said}");
    }
    assert!(!site.home.join("models/ages-local.f32").exists());
    let words = finetune(meant, &[]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let told = stage.consortium.node(site, &words).await.unwrap();
    assert_eq!(told["heads_kept"], json!(["age"]), "{told}");
    assert_eq!(told["weights"]["kept"], json!({}), "{told}");

    // A comparison under that plan: its arms begin so or at random.
    let (document, question) = (
        stage.folder.path().join("arms.toml"),
        stage.folder.path().join("one-head.toml"),
    );
    let mut one: StudyPlan = serde_json::from_value(self::document(plan)).unwrap();
    one.heads.retain(|head| head.label == LabelName::Age);
    std::fs::write(&question, toml::to_string(&one).unwrap()).unwrap();
    let arms = "format = 1\ntitle = \"Does it help?\"\nlabels = [10]\nseeds = 1\n[[arms]]\nname = \"scratch\"\nsteps = 2\n\
                [[arms]]\nname = \"first\"\nfrom = [\"FROM\"]\nsteps = 2\n";
    std::fs::write(&document, arms.replace("FROM", other.to_str().unwrap())).unwrap();
    let out = stage.folder.path().join("compared");
    let words = [
        "compare",
        "--arms",
        document.to_str().unwrap(),
        "--plan",
        question.to_str().unwrap(),
        "--out",
    ];
    let refused = run(program, &site.home, &[&words[..], &[out.to_str().unwrap()]].concat())
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        refused.status.code() == Some(3) && said.contains("name the weights that it means"),
        "{said}"
    );
    assert!(!out.exists());
}

/// A key that did not sign, a plan that means other weights, a plan without its weights, files that are not of their lineage.
async fn nothing_begins_from_what_nobody_vouches_for(stage: &Stage, ages: &StudyPlan, file: &Path, parent: &Path) {
    let (file, from) = (file.to_str().unwrap(), parent.to_str().unwrap());
    let strange = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let (code, text) = said(stage, &["study", "create", file, "--from", from, "--key", strange]).await;
    assert!(code == Some(3) && text.contains("is not signed by the key"), "{text}");

    let mut meant = ages.clone();
    meant.study = "meant".parse().unwrap();
    meant.start = Some(
        serde_json::from_value(json!({
            "model": Sha256Digest::of(b"another model"), "stages": ["stage1"],
            "parents": [{ "file": { "name": "a.safetensors", "digest": Sha256Digest::of(b"a") } }],
        }))
        .unwrap(),
    );
    let other = write(stage, &meant);
    let (code, text) = said(stage, &["study", "create", other.to_str().unwrap(), "--from", from]).await;
    assert!(
        code == Some(3) && text.contains("Name the weights that the plan means"),
        "{text}"
    );
    let (code, text) = said(stage, &["study", "create", other.to_str().unwrap()]).await;
    assert!(
        code == Some(3) && text.contains("name these weights with --from"),
        "{text}"
    );

    let model = parent.join("model.safetensors");
    let sound = std::fs::read(&model).unwrap();
    let mut changed = sound.clone();
    *changed.last_mut().unwrap() ^= 1;
    std::fs::write(&model, changed).unwrap();
    let (code, text) = said(stage, &["study", "create", file, "--from", from]).await;
    assert!(
        code == Some(3) && text.contains("model.safetensors or the plan was changed"),
        "{text}"
    );
    std::fs::write(&model, sound).unwrap();
    let status = said(stage, &["study", "status"]).await.1;
    assert!(!status.contains("meant") && !status.contains("ages"), "{status}");
}
