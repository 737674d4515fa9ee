//! The process that predicts each sample from its neighbours and codes the difference (14; T.81 annex H), one component.

use snowball_protocol::intake::IntakeReason;

use super::{
    bits::Bits,
    huffman::Huffman,
    markers::{self, FrameHeader, code},
    restarts::Restarts,
    tables::Tables,
};

/// Decodes the frame that `header` describes, whose size agrees with the data set. The samples are `precision` bits wide.
pub(super) fn decode(stream: &[u8], header: &FrameHeader) -> Result<Vec<u16>, IntakeReason> {
    // A sample takes a code of a bit or more.
    if stream.len().saturating_mul(8) < usize::from(header.rows) * usize::from(header.columns) {
        return Err(IntakeReason::Truncated);
    }
    decoded(stream, header).ok_or(IntakeReason::DecodeError)
}

/// Walks the segments up to the only scan and decodes it.
fn decoded(stream: &[u8], header: &FrameHeader) -> Option<Vec<u16>> {
    let mut tables = Tables::default();
    let mut at = 2;
    loop {
        let segment = markers::segment(stream, at)?;
        at = segment.end;
        if segment.marker != code::SCAN {
            tables.read(&segment)?;
            continue;
        }
        let [1, _, selectors, predictor, _, approximation] = *segment.body.first_chunk::<6>()? else {
            return None;
        };
        let table = tables.dc.get(usize::from(selectors >> 4))?.as_ref()?;
        let scan = Scan {
            table,
            columns: usize::from(header.columns),
            // Samples are coded without their lowest bits, which come back as zeros.
            point: u32::from(approximation & 15),
            first: 1 << header.precision.checked_sub(1 + (approximation & 15))?,
        };
        let mut bits = Bits::new(stream, at);
        let restarts = Restarts::new(tables.restart_interval);
        let rows = usize::from(header.rows);
        // From the left neighbour, the one above and the one above to the left (T.81 table H.1).
        return match predictor {
            1 => scan.rows(&mut bits, restarts, rows, |left, _, _| left),
            2 => scan.rows(&mut bits, restarts, rows, |_, above, _| above),
            3 => scan.rows(&mut bits, restarts, rows, |_, _, corner| corner),
            4 => scan.rows(&mut bits, restarts, rows, |left, above, corner| left + above - corner),
            5 => scan.rows(&mut bits, restarts, rows, |left, above, corner| {
                left + ((above - corner) >> 1)
            }),
            6 => scan.rows(&mut bits, restarts, rows, |left, above, corner| {
                above + ((left - corner) >> 1)
            }),
            7 => scan.rows(&mut bits, restarts, rows, |left, above, _| (left + above) >> 1),
            _ => None,
        };
    }
}

struct Scan<'a> {
    table: &'a Huffman,
    columns: usize,
    point: u32,
    /// What the very first sample is foretold to be.
    first: i32,
}

