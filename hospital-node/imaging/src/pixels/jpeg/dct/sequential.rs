//! One scan that holds whole blocks (T.81 section F.2).

use super::{Bits, FrameHeader, Grid, Huffman, Picture, Restarts, Scan, Tables, dc_difference, idct};
use crate::pixels::jpeg::tables::NATURAL;

/// Decodes the only scan of a frame. Its spectral selection is not looked at: for this process the standard allows 0 to
/// 63 alone, and archives hold 12-bit streams that say 0 to 0.
pub(super) fn scan(
    bits: &mut Bits<'_>,
    tables: &Tables,
    scan: Scan,
    divisors: &[i32; 64],
    header: &FrameHeader,
    grid: Grid,
) -> Option<Vec<u16>> {
    let dc = tables.dc.get(scan.dc)?.as_ref()?;
    let ac = tables.ac.get(scan.ac)?.as_ref()?;
    let mut restarts = Restarts::new(tables.restart_interval);
    let mut picture = Picture::new(header);
    let mut mean = 0_i32;
    for down in 0..grid.down {
        for across in 0..grid.across {
            if restarts.due(bits)? {
                mean = 0;
            }
            mean = mean.wrapping_add(dc_difference(bits, dc)?);
            let mut values = [0; 64];
            values[0] = mean.wrapping_mul(divisors[0]);
            let block = if spectrum(bits, ac, divisors, &mut values)? {
                idct::samples(&values, header.precision)
            } else {
                [idct::flat_sample(values[0], header.precision); 64]
            };
            picture.put(down * grid.across + across, grid, &block);
        }
        // Once a row is often enough to stop early, and a stream that ends early is not a picture.
        if bits.overrun() {
            return None;
        }
    }
    Some(picture.samples)
}

/// Reads the other 63 coefficients of a block and multiplies them; false if there are none.
#[inline]
fn spectrum(bits: &mut Bits<'_>, table: &Huffman, divisors: &[i32; 64], values: &mut [i32; 64]) -> Option<bool> {
    let mut place = 1;
    let mut any = false;
    while place < 64 {
        let symbol = table.symbol(bits)?;
        let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 {
            if run != 15 {
                break;
            }
            place += 16;
            continue;
        }
        place += run;
        let natural = usize::from(*NATURAL.get(place)?) & 63;
        values[natural] = bits.signed(size).wrapping_mul(divisors[natural]);
        any = true;
        place += 1;
    }
    Some(any)
}
