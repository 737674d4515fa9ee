//! What is of too few radiographs or patients stays at the site, and so does that from which it could be had: whoever knows how many
//! radiographs a head was judged on, and of all classes but one how many, knows it of that one.

use std::collections::BTreeSet;

use super::{ClassCount, ClassDetail, Evaluation, HeadEvaluation};
use crate::small::{Balance, Shown, hidden, is_small};

impl Evaluation {
    /// Leaves out every class with fewer than `cell_min` images, and every head, reconstruction and contrast with fewer than that; of what
    /// is told beyond counts, what is of fewer patients. Where the classes that are left out have fewer together, the smallest of the
    /// others goes with them.
    pub fn hide_small_cells(&mut self, cell_min: u64) {
        self.heads.retain(|head| match head {
            HeadEvaluation::Classes { images, .. } | HeadEvaluation::Regression { images, .. } => *images >= cell_min,
            // Its sums are over patients.
            HeadEvaluation::Mask { patients, .. } => *patients >= cell_min,
        });
        self.reconstruction = self.reconstruction.filter(|drawn| drawn.images >= cell_min);
        self.contrast = self.contrast.filter(|paired| paired.images >= cell_min);
        for head in &mut self.heads {
            if let HeadEvaluation::Classes { images, classes, .. } = head {
                hide_classes(*images, classes, cell_min);
            }
        }
    }
}

fn hide_classes(images: u64, classes: &mut Vec<ClassCount>, cell_min: u64) {
    let mut told = told_classes(images, classes, cell_min).into_iter();
    // As many answers as there are classes.
    classes.retain(|_| told.next().unwrap_or(false));
    for class in classes.iter_mut() {
        class.detail = class.detail.take().and_then(|detail| detail.shown(cell_min));
    }
    let patients: u64 = details(classes).map(|detail| detail.patients).sum();
    for detail in classes.iter_mut().filter_map(|class| class.detail.as_mut()) {
        let others = patients - detail.patients;
        // Patients without the class, less those of the classes that are told.
        detail.ranks = detail
            .ranks
            .filter(|ranks| !(1..cell_min).contains(&ranks.other_patients.saturating_sub(others)));
    }
    hide_covariances(classes);
}

/// Leaves of covariances those of two classes whose ranks are both told. A class's place in the plan is how many stand before it.
fn hide_covariances(classes: &mut [ClassCount]) {
    let places = details(classes).filter(|detail| detail.ranks.is_some());
    let places: BTreeSet<usize> = places
        .filter_map(|detail| detail.covariance_sums.as_ref().map(Vec::len))
        .collect();
    for detail in classes.iter_mut().filter_map(|class| class.detail.as_mut()) {
        let is_ranked = detail.ranks.is_some();
        detail.covariance_sums = detail.covariance_sums.take().filter(|_| is_ranked);
        for (place, sum) in detail.covariance_sums.iter_mut().flatten().enumerate() {
            if !places.contains(&place) {
                *sum = 0.0;
            }
        }
    }
}

/// Of each class whether it may be told to whoever knows that the head was judged on `images`.
fn told_classes(images: u64, classes: &[ClassCount], cell_min: u64) -> Vec<bool> {
    let mut counts: Vec<u64> = classes.iter().map(|class| class.images).collect();
    let mut is_hidden: Vec<bool> = counts.iter().map(|count| *count < cell_min).collect();
    // What is of no class is never told, and hides the others: alone it is hidden from nobody, and need not be unless it is small.
    let rest = images.saturating_sub(counts.iter().sum());
    if is_small(rest, cell_min) || rest > 0 && counts.iter().any(|count| is_small(*count, cell_min)) {
        counts.push(rest);
        is_hidden.push(true);
    }
    // Nothing is told of a class without images, and nothing hides behind one.
    let places = (0..counts.len()).filter(|place| counts[*place] > 0).collect();
    let all = Balance {
        left: Vec::new(),
        right: places,
    };
    let hidden = hidden(&counts, is_hidden, &[all], cell_min, Shown::Alike);
    hidden[..classes.len()].iter().map(|is_hidden| !is_hidden).collect()
}

