//! How good the models of a study are, over all sites with intervals and at each site: what sites let leave, small cells hidden there.

use std::collections::BTreeMap;

use snowball_protocol::{
    evaluation::{Evaluation, HeadEvaluation},
    labels::LabelName,
};
use snowball_web::{Axis, Html, Measured, MeasuredLine, MeasuredPoint, Page};

use crate::{
    dashboard::words::study as text,
    report::{StudyTold, Voice},
};

/// A model's quality over all sites in few words.
pub fn short(evaluation: &Evaluation, voice: Voice) -> Html {
    let heads = evaluation.heads.iter().filter_map(|head| {
        let label = Html::code(head.label().code()).and(" ");
        match (head.balanced_accuracy(), head.mean_absolute_errors(), head.mean_dice()) {
            (Some(share), ..) => Some(label.and(voice.tenths(share * 100.0)).and("\u{a0}%")),
            (_, Some((error, _)), _) => Some(label.and("±\u{a0}").and(voice.tenths(error))),
            (.., Some((dice, _))) => Some(label.and("Dice ").and(voice.decimals(Some(dice)))),
            _ => None,
        }
    });
    Html::join(heads, " · ")
}

/// The models of a study over all sites, by the round that made each.
#[derive(Default)]
struct Course {
    /// In percent.
    shares: BTreeMap<LabelName, Vec<MeasuredPoint>>,
    /// In the label's unit.
    errors: BTreeMap<LabelName, Vec<MeasuredPoint>>,
}

/// The quality, as a part of the study's page.
pub fn part(page: &mut Page, study: &StudyTold, voice: Voice) {
    let course = Course::of(study);
    if course.shares.is_empty() && course.errors.is_empty() {
        page.say(voice.word(text::COURSE_NONE).soft());
    }
    if !course.shares.is_empty() {
        page.say(voice.word(text::COURSE_SHARE));
        let lines = course.shares.into_iter().map(|(label, points)| line(label, points));
        page.measured(&Measured {
            label: "balanced accuracy, percent".to_owned(),
            lines: lines.collect(),
            axis: Axis::Steps,
            written: |value| format!("{value:.1}"),
        });
    }
    for (label, points) in course.errors {
        page.say(voice.say(text::COURSE_ERROR, &[("label", Html::code(label.code()))]));
        page.measured(&Measured {
            label: format!("{}: mean absolute error", label.code()),
            lines: vec![line(label, points)],
            axis: Axis::Steps,
            written: |value| format!("{value:.2}"),
        });
    }
    if !study.records.is_empty() {
        page.part(voice.word(text::EACH_SITE));
        voice.gain(page, study);
        voice.contributions(page, &study.records);
    }
}

impl Course {
    fn of(study: &StudyTold) -> Self {
        let mut course = Self::default();
        for record in &study.records {
            if let Some(evaluation) = &record.evaluation {
                course.add(u64::from(record.round.0.saturating_sub(1)), evaluation);
            }
        }
        let finals = study.finals.iter().filter_map(|(_, done)| done.evaluation.as_ref());
        if let (Some(last), Some(pooled)) = (study.records.last(), Evaluation::pooled(finals)) {
            course.add(last.round.0.into(), &pooled);
        }
        course
    }

    fn add(&mut self, at: u64, evaluation: &Evaluation) {
        for head in &evaluation.heads {
            let (points, value, scale) = match (head.balanced_accuracy(), head.mean_absolute_errors()) {
                (Some(share), _) => (self.shares.entry(head.label()).or_default(), share, 100.0),
                (_, Some((error, _))) => (self.errors.entry(head.label()).or_default(), error, 1.0),
                _ => continue,
            };
            points.push(point(at, value, head, scale));
        }
    }
}

fn point(at: u64, value: f64, head: &HeadEvaluation, scale: f64) -> MeasuredPoint {
    // The interval leans to the middle where a class has few radiographs: it is drawn at least as far as the value.
    let (low, high) = head.interval().unwrap_or((value, value));
    let (low, high) = (low.min(value), high.max(value));
    MeasuredPoint {
        at,
        value: value * scale,
        interval: (low * scale, high * scale),
    }
}

fn line(label: LabelName, points: Vec<MeasuredPoint>) -> MeasuredLine {
    MeasuredLine {
        name: label.code().to_owned(),
        points,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use snowball_protocol::{Sha256Digest, evaluation::ClassCount, session::PhaseName};
    use snowball_web::Language;

    fn evaluation(correct: u64) -> Evaluation {
        let class = |code: &str| ClassCount {
            class: code.to_owned(),
            images: 40,
            correct,
            detail: None,
        };
        Evaluation {
            model_digest: Sha256Digest::of(b"m"),
            images: 80,
            heads: vec![HeadEvaluation::Classes {
                label: LabelName::BodyPart,
                loss_sum: 1.0,
                images: 80,
                classes: vec![class("CHEST"), class("HAND")],
            }],
            reconstruction: None,
            contrast: None,
        }
    }

    fn told(correct: &[u64]) -> StudyTold {
        let plan = fixture::plan("spines");
        let records = (1..).zip(correct).map(|(round, correct)| {
            let mut record = fixture::record(&plan, round, Sha256Digest::of(b"a"), Sha256Digest::of(b"b"));
            record.evaluation = Some(evaluation(*correct));
            record
        });
        StudyTold {
            name: plan.study.clone(),
            title: plan.title.clone(),
            plan_digest: plan.digest(),
            parents: Vec::new(),
            phase: PhaseName::Collecting,
            rounds_planned: 9,
            heads: plan.heads.clone(),
            records: records.collect(),
            finals: Vec::new(),
        }
    }

    #[test]
    fn each_model_stands_at_the_round_that_made_it_with_its_interval() {
        let course = Course::of(&told(&[20, 30]));
        let points = &course.shares[&LabelName::BodyPart];
        assert_eq!((points[0].at, points[1].at), (0, 1));
        assert!((points[1].value - 75.0).abs() < 1e-9, "{}", points[1].value);
        let (low, high) = points[1].interval;
        assert!(low < 75.0 && 75.0 < high && high <= 100.0, "{low} {high}");
    }

    #[test]
    fn a_study_without_measures_says_so_and_one_with_them_draws_them() {
        for language in Language::ALL {
            let draw = |told: &StudyTold| {
                let mut page = Page::new(language, "quality");
                part(&mut page, told, Voice { language });
                page.finish()
            };
            let nothing = draw(&told(&[]));
            assert!(!nothing.contains("<svg"), "{nothing}");
            let something = draw(&told(&[20, 30, 35]));
            assert_eq!(snowball_web::fault(&something), None, "{something}");
            assert_eq!(something.matches("whisker").count() - 1, 3, "one is of the style");
        }
    }
}
