//! The same networks elsewhere, on the same weights: an ONNX runtime, torchvision and PyTorch, where Python has them.

use std::{path::Path, process::Command};

use snowball_protocol::plan::Decoder;

use super::*;

mod written_out;

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

fn outputs(plan: &StudyPlan, network: &Network, pictures: Tensor<4>) -> Vec<f32> {
    if plan.pretext.is_some() {
        return network.draw(pictures).unwrap().try_into_vec_as().unwrap();
    }
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
    let told = Architecture::ALL.map(|architecture| (plan(architecture, architecture.width_step()), 97));
    let drawn = decoders::ENCODERS.into_iter().flat_map(|architecture| {
        let plan = |decoder| decoders::drawing(architecture, decoder);
        // Sides that scales are cut for, and one that is doubled whole each time.
        [
            (plan(Decoder::Plain), 97),
            (plan(Decoder::UNet), 90),
            (plan(Decoder::UNet), 64),
        ]
    });
    for (mut plan, side) in told.into_iter().chain(drawn) {
        plan.network.input_side = side as u32;
        let device = Device::flex();
        let layout = Layout::of(&plan);
        let parameters = unlike_the_first(&layout);
        let pictures = pictures(3, side, &device);
        let folder = tempfile::tempdir().unwrap();
        let bytes = snowball_layout::to_le_bytes(&parameters);
        let mut file = std::fs::File::create(folder.path().join("model.onnx")).unwrap();
        snowball_onnx::write(&plan, bytes.as_slice(), &[], &mut file).unwrap();
        let values = snowball_layout::to_le_bytes(&pictures.try_to_vec_as::<f32>().unwrap());
        std::fs::write(folder.path().join("pictures.f32"), values).unwrap();
        if !python(SCRIPT, folder.path(), &["3".to_owned(), side.to_string()]) {
            return;
        }
        let network = Network::load(&plan, &parameters, &device).unwrap();
        let theirs = numbers(&folder.path().join("outputs.f32"));
        let name = format!("{} {:?}", plan.network.architecture.code(), plan.pretext);
        assert_alike(&name, &outputs(&plan, &network, pictures), &theirs);
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
        assert_alike(name, &outputs(&plan, &network, pictures), &read("outputs"));
    }
}

/// The decoders by the textbook, written once more in PyTorch on the small encoder, with our weights by their names.
#[test]
fn pytorch_draws_what_burn_draws() {
    const SCRIPT: &str = r#"
import sys
try:
    import numpy, torch
except ImportError as missing:
    print("skipped:", missing, file=sys.stderr); sys.exit(9)
from torch.nn import functional
folder, decoder, side = sys.argv[1], sys.argv[2], int(sys.argv[3])
flat = torch.from_numpy(numpy.fromfile(folder + "/parameters.f32", "<f4"))
tensors = {}
for line in open(folder + "/layout.txt"):
    name, offset, *shape = line.split()
    shape = [int(length) for length in shape]
    offset, count = int(offset), int(numpy.prod(shape))
    tensors[name] = flat[offset : offset + count].reshape(shape)

def unit(signal, name, stride=1):
    signal = functional.conv2d(signal, tensors[name + ".conv.weight"], stride=stride, padding=1)
    groups = max(signal.shape[1] // 8, 1)
    return functional.group_norm(signal, groups, tensors[name + ".norm.weight"], tensors[name + ".norm.bias"]).relu()

pictures = torch.from_numpy(numpy.fromfile(folder + "/pictures.f32", "<f4")).reshape(-1, 1, side, side)
stages = [pictures]
for number in range(1, 5):
    stages.append(unit(stages[-1], f"trunk.stage{number}", stride=2))
signal = stages.pop()
for number, stage in enumerate(reversed(stages), 1):
    height, width = stage.shape[2:]
    signal = signal.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)[:, :, :height, :width]
    if decoder == "Plain":
        signal = unit(signal, f"decoder.scale{number}")
    else:
        if stage is not pictures:
            signal = torch.cat([signal, stage], 1)
        signal = unit(unit(signal, f"decoder.scale{number}.0"), f"decoder.scale{number}.1")
drawn = functional.conv2d(signal, tensors["decoder.picture.weight"], tensors["decoder.picture.bias"])
drawn.numpy().astype("<f4").tofile(folder + "/outputs.f32")
"#;
    for (decoder, side) in [
        (Decoder::Plain, 64),
        (Decoder::Plain, 51),
        (Decoder::UNet, 64),
        (Decoder::UNet, 51),
    ] {
        let plan = decoders::drawing(Architecture::Small, decoder);
        let device = Device::flex();
        let layout = Layout::of(&plan);
        let parameters = unlike_the_first(&layout);
        let pictures = pictures(3, side, &device);
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, values: &[f32]| {
            std::fs::write(folder.path().join(name), snowball_layout::to_le_bytes(values)).unwrap();
        };
        write("parameters.f32", &parameters);
        write("pictures.f32", &pictures.try_to_vec_as::<f32>().unwrap());
        let lines = layout.tensors.iter().map(|tensor| {
            let shape: Vec<String> = tensor.shape.iter().map(ToString::to_string).collect();
            format!("{} {} {}\n", tensor.name, tensor.offset, shape.join(" "))
        });
        std::fs::write(folder.path().join("layout.txt"), lines.collect::<String>()).unwrap();
        if !python(SCRIPT, folder.path(), &[format!("{decoder:?}"), side.to_string()]) {
            return;
        }
        let network = Network::load(&plan, &parameters, &device).unwrap();
        let theirs = numbers(&folder.path().join("outputs.f32"));
        assert_alike(
            &format!("{decoder:?} of {side}"),
            &outputs(&plan, &network, pictures),
            &theirs,
        );
    }
}
