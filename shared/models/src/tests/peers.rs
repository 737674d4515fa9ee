//! The same networks elsewhere, on the same weights: an ONNX runtime and torchvision, where Python has them.

use std::{path::Path, process::Command};

use super::*;

/// Runs `script` with the folder and `words` as its arguments. False, said aloud, where Python lacks something.
fn python(script: &str, folder: &Path, words: &[String]) -> bool {
    let python = std::env::var("SNOWBALL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    match Command::new(python)
        .args(["-c", script])
        .arg(folder)
        .args(words)
        .output()
    {
        Ok(run) if run.status.success() => true,
        Ok(run) if run.status.code() == Some(9) => {
            eprint!("{}", String::from_utf8_lossy(&run.stderr));
            false
        }
        Ok(run) => panic!("{}", String::from_utf8_lossy(&run.stderr)),
        Err(fault) => {
            eprintln!("skipped: no python3 ({fault})");
            false
        }
    }
}

fn numbers(path: &Path) -> Vec<f32> {
    snowball_layout::from_le_bytes(&std::fs::read(path).unwrap()).unwrap()
}

fn outputs(network: &Network, pictures: Tensor<4>) -> Vec<f32> {
    let outputs = network.forward(pictures).unwrap().into_iter();
    outputs
        .flat_map(|output| output.try_into_vec_as::<f32>().unwrap())
        .collect()
}

fn assert_alike(name: &str, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len(), "{name}");
    let largest = ours.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let apart = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs());
    let worst = apart.fold(0.0_f32, f32::max);
    eprintln!("{name}: apart by {worst:.1e} of {largest:.3}");
    assert!(worst < 1e-4 * largest, "{name}: {ours:?} against {theirs:?}");
}

#[test]
fn onnxruntime_computes_what_burn_computes() {
    const SCRIPT: &str = r#"
import sys
try:
    import numpy, onnxruntime
except ImportError as missing:
    print("skipped:", missing, file=sys.stderr); sys.exit(9)
folder, count, side = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
session = onnxruntime.InferenceSession(folder + "/model.onnx", providers=["CPUExecutionProvider"])
pictures = numpy.fromfile(folder + "/pictures.f32", "<f4").reshape(count, 1, side, side)
features, *outputs = session.run(None, {"pictures": pictures})
assert features.shape[0] == count
numpy.concatenate([output.reshape(-1) for output in outputs]).astype("<f4").tofile(folder + "/outputs.f32")
"#;
    const SIDE: usize = 97;
    for architecture in Architecture::ALL {
        let mut plan = plan(architecture, architecture.width_step());
        plan.network.input_side = SIDE as u32;
        let device = Device::flex();
        let layout = Layout::of(&plan);
        let parameters = unlike_the_first(&layout);
        let pictures = pictures(3, SIDE, &device);
        let folder = tempfile::tempdir().unwrap();
        let bytes = snowball_layout::to_le_bytes(&parameters);
        let mut file = std::fs::File::create(folder.path().join("model.onnx")).unwrap();
        snowball_onnx::write(&plan, bytes.as_slice(), &[], &mut file).unwrap();
        let values = snowball_layout::to_le_bytes(&pictures.try_to_vec_as::<f32>().unwrap());
        std::fs::write(folder.path().join("pictures.f32"), values).unwrap();
        if !python(SCRIPT, folder.path(), &["3".to_owned(), SIDE.to_string()]) {
            return;
        }
        let network = Network::load(&plan, &parameters, &device).unwrap();
        let theirs = numbers(&folder.path().join("outputs.f32"));
        assert_alike(architecture.code(), &outputs(&network, pictures), &theirs);
    }
}

/// Weights that torchvision's networks have, taken over by name, give torchvision's outputs: with its norms over batches exchanged for
/// norms over groups, on grey copied to three colours.
#[test]
fn networks_with_torchvisions_weights_compute_what_torchvision_computes() {
    const SCRIPT: &str = r#"
import sys
try:
    import safetensors.torch, torch, torchvision
except ImportError as missing:
    print("skipped:", missing, file=sys.stderr); sys.exit(9)
folder, name, side = sys.argv[1], sys.argv[2], int(sys.argv[3])

def by_groups(module):
    for label, child in module.named_children():
        if isinstance(child, torch.nn.BatchNorm2d):
            channels = child.num_features
            setattr(module, label, torch.nn.GroupNorm(max(channels // 8, 1), channels))
        else:
            by_groups(child)

torch.manual_seed(1)
more = {"aux_logits": False, "init_weights": False} if name == "inception_v3" else {}
network = getattr(torchvision.models, name)(num_classes=3, **more).eval()
by_groups(network)
with torch.no_grad():
    for parameter in network.parameters():
        if parameter.dim() == 1:
            parameter.add_(0.2 * torch.randn_like(parameter))
    pictures = torch.rand(2, 1, side, side)
    outputs = network(pictures.expand(-1, 3, -1, -1))
    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    last = [module for module in network.modules() if isinstance(module, torch.nn.Linear)][-1]
    safetensors.torch.save_file(state, folder + "/model.safetensors")
    for label, values in {"pictures": pictures, "outputs": outputs, "weight": last.weight, "bias": last.bias}.items():
        values.numpy().astype("<f4").tofile(f"{folder}/{label}.f32")
"#;
    const SIDE: usize = 97;
    for (architecture, name) in [
        (Architecture::ResNet18Full, "resnet18"),
        (Architecture::ResNet34, "resnet34"),
        (Architecture::ResNet50, "resnet50"),
        (Architecture::DenseNet121, "densenet121"),
        (Architecture::InceptionV3, "inception_v3"),
        (Architecture::Vgg16, "vgg16_bn"),
    ] {
        let mut plan = plan(architecture, 64);
        plan.heads.truncate(1);
        let folder = tempfile::tempdir().unwrap();
        if !python(SCRIPT, folder.path(), &[name.to_owned(), SIDE.to_string()]) {
            return;
        }
        let read = |label: &str| numbers(&folder.path().join(format!("{label}.f32")));
        let layout = Layout::of(&plan);
        let mut parameters = layout.initial_parameters(1);
        let file = std::fs::read(folder.path().join("model.safetensors")).unwrap();
        let weights = snowball_weights::Weights::read(&file).unwrap();
        let report = snowball_weights::lay(&weights, &plan, &mut parameters).unwrap();
        assert!(report.kept.is_empty() && report.folded == 1, "{name}: {report}");
        for label in ["weight", "bias"] {
            let tensor = layout.tensor(&format!("heads.body_part.{label}")).unwrap();
            parameters[tensor.offset..tensor.offset + tensor.values()].copy_from_slice(&read(label));
        }
        let device = Device::flex();
        let network = Network::load(&plan, &parameters, &device).unwrap();
        let pictures = Tensor::from_data(TensorData::new(read("pictures"), [2, 1, SIDE, SIDE]), &device);
        assert_alike(name, &outputs(&network, pictures), &read("outputs"));
    }
}
