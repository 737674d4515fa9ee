//! Pictures alone, with nothing written on them: for training and measuring what searches for text.

use rayon::prelude::*;

use crate::{draft::draft, hospital};

/// A phantom radiograph, bone bright, without marker or text.
#[derive(Clone, Debug)]
pub struct Bare {
    /// Columns.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
    /// Row by row, 0 to 1.
    pub values: Vec<f32>,
}

/// `count` pictures of all hospitals' kinds in turn, about `longest_side` pixels long. The same seed gives the same pictures.
#[must_use]
pub fn bare(seed: u64, count: usize, longest_side: u32) -> Vec<Bare> {
    // Six in ten carry a letter of lead; three orders for each picture are enough.
    let hospitals = 8;
    let orders = (count as u64 * 3).div_ceil(hospitals);
    let sites: Vec<_> = (0..hospitals as u32)
        .map(|index| hospital::plan(seed, index, orders, 0))
        .collect();
    let turns = (0..orders as usize).flat_map(|turn| sites.iter().map(move |site| (site, &site.images[turn])));
    let turns: Vec<_> = turns.collect();
    let pictures = turns
        .par_iter()
        .map(|(site, order)| draft(order, site, longest_side).picture);
    let bare = pictures.filter(|picture| picture.marker.is_none()).map(|picture| {
        let top = f32::from(u16::MAX >> (16 - u32::from(picture.bits_stored).clamp(1, 16)));
        let value = |sample: &u16| {
            let value = (f32::from(*sample) / top).min(1.0);
            if picture.is_monochrome1 { 1.0 - value } else { value }
        };
        Bare {
            columns: usize::from(picture.columns),
            rows: usize::from(picture.rows),
            values: picture.samples.iter().map(value).collect(),
        }
    });
    let mut bare: Vec<Bare> = bare.collect();
    bare.truncate(count);
    bare
}
