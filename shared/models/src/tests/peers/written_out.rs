//! `AlexNet` and Xception beside their published form in PyTorch, which needs torch alone.

use super::*;

/// Its weights, taken over by their published names, give its outputs: on grey copied to three colours, at sides that the grid of
/// `AlexNet` spreads and gathers.
#[test]
fn alexnet_and_xception_compute_what_their_published_form_computes() {
    const SCRIPT: &str = include_str!("written_out.py");
    for (architecture, side) in [
        (Architecture::AlexNet, 97),
        (Architecture::AlexNet, 259),
        (Architecture::Xception, 97),
    ] {
        let mut plan = plan(architecture, 64);
        plan.heads.truncate(1);
        let name = architecture.code();
        let folder = tempfile::tempdir().unwrap();
        if !python(SCRIPT, folder.path(), &[name.to_owned(), side.to_string()]) {
            return;
        }
        let read = |label: &str| numbers(&folder.path().join(format!("{label}.f32")));
        let layout = Layout::of(&plan);
        let mut parameters = layout.initial_parameters(1);
        let file = std::fs::read(folder.path().join("model.safetensors")).unwrap();
        let weights = snowball_weights::Weights::read(&file).unwrap();
        let report = snowball_weights::lay(&weights, &plan, &mut parameters).unwrap();
        assert_eq!(report.folded, 1, "{name}: {report}");
        let mut put = |tensor: &str, values: &[f32]| {
            let tensor = layout.tensor(tensor).unwrap();
            parameters[tensor.offset..tensor.offset + tensor.values()].copy_from_slice(values);
        };
        for part in ["weight", "bias"] {
            put(&format!("heads.body_part.{part}"), &read(part));
        }
        // The published AlexNet has no norms, so they have no published names either.
        let mut without_names: Vec<&str> = report.kept.keys().map(String::as_str).collect();
        if architecture == Architecture::AlexNet {
            for stage in 1..=5 {
                for part in ["weight", "bias"] {
                    let tensor = format!("trunk.stage{stage}.norm.{part}");
                    put(&tensor, &read(&format!("norm{stage}.{part}")));
                    without_names.retain(|name| *name != tensor);
                }
            }
        }
        assert_eq!(without_names, [""; 0], "{report}");
        let device = Device::flex();
        let network = Network::load(&plan, &parameters, &device).unwrap();
        let pictures = Tensor::from_data(TensorData::new(read("pictures"), [2, 1, side, side]), &device);
        assert_alike(
            &format!("{name} of {side}"),
            &outputs(&plan, &network, pictures),
            &read("outputs"),
        );
    }
}
