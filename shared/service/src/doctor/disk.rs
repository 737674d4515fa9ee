//! How full a disk may be: both sides judge it by the same steps, each against its own limits.

use crate::files::Room;

/// Fewer inodes than this, and new files fail while there is room for bytes.
const FILES_FREE_MIN: u64 = 10_000;

/// What to do where a disk does not say how full it is.
pub const UNKNOWN_REMEDY: &str = "see whether the disk is mounted (df, dmesg)";
/// What to do where it takes nothing more.
pub const READ_ONLY_REMEDY: &str = "see why in dmesg: a disk with faults is remounted so; then mount it read-write";

/// What is short on a disk, the worst last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Short {
    /// Nothing.
    Nothing,
    /// Bytes will be, soon.
    Soon,
    /// Files: there is room for bytes.
    Files,
    /// Bytes.
    Bytes,
    /// Everything: it is mounted read-only.
    Everything,
}

impl Short {
    /// What is short in `room` where nothing is written below `floor` bytes, and below `near` somebody should look.
    #[must_use]
    pub const fn of(room: &Room, floor: u64, near: u64) -> Self {
        if room.is_read_only {
            Self::Everything
        } else if room.bytes_free < floor {
            Self::Bytes
        } else if room.files_free < FILES_FREE_MIN {
            Self::Files
        } else if room.bytes_free < near {
            Self::Soon
        } else {
            Self::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_a_disk_is_what_is_said_of_it() {
        let room = |bytes_free, files_free, is_read_only| {
            let room = Room {
                bytes_free,
                files_free,
                is_read_only,
            };
            Short::of(&room, 100, 200)
        };
        assert_eq!(room(200, 10_000, false), Short::Nothing);
        assert_eq!(room(199, 10_000, false), Short::Soon);
        assert_eq!(room(199, 9_999, false), Short::Files);
        assert_eq!(room(99, 9_999, false), Short::Bytes);
        assert_eq!(room(0, 0, true), Short::Everything);
        assert!(Short::Everything > Short::Bytes && Short::Files > Short::Soon);
    }
}
