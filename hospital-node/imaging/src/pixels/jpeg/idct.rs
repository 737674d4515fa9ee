//! The inverse cosine transform in integers, as the common JPEG libraries compute it by default ("slow integer"), so
//! that pixels are the same bit for bit.
//!
//! Source: C. Loeffler, A. Ligtenberg, G. Moschytz, "Practical fast 1-D DCT algorithms with 11 multiplications", ICASSP
//! 1989, scaled by the square root of 8 in each direction. Constants have 13 fractional bits. The first pass keeps 2 more
//! fractional bits than the samples for 8-bit samples and 1 for 12-bit ones; every shift rounds half up.

/// Eight values that are computed alike.
type Lanes = [i32; 8];

const CONSTANT_BITS: u32 = 13;

/// `value` with 13 fractional bits.
const fn fixed(value: f64) -> i32 {
    (value * (1 << CONSTANT_BITS) as f64 + 0.5) as i32
}

const C0_298: i32 = fixed(0.298_631_336);
const C0_390: i32 = fixed(0.390_180_644);
const C0_541: i32 = fixed(0.541_196_100);
const C0_765: i32 = fixed(0.765_366_865);
const C0_899: i32 = fixed(0.899_976_223);
const C1_175: i32 = fixed(1.175_875_602);
const C1_501: i32 = fixed(1.501_321_110);
const C1_847: i32 = fixed(1.847_759_065);
const C1_961: i32 = fixed(1.961_570_560);
const C2_053: i32 = fixed(2.053_119_869);
const C2_562: i32 = fixed(2.562_915_447);
const C3_072: i32 = fixed(3.072_711_026);

/// Turns dequantised coefficients, row by row in natural order, into samples of `precision` bits (8 or 12).
pub(super) fn samples(coefficients: &[i32; 64], precision: u8) -> [u16; 64] {
    let pass_bits = if precision == 8 { 2 } else { 1 };
    let mut rows = [[0; 8]; 8];
    for (row, values) in rows.iter_mut().zip(coefficients.chunks_exact(8)) {
        row.copy_from_slice(values);
    }
    let columns = transposed(&pass(&rows, CONSTANT_BITS - pass_bits));
    let rows = transposed(&pass(&columns, CONSTANT_BITS + pass_bits + 3));
    let (centre, max) = (1 << (precision - 1), (1 << precision) - 1);
    let mut samples = [0; 64];
    for (samples, row) in samples.chunks_exact_mut(8).zip(&rows) {
        for (sample, value) in samples.iter_mut().zip(row) {
            *sample = value.wrapping_add(centre).clamp(0, max) as u16;
        }
    }
    samples
}

/// The sample of a block that holds nothing but its mean.
pub(super) fn flat_sample(mean: i32, precision: u8) -> u16 {
    let (centre, max) = (1 << (precision - 1), (1 << precision) - 1);
    // Both passes are exact for one coefficient: only the last shift, by the factor 8 of the transform, rounds.
    (mean.wrapping_add(4) >> 3).wrapping_add(centre).clamp(0, max) as u16
}

