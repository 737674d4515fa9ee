//! The largest value of each window, and the way back to where it stood. Numbers lie in memory with channels last. Nothing here knows burn.

use pulp::Arch;
use snowball_layout::Window;

/// Sizes of a pooling.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sizes {
    /// Pictures.
    pub count: usize,
    /// Height and width of what goes in.
    pub input: [usize; 2],
    /// Channels.
    pub channels: usize,
    /// What slides over it.
    pub window: Window,
}

impl Sizes {
    /// Height and width of what comes out.
    pub fn output(&self) -> [usize; 2] {
        let Window { side, stride, padding } = self.window;
        self.input.map(|length| (length + 2 * padding - side) / stride + 1)
    }

    /// The pixels under window `number` of an axis.
    fn seen(&self, axis: usize, number: usize) -> std::ops::Range<usize> {
        let Window { side, stride, padding } = self.window;
        let first = number * stride;
        first.saturating_sub(padding)..(first + side).saturating_sub(padding).min(self.input[axis])
    }
}

/// The largest values, and the pixel of the picture at which each stood first.
pub(crate) fn forward(sizes: &Sizes, pictures: &[f32]) -> (Vec<f32>, Vec<u32>) {
    let ([height, width], channels, [rows, columns]) = (sizes.input, sizes.channels, sizes.output());
    let mut largest = vec![f32::NEG_INFINITY; sizes.count * rows * columns * channels];
    let mut places = vec![0_u32; largest.len()];
    let arch = Arch::new();
    let windows = largest
        .chunks_exact_mut(channels)
        .zip(places.chunks_exact_mut(channels))
        .enumerate();
    for (number, (largest, places)) in windows {
        let (picture, row, column) = (number / (rows * columns), number / columns % rows, number % columns);
        for y in sizes.seen(0, row) {
            for x in sizes.seen(1, column) {
                let pixel = y * width + x;
                let values = &pictures[(picture * height * width + pixel) * channels..][..channels];
                arch.dispatch(|| keep_larger(values, pixel as u32, largest, places));
            }
        }
    }
    (largest, places)
}

/// The slopes by what went in, of those by what came out.
pub(crate) fn backward(sizes: &Sizes, places: &[u32], slopes: &[f32]) -> Vec<f32> {
    let ([height, width], channels, [rows, columns]) = (sizes.input, sizes.channels, sizes.output());
    let mut to = vec![0.0; sizes.count * height * width * channels];
    let size = rows * columns * channels;
    let pictures = to.chunks_exact_mut(height * width * channels);
    for ((to, places), slopes) in pictures.zip(places.chunks_exact(size)).zip(slopes.chunks_exact(size)) {
        for (places, slopes) in places.chunks_exact(channels).zip(slopes.chunks_exact(channels)) {
            for (channel, (place, slope)) in places.iter().zip(slopes).enumerate() {
                to[*place as usize * channels + channel] += slope;
            }
        }
    }
    to
}

/// Not a number counts as largest, as in burn and PyTorch, so that it is not lost.
#[inline(always)]
fn keep_larger(values: &[f32], pixel: u32, largest: &mut [f32], places: &mut [u32]) {
    for ((value, largest), place) in values.iter().zip(largest).zip(places) {
        let is_larger = *value > *largest || value.is_nan();
        *largest = if is_larger { *value } else { *largest };
        *place = if is_larger { pixel } else { *place };
    }
}
