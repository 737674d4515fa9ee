//! Where phantoms have bone: true masks for networks that outline it.

use rayon::prelude::*;

use crate::{Consortium, draft, hospital};

/// Where one sound image shows bone.
#[derive(Clone, Debug)]
pub struct Bones {
    /// The image's SOP Instance UID.
    pub instance: String,
    /// Columns.
    pub columns: u32,
    /// Rows.
    pub rows: u32,
    /// Row by row: 255 where the beam goes through bone, 0 beside it.
    pub values: Vec<u8>,
}

/// Of every sound image of the hospital at place `index`, as [`crate::write()`] writes them.
#[must_use]
pub fn bones(consortium: &Consortium, index: u32) -> Vec<Bones> {
    let images = consortium.images_per_hospital;
    let hostile = (images as f64 * consortium.hostile_fraction).round() as u64;
    let site = hospital::plan(consortium.seed, index, images, hostile);
    let sound = site.images.par_iter().take(images as usize);
    sound
        .map(|order| {
            let (columns, rows, is_bone) = draft::bones(order, consortium.longest_side);
            Bones {
                instance: draft::draft(order, &site, consortium.longest_side).header.instance,
                columns: columns as u32,
                rows: rows as u32,
                values: is_bone.into_iter().map(|is_bone| u8::from(is_bone) * 255).collect(),
            }
        })
        .collect()
}
