//! Convolution, the one operation that costs time: direct, over blocks of sixteen outputs and six places, so that the sums stay
//! in registers. `pulp` picks the widest instructions of the machine at run time; rows are shared out among rayon's threads.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::{map::Map, places::Places};

/// Outputs are computed in blocks of this many.
pub const BLOCK: usize = 16;
/// Places of a row computed together.
const WINDOW: usize = 6;
/// Products that are worth a second thread.
const SHARE_MIN: usize = 4 << 20;

/// Weights of one convolution. `weights` runs by block of outputs, tap (row, then column), input and output in the block.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    /// Places on a side: 1 or 3.
    pub side: usize,
    /// Channels in.
    pub inputs: usize,
    /// Channels out, a multiple of [`BLOCK`].
    pub outputs: usize,
    /// `outputs * side * side * inputs` values.
    pub weights: Vec<f32>,
    /// `outputs` values.
    pub bias: Vec<f32>,
}

/// What happens to the sums.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Nothing.
    Sum,
    /// `max(0, sum)`.
    Positive,
    /// `max(0, sum)`, added to what went in.
    Added,
}

/// The sum of `kernel` over `input`, zeros around it; same rows and columns. Taps stand `dilation` places apart. Only
/// `places` are computed, where they are given; the others stay zero.
#[must_use]
pub fn convolve(input: &Map, kernel: &Kernel, dilation: usize, end: End, places: Option<&Places>) -> Map {
    assert_eq!(input.channels, kernel.inputs, "channels of a layer");
    let mut output = Map::zeros(input.rows, input.columns, kernel.outputs);
    let width = input.columns * kernel.outputs;
    if width == 0 {
        return output;
    }
    let arch = Arch::new();
    let whole = std::slice::from_ref(&(0..input.columns)).to_vec();
    let work = |(row, line): (usize, &mut [f32])| {
        let spans = match places {
            Some(places) => places.rows.get(row).map_or(&[][..], Vec::as_slice),
            None => &whole,
        };
        if !spans.is_empty() {
            arch.dispatch(Row {
                input,
                kernel,
                dilation,
                end,
                row,
                spans,
                line,
            });
        }
    };
    let count = places.map_or(input.rows * input.columns, Places::count);
    if count * kernel.weights.len() < SHARE_MIN {
        output.values.chunks_exact_mut(width).enumerate().for_each(work);
    } else {
        let lines = output.values.par_chunks_exact_mut(width).enumerate();
        lines.with_min_len(4).for_each(work);
    }
    output
}

struct Row<'a> {
    input: &'a Map,
    kernel: &'a Kernel,
    dilation: usize,
    end: End,
    row: usize,
    spans: &'a [Range<usize>],
    line: &'a mut [f32],
}

impl WithSimd for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Vectors of a block.
        match S::F32_LANES {
            16 => self.fill::<S, 1>(simd),
            8 => self.fill::<S, 2>(simd),
            4 => self.fill::<S, 4>(simd),
            2 => self.fill::<S, 8>(simd),
            _ => self.fill::<S, 16>(simd),
        }
    }
}

