//! Figures of a head that names classes.

use serde::{Deserialize, Serialize};

use crate::{
    Agreement, Figure, MetricsError, Ranking, Resampling,
    calibration::{brier, expected_error},
    resampling::{count, resampled},
};

/// One radiograph that has the label.
#[derive(Clone, PartialEq, Debug)]
pub struct ClassRow {
    /// Whose it is, under any number.
    pub patient: usize,
    /// The class that it has, by position.
    pub truth: usize,
    /// What the model says of each class; adds up to 1.
    pub probabilities: Vec<f32>,
}

/// How well a head tells its classes apart. A figure is absent where it cannot be said.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ClassFigures {
    /// Radiographs with the label.
    pub radiographs: u64,
    /// Patients behind them.
    pub patients: u64,
    /// Share of radiographs whose most probable class is the true one.
    pub accuracy: Option<Figure>,
    /// Mean of the recalls of the classes that are there (Brodersen et al. 2010). A draw without a class takes the mean of the others.
    pub balanced_accuracy: Option<Figure>,
    /// Area under the receiver operating characteristic, one class against the rest, mean over classes (Hand and Till 2001 on why not by
    /// pairs alone; here the plain mean).
    pub auroc: Option<Figure>,
    /// Average precision, one class against the rest, mean over classes.
    pub average_precision: Option<Figure>,
    /// Cohen's kappa between truth and most probable class.
    pub kappa: Option<Figure>,
    /// What a disagreement costs in `kappa`.
    pub agreement: Agreement,
    /// Brier's score over all classes, 0 (best) to 2.
    pub brier: Option<Figure>,
    /// Expected calibration error of the most probable class, 15 bins of equal width. Resampling makes it larger, so its interval is the
    /// reflected one and may lie below the figure: small samples overstate it (Kumar et al. 2019).
    pub calibration_error: Option<Figure>,
    /// Each class that is there.
    pub classes: Vec<ClassFigure>,
    /// Radiographs by true class (rows) and most probable class (columns), in the order of all classes.
    pub confusion: Vec<Vec<u64>>,
}

/// How well one class is told from the rest.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ClassFigure {
    /// Its code.
    pub class: String,
    /// Radiographs that have it.
    pub radiographs: u64,
    /// Patients behind them.
    pub patients: u64,
    /// Share of them whose most probable class it is.
    pub recall: Option<Figure>,
    /// Against the rest.
    pub auroc: Option<Figure>,
    /// Against the rest; a score without information reaches the class's share.
    pub average_precision: Option<Figure>,
}

/// Figures of `rows`, whose classes are `classes` in this order.
///
/// # Errors
/// When a row has another number of classes than that, or something that is no probability.
pub fn of_classes(
    classes: &[String],
    agreement: Agreement,
    rows: &[ClassRow],
    resampling: Resampling,
) -> Result<ClassFigures, MetricsError> {
    for (row, of) in rows.iter().enumerate() {
        sound(of, classes.len()).map_err(|fault| MetricsError::Row { row, fault })?;
    }
    let all = Rows::of(classes.len(), agreement, rows);
    let patients: Vec<usize> = rows.iter().map(|row| row.patient).collect();
    let mut figures = resampled(&patients, resampling, |weights| all.statistics(weights)).into_iter();
    let mut next = || figures.next().flatten();
    let (accuracy, balanced_accuracy, auroc, average_precision) = (next(), next(), next(), next());
    let (kappa, brier, calibration_error) = (next(), next(), next().map(Figure::reflected));
    let mut of_each = Vec::new();
    for (place, class) in classes.iter().enumerate() {
        let (recall, auroc, average_precision) = (next(), next(), next());
        let of_class = || rows.iter().filter(|row| row.truth == place);
        let radiographs = of_class().count() as u64;
        if radiographs > 0 {
            of_each.push(ClassFigure {
                class: class.clone(),
                radiographs,
                patients: count(of_class().map(|row| row.patient)),
                recall,
                auroc,
                average_precision,
            });
        }
    }
    Ok(ClassFigures {
        radiographs: rows.len() as u64,
        patients: count(patients.into_iter()),
        accuracy,
        balanced_accuracy,
        auroc,
        average_precision,
        kappa,
        agreement,
        brier,
        calibration_error,
        classes: of_each,
        confusion: all.confusion(&vec![1.0; rows.len()], |weight| weight as u64),
    })
}

