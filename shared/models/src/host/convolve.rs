//! A convolution and its slopes, on numbers that lie in memory with channels last. Nothing here knows burn.
//!
//! No matrix of patches is ever written out: pictures are copied once with zeros around them, and then the taps of a row lie side by side.
//! A slope by the input is a convolution of the slopes again; where the window moves by more than one pixel, one for each remainder that a
//! pixel's place leaves.

use pulp::Arch;

use super::kernel::{BLOCK_MAX, Pack, Slopes, Sums};

/// Values of the pictures that are convolved together with one panel of weights: they should stay in the cache.
const TOGETHER: usize = 1 << 16;

/// Weights are turned over in squares of this side, so that both sides are read and written in whole lines of the cache.
const LINE: usize = 16;

/// Sizes of a convolution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sizes {
    /// Pictures.
    pub count: usize,
    /// Height and width of what goes in.
    pub input: [usize; 2],
    /// Channels that go in, and out.
    pub channels: [usize; 2],
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// How far it moves.
    pub stride: usize,
    /// Zeros above and below, left and right.
    pub padding: [usize; 2],
}

impl Sizes {
    /// Height and width of what comes out.
    pub fn output(&self) -> [usize; 2] {
        [0, 1].map(|axis| (self.input[axis] + 2 * self.padding[axis] - self.kernel[axis]) / self.stride + 1)
    }

    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Where each place's first tap lies in the padded pictures, by picture, row and column.
    fn starts(&self) -> Vec<usize> {
        let ([rows, columns], channels) = (self.output(), self.channels[0]);
        let [height, width] = [0, 1].map(|axis| self.input[axis] + 2 * self.padding[axis]);
        let mut starts = Vec::with_capacity(self.count * rows * columns);
        for picture in 0..self.count {
            for row in 0..rows {
                let first = (picture * height + row * self.stride) * width;
                starts.extend((0..columns).map(|column| (first + column * self.stride) * channels));
            }
        }
        starts
    }

    /// Pictures as [`forward`] takes them.
    pub fn padded(&self, pictures: &[f32]) -> Vec<f32> {
        let around = self.padding;
        padded(pictures, self.count, self.input, self.channels[0], around, around)
    }
}

/// `pictures` with zeros `before` (above, left) and `after` (below, right), and some at the end that blocks read over.
fn padded(
    pictures: &[f32],
    count: usize,
    [height, width]: [usize; 2],
    channels: usize,
    before: [usize; 2],
    after: [usize; 2],
) -> Vec<f32> {
    let [rows, columns] = [height + before[0] + after[0], width + before[1] + after[1]];
    let mut padded = vec![0.0; count * rows * columns * channels + BLOCK_MAX];
    for (number, line) in pictures.chunks_exact(width * channels).enumerate() {
        let row = number / height * rows + number % height + before[0];
        padded[(row * columns + before[1]) * channels..][..line.len()].copy_from_slice(line);
    }
    padded
}

/// Pictures with zeros around ([`Sizes::padded`]), weights `[out, in, height, width]` and a bias for each output to the sums, channels last.
pub(crate) fn forward(sizes: &Sizes, padded: &[f32], weights: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let [inputs, outputs] = sizes.channels;
    let arch = Arch::new();
    let taps = sizes.taps();
    let packed = arch.dispatch(Pack {
        outputs,
        taps: taps * inputs,
        fill: |first: usize, count: usize, width: usize, to: &mut [f32]| {
            let weights = &weights[first * inputs * taps..][..count * inputs * taps];
            for (block, weights) in weights.chunks(LINE * inputs * taps).enumerate() {
                turn_to(weights, [inputs, taps], width, &mut to[block * LINE..]);
            }
        },
    });
    let places: Vec<(usize, usize)> = sizes
        .starts()
        .into_iter()
        .enumerate()
        .map(|(place, start)| (start, place * outputs))
        .collect();
    let mut sums = vec![0.0; places.len() * outputs];
    let line = (sizes.input[1] + 2 * sizes.padding[1]) * inputs;
    for places in places.chunks(together(&places, padded.len())) {
        arch.dispatch(Sums {
            values: padded,
            places,
            row: line,
            rows: sizes.kernel[0],
            length: sizes.kernel[1] * inputs,
            packed: &packed,
            outputs,
            bias,
            to: &mut sums,
        });
    }
    sums
}

