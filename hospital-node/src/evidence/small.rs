//! Counts of files that a board may read: small ones are hidden, and so are as many others as it takes that no sum on the page,
//! nor several of them together, gives a hidden one back.
//!
//! A file stands for a patient here: nobody opens what waits in the quarantine to see whose it is. So a count that is told may
//! be of fewer patients; one that is hidden never is of more.

use crate::count::Count;

/// Counts of which those on the left add up to what those on the right do; places in one list.
pub struct Balance {
    pub left: Vec<usize>,
    pub right: Vec<usize>,
}

/// `counts` as they may be told.
///
/// In each balance none is hidden, or at least two are; where all of them stand on one side, their sum, which anybody can work
/// out, is not small either. Balances that share at most one count, and form no ring, then give nothing away together: every
/// sum of them still has two hidden counts in it.
pub fn told(counts: &[u64], balances: &[Balance], least: u64) -> Vec<Count> {
    let mut is_hidden: Vec<bool> = counts.iter().map(|count| (1..least).contains(count)).collect();
    while let Some(place) = balances.iter().find_map(|one| one.wants(counts, &is_hidden, least)) {
        is_hidden[place] = true;
    }
    let all = counts.iter().zip(is_hidden);
    all.map(|(count, is_hidden)| match (*count, is_hidden) {
        (count, false) => Count::Told(count),
        (count, true) if count < least => Count::FewerThan(least),
        (_, true) => Count::Hidden,
    })
    .collect()
}

impl Balance {
    /// The count to hide next, for otherwise a hidden one could be had: the smallest of those that are still told.
    fn wants(&self, counts: &[u64], is_hidden: &[bool], least: u64) -> Option<usize> {
        let hidden = |side: &[usize]| -> Vec<u64> {
            let places = side.iter().filter(|place| is_hidden[**place]);
            places.map(|place| counts[*place]).collect()
        };
        let (left, right) = (hidden(&self.left), hidden(&self.right));
        let (number, sum) = (left.len() + right.len(), left.iter().chain(&right).sum::<u64>());
        let is_one_sided = left.is_empty() || right.is_empty();
        if number == 0 || number >= 2 && !(is_one_sided && sum < least) {
            return None;
        }
        // Zeroes stay: that there is nothing of a kind is no count of anybody, and hides nothing.
        let others = self.left.iter().chain(&self.right).copied();
        others
            .filter(|place| !is_hidden[*place] && counts[*place] > 0)
            .min_by_key(|place| (counts[*place], *place))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(total: usize, parts: &[usize]) -> Balance {
        Balance {
            left: vec![total],
            right: parts.to_vec(),
        }
    }

    #[test]
    fn a_total_does_not_give_a_hidden_part_away() {
        // Thirteen files, of which three for one reason: ten would be the other one.
        let shown = told(&[13, 3, 10], &[sum(0, &[1, 2])], 5);
        assert_eq!(shown, [Count::Told(13), Count::FewerThan(5), Count::Hidden]);
        // Two reasons of one file each: their sum is small, too.
        let shown = told(&[42, 1, 1, 40], &[sum(0, &[1, 2, 3])], 5);
        assert_eq!(shown[3], Count::Hidden);
        // One reason alone: the total is the same number.
        let shown = told(&[3, 3], &[sum(0, &[1])], 5);
        assert_eq!(shown, [Count::FewerThan(5), Count::FewerThan(5)]);
        let shown = told(&[40, 15, 25, 0], &[sum(0, &[1, 2, 3])], 5);
        assert!(shown.iter().all(|count| matches!(count, Count::Told(_))));
    }

    #[test]
    fn another_table_does_not_give_a_hidden_part_away() {
        // Ten over two folders; 3 and 7 of them.
        let folders = [sum(0, &[1, 2])];
        assert_eq!(told(&[10, 3, 7], &folders, 5)[2], Count::Hidden);
        // What waits is what came in by two ways, as long as nobody looked: hidden here, it is hidden there.
        let waiting = || Balance {
            left: vec![0, 1],
            right: vec![2],
        };
        let shown = told(&[2, 38, 40], &[waiting()], 5);
        assert_eq!(shown, [Count::FewerThan(5), Count::Hidden, Count::Told(40)]);
        let shown = told(&[2, 0, 2], &[waiting()], 5);
        assert_eq!(shown, [Count::FewerThan(5), Count::Told(0), Count::FewerThan(5)]);
    }

    /// Two ways in with their reasons, as many folders as are summed up in the second, and what waits of both.
    fn tables() -> impl Strategy<Value = (Vec<u64>, u64)> {
        (proptest::collection::vec(0_u64..14, 8), 2_u64..8)
    }

    proptest! {
        #[test]
        fn nobody_can_subtract_a_hidden_count((small, least) in tables()) {
            // Parts 0 to 3 and their total 8; parts 4 to 7, whose total is part 0's complement in another table: 9.
            let mut counts = small;
            counts.push(counts[..4].iter().sum());
            counts.push(counts[0] + counts[4..8].iter().sum::<u64>());
            let balances = [sum(8, &[0, 1, 2, 3]), sum(9, &[0, 4, 5, 6, 7])];
            let shown = told(&counts, &balances, least);
            for (count, shown) in counts.iter().zip(&shown) {
                prop_assert!(matches!(shown, Count::Told(0)) || *count >= least || *shown == Count::FewerThan(least));
            }
            // Each balance alone, and both with what they share struck out.
            let hidden = |places: &[usize]| -> Vec<u64> {
                let places = places.iter().filter(|place| !matches!(shown[**place], Count::Told(_)));
                places.map(|place| counts[*place]).collect()
            };
            let sums: [(&[usize], &[usize]); 3] = [
                (&[8], &[0, 1, 2, 3]),
                (&[9], &[0, 4, 5, 6, 7]),
                (&[8, 4, 5, 6, 7], &[9, 1, 2, 3]),
            ];
            for (left, right) in sums {
                let (left, right) = (hidden(left), hidden(right));
                prop_assert_ne!(left.len() + right.len(), 1);
                if left.is_empty() || right.is_empty() {
                    let sum: u64 = left.iter().chain(&right).sum();
                    prop_assert!(sum == 0 || sum >= least);
                }
            }
        }
    }
}