/// Sums of f32 that add up to 1 are off by this much at most.
const ROUNDING: f32 = 1e-3;

fn sound(row: &ClassRow, classes: usize) -> Result<(), &'static str> {
    if row.probabilities.len() != classes || row.truth >= classes {
        return Err("has another number of classes");
    }
    let is_probability = |value: &f32| (0.0..=1.0 + ROUNDING).contains(value);
    let sum: f32 = row.probabilities.iter().sum();
    if !row.probabilities.iter().all(is_probability) || (sum - 1.0).abs() > ROUNDING {
        return Err("holds what is no probability");
    }
    Ok(())
}

/// What does not change from draw to draw.
struct Rows {
    agreement: Agreement,
    classes: usize,
    truths: Vec<usize>,
    said: Vec<usize>,
    right: Vec<bool>,
    /// The probability of the class that was said.
    surest: Vec<f64>,
    briers: Vec<f64>,
    rankings: Vec<Ranking>,
}

impl Rows {
    fn of(classes: usize, agreement: Agreement, rows: &[ClassRow]) -> Self {
        let said: Vec<usize> = rows.iter().map(|row| largest(&row.probabilities)).collect();
        let ranking = |class: usize| {
            let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.probabilities[class])).collect();
            let has: Vec<bool> = rows.iter().map(|row| row.truth == class).collect();
            Ranking::new(&scores, &has)
        };
        let pairs = || rows.iter().zip(&said);
        Self {
            agreement,
            classes,
            truths: rows.iter().map(|row| row.truth).collect(),
            right: pairs().map(|(row, said)| row.truth == *said).collect(),
            surest: pairs().map(|(row, said)| f64::from(row.probabilities[*said])).collect(),
            briers: rows.iter().map(|row| brier(&row.probabilities, row.truth)).collect(),
            rankings: (0..classes).map(ranking).collect(),
            said,
        }
    }

    /// Seven of the head, then three of each class, in the order that [`of_classes`] reads them.
    fn statistics(&self, weights: &[f64]) -> Vec<Option<f64>> {
        let table = self.confusion(weights, |weight| weight);
        let recall = |class: usize| {
            let all: f64 = table[class].iter().sum();
            (all > 0.0).then(|| table[class][class] / all)
        };
        let each: Vec<[Option<f64>; 3]> = (0..self.classes)
            .map(|class| {
                let ranking = &self.rankings[class];
                [
                    recall(class),
                    ranking.auroc(weights),
                    ranking.average_precision(weights),
                ]
            })
            .collect();
        let mean_of = |place: usize| mean(each.iter().filter_map(|figures| figures[place]));
        let all: f64 = weights.iter().sum();
        let share = |values: f64| (all > 0.0).then(|| values / all);
        let mut statistics = vec![
            share((0..self.classes).map(|class| table[class][class]).sum()),
            mean_of(0),
            mean_of(1),
            mean_of(2),
            self.agreement.kappa(&table),
            share(
                self.briers
                    .iter()
                    .zip(weights)
                    .map(|(brier, weight)| brier * weight)
                    .sum(),
            ),
            expected_error(&self.surest, &self.right, weights),
        ];
        statistics.extend(each.into_iter().flatten());
        statistics
    }

    fn confusion<T>(&self, weights: &[f64], cell: impl Fn(f64) -> T) -> Vec<Vec<T>> {
        let mut table = vec![vec![0.0; self.classes]; self.classes];
        for ((truth, said), weight) in self.truths.iter().zip(&self.said).zip(weights) {
            table[*truth][*said] += weight;
        }
        table
            .into_iter()
            .map(|row| row.into_iter().map(&cell).collect())
            .collect()
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// The last of the largest, as evaluations count it.
fn largest(values: &[f32]) -> usize {
    let largest = values.iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1));
    largest.map_or(0, |(place, _)| place)
}

#[cfg(test)]
mod tests;