fn details(classes: &[ClassCount]) -> impl Iterator<Item = &ClassDetail> {
    classes.iter().filter_map(|class| class.detail.as_ref())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Sha256Digest, evaluation::Ranks, labels::LabelName};

    /// Classes with so many images; half as many patients each.
    fn judged(images: &[u64]) -> Evaluation {
        let all: u64 = images.iter().sum();
        let classes = images
            .iter()
            .zip('A'..)
            .enumerate()
            .map(|(place, (images, class))| ClassCount {
                class: class.to_string(),
                images: *images,
                correct: *images,
                detail: Some(ClassDetail {
                    patients: images / 2,
                    said: vec![*images],
                    correct_variance: 0.0,
                    brier_sum: 0.0,
                    ranks: Some(Ranks {
                        other_patients: (all - images) / 2,
                        weight_sum: 1.0,
                        area_sum: 1.0,
                        variance_sum: 0.0,
                    }),
                    covariance_sums: Some(vec![0.5; place]),
                }),
            });
        Evaluation {
            model_digest: Sha256Digest::of(b"m"),
            images: all,
            heads: vec![HeadEvaluation::Classes {
                label: LabelName::BodyPart,
                loss_sum: 1.0,
                images: all,
                classes: classes.collect(),
            }],
            reconstruction: None,
            contrast: None,
        }
    }

    /// The classes that are told, and whether their ranks are, where the smallest cell is 6.
    fn told(images: &[u64]) -> Vec<(String, bool)> {
        let mut evaluation = judged(images);
        evaluation.hide_small_cells(6);
        let HeadEvaluation::Classes { classes, .. } = &evaluation.heads[0] else {
            panic!()
        };
        let ranked = |class: &ClassCount| class.detail.as_ref().is_some_and(|detail| detail.ranks.is_some());
        classes
            .iter()
            .map(|class| (class.class.clone(), ranked(class)))
            .collect()
    }

    fn classes(expected: &[(&str, bool)]) -> Vec<(String, bool)> {
        expected
            .iter()
            .map(|(class, ranked)| ((*class).to_owned(), *ranked))
            .collect()
    }

    #[test]
    fn a_small_class_does_not_follow_from_the_others() {
        assert_eq!(told(&[40, 30, 20]), classes(&[("A", true), ("B", true), ("C", true)]));
        assert_eq!(
            told(&[40, 30, 20, 0]),
            classes(&[("A", true), ("B", true), ("C", true)])
        );
        // Alone it would be the difference to ninety-three.
        assert_eq!(told(&[40, 30, 20, 3]), classes(&[("A", true), ("B", true)]));
        assert_eq!(told(&[40, 3]), classes(&[]));
        // Together they are six: of neither anything follows. Their three patients would follow from the others' ranks.
        assert_eq!(
            told(&[40, 30, 20, 3, 3]),
            classes(&[("A", false), ("B", false), ("C", false)])
        );
        assert_eq!(
            told(&[40, 30, 20, 6, 6]),
            classes(&[("A", true), ("B", true), ("C", true), ("D", false), ("E", false)])
        );
    }

    #[test]
    fn nothing_goes_together_with_a_class_that_is_not_told() {
        let mut evaluation = judged(&[40, 3, 3, 30, 20]);
        evaluation.hide_small_cells(3);
        let HeadEvaluation::Classes { classes, .. } = &evaluation.heads[0] else {
            panic!()
        };
        let sums: Vec<_> = details(classes).map(|detail| detail.covariance_sums.clone()).collect();
        // Of B and C, with one patient each, the counts alone are told.
        let told = |sums: &[f64]| Some(sums.to_vec());
        assert_eq!(sums, [told(&[]), told(&[0.5, 0.0, 0.0]), told(&[0.5, 0.0, 0.0, 0.5])]);
    }

    proptest! {
        #[test]
        fn what_is_left_out_is_nothing_or_not_small_and_costs_one_class_at_most(
            images in proptest::collection::vec(0_u64..14, 1..6),
            of_no_class in 0_u64..9,
            cell_min in 2_u64..8,
        ) {
            let all = images.iter().sum::<u64>() + of_no_class;
            let counts: Vec<ClassCount> = images.iter().map(|images| ClassCount {
                class: String::new(),
                images: *images,
                correct: 0,
                detail: None,
            }).collect();
            let told = told_classes(all, &counts, cell_min);
            let shown: u64 = images.iter().zip(&told).filter(|(_, told)| **told).map(|(images, _)| images).sum();
            let left_out = all - shown;
            prop_assert!(left_out == 0 || left_out >= cell_min || shown == 0);
            let large = |(images, told): &(&u64, &bool)| **images >= cell_min && !**told;
            prop_assert!(images.iter().zip(&told).filter(large).count() <= 1);
            prop_assert!(images.iter().zip(&told).all(|(images, told)| !told || *images >= cell_min));
        }
    }
}