/// How many of the places see about [`TOGETHER`] of `values` in all.
fn together(places: &[(usize, usize)], values: usize) -> usize {
    (places.len() * TOGETHER / values.max(1))
        .next_multiple_of(BLOCK_MAX)
        .max(BLOCK_MAX)
}

/// The slope by the pictures that went in, of those by what came out.
pub(crate) fn slope_by_input(sizes: &Sizes, slopes: &[f32], weights: &[f32]) -> Vec<f32> {
    let ([inputs, outputs], [height, width]) = (sizes.channels, sizes.input);
    let stride = sizes.stride;
    // A pixel is seen by the taps of its remainder only, at places that lie side by side.
    let reach = sizes.kernel.map(|side| side.div_ceil(stride) - 1);
    let phases = [0, 1].map(|axis| phases(sizes, axis));
    let output = sizes.output();
    let last = [0, 1].map(|axis| (sizes.input[axis] - 1 + sizes.padding[axis]) / stride);
    let after = [0, 1].map(|axis| last[axis].saturating_sub(output[axis] - 1));
    let [rows, columns] = [0, 1].map(|axis| output[axis] + reach[axis] + after[axis]);
    let padded = padded(slopes, sizes.count, output, outputs, reach, after);
    let mut to = vec![0.0; sizes.count * height * width * inputs];
    let arch = Arch::new();
    for down in &phases[0] {
        for across in &phases[1] {
            let (tall, wide) = (down.taps.len(), across.taps.len());
            let packed = arch.dispatch(Pack {
                outputs: inputs,
                taps: tall * wide * outputs,
                fill: |first: usize, count: usize, panel: usize, to: &mut [f32]| {
                    for output in 0..outputs {
                        let weights = &weights[(output * inputs + first) * sizes.taps()..][..count * sizes.taps()];
                        for (row, tap_row) in down.taps.iter().enumerate() {
                            for (column, tap) in across.taps.iter().enumerate() {
                                let at = ((row * wide + column) * outputs + output) * panel;
                                let weights = weights[tap_row * sizes.kernel[1] + tap..].iter().step_by(sizes.taps());
                                to[at..at + count]
                                    .iter_mut()
                                    .zip(weights)
                                    .for_each(|(to, weight)| *to = *weight);
                            }
                        }
                    }
                },
            });
            let mut places = Vec::with_capacity(sizes.count * down.pixels.len() * across.pixels.len());
            for picture in 0..sizes.count {
                for (row, place_row) in &down.pixels {
                    let from = (picture * rows + place_row + reach[0] + 1 - tall) * columns + reach[1] + 1 - wide;
                    let into = (picture * height + row) * width;
                    let pixel = |(column, place): &(usize, usize)| ((from + place) * outputs, (into + column) * inputs);
                    places.extend(across.pixels.iter().map(pixel));
                }
            }
            for places in places.chunks(together(&places, padded.len())) {
                arch.dispatch(Sums {
                    values: &padded,
                    places,
                    row: columns * outputs,
                    rows: tall,
                    length: wide * outputs,
                    packed: &packed,
                    outputs: inputs,
                    bias: None,
                    to: &mut to,
                });
            }
        }
    }
    to
}

/// The pixels of one axis that see the same taps.
struct Phase {
    /// Which, the last first: so their places rise.
    taps: Vec<usize>,
    /// Each pixel, and the place at which the first of its taps sees it.
    pixels: Vec<(usize, usize)>,
}

