//! Convolution, the one operation that costs time: direct, over blocks of sixteen outputs and six places, so that the sums stay
//! in registers. `pulp` picks the widest instructions of the machine at run time.

use pulp::{Arch, Simd, WithSimd};

use crate::map::Map;

/// Outputs are computed in blocks of this many.
pub const BLOCK: usize = 16;
/// Places of a row computed together.
const PLACES: usize = 6;

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

/// The sum of `kernel` over `input`, zeros around it; same rows and columns. Taps stand `dilation` places apart.
#[must_use]
pub fn convolve(input: &Map, kernel: &Kernel, dilation: usize) -> Map {
    assert_eq!(input.channels, kernel.inputs, "channels of a layer");
    let border = (kernel.side / 2) * dilation;
    let padded = if border == 0 { None } else { Some(input.padded(border)) };
    let mut output = Map::zeros(input.rows, input.columns, kernel.outputs);
    Arch::new().dispatch(Pass {
        input: padded.as_ref().unwrap_or(input),
        kernel,
        dilation,
        output: &mut output,
    });
    output
}

struct Pass<'a> {
    input: &'a Map,
    kernel: &'a Kernel,
    dilation: usize,
    output: &'a mut Map,
}

impl WithSimd for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (rows, columns) = (self.output.rows, self.output.columns);
        let blocks = self.kernel.outputs / BLOCK;
        let length = self.kernel.side * self.kernel.side * self.kernel.inputs * BLOCK;
        for row in 0..rows {
            for block in 0..blocks {
                let weights = &self.kernel.weights[block * length..(block + 1) * length];
                let mut bias = [0.0; BLOCK];
                bias.copy_from_slice(&self.kernel.bias[block * BLOCK..(block + 1) * BLOCK]);
                let mut column = 0;
                while column < columns {
                    let start = (row * columns + column) * self.kernel.outputs + block * BLOCK;
                    if column + PLACES <= columns {
                        let sums = self.sums::<S, PLACES>(weights, bias, row, column);
                        for (place, sum) in sums.iter().enumerate() {
                            let at = start + place * self.kernel.outputs;
                            self.output.values[at..at + BLOCK].copy_from_slice(sum);
                        }
                        column += PLACES;
                    } else {
                        let [sum] = self.sums::<S, 1>(weights, bias, row, column);
                        self.output.values[start..start + BLOCK].copy_from_slice(&sum);
                        column += 1;
                    }
                }
            }
        }
    }
}

impl Pass<'_> {
    #[inline(always)]
    fn sums<S: Simd, const P: usize>(
        &self,
        weights: &[f32],
        bias: [f32; BLOCK],
        row: usize,
        column: usize,
    ) -> [[f32; BLOCK]; P] {
        let (inputs, side) = (self.kernel.inputs, self.kernel.side);
        let mut sums = [bias; P];
        for (tap, weights) in weights.chunks_exact(inputs * BLOCK).enumerate() {
            let from_row = row + tap / side * self.dilation;
            let from_column = column + tap % side * self.dilation;
            let from = (from_row * self.input.columns + from_column) * inputs;
            let places = &self.input.values[from..from + P * inputs];
            let places: [&[f32]; P] = std::array::from_fn(|place| &places[place * inputs..(place + 1) * inputs]);
            for (channel, weights) in weights.as_chunks::<BLOCK>().0.iter().enumerate() {
                for place in 0..P {
                    let value = places[place][channel];
                    for output in 0..BLOCK {
                        sums[place][output] = fused::<S>(value, weights[output], sums[place][output]);
                    }
                }
            }
        }
        sums
    }
}

/// `a * b + c`, in one instruction where the machine has it; without, a fused product would be a slow call.
#[inline(always)]
pub fn fused<S: Simd>(a: f32, b: f32, c: f32) -> f32 {
    if S::IS_SCALAR { a * b + c } else { a.mul_add(b, c) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(place: usize) -> f32 {
        ((place * 7919) % 23) as f32 / 11.0 - 1.0
    }

    #[test]
    fn a_convolution_is_the_sum_it_should_be() {
        for (side, dilation) in [(1, 1), (3, 1), (3, 2)] {
            let (inputs, outputs) = (5, 32);
            let mut input = Map::zeros(7, 9, inputs);
            input.values.iter_mut().enumerate().for_each(|(at, v)| *v = value(at));
            let kernel = Kernel {
                side,
                inputs,
                outputs,
                weights: (0..outputs * side * side * inputs).map(|at| value(at + 3)).collect(),
                bias: (0..outputs).map(value).collect(),
            };
            let output = convolve(&input, &kernel, dilation);
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
                assert!((got - sum).abs() < 1e-4, "{got} {sum}");
            }
        }
    }
}
