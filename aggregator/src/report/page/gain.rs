//! What each hospital has from a study: the quality of each round's model there, and the final one beside its own.

use std::collections::BTreeMap;

use snowball_protocol::{
    SiteName,
    evaluation::{Evaluation, HeadEvaluation},
    gain::{Gain, Measure, Verdict, of_finals, worst},
    labels::LabelName,
};
use snowball_web::{Curves, Difference, Differences, Html, Page, Table};

use super::Voice;
use crate::report::{StudyTold, words};

/// The quality of the models at one site, by the round that the model comes from.
type Course<'a> = Vec<(u32, &'a HeadEvaluation)>;

impl Voice {
    /// The quality of each round's model at each hospital, and the final one beside its own.
    pub fn gain(self, page: &mut Page, study: &StudyTold) {
        let mut labels: BTreeMap<LabelName, BTreeMap<&SiteName, Course<'_>>> = BTreeMap::new();
        let mut drawn: BTreeMap<&SiteName, Vec<(u32, f64)>> = BTreeMap::new();
        let mut found: BTreeMap<&SiteName, Vec<(u32, f64)>> = BTreeMap::new();
        let mut add = |site, round, evaluation| {
            let evaluation: &Evaluation = evaluation;
            for head in &evaluation.heads {
                let course = labels.entry(head.label()).or_default().entry(site).or_default();
                course.push((round, head));
            }
            let errors = evaluation.reconstruction.and_then(|drawn| drawn.mean_squared_errors());
            if let Some((error, _)) = errors {
                drawn.entry(site).or_default().push((round, error));
            }
            if let Some((share, _)) = evaluation.contrast.and_then(|paired| paired.shares_found()) {
                found.entry(site).or_default().push((round, share * 100.0));
            }
        };
        for record in &study.records {
            let timely = record.contributions.iter().filter(|part| part.behind == 0);
            for (site, evaluation) in timely.filter_map(|part| Some((&part.site, part.evaluation.as_ref()?))) {
                add(site, record.round.0 - 1, evaluation);
            }
        }
        let last = study.records.last().map_or(0, |record| record.round.0);
        for (site, done) in &study.finals {
            if let Some(evaluation) = &done.evaluation {
                add(site, last, evaluation);
            }
        }
        for (label, sites) in labels {
            self.curves(page, label, &sites);
        }
        if !drawn.is_empty() {
            page.say(self.word(words::CURVES_DRAWN));
            page.curves(&Curves {
                label: "mean squared error".to_owned(),
                lines: drawn.into_iter().map(|(site, line)| (site.to_string(), line)).collect(),
                written: |value| format!("{value:.3}"),
            });
        }
        if !found.is_empty() {
            page.say(self.word(words::CURVES_FOUND));
            page.curves(&Curves {
                label: "pairs found, percent".to_owned(),
                lines: found.into_iter().map(|(site, line)| (site.to_string(), line)).collect(),
                written: |value| format!("{value:.1}"),
            });
        }
        self.ranks(page, study);
        self.compared(page, &of_finals(&study.finals));
    }

    fn curves(self, page: &mut Page, label: LabelName, sites: &BTreeMap<&SiteName, Course<'_>>) {
        let is_error = sites
            .values()
            .flatten()
            .any(|(_, head)| head.mean_absolute_errors().is_some());
        let is_mask = sites.values().flatten().any(|(_, head)| head.mean_dice().is_some());
        let (title, what, value): (_, _, fn(&HeadEvaluation) -> Option<f64>) = if is_error {
            (words::CURVES_ERROR, "mean absolute error", |head| {
                head.mean_absolute_errors().map(|errors| errors.0)
            })
        } else if is_mask {
            (words::CURVES_DICE, "mean Dice coefficient", |head| {
                head.mean_dice().map(|dice| dice.0 * 100.0)
            })
        } else {
            (words::CURVES_SHARE, "balanced accuracy", |head| {
                head.balanced_accuracy().map(|share| share * 100.0)
            })
        };
        let lines = sites.iter().map(|(site, course)| {
            let line = course.iter().filter_map(|(round, head)| Some((*round, value(head)?)));
            (site.to_string(), line.collect())
        });
        let lines: Vec<(String, Vec<(u32, f64)>)> = lines.collect();
        // Where every class has too few radiographs to be told, there is nothing to draw and nothing to say of it.
        if lines.iter().all(|(_, line)| line.is_empty()) {
            return;
        }
        let title = self.say(title, &[("label", Html::code(label.code()))]);
        page.say(title);
        page.curves(&Curves {
            label: format!("{}: {what}", label.code()),
            lines,
            written: |value| format!("{value:.1}"),
        });
    }

    fn compared(self, page: &mut Page, compared: &[Gain]) {
        if compared.is_empty() {
            return;
        }
        let mut table = Table::new([
            self.words(words::HOSPITAL),
            self.words(words::LABEL),
            self.numbers(words::RADIOGRAPHS),
            self.numbers(words::SHARED_MODEL),
            self.numbers(words::OWN_MODEL),
            self.words(words::DIFFERENCE),
            self.words(words::VERDICT),
        ])
        .with_caption(self.word(words::GAIN));
        for gain in compared {
            let percent = scale(gain.measure);
            table.row([
                Html::text(gain.site.as_str()),
                Html::code(gain.label.code()),
                self.number(gain.images),
                self.tenths(gain.shared * percent),
                self.tenths(gain.own * percent),
                self.difference(gain),
                self.verdict(gain.verdict()),
            ]);
        }
        page.table(&table);
        page.differences(&Differences {
            label: self.word(words::GAIN).as_str().to_owned(),
            rows: compared
                .iter()
                .filter(|gain| gain.measure == Measure::BalancedAccuracy)
                .map(|gain| Difference {
                    name: format!("{} {}", gain.site, gain.label.code()),
                    value: gain.gain * 100.0,
                    interval: gain.interval.map(|(low, high)| (low * 100.0, high * 100.0)),
                    told: format!("{:+.1}", gain.gain * 100.0),
                })
                .collect(),
        });
        for least in worst(compared) {
            let values = [
                ("site", Html::text(least.site.as_str())),
                ("label", Html::code(least.label.code())),
                ("difference", self.difference(least)),
            ];
            page.say(self.say(words::WORST, &values));
        }
    }

    fn difference(self, gain: &Gain) -> Html {
        let percent = scale(gain.measure);
        let [value, low, high] = match gain.interval {
            Some((low, high)) => [gain.gain, low, high],
            None => return self.tenths(gain.gain * percent),
        }
        .map(|number| self.tenths(number * percent));
        self.say(words::WITH_INTERVAL, &[("value", value), ("low", low), ("high", high)])
    }

    fn verdict(self, verdict: Verdict) -> Html {
        match verdict {
            Verdict::Gain => self.word(words::IS_GAIN).good(),
            Verdict::Harm => self.word(words::IS_HARM).bad(),
            Verdict::Open => self.word(words::IS_OPEN).soft(),
        }
    }
}

/// Shares are told in percent.
const fn scale(measure: Measure) -> f64 {
    match measure {
        Measure::BalancedAccuracy => 100.0,
        Measure::MeanAbsoluteError => 1.0,
    }
}
