//! Agreement beyond chance.

use serde::{Deserialize, Serialize};

use crate::{Figure, NORMAL_95};

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
    /// The one that fits `classes`: those that are written as rising numbers are grades.
    #[must_use]
    pub fn of(classes: &[String]) -> Self {
        let grades: Option<Vec<i64>> = classes.iter().map(|class| class.parse().ok()).collect();
        match grades {
            Some(grades) if grades.is_sorted_by(|lower, higher| lower < higher) => Self::Quadratic,
            _ => Self::Nominal,
        }
    }

    /// Kappa of a table of weights, `table[truth][said]`: 1 is agreement throughout, 0 what chance alone would give. `None` where chance
    /// alone leaves nothing to disagree about.
    #[must_use]
    pub fn kappa(self, table: &[Vec<f64>]) -> Option<f64> {
        let sums = Sums::of(self, table);
        (sums.expected > 0.0).then(|| 1.0 - sums.observed / sums.expected)
    }

    /// Kappa of a table of counts with its interval of 95 % in large samples (Fleiss, Cohen and Everitt 1969), which takes what is counted as
    /// independent; `widening` is by how much the variance is larger because it is not (Kish's design effect 1965; 1 where it is). No
    /// interval where the table holds no disagreement: it would have no width.
    #[must_use]
    pub fn kappa_figure(self, table: &[Vec<f64>], widening: f64) -> Option<Figure> {
        let value = self.kappa(table)?;
        let sums = Sums::of(self, table);
        let Sums { all, expected, .. } = sums;
        // What each count adds to kappa, less the mean of that, which is 0.
        let mut squares = 0.0;
        for (truth, row) in table.iter().enumerate() {
            for (said, count) in row.iter().enumerate() {
                let by_observed = self.cost(truth, said) - sums.observed;
                let by_expected = sums.of_rows[truth] + sums.of_columns[said] - 2.0 * expected;
                let adds = (by_expected * (1.0 - value) - by_observed) / expected;
                squares += adds * adds * count / all;
            }
        }
        let half = NORMAL_95 * (squares / all * widening).sqrt();
        let is_sure = sums.observed > 0.0;
        Some(Figure {
            value,
            low: is_sure.then_some((value - half).max(-1.0)),
            high: is_sure.then_some((value + half).min(1.0)),
        })
    }

    fn cost(self, one: usize, other: usize) -> f64 {
        match self {
            Self::Nominal => f64::from(u8::from(one != other)),
            Self::Quadratic => (one.abs_diff(other) as f64).powi(2),
        }
    }
}

/// Costs of a table, each a mean over all counts.
struct Sums {
    all: f64,
    observed: f64,
    /// By chance.
    expected: f64,
    /// Of each true class by chance.
    of_rows: Vec<f64>,
    /// Of each said class by chance.
    of_columns: Vec<f64>,
}

