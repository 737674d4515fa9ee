//! What an archive of half a million studies would take here, from what was measured.

use serde::Serialize;

/// What the estimate is made from.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Radiographs a second in the last quarter of the large run: the store was largest then.
    pub per_second: f64,
    /// The same of the first quarter.
    pub per_second_at_first: f64,
    /// A second run over the same files, which finds them all known.
    pub known_per_second: f64,
    /// Pictures of clinical size a second.
    pub clinical_per_second: f64,
    pub database_bytes_each: f64,
    pub pack_bytes_each: f64,
    pub clinical_pack_bytes_each: f64,
}

/// The estimate for one size of pictures.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Estimate {
    pub studies: u64,
    pub images: u64,
    /// To take everything in.
    pub hours: f64,
    /// To find everything known again.
    pub hours_known: f64,
    pub database_bytes: f64,
    pub pack_bytes: f64,
}

/// For pictures of the large run's size, and for pictures of clinical size. What each picture costs more as the store grows
/// is what it cost more in the last quarter of the large run than in the first: it is added to clinical ones too.
pub fn estimates(measured: &Measured, studies: u64, images_per_study: f64) -> [Estimate; 2] {
    let images = studies as f64 * images_per_study;
    let hours = |seconds_each: f64| images * seconds_each / 3600.0;
    let growth = (1.0 / measured.per_second - 1.0 / measured.per_second_at_first).max(0.0);
    let of = |seconds_each: f64, pack_bytes_each: f64| Estimate {
        studies,
        images: images as u64,
        hours: hours(seconds_each),
        hours_known: hours(1.0 / measured.known_per_second),
        database_bytes: images * measured.database_bytes_each,
        pack_bytes: images * pack_bytes_each,
    };
    [
        of(1.0 / measured.per_second, measured.pack_bytes_each),
        of(
            1.0 / measured.clinical_per_second + growth,
            measured.clinical_pack_bytes_each,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_quarter_counts_and_growth_is_added_to_clinical_pictures() {
        let measured = Measured {
            per_second: 100.0,
            per_second_at_first: 200.0,
            known_per_second: 10_000.0,
            clinical_per_second: 10.0,
            database_bytes_each: 1_000.0,
            pack_bytes_each: 30_000.0,
            clinical_pack_bytes_each: 1e6,
        };
        let [small, clinical] = estimates(&measured, 500_000, 2.0);
        assert_eq!(small.images, 1_000_000);
        assert!((small.hours - 1e6 / 100.0 / 3600.0).abs() < 1e-9);
        assert!((clinical.hours - 1e6 * 0.105 / 3600.0).abs() < 1e-9);
        assert!((small.database_bytes - 1e9).abs() < 1.0 && (clinical.pack_bytes - 1e12).abs() < 1.0);
        assert!((small.hours_known * 3600.0 - 100.0).abs() < 1e-9);
    }
}
