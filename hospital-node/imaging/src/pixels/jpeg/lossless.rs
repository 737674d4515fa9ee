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
        let whole_rows = restarts.interval() as usize % self.columns == 0;
        whole_rows.then_some(())?;
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
