//! A digest that is made on a thread of its own: while one block is hashed, the next one is computed, read or written.

use std::{
    io,
    sync::mpsc::{SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use snowball_protocol::{Sha256Digest, digest::RunningDigest};

/// Blocks that may wait to be hashed.
const BLOCKS_MAX: usize = 4;

/// A digest under way.
pub(super) struct Hashing {
    blocks: SyncSender<Vec<u8>>,
    digest: JoinHandle<Sha256Digest>,
}

impl Hashing {
    /// Begins with no byte yet.
    pub(super) fn begin() -> io::Result<Self> {
        let (blocks, waiting) = sync_channel::<Vec<u8>>(BLOCKS_MAX);
        let hash = move || {
            let mut digest = RunningDigest::default();
            for block in waiting {
                digest.update(&block);
            }
            digest.finish()
        };
        let digest = thread::Builder::new().name("digest".to_owned()).spawn(hash)?;
        Ok(Self { blocks, digest })
    }

    /// Takes in the next bytes; waits where too many are not hashed yet.
    pub(super) fn update(&self, block: Vec<u8>) -> io::Result<()> {
        self.blocks.send(block).map_err(|_| broken_off())
    }

    /// The digest of everything taken in.
    pub(super) fn finish(self) -> io::Result<Sha256Digest> {
        drop(self.blocks);
        self.digest.join().map_err(|_| broken_off())
    }
}

fn broken_off() -> io::Error {
    io::Error::other("hashing broke off")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_all_blocks_in_order() {
        let hashing = Hashing::begin().unwrap();
        let content: Vec<u8> = (0..10_000_u32).flat_map(u32::to_le_bytes).collect();
        for block in content.chunks(1000) {
            hashing.update(block.to_vec()).unwrap();
        }
        assert_eq!(hashing.finish().unwrap(), Sha256Digest::of(&content));
        assert_eq!(Hashing::begin().unwrap().finish().unwrap(), Sha256Digest::of(b""));
    }
}
