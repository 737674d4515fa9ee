//! The page itself: one function a section.

mod gain;
mod ranks;
mod studies;

use std::collections::BTreeMap;

use snowball_protocol::SiteName;
use snowball_web::{Column, Html, Language, Message, Page, Table};

use super::{Report, words};

/// The consortium's page.
pub fn page(report: &Report, language: Language) -> String {
    let sheet = Sheet { report, language };
    let consortium = Html::text(&report.consortium);
    let mut page = Page::new(language, sheet.say(words::TITLE, &[("consortium", consortium)]));
    sheet.top(&mut page);
    sheet.sites(&mut page);
    sheet.studies(&mut page);
    sheet.refusals(&mut page);
    sheet.releases(&mut page);
    sheet.ledger(&mut page);
    sheet.programs(&mut page);
    page.section(sheet.word(words::LIMITS));
    page.list(words::LIMITS_SAID.map(|limit| sheet.word(limit)));
    page.finish()
}

/// What is told, and in which language.
struct Sheet<'a> {
    report: &'a Report,
    language: Language,
}

impl Sheet<'_> {
    fn word(&self, message: Message) -> Html {
        message.html(self.language)
    }

    fn say(&self, message: Message, values: &[(&str, Html)]) -> Html {
        message.say(self.language, values)
    }

    fn number(&self, number: u64) -> Html {
        Html::number(number, self.language)
    }

    fn words(&self, heading: Message) -> Column {
        Column::words(self.word(heading))
    }

    fn numbers(&self, heading: Message) -> Column {
        Column::numbers(self.word(heading))
    }

    fn names<'n>(&self, names: impl IntoIterator<Item = &'n SiteName>) -> Html {
        let names: Vec<Html> = names.into_iter().map(|name| Html::text(name.as_str())).collect();
        if names.is_empty() {
            self.word(words::NONE)
        } else {
            Html::join(names, ", ")
        }
    }

    fn top(&self, page: &mut Page) {
        let report = self.report;
        let values = [
            ("day", Html::minute(report.made_at)),
            ("version", Html::text(&report.program_version)),
        ];
        page.lead(self.say(words::LEAD, &values));
        let rounds = || report.history.studies.values().flat_map(|study| study.rounds.values());
        let admitted: u64 = rounds().map(|round| round.admitted.len() as u64).sum();
        let refused: u64 = rounds().map(|round| round.refused.len() as u64).sum();
        let revoked = report.sites.iter().filter(|site| site.revoked.is_some()).count() as u64;
        let ledger = if report.ledger.fault.is_none() {
            self.word(words::SOUND).good()
        } else {
            self.word(words::BROKEN).bad()
        };
        page.tiles([
            (
                self.number(report.sites.len() as u64 - revoked),
                self.say(words::TILE_SITES, &[("revoked", self.number(revoked))]),
            ),
            (self.number(admitted), self.word(words::TILE_UPDATES)),
            (self.number(refused), self.word(words::TILE_REFUSED)),
            (
                ledger,
                self.say(words::TILE_LEDGER, &[("entries", self.number(report.ledger.entries))]),
            ),
        ]);
        page.section(self.word(words::CONSORTIUM));
        page.facts([
            (self.word(words::ADDRESS), Html::code(&report.address)),
            (self.word(words::FOUNDED), Html::minute(report.founded)),
            (
                self.word(words::CA_FINGERPRINT),
                Html::code(&report.ca_fingerprint.to_string()),
            ),
        ]);
    }

    fn sites(&self, page: &mut Page) {
        page.section(self.word(words::SITES));
        let mut table = Table::new([
            self.words(words::SITE),
            self.words(words::STATE),
            self.words(words::ENROLLED),
            self.words(words::SEEN),
            self.words(words::PROGRAM),
            self.words(words::POLICY),
            self.words(words::CERTIFICATES),
        ]);
        for site in &self.report.sites {
            let state = match site.revoked {
                None => self.word(words::ACTIVE).good(),
                Some(at) => self.say(words::REVOKED_ON, &[("day", Html::day(at))]).bad(),
            };
            let certificates = site.certificates.iter().map(|serial| Html::code(serial));
            table.row([
                Html::text(site.name.as_str()),
                state,
                Html::day(site.enrolled),
                site.last_seen.map_or_else(|| self.word(words::NEVER), Html::minute),
                Html::text(site.program_version.as_deref().unwrap_or_default()),
                site.policy
                    .map_or_else(|| self.word(words::NONE), |digest| Html::code(&digest.short())),
                Html::below(certificates),
            ]);
        }
        if table.is_empty() {
            page.say(self.word(words::SITES_NONE));
        }
        page.table(&table);
        let mut steps = Table::new([
            self.words(words::TIME),
            self.words(words::SITE),
            self.words(words::WHAT),
            self.words(words::KEY),
            self.words(words::SERIAL),
            self.words(words::WORDS),
        ]);
        for step in &self.report.history.steps {
            steps.row([
                Html::minute(step.time),
                Html::text(step.site.as_str()),
                self.word(words::step(step.what)),
                step.key.map_or_else(Html::default, |key| Html::code(&key.short())),
                step.serial.as_deref().map_or_else(Html::default, Html::code),
                Html::text(step.reason.as_deref().unwrap_or_default()),
            ]);
        }
        if !steps.is_empty() {
            page.part(self.word(words::STEPS));
            page.say(self.word(words::STEPS_SAY));
            page.table(&steps);
        }
        self.authorities(page);
    }

    fn authorities(&self, page: &mut Page) {
        let mut table = Table::new([
            self.words(words::TIME),
            self.words(words::WHAT),
            self.words(words::AUTHORITY),
            self.words(words::WORDS),
        ]);
        for step in &self.report.history.authorities {
            let what = if step.is_added {
                words::AUTHORITY_ADDED
            } else {
                words::AUTHORITY_RETIRED
            };
            table.row([
                Html::minute(step.time),
                self.word(what),
                Html::code(&step.authority.to_string()),
                Html::text(&step.reason),
            ]);
        }
        if !table.is_empty() {
            page.part(self.word(words::AUTHORITIES));
            page.table(&table);
        }
    }

    fn refusals(&self, page: &mut Page) {
        page.section(self.word(words::REFUSALS));
        page.say(self.word(words::REFUSALS_SAY));
        let mut counts = BTreeMap::new();
        for (name, study) in &self.report.history.studies {
            for (site, code) in study.rounds.values().flat_map(|round| &round.refused) {
                let written = serde_json::to_value(code).ok();
                let written = written
                    .as_ref()
                    .and_then(|code| code.as_str())
                    .unwrap_or_default()
                    .to_owned();
                counts.entry((name, site, written)).or_insert((0, *code)).0 += 1;
            }
        }
        let mut table = Table::new([
            self.words(words::STUDY),
            self.words(words::SITE),
            self.words(words::CODE),
            self.words(words::WHY),
            self.numbers(words::COUNT),
        ]);
        for ((study, site, written), (count, code)) in counts {
            table.row([
                Html::code(study.as_str()),
                Html::text(site.as_str()),
                Html::code(&written),
                self.word(words::problem(code)),
                self.number(count),
            ]);
        }
        if table.is_empty() {
            page.say(self.word(words::REFUSALS_NONE));
        }
        page.table(&table);
    }

    fn releases(&self, page: &mut Page) {
        page.section(self.word(words::RELEASES));
        let mut table = Table::new([
            self.words(words::SIGNED),
            self.words(words::STUDY),
            self.words(words::DIGEST),
        ]);
        for release in &self.report.history.releases {
            table.row([
                Html::minute(release.time),
                Html::code(release.study.as_str()),
                Html::code(&release.digest.to_string()),
            ]);
        }
        if table.is_empty() {
            page.say(self.word(words::RELEASES_NONE));
        }
        page.table(&table);
    }

    fn ledger(&self, page: &mut Page) {
        let ledger = &self.report.ledger;
        page.section(self.word(words::LEDGER));
        match &ledger.fault {
            None => page.say(self.say(words::LEDGER_SOUND, &[("entries", self.number(ledger.entries))])),
            Some(fault) => page.say(self.say(words::LEDGER_BROKEN, &[("fault", Html::text(fault))]).bad()),
        }
        let mut facts = Vec::new();
        if let Some(head) = ledger.head {
            facts.push((self.word(words::HEAD), Html::code(&head.to_string())));
        }
        facts.push((self.word(words::LEDGER_KEY), Html::code(&ledger.public_key)));
        if let Some(fingerprint) = ledger.fingerprint {
            facts.push((self.word(words::KEY_FINGERPRINT), Html::code(&fingerprint.to_string())));
        }
        page.facts(facts);
        page.say(self.word(words::CHECK_SAYS));
        page.verbatim(&format!(
            "aggregator ledger verify --dir COPY --key {key}\npython3 tests/verify_ledger.py --key {key} COPY\n\
             aggregator release verify RELEASE --key {key}",
            key = ledger.public_key
        ));
        page.say(self.word(words::RECOUNT_SAYS));
        page.verbatim("aggregator ledger show\naggregator --json study status STUDY\naggregator --json sites");
        page.part(self.word(words::HEADS));
        page.say(self.word(words::HEADS_SAY));
        let mut table = Table::new([
            self.words(words::SITE),
            self.numbers(words::INDEX),
            self.words(words::HEAD),
            self.words(words::SITE_LEDGER_KEY),
        ]);
        for site in &self.report.sites {
            let Some((entries, hash)) = site.head else { continue };
            let mut head = Html::code(&hash.to_string());
            if let Some(refused) = site.head_refused {
                let refused = self
                    .word(words::HEAD_REFUSED)
                    .bad()
                    .and(" ")
                    .and(Html::code(&refused.short()));
                head = Html::below([head, refused]);
            }
            table.row([
                Html::text(site.name.as_str()),
                self.number(entries),
                head,
                Html::code(&site.ledger_key),
            ]);
        }
        if table.is_empty() {
            page.say(self.word(words::HEADS_NONE));
        }
        page.table(&table);
    }

    fn programs(&self, page: &mut Page) {
        page.section(self.word(words::PROGRAMS));
        let mut table = Table::new([
            self.words(words::VERSION),
            self.words(words::FIRST),
            self.words(words::LAST),
            self.numbers(words::STARTS),
        ]);
        for program in &self.report.history.programs {
            table.row([
                Html::text(&program.version),
                Html::minute(program.first),
                Html::minute(program.last),
                self.number(program.starts),
            ]);
        }
        page.table(&table);
        let count = self.number(self.report.history.unfinished_writes);
        page.say(self.say(words::UNFINISHED, &[("count", count)]));
    }
}

#[cfg(test)]
mod tests;
