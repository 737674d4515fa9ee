//! Tesseract itself, where it is installed.

use super::*;

/// Capitals and digits of five by seven dots.
const SIGNS: [(char, [u8; 7]); 9] = [
    ('2', [14, 17, 1, 2, 4, 8, 31]),
    ('9', [14, 17, 17, 15, 1, 2, 12]),
    ('0', [14, 17, 19, 21, 25, 17, 14]),
    ('4', [2, 6, 10, 18, 31, 2, 2]),
    ('7', [31, 1, 2, 4, 8, 8, 8]),
    ('1', [4, 12, 4, 4, 4, 4, 14]),
    ('8', [14, 17, 17, 14, 17, 17, 14]),
    ('3', [31, 2, 4, 2, 1, 17, 14]),
    ('5', [31, 16, 30, 1, 1, 17, 14]),
];
const SIDE: usize = 256;

fn slope() -> Vec<u16> {
    let noise = |at: usize| (at.wrapping_mul(2_654_435_761) >> 7) % 40;
    (0..SIDE * SIDE)
        .map(|at| (900 + (at % SIDE) * 3 + (at / SIDE) * 4 + noise(at)) as u16)
        .collect()
}

#[test]
fn tesseract_reads_a_number_however_it_is_turned_and_nothing_in_a_slope() {
    let Ok(reader) = Tesseract::find() else {
        eprintln!("skipped: tesseract is not installed");
        return;
    };
    assert!(reader.version.starts_with("tesseract"), "{}", reader.version);
    assert_eq!(reader.words(SIDE, SIDE, &slope()), Some(Vec::new()));
    for turned in [false, true] {
        let mut pixels = slope();
        for (position, digit) in "29047183".chars().enumerate() {
            let (_, rows) = SIGNS.iter().find(|(sign, _)| *sign == digit).unwrap();
            for at in 0..35 * 9 {
                let (x, y) = (at % 15, at / 15);
                if rows[y / 3] >> (4 - x / 3) & 1 == 1 {
                    let (x, y) = (30 + position * 18 + x, 60 + y);
                    pixels[if turned {
                        (SIDE - 1 - x) * SIDE + y
                    } else {
                        y * SIDE + x
                    }] = 4000;
                }
            }
        }
        let words = reader.words(SIDE, SIDE, &pixels).unwrap();
        let digits = |word: &Word| word.text.chars().filter(char::is_ascii_digit).count();
        assert!(
            words.iter().any(|word| digits(word) >= 4 && word.confidence > 50.0),
            "{turned}: {words:?}"
        );
    }
}
