//! What was trained and what it said of the patients that nothing was trained on.

use serde::{Deserialize, Serialize};

/// The radiographs that every run is judged on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Judged {
    /// Of each radiograph, which patient: from 0 on, without gaps.
    pub patients: Vec<usize>,
    /// What is true of each.
    pub truths: Truths,
}

/// What is true of each radiograph.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Truths {
    /// One class of a list.
    Classes {
        /// The classes; of two the second is the one that is looked for.
        names: Vec<String>,
        /// The place in the list.
        of: Vec<usize>,
    },
    /// A number, in the label's unit.
    Numbers {
        /// The numbers.
        of: Vec<f64>,
    },
}

/// What a run said of each radiograph.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outputs {
    /// The probability of each class.
    Probabilities(Vec<Vec<f64>>),
    /// The number, in the label's unit.
    Numbers(Vec<f64>),
}

/// One training and what it said.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Which arm, by its place.
    pub arm: usize,
    /// Which of the arm's starts: an arm may be the mean of several, as of all hospitals that trained alone.
    pub start: usize,
    /// With how many labels.
    pub labels: u64,
    /// Which draw of the labels, and seed of everything random.
    pub seed: u32,
    /// What it said.
    pub outputs: Outputs,
}

impl Judged {
    /// Radiographs.
    #[must_use]
    pub fn radiographs(&self) -> usize {
        self.patients.len()
    }

    /// Patients.
    #[must_use]
    pub fn people(&self) -> usize {
        self.patients.iter().max().map_or(0, |last| last + 1)
    }
}
