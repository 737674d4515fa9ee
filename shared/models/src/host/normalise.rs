//! Group normalisation with a scale and a shift a channel, and what is left of it above zero, in one pass for each thing that must be known
//! first; and the way back. Numbers lie in memory with channels last. Nothing here knows burn.

use std::iter;

use pulp::Arch;

/// Values that are worked on side by side: as many places as make about as many, so that short rows of channels fill vectors too.
const SIDE_BY_SIDE: usize = 256;

/// Sizes of a normalisation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sizes {
    /// Pictures.
    pub count: usize,
    /// Places of a picture.
    pub places: usize,
    /// Channels of a place.
    pub channels: usize,
    /// Groups of channels.
    pub groups: usize,
    /// Whether what is below zero becomes zero.
    pub rectifies: bool,
}

/// Mean, and one over the deviation, of each group of each picture.
pub(crate) type Moments = Vec<[f32; 2]>;

impl Sizes {
    const fn picture(&self) -> usize {
        self.places * self.channels
    }

    const fn channels_of_group(&self) -> usize {
        self.channels / self.groups
    }

    /// Values of a group in a picture.
    fn values_of_group(&self) -> f64 {
        (self.places * self.channels_of_group()) as f64
    }

    /// `values` of the channels, over and over.
    fn side_by_side(&self, values: impl Iterator<Item = f32> + Clone) -> Vec<f32> {
        let places = (SIDE_BY_SIDE / self.channels).max(1);
        iter::repeat_n(values, places).flatten().collect()
    }

    /// What each channel's values came to, from sums that lie side by side.
    fn by_channel(&self, sums: &[f32]) -> Vec<f64> {
        let mut channels = vec![0.0; self.channels];
        for sums in sums.chunks_exact(self.channels) {
            channels
                .iter_mut()
                .zip(sums)
                .for_each(|(channel, sum)| *channel += f64::from(*sum));
        }
        channels
    }
}

/// The normal pictures, and what the way back needs.
pub(crate) fn forward(
    sizes: &Sizes,
    pictures: &[f32],
    scale: &[f32],
    shift: &[f32],
    epsilon: f64,
) -> (Vec<f32>, Moments) {
    let arch = Arch::new();
    let mut normal = vec![0.0; pictures.len()];
    let mut moments = Vec::with_capacity(sizes.count * sizes.groups);
    for (picture, normal) in pictures
        .chunks_exact(sizes.picture())
        .zip(normal.chunks_exact_mut(sizes.picture()))
    {
        let mut sums = sizes.side_by_side(iter::repeat_n(0.0, sizes.channels));
        arch.dispatch(|| sum(picture, &mut sums));
        let means = of_groups(sizes, &sizes.by_channel(&sums));
        let centre = sizes.side_by_side(by_channel(sizes, &means, |mean| mean as f32));
        sums.fill(0.0);
        arch.dispatch(|| squares(picture, &centre, &mut sums));
        let variances = of_groups(sizes, &sizes.by_channel(&sums));
        let first = moments.len();
        moments.extend(
            means
                .iter()
                .zip(variances)
                .map(|(mean, variance)| [*mean as f32, (1.0 / (variance + epsilon).sqrt()) as f32]),
        );
        let factors = sizes.side_by_side(
            by_channel(sizes, &moments[first..], |[_, inverse]| inverse)
                .zip(scale)
                .map(|(a, b)| a * b),
        );
        let shifts = sizes.side_by_side(shift.iter().copied());
        arch.dispatch(|| scaled(picture, [&centre, &factors, &shifts], sizes.rectifies, normal));
    }
    (normal, moments)
}

/// The slopes by the pictures, by the scale and by the shift, of those by what came out.
pub(crate) fn backward(
    sizes: &Sizes,
    pictures: &[f32],
    moments: &[[f32; 2]],
    scale: &[f32],
    shift: &[f32],
    slopes: &[f32],
) -> [Vec<f32>; 3] {
    let arch = Arch::new();
    let mut to = vec![0.0; pictures.len()];
    let (mut by_scale, mut by_shift) = (vec![0.0_f64; sizes.channels], vec![0.0_f64; sizes.channels]);
    let size = sizes.picture();
    let all = pictures
        .chunks_exact(size)
        .zip(slopes.chunks_exact(size))
        .zip(to.chunks_exact_mut(size));
    for (((picture, slopes), to), moments) in all.zip(moments.chunks_exact(sizes.groups)) {
        let inverses: Vec<f32> = by_channel(sizes, moments, |[_, inverse]| inverse).collect();
        let centre = sizes.side_by_side(by_channel(sizes, moments, |[mean, _]| mean));
        let factors = sizes.side_by_side(inverses.iter().zip(scale).map(|(a, b)| a * b));
        let shifts = sizes.side_by_side(shift.iter().copied());
        let affine = [&centre[..], &factors, &shifts];
        let mut sums = [vec![0.0; centre.len()], vec![0.0; centre.len()]];
        arch.dispatch(|| moved(picture, slopes, affine, sizes.rectifies, &mut sums));
        let [plain, centred] = sums.map(|sums| sizes.by_channel(&sums));
        let centred: Vec<f64> = centred
            .iter()
            .zip(&inverses)
            .map(|(sum, inverse)| sum * f64::from(*inverse))
            .collect();
        for channel in 0..sizes.channels {
            by_shift[channel] += plain[channel];
            by_scale[channel] += centred[channel];
        }
        let weighted = |sums: &[f64]| -> Vec<f64> {
            let weighted: Vec<f64> = sums
                .iter()
                .zip(scale)
                .map(|(sum, scale)| sum * f64::from(*scale))
                .collect();
            of_groups(sizes, &weighted)
        };
        // What moving the mean and the deviation takes back.
        let (plain, centred) = (weighted(&plain), weighted(&centred));
        let constant: Vec<f64> = plain
            .iter()
            .zip(moments)
            .map(|(mean, [_, inverse])| mean * f64::from(*inverse))
            .collect();
        let falling: Vec<f64> = centred
            .iter()
            .zip(moments)
            .map(|(mean, [_, inverse])| mean * f64::from(*inverse).powi(2))
            .collect();
        let back = [&constant, &falling].map(|of| sizes.side_by_side(by_channel(sizes, of, |value| value as f32)));
        arch.dispatch(|| taken_back(picture, slopes, affine, [&back[0], &back[1]], sizes.rectifies, to));
    }
    [
        to,
        by_scale.iter().map(|slope| *slope as f32).collect(),
        by_shift.iter().map(|slope| *slope as f32).collect(),
    ]
}

