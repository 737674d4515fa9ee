//! How the final model ranks patients, where hospitals let detailed metrics leave.

use snowball_metrics::Figure;
use snowball_protocol::evaluation::Evaluation;
use snowball_web::{Html, Page, Table};

use super::Voice;
use crate::{
    quality::{self, Discrimination},
    report::{StudyTold, words},
};

impl Voice {
    pub(super) fn ranks(self, page: &mut Page, study: &StudyTold) {
        let sites = || {
            let told = study.finals.iter();
            told.filter_map(|(site, done)| Some((site, done.evaluation.as_ref()?)))
        };
        let mut table = Table::new([
            self.words(words::HOSPITAL),
            self.words(words::LABEL),
            self.numbers(words::RADIOGRAPHS),
            self.words(words::AREA),
            self.words(words::KAPPA),
            self.numbers(words::BRIER),
        ])
        .with_caption(self.word(words::RANKS));
        let mut add = |name: &Html, evaluation: &Evaluation| {
            for told in quality::of(&study.heads, evaluation) {
                table.row(self.ranked(name.clone(), &told));
            }
        };
        for (site, evaluation) in sites() {
            add(&Html::text(site.as_str()), evaluation);
        }
        if let Some(pooled) = Evaluation::pooled(sites().map(|(_, evaluation)| evaluation)) {
            add(&self.word(words::ALL_HOSPITALS), &pooled);
        }
        if !table.is_empty() {
            page.table(&table);
        }
    }

    fn ranked(self, name: Html, told: &Discrimination) -> [Html; 6] {
        [
            name,
            Html::code(told.label.code()),
            self.number(told.images),
            self.figure(told.auroc),
            self.figure(told.kappa),
            self.decimals(told.brier),
        ]
    }

    fn figure(self, figure: Option<Figure>) -> Html {
        match figure {
            Some(Figure {
                value,
                low: Some(low),
                high: Some(high),
            }) => {
                let [value, low, high] = [value, low, high].map(|number| self.decimals(Some(number)));
                self.say(words::WITH_INTERVAL, &[("value", value), ("low", low), ("high", high)])
            }
            other => self.decimals(other.map(|figure| figure.value)),
        }
    }
}
