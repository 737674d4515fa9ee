//! What more a site says of a class, where plan and policy let detailed metrics leave: from these sums follow over all sites the area under
//! the receiver operating characteristic, Cohen's kappa and Brier's score. Nothing in here is of one radiograph, and no score is.
//!
//! All of it is of radiographs of this one class, or of how it stands against the rest: a class that is hidden takes it along, and what is
//! left tells nothing of it by subtraction that its counts did not tell.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a class was recognised, in more than counts.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassDetail {
    /// Patients behind the class's radiographs.
    pub patients: u64,
    /// For which class its radiographs were taken, in the order of the plan's classes: a row of the confusion matrix.
    pub said: Vec<u64>,
    /// Variance of how many of them are recognised, if other patients like these had come: how alike the radiographs of a patient are.
    pub correct_variance: f64,
    /// Sum of their Brier scores: the squared distances of all classes' probabilities from the truth, 0 to 2 a radiograph.
    pub brier_sum: f64,
    /// How the class's score ranks its radiographs against the others, where both sides have two patients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranks: Option<Ranks>,
    /// How the class's area goes together with the area of each class before it in the plan's order: covariances over patients, each times
    /// both weights, 0 where one of both has no ranks. What a mean over classes is sure of follows from them. Absent from nodes, and for
    /// aggregators, of before [`COVARIANCES_SINCE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance_sums: Option<Vec<f64>>,
}

/// The protocol version from which on both sides know covariances.
pub const COVARIANCES_SINCE: u16 = 2;

/// How well a class's score ranks its radiographs among all of the head, within a site: sums for an area over all sites.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ranks {
    /// Patients behind the radiographs of other classes.
    pub other_patients: u64,
    /// The weight: of so many patients with and without the class, their product over one more than their sum.
    pub weight_sum: f64,
    /// The area under the receiver operating characteristic, times the weight.
    pub area_sum: f64,
    /// The area's variance over patients, times the square of the weight.
    pub variance_sum: f64,
}

impl ClassDetail {
    /// Without what is of fewer patients than `cell_min`; nothing where that is all.
    pub(super) fn shown(mut self, cell_min: u64) -> Option<Self> {
        self.ranks = self.ranks.filter(|ranks| ranks.other_patients >= cell_min);
        (self.patients >= cell_min).then_some(self)
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.patients += other.patients;
        for (sum, said) in self.said.iter_mut().zip(&other.said) {
            *sum += said;
        }
        self.correct_variance += other.correct_variance;
        self.brier_sum += other.brier_sum;
        self.covariance_sums = match (self.ranks, other.ranks, self.covariance_sums.take()) {
            (_, None, sums) => sums,
            (None, Some(_), _) => other.covariance_sums.clone(),
            // Where one site does not tell them, nobody knows them over all.
            (Some(_), Some(_), sums) => sums.zip(other.covariance_sums.as_ref()).map(|(mut sums, others)| {
                sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += other);
                sums
            }),
        };
        self.ranks = match (self.ranks, other.ranks) {
            (Some(one), Some(other)) => Some(one.plus(other)),
            (one, other) => one.or(other),
        };
    }
}

impl Ranks {
    fn plus(self, other: Self) -> Self {
        Self {
            other_patients: self.other_patients + other.other_patients,
            weight_sum: self.weight_sum + other.weight_sum,
            area_sum: self.area_sum + other.area_sum,
            variance_sum: self.variance_sum + other.variance_sum,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Sha256Digest,
        evaluation::{ClassCount, Evaluation, HeadEvaluation},
        labels::LabelName,
    };

    fn detail(patients: u64, other_patients: u64) -> ClassDetail {
        ClassDetail {
            patients,
            said: vec![patients, 1],
            correct_variance: 0.5,
            brier_sum: 2.0,
            ranks: Some(Ranks {
                other_patients,
                weight_sum: 2.0,
                area_sum: 1.5,
                variance_sum: 0.25,
            }),
            covariance_sums: Some(vec![0.125]),
        }
    }

    fn site(detail: Option<ClassDetail>) -> Evaluation {
        Evaluation {
            model_digest: Sha256Digest::of(b"m"),
            images: 20,
            heads: vec![HeadEvaluation::Classes {
                label: LabelName::Sex,
                loss_sum: 1.0,
                images: 20,
                classes: vec![ClassCount {
                    class: "F".to_owned(),
                    images: 10,
                    correct: 8,
                    detail,
                }],
            }],
            reconstruction: None,
            contrast: None,
        }
    }

    fn told(evaluation: &Evaluation) -> Option<ClassDetail> {
        let HeadEvaluation::Classes { classes, .. } = &evaluation.heads[0] else {
            return None;
        };
        classes[0].detail.clone()
    }

    #[test]
    fn sums_add_up_over_the_sites_that_tell_them() {
        let all = [site(Some(detail(6, 7))), site(None), site(Some(detail(8, 9)))];
        let pooled = Evaluation::pooled(&all).unwrap();
        assert_eq!(
            told(&pooled),
            Some(ClassDetail {
                patients: 14,
                said: vec![14, 2],
                correct_variance: 1.0,
                brier_sum: 4.0,
                ranks: Some(Ranks {
                    other_patients: 16,
                    weight_sum: 4.0,
                    area_sum: 3.0,
                    variance_sum: 0.5,
                }),
                covariance_sums: Some(vec![0.25]),
            })
        );
        let unranked = ClassDetail {
            ranks: None,
            covariance_sums: None,
            ..detail(3, 0)
        };
        let of_before = ClassDetail {
            covariance_sums: None,
            ..detail(6, 7)
        };
        for (other, expected) in [(unranked, Some(vec![0.125])), (of_before, None)] {
            for sites in [[other.clone(), detail(8, 9)], [detail(8, 9), other]] {
                let pooled = Evaluation::pooled(&sites.map(|detail| site(Some(detail)))).unwrap();
                assert_eq!(told(&pooled).unwrap().covariance_sums, expected);
            }
        }
        let late = Evaluation::pooled(&[site(None), site(Some(detail(8, 9)))]).unwrap();
        assert_eq!(told(&late), Some(detail(8, 9)));
    }

    #[test]
    fn what_is_of_few_patients_stays() {
        let shown = |detail, cell_min| {
            let mut evaluation = site(Some(detail));
            evaluation.hide_small_cells(cell_min);
            told(&evaluation)
        };
        // The class before it is not told here, so that nothing goes together with it.
        let mut told = detail(5, 5);
        told.covariance_sums = Some(vec![0.0]);
        assert_eq!(shown(detail(5, 5), 5), Some(told));
        let mut alone = detail(5, 4);
        (alone.ranks, alone.covariance_sums) = (None, None);
        assert_eq!(shown(detail(5, 4), 5), Some(alone));
        // Ten radiographs, and so the count is shown.
        assert_eq!(shown(detail(4, 9), 5), None);
    }

    #[test]
    fn without_details_an_evaluation_is_what_it_always_was() {
        let mut evaluation = site(Some(detail(6, 7)));
        evaluation.forget_details();
        let text = serde_json::to_string(&evaluation).unwrap();
        assert!(evaluation == site(None) && !text.contains("detail"), "{text}");
        assert_eq!(serde_json::from_str::<Evaluation>(&text).unwrap(), evaluation);
    }
}
