//! How fast each decoder is on one core, over the pictures of the corpus; printed, never asserted. Time is that of the
//! processor where the system tells (Linux), so that a busy machine does not make decoders slow.
//!
//!     cargo test --package snowball-imaging speed_of_each_decoder -- --ignored --nocapture

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use crate::{
    Limits,
    pixels::{self, Description},
    read::DicomFile,
    shared_tests::shared,
};

/// Smaller pictures measure everything but the decoder.
const PIXELS_MIN: usize = 1 << 18;
const EACH: Duration = Duration::from_millis(200);

/// What this thread has used since some fixed moment.
pub(crate) fn used(start: Instant) -> Duration {
    fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|line| line.split(' ').next()?.parse().ok())
        .map_or_else(|| start.elapsed(), Duration::from_nanos)
}

#[test]
#[ignore = "a measurement of about a minute, which nothing depends on"]
fn speed_of_each_decoder_is_printed() {
    let Some(root) = shared("dicom-corpus") else { return };
    let limits = Limits::default();
    let start = Instant::now();
    let (files, _) = crate::walk(&root, 1000).unwrap();
    // By syntax: pictures, pixels decoded, seconds.
    let mut table = BTreeMap::<String, (u32, f64, f64)>::new();
    for path in files {
        let bytes = fs::read(&path).unwrap();
        let Ok(file) = DicomFile::parse(&bytes, &limits) else {
            continue;
        };
        let (Ok(description), Some(syntax)) = (Description::read(&file, &limits), file.syntax) else {
            continue;
        };
        if description.pixels() < PIXELS_MIN {
            continue;
        }
        let begun = used(start);
        let mut rounds = 0;
        while rounds == 0 || used(start) - begun < EACH {
            if pixels::words(&file, syntax, &description).is_err() {
                break;
            }
            rounds += 1;
        }
        if rounds > 0 {
            let name = format!("{:24} {syntax:?} {} bits", syntax.uid(), description.bits_allocated);
            let row = table.entry(name).or_default();
            row.0 += 1;
            row.1 += f64::from(rounds) * description.pixels() as f64;
            row.2 += (used(start) - begun).as_secs_f64();
        }
    }
    for (name, (pictures, pixels, seconds)) in table {
        eprintln!("{name:70} {pictures:3} pictures {:8.1} MP/s", pixels / seconds / 1e6);
    }
}
