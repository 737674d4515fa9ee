//! The tables in force at one place of a stream (T.81 section B.2.4): each segment may set or replace some.

use super::{
    huffman::Huffman,
    markers::{Segment, code},
};

/// Zigzag order to natural order, row by row (T.81 figure A.6).
pub(super) const NATURAL: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// Tables by destination, and the restart interval.
#[derive(Default)]
pub(super) struct Tables {
    /// Divisors in natural order.
    pub(super) quantisation: [Option<[i32; 64]>; 4],
    pub(super) dc: [Option<Huffman>; 4],
    pub(super) ac: [Option<Huffman>; 4],
    /// Blocks between restart markers; 0 is none.
    pub(super) restart_interval: u32,
}

impl Tables {
    /// Takes in one segment; those that hold no table are passed over. `None` if it contradicts itself.
    pub(super) fn read(&mut self, segment: &Segment<'_>) -> Option<()> {
        match segment.marker {
            code::QUANTISATION_TABLES => self.quantisation(segment.body),
            code::HUFFMAN_TABLES => self.huffman(segment.body),
            code::RESTART_INTERVAL => {
                let interval = segment.body.first_chunk::<2>()?;
                self.restart_interval = u32::from(u16::from_be_bytes(*interval));
                Some(())
            }
            _ => Some(()),
        }
    }

    fn quantisation(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((head, rest)) = body.split_first() {
            let destination = self.quantisation.get_mut(usize::from(head & 15))?;
            let bytes = match head >> 4 {
                0 => 1,
                1 => 2,
                _ => return None,
            };
            let values = rest.get(..64 * bytes)?;
            let mut table = [0; 64];
            for (place, value) in NATURAL.iter().zip(values.chunks_exact(bytes)) {
                table[usize::from(*place)] = value.iter().fold(0, |value, byte| value << 8 | i32::from(*byte));
            }
            *destination = Some(table);
            body = &rest[64 * bytes..];
        }
        Some(())
    }

    fn huffman(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((head, rest)) = body.split_first() {
            let destinations = match head >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return None,
            };
            let (table, length) = Huffman::read(rest)?;
            *destinations.get_mut(usize::from(head & 15))? = Some(table);
            body = rest.get(length..)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(marker: u8, body: &[u8]) -> Option<Tables> {
        let mut tables = Tables::default();
        tables.read(&Segment { marker, body, end: 0 }).map(|()| tables)
    }

    #[test]
    fn divisors_come_in_zigzag_and_in_two_widths() {
        let narrow: Vec<u8> = std::iter::once(0x01).chain(0..64).collect();
        let wide: Vec<u8> = std::iter::once(0x11)
            .chain((0..64).flat_map(|value| [1, value]))
            .collect();
        let narrow = read(code::QUANTISATION_TABLES, &narrow).unwrap().quantisation[1].unwrap();
        let wide = read(code::QUANTISATION_TABLES, &wide).unwrap().quantisation[1].unwrap();
        assert_eq!(
            (narrow[0], narrow[1], narrow[8], narrow[16], narrow[63]),
            (0, 1, 2, 3, 63)
        );
        assert_eq!((wide[8], wide[63]), (258, 319));
    }

    #[test]
    fn short_and_impossible_segments_are_refused() {
        assert!(read(code::QUANTISATION_TABLES, &[0; 64]).is_none());
        assert!(read(code::QUANTISATION_TABLES, &[4; 65]).is_none());
        assert!(read(code::HUFFMAN_TABLES, &[0; 16]).is_none());
        assert!(read(code::HUFFMAN_TABLES, &[0x20; 17]).is_none());
        assert!(read(code::RESTART_INTERVAL, &[1]).is_none());
    }
}
