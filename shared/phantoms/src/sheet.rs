//! Contact sheets: radiographs side by side, for people to look at.

use image::{GrayImage, Luma};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use snowball_protocol::labels::{BodyPart, Laterality, Sex, View};

use crate::{
    anatomy::{Examination, PARTS, views},
    exposure::{Picture, expose},
    letters,
    vendor::VENDORS,
};

const GAP: u32 = 4;
const CAPTION: u32 = 11;

/// Phantoms of one part and view in squares of `side` pixels: a row for each person and a column for each age (years),
/// bone bright, as different makers' machines show them. `None` for a part or a view that phantoms are not made of.
#[must_use]
pub fn sheet(part: BodyPart, view: View, ages: &[f32], rows: u32, side: u32) -> Option<GrayImage> {
    if !PARTS.contains(&part) || !views(part).iter().any(|(known, _)| *known == view) {
        return None;
    }
    let mut canvas = GrayImage::new((side + GAP) * ages.len() as u32, (side + GAP + CAPTION) * rows);
    for row in 0..rows {
        for (column, age) in ages.iter().enumerate() {
            let mut random = ChaCha8Rng::seed_from_u64(u64::from(row) * 1000 + *age as u64);
            let examination = Examination {
                part,
                view,
                side: if row % 2 == 0 {
                    Laterality::Left
                } else {
                    Laterality::Right
                },
                sex: if row % 3 == 0 { Sex::Male } else { Sex::Female },
                age_years: *age,
                build: u64::from(row),
            };
            let vendor = &VENDORS[(row as usize + column) % VENDORS.len()];
            let picture = expose(&examination, vendor, side, &mut random);
            let (x, y) = (column as u32 * (side + GAP), row * (side + GAP + CAPTION));
            place(&mut canvas, &picture, x, y, side);
            let caption = format!("{} {} {:.0}{}", part.code(), view.code(), age, examination.sex.code());
            letters::pixels(&caption, 1, |dx, dy| {
                dot(&mut canvas, x + dx as u32, y + side + 2 + dy as u32)
            });
        }
    }
    Some(canvas)
}

fn dot(canvas: &mut GrayImage, x: u32, y: u32) {
    if x < canvas.width() && y < canvas.height() {
        canvas.put_pixel(x, y, Luma([220]));
    }
}

/// Draws the picture within a square of `side` pixels, longest side to fit, bone bright.
fn place(canvas: &mut GrayImage, picture: &Picture, x: u32, y: u32, side: u32) {
    let (columns, rows) = (u32::from(picture.columns), u32::from(picture.rows));
    let longest = columns.max(rows);
    let top = (1_u32 << picture.bits_stored) - 1;
    for dy in 0..side {
        for dx in 0..side {
            let source = |at: u32, size: u32| {
                let from = i64::from(at * longest / side) - i64::from((longest - size) / 2);
                (0..i64::from(size)).contains(&from).then_some(from as u32)
            };
            let (Some(column), Some(row)) = (source(dx, columns), source(dy, rows)) else {
                continue;
            };
            let stored = u32::from(picture.samples[(row * columns + column) as usize]);
            let grey = if picture.is_monochrome1 { top - stored } else { stored };
            canvas.put_pixel(x + dx, y + dy, Luma([(grey * 255 / top) as u8]));
        }
    }
}
