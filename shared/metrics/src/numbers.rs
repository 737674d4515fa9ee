//! Figures of a head that tells a number, such as age.

use serde::{Deserialize, Serialize};

use crate::{
    Figure, MetricsError, Resampling,
    resampling::{count, resampled},
};

/// One radiograph that has the label.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct NumberRow {
    /// Whose it is, under any number.
    pub patient: usize,
    /// The true number, in the label's unit.
    pub truth: f64,
    /// What the model says.
    pub said: f64,
}

/// How far off a head's numbers are, in the label's unit. A figure is absent where it cannot be said.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct NumberFigures {
    /// Radiographs with the label.
    pub radiographs: u64,
    /// Patients behind them.
    pub patients: u64,
    /// Mean absolute error.
    pub mean_absolute_error: Option<Figure>,
    /// That of whoever always says the median of the training part: what a model must beat.
    pub constant_error: Option<Figure>,
    /// How much the model is better than the constant, over the same draws: above 0 throughout the interval, it has learned something.
    pub gain: Option<Figure>,
    /// Root of the mean squared error: large errors count more.
    pub root_mean_squared_error: Option<Figure>,
    /// Mean of said minus true (Bland and Altman 1986): above 0 where the model says too much.
    pub bias: Option<Figure>,
    /// Pearson's correlation of said and true; absent where one of them does not vary.
    pub correlation: Option<Figure>,
}

/// Figures of `rows`; `constant` is the median of the training part, if it has any.
///
/// # Errors
/// When a number is not finite.
pub fn of_numbers(
    rows: &[NumberRow],
    constant: Option<f64>,
    resampling: Resampling,
) -> Result<NumberFigures, MetricsError> {
    for (row, of) in rows.iter().enumerate() {
        if !of.truth.is_finite() || !of.said.is_finite() {
            let fault = "holds NaN or infinity";
            return Err(MetricsError::Row { row, fault });
        }
    }
    let patients: Vec<usize> = rows.iter().map(|row| row.patient).collect();
    let mut figures = resampled(&patients, resampling, |weights| statistics(rows, constant, weights)).into_iter();
    let mut next = || figures.next().flatten();
    Ok(NumberFigures {
        radiographs: rows.len() as u64,
        patients: count(patients.into_iter()),
        mean_absolute_error: next(),
        constant_error: next(),
        gain: next(),
        root_mean_squared_error: next(),
        bias: next(),
        correlation: next(),
    })
}

fn statistics(rows: &[NumberRow], constant: Option<f64>, weights: &[f64]) -> Vec<Option<f64>> {
    let error = mean(rows, weights, |row| (row.said - row.truth).abs());
    let by_constant = constant.and_then(|constant| mean(rows, weights, |row| (constant - row.truth).abs()));
    vec![
        error,
        by_constant,
        by_constant.zip(error).map(|(constant, error)| constant - error),
        mean(rows, weights, |row| (row.said - row.truth).powi(2)).map(f64::sqrt),
        mean(rows, weights, |row| row.said - row.truth),
        correlation(rows, weights),
    ]
}

fn correlation(rows: &[NumberRow], weights: &[f64]) -> Option<f64> {
    let (said, truth) = (
        mean(rows, weights, |row| row.said)?,
        mean(rows, weights, |row| row.truth)?,
    );
    let both = mean(rows, weights, |row| (row.said - said) * (row.truth - truth))?;
    let of_said = mean(rows, weights, |row| (row.said - said).powi(2))?;
    let of_truth = mean(rows, weights, |row| (row.truth - truth).powi(2))?;
    (of_said > 0.0 && of_truth > 0.0).then(|| (both / (of_said * of_truth).sqrt()).clamp(-1.0, 1.0))
}

fn mean(rows: &[NumberRow], weights: &[f64], of: impl Fn(&NumberRow) -> f64) -> Option<f64> {
    let all: f64 = weights.iter().sum();
    let sum: f64 = rows.iter().zip(weights).map(|(row, weight)| of(row) * weight).sum();
    (all > 0.0).then(|| sum / all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(pairs: &[(f64, f64)]) -> Vec<NumberRow> {
        let row = |(patient, (truth, said)): (usize, &(f64, f64))| NumberRow {
            patient,
            truth: *truth,
            said: *said,
        };
        pairs.iter().enumerate().map(row).collect()
    }

    fn near(found: Option<Figure>, expected: f64) {
        assert!((found.unwrap().value - expected).abs() < 1e-12, "{found:?} {expected}");
    }

    /// Errors 2, -1, 0, 3; by the constant 30: 10, 0, 10, 20. Deviations from the means 35 and 36: (-15, -14), (-5, -7), (5, 4), (15, 17).
    #[test]
    fn four_ages_by_hand() {
        let figures = of_numbers(
            &rows(&[(20.0, 22.0), (30.0, 29.0), (40.0, 40.0), (50.0, 53.0)]),
            Some(30.0),
            Resampling::default(),
        )
        .unwrap();
        near(figures.mean_absolute_error, 1.5);
        near(figures.constant_error, 10.0);
        near(figures.gain, 8.5);
        near(figures.root_mean_squared_error, 3.5_f64.sqrt());
        near(figures.bias, 1.0);
        near(figures.correlation, 520.0 / (500.0_f64 * 550.0).sqrt());
        assert_eq!((figures.radiographs, figures.patients), (4, 4));
        assert_eq!(
            figures.gain.unwrap().low,
            None,
            "four patients are too few for an interval"
        );
    }

    #[test]
    fn what_cannot_be_said_is_not_said() {
        let figures = of_numbers(&[], Some(1.0), Resampling::default()).unwrap();
        assert_eq!((figures.mean_absolute_error, figures.correlation), (None, None));
        let figures = of_numbers(&rows(&[(1.0, 5.0), (2.0, 5.0)]), None, Resampling::default()).unwrap();
        assert_eq!(
            (figures.constant_error, figures.gain, figures.correlation),
            (None, None, None)
        );
        assert!(of_numbers(&rows(&[(1.0, f64::NAN)]), None, Resampling::default()).is_err());
    }

    #[test]
    fn intervals_hold_their_figures_and_a_gain_is_judged_over_the_same_draws() {
        // Ages and errors without order.
        let pairs: Vec<(f64, f64)> = (0..120)
            .map(|row| {
                let age = f64::from(row * 37 % 80);
                (age, age + f64::from(row * 53 % 21) - 10.0)
            })
            .collect();
        let figures = of_numbers(&rows(&pairs), Some(40.0), Resampling::default()).unwrap();
        let all = [
            figures.mean_absolute_error,
            figures.constant_error,
            figures.gain,
            figures.root_mean_squared_error,
            figures.bias,
            figures.correlation,
        ];
        for figure in all {
            let figure = figure.unwrap();
            assert!(
                figure.low.unwrap() < figure.value && figure.value < figure.high.unwrap(),
                "{figure:?}"
            );
        }
        assert!(figures.gain.unwrap().low.unwrap() > 0.0);
    }
}