/// Means of the groups from sums of the channels.
fn of_groups(sizes: &Sizes, sums: &[f64]) -> Vec<f64> {
    let groups = sums.chunks_exact(sizes.channels_of_group());
    groups
        .map(|sums| sums.iter().sum::<f64>() / sizes.values_of_group())
        .collect()
}

/// What `of` a channel's group is, for each channel.
fn by_channel<T: Copy>(sizes: &Sizes, groups: &[T], of: impl Fn(T) -> f32 + Copy) -> impl Iterator<Item = f32> + Clone {
    let channels = sizes.channels_of_group();
    groups
        .iter()
        .flat_map(move |group| iter::repeat_n(of(*group), channels))
}

#[inline(always)]
fn sum(picture: &[f32], sums: &mut [f32]) {
    for values in picture.chunks(sums.len()) {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += value;
        }
    }
}

#[inline(always)]
fn squares(picture: &[f32], centre: &[f32], sums: &mut [f32]) {
    for values in picture.chunks(sums.len()) {
        for ((sum, value), centre) in sums.iter_mut().zip(values).zip(centre) {
            *sum += (value - centre) * (value - centre);
        }
    }
}

#[inline(always)]
fn scaled(picture: &[f32], [centre, factors, shifts]: [&[f32]; 3], rectifies: bool, to: &mut [f32]) {
    let floor = if rectifies { 0.0 } else { f32::NEG_INFINITY };
    for (values, to) in picture.chunks(centre.len()).zip(to.chunks_mut(centre.len())) {
        let affine = centre.iter().zip(factors).zip(shifts);
        for ((value, to), ((centre, factor), shift)) in values.iter().zip(to).zip(affine) {
            let normal = (value - centre) * factor + shift;
            // What is not a number stays so, and shows.
            *to = if normal < floor { floor } else { normal };
        }
    }
}

/// Sums of the slopes, and of the slopes times what stands out of the mean.
#[inline(always)]
fn moved(
    picture: &[f32],
    slopes: &[f32],
    [centre, factors, shifts]: [&[f32]; 3],
    rectifies: bool,
    [plain, centred]: &mut [Vec<f32>; 2],
) {
    let floor = if rectifies { 0.0 } else { f32::NEG_INFINITY };
    let width = centre.len();
    for (values, slopes) in picture.chunks(width).zip(slopes.chunks(width)) {
        let affine = centre.iter().zip(factors).zip(shifts);
        let sums = plain.iter_mut().zip(centred.iter_mut());
        for (((value, slope), ((centre, factor), shift)), (plain, centred)) in
            values.iter().zip(slopes).zip(affine).zip(sums)
        {
            let apart = value - centre;
            let slope = if apart * factor + shift <= floor { 0.0 } else { *slope };
            *plain += slope;
            *centred += slope * apart;
        }
    }
}

#[inline(always)]
fn taken_back(
    picture: &[f32],
    slopes: &[f32],
    [centre, factors, shifts]: [&[f32]; 3],
    [constant, falling]: [&[f32]; 2],
    rectifies: bool,
    to: &mut [f32],
) {
    let floor = if rectifies { 0.0 } else { f32::NEG_INFINITY };
    let width = centre.len();
    for ((values, slopes), to) in picture
        .chunks(width)
        .zip(slopes.chunks(width))
        .zip(to.chunks_mut(width))
    {
        let affine = centre.iter().zip(factors).zip(shifts).zip(constant.iter().zip(falling));
        for (((value, slope), to), (((centre, factor), shift), (constant, falling))) in
            values.iter().zip(slopes).zip(to).zip(affine)
        {
            let apart = value - centre;
            let slope = if apart * factor + shift <= floor { 0.0 } else { *slope };
            *to = slope * factor - constant - apart * falling;
        }
    }
}