impl Row<'_> {
    #[inline(always)]
    fn fill<S: Simd, const V: usize>(self, simd: S) {
        let Self {
            input, kernel, line, ..
        } = self;
        let (inputs, outputs, side) = (kernel.inputs, kernel.outputs, kernel.side);
        let border = side / 2 * self.dilation;
        let length = side * side * inputs * BLOCK;
        let mut near = Vec::new();
        for span in self.spans {
            // What the span's taps see, with zeros where the map ends, a row for each row of taps.
            let windows = span.len().div_ceil(WINDOW);
            let reach = (windows * WINDOW + 2 * border) * inputs;
            near.clear();
            near.resize(side * reach, 0.0);
            for (tap, near) in near.chunks_exact_mut(reach).enumerate() {
                let from_row = (self.row + tap * self.dilation).wrapping_sub(border);
                if from_row >= input.rows {
                    continue;
                }
                let from = span.start.saturating_sub(border);
                let to = (span.start + windows * WINDOW + border).min(input.columns);
                let seen = &input.values[(from_row * input.columns + from) * inputs..][..(to - from) * inputs];
                let start = (from + border - span.start) * inputs;
                near[start..start + seen.len()].copy_from_slice(seen);
            }
            for block in 0..outputs / BLOCK {
                let weights = &kernel.weights[block * length..(block + 1) * length];
                let bias = &kernel.bias[block * BLOCK..(block + 1) * BLOCK];
                for window in 0..windows {
                    let sums = self::sums::<S, V>(
                        simd,
                        [weights, bias],
                        &near[window * WINDOW * inputs..],
                        reach,
                        [side, inputs, self.dilation],
                    );
                    let first = span.start + window * WINDOW;
                    for (place, sum) in sums.iter().take(span.end - first).enumerate() {
                        let at = (first + place) * outputs + block * BLOCK;
                        let (to, _) = S::as_mut_simd_f32s(&mut line[at..at + BLOCK]);
                        let zero = simd.splat_f32s(0.0);
                        if self.end == End::Sum {
                            to.copy_from_slice(sum);
                            continue;
                        }
                        for (to, sum) in to.iter_mut().zip(sum) {
                            *to = simd.max_f32s(*sum, zero);
                        }
                        if self.end == End::Added {
                            let from = (self.row * input.columns + first + place) * inputs + block * BLOCK;
                            let (before, _) = S::as_simd_f32s(&input.values[from..from + BLOCK]);
                            for (to, before) in to.iter_mut().zip(before) {
                                *to = simd.add_f32s(*to, *before);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// One block of outputs at the places of one window, whose first tap is where `near` begins.
#[inline(always)]
fn sums<S: Simd, const V: usize>(
    simd: S,
    [weights, bias]: [&[f32]; 2],
    near: &[f32],
    reach: usize,
    [side, inputs, dilation]: [usize; 3],
) -> [[S::f32s; V]; WINDOW] {
    let (bias, _) = S::as_simd_f32s(bias);
    let bias: [S::f32s; V] = std::array::from_fn(|part| bias[part]);
    let mut sums = [bias; WINDOW];
    for (tap, weights) in weights.chunks_exact(inputs * BLOCK).enumerate() {
        let start = tap / side * reach + tap % side * dilation * inputs;
        let near = &near[start..start + WINDOW * inputs];
        let near: [&[f32]; WINDOW] = std::array::from_fn(|place| &near[place * inputs..place * inputs + inputs]);
        let (weights, _) = S::as_simd_f32s(weights).0.as_chunks::<V>();
        let weights = &weights[..inputs];
        for channel in 0..inputs {
            let weights = weights[channel];
            for place in 0..WINDOW {
                let value = simd.splat_f32s(near[place][channel]);
                for part in 0..V {
                    sums[place][part] = fused(simd, value, weights[part], sums[place][part]);
                }
            }
        }
    }
    sums
}

/// `a * b + c`, in one instruction where the machine has it; without, a fused product would be a slow call.
#[inline(always)]
pub fn fused<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    if S::IS_SCALAR {
        simd.add_f32s(simd.mul_f32s(a, b), c)
    } else {
        simd.mul_add_f32s(a, b, c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(place: usize) -> f32 {
        ((place * 7919) % 23) as f32 / 11.0 - 1.0
    }

    #[test]
    fn a_convolution_is_the_sum_it_should_be() {
        for (side, dilation) in [(1, 1), (3, 1), (3, 2), (3, 4)] {
            let (inputs, outputs) = (32, 32);
            let mut input = Map::zeros(7, 9, inputs);
            input.values.iter_mut().enumerate().for_each(|(at, v)| *v = value(at));
            let kernel = Kernel {
                side,
                inputs,
                outputs,
                weights: (0..outputs * side * side * inputs).map(|at| value(at + 3)).collect(),
                bias: (0..outputs).map(value).collect(),
            };
            let output = convolve(&input, &kernel, dilation, End::Sum, None);
            for (row, column, out) in [(0, 0, 0), (3, 4, 17), (6, 8, 31), (2, 7, 16)] {
                let mut sum = kernel.bias[out];
                for tap in 0..side * side {
                    let y = (row + tap / side * dilation).checked_sub(side / 2 * dilation);
                    let x = (column + tap % side * dilation).checked_sub(side / 2 * dilation);
                    let (Some(y), Some(x)) = (y.filter(|y| *y < 7), x.filter(|x| *x < 9)) else {
                        continue;
                    };
                    for channel in 0..inputs {
                        let at = ((out / BLOCK * side * side + tap) * inputs + channel) * BLOCK + out % BLOCK;
                        sum += kernel.weights[at] * input.values[(y * 9 + x) * inputs + channel];
                    }
                }
                let got = output.values[(row * 9 + column) * outputs + out];
                assert!((got - sum).abs() < 1e-3, "{got} {sum}");
            }
            let added = convolve(&input, &kernel, dilation, End::Added, None);
            for (at, value) in added.values.iter().enumerate() {
                assert_eq!(*value, output.values[at].max(0.0) + input.values[at]);
            }
            let mut marks = vec![false; 63];
            [0, 8, 30, 31, 62].iter().for_each(|at| marks[*at] = true);
            let places = Places::marked(&marks, 9);
            let part = convolve(&input, &kernel, dilation, End::Sum, Some(&places));
            for (at, place) in part.values.chunks_exact(outputs).enumerate() {
                let expected = if marks[at] {
                    &output.values[at * outputs..][..outputs]
                } else {
                    &[0.0; 32]
                };
                assert_eq!(place, expected);
            }
        }
    }
}
