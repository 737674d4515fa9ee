//! A made-up frozen dataset of any size, as a node freezes its own.

use std::path::Path;

use anyhow::{Context as _, Result};
use snowball_protocol::{
    labels::{BodyPart, Labels},
    plan::Preprocessing,
};
use snowball_worker::{
    key::{DatasetKey, DatasetSource},
    shard::{Part, ShardRecord, ShardWriter},
};

use crate::pictures;

/// Phantoms that are written over and over, each under another name.
const PHANTOMS: usize = 64;
/// They are drawn this long.
const PHANTOM_SIDE: u32 = 256;
const PARTS: [BodyPart; 4] = [BodyPart::Chest, BodyPart::Hand, BodyPart::Knee, BodyPart::Shoulder];

/// Writes `count` radiographs into `folder`, each of a patient of its own; one in sixteen is not trained with.
pub fn make(folder: &Path, side: u32, count: u64) -> Result<DatasetSource> {
    let squares = pictures::squares(PHANTOMS, PHANTOM_SIDE, side);
    let key = DatasetKey::generate()?;
    let mut writer = ShardWriter::create(folder, side, Preprocessing::LetterboxV1, &key, b"of a measurement")?;
    for number in 0..count {
        let of = |length: usize| usize::try_from(number % length as u64).unwrap_or_default();
        let record = ShardRecord {
            radiograph: format!("{number:032x}"),
            patient: format!("{number:032x}"),
            part: if number % 16 == 15 {
                Part::Validation
            } else {
                Part::Training
            },
            labels: Labels {
                body_part: Some(PARTS[of(PARTS.len())]),
                ..Labels::default()
            },
        };
        writer.add(&record, &squares[of(squares.len())])?;
    }
    writer.finish().context("cannot finish the dataset")?;
    Ok(DatasetSource {
        folder: folder.to_owned(),
        key,
    })
}
