//! What was done: rounds, what left, what was kept out, what the policy decided.

use snowball_protocol::intake::Disposition;
use snowball_web::{Bar, Bars, Html, Page, Table};

use super::Sheet;
use crate::{
    auditor::{
        history::{Left, ReceiptTold, Round},
        words,
    },
    count::Count,
};

/// Months on the plot, so that it fits a page.
const PLOT_MONTHS_MAX: usize = 24;

impl Sheet<'_> {
    pub(super) fn receipts(&self, page: &mut Page) {
        page.section(self.word(words::RECEIPTS));
        page.say(self.word(words::RECEIPTS_SAY));
        let mut table = Table::new([
            self.words(words::STUDY),
            self.numbers(words::ROUND),
            self.numbers(words::EXAMPLES),
            self.words(words::UPDATE),
            self.numbers(words::BYTES),
            self.words(words::RECEIVED),
            self.words(words::RECEIPT),
        ]);
        for (name, study) in &self.audit.history.studies {
            for (number, round) in &study.rounds {
                let receipt = round.receipt.as_ref();
                table.row([
                    Html::code(name.as_str()),
                    self.number(number.0.into()),
                    round
                        .examples
                        .map_or_else(Html::default, |examples| self.count(examples)),
                    round
                        .update
                        .map_or_else(Html::default, |digest| Html::code(&digest.short())),
                    round
                        .update
                        .map_or_else(Html::default, |_| self.number(round.update_bytes)),
                    receipt.map_or_else(Html::default, |receipt| Html::minute(receipt.received)),
                    self.receipt(round),
                ]);
            }
        }
        if table.is_empty() {
            page.say(self.word(words::RECEIPTS_NONE));
        }
        page.table(&table);
    }

    fn receipt(&self, round: &Round<Count>) -> Html {
        match &round.receipt {
            None if round.is_not_had => self.word(words::RECEIPT_NOT_HAD).bad(),
            None => self.word(words::RECEIPT_MISSING).soft(),
            Some(ReceiptTold { is_signed: false, .. }) => self.word(words::RECEIPT_NOT_SIGNED).bad(),
            Some(ReceiptTold {
                is_of_update: false, ..
            }) => self.word(words::RECEIPT_OTHER).bad(),
            Some(_) => self.word(words::RECEIPT_HOLDS).good(),
        }
    }

    pub(super) fn left(&self, page: &mut Page) {
        let history = &self.audit.history;
        page.section(self.word(words::LEFT));
        page.say(self.word(words::LEFT_SAYS));
        if history.months.is_empty() {
            page.say(self.word(words::LEFT_NOTHING));
            return;
        }
        page.part(self.word(words::PER_MONTH));
        self.plot(page);
        let mut table = Table::new([
            self.words(words::MONTH),
            self.numbers(words::UPDATES),
            self.numbers(words::UPDATE_BYTES),
            self.numbers(words::REQUESTS),
            self.numbers(words::REQUEST_BYTES),
            self.numbers(words::ALL_BYTES),
        ]);
        let row = |name: Html, left: &Left| {
            [
                name,
                self.number(left.updates.count),
                self.number(left.updates.bytes),
                self.number(left.requests.count),
                self.number(left.requests.bytes),
                self.number(left.bytes()),
            ]
        };
        for (month, left) in &history.months {
            table.row(row(Html::text(month), left));
        }
        table.row(row(self.word(words::TOTAL), &history.left()));
        page.table(&table);
        self.left_by_study(page);
        page.part(self.word(words::PER_KIND));
        let mut kinds = Table::new([
            self.words(words::KIND),
            self.numbers(words::REQUESTS),
            self.numbers(words::BYTES),
        ]);
        for (kind, sum) in &history.requests {
            kinds.row([
                self.known(kind, words::kind(kind)),
                self.number(sum.count),
                self.number(sum.bytes),
            ]);
        }
        page.table(&kinds);
    }

    fn left_by_study(&self, page: &mut Page) {
        let mut table = Table::new([
            self.words(words::STUDY),
            self.numbers(words::UPDATES),
            self.numbers(words::UPDATE_BYTES),
            self.numbers(words::METRICS),
            self.numbers(words::METRICS_BYTES),
        ]);
        for (name, study) in &self.audit.history.studies {
            if study.left != Left::default() {
                table.row([
                    Html::code(name.as_str()),
                    self.number(study.left.updates.count),
                    self.number(study.left.updates.bytes),
                    self.number(study.left.metrics.count),
                    self.number(study.left.metrics.bytes),
                ]);
            }
        }
        if !table.is_empty() {
            page.part(self.word(words::PER_STUDY));
            page.table(&table);
        }
    }

    fn plot(&self, page: &mut Page) {
        let months = &self.audit.history.months;
        let bar = |(month, left): (&String, &Left)| Bar {
            name: month.clone(),
            parts: [left.updates.bytes, left.requests.bytes],
            told: self.language.number(left.bytes()),
        };
        let skipped = months.len().saturating_sub(PLOT_MONTHS_MAX);
        page.bars(&Bars {
            label: words::PLOT.text(self.language),
            legend: [words::UPDATES, words::REQUESTS].map(|word| word.text(self.language)),
            bars: months.iter().skip(skipped).map(bar).collect(),
        });
        if skipped > 0 {
            let count = self.number(PLOT_MONTHS_MAX as u64);
            page.say(self.say(words::PLOT_LAST, &[("count", count)]).soft());
        }
    }

    pub(super) fn excluded(&self, page: &mut Page) {
        page.section(self.word(words::EXCLUDED));
        page.say(self.word(words::EXCLUDED_SAYS));
        let history = &self.audit.history;
        let ways = [
            (words::WAY_TRAINING, &history.intake),
            (words::WAY_DICOM, &history.deidentify),
        ];
        let mut runs = Table::new([
            self.words(words::WAY),
            self.numbers(words::RUNS),
            self.numbers(words::ACCEPTED),
            self.numbers(words::KEPT_OUT),
        ]);
        let mut reasons = Table::new([
            self.words(words::WAY),
            self.words(words::REASON),
            self.words(words::END),
            self.numbers(words::FILES),
        ]);
        for (way, excluded) in ways {
            runs.row([
                self.word(way),
                self.number(excluded.runs),
                self.count(excluded.accepted),
                self.count(excluded.kept_out),
            ]);
            for (reason, count) in &excluded.reasons {
                let end = match reason.disposition() {
                    Disposition::Rejected => words::REJECTED,
                    Disposition::Quarantined | Disposition::Accepted => words::QUARANTINED,
                };
                reasons.row([
                    self.word(way),
                    self.word(words::reason(*reason)),
                    self.word(end),
                    self.count(*count),
                ]);
            }
        }
        page.table(&runs);
        page.table(&reasons);
        self.people(page);
    }

    fn people(&self, page: &mut Page) {
        let people = &self.audit.history.people;
        page.part(self.word(words::PEOPLE));
        let mut facts = vec![
            (self.word(words::REVIEWED), self.count(people.reviewed)),
            (self.word(words::DISCARDED), self.count(people.discarded)),
            (self.word(words::PICTURES), self.count(people.pictures_shown)),
            (self.word(words::LOOKED_UP), self.count(people.looked_up)),
            (self.word(words::WITHDRAWALS), self.count(people.withdrawals)),
        ];
        if people.withdrawals != Count::Told(0) {
            facts.push((self.word(words::WITHDRAWN), self.count(people.withdrawn_radiographs)));
            let studies = people.withdrawn_studies.iter().map(|study| Html::code(study.as_str()));
            facts.push((self.word(words::WITHDRAWN_STUDIES), Html::join(studies, ", ")));
        }
        if let Some(time) = people.linkage_destroyed {
            facts.push((self.word(words::LINKAGE_GONE), Html::minute(time)));
        }
        let backups = people.backups;
        facts.push((self.word(words::BACKUPS), self.number(backups.made)));
        if backups.made > 0 {
            facts.push((self.word(words::BACKUPS_KEYS), self.number(backups.with_keys)));
            facts.push((self.word(words::BACKUPS_VAULT_KEY), self.number(backups.with_vault_key)));
        }
        page.facts(facts);
    }

    pub(super) fn decisions(&self, page: &mut Page) {
        page.section(self.word(words::DECISIONS));
        page.say(self.word(words::DECISIONS_SAY));
        let mut table = Table::new([
            self.words(words::ACTION),
            self.words(words::CLAUSE),
            self.numbers(words::PERMITTED),
            self.numbers(words::DENIED),
        ]);
        for (action, clauses) in &self.audit.history.decisions {
            for (clause, answers) in clauses {
                table.row([
                    self.known(action, words::action(action)),
                    Html::code(clause),
                    self.number(answers.permitted),
                    self.number(answers.denied),
                ]);
            }
        }
        if table.is_empty() {
            page.say(self.word(words::DECISIONS_NONE));
        }
        page.table(&table);
    }
}
