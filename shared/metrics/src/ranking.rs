//! How well a score puts those that have a class before those that do not.

/// Rows in the order of a score; rows of the same score are one step. Sorted once, asked with many weights.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// Rows, lowest score first.
    order: Vec<usize>,
    /// Where each step of equal scores ends in `order`.
    ends: Vec<usize>,
    has: Vec<bool>,
}

impl Ranking {
    /// Of finite `scores`; `has[row]` says whether the row has the class.
    ///
    /// # Panics
    /// When there are not as many of both.
    #[must_use]
    pub fn new(scores: &[f64], has: &[bool]) -> Self {
        assert_eq!(scores.len(), has.len(), "a score a row");
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|one, other| scores[*one].total_cmp(&scores[*other]));
        let ends = (1..=order.len())
            .filter(|end| *end == order.len() || scores[order[*end]] != scores[order[*end - 1]])
            .collect();
        Self {
            order,
            ends,
            has: has.to_vec(),
        }
    }

    /// The area under the receiver operating characteristic: the share of pairs of one with and one without the class in which the one
    /// with it has the higher score, half a pair where both have the same. Exact, by ranks (Hanley and McNeil 1982). `None` where one
    /// of the two sides is empty.
    #[must_use]
    pub fn auroc(&self, weights: &[f64]) -> Option<f64> {
        let (mut pairs, mut with_all, mut without_below) = (0.0, 0.0, 0.0);
        for (with, without) in self.steps(weights) {
            pairs += with * (without_below + without / 2.0);
            with_all += with;
            without_below += without;
        }
        (with_all > 0.0 && without_below > 0.0).then(|| pairs / (with_all * without_below))
    }

    /// Average precision: the precision at each threshold, weighted by the recall that it adds, without interpolation (as in scikit-learn;
    /// Davis and Goadrich 2006 on why not to interpolate). A score without information reaches the share of those that have the class.
    /// `None` where nobody or everybody has it.
    #[must_use]
    pub fn average_precision(&self, weights: &[f64]) -> Option<f64> {
        let (mut sum, mut with_above, mut all_above) = (0.0, 0.0, 0.0);
        for (with, without) in self.steps(weights).collect::<Vec<_>>().into_iter().rev() {
            with_above += with;
            all_above += with + without;
            if with > 0.0 {
                sum += with * with_above / all_above;
            }
        }
        (with_above > 0.0 && all_above > with_above).then(|| sum / with_above)
    }

    /// The weight with and without the class at each score, lowest first.
    fn steps<'a>(&'a self, weights: &'a [f64]) -> impl Iterator<Item = (f64, f64)> + 'a {
        let mut begin = 0;
        self.ends.iter().map(move |end| {
            let (mut with, mut without) = (0.0, 0.0);
            for row in &self.order[begin..*end] {
                if self.has[*row] {
                    with += weights[*row];
                } else {
                    without += weights[*row];
                }
            }
            begin = *end;
            (with, without)
        })
    }
}

