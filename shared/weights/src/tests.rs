use safetensors::tensor::TensorView;

use super::*;

fn plan(architecture: Architecture) -> StudyPlan {
    let mut plan: StudyPlan = toml::from_str(include_str!("../../../policies/cases/studies/body-parts.toml")).unwrap();
    plan.network.architecture = architecture;
    plan.network.width = architecture.width_step();
    plan
}

/// A file with these tensors.
fn file(tensors: &[(&str, Vec<usize>, Vec<f32>)]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, values)| snowball_layout::to_le_bytes(values))
        .collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| (*name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn every_tensor_of_a_trunk_has_one_published_name() {
    for architecture in Architecture::ALL.into_iter().filter(|one| *one != Architecture::Small) {
        let layout = Layout::of(&plan(architecture));
        let mut names = BTreeSet::new();
        for tensor in layout.tensors.iter().filter(|tensor| tensor.name.starts_with("trunk.")) {
            // The published AlexNet has no norms.
            let has_one = architecture != Architecture::AlexNet || !tensor.name.contains("norm");
            let name = published::name(architecture, &tensor.name);
            assert_eq!(name.is_some(), has_one, "{} of {}", tensor.name, architecture.code());
            if let Some(name) = name {
                assert!(names.insert(name.clone()), "{name} twice");
            }
        }
    }
}

#[test]
fn published_names_are_those_of_torchvision_and_timm() {
    for (architecture, ours, theirs) in [
        (Architecture::ResNet50, "trunk.stem.conv.weight", "conv1.weight"),
        (Architecture::ResNet50, "trunk.stage3.5.norm3.bias", "layer3.5.bn3.bias"),
        (
            Architecture::ResNet18,
            "trunk.stage2.0.shortcut.norm.weight",
            "layer2.0.downsample.1.weight",
        ),
        (
            Architecture::DenseNet121,
            "trunk.block3.23.conv2.weight",
            "features.denseblock3.denselayer24.conv2.weight",
        ),
        (
            Architecture::DenseNet121,
            "trunk.transition1.norm.bias",
            "features.transition1.norm.bias",
        ),
        (Architecture::Vgg16, "trunk.stage5.2.conv.bias", "features.40.bias"),
        (Architecture::Vgg16, "trunk.stage2.0.norm.weight", "features.8.weight"),
        (Architecture::Vgg16, "trunk.linear2.weight", "classifier.3.weight"),
        (Architecture::AlexNet, "trunk.stage5.conv.weight", "features.10.weight"),
        (
            Architecture::InceptionV3,
            "trunk.stem4.conv.weight",
            "Conv2d_3b_1x1.conv.weight",
        ),
        (
            Architecture::InceptionV3,
            "trunk.mixed6e.double5.norm.weight",
            "Mixed_6e.branch7x7dbl_5.bn.weight",
        ),
        (
            Architecture::InceptionV3,
            "trunk.mixed7a.seven4.conv.weight",
            "Mixed_7a.branch7x7x3_4.conv.weight",
        ),
        (
            Architecture::InceptionV3,
            "trunk.mixed7c.double4.conv.weight",
            "Mixed_7c.branch3x3dbl_3b.conv.weight",
        ),
        (
            Architecture::Xception,
            "trunk.entry1.2.within.weight",
            "block1.rep.3.conv1.weight",
        ),
        (
            Architecture::Xception,
            "trunk.middle8.3.norm.weight",
            "block11.rep.8.weight",
        ),
        (
            Architecture::Xception,
            "trunk.exit.shortcut.norm.bias",
            "block12.skipbn.bias",
        ),
    ] {
        assert_eq!(published::name(architecture, ours).as_deref(), Some(theirs));
    }
}

#[test]
fn what_fits_is_taken_and_the_rest_is_told() {
    let plan = plan(Architecture::ResNet18Full);
    let layout = Layout::of(&plan);
    let stem = layout.tensor("trunk.stem.conv.weight").unwrap();
    let colours: Vec<f32> = (0..8 * 3 * 49).map(|position| position as f32).collect();
    let file = file(&[
        ("conv1.weight", vec![8, 3, 7, 7], colours.clone()),
        ("bn1.weight", vec![8], vec![2.0; 8]),
        ("bn1.running_mean", vec![8], vec![5.0; 8]),
        ("trunk.stage1.0.norm1.bias", vec![8], vec![3.0; 8]),
        ("layer1.0.bn1.weight", vec![4], vec![1.0; 4]),
        ("layer1.0.bn2.weight", vec![8], vec![f32::NAN; 8]),
        ("heads.body_part.weight", vec![1, 64], vec![9.0; 64]),
    ]);
    let weights = Weights::read(&file).unwrap();
    let before = layout.initial_parameters(1);
    let mut parameters = before.clone();
    let report = lay(&weights, &plan, &mut parameters).unwrap();
    assert_eq!((report.filled, report.folded), (3, 1));
    assert_eq!(report.unused, ["bn1.running_mean", "heads.body_part.weight"]);
    assert_eq!(report.kept["trunk.stage1.0.norm1.weight"], Reason::OtherShape(vec![4]));
    assert_eq!(report.kept["trunk.stage1.0.norm2.weight"], Reason::NotFinite);
    assert_eq!(report.kept["trunk.stem.norm.bias"], Reason::Absent);
    // The second filter at its first place: 147, 196 and 245 of the three colours.
    assert_eq!(parameters[stem.offset + 49], 147.0 + 196.0 + 245.0);
    let heads = layout.tensor("heads.body_part.weight").unwrap().offset;
    assert_eq!(parameters[heads..], before[heads..], "no head is taken");
}

#[test]
fn a_release_s_own_names_fill_the_whole_trunk() {
    let plan = plan(Architecture::DenseNet121);
    let layout = Layout::of(&plan);
    let values = layout.initial_parameters(9);
    let tensors: Vec<_> = layout
        .tensors
        .iter()
        .map(|tensor| {
            let values = values[tensor.offset..tensor.offset + tensor.values()].to_vec();
            (tensor.name.as_str(), tensor.shape.clone(), values)
        })
        .collect();
    let mut parameters = layout.initial_parameters(1);
    let report = lay(&Weights::read(&file(&tensors)).unwrap(), &plan, &mut parameters).unwrap();
    assert!(report.kept.is_empty(), "{:?}", report.kept);
    let heads = layout
        .tensors
        .iter()
        .find(|tensor| tensor.name.starts_with("heads."))
        .unwrap();
    assert_eq!(parameters[..heads.offset], values[..heads.offset]);
}

#[test]
fn low_layers_alone_are_copied_into_another_network() {
    let (from, to) = (plan(Architecture::ResNet18Full), plan(Architecture::ResNet34));
    let theirs = Layout::of(&from).initial_parameters(9);
    let weights = Weights::of(&Layout::of(&from), &theirs);
    let layout = Layout::of(&to);
    let before = layout.initial_parameters(1);
    let mut parameters = before.clone();
    let is_low = |tensor: &Tensor| matches!(tensor.stage(), Some("stem" | "stage1"));
    let report = lay_where(&weights, &to, &mut parameters, is_low).unwrap();
    // ResNet-34 has a third block in its first stage, which ResNet-18 has not.
    assert_eq!(report.kept.len(), 6);
    assert!(report.kept.keys().all(|name| name.starts_with("trunk.stage1.2.")));
    let low = layout.tensors.iter().filter(|tensor| is_low(tensor)).count();
    assert_eq!(report.filled, low - 6);
    let whole = layout.tensors.iter().filter(|tensor| tensor.stage().is_some()).count();
    assert_eq!(report.not_asked, whole - low);
    assert!(
        report.unused.iter().all(|name| name.starts_with("heads.")),
        "what was not asked for is told as that"
    );
    for tensor in &layout.tensors {
        let range = tensor.offset..tensor.offset + tensor.values();
        let theirs = Layout::of(&from).tensor(&tensor.name).map(|tensor| tensor.offset);
        if is_low(tensor) && !report.kept.contains_key(&tensor.name) {
            let begin = theirs.unwrap();
            assert_eq!(
                parameters[range.clone()],
                self::theirs(&from)[begin..begin + range.len()]
            );
        } else {
            assert_eq!(parameters[range.clone()], before[range], "{}", tensor.name);
        }
    }
}

fn theirs(plan: &StudyPlan) -> Vec<f32> {
    Layout::of(plan).initial_parameters(9)
}

#[test]
fn a_head_is_taken_only_whole_and_only_when_asked_for() {
    let plan = plan(Architecture::Small);
    let layout = Layout::of(&plan);
    let weights = Weights::of(&layout, &theirs(&plan));
    let label = plan.heads[0].label;
    let mut parameters = layout.initial_parameters(1);
    assert!(lay_head(&weights, &plan, label, &mut parameters));
    let head = layout.tensor(&format!("heads.{}.weight", label.code())).unwrap();
    let range = head.offset..head.offset + head.values();
    assert_eq!(parameters[range.clone()], theirs(&plan)[range]);
    let mut fewer = plan.clone();
    let snowball_protocol::plan::HeadKind::Classes(classes) = &mut fewer.heads[0].kind else {
        panic!("{label:?} has classes");
    };
    classes.pop();
    let mut parameters = Layout::of(&fewer).initial_parameters(1);
    assert!(!lay_head(&weights, &fewer, label, &mut parameters));
    assert_eq!(parameters, Layout::of(&fewer).initial_parameters(1));
}

#[test]
fn files_of_something_else_are_refused() {
    assert!(matches!(
        Weights::read(b"PK\x03\x04 a pickle"),
        Err(WeightsError::Malformed(_))
    ));
    let foreign = Weights::read(&file(&[("embedding", vec![2], vec![1.0, 2.0])])).unwrap();
    let plan = plan(Architecture::Small);
    let before = Layout::of(&plan).initial_parameters(1);
    let mut parameters = before.clone();
    let refused = lay(&foreign, &plan, &mut parameters);
    assert!(matches!(refused, Err(WeightsError::Foreign { tensors: 1, .. })));
    assert_eq!(parameters, before);
}
