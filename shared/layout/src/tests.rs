use proptest::prelude::*;
use snowball_protocol::{
    labels::LabelName,
    plan::{
        Architecture, Augmentation, Contrastive, Decoder, Head, HeadKind, KeptRole, LocalTraining, Masked, Network,
        Optimiser, OptimiserRule, Positives, Preprocessing, Pretext, Reconstruction, Rounds, Schedule, Sent, Span,
        Strategy, StudyPlan, Transfer,
    },
};

use super::*;

pub(crate) fn plan(architecture: Architecture, width: u32) -> StudyPlan {
    let span = Span { min: 1, max: 4 };
    StudyPlan {
        format: 1,
        study: "layouts".parse().unwrap(),
        title: "Layouts".to_owned(),
        purpose: "pretraining".parse().unwrap(),
        stage: snowball_protocol::plan::StudyStage::default(),
        seed: 7,
        start: None,
        network: Network {
            architecture,
            input_side: 64,
            width,
        },
        heads: vec![
            Head {
                label: LabelName::BodyPart,
                kind: HeadKind::Classes(vec!["CHEST".to_owned(), "HAND".to_owned(), "KNEE".to_owned()]),
                weight: 1.0,
            },
            Head {
                label: LabelName::Age,
                kind: HeadKind::Regression { unit: 100.0 },
                weight: 1.0,
            },
        ],
        pretext: None,
        preprocessing: Preprocessing::LetterboxV1,
        augmentation: Augmentation::XrLightV1,
        optimiser: Optimiser {
            rule: OptimiserRule::Adamw,
            learning_rate: 1e-3,
            weight_decay: 0.01,
            schedule: Schedule::Constant,
            gradient_norm_max: None,
        },
        local: LocalTraining {
            steps: 10,
            batch_size: 32,
            epochs: None,
            proximal: None,
            drift: None,
            keep: Vec::new(),
        },
        strategy: Strategy::fed_avg(1000, 100.0),
        transfer: Transfer::default(),
        rounds: Rounds {
            count: 10,
            sites: span,
            recruit_seconds: span,
            updates: span,
            collect_seconds: span,
            review_seconds_max: 60,
            late: snowball_protocol::plan::Late::Drop,
        },
        send: vec![Sent::Update],
        comparison: snowball_protocol::plan::Comparison::default(),
    }
}

#[test]
fn the_small_net_is_small_and_its_tensors_follow_one_another() {
    let layout = Layout::of(&plan(Architecture::Small, 16));
    assert_eq!(layout.parameters(), 98_420);
    assert_eq!(layout.bytes(), 4 * 98_420);
    let mut offset = 0;
    for tensor in &layout.tensors {
        assert_eq!(tensor.offset, offset, "{}", tensor.name);
        offset += tensor.values();
    }
    assert_eq!(layout.tensor("trunk.stage2.conv.weight").unwrap().shape, [32, 16, 3, 3]);
    assert_eq!(layout.tensor("heads.body_part.weight").unwrap().shape, [3, 256]);
    assert_eq!(layout.tensor("heads.age.bias").unwrap().shape, [1]);
    assert_eq!(layout.tensor("trunk.stage1.norm.bias").unwrap().role, Role::NormAffine);
}

/// What the papers' networks have as torchvision (Xception: Keras) counts them, with three channels and a thousand classes; then the
/// features that the classes see, the stem's weights for three channels, and what ours has more.
const PAPERS: [(Architecture, usize, usize, usize, usize); 8] = [
    (Architecture::ResNet18Full, 11_689_512, 512, 9_408, 0),
    (Architecture::ResNet34, 21_797_672, 512, 9_408, 0),
    (Architecture::ResNet50, 25_557_032, 2_048, 9_408, 0),
    (Architecture::DenseNet121, 7_978_856, 1_024, 9_408, 0),
    // torchvision's vgg16_bn.
    (Architecture::Vgg16, 138_365_992, 4_096, 1_728, 0),
    // Without the auxiliary classifier.
    (Architecture::InceptionV3, 23_834_568, 2_048, 864, 0),
    // Without the moving means and variances.
    (Architecture::Xception, 22_855_952, 2_048, 864, 0),
    // A norm after each of five convolutions.
    (
        Architecture::AlexNet,
        61_100_840,
        4_096,
        23_232,
        2 * (64 + 192 + 384 + 256 + 256),
    ),
];

