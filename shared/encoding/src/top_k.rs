//! The largest numbers alone, each behind the distance from the one before.
//!
//! Distances and not plain places of four bytes: of one number in a hundred most distances fit one byte, so a number takes about 3.3 bytes
//! and not 6. bfloat16 and not binary32: what rounding takes off a number stays at the site with all that was not sent, and two more bytes
//! a number buy more where they let more numbers go. The places are in order, each is named once, and each distance has one way of being
//! written, so that an update has one, too.

use std::ops::RangeInclusive;

use crate::{
    fault::DecodeFault,
    words::{from_bf16, to_bf16},
};

/// How many of `parameters` numbers a share is: at least one, where there are any.
pub(crate) const fn kept(share: f64, parameters: usize) -> usize {
    // A share of the plan is at most 1 and a count of parameters far below 2^53; a float turned into a count saturates.
    let wanted = (share * parameters as f64).ceil() as usize;
    let wanted = if wanted == 0 { 1 } else { wanted };
    if wanted < parameters { wanted } else { parameters }
}

/// How many bytes `kept` of `parameters` numbers may take. A second byte of a distance needs 128 places, a third one 128 times as many, and
/// so on; all distances together are at most all places.
pub(crate) const fn bytes(kept: u64, parameters: u64) -> RangeInclusive<u64> {
    let (mut longer, mut places) = (0, parameters >> 7);
    while places > 0 {
        longer += if places < kept { places } else { kept };
        places >>= 7;
    }
    kept * 3..=kept * 3 + longer
}

/// Appends the `kept` largest of `values`, which are finite; of equal ones, the first.
pub(crate) fn encode(values: &[f32], kept: usize, bytes: &mut Vec<u8>) {
    if kept == 0 {
        return;
    }
    let magnitude = |value: &f32| value.to_bits() & (u32::MAX >> 1);
    let mut magnitudes: Vec<u32> = values.iter().map(magnitude).collect();
    let (_, threshold, larger) = magnitudes.select_nth_unstable(values.len() - kept);
    let threshold = *threshold;
    // All above the threshold are sent, and as many of those that are equal to it as there is room for.
    let mut equal = kept - larger.iter().filter(|magnitude| **magnitude > threshold).count();
    let mut next = 0;
    for (place, value) in values.iter().enumerate() {
        let magnitude = magnitude(value);
        if magnitude < threshold || (magnitude == threshold && equal == 0) {
            continue;
        }
        if magnitude == threshold {
            equal -= 1;
        }
        distance(place - next, bytes);
        bytes.extend(to_bf16(*value));
        next = place + 1;
    }
}

/// LEB128: seven bits a byte, the lowest first; the highest bit says that another byte follows.
fn distance(mut distance: usize, bytes: &mut Vec<u8>) {
    loop {
        // Seven bits.
        let low = (distance & 0x7f) as u8;
        distance >>= 7;
        if distance == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}

/// Reads entries and gives what lies between them.
#[derive(Clone, Debug)]
pub(crate) struct TopK {
    /// Entries that are still to come.
    left: usize,
    /// Places behind the last entry.
    places: usize,
    /// Zeros that are still to be given, and the number behind them.
    zeros: usize,
    value: Option<f32>,
    reading: Reading,
}

/// How far the next entry is read.
#[derive(Clone, Copy, Debug)]
enum Reading {
    Distance { distance: u32, shift: u32 },
    Value { distance: u32, low: Option<u8> },
}

const BEGINNING: Reading = Reading::Distance { distance: 0, shift: 0 };
/// The last byte of a distance of 32 bits has room for four of them.
const LAST_SHIFT: u32 = 28;
const LAST_MAX: u8 = 0x0f;

impl TopK {
    pub(crate) const fn new(kept: usize, parameters: usize) -> Self {
        Self {
            left: kept,
            places: parameters,
            zeros: 0,
            value: None,
            reading: BEGINNING,
        }
    }

    /// As [`crate::Decoder::fill`].
    pub(crate) fn fill(&mut self, bytes: &mut &[u8], out: &mut [f32]) -> Result<usize, DecodeFault> {
        let mut filled = 0;
        while filled < out.len() {
            if self.zeros > 0 {
                let count = self.zeros.min(out.len() - filled);
                out[filled..filled + count].fill(0.0);
                self.zeros -= count;
                filled += count;
            } else if let Some(value) = self.value.take() {
                out[filled] = value;
                filled += 1;
            } else if self.left > 0 {
                if !self.next_entry(bytes)? {
                    break;
                }
            } else if self.places > 0 {
                (self.zeros, self.places) = (self.places, 0);
            } else {
                break;
            }
        }
        Ok(filled)
    }

    /// Whether nothing is left over.
    pub(crate) const fn is_whole(&self) -> bool {
        self.left == 0 && self.zeros == 0 && self.value.is_none()
    }

    /// Whether another entry is whole.
    fn next_entry(&mut self, bytes: &mut &[u8]) -> Result<bool, DecodeFault> {
        while let Some((byte, rest)) = bytes.split_first() {
            *bytes = rest;
            self.reading = match self.reading {
                Reading::Distance { distance, shift } => {
                    let is_last = byte & 0x80 == 0;
                    let is_needless = *byte == 0 && shift > 0;
                    if is_needless || (shift == LAST_SHIFT && *byte > LAST_MAX) {
                        return Err(DecodeFault::DistanceMalformed);
                    }
                    let distance = distance | (u32::from(byte & 0x7f) << shift);
                    if is_last {
                        Reading::Value { distance, low: None }
                    } else {
                        let shift = shift + 7;
                        Reading::Distance { distance, shift }
                    }
                }
                Reading::Value { distance, low: None } => Reading::Value {
                    distance,
                    low: Some(*byte),
                },
                Reading::Value {
                    distance,
                    low: Some(low),
                } => {
                    let before = usize::try_from(distance).unwrap_or(usize::MAX);
                    self.places = before
                        .checked_add(1)
                        .and_then(|places| self.places.checked_sub(places))
                        .ok_or(DecodeFault::PlaceOutOfRange)?;
                    (self.zeros, self.value) = (before, Some(from_bf16([low, *byte])));
                    self.left -= 1;
                    self.reading = BEGINNING;
                    return Ok(true);
                }
            };
        }
        Ok(false)
    }
}
