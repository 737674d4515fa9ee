//! What follows from the detailed metrics of one site or of many: the area under the receiver operating characteristic, Cohen's kappa and
//! Brier's score of a head that names classes. Pure.

use serde::Serialize;
use snowball_metrics::{Agreement, ConcordanceSums, Figure, macro_area};
use snowball_protocol::{
    evaluation::{ClassCount, ClassDetail, Evaluation, HeadEvaluation},
    labels::LabelName,
    plan::{Head, HeadKind},
};

/// How well a head tells its classes apart, over the radiographs of the classes that are told in detail.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Discrimination {
    /// Which label.
    #[serde(skip)]
    pub label: LabelName,
    /// Radiographs behind it.
    pub images: u64,
    /// Mean of the areas of the classes that have one, each against the rest; its interval is over patients.
    pub auroc: Option<Figure>,
    /// Between truth and the class that was said.
    pub kappa: Option<Figure>,
    /// What a disagreement costs in `kappa`.
    pub agreement: Agreement,
    /// Brier's score over all classes, 0 (best) to 2.
    pub brier: Option<f64>,
    /// Each class that is told in detail.
    pub classes: Vec<ClassDiscrimination>,
}

/// How well one class is told from the rest.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ClassDiscrimination {
    /// Its code.
    pub class: String,
    /// Patients behind its radiographs.
    pub patients: u64,
    /// Against the rest; its interval is over patients.
    pub auroc: Option<Figure>,
    /// For which class its radiographs were taken, in the order of the plan's classes.
    pub said: Vec<u64>,
}

/// Every head of `evaluation` that is told in detail; `heads` are the plan's.
pub fn of(heads: &[Head], evaluation: &Evaluation) -> Vec<Discrimination> {
    let told = |head: &HeadEvaluation| {
        let HeadEvaluation::Classes { label, classes, .. } = head else {
            return None;
        };
        let planned = heads.iter().find(|planned| planned.label == *label)?;
        let HeadKind::Classes(names) = &planned.kind else {
            return None;
        };
        let detailed = |count| -> Option<(&ClassCount, &ClassDetail)> {
            let count: &ClassCount = count;
            Some((count, count.detail.as_ref()?))
        };
        let detailed: Vec<_> = classes.iter().filter_map(detailed).collect();
        (!detailed.is_empty()).then(|| of_classes(*label, names, &detailed))
    };
    evaluation.heads.iter().filter_map(told).collect()
}

fn of_classes(label: LabelName, names: &[String], classes: &[(&ClassCount, &ClassDetail)]) -> Discrimination {
    let mut table = vec![vec![0.0; names.len()]; names.len()];
    for (count, detail) in classes {
        let row = names.iter().position(|name| *name == count.class);
        if let Some(row) = row.and_then(|row| table.get_mut(row)) {
            row.iter_mut()
                .zip(&detail.said)
                .for_each(|(cell, said)| *cell = *said as f64);
        }
    }
    let images = classes.iter().flat_map(|(_, detail)| &detail.said).sum();
    let of_each: Vec<ClassDiscrimination> = classes.iter().map(|(count, detail)| of_class(count, detail)).collect();
    let ranked: Vec<_> = of_each
        .iter()
        .zip(classes)
        .filter_map(|(class, (_, detail))| Some((class.auroc?, *detail)))
        .collect();
    let areas: Vec<Figure> = ranked.iter().map(|(area, _)| *area).collect();
    let agreement = Agreement::of(names);
    let briers: f64 = classes.iter().map(|(_, detail)| detail.brier_sum).sum();
    Discrimination {
        label,
        images,
        auroc: macro_area(&areas, |one, other| together(ranked[one].1, ranked[other].1)),
        kappa: agreement.kappa_figure(&table, widening(names, classes)),
        agreement,
        brier: (images > 0).then(|| briers / images as f64),
        classes: of_each,
    }
}

/// The correlation of two classes' areas; 1, which makes no interval too narrow, where not all sites told it or one of both does not vary.
fn together(one: &ClassDetail, other: &ClassDetail) -> f64 {
    let known = || {
        let (first, later) = (one.covariance_sums.as_ref()?, other.covariance_sums.as_ref()?);
        let (first, later) = if first.len() < later.len() {
            (first, later)
        } else {
            (later, first)
        };
        // A class's place in the plan is how many stand before it.
        let covariance = later.get(first.len())?;
        let deviations = (one.ranks?.variance_sum * other.ranks?.variance_sum).sqrt();
        (deviations > 0.0).then(|| covariance / deviations)
    };
    known().unwrap_or(1.0)
}

fn of_class(count: &ClassCount, detail: &ClassDetail) -> ClassDiscrimination {
    let sums = detail.ranks.map(|ranks| ConcordanceSums {
        weight: ranks.weight_sum,
        area: ranks.area_sum,
        variance: ranks.variance_sum,
    });
    ClassDiscrimination {
        class: count.class.clone(),
        patients: detail.patients,
        auroc: sums.and_then(|sums| sums.figure()),
        said: detail.said.clone(),
    }
}

/// By how much the number of recognised radiographs varies more than if each were of another patient; never less than 1.
fn widening(names: &[String], classes: &[(&ClassCount, &ClassDetail)]) -> f64 {
    let (mut found, mut independent) = (0.0, 0.0);
    for (count, detail) in classes {
        let place = names.iter().position(|name| *name == count.class);
        let correct = place.and_then(|place| detail.said.get(place)).copied().unwrap_or(0) as f64;
        let images = detail.said.iter().sum::<u64>() as f64;
        found += detail.correct_variance;
        independent += if images > 0.0 {
            correct * (1.0 - correct / images)
        } else {
            0.0
        };
    }
    if independent > 0.0 {
        (found / independent).max(1.0)
    } else {
        1.0
    }
}

