//! A whole study on phantoms: rounds, metrics, a signed release that verifies and that PyTorch opens.

use std::{os::unix::fs::PermissionsExt, path::Path};

use snowball_layout::Layout;
use snowball_protocol::{
    RoundNumber,
    plan::{Combination, Drift, KeptRole, OptimiserRule, ServerOptimiser},
};
use snowball_tests::{Site, run};

use crate::{killed::copy_store, stage::Stage};

/// Epochs give the larger site more steps, FedProx holds both near the round's model, FedNova weighs them by the step, and the server has
/// momentum.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sites_that_do_different_numbers_of_steps_learn_together_under_fed_nova() {
    let stage = Stage::set_with(2, 3, 60, 0.0, |plan| {
        (plan.local.steps, plan.local.batch_size) = (60, 4);
        (plan.local.epochs, plan.local.proximal) = (Some(3.0), Some(0.01));
        plan.strategy.combine = Combination::FedNova;
        plan.strategy.server = ServerOptimiser::Momentum {
            learning_rate: 0.9,
            momentum: 0.3,
        };
    })
    .await;
    let (status, release) = stage.through().await;
    let before = status["rounds"][0]["metrics"]["loss"].as_f64().unwrap();
    let after = status["final"]["pooled"]["loss"].as_f64().unwrap();
    assert!(after < before * 0.9, "the loss falls: {before} to {after}");
    let card = std::fs::read_to_string(release.join("model-card.md")).unwrap();
    assert!(card.contains("FedAvgM over FedNova"), "{card}");
}

/// FedBN: the scales and shifts of the normalisations are trained at each site and stay there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_plan_keeps_at_the_sites_is_learned_there_and_never_leaves() {
    let stage = Stage::set_with(2, 3, 60, 0.0, |plan| {
        plan.local.steps = 40;
        plan.local.keep = vec![KeptRole::Normalisation];
    })
    .await;
    let (status, release) = stage.through().await;
    let before = status["rounds"][0]["metrics"]["loss"].as_f64().unwrap();
    let after = status["final"]["pooled"]["loss"].as_f64().unwrap();
    assert!(after < before * 0.9, "the loss falls: {before} to {after}");
    let card = std::fs::read_to_string(release.join("model-card.md")).unwrap();
    assert!(card.contains("**Kept at the sites**"), "{card}");

    let layout = Layout::of(&stage.plan);
    let (kept, initial) = (layout.kept(&stage.plan), layout.initial_parameters(stage.plan.seed));
    let released = numbers(&release.join("model.safetensors"), layout.parameters());
    assert_eq!(
        kept.values(&released),
        kept.values(&initial),
        "no site's values are in it"
    );
    assert_ne!(released, initial);
    let mut own = Vec::new();
    for site in &stage.consortium.sites {
        let folder = site.home.join("kept/story");
        let settled = numbers(&folder.join("settled"), kept.parameters());
        assert_ne!(settled, kept.values(&initial), "{} learned its own", site.name);
        let mode = std::fs::metadata(folder.join("settled")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!folder.join("pending").exists());
        let mut expected = released.clone();
        kept.lay_over(&settled, &mut expected);
        let model = numbers(&site.home.join("models/story-federated.f32"), layout.parameters());
        assert_eq!(
            model, expected,
            "the site's model is the shared one with its own values"
        );
        own.push(settled);
    }
    assert_ne!(own[0], own[1]);
}