fn phases(sizes: &Sizes, axis: usize) -> Vec<Phase> {
    let (stride, padding) = (sizes.stride, sizes.padding[axis]);
    let phase = |remainder: usize| {
        let pixels = (0..sizes.input[axis]).filter(|pixel| (pixel + padding) % stride == remainder);
        Phase {
            taps: (remainder..sizes.kernel[axis]).step_by(stride).rev().collect(),
            pixels: pixels.map(|pixel| (pixel, (pixel + padding) / stride)).collect(),
        }
    };
    // Pixels that no tap sees keep the slope zero.
    (0..stride.min(sizes.kernel[axis])).map(phase).collect()
}

/// The slope by the weights, `[out, in, height, width]`, from the padded pictures and the slopes by what came out.
pub(crate) fn slope_by_weights(sizes: &Sizes, padded: &[f32], slopes: &[f32]) -> Vec<f32> {
    let ([inputs, outputs], taps) = (sizes.channels, sizes.taps());
    let mut sums = vec![0.0; taps * inputs * outputs];
    Arch::new().dispatch(Slopes {
        values: padded,
        places: &sizes.starts(),
        row: (sizes.input[1] + 2 * sizes.padding[1]) * inputs,
        rows: sizes.kernel[0],
        length: sizes.kernel[1] * inputs,
        slopes,
        outputs,
        to: &mut sums,
    });
    let mut to = vec![0.0; sums.len()];
    for (block, to) in to.chunks_mut(LINE * inputs * taps).enumerate() {
        turn_back(&sums[block * LINE..], [inputs, taps], outputs, to);
    }
    to
}

/// Up to [`LINE`] rows of `weights`, a channel out each, by channel in and tap, to as many columns of `to`, by tap and channel in, in which
/// rows begin `width` values apart.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "the place is one of sixteen rows")]
fn turn_to(weights: &[f32], [inputs, taps]: [usize; 2], width: usize, to: &mut [f32]) {
    let length = inputs * taps;
    let outputs = weights.len() / length;
    let rows: [&[f32]; LINE] = std::array::from_fn(|row| &weights[row.min(outputs - 1) * length..][..length]);
    let (mut input, mut tap) = (0, 0);
    for place in 0..length {
        let line: [f32; LINE] = std::array::from_fn(|row| rows[row][place]);
        let to = &mut to[(tap * inputs + input) * width..];
        match to.first_chunk_mut() {
            Some(to) if outputs == LINE => *to = line,
            _ => to[..outputs].copy_from_slice(&line[..outputs]),
        }
        tap += 1;
        if tap == taps {
            (input, tap) = (input + 1, 0);
        }
    }
}

/// The same the other way round: columns of `sums`, in which rows begin `width` values apart, to rows of `to`.
#[allow(clippy::needless_range_loop, reason = "the place is one of sixteen rows")]
fn turn_back(sums: &[f32], [inputs, taps]: [usize; 2], width: usize, to: &mut [f32]) {
    let length = inputs * taps;
    let outputs = to.len() / length;
    if outputs < LINE {
        for (output, to) in to.chunks_exact_mut(length).enumerate() {
            for (place, to) in to.iter_mut().enumerate() {
                *to = sums[(place % taps * inputs + place / taps) * width + output];
            }
        }
        return;
    }
    let mut rows = to.chunks_exact_mut(length);
    let rows: [&mut [f32]; LINE] = std::array::from_fn(|_| rows.next().expect("there are as many"));
    let rows = rows.map(|row| &mut row[..length]);
    let (mut input, mut tap) = (0, 0);
    for place in 0..length {
        let line: &[f32; LINE] = sums[(tap * inputs + input) * width..]
            .first_chunk()
            .expect("a line of outputs");
        for row in 0..LINE {
            rows[row][place] = line[row];
        }
        tap += 1;
        if tap == taps {
            (input, tap) = (input + 1, 0);
        }
    }
}

/// The slope by the bias.
pub(crate) fn slope_by_bias(outputs: usize, slopes: &[f32]) -> Vec<f32> {
    let mut sums = vec![0.0_f64; outputs];
    for slopes in slopes.chunks_exact(outputs) {
        sums.iter_mut()
            .zip(slopes)
            .for_each(|(sum, slope)| *sum += f64::from(*slope));
    }
    sums.into_iter().map(|sum| sum as f32).collect()
}
