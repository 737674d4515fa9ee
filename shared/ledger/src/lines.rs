//! Lines of a file, one at a time, never more than one bounded line in memory.

use std::io::{self, BufRead, BufReader, Read};

use crate::LINE_BYTES_MAX;

/// What comes next in the file.
#[derive(PartialEq, Eq, Debug)]
pub enum Piece<'a> {
    /// A line, without its end.
    Line(&'a [u8]),
    /// Bytes at the end of the file without a line end: a write that never finished.
    Torn,
    /// A line longer than any record.
    TooLong,
    /// Nothing more.
    End,
}

/// A reader of bounded lines that knows where it stands.
pub struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    offset: u64,
}

impl<R: Read> Lines<R> {
    /// Reads from where `reader` stands, which is called offset 0.
    pub fn new(reader: R) -> Self {
        Self {
            reader: BufReader::with_capacity(LINE_BYTES_MAX, reader),
            line: Vec::new(),
            offset: 0,
        }
    }

    /// Bytes up to the end of the last whole line.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The next piece. After anything but a line there is nothing sensible to come.
    pub fn next(&mut self) -> io::Result<Piece<'_>> {
        self.line.clear();
        self.reader
            .by_ref()
            .take(LINE_BYTES_MAX as u64)
            .read_until(b'\n', &mut self.line)?;
        Ok(match self.line.split_last() {
            None => Piece::End,
            Some((b'\n', line)) => {
                self.offset += self.line.len() as u64;
                Piece::Line(line)
            }
            Some(_) if self.line.len() == LINE_BYTES_MAX => Piece::TooLong,
            Some(_) => Piece::Torn,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_counted() {
        let mut lines = Lines::new(&b"one\n\ntwo"[..]);
        assert_eq!(lines.next().unwrap(), Piece::Line(b"one"));
        assert_eq!(lines.next().unwrap(), Piece::Line(b""));
        assert_eq!(lines.offset(), 5);
        assert_eq!(lines.next().unwrap(), Piece::Torn);
        assert_eq!(lines.offset(), 5);
        assert_eq!(lines.next().unwrap(), Piece::End);
    }

    #[test]
    fn the_longest_line_is_read_and_one_byte_more_is_not() {
        let mut text = vec![b'x'; LINE_BYTES_MAX - 1];
        text.push(b'\n');
        assert!(matches!(Lines::new(&text[..]).next().unwrap(), Piece::Line(line) if line.len() == LINE_BYTES_MAX - 1));
        text.insert(0, b'x');
        assert_eq!(Lines::new(&text[..]).next().unwrap(), Piece::TooLong);
    }
}
