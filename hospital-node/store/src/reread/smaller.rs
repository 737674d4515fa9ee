//! Large radiographs are kept smaller. What the search for text sees in the smaller picture alone is no fault of the larger one,
//! in which it saw nothing.

use rayon::prelude::*;
use snowball_crypto::SiteSecret;
use snowball_imaging::{Dictionary, Intake, Limits, Outcome};
use snowball_phantoms::Consortium;

use super::*;
use crate::Settings;

/// Longest side of what comes in, and of what is kept of it.
const SIDE: u32 = 512;
const KEPT_SIDES: [u32; 4] = [266, 236, 196, 170];
/// Phantoms that are tried.
const SEEDS: std::ops::Range<u64> = 11..40;

/// Phantoms of nobody without any text, as the intake passed them.
fn radiographs(seed: u64) -> Vec<Radiograph> {
    let folder = tempfile::tempdir().unwrap();
    let consortium = Consortium {
        seed,
        hospitals: 4,
        images_per_hospital: 12,
        longest_side: SIDE,
        hostile_fraction: 0.0,
    };
    snowball_phantoms::write(&consortium, folder.path(), &|_, _| {}).unwrap();
    let (files, _) = snowball_imaging::walk(folder.path(), 10_000).unwrap();
    let key = SiteSecret::from_hex(&"42".repeat(32)).unwrap().project("store-tests");
    let intake = Intake::new(key, Dictionary::standard(), Limits::default());
    let taken = files.par_iter().filter_map(|path| match intake.take(path) {
        Outcome::Accepted(radiograph) => Some(*radiograph),
        Outcome::Excluded(_) => None,
    });
    taken.collect()
}

#[test]
fn what_only_the_smaller_picture_shows_costs_no_radiograph() {
    // The search is rarely wrong: phantoms are made until it is.
    let seen = SEEDS.map(|seed| judged(&radiographs(seed))).find(|seen| *seen > 0);
    assert!(
        seen.is_some(),
        "the search has learned: these phantoms show nothing any more, however small they are kept; try other sides"
    );
}

/// Puts those into a store that the search would take back for writing in the smaller picture, whichever are drawn for it, and says how
/// many these are.
fn judged(radiographs: &[Radiograph]) -> usize {
    let mut seen = 0;
    for master_side_max in KEPT_SIDES {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_with(folder.path(), crate::sample::keys(), Settings { master_side_max }).unwrap();
        let wrongly = |radiograph: &&Radiograph| {
            let (rows, columns) = (radiograph.rows(), radiograph.columns());
            let (rows, columns, kept) =
                snowball_imaging::downscale(rows, columns, radiograph.pixels(), master_side_max);
            store.search().finds(rows, columns, &kept)
        };
        let wrongly: Vec<Radiograph> = radiographs.par_iter().filter(wrongly).cloned().collect();
        seen += wrongly.len();
        for radiograph in &wrongly {
            let pixels = store.prepare(radiograph).unwrap().unwrap().pixels();
            store
                .change(|connection, tail| store.insert(connection, tail, radiograph, None))
                .unwrap();
            let found = store.reread_drawn(radiograph, Some(pixels), true).unwrap();
            assert_eq!(found, BTreeSet::new(), "kept at {master_side_max}");
            // Other pixels than those are found all the same.
            let other = Some(Sha256Digest::of(b"other pixels"));
            let found = store.reread_drawn(radiograph, other, true).unwrap();
            assert_eq!(found, [Unsound::Pixels].into(), "kept at {master_side_max}");
        }
        // By all who look at what is kept alone, they are told.
        let looked = store.look_again(true).unwrap();
        assert_eq!(
            looked.faults.get(&Unsound::Text).copied().unwrap_or(0),
            wrongly.len() as u64
        );
    }
    seen
}
