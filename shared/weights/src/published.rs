//! What our tensors are called in networks that others published: torchvision's, and timm's for Xception.

use snowball_protocol::plan::Architecture;

/// The published network's name for our tensor; `None` where it has none for it.
pub(crate) fn name(architecture: Architecture, ours: &str) -> Option<String> {
    let (layer, part) = ours.strip_prefix("trunk.")?.rsplit_once('.')?;
    let theirs = match architecture {
        Architecture::Small => None,
        Architecture::ResNet18 | Architecture::ResNet18Full | Architecture::ResNet34 | Architecture::ResNet50 => {
            resnet(layer)
        }
        Architecture::DenseNet121 => densenet(layer),
        Architecture::Vgg16 => vgg(layer),
        Architecture::InceptionV3 => inception(layer),
        Architecture::Xception => xception(layer),
        Architecture::AlexNet => alexnet(layer),
    };
    theirs.map(|theirs| format!("{theirs}.{part}"))
}

/// `stage2.0.shortcut.norm` as `layer2.0.downsample.1`.
fn resnet(layer: &str) -> Option<String> {
    match layer {
        "stem.conv" => return Some("conv1".to_owned()),
        "stem.norm" => return Some("bn1".to_owned()),
        _ => {}
    }
    let (block, within) = split_after(layer.strip_prefix("stage")?, 2)?;
    let within = match within {
        "shortcut.conv" => "downsample.0".to_owned(),
        "shortcut.norm" => "downsample.1".to_owned(),
        other => other.replace("norm", "bn"),
    };
    Some(format!("layer{block}.{within}"))
}

fn densenet(layer: &str) -> Option<String> {
    Some(match layer {
        "stem.conv" => "features.conv0".to_owned(),
        "stem.norm" => "features.norm0".to_owned(),
        "norm" => "features.norm5".to_owned(),
        other if other.starts_with("transition") => format!("features.{other}"),
        other => {
            let (block, rest) = other.strip_prefix("block")?.split_once('.')?;
            let (number, within) = rest.split_once('.')?;
            let number: usize = number.parse().ok()?;
            format!("features.denseblock{block}.denselayer{}.{within}", number + 1)
        }
    })
}

/// torchvision counts convolutions, norms, activations and pools through.
fn vgg(layer: &str) -> Option<String> {
    match layer {
        "linear1" => return Some("classifier.0".to_owned()),
        "linear2" => return Some("classifier.3".to_owned()),
        _ => {}
    }
    // Where each stage begins: three a convolution, one a pool.
    const BEGINS: [usize; 5] = [0, 7, 14, 24, 34];
    let (stage, rest) = layer.strip_prefix("stage")?.split_once('.')?;
    let (number, kind) = rest.split_once('.')?;
    let (stage, number): (usize, usize) = (stage.parse().ok()?, number.parse().ok()?);
    let begin = BEGINS.get(stage.checked_sub(1)?)? + 3 * number;
    Some(format!("features.{}", begin + usize::from(kind == "norm")))
}

fn alexnet(layer: &str) -> Option<String> {
    let theirs = match layer {
        "stage1.conv" => "features.0",
        "stage2.conv" => "features.3",
        "stage3.conv" => "features.6",
        "stage4.conv" => "features.8",
        "stage5.conv" => "features.10",
        "linear1" => "classifier.1",
        "linear2" => "classifier.4",
        _ => return None,
    };
    Some(theirs.to_owned())
}

fn inception(layer: &str) -> Option<String> {
    let (unit, kind) = layer.rsplit_once('.')?;
    let kind = if kind == "norm" { "bn" } else { kind };
    let stem = match unit {
        "stem1" => Some("Conv2d_1a_3x3"),
        "stem2" => Some("Conv2d_2a_3x3"),
        "stem3" => Some("Conv2d_2b_3x3"),
        "stem4" => Some("Conv2d_3b_1x1"),
        "stem5" => Some("Conv2d_4a_3x3"),
        _ => None,
    };
    if let Some(stem) = stem {
        return Some(format!("{stem}.{kind}"));
    }
    let (block, way) = unit.strip_prefix("mixed")?.split_once('.')?;
    let way = match (block, way) {
        (_, "one") => "1x1".to_owned(),
        (_, "pool") => "_pool".to_owned(),
        ("7b" | "7c", way) => match way {
            "three1" => "3x3_1",
            "three2" => "3x3_2a",
            "three3" => "3x3_2b",
            "double1" => "3x3dbl_1",
            "double2" => "3x3dbl_2",
            "double3" => "3x3dbl_3a",
            "double4" => "3x3dbl_3b",
            _ => return None,
        }
        .to_owned(),
        ("6a", "three") => "3x3".to_owned(),
        (block, way) => {
            let (letters, number) = way.split_at_checked(way.len().checked_sub(1)?)?;
            let letters = match (block, letters) {
                ("5b" | "5c" | "5d", "five") => "5x5",
                ("5b" | "5c" | "5d", "three") | ("6a", "double") => "3x3dbl",
                ("6b" | "6c" | "6d" | "6e", "seven") => "7x7",
                ("6b" | "6c" | "6d" | "6e", "double") => "7x7dbl",
                ("7a", "three") => "3x3",
                ("7a", "seven") => "7x7x3",
                _ => return None,
            };
            format!("{letters}_{number}")
        }
    };
    Some(format!("Mixed_{block}.branch{way}.{kind}"))
}

fn xception(layer: &str) -> Option<String> {
    let plain = match layer {
        "stem1.conv" => Some("conv1"),
        "stem1.norm" => Some("bn1"),
        "stem2.conv" => Some("conv2"),
        "stem2.norm" => Some("bn2"),
        "last1.within" => Some("conv3.conv1"),
        "last1.across" => Some("conv3.pointwise"),
        "last1.norm" => Some("bn3"),
        "last2.within" => Some("conv4.conv1"),
        "last2.across" => Some("conv4.pointwise"),
        "last2.norm" => Some("bn4"),
        _ => None,
    };
    if let Some(plain) = plain {
        return Some(plain.to_owned());
    }
    let (block, within) = layer.split_once('.')?;
    let number: usize = match block.strip_prefix("entry").or_else(|| block.strip_prefix("middle")) {
        Some(number) => number.parse().ok()?,
        None if block == "exit" => 12,
        None => return None,
    };
    let number = if block.starts_with("middle") {
        number + 3
    } else {
        number
    };
    match within {
        "shortcut.conv" => return Some(format!("block{number}.skip")),
        "shortcut.norm" => return Some(format!("block{number}.skipbn")),
        _ => {}
    }
    let (position, kind) = within.split_once('.')?;
    let position: usize = position.parse().ok()?;
    // Each is an activation, a separable convolution and a norm; the first block begins without the activation.
    let begin = 3 * position.checked_sub(1)? + usize::from(number > 1);
    Some(match kind {
        "within" => format!("block{number}.rep.{begin}.conv1"),
        "across" => format!("block{number}.rep.{begin}.pointwise"),
        "norm" => format!("block{number}.rep.{}", begin + 1),
        _ => return None,
    })
}

/// Splits behind the `count`th part of a name with points.
fn split_after(name: &str, count: usize) -> Option<(&str, &str)> {
    let (end, _) = name.match_indices('.').nth(count - 1)?;
    Some((&name[..end], &name[end + 1..]))
}
