//! What stands behind the page: de-identification in short, the ledger and how to check it, certificates, programs.

use snowball_store::Cell;
use snowball_web::{Html, Page, Table};

use super::Sheet;
use crate::{auditor::words, count::Count};

impl Sheet<'_> {
    pub(super) fn deidentification(&self, page: &mut Page) {
        let evidence = &self.audit.evidence;
        page.section(self.word(words::DEIDENTIFICATION));
        page.say(self.word(words::DEIDENTIFICATION_SAYS));
        let edition = Html::text(&evidence.edition);
        let mut facts = vec![(
            self.word(words::RULES),
            self.say(words::RULES_SAY, &[("edition", edition)]),
        )];
        if let Ok(rules) = &evidence.rules {
            let options = match rules.options.as_slice() {
                [] => self.word(words::STRICTEST),
                options => Html::join(options.iter().map(|option| Html::code(option)), ", "),
            };
            facts.push((self.word(words::OPTIONS), options));
        }
        facts.push((self.word(words::KEPT), self.alone(evidence.redactions.radiographs)));
        facts.push((self.word(words::REDACTED), self.alone(evidence.redactions.redacted)));
        let selftest = match &evidence.selftest {
            None => self.word(words::SELFTEST_NEVER).bad(),
            Some(test) => {
                let day = [("day", Html::day(test.finished_at))];
                if test.passed {
                    self.say(words::SELFTEST_PASSED, &day).good()
                } else {
                    self.say(words::SELFTEST_FAILED, &day).bad()
                }
            }
        };
        facts.push((self.word(words::SELFTEST), selftest));
        let looks = evidence.reviews.iter().flat_map(|review| &review.records);
        let looks: Vec<Html> = looks
            .map(|(looked, _)| {
                let values = [
                    ("found", self.number(looked.found)),
                    ("looked", self.number(looked.looked_at)),
                    ("day", Html::day(looked.when)),
                ];
                self.say(words::SAMPLE, &values)
            })
            .collect();
        let samples = if looks.is_empty() {
            self.word(words::NONE)
        } else {
            Html::below(looks)
        };
        facts.push((self.word(words::SAMPLES), samples));
        let cells = &evidence.small_cells;
        let values = [
            ("all", self.number(cells.combinations)),
            ("small", self.number(cells.small)),
            ("cell_min", self.number(evidence.cell_min)),
        ];
        let mut stand_out = self.say(words::STAND_OUT_SAYS, &values);
        if let Cell::Hidden { below } = cells.patients {
            stand_out = stand_out.and(" (").and(self.count(Count::FewerThan(below))).and(")");
        }
        facts.push((self.word(words::STAND_OUT), stand_out));
        page.facts(facts);
    }

    pub(super) fn ledger(&self, page: &mut Page) {
        let ledger = &self.audit.evidence.ledger;
        page.section(self.word(words::LEDGER));
        match &ledger.fault {
            None => {
                let entries = self.number(ledger.entries);
                page.say(self.say(words::LEDGER_SOUND, &[("entries", entries)]));
            }
            Some(fault) => {
                let fault = Html::text(fault);
                page.say(self.say(words::LEDGER_BROKEN, &[("fault", fault)]).bad());
            }
        }
        let mut facts = Vec::new();
        if let Some(head) = ledger.head {
            facts.push((self.word(words::HEAD), Html::code(&head.to_string())));
        }
        facts.push((self.word(words::LEDGER_KEY), Html::code(&ledger.public_key)));
        if let Some(fingerprint) = self.audit.ledger_key_fingerprint {
            facts.push((self.word(words::KEY_FINGERPRINT), Html::code(&fingerprint.to_string())));
        }
        match &self.audit.aggregator {
            Some(aggregator) => facts.extend([
                (self.word(words::AGGREGATOR), Html::code(&aggregator.address)),
                (self.word(words::AGGREGATOR_KEY), Html::code(&aggregator.key)),
                (
                    self.word(words::CA_FINGERPRINT),
                    Html::code(&aggregator.ca_fingerprint.to_string()),
                ),
            ]),
            None => facts.push((self.word(words::AGGREGATOR), self.word(words::NOT_ENROLLED))),
        }
        let heads = &self.audit.history.heads;
        if let Some(last) = heads.last {
            let values = [("count", self.number(heads.exchanged)), ("day", Html::minute(last))];
            facts.push((self.word(words::HEADS), self.say(words::HEADS_LAST, &values)));
        }
        if heads.refused > 0 {
            let refused = self.number(heads.refused).bad();
            facts.push((self.word(words::HEADS_REFUSED), refused));
        }
        page.facts(facts);
        page.say(self.word(words::CHECK_SAYS));
        page.verbatim(&format!(
            "hospital-node ledger verify --folder COPY --key {key}\npython3 tests/verify_ledger.py --key {key} COPY",
            key = ledger.public_key
        ));
        page.say(self.word(words::RECOUNT_SAYS));
        page.verbatim("hospital-node ledger show\nhospital-node --json ledger show --kind update_approved --kind disclosure_sent\nhospital-node receipts verify");
    }

    pub(super) fn certificates(&self, page: &mut Page) {
        page.section(self.word(words::CERTIFICATES));
        match &self.audit.certificate {
            Some(certificate) => {
                let values = [
                    ("serial", Html::text(&certificate.serial)),
                    ("from", Html::minute(certificate.not_before)),
                    ("to", Html::minute(certificate.not_after)),
                ];
                page.say(self.say(words::CERTIFICATE_IN_USE, &values));
            }
            None => page.say(self.word(words::CERTIFICATE_NONE)),
        }
        let mut table = Table::new([
            self.words(words::CAME),
            self.words(words::WHAT),
            self.words(words::SERIAL),
        ]);
        for (place, step) in self.audit.history.certificates.iter().enumerate() {
            let what = if place == 0 { words::ENROLMENT } else { words::RENEWAL };
            table.row([Html::minute(step.time), self.word(what), Html::code(&step.serial)]);
        }
        page.table(&table);
    }

    pub(super) fn programs(&self, page: &mut Page) {
        page.section(self.word(words::PROGRAMS));
        let mut table = Table::new([
            self.words(words::VERSION),
            self.words(words::FIRST),
            self.words(words::LAST_START),
            self.numbers(words::STARTS),
        ]);
        for program in &self.audit.history.programs {
            table.row([
                Html::text(&program.version),
                Html::minute(program.first),
                Html::minute(program.last),
                self.number(program.starts),
            ]);
        }
        page.table(&table);
        let count = self.number(self.audit.history.unfinished_writes);
        page.say(self.say(words::UNFINISHED, &[("count", count)]));
    }
}
