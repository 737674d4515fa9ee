//! How good a model is, from its outputs and the truth: figures with intervals that can be believed.
//!
//! Every figure comes with a 95 % interval by resampling patients, not pictures: pictures of one patient are alike, and an interval that
//! takes them for independent is too narrow (cluster bootstrap; Field and Welsh 2007). A radiograph without the label does not come in
//! here, and a class that nobody has gives no figure rather than a wrong one. Pure: no file, no clock, no tensor; what is random is
//! seeded, so the same rows give the same intervals, bit for bit.
//!
//! Where the rows of several sites must stay where they are, [`Concordance`] makes sums of them that say nearly as much.
//!
//! Start at [`of_classes`] and [`of_numbers`]; [`resampled`] puts an interval around any other statistic of patients.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod agreement;
mod calibration;
mod classes;
mod concordance;
mod numbers;
mod ranking;
mod resampling;

pub use agreement::Agreement;
pub use calibration::{BINS, brier};
pub use classes::{ClassFigure, ClassFigures, ClassRow, of_classes};
pub use concordance::{AREA_VARIANCE_MAX, Concordance, ConcordanceSums, Influence, macro_area, weight};
pub use numbers::{NumberFigures, NumberRow, of_numbers};
pub use ranking::Ranking;
pub use resampling::{Figure, PATIENTS_MIN, Resampling, resampled};

/// Of a normal distribution, the point that 2.5 % lie beyond.
const NORMAL_95: f64 = 1.959_963_984_540_054;

/// Why no figures could be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MetricsError {
    /// A row that cannot be counted.
    #[error("row {row} {fault}")]
    Row {
        /// Its position.
        row: usize,
        /// What is wrong with it.
        fault: &'static str,
    },
}
