//! The weights that are built in, checked against their manifest.

use serde::Deserialize;
use snowball_protocol::Sha256Digest;

use crate::{
    detector,
    network::{Network, Step},
    reader,
};

const MANIFEST: &str = include_str!("../weights/manifest.toml");
const DETECTOR: &[u8] = include_bytes!("../weights/detector.f32");
const READER: &[u8] = include_bytes!("../weights/reader.f32");

#[derive(Deserialize)]
struct Manifest {
    detector: Entry,
    reader: Entry,
}

#[derive(Deserialize)]
struct Entry {
    digest: String,
}

/// The detector and the reader; `None` if a file is not the one that the manifest names, or does not fit its network.
pub(crate) fn built_in() -> Option<(Network, Network)> {
    let manifest: Manifest = toml::from_str(MANIFEST).ok()?;
    Some((
        network(DETECTOR, &manifest.detector, detector::STEPS, detector::CHANNELS)?,
        network(READER, &manifest.reader, reader::STEPS, reader::CHANNELS)?,
    ))
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
