//! Which counts may be told: small ones are hidden, and so are as many others as it takes that no sum that is told, nor several of
//! them together, gives a hidden one back.
//!
//! This is the one rule of it. Whoever tells counts says which sums a reader knows, and keeps to what comes back.

/// Whether a count is too small to be told. That there is nothing of a kind is no count of anybody.
#[must_use]
pub const fn is_small(count: u64, least: u64) -> bool {
    0 < count && count < least
}

/// Counts of which those on the left add up to what those on the right do; places in one list.
///
/// A table whose sum stands beside it has its sum on the left. One whose sum is known, but stands nowhere in the list, has nothing
/// there: see [`Balance::of_all`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Balance {
    /// Places of the counts on one side.
    pub left: Vec<usize>,
    /// Places of those on the other.
    pub right: Vec<usize>,
}

/// How hidden counts are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown {
    /// All alike: nobody sees which are small, and which are hidden for their sake.
    Alike,
    /// Small ones as small: whoever reads knows that the others are not.
    Apart,
}

/// Of each of `counts`, whether it is hidden: where `is_hidden` says so, which at least every small one is, and where it takes more.
///
/// In each balance none is hidden, or at least two are; where all of them stand on one side, their sum, which anybody can work
/// out, is not small either. Where those that are small are `shown` apart, the sum leaves room for the others, too: else what is left
/// of it for a small one could be a single radiograph. Balances that share at most one count, and form no ring, then give nothing away together: every
/// sum of them still has two hidden counts in it. Of counts of one size the first in the list goes first.
#[must_use]
pub fn hidden(counts: &[u64], mut is_hidden: Vec<bool>, balances: &[Balance], least: u64, shown: Shown) -> Vec<bool> {
    let wanted = |is_hidden: &[bool]| {
        balances
            .iter()
            .find_map(|one| one.wants(counts, is_hidden, least, shown))
    };
    while let Some(place) = wanted(&is_hidden) {
        is_hidden[place] = true;
    }
    is_hidden
}

impl Balance {
    /// `places` counts in one table, of which anybody knows the sum.
    #[must_use]
    pub fn of_all(places: usize) -> Self {
        Self {
            left: Vec::new(),
            right: (0..places).collect(),
        }
    }

    /// The count to hide next, for otherwise a hidden one could be had: the smallest of those that are still told.
    fn wants(&self, counts: &[u64], is_hidden: &[bool], least: u64, shown: Shown) -> Option<usize> {
        let hidden = |side: &[usize]| -> Vec<u64> {
            let places = side.iter().filter(|place| is_hidden[**place]);
            places.map(|place| counts[*place]).collect()
        };
        let (left, right) = (hidden(&self.left), hidden(&self.right));
        let (number, sum) = (left.len() + right.len(), left.iter().chain(&right).sum::<u64>());
        let is_one_sided = left.is_empty() || right.is_empty();
        let known = match shown {
            Shown::Alike => 0,
            Shown::Apart => left.iter().chain(&right).filter(|count| **count >= least).count() as u64,
        };
        let room = least * (1 + known);
        if number == 0 || number >= 2 && !(is_one_sided && sum < room) {
            return None;
        }
        // Zeroes stay: they hide nothing.
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

    fn table(counts: &[u64], least: u64) -> Vec<usize> {
        shown(counts, least, Shown::Apart)
    }

    fn shown(counts: &[u64], least: u64, shown: Shown) -> Vec<usize> {
        let small = counts.iter().map(|count| is_small(*count, least)).collect();
        let hidden = hidden(counts, small, &[Balance::of_all(counts.len())], least, shown);
        (0..counts.len()).filter(|place| hidden[*place]).collect()
    }

    #[test]
    fn a_lone_small_count_takes_the_next_one_with_it() {
        assert_eq!(table(&[100, 3, 40, 60], 5), [1, 2]);
        assert_eq!(
            table(&[26, 1, 5, 20], 5),
            [1, 2, 3],
            "six of two of which one is five at least"
        );
        assert_eq!(
            shown(&[26, 1, 5, 20], 5, Shown::Alike),
            [1, 2],
            "six of two, whichever is the smaller"
        );
        assert_eq!(table(&[100, 1, 2, 60], 5), [1, 2, 3], "three together are small, too");
        assert_eq!(table(&[100, 3, 2, 60], 5), [1, 2]);
        assert_eq!(table(&[100, 3, 0, 60], 5), [1, 3], "nothing is no count to hide behind");
        assert!(table(&[100, 5, 40], 5).is_empty());
        assert_eq!(table(&[3], 5), [0]);
        assert!(table(&[], 5).is_empty());
    }

    proptest! {
        #[test]
        fn nobody_can_subtract_a_count_of_one_table(counts in proptest::collection::vec(0_u64..14, 0..8), least in 2_u64..8) {
            let hidden = table(&counts, least);
            prop_assert!((0..counts.len()).all(|place| !is_small(counts[place], least) || hidden.contains(&place)));
            let sum: u64 = hidden.iter().map(|place| counts[*place]).sum();
            let is_all = (0..counts.len()).all(|place| counts[place] == 0 || hidden.contains(&place));
            prop_assert!(hidden.is_empty() || is_all || hidden.len() >= 2 && sum >= least);
            // Whoever is told which are small, and the sum, knows that each of the others is at least `least`.
            let others = hidden.iter().filter(|place| counts[**place] >= least).count() as u64;
            prop_assert!(hidden.is_empty() || is_all || sum >= least * (1 + others));
        }
    }
}