/// SCAFFOLD: the first round is that of federated averaging, the second is corrected; that of all sites is the mean of what each site keeps
/// for itself, and nothing more leaves a site than its update.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sites_that_correct_their_drift_keep_what_adds_up_to_the_control_variate_of_all() {
    let (with, stage) = models_of_a_study(Some(Drift::Scaffold), None).await;
    let (without, _) = models_of_a_study(None, Some(&stage)).await;
    assert_eq!(with[..2], without[..2], "all control variates begin at zero");
    assert_ne!(with[2], without[2]);

    // With all sites in all rounds: less the way of the model, divided by the rates of the round's steps.
    let rates = stage.plan.rate_sum(RoundNumber(3));
    let way = with[3].iter().zip(&with[2]).map(|(after, before)| after - before);
    let control: Vec<f64> = way.map(|way| -f64::from(way) / rates).collect();
    let length = control.iter().map(|value| value * value).sum::<f64>().sqrt();
    assert!(length > 1e-3, "{length}");
    let status = stage
        .consortium
        .aggregator(&["study", "status", "story"])
        .await
        .unwrap();
    let parts = status["rounds"][2]["contributions"].as_array().unwrap();
    let (mut sum, mut total, mut own) = (vec![0.0; control.len()], 0.0, Vec::new());
    for site in &stage.consortium.sites {
        let part = parts.iter().find(|part| part["site"] == site.name.as_str()).unwrap();
        assert_eq!(part["bytes"], control.len() * 4, "an update, and nothing beside it");
        let examples = part["examples"].as_f64().unwrap();
        let folder = site.home.join("kept/story");
        let mode = std::fs::metadata(folder.join("settled")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!folder.join("pending").exists());
        let settled = numbers(&folder.join("settled"), control.len());
        sum.iter_mut()
            .zip(&settled)
            .for_each(|(sum, own)| *sum += examples * f64::from(*own));
        total += examples;
        own.push(settled);
    }
    assert_ne!(own[0], own[1]);
    let difference = sum
        .iter()
        .zip(&control)
        .map(|(sum, control)| (sum / total - control).powi(2));
    let difference = difference.sum::<f64>().sqrt();
    assert!(difference < 1e-4 * length, "{difference} {length}");
}

/// The global models of a study of three rounds by plain descent, from the first to the last, on the radiographs of another run
/// where there is one, and its card looked at.
async fn models_of_a_study(drift: Option<Drift>, like: Option<&Stage>) -> (Vec<Vec<f32>>, Stage) {
    let stage = Stage::set_with(2, 3, 60, 0.0, |plan| {
        (plan.local.steps, plan.local.drift) = (20, drift);
        (plan.optimiser.rule, plan.optimiser.learning_rate) = (OptimiserRule::Sgd { momentum: 0.0 }, 0.05);
    })
    .await;
    stage.settle().await;
    for (site, old) in stage
        .consortium
        .sites
        .iter()
        .zip(like.iter().flat_map(|like| &like.consortium.sites))
    {
        copy_store(&old.home, &site.home);
    }
    let (_, release) = stage.to_release().await;
    let card = std::fs::read_to_string(release.join("model-card.md")).unwrap();
    assert_eq!(card.contains("SCAFFOLD"), drift.is_some(), "{card}");
    let models = stage.consortium.aggregator_home().join("objects/models/story");
    let parameters = Layout::of(&stage.plan).parameters();
    let model = |round| numbers(&models.join(format!("{}.f32", RoundNumber(round))), parameters);
    ((0..=3).map(model).collect(), stage)
}

/// The last `count` little-endian numbers of a file.
fn numbers(path: &Path, count: usize) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    snowball_layout::from_le_bytes(&bytes[bytes.len() - count * 4..]).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_study_ends_in_a_release_that_opens_in_pytorch() {
    let stage = Stage::set_with(2, 3, 80, 0.0, |plan| plan.local.steps = 40).await;
    let (status, release) = stage.through().await;

    let rounds = status["rounds"].as_array().unwrap();
    assert_eq!(rounds.len(), 3);
    // On the sites' validation patients: the model before any training, and the final one.
    let before = rounds[0]["metrics"]["loss"].as_f64().unwrap();
    let after = status["final"]["pooled"]["loss"].as_f64().unwrap();
    assert!(after < before * 0.9, "the loss falls: {before} to {after}");
    assert!(
        rounds[1]["metrics"].is_array() || rounds[1]["metrics"].is_object(),
        "{}",
        rounds[1]["metrics"]
    );

    let home = stage.consortium.aggregator_home();
    let program = &stage.consortium.programs.aggregator;
    let key = home.join("ledger.pub");
    let verify = [
        "release",
        "verify",
        release.to_str().unwrap(),
        "--key",
        key.to_str().unwrap(),
    ];
    let output = run(program, &home, &verify).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let model = release.join("model.safetensors");
    let mut bytes = std::fs::read(&model).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&model, &bytes).unwrap();
    let output = run(program, &home, &verify).await.unwrap();
    assert_eq!(output.status.code(), Some(3), "an altered model does not verify");
    bytes[last] ^= 1;
    std::fs::write(&model, &bytes).unwrap();

    let mut tested = 0;
    for site in &stage.consortium.sites {
        let plan = stage.consortium.plan_file();
        let arguments = ["evaluate", "--plan", plan.to_str().unwrap(), "--model", "federated"];
        let evaluation = stage.consortium.node(site, &arguments).await.unwrap();
        tested += evaluation["images"].as_u64().unwrap();
        assert_eq!(evaluation["interval"]["resamples"], 1000);
        assert!(evaluation["figures"].is_array() && evaluation["groups"].is_object());
        predicts(&stage, site, evaluation["images"].as_u64().unwrap()).await;
    }
    assert!(tested > 0, "some patients are for testing");
    opens_in_pytorch(&release, &["body_part", "age"]);
}

