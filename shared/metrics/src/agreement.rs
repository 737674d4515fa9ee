//! Agreement beyond chance.

use serde::{Deserialize, Serialize};

/// What a disagreement costs in Cohen's kappa.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// The classes have no order: every disagreement costs the same (Cohen 1960).
    Nominal,
    /// The classes are in order, as grades are: a disagreement costs the square of its distance (Cohen 1968).
    Quadratic,
}

impl Agreement {
    /// Kappa of a table of weights, `table[truth][said]`: 1 is agreement throughout, 0 what chance alone would give. `None` where chance
    /// alone leaves nothing to disagree about.
    #[must_use]
    pub fn kappa(self, table: &[Vec<f64>]) -> Option<f64> {
        let rows: Vec<f64> = table.iter().map(|row| row.iter().sum()).collect();
        let columns: Vec<f64> = (0..table.len())
            .map(|column| table.iter().map(|row| row[column]).sum())
            .collect();
        let all: f64 = rows.iter().sum();
        let (mut observed, mut expected) = (0.0, 0.0);
        for (truth, row) in table.iter().enumerate() {
            for (said, weight) in row.iter().enumerate() {
                let cost = self.cost(truth, said);
                observed += cost * weight;
                expected += cost * rows[truth] * columns[said] / all;
            }
        }
        (expected > 0.0).then(|| 1.0 - observed / expected)
    }

    fn cost(self, one: usize, other: usize) -> f64 {
        match self {
            Self::Nominal => f64::from(u8::from(one != other)),
            Self::Quadratic => (one.abs_diff(other) as f64).powi(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<f64>, expected: f64) {
        assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?} {expected}");
    }

    /// 50 applications read by two readers: 20 both yes, 15 both no, 5 and 10 not. Observed 0.7, by chance 0.5, so kappa 0.4.
    #[test]
    fn two_readers_by_hand() {
        near(Agreement::Nominal.kappa(&[vec![20.0, 5.0], vec![10.0, 15.0]]), 0.4);
        // With two classes every disagreement is at distance 1.
        near(Agreement::Quadratic.kappa(&[vec![20.0, 5.0], vec![10.0, 15.0]]), 0.4);
    }

    /// Rows (2, 1, 1), columns (1, 2, 1), of 4. Costs observed: 1 at distance 1 = 1. Expected: over 4,
    /// 2*(0*1 + 1*2 + 4*1) + 1*(1*1 + 0 + 1*1) + 1*(4*1 + 1*2 + 0) = 12 + 2 + 6 = 20, that is 5. Kappa 1 - 1/5.
    #[test]
    fn a_grade_off_by_one_costs_less_than_one_off_by_two() {
        let by_one = [vec![1.0, 1.0, 0.0], vec![0.0, 1.0, 0.0], vec![0.0, 0.0, 1.0]];
        near(Agreement::Quadratic.kappa(&by_one), 0.8);
        let by_two = [vec![1.0, 0.0, 1.0], vec![0.0, 1.0, 0.0], vec![0.0, 0.0, 1.0]];
        assert!(Agreement::Quadratic.kappa(&by_two) < Agreement::Quadratic.kappa(&by_one));
    }

    #[test]
    fn agreement_throughout_is_one_and_a_single_class_gives_no_figure() {
        near(Agreement::Quadratic.kappa(&[vec![3.0, 0.0], vec![0.0, 4.0]]), 1.0);
        assert_eq!(Agreement::Nominal.kappa(&[vec![3.0, 0.0], vec![0.0, 0.0]]), None);
        // Everything said the other way round.
        near(Agreement::Nominal.kappa(&[vec![0.0, 5.0], vec![5.0, 0.0]]), -1.0);
    }
}
