//! Counts of radiographs, files and patients that may be told: small ones are hidden, and so is what they could be had from.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use snowball_store::{Cell, Table, hide_small};

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
        if count > 0 && count < cell_min {
            Self::FewerThan(cell_min)
        } else {
            Self::Told(count)
        }
    }
}

/// Counts that stand in one table, with their sum: none of those that are hidden can be had by subtraction.
pub fn together<K: Ord + Clone>(counts: &BTreeMap<K, u64>, cell_min: u64) -> (BTreeMap<K, Count>, Count) {
    let keys: Vec<&K> = counts.keys().collect();
    let name = |place: usize| format!("{place:06}");
    let table: Table = counts
        .values()
        .enumerate()
        .filter(|(_, count)| **count > 0)
        .map(|(place, count)| {
            let cell = Cell::Counted {
                radiographs: *count,
                patients: *count,
            };
            (name(place), cell)
        })
        .collect();
    let hidden = hide_small(&table, cell_min);
    let told = keys.iter().enumerate().map(|(place, key)| {
        let count = counts[*key];
        let told = match hidden.get(&name(place)) {
            Some(Cell::Hidden { .. }) if count < cell_min => Count::FewerThan(cell_min),
            Some(Cell::Hidden { .. }) => Count::Hidden,
            Some(Cell::Counted { .. }) | None => Count::Told(count),
        };
        ((*key).clone(), told)
    });
    let sum = Count::of(counts.values().sum(), cell_min);
    (told.collect(), sum)
}

#[cfg(test)]
mod tests {
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
}
