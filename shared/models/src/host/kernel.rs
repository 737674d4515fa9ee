//! The two loops that nearly all time of training goes into. Sums over a block of places (or taps) and one or two vectors of channels stay
//! in registers. `pulp` picks the widest instructions of the machine at run time.

use pulp::{Simd, WithSimd};

/// Most places or taps of a block, and so how much further than its end a buffer is read.
pub(super) const BLOCK_MAX: usize = 12;
/// Places between two visits of the same slopes of weights: what they read stays in the cache.
const VISIT: usize = 256;

/// Places of a block: the sums must fit the registers, of which machines with vectors of eight have half as many.
macro_rules! by_registers {
    ($simd:ident, $S:ident, $this:ident.$run:ident) => {
        if $S::F32_LANES == 8 {
            $this.$run::<$S, 6>($simd)
        } else {
            $this.$run::<$S, BLOCK_MAX>($simd)
        }
    };
}

/// Vectors of channels computed together, with the channel that each begins at: two, and at the end what is left.
fn panels(channels: usize, lanes: usize) -> impl Iterator<Item = (usize, usize)> {
    let step = 2 * lanes;
    let width = move |first: usize| if channels - first > lanes { 2 } else { 1 };
    (0..channels).step_by(step).map(move |first| (first, width(first)))
}

/// Weights in the order that [`Sums`] reads them: by panel of outputs, then tap, then output.
pub(super) struct Pack<F> {
    /// Channels that are summed to.
    pub outputs: usize,
    /// Taps of each.
    pub taps: usize,
    /// Writes what output channel `first + n` takes from each tap, to `n` and every so manieth value after: `(first, count, width, to)`.
    pub fill: F,
}

impl<F: FnMut(usize, usize, usize, &mut [f32])> WithSimd for Pack<F> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) -> Vec<f32> {
        let lanes = S::F32_LANES;
        let size = panels(self.outputs, lanes)
            .map(|(_, vectors)| vectors * lanes * self.taps)
            .sum();
        let mut packed = vec![0.0; size];
        let mut rest = packed.as_mut_slice();
        for (first, vectors) in panels(self.outputs, lanes) {
            let width = vectors * lanes;
            let (panel, after) = rest.split_at_mut(width * self.taps);
            rest = after;
            (self.fill)(first, width.min(self.outputs - first), width, panel);
        }
        packed
    }
}

/// Sums of taps at places: a convolution, and its slope by its input.
pub(super) struct Sums<'a> {
    /// Pictures, channels last, with all that a tap can reach.
    pub values: &'a [f32],
    /// Where the first tap of each place lies in them, and where its sums go.
    pub places: &'a [(usize, usize)],
    /// Values from one row of taps to the next.
    pub row: usize,
    /// Rows of taps.
    pub rows: usize,
    /// Taps of a row, channels included: they lie side by side.
    pub length: usize,
    /// From [`Pack`].
    pub packed: &'a [f32],
    /// Channels that are summed to.
    pub outputs: usize,
    /// Added to each sum of a channel.
    pub bias: Option<&'a [f32]>,
    /// Where they go.
    pub to: &'a mut [f32],
}

impl WithSimd for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        by_registers!(simd, S, self.run);
    }
}

impl Sums<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize>(mut self, simd: S) {
        let mut rest = self.packed;
        for (first, vectors) in panels(self.outputs, S::F32_LANES) {
            let (panel, after) = rest.split_at(vectors * S::F32_LANES * self.rows * self.length);
            rest = after;
            if vectors == 2 {
                self.panel::<S, M, 2>(simd, panel, first);
            } else {
                self.panel::<S, M, 1>(simd, panel, first);
            }
        }
    }

    #[inline(always)]
    fn panel<S: Simd, const M: usize, const V: usize>(&mut self, simd: S, panel: &[f32], first: usize) {
        let width = (V * S::F32_LANES).min(self.outputs - first);
        let mut start = [simd.splat_f32s(0.0); V];
        if let Some(bias) = self.bias {
            start = load::<S, V>(simd, &bias[first..first + width]);
        }
        let (panel, _) = S::as_simd_f32s(panel);
        let panel = panel.as_chunks::<V>().0;
        for places in self.places.chunks(M) {
            // Beyond the last place it is computed once more.
            let at: [usize; M] = std::array::from_fn(|place| places[place.min(places.len() - 1)].0);
            let mut sums = [start; M];
            for row in 0..self.rows {
                let weights = &panel[row * self.length..][..self.length];
                let near: [&[f32]; M] =
                    std::array::from_fn(|place| &self.values[at[place] + row * self.row..][..self.length]);
                for (tap, weights) in weights.iter().enumerate() {
                    for place in 0..M {
                        let value = simd.splat_f32s(near[place][tap]);
                        for part in 0..V {
                            sums[place][part] = fused(simd, value, weights[part], sums[place][part]);
                        }
                    }
                }
            }
            // Only now to memory: what is read place by place does not stay in registers.
            let sums = sums;
            for (sums, (_, to)) in sums.iter().zip(places) {
                store::<S, V>(simd, *sums, &mut self.to[to + first..][..width]);
            }
        }
    }
}

