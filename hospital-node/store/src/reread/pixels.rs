//! A decoder of its own for stored pictures: value by value, where `codec` goes plane by plane.

use std::io::Read as _;

use flate2::bufread::DeflateDecoder;

/// Values of the longest picture that is read back.
const VALUES_MAX: u64 = 8192 * 8192;

/// The values of a picture of `rows` by `columns`; `None` where the content is something else.
pub(super) fn decoded(encoding: u64, rows: u64, columns: u64, content: &[u8]) -> Option<Vec<u16>> {
    let count = rows
        .checked_mul(columns)
        .filter(|count| (1..=VALUES_MAX).contains(count))?;
    let (count, columns) = (usize::try_from(count).ok()?, usize::try_from(columns).ok()?);
    match encoding {
        0 => {
            let mut pairs = content.chunks_exact(2);
            let values: Vec<u16> = pairs
                .by_ref()
                .map(|pair| u16::from(pair[0]) | u16::from(pair[1]) << 8)
                .collect();
            (values.len() == count && pairs.remainder().is_empty()).then_some(values)
        }
        1 => {
            let mut planes = vec![0; 2 * count];
            let mut inflated = DeflateDecoder::new(content);
            inflated.read_exact(&mut planes).ok()?;
            // Nothing may follow.
            (inflated.read(&mut [0]).ok()? == 0).then_some(())?;
            let (low, high) = planes.split_at(count);
            let mut values = vec![0; count];
            let steps = low.chunks(columns).zip(high.chunks(columns));
            for (row, (low, high)) in values.chunks_mut(columns).zip(steps) {
                let mut left = 0_u16;
                for (value, (low, high)) in row.iter_mut().zip(low.iter().zip(high)) {
                    let folded = u16::from(*low) | u16::from(*high) << 8;
                    // Even numbers stand for steps up, odd ones for steps down.
                    left = if folded % 2 == 0 {
                        left.wrapping_add(folded / 2)
                    } else {
                        left.wrapping_sub(folded / 2 + 1)
                    };
                    *value = left;
                }
            }
            Some(values)
        }
        _ => None,
    }
}

/// Values as they are digested: little endian.
pub(crate) fn bytes(values: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(values.len() * 2);
    values
        .iter()
        .for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec;

    proptest! {
        #[test]
        fn two_decoders_agree(columns in 1_u32..40, rows in 1_u32..20, seed in any::<u64>(), spread in 0_u32..16) {
            let mut state = seed | 1;
            let values: Vec<u16> = (0..rows * columns).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 48) as u16 >> spread
            }).collect();
            let (encoding, content) = codec::encode(columns, &values);
            let (rows, columns) = (u64::from(rows), u64::from(columns));
            prop_assert_eq!(decoded(encoding as u64, rows, columns, &content), Some(values));
            prop_assert_eq!(decoded(encoding as u64, rows + 1, columns, &content), None);
        }

        #[test]
        fn foreign_bytes_never_panic(content in proptest::collection::vec(any::<u8>(), 0..200), encoding in 0_u64..3, rows in 0_u64..9) {
            let _ = decoded(encoding, rows, 7, &content);
            prop_assert_eq!(decoded(encoding, u64::MAX, 7, &content), None);
        }
    }
}
