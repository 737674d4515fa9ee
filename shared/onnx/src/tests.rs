use std::collections::BTreeSet;

use prost::Message as _;
use snowball_protocol::plan::{Architecture, Contrastive, Decoder, Masked, Positives, Pretext, Reconstruction};

use super::*;

fn plan(architecture: Architecture) -> StudyPlan {
    let mut plan: StudyPlan = toml::from_str(include_str!("../../../policies/cases/studies/body-parts.toml")).unwrap();
    plan.network.architecture = architecture;
    plan.network.width = architecture.width_step();
    plan.network.input_side = 96;
    plan
}

/// The file as any reader of the format takes it apart.
fn written(plan: &StudyPlan, parameters: &[f32]) -> Model {
    let mut file = Vec::new();
    let bytes = snowball_layout::to_le_bytes(parameters);
    write(plan, bytes.as_slice(), &[("study", plan.study.to_string())], &mut file).unwrap();
    Model::decode(file.as_slice()).unwrap()
}

#[test]
fn every_node_uses_what_was_made_before_and_every_number_is_there() {
    let drawing = |(architecture, decoder)| {
        let masked = Some(Masked { patch: 8, share: 0.5 });
        let pretext = Some(Pretext::Reconstruction(Reconstruction { decoder, masked }));
        let heads = Vec::new();
        StudyPlan {
            heads,
            pretext,
            ..plan(architecture)
        }
    };
    let drawn = [
        (Architecture::Small, Decoder::Plain),
        (Architecture::ResNet34, Decoder::UNet),
    ]
    .map(drawing);
    let compared = StudyPlan {
        heads: Vec::new(),
        pretext: Some(Pretext::Contrastive(Contrastive {
            temperature: 0.1,
            dimension: 16,
            positives: Positives::Patient,
        })),
        ..plan(Architecture::AlexNet)
    };
    for plan in Architecture::ALL.map(plan).into_iter().chain(drawn).chain([compared]) {
        let layout = Graph::of(&plan).layout;
        let parameters: Vec<f32> = (0..layout.parameters()).map(|position| position as f32).collect();
        let model = written(&plan, &parameters);
        assert_eq!(model.metadata_props[0].value, plan.study.to_string());
        let graph = model.graph.unwrap();
        for tensor in &layout.tensors {
            let found = graph
                .initializer
                .iter()
                .find(|found| found.name == tensor.name)
                .unwrap();
            let values = &parameters[tensor.offset..tensor.offset + tensor.values()];
            assert_eq!(found.raw_data, snowball_layout::to_le_bytes(values), "{}", tensor.name);
            assert_eq!(found.dims.iter().product::<i64>(), tensor.values() as i64);
        }
        let mut known: BTreeSet<String> = graph.initializer.iter().map(|tensor| tensor.name.clone()).collect();
        known.extend(graph.input.iter().map(|input| input.name.clone()));
        for node in &graph.node {
            let mut named = node.input.iter().filter(|name| !name.is_empty());
            assert!(named.all(|name| known.contains(name)), "{}", node.name);
            assert!(
                node.output.iter().all(|name| known.insert(name.clone())),
                "{}",
                node.name
            );
        }
        let outputs: Vec<&str> = graph.output.iter().map(|output| output.name.as_str()).collect();
        assert_eq!(outputs[0], "features");
        assert_eq!(
            outputs.len(),
            1 + plan.heads.len() + usize::from(plan.pretext.is_some())
        );
        assert_eq!(outputs.contains(&"reconstruction"), plan.reconstruction().is_some());
        assert_eq!(outputs.contains(&"projection"), plan.contrastive().is_some());
        assert!(outputs.iter().all(|name| known.contains(*name)));
    }
}

#[test]
fn numbers_that_end_early_are_an_error() {
    let plan = plan(Architecture::Small);
    let bytes = vec![0; Graph::of(&plan).layout.bytes() as usize - 1];
    assert!(write(&plan, bytes.as_slice(), &[], &mut Vec::new()).is_err());
}
