//! Reads a file whole, or not at all.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use snowball_protocol::{Sha256Digest, digest::RunningDigest};

/// Why there are no bytes.
pub(super) enum Unread {
    /// Not there, not permitted, not a regular file, or the disk failed.
    Unreadable,
    /// Larger than the limit; the digest is that of as many bytes as the limit.
    TooLarge(Sha256Digest),
}

/// The bytes of the file at `path`, at most `bytes_max`.
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Unread> {
    // A pipe or a device would block or never end; the size is asked before anything is opened.
    let about = std::fs::metadata(path)
        .ok()
        .filter(std::fs::Metadata::is_file)
        .ok_or(Unread::Unreadable)?;
    let mut file = File::open(path).map_err(|_| Unread::Unreadable)?;
    if about.len() > bytes_max {
        return Err(digest(file, bytes_max).map_or(Unread::Unreadable, Unread::TooLarge));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or(0) + 1);
    // A file that grows meanwhile is read to the limit and no further.
    (&mut file)
        .take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(|_| Unread::Unreadable)?;
    if bytes.len() as u64 > bytes_max {
        bytes.pop();
        return Err(Unread::TooLarge(Sha256Digest::of(&bytes)));
    }
    Ok(bytes)
}

fn digest(file: File, bytes_max: u64) -> io::Result<Sha256Digest> {
    let mut source = file.take(bytes_max);
    let mut running = RunningDigest::default();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match source.read(&mut buffer)? {
            0 => return Ok(running.finish()),
            length => running.update(&buffer[..length]),
        }
    }
}
