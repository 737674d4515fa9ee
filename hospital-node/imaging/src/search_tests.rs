//! What the search for text costs, and one digest of all that it answers: a change that is meant to make it faster only must
//! leave the digest as it is. Printed, never asserted: other processors round otherwise.
//!
//!     cargo test --package snowball-imaging cost_of_the_search -- --ignored --nocapture

use std::{fs, path::Path, time::Instant};

use snowball_phantoms::Consortium;
use snowball_protocol::digest::RunningDigest;
use snowball_text::{Searcher, markers::Markers};

use crate::{
    Limits,
    intake::quiet,
    pixels::{self, Description, Grey},
    read::DicomFile,
    shared_tests::shared,
    speed_tests::used,
};

#[test]
#[ignore = "a measurement of some minutes, which nothing depends on"]
fn cost_of_the_search_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    for longest_side in [192, 2048] {
        let consortium = Consortium {
            seed: 11,
            hospitals: 4,
            images_per_hospital: if longest_side > 1000 { 10 } else { 60 },
            longest_side,
            hostile_fraction: 0.0,
        };
        let root = folder.path().join(longest_side.to_string());
        snowball_phantoms::write(&consortium, &root, &|_, _| {}).unwrap();
        measure(&format!("phantoms, longest side {longest_side}"), &root);
    }
    for set in ["radiographs", "dicom-corpus"] {
        if let Some(root) = shared(set) {
            measure(set, &root);
        }
    }
}

/// One thread over the pictures below `root`, as they are and with what was found removed.
fn measure(name: &str, root: &Path) {
    let searcher = Searcher::new(Markers::standard());
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread()
        .build();
    let (files, _) = crate::walk(root, 100_000).unwrap();
    let start = Instant::now();
    let (mut pictures, mut pixels, mut seconds) = (0, 0, 0.0);
    let mut answers = RunningDigest::default();
    for path in files {
        let Some(mut grey) = decodable(&path) else { continue };
        let (rows, columns) = (grey.rows as usize, grey.columns as usize);
        let begun = used(start);
        let cleaned = pool
            .as_ref()
            .unwrap()
            .install(|| searcher.clean(&mut grey.pixels, rows, columns));
        seconds += (used(start) - begun).as_secs_f64();
        pictures += 1;
        pixels += grey.pixels.len();
        answers.update(format!("{cleaned:?}").as_bytes());
    }
    eprintln!(
        "{name:30} {pictures:4} pictures {:8.1} ms each {:8.1} ms a megapixel, answers {}",
        seconds * 1e3 / f64::from(pictures),
        seconds * 1e9 / pixels as f64,
        answers.finish()
    );
}

fn decodable(path: &Path) -> Option<Grey> {
    let (bytes, limits) = (fs::read(path).ok()?, Limits::default());
    let grey = quiet::catch(|| {
        let file = DicomFile::parse(&bytes, &limits).ok()?;
        let description = Description::read(&file, &limits).ok()?;
        Some(pixels::render(
            pixels::words(&file, file.syntax?, &description).ok()?,
            &description,
        ))
    });
    grey.flatten()
}
