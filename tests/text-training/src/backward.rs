//! The way back through a network: gradients of its weights from the gradient of its answer.

use pulp::{Arch, Simd, WithSimd};
use snowball_text::{
    convolve::{BLOCK, End, Kernel, convolve, fused},
    map::Map,
    network::{Network, Step},
};

/// Channels of the input taken together, so that the sums stay in registers.
const GROUP: usize = 4;
/// Rows taken together.
const BAND: usize = 6;

/// Inputs of every step of one walk forward, and the answer.
pub struct Trace {
    inputs: Vec<Map>,
    /// The answer.
    pub answer: Map,
}

/// Walks forward and keeps what the way back needs.
pub fn forward(network: &Network, input: Map) -> Trace {
    let mut inputs = Vec::new();
    let answer = network.walk(&input, |map| inputs.push(map.clone()));
    Trace { inputs, answer }
}

/// Adds to `gradient` (laid out as `Network::values`) what the answer's gradient makes of it.
pub fn backward(network: &Network, trace: &Trace, answer_gradient: Map, gradient: &mut [f32]) {
    let mut end = gradient.len();
    let mut kernels = network.kernels.iter().rev();
    let mut from_above = answer_gradient;
    for (index, step) in network.steps.iter().enumerate().rev() {
        if *step == Step::Fold {
            from_above = from_above.unfolded();
            continue;
        }
        if let Step::Stack { rows } = *step {
            from_above = from_above.unstacked(rows);
            continue;
        }
        let kernel = kernels.next().expect("a kernel for each step that has one");
        let input = &trace.inputs[index];
        let output = trace.inputs.get(index + 1).unwrap_or(&trace.answer);
        let dilation = match *step {
            Step::Convolve { dilation, .. } | Step::Add { dilation } => dilation,
            _ => 1,
        };
        let adds = matches!(step, Step::Add { .. });
        let mut through = from_above.clone();
        if !matches!(step, Step::Head { .. }) {
            for (place, value) in through.values.iter_mut().enumerate() {
                let before = if adds { input.values[place] } else { 0.0 };
                if output.values[place] - before <= 0.0 {
                    *value = 0.0;
                }
            }
        }
        let start = end - kernel.weights.len() - kernel.bias.len();
        let (weights, bias) = gradient[start..end].split_at_mut(kernel.weights.len());
        end = start;
        for place in through.values.chunks_exact(kernel.outputs) {
            bias.iter_mut().zip(place).for_each(|(sum, value)| *sum += value);
        }
        let border = kernel.side / 2 * dilation;
        Arch::new().dispatch(Weights {
            input: &input.padded(border),
            from_above: &through,
            kernel,
            dilation,
            gradient: weights,
        });
        if end == 0 {
            return;
        }
        let mut below = convolve(&through, &turned(kernel), dilation, End::Sum);
        below.channels = kernel.inputs;
        if !kernel.inputs.is_multiple_of(BLOCK) {
            // The turned kernel was filled up to whole blocks.
            let filled = kernel.inputs.next_multiple_of(BLOCK);
            let places = below.values.chunks_exact(filled);
            below.values = places.flat_map(|place| &place[..kernel.inputs]).copied().collect();
        }
        if adds {
            below
                .values
                .iter_mut()
                .zip(&from_above.values)
                .for_each(|(value, past)| *value += past);
        }
        from_above = below;
    }
}

/// The kernel seen from above: taps in reverse, inputs for outputs.
fn turned(kernel: &Kernel) -> Kernel {
    let (inputs, taps) = (kernel.inputs, kernel.side * kernel.side);
    let filled = inputs.next_multiple_of(BLOCK);
    let mut weights = vec![0.0; filled * taps * kernel.outputs];
    for output in 0..kernel.outputs {
        for tap in 0..taps {
            for input in 0..inputs {
                let from = ((output / BLOCK * taps + tap) * inputs + input) * BLOCK + output % BLOCK;
                let to = ((input / BLOCK * taps + taps - 1 - tap) * kernel.outputs + output) * BLOCK + input % BLOCK;
                weights[to] = kernel.weights[from];
            }
        }
    }
    Kernel {
        side: kernel.side,
        inputs: kernel.outputs,
        outputs: filled,
        weights,
        bias: vec![0.0; filled],
    }
}

struct Weights<'a> {
    input: &'a Map,
    from_above: &'a Map,
    kernel: &'a Kernel,
    dilation: usize,
    gradient: &'a mut [f32],
}

impl WithSimd for Weights<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.fill::<S, 1>(simd),
            8 => self.fill::<S, 2>(simd),
            4 => self.fill::<S, 4>(simd),
            2 => self.fill::<S, 8>(simd),
            _ => self.fill::<S, 16>(simd),
        }
    }
}

