//! Each network beside its paper, its own digest of before and the page about networks.

use snowball_protocol::plan::{Architecture, StudyPlan};

use super::plan;
use crate::*;

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

/// What the page about networks says of each: at width 64, without heads.
#[test]
fn the_page_about_networks_says_what_they_are() {
    let page = include_str!("../../../../aggregator/docs/networks.md");
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
