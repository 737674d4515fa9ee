//! Made-up pictures as a frozen dataset holds them, for what is measured without a hospital's own.

/// As many phantoms as `count`, each drawn with a longest side of `drawn` pixels and fitted into a square of `side`.
pub fn squares(count: usize, drawn: u32, side: u32) -> Vec<Vec<u16>> {
    let fitted = |picture: &snowball_phantoms::Bare| {
        let pixels: Vec<u16> = picture.values.iter().map(|tone| (tone * 65_535.0) as u16).collect();
        snowball_imaging::letterbox(picture.rows as u32, picture.columns as u32, &pixels, side)
    };
    snowball_phantoms::bare(1, count, drawn).iter().map(fitted).collect()
}
