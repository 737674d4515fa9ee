//! The same stretch of each update, one after the other: the updates' files are read from their beginnings to their ends, since where a
//! number lies in a file may depend on all that come before it.

use anyhow::{Result, bail};
use snowball_encoding::{Coding, Decoder};
use snowball_registry::{ObjectFolder, ObjectName};

/// Most bytes that are read of a file at a time.
const READ_BYTES_MAX: usize = 256 * 1024;

/// A stretch of all updates. No file stays open: there may be more of them than a process may open.
pub(super) struct Rows<'a> {
    objects: &'a ObjectFolder,
    cursors: Vec<Cursor<'a>>,
    bytes: Vec<u8>,
    numbers: Vec<f32>,
}

/// How far one update is read.
struct Cursor<'a> {
    file: &'a ObjectName,
    decoder: Decoder,
    offset: u64,
}

impl<'a> Rows<'a> {
    /// Before the first stretch of `files`, in their order.
    pub(super) fn begin(
        objects: &'a ObjectFolder,
        files: impl Iterator<Item = &'a ObjectName>,
        coding: &Coding,
    ) -> Self {
        let cursor = |file| Cursor {
            file,
            decoder: coding.decoder(),
            offset: 0,
        };
        Self {
            objects,
            cursors: files.map(cursor).collect(),
            bytes: Vec::new(),
            numbers: Vec::new(),
        }
    }

    /// The next `width` numbers of each update, one update after the other.
    ///
    /// # Errors
    /// When a file cannot be read, does not decode or ends before its numbers do.
    pub(super) fn next(&mut self, width: usize) -> Result<&[f32]> {
        self.numbers.resize(width * self.cursors.len(), 0.0);
        for (cursor, row) in self.cursors.iter_mut().zip(self.numbers.chunks_exact_mut(width.max(1))) {
            cursor.fill(self.objects, &mut self.bytes, row)?;
        }
        Ok(&self.numbers)
    }
}

impl Cursor<'_> {
    fn fill(&mut self, objects: &ObjectFolder, buffer: &mut Vec<u8>, row: &mut [f32]) -> Result<()> {
        let mut filled = 0;
        while filled < row.len() {
            let wanted = self.decoder.bytes_for(row.len() - filled);
            buffer.resize(wanted.clamp(1, READ_BYTES_MAX), 0);
            let read = objects.read_at(self.file, self.offset, buffer)?;
            let mut left = &buffer[..read];
            let count = self.decoder.fill(&mut left, &mut row[filled..])?;
            // What was not needed yet is read again with the next stretch.
            self.offset += (read - left.len()) as u64;
            if count == 0 && read == 0 {
                bail!("the file {} ends before its numbers do", self.file);
            }
            filled += count;
        }
        Ok(())
    }
}
