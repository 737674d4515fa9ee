//! Container words to grey values, exactly.
//!
//! 1. Stored value: the container word shifted and masked to `BitsStored` below `HighBit`. Where a lossy stream is wider
//!    than the stored bits (10 bits are coded as 12), a white edge that overshoots would lose its highest bit and turn
//!    black; it is as white as can be stored.
//! 2. Offset: a signed value gets half the range added, so that the smallest that can be represented is 0; an unsigned
//!    one stays as it is.
//! 3. Modality transform. A table replaces the value by its entry, in the table's depth. A straight line is taken by its
//!    sense alone: with a rising one values stay, with a falling one they are turned around (`max - value`). Slope and
//!    intercept only say in which unit the same steps are counted, and radiographs have no common unit; so no step is
//!    rounded and no depth is lost.
//! 4. MONOCHROME1 is turned around: `max - value`, where `max` is 2^bits - 1 of the depth reached.
//! 5. Padding around the picture (`PixelPaddingValue`, or the range up to its limit) becomes 0, black, where it touches
//!    the border; the same value inside the picture is a value.
//!
//! No VOI window, no stretch: those belong to the use of a picture, not to the picture.

use super::{Description, Transform, Words};

/// One grey picture in full depth, 0 is black.
#[derive(Debug)]
pub(crate) struct Grey {
    pub(crate) rows: u32,
    pub(crate) columns: u32,
    /// Values lie in 0 to 2^bits - 1.
    pub(crate) bits: u8,
    pub(crate) pixels: Vec<u16>,
    pub(crate) high_bit_pixels: u64,
    pub(crate) padding_pixels: u64,
    pub(crate) stream_comment_bytes: u64,
}

/// Renders decoded words as grey values.
pub(crate) fn render(mut decoded: Words, description: &Description) -> Grey {
    decoded.settle(description);
    let Words {
        mut words,
        comment_bytes,
        ..
    } = decoded;
    let outside = !(description.stored_max() << description.shift);
    // Most pictures have nothing there, which is soon seen.
    let above = words.iter().fold(0, |all, word| all | word);
    let is_hidden = |word: &&u16| **word & outside != 0 && !is_extension(**word, description);
    let high_bit_pixels = if above & outside == 0 {
        0
    } else {
        words.iter().filter(is_hidden).count()
    };
    words.iter_mut().for_each(|word| *word = description.stored(*word));
    let padding = padding(&words, description);
    let (bits, max) = match &description.transform {
        Transform::Table { bits, .. } => (*bits, u16::MAX >> (16 - bits)),
        _ => (description.bits_stored, description.stored_max()),
    };
    let falling = description.transform == Transform::Linear { falling: true };
    let turned = falling != description.inverted;
    let sign = if description.signed {
        1 << (description.bits_stored - 1)
    } else {
        0
    };
    match &description.transform {
        Transform::Table { first, entries, .. } => words
            .iter_mut()
            .for_each(|word| *word = looked_up(*word, description, *first, entries)),
        _ => words.iter_mut().for_each(|word| *word ^= sign),
    }
    if turned {
        // No value is larger than `max`.
        words.iter_mut().for_each(|word| *word = max - *word);
    }
    for place in &padding {
        words[*place] = 0;
    }
    Grey {
        rows: description.rows,
        columns: description.columns,
        bits,
        pixels: words,
        high_bit_pixels: high_bit_pixels as u64,
        padding_pixels: padding.len() as u64,
        stream_comment_bytes: comment_bytes,
    }
}

/// True if the bits above the stored ones only repeat a negative value's sign.
fn is_extension(word: u16, description: &Description) -> bool {
    let sign_bit = 1 << (description.shift + description.bits_stored - 1);
    let above = !(((sign_bit - 1) << 1) | 1) & (u16::MAX >> (16 - description.bits_allocated));
    description.signed && description.shift == 0 && word & sign_bit != 0 && word & above == above
}

fn looked_up(word: u16, description: &Description, first: i32, entries: &[u16]) -> u16 {
    let value = signed_value(word, description);
    let index = (value - first).clamp(0, entries.len() as i32 - 1);
    entries.get(index as usize).copied().unwrap_or(0)
}

/// The stored value with its sign.
pub(crate) fn signed_value(word: u16, description: &Description) -> i32 {
    let sign = 1_i32 << (description.bits_stored - 1);
    if description.signed {
        (i32::from(word) ^ sign) - sign
    } else {
        i32::from(word)
    }
}