/// How well each row is placed: of a row with the class the share of those without it that have a lower score, of a row without it the share
/// of those with it that have a higher one; who has the same counts half.
pub(crate) fn placements(scores: &[f64], has: &[bool]) -> Vec<f64> {
    let ranking = Ranking::new(scores, has);
    let ones = vec![1.0; has.len()];
    let with_all = has.iter().filter(|has| **has).count() as f64;
    let without_all = has.len() as f64 - with_all;
    let (mut with_below, mut without_below, mut begin) = (0.0, 0.0, 0);
    let mut placed = vec![0.0; has.len()];
    for ((with, without), end) in ranking.steps(&ones).zip(&ranking.ends) {
        for row in &ranking.order[begin..*end] {
            placed[*row] = if has[*row] {
                (without_below + without / 2.0) / without_all
            } else {
                (with_all - with_below - with / 2.0) / with_all
            };
        }
        (with_below, without_below, begin) = (with_below + with, without_below + without, *end);
    }
    placed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn auroc(scores: &[f64], has: &[bool]) -> Option<f64> {
        Ranking::new(scores, has).auroc(&vec![1.0; has.len()])
    }

    fn precision(scores: &[f64], has: &[bool]) -> Option<f64> {
        Ranking::new(scores, has).average_precision(&vec![1.0; has.len()])
    }

    /// Pair by pair: (0.35, 0.8) with, (0.1, 0.4) without: three of four pairs are right.
    #[test]
    fn four_scores_by_hand() {
        let (scores, has) = ([0.1, 0.4, 0.35, 0.8], [false, false, true, true]);
        assert_eq!(auroc(&scores, &has), Some(0.75));
        // At 0.8: precision 1, recall 1/2. At 0.35: precision 2/3, recall 1.
        assert_eq!(precision(&scores, &has), Some(0.5 + 0.5 * 2.0 / 3.0));
    }

    #[test]
    fn equal_scores_count_half_a_pair() {
        assert_eq!(auroc(&[0.5, 0.5], &[true, false]), Some(0.5));
        // (0.5, 0.5) half, (0.5, 0.2) right, (0.9, 0.5) right, (0.9, 0.2) right.
        assert_eq!(
            auroc(&[0.5, 0.5, 0.2, 0.9], &[true, false, false, true]),
            Some(3.5 / 4.0)
        );
        // A constant score: precision is the share, whatever the order of the rows.
        assert_eq!(precision(&[0.3; 4], &[true, false, false, false]), Some(0.25));
        assert_eq!(precision(&[0.3; 4], &[false, false, false, true]), Some(0.25));
    }

    #[test]
    fn one_side_alone_gives_no_figure() {
        for has in [[true, true], [false, false]] {
            assert_eq!(auroc(&[0.1, 0.9], &has), None);
            assert_eq!(precision(&[0.1, 0.9], &has), None);
        }
    }

    #[test]
    fn a_weight_counts_as_so_many_copies() {
        let (scores, has) = ([0.1, 0.4, 0.35, 0.8], [false, false, true, true]);
        let ranking = Ranking::new(&scores, &has);
        let weights = [2.0, 0.0, 1.0, 3.0];
        let mut copies = (Vec::new(), Vec::new());
        for row in 0..4 {
            for _ in 0..weights[row] as usize {
                copies.0.push(scores[row]);
                copies.1.push(has[row]);
            }
        }
        assert_eq!(ranking.auroc(&weights), auroc(&copies.0, &copies.1));
        assert_eq!(ranking.average_precision(&weights), precision(&copies.0, &copies.1));
    }

    proptest! {
        /// Few distinct scores, so that many are equal.
        #[test]
        fn an_order_is_all_that_counts(rows in proptest::collection::vec((0_u8..6, any::<bool>()), 2..60)) {
            let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0) / 5.0).collect();
            let has: Vec<bool> = rows.iter().map(|row| row.1).collect();
            let bent: Vec<f64> = scores.iter().map(|score| (3.0 * score).exp() - 7.0).collect();
            prop_assert_eq!(auroc(&scores, &has), auroc(&bent, &has));
            prop_assert_eq!(precision(&scores, &has), precision(&bent, &has));

            let turned: Vec<f64> = scores.iter().map(|score| -score).collect();
            let swapped: Vec<bool> = has.iter().map(|has| !has).collect();
            if let Some(area) = auroc(&scores, &has) {
                prop_assert!((auroc(&turned, &has).unwrap() - (1.0 - area)).abs() < 1e-12);
                prop_assert!((auroc(&scores, &swapped).unwrap() - (1.0 - area)).abs() < 1e-12);
                // Pair by pair.
                let (mut right, mut pairs) = (0.0, 0.0);
                for (one, _) in has.iter().enumerate().filter(|(_, has)| **has) {
                    for (other, _) in has.iter().enumerate().filter(|(_, has)| !**has) {
                        pairs += 1.0;
                        right += match scores[one].total_cmp(&scores[other]) {
                            std::cmp::Ordering::Greater => 1.0,
                            std::cmp::Ordering::Equal => 0.5,
                            std::cmp::Ordering::Less => 0.0,
                        };
                    }
                }
                prop_assert!((right / pairs - area).abs() < 1e-12);
            }
        }

        #[test]
        fn the_area_is_the_share_of_weighted_pairs_in_order(
            rows in proptest::collection::vec((0_u8..6, any::<bool>(), 0_u8..3), 1..40)
        ) {
            let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0) / 6.0).collect();
            let has: Vec<bool> = rows.iter().map(|row| row.1).collect();
            let weights: Vec<f64> = rows.iter().map(|row| f64::from(row.2)).collect();
            let (mut right, mut all) = (0.0, 0.0);
            for (one, _) in has.iter().enumerate().filter(|(_, has)| **has) {
                for (other, _) in has.iter().enumerate().filter(|(_, has)| !**has) {
                    let pairs = weights[one] * weights[other];
                    all += pairs;
                    right += pairs * match scores[one].total_cmp(&scores[other]) {
                        std::cmp::Ordering::Greater => 1.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Less => 0.0,
                    };
                }
            }
            match Ranking::new(&scores, &has).auroc(&weights) {
                Some(area) => prop_assert!((right / all - area).abs() < 1e-12),
                None => prop_assert_eq!(all, 0.0),
            }
        }
    }
}
