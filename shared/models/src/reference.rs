//! The small net once more, in plain f64 loops, to compare with.

use snowball_layout::{CHANNELS_PER_GROUP, Layout};

/// One picture of `side * side` values to the concatenated outputs of all heads.
pub(crate) fn small(layout: &Layout, parameters: &[f32], picture: &[f32], mut side: usize) -> Vec<f64> {
    let of = |name: String| -> Vec<f64> {
        let tensor = layout.tensor(&name).unwrap();
        parameters[tensor.offset..tensor.offset + tensor.values()]
            .iter()
            .map(|value| f64::from(*value))
            .collect()
    };
    let mut planes = vec![picture.iter().map(|value| f64::from(*value)).collect::<Vec<_>>()];
    for stage in 1..=4 {
        let weight = of(format!("trunk.stage{stage}.conv.weight"));
        let (scale, shift) = (
            of(format!("trunk.stage{stage}.norm.weight")),
            of(format!("trunk.stage{stage}.norm.bias")),
        );
        planes = convolution(&planes, &weight, scale.len(), side);
        side = side.div_ceil(2);
        for (group, planes) in planes.chunks_mut(CHANNELS_PER_GROUP).enumerate() {
            normalise(planes);
            for (position, plane) in planes.iter_mut().enumerate() {
                let channel = group * CHANNELS_PER_GROUP + position;
                plane
                    .iter_mut()
                    .for_each(|value| *value = (*value * scale[channel] + shift[channel]).max(0.0));
            }
        }
    }
    let mut features: Vec<f64> = planes
        .iter()
        .map(|plane| plane.iter().sum::<f64>() / plane.len() as f64)
        .collect();
    features.extend(
        planes
            .iter()
            .map(|plane| plane.iter().copied().fold(f64::MIN, f64::max)),
    );
    let heads = layout
        .tensors
        .iter()
        .filter(|tensor| tensor.name.starts_with("heads.") && tensor.name.ends_with(".weight"));
    heads
        .flat_map(|head| {
            let weight = of(head.name.clone());
            let bias = of(head.name.replace(".weight", ".bias"));
            let rows = weight.chunks(features.len()).zip(bias);
            rows.map(|(row, bias)| {
                row.iter()
                    .zip(&features)
                    .map(|(weight, feature)| weight * feature)
                    .sum::<f64>()
                    + bias
            })
            .collect::<Vec<_>>()
        })
        .collect()
}

/// 3x3, stride 2, one zero around.
fn convolution(planes: &[Vec<f64>], weight: &[f64], outputs: usize, side: usize) -> Vec<Vec<f64>> {
    let half = side.div_ceil(2);
    let at = |plane: &[f64], row: usize, column: usize| match (row.checked_sub(1), column.checked_sub(1)) {
        (Some(row), Some(column)) if row < side && column < side => plane[row * side + column],
        _ => 0.0,
    };
    let value = |output: usize, row: usize, column: usize| -> f64 {
        let taps = planes
            .iter()
            .enumerate()
            .flat_map(|(input, plane)| (0..9).map(move |tap| (input, plane, tap)));
        taps.map(|(input, plane, tap)| {
            weight[(output * planes.len() + input) * 9 + tap] * at(plane, row * 2 + tap / 3, column * 2 + tap % 3)
        })
        .sum()
    };
    (0..outputs)
        .map(|output| {
            (0..half * half)
                .map(|place| value(output, place / half, place % half))
                .collect()
        })
        .collect()
}

fn normalise(planes: &mut [Vec<f64>]) {
    let count = planes.iter().map(Vec::len).sum::<usize>() as f64;
    let mean = planes.iter().flatten().sum::<f64>() / count;
    let variance = planes.iter().flatten().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    planes
        .iter_mut()
        .flatten()
        .for_each(|value| *value = (*value - mean) / (variance + 1e-5).sqrt());
}