#[test]
fn at_width_64_each_network_has_its_papers_parameters() {
    for (architecture, published, features, stem, more) in PAPERS {
        let plan = plan(architecture, 64);
        let graph = Graph::of(&plan);
        let classes = 1_000 * (features + 1);
        let heads: usize = plan.heads.iter().map(|head| head.outputs() * (features + 1)).sum();
        assert_eq!(
            graph.layout.parameters() - heads,
            published - classes - stem + stem / 3 + more,
            "{}",
            architecture.code()
        );
    }
}

#[test]
fn the_light_resnet_18_differs_from_the_papers_by_its_stem() {
    let layout = Layout::of(&plan(Architecture::ResNet18, 64));
    let full = Layout::of(&plan(Architecture::ResNet18Full, 64));
    assert_eq!(layout.parameters() + 64 * 49, full.parameters() + 64 * 9);
    assert!(layout.tensor("trunk.stage1.0.shortcut.conv.weight").is_none());
    assert_eq!(
        layout.tensor("trunk.stage4.0.shortcut.conv.weight").unwrap().shape,
        [512, 256, 1, 1]
    );
}

#[test]
fn each_network_takes_pictures_from_its_smallest_side_on_and_none_below() {
    for architecture in Architecture::ALL {
        let graph = Graph::of(&plan(architecture, 32));
        let smallest = architecture.input_side_min() as usize;
        for side in [smallest, smallest + 1, 224] {
            let shapes = graph
                .shapes(side)
                .unwrap_or_else(|| panic!("{} of {side}", architecture.code()));
            let outputs: Vec<Shape> = graph.heads.iter().map(|head| shapes[head.index()]).collect();
            assert_eq!(outputs, [Shape::Features(3), Shape::Features(1)]);
        }
        if smallest > 32 {
            assert_eq!(graph.shapes(smallest - 1), None, "{}", architecture.code());
        }
    }
}

#[test]
fn every_tensor_is_used_by_one_step_and_every_norm_has_whole_groups() {
    for architecture in Architecture::ALL {
        for width in [architecture.width_step(), 48, 64] {
            let graph = Graph::of(&plan(architecture, width));
            let mut used = Vec::new();
            for step in &graph.steps {
                match step.operation {
                    Operation::Convolution { weight, bias, .. } => {
                        used.push(weight);
                        used.extend(bias);
                    }
                    Operation::GroupNorm { scale, shift, groups } => {
                        used.extend([scale, shift]);
                        assert_eq!(graph.layout.tensors[scale].values() % groups, 0);
                    }
                    Operation::Linear { weight, bias } => used.extend([weight, bias]),
                    _ => {}
                }
            }
            assert_eq!(used, (0..graph.layout.tensors.len()).collect::<Vec<_>>());
        }
    }
}

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

/// What a study's approvals hang on: a change here makes every approved plan another network.
#[test]
fn the_layouts_of_the_first_two_networks_stay_what_they_were() {
    let digest = |architecture| Layout::of(&plan(architecture, 16)).digest().to_string();
    assert_eq!(
        digest(Architecture::Small),
        "sha256:2f82ed44b705479c790b6dce55f96b33d0a8041e373cb886cd5b1ffb2b8818be"
    );
    assert_eq!(
        digest(Architecture::ResNet18),
        "sha256:6416f47a33737dc61272b45aa463015627a661dff3fd43b5352f58f2368a4562"
    );
}

#[test]
fn the_digest_names_the_layout() {
    let digest = |plan: &StudyPlan| Layout::of(plan).digest();
    let first = plan(Architecture::Small, 16);
    let mut other = first.clone();
    other.title = "Another title".to_owned();
    assert_eq!(digest(&first), digest(&other));
    other.heads.swap(0, 1);
    assert_ne!(digest(&first), digest(&other));
    assert_ne!(digest(&first), digest(&plan(Architecture::Small, 24)));
}

#[test]
fn what_stays_at_the_sites_is_every_scale_and_shift_and_nothing_else() {
    for architecture in Architecture::ALL {
        let mut plan = plan(architecture, 16);
        let layout = Layout::of(&plan);
        assert!(layout.kept(&plan).is_empty());
        plan.local.keep = vec![KeptRole::Normalisation];
        assert_eq!(
            Layout::of(&plan).digest(),
            layout.digest(),
            "the update keeps its layout"
        );
        let kept = layout.kept(&plan);
        let mut marked = vec![0.0; layout.parameters()];
        kept.lay_over(&vec![1.0; kept.parameters()], &mut marked);
        for tensor in &layout.tensors {
            let values = &marked[tensor.offset..tensor.offset + tensor.values()];
            let expected = f32::from(u8::from(tensor.name.contains("norm")));
            assert!(values.iter().all(|value| *value == expected), "{}", tensor.name);
        }
        assert!(!kept.are_zero(&marked));
        assert_eq!(kept.values(&marked), vec![1.0; kept.parameters()]);
        kept.clear(&mut marked);
        assert!(kept.are_zero(&marked) && marked.iter().all(|value| *value == 0.0));
        let is_norm: Vec<bool> = layout
            .tensors
            .iter()
            .map(|tensor| tensor.role == Role::NormAffine)
            .collect();
        let begins = is_norm.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        assert_eq!(kept.stretches().len(), begins, "what lies side by side is one stretch");
    }
}

