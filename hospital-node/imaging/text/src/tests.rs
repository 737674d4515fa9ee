//! The built-in networks on pictures drawn here: digits of five by seven dots, over a slope with noise.

use crate::{Area, Refused, Searcher, closer, markers::Markers, normal::Tones, weights};

const DIGITS: [[u8; 7]; 10] = [
    [14, 17, 19, 21, 25, 17, 14],
    [4, 12, 4, 4, 4, 4, 14],
    [14, 17, 1, 2, 4, 8, 31],
    [31, 2, 4, 2, 1, 17, 14],
    [2, 6, 10, 18, 31, 2, 2],
    [31, 16, 30, 1, 1, 17, 14],
    [6, 8, 16, 30, 17, 17, 14],
    [31, 1, 2, 4, 8, 8, 8],
    [14, 17, 17, 14, 17, 17, 14],
    [14, 17, 17, 15, 1, 2, 12],
];
const SIDE: usize = 160;

fn slope() -> Vec<u16> {
    let noise = |at: usize| (at.wrapping_mul(2_654_435_761) >> 7) % 40;
    (0..SIDE * SIDE)
        .map(|at| (900 + (at % SIDE) * 3 + (at / SIDE) * 4 + noise(at)) as u16)
        .collect()
}

/// Pixels of a record number, `scale` pixels a dot, a quarter turn for each of `turns`.
fn number(scale: usize, turns: usize) -> Vec<usize> {
    let mut places = Vec::new();
    for (position, digit) in [2, 9, 0, 4, 7, 1, 8, 3].into_iter().enumerate() {
        for at in 0..35 * scale * scale {
            let (x, y) = (at % (5 * scale), at / (5 * scale));
            if DIGITS[digit][y / scale] >> (4 - x / scale) & 1 == 1 {
                let (x, y) = (20 + position * 6 * scale + x, 30 + y);
                places.push(match turns {
                    0 => y * SIDE + x,
                    1 => (SIDE - 1 - x) * SIDE + y,
                    2 => (SIDE - 1 - y) * SIDE + SIDE - 1 - x,
                    _ => x * SIDE + SIDE - 1 - y,
                });
            }
        }
    }
    places
}

#[test]
fn a_record_number_goes_however_it_is_turned() {
    let searcher = Searcher::new(Markers::standard());
    for scale in [1, 2] {
        for turns in 0..4 {
            for ink in [3800, 20] {
                let mut pixels = slope();
                let places = number(scale, turns);
                places.iter().for_each(|at| pixels[*at] = ink);
                let cleaned = searcher.clean(&mut pixels, SIDE, SIDE).unwrap();
                let left = places.iter().filter(|at| pixels[**at] == ink).count();
                assert_eq!(left, 0, "{scale} {turns} {ink}");
                assert!(cleaned.removed_pixels < (SIDE * SIDE / 4) as u64);
            }
        }
    }
}

#[test]
fn a_picture_without_text_is_not_touched() {
    let searcher = Searcher::new(Markers::standard());
    for mut pixels in [slope(), vec![0; SIDE * SIDE], vec![65_535; SIDE * SIDE]] {
        let before = pixels.clone();
        assert_eq!(searcher.clean(&mut pixels, SIDE, SIDE), Ok(Default::default()));
        assert_eq!(pixels, before);
    }
}

#[test]
fn pictures_of_any_shape_are_searched() {
    let searcher = Searcher::new(Markers::standard());
    for (rows, columns) in [(1, 1), (2, 3), (1, 500), (500, 1), (5, 7), (3000, 2)] {
        let mut pixels: Vec<u16> = (0..rows * columns).map(|at| (at * 7919 % 60_000) as u16).collect();
        // Noise may look like text; it must not end the process.
        let cleaned = searcher.clean(&mut pixels, rows, columns);
        assert!(matches!(cleaned, Ok(_) | Err(Refused::Covered | Refused::Persists)));
    }
    assert!(searcher.find(&[], 0, 0).is_empty());
}

#[test]
fn a_page_of_text_goes_to_a_person() {
    let searcher = Searcher::new(Markers::standard());
    let mut pixels = slope();
    for line in 0..13 {
        for at in number(2, 0) {
            pixels[(at + line * 12 * SIDE).wrapping_sub(25 * SIDE) % (SIDE * SIDE)] = 4000;
        }
    }
    assert!(searcher.clean(&mut pixels, SIDE, SIDE).is_err());
}

#[test]
fn what_is_left_beside_a_part_is_seen() {
    let networks = weights::built_in().unwrap();
    for turns in 0..4 {
        let (mut pixels, places) = (slope(), number(2, turns));
        places.iter().for_each(|at| pixels[*at] = 3800);
        let tones = Tones::of(&pixels, SIDE, SIDE);
        let place = |at: &usize| Area {
            x: at % SIDE,
            y: at / SIDE,
            width: 1,
            height: 1,
        };
        let boxed = |places: &[usize]| places.iter().map(place).reduce(Area::with).unwrap();
        let (whole, first) = (boxed(&places), boxed(&places[..places.len() / 10]));
        let left = closer::left_without(&networks, &tones, whole, first);
        assert!(left > closer::LEFT_MAX, "{turns}: {left}");
        let left = closer::left_without(&networks, &tones, whole, whole);
        assert!(left < closer::LEFT_MAX, "{turns}: {left}");
    }
}