/// One direction: lane `n` of the eight rows is one 1-D transform. Hostile coefficients wrap around, they never panic.
#[inline]
fn pass(rows: &[Lanes; 8], shift: u32) -> [Lanes; 8] {
    // Even half: the rotation by pi/8 of terms 2 and 6, and the butterfly of terms 0 and 4.
    let turn = times(add(rows[2], rows[6]), C0_541);
    let low = sub(turn, times(rows[6], C1_847));
    let high = add(turn, times(rows[2], C0_765));
    let sum = times(add(rows[0], rows[4]), 1 << CONSTANT_BITS);
    let difference = times(sub(rows[0], rows[4]), 1 << CONSTANT_BITS);
    let even = [
        add(sum, high),
        add(difference, low),
        sub(difference, low),
        sub(sum, high),
    ];
    // Odd half: terms 1, 3, 5, 7 by four rotations that share their products.
    let shared = times(add(add(rows[7], rows[3]), add(rows[5], rows[1])), C1_175);
    let outer = times(add(rows[7], rows[1]), -C0_899);
    let inner = times(add(rows[5], rows[3]), -C2_562);
    let first = add(times(add(rows[7], rows[3]), -C1_961), shared);
    let second = add(times(add(rows[5], rows[1]), -C0_390), shared);
    let odd = [
        add(times(rows[1], C1_501), add(outer, second)),
        add(times(rows[3], C3_072), add(inner, first)),
        add(times(rows[5], C2_053), add(inner, second)),
        add(times(rows[7], C0_298), add(outer, first)),
    ];
    let mut result = [[0; 8]; 8];
    for place in 0..4 {
        result[place] = rounded(add(even[place], odd[place]), shift);
        result[7 - place] = rounded(sub(even[place], odd[place]), shift);
    }
    result
}

#[inline]
fn add(left: Lanes, right: Lanes) -> Lanes {
    std::array::from_fn(|lane| left[lane].wrapping_add(right[lane]))
}

#[inline]
fn sub(left: Lanes, right: Lanes) -> Lanes {
    std::array::from_fn(|lane| left[lane].wrapping_sub(right[lane]))
}

#[inline]
fn times(lanes: Lanes, factor: i32) -> Lanes {
    lanes.map(|value| value.wrapping_mul(factor))
}

#[inline]
fn rounded(lanes: Lanes, shift: u32) -> Lanes {
    lanes.map(|value| value.wrapping_add(1 << (shift - 1)) >> shift)
}

#[inline]
fn transposed(rows: &[Lanes; 8]) -> [Lanes; 8] {
    std::array::from_fn(|column| std::array::from_fn(|row| rows[row][column]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The transform of T.81 section A.3.3 in double precision.
    fn exact(coefficients: &[i32; 64], precision: u8) -> Vec<f64> {
        let scale = |index: usize| if index == 0 { 0.5_f64.sqrt() } else { 1.0 };
        let cosine =
            |place: usize, index: usize| ((2 * place + 1) as f64 * index as f64 * std::f64::consts::PI / 16.0).cos();
        (0..64)
            .map(|sample| {
                let (y, x) = (sample / 8, sample % 8);
                let sum: f64 = (0..64)
                    .map(|term| {
                        let (v, u) = (term / 8, term % 8);
                        scale(u) * scale(v) * f64::from(coefficients[term]) * cosine(x, u) * cosine(y, v)
                    })
                    .sum();
                let max = f64::from((1_u32 << precision) - 1);
                (sum / 4.0 + f64::from(1_u32 << (precision - 1))).clamp(0.0, max)
            })
            .collect()
    }

    proptest! {
        #[test]
        fn samples_are_within_one_of_the_exact_transform(sparse in proptest::collection::vec((0_usize..64, -900_i32..900), 1..12), wide: bool) {
            let precision = if wide { 12 } else { 8 };
            let mut coefficients = [0; 64];
            for (place, value) in sparse {
                coefficients[place] = value;
            }
            for (ours, exact) in samples(&coefficients, precision).iter().zip(exact(&coefficients, precision)) {
                prop_assert!((f64::from(*ours) - exact).abs() <= 1.0, "{ours} {exact}");
            }
        }

        #[test]
        fn a_block_of_its_mean_is_flat(mean in -40_000_i32..40_000, wide: bool) {
            let precision = if wide { 12 } else { 8 };
            let mut coefficients = [0; 64];
            coefficients[0] = mean;
            prop_assert_eq!(samples(&coefficients, precision), [flat_sample(mean, precision); 64]);
        }

        #[test]
        fn no_coefficients_panic(coefficients in proptest::array::uniform32(any::<i32>())) {
            let mut block = [i32::MAX; 64];
            block[..32].copy_from_slice(&coefficients);
            let _ = samples(&block, 12);
        }
    }
}