/// The stored values that are padding, with their sign.
pub(crate) fn padding_range(description: &Description) -> Option<std::ops::RangeInclusive<i32>> {
    let (value, limit) = description.padding?;
    let end = |word: u16| signed_value(word & description.stored_max(), description);
    Some(end(value).min(end(limit))..=end(value).max(end(limit)))
}

/// Places of padding that hang together with the border, by way of their four neighbours.
fn padding(stored: &[u16], description: &Description) -> Vec<usize> {
    let Some(range) = padding_range(description) else {
        return Vec::new();
    };
    let is_padding = |place: usize| range.contains(&signed_value(stored[place], description));
    let (rows, columns) = (description.rows as usize, description.columns as usize);
    let mut seen = vec![false; stored.len()];
    let mut found = Vec::new();
    let mut visit = |place: usize, found: &mut Vec<usize>| {
        if !seen[place] && is_padding(place) {
            seen[place] = true;
            found.push(place);
        }
    };
    for column in 0..columns {
        visit(column, &mut found);
        visit((rows - 1) * columns + column, &mut found);
    }
    for row in 0..rows {
        visit(row * columns, &mut found);
        visit(row * columns + columns - 1, &mut found);
    }
    let mut next = 0;
    while let Some(place) = found.get(next).copied() {
        next += 1;
        let (row, column) = (place / columns, place % columns);
        if row > 0 {
            visit(place - columns, &mut found);
        }
        if row + 1 < rows {
            visit(place + columns, &mut found);
        }
        if column > 0 {
            visit(place - 1, &mut found);
        }
        if column + 1 < columns {
            visit(place + 1, &mut found);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn description(bits_stored: u8, signed: bool, inverted: bool) -> Description {
        Description {
            rows: 1,
            columns: 4,
            frames: 1,
            samples: 1,
            planar: false,
            grey: true,
            bits_allocated: 16,
            bits_stored,
            shift: 0,
            signed,
            inverted,
            padding: None,
            transform: Transform::None,
        }
    }

    fn rendered(words: &[u16], description: &Description) -> Vec<u16> {
        render(
            Words {
                words: words.to_vec(),
                comment_bytes: 0,
                overshoots: false,
                lossy: false,
            },
            description,
        )
        .pixels
    }

    #[test]
    fn unsigned_values_stay_and_signed_values_start_at_zero() {
        assert_eq!(
            rendered(&[0, 1, 4095, 0xF001], &description(12, false, false)),
            [0, 1, 4095, 1]
        );
        let signed = [0xF800, 0xFFFF, 0, 0x07FF];
        assert_eq!(rendered(&signed, &description(12, true, false)), [0, 2047, 2048, 4095]);
        assert_eq!(
            rendered(&[0x8000, 0xFFFF, 0, 0x7FFF], &description(16, true, false)),
            [0, 32767, 32768, 65535]
        );
    }

    #[test]
    fn high_bits_are_counted_and_sign_extension_is_not() {
        let text = render(
            Words {
                words: vec![0x1001, 5, 0x0FFF, 0],
                comment_bytes: 0,
                overshoots: false,
                lossy: false,
            },
            &description(12, false, false),
        );
        assert_eq!(text.high_bit_pixels, 1);
        let signed = render(
            Words {
                words: vec![0xF800, 0x0800, 1, 2],
                comment_bytes: 0,
                overshoots: false,
                lossy: false,
            },
            &description(12, true, false),
        );
        assert_eq!(signed.high_bit_pixels, 0);
    }

    #[test]
    fn an_overshoot_is_white_and_hides_nothing() {
        let decoded = |overshoots| Words {
            words: vec![1023, 1024, 1030, 0],
            comment_bytes: 0,
            overshoots,
            lossy: false,
        };
        let lossy = render(decoded(true), &description(10, false, false));
        assert_eq!((lossy.pixels, lossy.high_bit_pixels), (vec![1023, 1023, 1023, 0], 0));
        let exact = render(decoded(false), &description(10, false, false));
        assert_eq!((exact.pixels, exact.high_bit_pixels), (vec![1023, 0, 6, 0], 2));
    }

    #[test]
    fn a_table_counts_from_its_first_value_and_stops_at_its_ends() {
        let transform = Transform::Table {
            first: -1,
            bits: 10,
            entries: vec![7, 8, 1023],
        };
        let table = Description {
            transform,
            ..description(12, true, false)
        };
        assert_eq!(rendered(&[0xF800, 0xFFFF, 0, 0x07FF], &table), [7, 7, 8, 1023]);
        let inverted = Description {
            inverted: true,
            ..table
        };
        assert_eq!(rendered(&[0xFFFF, 0, 1, 2], &inverted), [1016, 1015, 0, 0]);
    }

    /// What the head of this module says, word by word and in wide numbers.
    fn defined(word: u16, description: &Description) -> i64 {
        let bits = u32::from(description.bits_stored);
        let half = if description.signed { 1_i64 << (bits - 1) } else { 0 };
        let unsigned = i64::from(word >> description.shift) % (1 << bits);
        let stored = if unsigned >= half && description.signed {
            unsigned - (1 << bits)
        } else {
            unsigned
        };
        let (value, max) = match &description.transform {
            Transform::None | Transform::Linear { falling: false } => (stored + half, (1 << bits) - 1),
            Transform::Linear { falling: true } => ((1 << bits) - 1 - (stored + half), (1 << bits) - 1),
            Transform::Table { first, bits, entries } => {
                let last = entries.len() as i64 - 1;
                let place = (stored - i64::from(*first)).max(0).min(last);
                (i64::from(entries[place as usize]), (1 << bits) - 1)
            }
        };
        if description.inverted { max - value } else { value }
    }

    #[test]
    fn a_signed_range_of_padding_is_black() {
        let padded = Description {
            rows: 2,
            columns: 4,
            padding: Some((0xF830, 0xF83A)),
            ..description(16, true, false)
        };
        // -2000 to -1990 is padding, -1989 is not; 0 in signed terms is the middle of the range.
        let words = [0xF830, 0xF83A, 0xF83B, 0, 0xF835, 0, 0, 0xF830];
        let grey = render(
            Words {
                words: words.to_vec(),
                comment_bytes: 0,
                overshoots: false,
                lossy: false,
            },
            &padded,
        );
        assert_eq!(grey.pixels, [0, 0, 0x783B, 0x8000, 0, 0x8000, 0x8000, 0]);
        assert_eq!(grey.padding_pixels, 4);
    }

    #[test]
    fn padding_is_black_at_the_border_and_a_value_inside() {
        let padded = Description {
            rows: 3,
            columns: 4,
            padding: Some((0, 0)),
            ..description(8, false, true)
        };
        let words = [0, 0, 9, 9, 9, 9, 0, 9, 9, 9, 9, 9];
        let grey = render(
            Words {
                words: words.to_vec(),
                comment_bytes: 0,
                overshoots: false,
                lossy: false,
            },
            &padded,
        );
        assert_eq!(grey.padding_pixels, 2);
        assert_eq!(grey.pixels, [0, 0, 246, 246, 246, 246, 255, 246, 246, 246, 246, 246]);
    }

    proptest! {
        #[test]
        fn rendering_follows_its_definition(
            words in proptest::collection::vec(any::<u16>(), 4),
            (bits_stored, shift) in (1_u8..=16).prop_flat_map(|bits| (Just(bits), 0..=16 - bits)),
            (signed, inverted, kind) in (any::<bool>(), any::<bool>(), 0..4),
            (first, table_bits) in (-40_000_i32..70_000, 8_u8..=16),
            entries in proptest::collection::vec(any::<u16>(), 1..40),
        ) {
            let transform = match kind {
                0 => Transform::None,
                1 => Transform::Linear { falling: false },
                2 => Transform::Linear { falling: true },
                _ => Transform::Table {
                    first,
                    bits: table_bits,
                    entries: entries.iter().map(|entry| entry >> (16 - table_bits)).collect(),
                },
            };
            let description = Description { shift, transform, ..description(bits_stored, signed, inverted) };
            let expected: Vec<i64> = words.iter().map(|word| defined(*word, &description)).collect();
            let rendered: Vec<i64> = rendered(&words, &description).into_iter().map(i64::from).collect();
            prop_assert_eq!(rendered, expected);
        }

        #[test]
        fn two_inversions_are_none(words in proptest::collection::vec(any::<u16>(), 4), bits in 1_u8..=16, signed: bool) {
            let plain = rendered(&words, &description(bits, signed, false));
            let falling = Transform::Linear { falling: true };
            let twice = Description { transform: falling, ..description(bits, signed, true) };
            prop_assert_eq!(rendered(&words, &twice), plain.clone());
            let max = u16::MAX >> (16 - bits);
            let once: Vec<u16> = plain.iter().map(|value| max - value).collect();
            prop_assert_eq!(rendered(&words, &description(bits, signed, true)), once);
        }
    }
}