impl Sums {
    fn of(agreement: Agreement, table: &[Vec<f64>]) -> Self {
        let all: f64 = table.iter().flatten().sum();
        let rows: Vec<f64> = table.iter().map(|row| row.iter().sum::<f64>() / all).collect();
        let columns: Vec<f64> = (0..table.len())
            .map(|column| table.iter().map(|row| row[column]).sum::<f64>() / all)
            .collect();
        let places = || 0..table.len();
        let by_chance = |of: &dyn Fn(usize) -> f64| places().map(of).sum::<f64>();
        let of_rows: Vec<f64> = places()
            .map(|truth| by_chance(&|said| agreement.cost(truth, said) * columns[said]))
            .collect();
        let of_columns = places()
            .map(|said| by_chance(&|truth| agreement.cost(truth, said) * rows[truth]))
            .collect();
        let observed = by_chance(&|truth| by_chance(&|said| agreement.cost(truth, said) * table[truth][said] / all));
        Self {
            all,
            observed,
            expected: by_chance(&|truth| rows[truth] * of_rows[truth]),
            of_rows,
            of_columns,
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
    fn rising_numbers_are_grades() {
        let of = |classes: &[&str]| Agreement::of(&classes.iter().map(|class| (*class).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["0", "1", "2", "10"]), Agreement::Quadratic);
        assert_eq!(of(&["1", "0"]), Agreement::Nominal);
        assert_eq!(of(&["CHEST", "HAND"]), Agreement::Nominal);
    }

    /// Fleiss, Cohen and Everitt (1969) for two readers by hand: of the table below the variance is by their formula
    /// `(sum p_ij (w_ij - (w_i. + w_.j)(1 - kappa))^2 - (kappa - pe (1 - kappa))^2) / (n (1 - pe)^2)`.
    #[test]
    fn the_interval_is_that_of_the_paper() {
        let table = [vec![20.0, 5.0], vec![10.0, 15.0]];
        // In the paper's own terms: agreements weigh 1, the rows 0.5 and 0.5, the columns 0.6 and 0.4.
        let (kappa, by_chance, all) = (0.4, 0.5, 50.0);
        let (rows, columns) = ([0.5, 0.5], [0.6, 0.4]);
        let mut sum = 0.0;
        for truth in 0..2 {
            for said in 0..2 {
                let agrees = f64::from(u8::from(truth == said));
                let adds: f64 = agrees - (columns[truth] + rows[said]) * (1.0 - kappa);
                sum += table[truth][said] / all * adds * adds;
            }
        }
        let less: f64 = kappa - by_chance * (1.0 - kappa);
        let error = ((sum - less * less) / (all * (1.0 - by_chance) * (1.0 - by_chance))).sqrt();
        let figure = Agreement::Nominal.kappa_figure(&table, 1.0).unwrap();
        near(figure.low, 0.4 - NORMAL_95 * error);
        near(figure.high, 0.4 + NORMAL_95 * error);
        let wider = Agreement::Nominal.kappa_figure(&table, 4.0).unwrap();
        near(wider.low, 0.4 - 2.0 * NORMAL_95 * error);
    }

    /// Drawn again and again from one table of grades, kappa is off as far as the interval says.
    #[test]
    fn an_interval_of_grades_is_as_wide_as_samples_differ() {
        use rand::{Rng, SeedableRng};
        let of = [[30, 8, 2], [6, 20, 9], [1, 7, 17]];
        let cells: Vec<(usize, usize)> = (0..3)
            .flat_map(|truth| (0..3).map(move |said| (truth, said)))
            .flat_map(|(truth, said)| std::iter::repeat_n((truth, said), of[truth][said]))
            .collect();
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        let kappas: Vec<f64> = (0..2000)
            .map(|_| {
                let mut table = vec![vec![0.0; 3]; 3];
                for _ in 0..100 {
                    let (truth, said) = cells[random.random_range(0..cells.len())];
                    table[truth][said] += 1.0;
                }
                Agreement::Quadratic.kappa(&table).unwrap()
            })
            .collect();
        let mean = kappas.iter().sum::<f64>() / 2000.0;
        let spread = (kappas.iter().map(|kappa| (kappa - mean).powi(2)).sum::<f64>() / 2000.0).sqrt();
        let table: Vec<Vec<f64>> = of
            .iter()
            .map(|row| row.iter().map(|count| *count as f64).collect())
            .collect();
        let figure = Agreement::Quadratic.kappa_figure(&table, 1.0).unwrap();
        let said = (figure.high.unwrap() - figure.low.unwrap()) / 2.0 / NORMAL_95;
        assert!((said / spread - 1.0).abs() < 0.1, "{said} {spread}");
    }

    #[test]
    fn agreement_throughout_is_one_and_a_single_class_gives_no_figure() {
        near(Agreement::Quadratic.kappa(&[vec![3.0, 0.0], vec![0.0, 4.0]]), 1.0);
        assert_eq!(Agreement::Nominal.kappa(&[vec![3.0, 0.0], vec![0.0, 0.0]]), None);
        let sure = Agreement::Nominal
            .kappa_figure(&[vec![3.0, 0.0], vec![0.0, 4.0]], 1.0)
            .unwrap();
        assert_eq!((sure.value, sure.low, sure.high), (1.0, None, None));
        // Everything said the other way round.
        near(Agreement::Nominal.kappa(&[vec![0.0, 5.0], vec![5.0, 0.0]]), -1.0);
    }
}
