//! What is built on a trunk beside heads: decoders for drawing and for masks, and a projection for pairs.

use snowball_protocol::plan::{
    Architecture, Contrastive, Decoder, HeadKind, Masked, Positives, Pretext, Reconstruction, StudyPlan,
};

use super::plan;
use crate::*;

fn drawing(architecture: Architecture, width: u32, decoder: Decoder) -> StudyPlan {
    let masked = Some(Masked { patch: 8, share: 0.6 });
    let pretext = Some(Pretext::Reconstruction(Reconstruction { decoder, masked }));
    let heads = Vec::new();
    StudyPlan {
        heads,
        pretext,
        ..plan(architecture, width)
    }
}

fn with_stages() -> impl Iterator<Item = Architecture> {
    let all = Architecture::ALL.into_iter();
    all.filter(|architecture| architecture.has_stages())
}

#[test]
fn a_decoder_draws_a_picture_of_the_same_size_whatever_it_is() {
    for architecture in with_stages() {
        for decoder in [Decoder::Plain, Decoder::UNet] {
            let graph = Graph::of(&drawing(architecture, 16, decoder));
            for side in [32, 33, 47, 64, 97, 224] {
                let shapes = graph.shapes(side).unwrap();
                let drawn = shapes[graph.picture.unwrap().index()];
                assert_eq!(drawn, Shape::Picture([1, side, side]), "{}", architecture.code());
            }
            assert!(graph.heads.is_empty());
        }
        assert_eq!(Graph::of(&plan(architecture, 16)).picture, None);
    }
}

#[test]
fn an_encoder_has_the_trunk_of_the_network_that_tells_classes() {
    let trunk = |plan: &StudyPlan| {
        let tensors = Layout::of(plan).tensors.into_iter();
        let trunk = tensors.filter(|tensor| tensor.name.starts_with("trunk."));
        trunk
            .map(|tensor| (tensor.name, tensor.shape, tensor.offset))
            .collect::<Vec<_>>()
    };
    for architecture in with_stages() {
        let told = trunk(&plan(architecture, 16));
        for decoder in [Decoder::Plain, Decoder::UNet] {
            let plan = drawing(architecture, 16, decoder);
            assert_eq!(trunk(&plan), told, "{}", architecture.code());
            let rest = Layout::of(&plan).tensors.len() - told.len();
            let of_decoder = Layout::of(&plan).tensors.into_iter();
            assert_eq!(
                of_decoder.filter(|tensor| tensor.name.starts_with("decoder.")).count(),
                rest
            );
        }
    }
}

#[test]
fn a_projection_lies_behind_the_trunk_of_any_network_and_is_no_stage_of_it() {
    for architecture in Architecture::ALL {
        let told = plan(architecture, architecture.width_step());
        let compared = StudyPlan {
            heads: Vec::new(),
            pretext: Some(Pretext::Contrastive(Contrastive {
                temperature: 0.1,
                dimension: 24,
                positives: Positives::Patient,
            })),
            ..told.clone()
        };
        let graph = Graph::of(&compared);
        let layout = &graph.layout;
        let shapes = graph.shapes(224).unwrap();
        assert_eq!(shapes[graph.projection.unwrap().index()], Shape::Features(24));
        let Shape::Features(features) = shapes[graph.features.index()] else {
            panic!("{}", architecture.code())
        };
        let behind: Vec<_> = layout
            .tensors
            .iter()
            .filter(|tensor| tensor.stage().is_none())
            .collect();
        let found: Vec<_> = behind
            .iter()
            .map(|tensor| (tensor.name.as_str(), tensor.values()))
            .collect();
        let expected = [
            ("projection.hidden.weight", features * features),
            ("projection.hidden.bias", features),
            ("projection.output.weight", 24 * features),
            ("projection.output.bias", 24),
        ];
        assert_eq!(found, expected, "{}", architecture.code());
        // The trunk is that of the network that tells classes, number for number.
        assert_eq!(layout.stages(), Layout::of(&told).stages());
        assert_eq!(Graph::of(&told).projection, None);
    }
}