impl Weights<'_> {
    #[inline(always)]
    fn fill<S: Simd, const V: usize>(self, simd: S) {
        let (inputs, side) = (self.kernel.inputs, self.kernel.side);
        let taps = side * side;
        assert!(inputs.is_multiple_of(GROUP), "inputs in whole groups");
        // A few rows at a time, so that what is read again for each tap and group is still near.
        for row in (0..self.from_above.rows).step_by(BAND) {
            for block in 0..self.kernel.outputs / BLOCK {
                for tap in 0..taps {
                    let shift = [tap / side * self.dilation, tap % side * self.dilation];
                    for group in 0..inputs / GROUP {
                        let sums = self.sums::<S, V>(simd, row, block, shift, group);
                        let at = ((block * taps + tap) * inputs + group * GROUP) * BLOCK;
                        let to = S::as_mut_simd_f32s(&mut self.gradient[at..at + GROUP * BLOCK]).0;
                        for (to, sum) in to.iter_mut().zip(sums.as_flattened()) {
                            *to = simd.add_f32s(*to, *sum);
                        }
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn sums<S: Simd, const V: usize>(
        &self,
        simd: S,
        row: usize,
        block: usize,
        shift: [usize; 2],
        group: usize,
    ) -> [[S::f32s; V]; GROUP] {
        let mut sums = [[simd.splat_f32s(0.0); V]; GROUP];
        let (inputs, outputs) = (self.kernel.inputs, self.kernel.outputs);
        let columns = self.from_above.columns;
        for row in row..(row + BAND).min(self.from_above.rows) {
            let above = &self.from_above.values[row * columns * outputs..][..columns * outputs];
            let start = ((row + shift[0]) * self.input.columns + shift[1]) * inputs;
            let below = &self.input.values[start..][..columns * inputs];
            for (above, below) in above.chunks_exact(outputs).zip(below.chunks_exact(inputs)) {
                let (above, _) = S::as_simd_f32s(&above[block * BLOCK..][..BLOCK]).0.as_chunks::<V>();
                let above = above[0];
                let below: &[f32; GROUP] = below[group * GROUP..][..GROUP].try_into().expect("a group");
                for channel in 0..GROUP {
                    let value = simd.splat_f32s(below[channel]);
                    for part in 0..V {
                        sums[channel][part] = fused(simd, value, above[part], sums[channel][part]);
                    }
                }
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use snowball_text::network::shapes;

    use super::*;

    const STEPS: &[Step] = &[
        Step::Fold,
        Step::Convolve {
            outputs: 16,
            dilation: 1,
        },
        Step::Add { dilation: 2 },
        Step::Fold,
        Step::Mix { outputs: 16 },
        Step::Stack { rows: 3 },
        Step::Mix { outputs: 16 },
        Step::Add { dilation: 1 },
        Step::Head { outputs: 32 },
    ];

    fn value(place: usize) -> f32 {
        ((place * 7919) % 101) as f32 / 50.0 - 1.0
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let count: usize = shapes(STEPS, 2).iter().map(|[s, i, o]| s * s * i * o + o).sum();
        let mut values: Vec<f32> = (0..count).map(|at| value(at) * 0.1).collect();
        let mut input = Map::zeros(12, 8, 2);
        input
            .values
            .iter_mut()
            .enumerate()
            .for_each(|(at, v)| *v = value(at + 5));
        let loss = |values: &[f32]| -> f64 {
            let network = Network::from_values(STEPS, 2, values).unwrap();
            let answer = network.answer(&input);
            let terms = answer.values.iter().enumerate();
            terms.map(|(at, v)| f64::from(*v) * f64::from(value(at * 3))).sum()
        };
        let network = Network::from_values(STEPS, 2, &values).unwrap();
        let trace = forward(&network, input.clone());
        let mut above = trace.answer.clone();
        above
            .values
            .iter_mut()
            .enumerate()
            .for_each(|(at, v)| *v = value(at * 3));
        let mut gradient = vec![0.0; count];
        backward(&network, &trace, above, &mut gradient);
        for at in (0..count).step_by(37) {
            let before = values[at];
            values[at] = before + 1e-3;
            let up = loss(&values);
            values[at] = before - 1e-3;
            let down = loss(&values);
            values[at] = before;
            let expected = (up - down) / 2e-3;
            assert!(
                (f64::from(gradient[at]) - expected).abs() < 0.02 + 0.02 * expected.abs(),
                "{at}: {} {expected}",
                gradient[at]
            );
        }
    }
}
