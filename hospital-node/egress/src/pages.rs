//! Memory for what is as large as a model. A site has two of them in hand at a time, an update and the next model, and gives both back
//! after the round: page by page of 4 KiB that costs more than to hash what lies in them, so the system is asked for large pages.

use std::ops::{Deref, DerefMut};

use bytes::Bytes;
use memmap2::{Advice, MmapMut};

/// From here on large pages of 2 MiB are worth asking for.
const LARGE_BYTES_MIN: usize = 8 * 1024 * 1024;

/// So many bytes, zero at first.
pub struct Pages(Place);

enum Place {
    Small(Vec<u8>),
    Large(MmapMut),
}

impl Pages {
    /// Room for `bytes` bytes. A system that has no large pages to give gives others.
    pub(crate) fn of(bytes: usize) -> Self {
        let large = (bytes >= LARGE_BYTES_MIN).then(|| MmapMut::map_anon(bytes));
        Self(match large {
            Some(Ok(pages)) => {
                // It is a wish: without them the same is a little slower.
                let _ = pages.advise(Advice::HugePage);
                Place::Large(pages)
            }
            _ => Place::Small(vec![0; bytes]),
        })
    }

    /// The same, to be handed out in pieces.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self.0 {
            Place::Small(bytes) => bytes.into(),
            Place::Large(pages) => Bytes::from_owner(pages),
        }
    }
}

impl Deref for Pages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Place::Small(bytes) => bytes,
            Place::Large(pages) => pages,
        }
    }
}

impl DerefMut for Pages {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Place::Small(bytes) => bytes,
            Place::Large(pages) => pages,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_handed_out_whatever_the_size() {
        for bytes in [0, 1, LARGE_BYTES_MIN - 1, LARGE_BYTES_MIN, LARGE_BYTES_MIN + 5] {
            let mut pages = Pages::of(bytes);
            assert_eq!((pages.len(), pages.iter().all(|byte| *byte == 0)), (bytes, true));
            for (place, byte) in pages.iter_mut().enumerate() {
                *byte = (place % 251) as u8;
            }
            let handed = pages.into_bytes();
            let is_it = |(place, byte): (usize, &u8)| *byte == (place % 251) as u8;
            assert!(handed.len() == bytes && handed.iter().enumerate().all(is_it));
        }
    }
}
