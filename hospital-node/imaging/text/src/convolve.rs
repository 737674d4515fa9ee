//! Convolution, the one operation that costs time: direct, over blocks of sixteen outputs and six places, so that the sums stay
//! in registers. `pulp` picks the widest instructions of the machine at run time; rows are shared out among rayon's threads.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::map::Map;

/// Outputs are computed in blocks of this many.
pub const BLOCK: usize = 16;
/// Places of a row computed together.
pub(crate) const WINDOW: usize = 6;
/// Products that are worth a second thread.
pub(crate) const SHARE_MIN: usize = 4 << 20;

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

impl Kernel {
    /// Places from a sum to its outermost tap.
    pub(crate) fn border(&self, dilation: usize) -> usize {
        self.side / 2 * dilation
    }
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

/// The sum of `kernel` over `input`, zeros around it; same rows and columns. Taps stand `dilation` places apart.
#[must_use]
pub fn convolve(input: &Map, kernel: &Kernel, dilation: usize, end: End) -> Map {
    assert_eq!(input.channels, kernel.inputs, "channels of a layer");
    let mut output = Map::zeros(input.rows, input.columns, kernel.outputs);
    let width = input.columns * kernel.outputs;
    if width == 0 {
        return output;
    }
    let arch = Arch::new();
    let border = kernel.border(dilation);
    let reach = (input.columns + 2 * border + WINDOW) * input.channels;
    let work = |near: &mut Vec<f32>, (row, to): (usize, &mut [f32])| {
        // What the row's taps see, with zeros where the map ends.
        near.clear();
        near.resize(kernel.side * reach, 0.0);
        for (tap, near) in near.chunks_exact_mut(reach).enumerate() {
            let from_row = (row + tap * dilation).wrapping_sub(border);
            if from_row < input.rows {
                let seen = &input.values[from_row * input.columns * input.channels..][..input.columns * input.channels];
                near[border * input.channels..][..seen.len()].copy_from_slice(seen);
            }
        }
        let lines = std::array::from_fn(|tap| &near[tap % kernel.side * reach..]);
        arch.dispatch(Run {
            kernel,
            dilation,
            end,
            lines,
            to,
        });
    };
    let lines = output.values.chunks_exact_mut(width).enumerate();
    if input.rows * input.columns * kernel.weights.len() < SHARE_MIN {
        let mut near = Vec::new();
        lines.for_each(|line| work(&mut near, line));
    } else {
        let lines = output.values.par_chunks_exact_mut(width).enumerate();
        lines.with_min_len(4).for_each_init(Vec::new, work);
    }
    output
}

/// Neighbouring places of one row.
pub(crate) struct Run<'a> {
    pub kernel: &'a Kernel,
    pub dilation: usize,
    pub end: End,
    /// What each row of taps sees: from the first tap of the first place to [`WINDOW`] places beyond the last tap of the last.
    /// A kernel of one tap reads the first.
    pub lines: [&'a [f32]; 3],
    /// Where the sums go.
    pub to: &'a mut [f32],
}

impl WithSimd for Run<'_> {
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

impl Run<'_> {
    #[inline(always)]
    fn fill<S: Simd, const V: usize>(self, simd: S) {
        let Self {
            kernel,
            dilation,
            end,
            lines,
            to,
        } = self;
        let (inputs, outputs, side) = (kernel.inputs, kernel.outputs, kernel.side);
        let length = side * side * inputs * BLOCK;
        let places = to.len() / outputs;
        let zero = simd.splat_f32s(0.0);
        for block in 0..outputs / BLOCK {
            let weights = &kernel.weights[block * length..(block + 1) * length];
            let bias = &kernel.bias[block * BLOCK..(block + 1) * BLOCK];
            for first in (0..places).step_by(WINDOW) {
                let near = lines.map(|line| &line[first * inputs..]);
                let mut sums = [[zero; V]; WINDOW];
                self::sums::<S, V>(simd, [weights, bias], near, [side, inputs, dilation], &mut sums);
                for (place, sum) in sums.iter().take(places - first).enumerate() {
                    let at = (first + place) * outputs + block * BLOCK;
                    let (to, _) = S::as_mut_simd_f32s(&mut to[at..at + BLOCK]);
                    if end == End::Sum {
                        to.copy_from_slice(sum);
                        continue;
                    }
                    for (to, sum) in to.iter_mut().zip(sum) {
                        *to = simd.max_f32s(*sum, zero);
                    }
                    if end == End::Added {
                        let from = (kernel.border(dilation) + place) * inputs + block * BLOCK;
                        let (before, _) = S::as_simd_f32s(&near[side / 2][from..from + BLOCK]);
                        for (to, before) in to.iter_mut().zip(before) {
                            *to = simd.add_f32s(*to, *before);
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
    near: [&[f32]; 3],
    [side, inputs, dilation]: [usize; 3],
    into: &mut [[S::f32s; V]; WINDOW],
) {
    let (bias, _) = S::as_simd_f32s(bias);
    let bias: [S::f32s; V] = std::array::from_fn(|part| bias[part]);
    let mut sums = [bias; WINDOW];
    for (tap, weights) in weights.chunks_exact(inputs * BLOCK).enumerate() {
        let near = &near[tap / side][tap % side * dilation * inputs..][..WINDOW * inputs];
        let near: [&[f32]; WINDOW] = std::array::from_fn(|place| &near[place * inputs..][..inputs]);
        let (weights, _) = S::as_simd_f32s(weights).0.as_chunks::<V>();
        for (channel, weights) in weights[..inputs].iter().enumerate() {
            for place in 0..WINDOW {
                let value = simd.splat_f32s(near[place][channel]);
                for part in 0..V {
                    sums[place][part] = fused(simd, value, weights[part], sums[place][part]);
                }
            }
        }
    }
    // Only now to memory: what is read place by place does not stay in registers.
    *into = sums;
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
            let output = convolve(&input, &kernel, dilation, End::Sum);
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
            let added = convolve(&input, &kernel, dilation, End::Added);
            for (at, value) in added.values.iter().enumerate() {
                assert_eq!(*value, output.values[at].max(0.0) + input.values[at]);
            }
        }
    }
}
