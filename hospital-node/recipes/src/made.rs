//! Labels that the trainer makes: it turns a picture by quarters (Gidaris et al. 2018), or cuts it into tiles and puts these in another
//! order (Noroozi and Favaro 2016), and the network tells which.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use snowball_protocol::labels::LabelName;

/// Between tiles lies a gap of this part of a tile, so that no line that goes on from one to the next tells their order.
const GAP: usize = 8;

/// Does to the picture `input` of `side` by `side` what `class` of `label` says; nothing for any other label. Where `random` is given, it
/// draws where in their places tiles are cut; without it they are cut in the middle.
pub fn make(label: LabelName, class: &str, side: usize, random: Option<&mut ChaCha8Rng>, input: &mut [f32]) {
    match label {
        LabelName::Rotation => turn(class, side, input),
        LabelName::Jigsaw => shuffle(class, side, random, input),
        LabelName::BodyPart
        | LabelName::View
        | LabelName::Laterality
        | LabelName::Sex
        | LabelName::Age
        | LabelName::Site(_) => {}
    }
}

/// Turns a square counter-clockwise by so many degrees, a multiple of 90.
fn turn(degrees: &str, side: usize, input: &mut [f32]) {
    let last = side.saturating_sub(1);
    // Where the four pixels that change places go, ring by ring.
    let quarter = |input: &mut [f32]| {
        for row in 0..side / 2 {
            for column in row..last - row {
                let ring = [
                    row * side + column,
                    column * side + last - row,
                    (last - row) * side + last - column,
                    (last - column) * side + row,
                ];
                let first = input[ring[0]];
                input[ring[0]] = input[ring[1]];
                input[ring[1]] = input[ring[2]];
                input[ring[2]] = input[ring[3]];
                input[ring[3]] = first;
            }
        }
    };
    match degrees {
        "90" => quarter(input),
        "180" => input.reverse(),
        "270" => {
            input.reverse();
            quarter(input);
        }
        _ => {}
    }
}

/// Puts at each place, row by row, the tile that `order` names there: of 4 or of 9. The tiles are a gap smaller than their places.
fn shuffle(order: &str, side: usize, mut random: Option<&mut ChaCha8Rng>, input: &mut [f32]) {
    let count = if order.len() == 9 { 3 } else { 2 };
    let place = side / count;
    let gap = place / GAP;
    let size = place - gap;
    let from = input.to_vec();
    input.fill(0.0);
    for (to, tile) in order.bytes().enumerate() {
        // Orders are checked against the list of codes: digits from 1.
        let tile = usize::from(tile.saturating_sub(b'1')).min(count * count - 1);
        let mut cut = || match &mut random {
            Some(random) => random.random_range(0..=gap),
            None => gap / 2,
        };
        let (top, left) = (tile / count * place + cut(), tile % count * place + cut());
        let (to_top, to_left) = (to / count * place + gap / 2, to % count * place + gap / 2);
        for row in 0..size {
            let (source, target) = ((top + row) * side + left, (to_top + row) * side + to_left);
            input[target..target + size].copy_from_slice(&from[source..source + size]);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn four_quarters_are_a_whole_turn_and_one_goes_counter_clockwise() {
        let start = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
        for (degrees, turned) in [
            ("0", start),
            ("90", [3.0, 6.0, 9.0, 2.0, 5.0, 8.0, 1.0, 4.0, 7.0]),
            ("180", [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]),
            ("270", [7.0, 4.0, 1.0, 8.0, 5.0, 2.0, 9.0, 6.0, 3.0]),
        ] {
            let mut input = start;
            make(LabelName::Rotation, degrees, 3, None, &mut input);
            assert_eq!(input, turned, "{degrees}");
        }
        let mut input: Vec<f32> = (0..64).map(|at| at as f32).collect();
        let whole = input.clone();
        (0..4).for_each(|_| turn("90", 8, &mut input));
        assert_eq!(input, whole);
    }

    #[test]
    fn tiles_stand_where_the_order_says() {
        for (count, side) in [(2, 64), (3, 65)] {
            let place = side / count;
            let picture: Vec<f32> = (0..side * side)
                .map(|at| ((at / side / place).min(count - 1) * count + (at % side / place).min(count - 1) + 1) as f32)
                .collect();
            for order in LabelName::Jigsaw
                .codes()
                .into_iter()
                .filter(|order| order.len() == count * count)
            {
                for seed in [None, Some(1)] {
                    let mut random = seed.map(ChaCha8Rng::seed_from_u64);
                    let mut input = picture.clone();
                    make(LabelName::Jigsaw, order, side, random.as_mut(), &mut input);
                    let seen: String = (0..count * count)
                        .map(|at| (at / count * place + place / 2, at % count * place + place / 2))
                        .map(|(row, column)| (input[row * side + column] as u8 + b'0') as char)
                        .collect();
                    assert_eq!(seen, order);
                }
            }
        }
    }

    #[test]
    fn a_known_label_changes_nothing() {
        let mut input = [1.0, 2.0, 3.0, 4.0];
        make(LabelName::View, "AP", 2, None, &mut input);
        assert_eq!(input, [1.0, 2.0, 3.0, 4.0]);
    }
}