/// By the textbook: a convolution has inputs x outputs x 9 weights, its norm two numbers a channel, and the last one a weight a channel
/// and a bias. Scales have half of the channels of the one before, from eight widths on; U-Net's see the encoder's as well.
#[test]
fn decoders_have_the_parameters_that_arithmetic_gives() {
    let unit = |inputs: usize, outputs: usize| 9 * inputs * outputs + 2 * outputs;
    for (architecture, skips) in [
        (Architecture::Small, vec![4, 2, 1]),
        (Architecture::ResNet18, vec![4, 2, 1]),
        (Architecture::ResNet18Full, vec![4, 2, 1, 1]),
        (Architecture::ResNet34, vec![4, 2, 1, 1]),
        (Architecture::ResNet50, vec![16, 8, 4, 1]),
    ] {
        let width = 64;
        let deepest = if architecture == Architecture::ResNet50 {
            32 * width
        } else {
            8 * width
        };
        let skips: Vec<usize> = skips.into_iter().map(|widths| widths * width).chain([0]).collect();
        let (mut plain, mut u_net, mut channels) = (0, 0, deepest);
        for (scale, skip) in skips.iter().enumerate() {
            let outputs = (8 * width) >> (scale + 1);
            plain += unit(channels, outputs);
            u_net += unit(channels + skip, outputs) + unit(outputs, outputs);
            channels = outputs;
        }
        for (decoder, expected) in [(Decoder::Plain, plain), (Decoder::UNet, u_net)] {
            let layout = Layout::of(&drawing(architecture, 64, decoder));
            let tensors = layout
                .tensors
                .iter()
                .filter(|tensor| tensor.name.starts_with("decoder."));
            let found: usize = tensors.map(Tensor::values).sum();
            assert_eq!(found, expected + channels + 1, "{} {decoder:?}", architecture.code());
        }
    }
}

#[test]
fn a_mask_has_an_output_a_class_and_pixel_and_the_decoder_s_names_are_those_of_a_reconstruction() {
    for architecture in [Architecture::Small, Architecture::ResNet18, Architecture::ResNet50] {
        let mut plan = plan(architecture, 16);
        plan.heads.truncate(1);
        plan.heads[0].label = "site_lungs".to_owned().try_into().unwrap();
        plan.heads[0].kind = HeadKind::Mask {
            classes: ["left", "right"].map(str::to_owned).to_vec(),
        };
        let graph = Graph::of(&plan);
        assert!(graph.heads.is_empty());
        let shapes = graph.shapes(70).unwrap();
        assert_eq!(shapes[graph.picture.unwrap().index()], Shape::Picture([3, 70, 70]));
        assert_eq!(graph.layout.tensor("heads.site_lungs.bias").unwrap().shape, [3]);
        let mut drawing = plan.clone();
        drawing.heads.clear();
        drawing.pretext = Some(snowball_protocol::plan::Pretext::Reconstruction(
            snowball_protocol::plan::Reconstruction {
                decoder: snowball_protocol::plan::Decoder::UNet,
                masked: None,
            },
        ));
        let names = |layout: &Layout| -> Vec<String> {
            let names = layout.tensors.iter().map(|tensor| tensor.name.clone());
            names.filter(|name| name.starts_with("decoder.scale")).collect()
        };
        assert_eq!(names(&graph.layout), names(&Layout::of(&drawing)));
        assert!(!names(&graph.layout).is_empty());
    }
}

/// What the page about networks says of each decoder: at width 64, encoder and all.
#[test]
fn the_page_about_networks_says_what_decoders_cost() {
    let page = include_str!("../../../../aggregator/docs/networks.md");
    let rows = with_stages().map(|architecture| {
        let of = |decoder| {
            let graph = Graph::of(&drawing(architecture, 64, decoder));
            (
                graph.layout.parameters() as f64 / 1e6,
                graph.multiplications(224).unwrap() as f64 / 1e9,
            )
        };
        let ((plain, plain_work), (u_net, u_net_work)) = (of(Decoder::Plain), of(Decoder::UNet));
        format!(
            "| `{}` | {plain:.1} | {plain_work:.2} | {u_net:.1} | {u_net_work:.2} |",
            architecture.code()
        )
    });
    let rows = rows.collect::<Vec<_>>().join("\n");
    assert!(page.contains(&rows), "the page lacks the rows\n{rows}");
}
