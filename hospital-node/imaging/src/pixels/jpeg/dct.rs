//! The processes that code blocks of 8 by 8 coefficients: baseline (1), extended (2 and 4) and progressive (6 to 12), in
//! 8 and 12 bits, one component. Written here because no codec at hand decodes 12 bits, and because one decoder for all
//! of them gives the same values as the programs that hospitals use, bit for bit.

mod progressive;
mod sequential;

use snowball_protocol::intake::IntakeReason;

use super::{
    bits::Bits,
    huffman::Huffman,
    idct,
    markers::{self, FrameHeader, Process, code},
    restarts::Restarts,
    tables::Tables,
};

/// Scans of one progressive frame; encoders write about ten, the standard has room for hundreds.
const SCANS_MAX: u32 = 128;

/// How many blocks one row and one column of the picture take.
#[derive(Clone, Copy)]
struct Grid {
    across: usize,
    down: usize,
}

/// The header of one scan (T.81 section B.2.3).
#[derive(Clone, Copy)]
struct Scan {
    dc: usize,
    ac: usize,
    spectrum: (u8, u8),
    /// Successive approximation: the bit position before and with this scan.
    high: u8,
    low: u8,
}

impl Scan {
    fn read(body: &[u8]) -> Option<Self> {
        let [components, _, tables, first, last, approximation] = *body.first_chunk::<6>()?;
        (components == 1 && body.len() == 6).then_some(())?;
        Some(Self {
            dc: usize::from(tables >> 4),
            ac: usize::from(tables & 15),
            spectrum: (first, last),
            high: approximation >> 4,
            low: approximation & 15,
        })
    }
}

/// Decodes the frame that `header` describes, whose size agrees with the data set. The samples are `precision` bits wide.
pub(super) fn decode(stream: &[u8], header: &FrameHeader) -> Result<Vec<u16>, IntakeReason> {
    let grid = Grid {
        across: usize::from(header.columns).div_ceil(8),
        down: usize::from(header.rows).div_ceil(8),
    };
    let blocks = grid.across * grid.down;
    // A block takes two codes of a bit or more, or one in the first of several scans: a short stream cannot hold many.
    let block_bits = if header.process == Process::Progressive { 1 } else { 2 };
    if stream.len().saturating_mul(8) < blocks * block_bits {
        return Err(IntakeReason::Truncated);
    }
    decoded(stream, header, grid).ok_or(IntakeReason::DecodeError)
}

/// Walks the segments and decodes each scan where it stands.
fn decoded(stream: &[u8], header: &FrameHeader, grid: Grid) -> Option<Vec<u16>> {
    let mut tables = Tables::default();
    let mut coefficients = Vec::new();
    let mut divisors = None;
    let (mut at, mut scans) = (2, 0);
    loop {
        // A stream that ends after a scan without saying so is met, and nothing is missing from it.
        let segment = match markers::segment(stream, at) {
            Some(segment) => segment,
            None if scans > 0 => break,
            None => return None,
        };
        match segment.marker {
            code::END => break,
            code::SCAN => {
                let scan = Scan::read(segment.body)?;
                let divisors = match divisors {
                    Some(divisors) => divisors,
                    None => *divisors.insert((*tables.quantisation.get(usize::from(header.quantisation))?)?),
                };
                let mut bits = Bits::new(stream, segment.end);
                if header.process == Process::Sequential {
                    return sequential::scan(&mut bits, &tables, scan, &divisors, header, grid);
                }
                scans += 1;
                if scans > SCANS_MAX {
                    return None;
                }
                if coefficients.is_empty() {
                    coefficients = vec![0_i16; 64 * grid.across * grid.down];
                }
                progressive::scan(&mut bits, &tables, scan, &mut coefficients)?;
                match markers::next_marker(stream, bits.place()) {
                    Some(next) => at = next,
                    None => break,
                }
                continue;
            }
            _ => tables.read(&segment)?,
        }
        at = segment.end;
    }
    let divisors = divisors?;
    let mut picture = Picture::new(header);
    for (place, block) in coefficients.chunks_exact(64).enumerate() {
        let mut values = [0; 64];
        for ((value, coefficient), divisor) in values.iter_mut().zip(block).zip(&divisors) {
            *value = i32::from(*coefficient) * divisor;
        }
        picture.put(place, grid, &idct::samples(&values, header.precision));
    }
    Some(picture.samples)
}

/// The difference of one DC coefficient from the one before it.
#[inline]
fn dc_difference(bits: &mut Bits<'_>, table: &Huffman) -> Option<i32> {
    match table.symbol(bits)? {
        0 => Some(0),
        size @ 1..=15 => Some(bits.signed(u32::from(size))),
        _ => None,
    }
}

/// The samples of a frame, filled block by block.
struct Picture {
    columns: usize,
    samples: Vec<u16>,
}

impl Picture {
    fn new(header: &FrameHeader) -> Self {
        let columns = usize::from(header.columns);
        Self {
            columns,
            samples: vec![0; columns * usize::from(header.rows)],
        }
    }

    /// Writes block number `place`, as much of it as lies inside.
    #[inline]
    fn put(&mut self, place: usize, grid: Grid, block: &[u16; 64]) {
        let (top, left) = (place / grid.across * 8, place % grid.across * 8);
        let width = (self.columns - left).min(8);
        let rows = self.samples.chunks_exact_mut(self.columns).skip(top);
        for (row, values) in rows.zip(block.chunks_exact(8)) {
            row[left..left + width].copy_from_slice(&values[..width]);
        }
    }
}