/// One line a radiograph, at least those that have a label, and pictures, for the owner's eyes alone.
async fn predicts(stage: &Stage, site: &Site, labelled: u64) {
    let (plan, folder) = (
        stage.consortium.plan_file(),
        stage.folder.path().join(format!("{}-maps", site.name)),
    );
    let table = folder.with_extension("csv");
    let (table, maps) = (table.to_str().unwrap(), folder.to_str().unwrap());
    let plan = plan.to_str().unwrap();
    let words = [
        "predict",
        "--plan",
        plan,
        "--model",
        "federated",
        "--out",
        table,
        "--pictures",
        maps,
        "--head",
        "age",
        "--count",
        "3",
    ];
    let said = stage.consortium.node(site, &words).await.unwrap();
    let text = std::fs::read_to_string(table).unwrap();
    assert!(
        text.starts_with("radiograph,part,body_part,body_part_said,body_part_p_CHEST,"),
        "{text}"
    );
    let radiographs = said["radiographs"].as_u64().unwrap();
    assert_eq!(text.lines().count() as u64, radiographs + 1);
    assert!(radiographs >= labelled);
    let drawn = said["drawn"].as_u64().unwrap();
    assert_eq!(drawn, radiographs.min(3));
    let page = folder.join("index.html");
    assert!(
        std::fs::read_to_string(&page)
            .unwrap()
            .contains("what moved the output, not why")
    );
    for file in std::fs::read_dir(&folder).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

/// The release's own script opens it in PyTorch, strictly, and PyTorch and an ONNX runtime compute the same.
pub fn opens_in_pytorch(release: &Path, outputs: &[&str]) {
    let script = r#"
import sys
sys.path.insert(0, sys.argv[1])
try:
    import torch, safetensors.torch
except ImportError as missing:
    print("skipped:", missing); sys.exit(0)
import model
network = model.load()
side = network.description["side"]
pictures = torch.rand(3, 1, side, side, generator=torch.Generator().manual_seed(1))
with torch.no_grad():
    outputs = network(pictures)
assert set(outputs) == set(sys.argv[2:]), outputs.keys()
assert all(torch.isfinite(value).all() for value in outputs.values())
print("opened", sum(value.numel() for value in network.parameters()), "parameters")
try:
    import onnxruntime
except ImportError as missing:
    print("skipped:", missing); sys.exit(0)
session = onnxruntime.InferenceSession(sys.argv[1] + "/model.onnx", providers=["CPUExecutionProvider"])
for label, expected in outputs.items():
    found = torch.from_numpy(session.run([label], {"pictures": pictures.numpy()})[0])
    difference = (found - expected).abs().max().item()
    print(label, "differs by", difference)
    assert difference < 1e-4 * max(1.0, expected.abs().max().item())
"#;
    let python = std::env::var("SNOWBALL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    match std::process::Command::new(python)
        .args(["-B", "-c", script])
        .arg(release)
        .args(outputs)
        .output()
    {
        Ok(output) => {
            eprintln!("PyTorch: {}", String::from_utf8_lossy(&output.stdout).trim());
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        Err(fault) => eprintln!("skipped: no python3 ({fault})"),
    }
}
