//! How fast this machine takes radiographs in: `cargo run -p snowball-store --example import_speed -- FOLDER`.
//!
//! Reads every file below FOLDER into a store in a temporary folder, then freezes it, and prints what each step cost.

use std::{
    error::Error,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use rayon::prelude::*;
use snowball_crypto::SiteSecret;
use snowball_imaging::{Dictionary, Intake, Limits, Outcome, Radiograph, walk};
use snowball_protocol::{Sha256Digest, plan::Preprocessing};
use snowball_store::{FreezeRequest, Store};

/// Radiographs held in memory at once, so that reading and storing are timed apart.
const BATCH: usize = 256;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("which folder?")?);
    let (files, _) = walk(&folder, 1_000_000)?;
    let secret = SiteSecret::generate()?;
    let intake = Intake::new(
        secret.project("import-speed"),
        Dictionary::standard(),
        Limits::default(),
    );
    let place = std::env::temp_dir().join(format!("import-speed-{}", std::process::id()));
    let store = Store::open(&place, secret.store("import-speed"))?;
    let importer = store.importer();
    let (pixels_bytes, excluded) = (AtomicU64::new(0), AtomicU64::new(0));
    let (mut reading, mut storing) = (0.0, 0.0);
    for batch in files.chunks(BATCH) {
        let start = Instant::now();
        let taken: Vec<(Sha256Digest, Outcome)> = batch
            .par_iter()
            .map(|path| (Sha256Digest::of(path.as_os_str().as_encoded_bytes()), intake.take(path)))
            .collect();
        reading += start.elapsed().as_secs_f64();
        let start = Instant::now();
        taken
            .par_iter()
            .zip(batch)
            .try_for_each(|((key, outcome), path)| match outcome {
                Outcome::Accepted(radiograph) => {
                    pixels_bytes.fetch_add(size(radiograph), Ordering::Relaxed);
                    importer.add(radiograph, key).map(drop)
                }
                Outcome::Excluded(reason) => {
                    excluded.fetch_add(1, Ordering::Relaxed);
                    importer.quarantine(path, reason, key, 0).map(drop)
                }
            })?;
        importer.flush()?;
        storing += start.elapsed().as_secs_f64();
    }
    let stored = std::fs::read_dir(place.join("packs"))?
        .map(|pack| Ok(pack?.metadata()?.len()))
        .sum::<std::io::Result<u64>>()?;
    let start = Instant::now();
    let again = files.iter().filter(|path| {
        store
            .seen(&Sha256Digest::of(path.as_os_str().as_encoded_bytes()))
            .is_ok_and(|outcome| outcome.is_some())
    });
    let (again, asking) = (again.count(), start.elapsed().as_secs_f64());
    let request = FreezeRequest {
        folder: place.join("set"),
        side: 128,
        preprocessing: Preprocessing::LetterboxV1,
        heads: &[],
        cell_min: 0,
    };
    let start = Instant::now();
    let frozen = store.freeze(&request)?;
    let freezing = start.elapsed().as_secs_f64();
    let count = files.len() as f64;
    println!(
        "files      {} ({} excluded), {} radiographs stored",
        files.len(),
        excluded.into_inner(),
        store.count()?
    );
    println!("read       {:.0} files/s", count / reading);
    println!("store      {:.0} files/s", count / storing);
    println!("ask again  {:.0} files/s ({again} remembered)", count / asking);
    println!(
        "freeze     {:.0} radiographs/s at 128 pixels ({} patients)",
        store.count()? as f64 / freezing,
        frozen.patients()
    );
    println!(
        "on disk    {:.1} MB of {:.1} MB as 16-bit pixels",
        stored as f64 / 1e6,
        pixels_bytes.into_inner() as f64 / 1e6
    );
    drop(importer);
    drop(store);
    Ok(std::fs::remove_dir_all(place)?)
}

fn size(radiograph: &Radiograph) -> u64 {
    radiograph.pixels().len() as u64 * 2
}