#[test]
fn values_go_back_where_they_came_from() {
    let mut plan = plan(Architecture::Small, 8);
    plan.local.keep = vec![KeptRole::Normalisation];
    let (layout, other) = (Layout::of(&plan), Layout::of(&plan).initial_parameters(3));
    let kept = layout.kept(&plan);
    let own: Vec<f32> = (0..layout.parameters()).map(|place| place as f32).collect();
    let mut laid = other.clone();
    kept.lay_over(&kept.values(&own), &mut laid);
    for (place, value) in laid.iter().enumerate() {
        let stays = kept.stretches().iter().any(|stretch| stretch.contains(&place));
        assert_eq!(*value, if stays { own[place] } else { other[place] }, "{place}");
    }
}

#[test]
fn parameters_start_where_they_should() {
    let layout = Layout::of(&plan(Architecture::Small, 16));
    let flat = layout.initial_parameters(7);
    assert_eq!(flat.len(), layout.parameters());
    assert_eq!(flat, layout.initial_parameters(7));
    assert_ne!(flat, layout.initial_parameters(8));
    let of = |name: &str| {
        let tensor = layout.tensor(name).unwrap();
        &flat[tensor.offset..tensor.offset + tensor.values()]
    };
    let weight = of("trunk.stage3.conv.weight");
    let variance = weight.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / weight.len() as f64;
    assert!((variance * 288.0 / 2.0 - 1.0).abs() < 0.02, "{variance}");
    assert!(of("trunk.stage3.norm.weight").iter().all(|value| *value == 1.0));
    assert_eq!(of("heads.age.bias"), [0.5]);
    assert!(of("heads.body_part.weight").iter().all(|value| value.abs() < 0.02));
}

/// Written down once: a change of these bits would silently change the model of round 0 of every study.
#[test]
fn the_first_bits_stay() {
    let layout = Layout::of(&plan(Architecture::Small, 8));
    let bytes = to_le_bytes(&layout.initial_parameters(7));
    assert_eq!(Sha256Digest::of(&bytes).short(), "0c320e1c");
}

proptest! {
    #[test]
    fn bytes_there_and_back(values in proptest::collection::vec(any::<u32>(), 0..50), cut in 1_usize..4) {
        let parameters: Vec<f32> = values.iter().map(|bits| f32::from_bits(*bits)).collect();
        let bytes = to_le_bytes(&parameters);
        let read = from_le_bytes(&bytes).unwrap();
        prop_assert!(read.iter().map(|value| value.to_bits()).eq(values.iter().copied()));
        if !bytes.is_empty() {
            prop_assert!(from_le_bytes(&bytes[..bytes.len() - cut]).is_none());
        }
    }
}

/// What the page about networks says of each decoder: at width 64, encoder and all.
#[test]
fn the_page_about_networks_says_what_decoders_cost() {
    let page = include_str!("../../../aggregator/docs/networks.md");
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

/// What the page about networks says of each: at width 64, without heads.
#[test]
fn the_page_about_networks_says_what_they_are() {
    let page = include_str!("../../../aggregator/docs/networks.md");
    for architecture in Architecture::ALL {
        let mut plan = plan(architecture, 64);
        plan.heads.clear();
        let graph = Graph::of(&plan);
        let features = graph.shapes(224).unwrap()[graph.features.index()];
        let Shape::Features(features) = features else {
            panic!("no features")
        };
        let row = format!(
            "| `{}` | {:.1} | {:.0} | {:.2} | {features} | {} |",
            architecture.code(),
            graph.layout.parameters() as f64 / 1e6,
            graph.layout.bytes() as f64 / 1e6,
            graph.multiplications(224).unwrap() as f64 / 1e9,
            architecture.input_side_min(),
        );
        assert!(page.contains(&row), "the page lacks the row\n{row}");
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
