//! Huffman codes as a stream defines them (T.81 annex C), and reading one symbol (section F.2.2.3).

use super::bits::Bits;

/// Codes of up to this many bits are found by one look-up.
const SHORT_BITS: u32 = 9;
const CODE_BITS_MAX: usize = 16;

/// One table, ready to decode.
pub(super) struct Huffman {
    /// By the next nine bits: the code's length and its symbol; length 0 is a longer code or none.
    short: Vec<(u8, u8)>,
    /// By length: the first code beyond those of that length, left-aligned in 16 bits.
    beyond: [u32; CODE_BITS_MAX + 1],
    /// By length: what to add to a code to get its symbol's place.
    offset: [i32; CODE_BITS_MAX + 1],
    symbols: Vec<u8>,
}

impl Huffman {
    /// Reads one table's 16 counts and its symbols; gives the bytes read. `None` if symbols are missing or the counts
    /// are no prefix code.
    pub(super) fn read(body: &[u8]) -> Option<(Self, usize)> {
        let counts = body.first_chunk::<CODE_BITS_MAX>()?;
        let total = counts.iter().map(|count| usize::from(*count)).sum::<usize>();
        let symbols = body.get(CODE_BITS_MAX..CODE_BITS_MAX + total)?.to_vec();
        let mut table = Self {
            short: vec![(0, 0); 1 << SHORT_BITS],
            beyond: [0; CODE_BITS_MAX + 1],
            offset: [0; CODE_BITS_MAX + 1],
            symbols,
        };
        let (mut code, mut place) = (0_u32, 0_usize);
        for (length, count) in (1_u32..).zip(counts) {
            table.offset[length as usize] = place as i32 - code.cast_signed();
            for symbol in table.symbols.iter().skip(place).take(usize::from(*count)) {
                if length <= SHORT_BITS {
                    let first = (code << (SHORT_BITS - length)) as usize;
                    let entries = table.short.get_mut(first..first + (1 << (SHORT_BITS - length)))?;
                    entries.fill((length as u8, *symbol));
                }
                code += 1;
            }
            place += usize::from(*count);
            if code > 1 << length {
                return None;
            }
            table.beyond[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Some((table, CODE_BITS_MAX + total))
    }

    /// Reads one symbol; afterwards at least 32 bits remain made sure of. `None` if the bits are no code.
    #[inline]
    pub(super) fn symbol(&self, bits: &mut Bits<'_>) -> Option<u8> {
        bits.refill();
        let (length, symbol) = self.short[bits.peek(SHORT_BITS) as usize];
        if length != 0 {
            bits.skip(u32::from(length));
            return Some(symbol);
        }
        self.long(bits)
    }

    #[cold]
    fn long(&self, bits: &mut Bits<'_>) -> Option<u8> {
        let ahead = bits.peek(16);
        let length = (SHORT_BITS + 1..=16).find(|length| ahead < self.beyond[*length as usize])?;
        let code = (ahead >> (16 - length)).cast_signed();
        bits.skip(length);
        let place = usize::try_from(code + self.offset[length as usize]).ok()?;
        self.symbols.get(place).copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(counts: [u8; 16]) -> Option<Huffman> {
        let symbols = 0..counts.iter().copied().map(usize::from).sum::<usize>() as u8;
        let body: Vec<u8> = counts.into_iter().chain(symbols).collect();
        Huffman::read(&body).map(|(table, _)| table)
    }

    #[test]
    fn short_and_long_codes_are_read() {
        // 0, 10, 110, 1110, ... one code of each length.
        let table = table([1; 16]).unwrap();
        let mut bits = Bits::new(&[0b0101_1011, 0b1111_1111, 0x00, 0b1110_0000], 0);
        let symbols: Vec<_> = (0..4).map(|_| table.symbol(&mut bits).unwrap()).collect();
        assert_eq!(symbols, [0, 1, 2, 13]);
    }

    #[test]
    fn more_codes_than_there_is_room_for_are_refused() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(table(counts).is_none());
        counts[0] = 1;
        counts[1] = 3;
        assert!(table(counts).is_none());
    }

    proptest! {
        #[test]
        fn no_table_and_no_bits_panic(body in proptest::collection::vec(0_u8..6, 16..200), stream in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Some((table, _)) = Huffman::read(&body) {
                let mut bits = Bits::new(&stream, 0);
                for _ in 0..100 {
                    let _ = table.symbol(&mut bits);
                }
            }
        }
    }
}
