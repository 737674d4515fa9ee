//! Writes what the fuzzer starts from: every file of a folder of DICOM for `header`, and its frame for `pixels` and
//! `ours`; and what was captured on the wire for the others, folder by folder.
//!
//!     cargo run --bin seeds -- FOLDER CORPUS

use std::{env, fs, path::Path, path::PathBuf};

/// A seed that is larger only slows the fuzzer down.
const BYTES_MAX: usize = 64 << 10;

fn main() {
    let mut arguments = env::args().skip(1).map(PathBuf::from);
    let (Some(folder), Some(corpus)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: seeds FOLDER CORPUS");
        std::process::exit(2);
    };
    let (files, _) = snowball_imaging::walk(&folder, 10_000).expect("the folder can be read");
    let mut written = 0;
    for path in files {
        let bytes = fs::read(&path).expect("the file can be read");
        let name = path.file_name().unwrap_or_default();
        let mut put = |target: &str, seed: &[u8]| {
            if seed.len() <= BYTES_MAX {
                let target = corpus.join(target);
                fs::create_dir_all(&target).expect("the corpus can be written");
                fs::write(Path::new(&target).join(name), seed).expect("the corpus can be written");
                written += 1;
            }
        };
        put("header", &bytes);
        if let Some((seed, ours)) = snowball_imaging::fuzzing::seed(&bytes) {
            put("pixels", &seed);
            if ours {
                put("ours", &seed);
            }
        }
    }
    written += captured(&corpus);
    println!("{written} seeds");
}

/// Copies what lies in `captured`, a folder a target; the number of files.
fn captured(corpus: &Path) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captured");
    let (files, _) = snowball_imaging::walk(&folder, 10_000).expect("the captured seeds can be read");
    for file in &files {
        let seed = corpus.join(file.strip_prefix(&folder).expect("it lies in the folder"));
        fs::create_dir_all(seed.parent().expect("it lies in a folder")).expect("the corpus can be written");
        fs::copy(file, seed).expect("the corpus can be written");
    }
    files.len()
}
