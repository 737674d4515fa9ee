//! What somebody without a key may do to the records, at random.

use proptest::prelude::*;
use snowball_protocol::Sha256Digest;

use crate::support::{Files, forged};

#[derive(Clone, Debug)]
pub enum Hand {
    Drop(usize),
    Swap(usize, usize),
    Copy(usize, usize),
    Forge(usize),
    Replace(usize),
    Cut(usize),
    Overwrite(usize, u8),
    Append(Vec<u8>),
}

/// One to three hands.
pub fn hands() -> impl Strategy<Value = Vec<Hand>> {
    let place = 0..64_usize;
    let hand = prop_oneof![
        place.clone().prop_map(Hand::Drop),
        (place.clone(), place.clone()).prop_map(|(one, two)| Hand::Swap(one, two)),
        (place.clone(), place.clone()).prop_map(|(one, two)| Hand::Copy(one, two)),
        place.clone().prop_map(Hand::Forge),
        place.prop_map(Hand::Replace),
        (0..8192_usize).prop_map(Hand::Cut),
        (0..8192_usize, any::<u8>()).prop_map(|(place, byte)| Hand::Overwrite(place, byte)),
        prop::collection::vec(any::<u8>(), 1..200).prop_map(Hand::Append),
    ];
    prop::collection::vec(hand, 1..4)
}

/// The files after `hand` was laid on them.
pub fn lay(hand: &Hand, files: &Files) -> Files {
    let mut lines = files.lines();
    let count = lines.len().max(1);
    let previous = |lines: &[Vec<u8>], place: usize| {
        let before = place.checked_sub(1).and_then(|place| lines.get(place));
        before
            .and_then(|line| serde_json::from_slice::<serde_json::Value>(line).ok())
            .map_or_else(
                || Sha256Digest::of(b"").to_string(),
                |record| record["hash"].as_str().unwrap_or_default().to_owned(),
            )
    };
    match *hand {
        Hand::Drop(place) if !lines.is_empty() => drop(lines.remove(place % count)),
        Hand::Swap(one, two) if !lines.is_empty() => lines.swap(one % count, two % count),
        Hand::Copy(from, to) if !lines.is_empty() => lines.insert(to % count, lines[from % count].clone()),
        Hand::Forge(place) => {
            let place = place % (lines.len() + 1);
            lines.insert(place, forged(place as u64, &previous(&lines, place)));
        }
        Hand::Replace(place) if !lines.is_empty() => {
            lines[place % count] = forged((place % count) as u64, &previous(&lines, place % count));
        }
        _ => {}
    }
    let mut bytes = lines.concat();
    match hand {
        Hand::Cut(length) => bytes.truncate(*length),
        Hand::Overwrite(place, byte) if !bytes.is_empty() => {
            let place = place % bytes.len();
            bytes[place] = *byte;
        }
        Hand::Append(more) => bytes.extend(more),
        _ => {}
    }
    Files {
        records: Some(bytes),
        ..files.clone()
    }
}
