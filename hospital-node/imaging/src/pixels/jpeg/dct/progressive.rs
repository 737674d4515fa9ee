//! One of several scans, each of a band of the spectrum or one more bit of it (T.81 annex G).

use super::{Bits, Huffman, Restarts, Scan, Tables, dc_difference};
use crate::pixels::jpeg::tables::NATURAL;

/// Decodes one scan into `coefficients`, 64 a block in natural order.
pub(super) fn scan(bits: &mut Bits<'_>, tables: &Tables, scan: Scan, coefficients: &mut [i16]) -> Option<()> {
    let (first, last) = scan.spectrum;
    // A scan holds either the mean or a band; each refinement adds one bit.
    let sound = if first == 0 {
        last == 0
    } else {
        first <= last && last <= 63
    };
    let approximation = scan.low <= 13 && (scan.high == 0 || scan.high == scan.low + 1);
    (sound && approximation).then_some(())?;
    let mut restarts = Restarts::new(tables.restart_interval);
    if first == 0 {
        means(bits, tables, scan, &mut restarts, coefficients)?;
    } else {
        let table = tables.ac.get(scan.ac)?.as_ref()?;
        let mut band = Band {
            places: &NATURAL[usize::from(first)..=usize::from(last)],
            low: scan.low,
            ended_blocks: 0,
        };
        for block in coefficients.chunks_exact_mut(64) {
            if restarts.due(bits)? {
                band.ended_blocks = 0;
            }
            if scan.high == 0 {
                band.first(bits, table, block)?;
            } else {
                band.refined(bits, table, block)?;
            }
            if bits.overrun() {
                return None;
            }
        }
    }
    Some(())
}

fn means(
    bits: &mut Bits<'_>,
    tables: &Tables,
    scan: Scan,
    restarts: &mut Restarts,
    coefficients: &mut [i16],
) -> Option<()> {
    if scan.high != 0 {
        for block in coefficients.chunks_exact_mut(64) {
            restarts.due(bits)?;
            block[0] |= (bits.take(1) << scan.low) as i16;
        }
        return (!bits.overrun()).then_some(());
    }
    let table = tables.dc.get(scan.dc)?.as_ref()?;
    let mut mean = 0_i32;
    for block in coefficients.chunks_exact_mut(64) {
        if restarts.due(bits)? {
            mean = 0;
        }
        mean = mean.wrapping_add(dc_difference(bits, table)?);
        block[0] = mean.wrapping_shl(u32::from(scan.low)) as i16;
        if bits.overrun() {
            return None;
        }
    }
    Some(())
}

/// A band of the spectrum while its blocks are read.
struct Band<'a> {
    /// Places in natural order.
    places: &'a [u8],
    low: u8,
    /// Blocks yet to come that hold nothing new.
    ended_blocks: u32,
}

impl Band<'_> {
    /// The first scan of the band: runs of zeros, values, and runs of blocks that have ended (G.1.2.2).
    fn first(&mut self, bits: &mut Bits<'_>, table: &Huffman, block: &mut [i16]) -> Option<()> {
        if self.ended_blocks > 0 {
            self.ended_blocks -= 1;
            return Some(());
        }
        let mut at = 0;
        while at < self.places.len() {
            let symbol = table.symbol(bits)?;
            let (run, size) = (symbol >> 4, u32::from(symbol & 15));
            match (run, size) {
                (15, 0) => at += 16,
                (_, 0) => {
                    self.ended_blocks = (1 << run) + bits.take(u32::from(run)) - 1;
                    return Some(());
                }
                _ => {
                    at += usize::from(run);
                    let place = usize::from(*self.places.get(at)?);
                    block[place] = (bits.signed(size) << self.low) as i16;
                    at += 1;
                }
            }
        }
        Some(())
    }

    /// A later scan of the band: one more bit for values that are there, and new values of that bit (G.1.2.3).
    fn refined(&mut self, bits: &mut Bits<'_>, table: &Huffman, block: &mut [i16]) -> Option<()> {
        let step = 1_i16 << self.low;
        let mut at = 0;
        while self.ended_blocks == 0 && at < self.places.len() {
            let symbol = table.symbol(bits)?;
            let (run, size) = (symbol >> 4, symbol & 15);
            let new = match (run, size) {
                (15, 0) => 0,
                (_, 0) => {
                    self.ended_blocks = (1 << run) + bits.take(u32::from(run));
                    break;
                }
                (_, 1) => {
                    if bits.take(1) == 1 {
                        step
                    } else {
                        -step
                    }
                }
                _ => return None,
            };
            let mut zeros = run;
            loop {
                let Some(place) = self.places.get(at) else {
                    // Sixteen zeros may end with the band, a value may not lie beyond it.
                    return (new == 0).then_some(());
                };
                at += 1;
                let value = &mut block[usize::from(*place)];
                if *value != 0 {
                    correct(bits, value, step);
                } else if zeros > 0 {
                    zeros -= 1;
                } else {
                    *value = new;
                    break;
                }
            }
        }
        if self.ended_blocks > 0 {
            for place in self.places.get(at..).unwrap_or_default() {
                let value = &mut block[usize::from(*place)];
                if *value != 0 {
                    correct(bits, value, step);
                }
            }
            self.ended_blocks -= 1;
        }
        Some(())
    }
}

/// Adds the next bit to a value, away from zero.
fn correct(bits: &mut Bits<'_>, value: &mut i16, step: i16) {
    if bits.take(1) == 1 && *value & step == 0 {
        *value = value.wrapping_add(if *value < 0 { -step } else { step });
    }
}
