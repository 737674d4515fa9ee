//! The page itself: one function a section.

mod gain;
mod ranks;
mod studies;
mod voice;

use std::collections::BTreeMap;

use snowball_web::{Html, Language, Page, Table};

pub use voice::Voice;

use super::{Report, words};

/// The consortium's page.
pub fn page(report: &Report, language: Language) -> String {
    let sheet = Sheet {
        report,
        voice: Voice { language },
    };
    let consortium = Html::text(&report.consortium);
    let mut page = Page::new(language, sheet.voice.say(words::TITLE, &[("consortium", consortium)]));
    sheet.top(&mut page);
    sheet.sites(&mut page);
    sheet.studies(&mut page);
    sheet.refusals(&mut page);
    sheet.releases(&mut page);
    sheet.ledger(&mut page);
    sheet.programs(&mut page);
    page.section(sheet.voice.word(words::LIMITS));
    page.list(words::LIMITS_SAID.map(|limit| sheet.voice.word(limit)));
    page.finish()
}

/// What is told, and in which language.
struct Sheet<'a> {
    report: &'a Report,
    voice: Voice,
}

impl Sheet<'_> {
    fn top(&self, page: &mut Page) {
        let report = self.report;
        let values = [
            ("day", Html::minute(report.made_at)),
            ("version", Html::text(&report.program_version)),
        ];
        page.lead(self.voice.say(words::LEAD, &values));
        let rounds = || report.history.studies.values().flat_map(|study| study.rounds.values());
        let admitted: u64 = rounds().map(|round| round.admitted.len() as u64).sum();
        let refused: u64 = rounds().map(|round| round.refused.len() as u64).sum();
        let revoked = report.sites.iter().filter(|site| site.revoked.is_some()).count() as u64;
        let ledger = if report.ledger.fault.is_none() {
            self.voice.word(words::SOUND).good()
        } else {
            self.voice.word(words::BROKEN).bad()
        };
        page.tiles([
            (
                self.voice.number(report.sites.len() as u64 - revoked),
                self.voice
                    .say(words::TILE_SITES, &[("revoked", self.voice.number(revoked))]),
            ),
            (self.voice.number(admitted), self.voice.word(words::TILE_UPDATES)),
            (self.voice.number(refused), self.voice.word(words::TILE_REFUSED)),
            (
                ledger,
                self.voice.say(
                    words::TILE_LEDGER,
                    &[("entries", self.voice.number(report.ledger.entries))],
                ),
            ),
        ]);
        page.section(self.voice.word(words::CONSORTIUM));
        page.facts([
            (self.voice.word(words::ADDRESS), Html::code(&report.address)),
            (self.voice.word(words::FOUNDED), Html::minute(report.founded)),
            (
                self.voice.word(words::CA_FINGERPRINT),
                Html::code(&report.ca_fingerprint.to_string()),
            ),
        ]);
    }

    fn sites(&self, page: &mut Page) {
        page.section(self.voice.word(words::SITES));
        let mut table = Table::new([
            self.voice.words(words::SITE),
            self.voice.words(words::STATE),
            self.voice.words(words::ENROLLED),
            self.voice.words(words::SEEN),
            self.voice.words(words::PROGRAM),
            self.voice.words(words::POLICY),
            self.voice.words(words::CERTIFICATES),
        ]);
        for site in &self.report.sites {
            let state = match site.revoked {
                None => self.voice.word(words::ACTIVE).good(),
                Some(at) => self.voice.say(words::REVOKED_ON, &[("day", Html::day(at))]).bad(),
            };
            let certificates = site.certificates.iter().map(|serial| Html::code(serial));
            table.row([
                Html::text(site.name.as_str()),
                state,
                Html::day(site.enrolled),
                site.last_seen
                    .map_or_else(|| self.voice.word(words::NEVER), Html::minute),
                Html::text(site.program_version.as_deref().unwrap_or_default()),
                site.policy
                    .map_or_else(|| self.voice.word(words::NONE), |digest| Html::code(&digest.short())),
                Html::below(certificates),
            ]);
        }
        if table.is_empty() {
            page.say(self.voice.word(words::SITES_NONE));
        }
        page.table(&table);
        let mut steps = Table::new([
            self.voice.words(words::TIME),
            self.voice.words(words::SITE),
            self.voice.words(words::WHAT),
            self.voice.words(words::KEY),
            self.voice.words(words::SERIAL),
            self.voice.words(words::WORDS),
        ]);
        for step in &self.report.history.steps {
            steps.row([
                Html::minute(step.time),
                Html::text(step.site.as_str()),
                self.voice.word(words::step(step.what)),
                step.key.map_or_else(Html::default, |key| Html::code(&key.short())),
                step.serial.as_deref().map_or_else(Html::default, Html::code),
                Html::text(step.reason.as_deref().unwrap_or_default()),
            ]);
        }
        if !steps.is_empty() {
            page.part(self.voice.word(words::STEPS));
            page.say(self.voice.word(words::STEPS_SAY));
            page.table(&steps);
        }
        self.authorities(page);
    }

    fn authorities(&self, page: &mut Page) {
        let mut table = Table::new([
            self.voice.words(words::TIME),
            self.voice.words(words::WHAT),
            self.voice.words(words::AUTHORITY),
            self.voice.words(words::WORDS),
        ]);
        for step in &self.report.history.authorities {
            let what = if step.is_added {
                words::AUTHORITY_ADDED
            } else {
                words::AUTHORITY_RETIRED
            };
            table.row([
                Html::minute(step.time),
                self.voice.word(what),
                Html::code(&step.authority.to_string()),
                Html::text(&step.reason),
            ]);
        }
        if !table.is_empty() {
            page.part(self.voice.word(words::AUTHORITIES));
            page.table(&table);
        }
    }

    fn refusals(&self, page: &mut Page) {
        page.section(self.voice.word(words::REFUSALS));
        page.say(self.voice.word(words::REFUSALS_SAY));
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
            self.voice.words(words::STUDY),
            self.voice.words(words::SITE),
            self.voice.words(words::CODE),
            self.voice.words(words::WHY),
            self.voice.numbers(words::COUNT),
        ]);
        for ((study, site, written), (count, code)) in counts {
            table.row([
                Html::code(study.as_str()),
                Html::text(site.as_str()),
                Html::code(&written),
                self.voice.word(words::problem(code)),
                self.voice.number(count),
            ]);
        }
        if table.is_empty() {
            page.say(self.voice.word(words::REFUSALS_NONE));
        }
        page.table(&table);
    }

    fn releases(&self, page: &mut Page) {
        page.section(self.voice.word(words::RELEASES));
        let mut table = Table::new([
            self.voice.words(words::SIGNED),
            self.voice.words(words::STUDY),
            self.voice.words(words::DIGEST),
        ]);
        for release in &self.report.history.releases {
            table.row([
                Html::minute(release.time),
                Html::code(release.study.as_str()),
                Html::code(&release.digest.to_string()),
            ]);
        }
        if table.is_empty() {
            page.say(self.voice.word(words::RELEASES_NONE));
        }
        page.table(&table);
    }

    fn ledger(&self, page: &mut Page) {
        let ledger = &self.report.ledger;
        page.section(self.voice.word(words::LEDGER));
        match &ledger.fault {
            None => page.say(
                self.voice
                    .say(words::LEDGER_SOUND, &[("entries", self.voice.number(ledger.entries))]),
            ),
            Some(fault) => page.say(
                self.voice
                    .say(words::LEDGER_BROKEN, &[("fault", Html::text(fault))])
                    .bad(),
            ),
        }
        let mut facts = Vec::new();
        if let Some(head) = ledger.head {
            facts.push((self.voice.word(words::HEAD), Html::code(&head.to_string())));
        }
        facts.push((self.voice.word(words::LEDGER_KEY), Html::code(&ledger.public_key)));
        if let Some(fingerprint) = ledger.fingerprint {
            facts.push((
                self.voice.word(words::KEY_FINGERPRINT),
                Html::code(&fingerprint.to_string()),
            ));
        }
        page.facts(facts);
        page.say(self.voice.word(words::CHECK_SAYS));
        page.verbatim(&format!(
            "aggregator ledger verify --dir COPY --key {key}\npython3 tests/verify_ledger.py --key {key} COPY\n\
             aggregator release verify RELEASE --key {key}",
            key = ledger.public_key
        ));
        page.say(self.voice.word(words::RECOUNT_SAYS));
        page.verbatim("aggregator ledger show\naggregator --json study status STUDY\naggregator --json sites");
        page.part(self.voice.word(words::HEADS));
        page.say(self.voice.word(words::HEADS_SAY));
        let mut table = Table::new([
            self.voice.words(words::SITE),
            self.voice.numbers(words::INDEX),
            self.voice.words(words::HEAD),
            self.voice.words(words::SITE_LEDGER_KEY),
        ]);
        for site in &self.report.sites {
            let Some((entries, hash)) = site.head else { continue };
            let mut head = Html::code(&hash.to_string());
            if let Some(refused) = site.head_refused {
                let refused = self
                    .voice
                    .word(words::HEAD_REFUSED)
                    .bad()
                    .and(" ")
                    .and(Html::code(&refused.short()));
                head = Html::below([head, refused]);
            }
            table.row([
                Html::text(site.name.as_str()),
                self.voice.number(entries),
                head,
                Html::code(&site.ledger_key),
            ]);
        }
        if table.is_empty() {
            page.say(self.voice.word(words::HEADS_NONE));
        }
        page.table(&table);
    }

    fn programs(&self, page: &mut Page) {
        page.section(self.voice.word(words::PROGRAMS));
        let mut table = Table::new([
            self.voice.words(words::VERSION),
            self.voice.words(words::FIRST),
            self.voice.words(words::LAST),
            self.voice.numbers(words::STARTS),
        ]);
        for program in &self.report.history.programs {
            table.row([
                Html::text(&program.version),
                Html::minute(program.first),
                Html::minute(program.last),
                self.voice.number(program.starts),
            ]);
        }
        page.table(&table);
        let count = self.voice.number(self.report.history.unfinished_writes);
        page.say(self.voice.say(words::UNFINISHED, &[("count", count)]));
    }
}

#[cfg(test)]
mod tests;