/// A figure and its interval for people.
pub fn text(figure: Option<Figure>) -> String {
    match figure {
        Some(Figure {
            value,
            low: Some(low),
            high: Some(high),
        }) => format!("{value:.3} ({low:.3} to {high:.3})"),
        Some(Figure { value, .. }) => format!("{value:.3}"),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
pub mod tests {
    use snowball_protocol::evaluation::Ranks;

    use super::*;
    use crate::fixture;

    /// Sex at one site with 20 patients a class, two radiographs each: 30 of 40 right on both sides, and an area of 0.8.
    pub fn classes() -> Vec<ClassCount> {
        let class = |code: &str, said: [u64; 2]| ClassCount {
            class: code.to_owned(),
            images: 40,
            correct: 30,
            detail: Some(ClassDetail {
                patients: 20,
                said: said.into(),
                correct_variance: 15.0,
                brier_sum: 12.0,
                ranks: Some(Ranks {
                    other_patients: 20,
                    weight_sum: 400.0 / 41.0,
                    area_sum: 0.8 * 400.0 / 41.0,
                    variance_sum: 0.005 * (400.0_f64 / 41.0).powi(2),
                }),
                covariance_sums: None,
            }),
        };
        vec![class("CHEST", [30, 10]), class("HAND", [10, 30])]
    }

    fn near(found: Option<f64>, expected: f64) {
        assert!(
            found.is_some_and(|found| (found - expected).abs() < 1e-9),
            "{found:?} {expected}"
        );
    }

    fn evaluation(classes: Vec<ClassCount>) -> Evaluation {
        Evaluation {
            model_digest: snowball_protocol::Sha256Digest::of(b"m"),
            images: 80,
            heads: vec![HeadEvaluation::Classes {
                label: LabelName::BodyPart,
                loss_sum: 1.0,
                images: 80,
                classes,
            }],
            reconstruction: None,
            contrast: None,
        }
    }

    #[test]
    fn figures_follow_from_the_sums() {
        let plan = fixture::plan("spines");
        let found = of(&plan.heads, &evaluation(classes())).remove(0);
        near(found.auroc.map(|auroc| auroc.value), 0.8);
        near(found.brier, 0.3);
        // 60 of 80 right, half of that by chance.
        near(found.kappa.map(|kappa| kappa.value), 0.5);
        // Of a table so even the variance is (1 - kappa^2) / n. Patients whose radiographs are both right or both wrong double it.
        let half = 1.959_963_984_540_054 * (2.0 * 0.75 / 80.0_f64).sqrt();
        near(found.kappa.and_then(|kappa| kappa.low), 0.5 - half);
        let auroc = found.auroc.unwrap();
        assert!(
            (auroc.low.unwrap() - 0.636).abs() < 0.01 && (auroc.high.unwrap() - 0.901).abs() < 0.01,
            "{auroc:?}"
        );
        assert_eq!((found.images, found.agreement), (80, Agreement::Nominal));
        assert!(text(found.kappa).starts_with("0.500 (0.23"), "{}", text(found.kappa));
    }

    #[test]
    fn classes_that_go_together_less_make_a_surer_mean_where_all_sites_tell() {
        let plan = fixture::plan("spines");
        let width = |sites: &[Option<f64>]| {
            let sites: Vec<Evaluation> = sites
                .iter()
                .map(|correlation| {
                    let mut classes = classes();
                    for (place, class) in classes.iter_mut().enumerate() {
                        let detail = class.detail.as_mut().unwrap();
                        let variance = detail.ranks.unwrap().variance_sum;
                        detail.covariance_sums = correlation.map(|correlation| vec![correlation * variance; place]);
                    }
                    evaluation(classes)
                })
                .collect();
            let auroc = of(&plan.heads, &Evaluation::pooled(&sites).unwrap())[0].auroc.unwrap();
            auroc.high.unwrap() - auroc.low.unwrap()
        };
        let unknown = width(&[None, None]);
        near(Some(width(&[Some(1.0), Some(1.0)])), unknown);
        near(Some(width(&[Some(0.0), Some(0.0)])), unknown * 0.5_f64.sqrt());
        near(Some(width(&[Some(0.0), Some(1.0)])), unknown * 0.75_f64.sqrt());
        // A node of before tells nothing of it.
        near(Some(width(&[Some(0.0), None])), unknown);
    }

    #[test]
    fn two_sites_are_surer_than_one_and_what_is_not_told_is_not_shown() {
        let plan = fixture::plan("spines");
        let one = evaluation(classes());
        let both = Evaluation::pooled([&one, &one]).unwrap();
        let width = |evaluation: &Evaluation| {
            let auroc = of(&plan.heads, evaluation)[0].auroc.unwrap();
            auroc.high.unwrap() - auroc.low.unwrap()
        };
        assert!((width(&one) / width(&both) - 2.0_f64.sqrt()).abs() < 0.05);
        let mut hidden = one.clone();
        hidden.hide_small_cells(21);
        assert_eq!(of(&plan.heads, &hidden), []);
        let mut unranked = classes();
        unranked[1].detail.as_mut().unwrap().ranks = None;
        let found = of(&plan.heads, &evaluation(unranked.clone())).remove(0);
        assert!(found.auroc == found.classes[0].auroc && found.classes[1].auroc.is_none());
        unranked[0].detail.as_mut().unwrap().ranks = None;
        let found = of(&plan.heads, &evaluation(unranked)).remove(0);
        assert_eq!((text(found.auroc), found.kappa.is_some()), ("-".to_owned(), true));
    }
}
