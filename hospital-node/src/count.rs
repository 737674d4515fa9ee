//! Counts of radiographs, files and patients that may be told: small ones are hidden, and so is what they could be had from.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use snowball_protocol::small::{self, Balance, Shown};

/// A count as it may be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// So many.
    Told(u64),
    /// At least one, and fewer than this.
    FewerThan(u64),
    /// Hidden because another hidden count could be had from it.
    Hidden,
}

impl Default for Count {
    fn default() -> Self {
        Self::Told(0)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told(count) => write!(formatter, "{count}"),
            Self::FewerThan(least) => write!(formatter, "fewer than {least}"),
            Self::Hidden => formatter.write_str("hidden"),
        }
    }
}

impl Count {
    /// One count that stands alone.
    pub const fn of(count: u64, cell_min: u64) -> Self {
        if small::is_small(count, cell_min) {
            Self::FewerThan(cell_min)
        } else {
            Self::Told(count)
        }
    }
}

/// `counts` as they may be told to whoever knows that `balances` hold: see [`small::hidden`].
pub fn told(counts: &[u64], balances: &[Balance], least: u64) -> Vec<Count> {
    let small = counts.iter().map(|count| small::is_small(*count, least)).collect();
    let hidden = small::hidden(counts, small, balances, least, Shown::Apart);
    let all = counts.iter().zip(hidden);
    all.map(|(count, is_hidden)| match (*count, is_hidden) {
        (count, false) => Count::Told(count),
        (count, true) if count < least => Count::FewerThan(least),
        (_, true) => Count::Hidden,
    })
    .collect()
}

/// Counts that stand in one table, with their sum: none of those that are hidden can be had by subtraction.
pub fn together<K: Ord + Clone>(counts: &BTreeMap<K, u64>, cell_min: u64) -> (BTreeMap<K, Count>, Count) {
    let each: Vec<u64> = counts.values().copied().collect();
    let told = told(&each, &[Balance::of_all(each.len())], cell_min);
    let sum = Count::of(each.iter().sum(), cell_min);
    (counts.keys().cloned().zip(told).collect(), sum)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_small_count_hides_a_second_one_and_their_sum_stays_told() {
        let counts = BTreeMap::from([("a", 2), ("b", 9), ("c", 100), ("d", 0)]);
        let (told, sum) = together(&counts, 5);
        assert_eq!(told["a"], Count::FewerThan(5));
        assert_eq!(told["b"], Count::Hidden);
        assert_eq!(told["c"], Count::Told(100));
        assert_eq!(told["d"], Count::Told(0));
        assert_eq!(sum, Count::Told(111));
        assert_eq!(together(&BTreeMap::from([("a", 2)]), 5).1, Count::FewerThan(5));
        assert_eq!(together(&BTreeMap::from([("a", 5)]), 5).0["a"], Count::Told(5));
    }

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