impl Scan<'_> {
    /// Decodes all rows; one copy of this for each predictor keeps it out of the inner loop.
    fn rows(
        &self,
        bits: &mut Bits<'_>,
        mut restarts: Restarts,
        rows: usize,
        predictor: impl Fn(i32, i32, i32) -> i32,
    ) -> Option<Vec<u16>> {
        // A restart inside a row would leave its samples without neighbours; the standard forbids it.
        let interval = restarts.interval() as usize;
        interval.is_multiple_of(self.columns).then_some(())?;
        let mut samples = vec![0_u16; rows * self.columns];
        let mut fresh = true;
        for row in 0..rows {
            fresh |= restarts.due_after(bits, self.columns as u32)?;
            let (done, rest) = samples.split_at_mut(row * self.columns);
            let current = &mut rest[..self.columns];
            // At the start, and anew after a restart, only the left neighbour counts.
            let above = done.len().checked_sub(self.columns).filter(|_| !fresh);
            if let Some(above) = above.and_then(|start| done.get(start..)) {
                let mut left = i32::from(above[0]);
                let mut corner = left;
                let mut foretold = left;
                for (place, (sample, above)) in current.iter_mut().zip(above).enumerate() {
                    let above = i32::from(*above);
                    if place > 0 {
                        foretold = predictor(left, above, corner);
                    }
                    left = self.sample(bits, foretold)?;
                    *sample = left as u16;
                    corner = above;
                }
            } else {
                let mut left = self.first;
                for sample in current {
                    left = self.sample(bits, left)?;
                    *sample = left as u16;
                }
            }
            fresh = false;
            // Once a row is often enough to stop early, and a stream that ends early is not a picture.
            if bits.overrun() {
                return None;
            }
        }
        samples.iter_mut().for_each(|sample| *sample <<= self.point);
        Some(samples)
    }

    /// A sample by its difference from what was foretold, in arithmetic of 16 bits.
    #[inline]
    fn sample(&self, bits: &mut Bits<'_>, foretold: i32) -> Option<i32> {
        let difference = match self.table.symbol(bits)? {
            0 => 0,
            size @ 1..=15 => bits.signed(u32::from(size)),
            16 => 32_768,
            _ => return None,
        };
        Some((foretold + difference) & 0xFFFF)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bits with what must be stuffed.
    #[derive(Default)]
    struct Written {
        stream: Vec<u8>,
        bits: Vec<bool>,
    }

    impl Written {
        fn put(&mut self, value: u32, bits: u32) {
            self.bits.extend((0..bits).rev().map(|bit| value >> bit & 1 == 1));
        }

        fn flush(&mut self) {
            for byte in self.bits.chunks(8) {
                let byte = (0..8).fold(0, |value, bit| value << 1 | u8::from(*byte.get(bit).unwrap_or(&true)));
                self.stream.push(byte);
                if byte == 0xFF {
                    self.stream.push(0);
                }
            }
            self.bits.clear();
        }
    }

    /// An encoder with 17 codes of five bits, one for each size of difference.
    fn encoded(
        samples: &[u16],
        columns: usize,
        precision: u8,
        predictor: u8,
        point: u8,
        restart_rows: usize,
    ) -> Vec<u8> {
        let rows = samples.len() / columns;
        let mut written = Written::default();
        written.stream.extend([
            0xFF,
            0xD8,
            0xFF,
            0xC3,
            0,
            11,
            precision,
            0,
            rows as u8,
            0,
            columns as u8,
            1,
            1,
            0x11,
            0,
        ]);
        written
            .stream
            .extend([0xFF, 0xC4, 0, 36, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        written.stream.extend(0..17);
        let interval = (restart_rows * columns) as u16;
        written
            .stream
            .extend([&[0xFF, 0xDD, 0, 4], &interval.to_be_bytes()[..]].concat());
        written.stream.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, predictor, 0, point]);
        let at = |row: usize, column: usize| i32::from(samples[row * columns + column] >> point);
        for row in 0..rows {
            let restarted = restart_rows > 0 && row % restart_rows == 0;
            if restarted && row > 0 {
                written.flush();
                written
                    .stream
                    .extend([0xFF, 0xD0 + ((row / restart_rows - 1) % 8) as u8]);
            }
            for column in 0..columns {
                let foretold = match (row == 0 || restarted, column) {
                    (true, 0) => 1 << (precision - point - 1),
                    (true, _) => at(row, column - 1),
                    (false, 0) => at(row - 1, 0),
                    _ => {
                        let (left, above, corner) = (at(row, column - 1), at(row - 1, column), at(row - 1, column - 1));
                        match predictor {
                            1 => left,
                            2 => above,
                            3 => corner,
                            4 => left + above - corner,
                            5 => left + ((above - corner) >> 1),
                            6 => above + ((left - corner) >> 1),
                            _ => (left + above) >> 1,
                        }
                    }
                };
                let difference = (at(row, column) - foretold) as i16;
                if difference == i16::MIN {
                    written.put(16, 5);
                    continue;
                }
                let size = 16 - difference.unsigned_abs().leading_zeros();
                written.put(size, 5);
                let low = i32::from(difference) - i32::from(difference < 0);
                written.put(low as u32 & ((1 << size) - 1), size);
            }
        }
        written.flush();
        written.stream.extend([0xFF, 0xD9]);
        written.stream
    }

    proptest! {
        #[test]
        fn every_predictor_restart_and_point_gives_the_samples_back(
            words in proptest::collection::vec(any::<u16>(), 60),
            (precision, point) in (2_u8..=16).prop_flat_map(|precision| (Just(precision), 0..precision)),
            (predictor, restart_rows, columns) in (1_u8..=7, 0_usize..4, prop_oneof![Just(1_usize), Just(5), Just(12)]),
        ) {
            let samples: Vec<u16> = words.iter().map(|word| (word >> (16 - precision)) >> point << point).collect();
            let stream = encoded(&samples, columns, precision, predictor, point, restart_rows);
            let header = markers::frame_header(&stream).unwrap();
            prop_assert_eq!(decode(&stream, &header), Ok(samples));
        }

        #[test]
        fn no_stream_panics(at in 24_usize..200, byte: u8, cut in 24_usize..300) {
            let samples: Vec<u16> = (0..60).map(|place| place * 999).collect();
            let mut stream = encoded(&samples, 12, 16, 4, 0, 1);
            let place = at % stream.len();
            stream[place] = byte;
            stream.truncate(cut);
            if let Some(header) = markers::frame_header(&stream) {
                let _ = decode(&stream, &header);
            }
        }
    }

    #[test]
    fn a_picture_that_ends_early_is_none() {
        let samples: Vec<u16> = (0..60).map(|place| place * 999).collect();
        let stream = encoded(&samples, 12, 16, 1, 0, 0);
        let header = markers::frame_header(&stream).unwrap();
        assert_eq!(
            decode(&stream[..stream.len() - 20], &header),
            Err(IntakeReason::DecodeError)
        );
        assert_eq!(decode(&stream[..30], &header), Err(IntakeReason::DecodeError));
        assert_eq!(decode(&stream[..7], &header), Err(IntakeReason::Truncated));
    }
}