/// What each weight gave rise to: a convolution's slope by its weights.
pub(super) struct Slopes<'a> {
    /// Pictures, channels last, with all that a tap can reach, and [`BLOCK_MAX`] values more.
    pub values: &'a [f32],
    /// Where the first tap of each place lies in them.
    pub places: &'a [usize],
    /// Values from one row of taps to the next.
    pub row: usize,
    /// Rows of taps.
    pub rows: usize,
    /// Taps of a row, channels included: they lie side by side.
    pub length: usize,
    /// The slopes at each place, channels last.
    pub slopes: &'a [f32],
    /// Their channels.
    pub outputs: usize,
    /// By row, tap and channel; zeros at first.
    pub to: &'a mut [f32],
}

impl WithSimd for Slopes<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        by_registers!(simd, S, self.run);
    }
}

impl Slopes<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize>(mut self, simd: S) {
        let visits = self.places.chunks(VISIT).zip(self.slopes.chunks(VISIT * self.outputs));
        for (places, slopes) in visits {
            for (first, vectors) in panels(self.outputs, S::F32_LANES) {
                let whole = self.outputs - first >= vectors * S::F32_LANES;
                match (vectors, whole) {
                    (2, true) => self.panel::<S, M, 2, true>(simd, places, slopes, first),
                    (2, false) => self.panel::<S, M, 2, false>(simd, places, slopes, first),
                    (_, true) => self.panel::<S, M, 1, true>(simd, places, slopes, first),
                    (_, false) => self.panel::<S, M, 1, false>(simd, places, slopes, first),
                }
            }
        }
    }

    #[inline(always)]
    fn panel<S: Simd, const M: usize, const V: usize, const WHOLE: bool>(
        &mut self,
        simd: S,
        places: &[usize],
        slopes: &[f32],
        first: usize,
    ) {
        let width = if WHOLE { V * S::F32_LANES } else { self.outputs - first };
        for row in 0..self.rows {
            for tap in (0..self.length).step_by(M) {
                let taps = M.min(self.length - tap);
                let to = (row * self.length + tap) * self.outputs + first;
                let mut sums = [[simd.splat_f32s(0.0); V]; M];
                for (at, slopes) in places.iter().zip(slopes.chunks_exact(self.outputs)) {
                    let near: &[f32; M] = self.values[at + row * self.row + tap..]
                        .first_chunk()
                        .expect("M values follow");
                    let slopes = &slopes[first..first + width];
                    let slopes: [S::f32s; V] = if WHOLE {
                        let (slopes, _) = S::as_simd_f32s(slopes);
                        std::array::from_fn(|part| slopes[part])
                    } else {
                        load::<S, V>(simd, slopes)
                    };
                    for place in 0..M {
                        let value = simd.splat_f32s(near[place]);
                        for part in 0..V {
                            sums[place][part] = fused(simd, value, slopes[part], sums[place][part]);
                        }
                    }
                }
                let sums = sums;
                for (tap, sums) in sums.iter().take(taps).enumerate() {
                    let to = &mut self.to[to + tap * self.outputs..][..width];
                    let before = load::<S, V>(simd, to);
                    store::<S, V>(
                        simd,
                        std::array::from_fn(|part| simd.add_f32s(before[part], sums[part])),
                        to,
                    );
                }
            }
        }
    }
}

/// Vectors from as many values, or fewer and then zeros.
#[inline(always)]
fn load<S: Simd, const V: usize>(simd: S, from: &[f32]) -> [S::f32s; V] {
    if from.len() == V * S::F32_LANES {
        let (from, _) = S::as_simd_f32s(from);
        return std::array::from_fn(|part| from[part]);
    }
    std::array::from_fn(|part| {
        let from = from.get(part * S::F32_LANES..).unwrap_or_default();
        simd.partial_load_f32s(&from[..from.len().min(S::F32_LANES)])
    })
}

/// As many of the vectors' values as there is room for.
#[inline(always)]
fn store<S: Simd, const V: usize>(simd: S, values: [S::f32s; V], to: &mut [f32]) {
    if to.len() == V * S::F32_LANES {
        let (to, _) = S::as_mut_simd_f32s(to);
        to.copy_from_slice(&values);
        return;
    }
    for (to, values) in to.chunks_mut(S::F32_LANES).zip(values) {
        simd.partial_store_f32s(to, values);
    }
}

/// `a * b + c`, in one instruction where the machine has it; without, a fused product would be a slow call.
#[inline(always)]
fn fused<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    if S::IS_SCALAR {
        simd.add_f32s(simd.mul_f32s(a, b), c)
    } else {
        simd.mul_add_f32s(a, b, c)
    }
}
