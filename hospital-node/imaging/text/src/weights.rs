//! The weights that are built in, checked against their manifest.

use serde::Deserialize;
use snowball_protocol::Sha256Digest;

use crate::{
    detector, judge,
    network::{Network, Step},
    proposer, reader, words,
};

const MANIFEST: &str = include_str!("../weights/manifest.toml");
const DETECTOR: &[u8] = include_bytes!("../weights/detector.f32");
const PROPOSER: &[u8] = include_bytes!("../weights/proposer.f32");
const JUDGE: &[u8] = include_bytes!("../weights/judge.f32");
const WORDS: &[u8] = include_bytes!("../weights/words.f32");
const READER: &[u8] = include_bytes!("../weights/reader.f32");

#[derive(Deserialize)]
struct Manifest {
    proposer: Entry,
    detector: Entry,
    judge: Entry,
    reader: Entry,
    words: Entry,
}

#[derive(Deserialize)]
struct Entry {
    digest: String,
}

/// The networks of a search.
#[derive(Clone, Debug)]
pub struct Networks {
    /// Says where to look.
    pub proposer: Network,
    /// Says where something is written.
    pub detector: Network,
    /// Looks at that more closely.
    pub judge: Network,
    /// Reads letters that stand alone.
    pub reader: Network,
    /// Spells words.
    pub words: Network,
}

/// The built-in networks; `None` if a file is not the one that the manifest names, or does not fit its network.
pub(crate) fn built_in() -> Option<Networks> {
    let manifest: Manifest = toml::from_str(MANIFEST).ok()?;
    Some(Networks {
        proposer: network(PROPOSER, &manifest.proposer, proposer::STEPS, proposer::CHANNELS)?,
        detector: network(DETECTOR, &manifest.detector, detector::STEPS, detector::CHANNELS)?,
        judge: network(JUDGE, &manifest.judge, judge::STEPS, judge::CHANNELS)?,
        reader: network(READER, &manifest.reader, reader::STEPS, reader::CHANNELS)?,
        words: network(WORDS, &manifest.words, words::STEPS, words::CHANNELS)?,
    })
}

fn network(bytes: &[u8], entry: &Entry, steps: &'static [Step], channels: usize) -> Option<Network> {
    if Sha256Digest::of(bytes).to_string() != entry.digest {
        return None;
    }
    let values: Vec<f32> = bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|value| f32::from_le_bytes(*value))
        .collect();
    Network::from_values(steps, channels, &values)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_weights_are_those_that_the_manifest_names() {
        assert!(super::built_in().is_some());
    }
}
