//! Blur: a Gaussian along rows, then along columns.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

/// Blurs `input` with `probability`, by a deviation of up to `share` of the side.
pub(crate) fn blur(probability: f32, share: f32, side: usize, random: &mut ChaCha8Rng, input: &mut [f32]) {
    if !random.random_bool(f64::from(probability)) {
        return;
    }
    // Below a third of a pixel nothing would change.
    let deviation = random.random_range(0.0..share) * side as f32;
    if deviation > 0.33 {
        gaussian(deviation, side, input);
    }
}

fn gaussian(deviation: f32, side: usize, input: &mut [f32]) {
    let reach = (2.5 * deviation).ceil() as usize;
    let mut kernel: Vec<f32> = (0..=reach)
        .map(|at| (-0.5 * (at as f32 / deviation).powi(2)).exp())
        .collect();
    let total = 2.0 * kernel.iter().sum::<f32>() - kernel[0];
    kernel.iter_mut().for_each(|weight| *weight /= total);
    let mut blurred = vec![0.0; side * side];
    for (line, from) in blurred.chunks_mut(side).zip(input.chunks(side)) {
        for (column, sum) in line.iter_mut().enumerate() {
            *sum = kernel[0] * from[column];
            for (at, weight) in kernel.iter().enumerate().skip(1) {
                *sum += weight * (from[column.saturating_sub(at)] + from[(column + at).min(side - 1)]);
            }
        }
    }
    for (row, line) in input.chunks_mut(side).enumerate() {
        let of = |row: usize| &blurred[row * side..(row + 1) * side];
        line.iter_mut()
            .zip(of(row))
            .for_each(|(sum, from)| *sum = kernel[0] * from);
        for (at, weight) in kernel.iter().enumerate().skip(1) {
            let (above, below) = (of(row.saturating_sub(at)), of((row + at).min(side - 1)));
            for (sum, (above, below)) in line.iter_mut().zip(above.iter().zip(below)) {
                *sum += weight * (above + below);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_spreads_by_the_deviation_and_loses_nothing() {
        let mut input = vec![0.0; 41 * 41];
        input[20 * 41 + 20] = 1.0;
        gaussian(2.0, 41, &mut input);
        let total: f32 = input.iter().sum();
        let spread: f32 = (0..41 * 41)
            .map(|at| input[at] * (at as f32 % 41.0 - 20.0).powi(2))
            .sum();
        assert!((total - 1.0).abs() < 1e-4, "{total}");
        assert!((spread.sqrt() - 2.0).abs() < 0.2, "{spread}");
        let mut flat = vec![0.7; 41 * 41];
        gaussian(3.0, 41, &mut flat);
        assert!(flat.iter().all(|value| (value - 0.7).abs() < 1e-4), "edges as well");
    }
}
