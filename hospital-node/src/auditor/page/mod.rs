//! The page itself: one function a section, in the order in which a board asks.

mod activity;
mod checks;

use snowball_protocol::Sha256Digest;
use snowball_web::{Column, Html, Language, Message, Page, Table};

use super::{Audit, approvals::Approval, history::Study, words};
use crate::count::Count;

/// The auditor's page.
pub fn page(audit: &Audit, language: Language) -> String {
    let site = Html::text(&audit.evidence.site);
    let sheet = Sheet { audit, language };
    let mut page = Page::new(language, words::TITLE.say(language, &[("site", site)]));
    sheet.top(&mut page);
    sheet.policy(&mut page);
    sheet.studies(&mut page);
    sheet.receipts(&mut page);
    sheet.left(&mut page);
    sheet.excluded(&mut page);
    sheet.decisions(&mut page);
    sheet.deidentification(&mut page);
    sheet.ledger(&mut page);
    sheet.certificates(&mut page);
    sheet.programs(&mut page);
    page.section(sheet.word(words::LIMITS));
    page.list(words::LIMITS_SAID.map(|limit| sheet.word(limit)));
    page.finish()
}

/// What is told, and in which language.
struct Sheet<'a> {
    audit: &'a Audit,
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

    /// A count of radiographs or patients, as it may be told.
    fn count(&self, count: Count) -> Html {
        match count {
            Count::Told(count) => self.number(count),
            Count::FewerThan(count) => self.say(words::FEWER, &[("count", Html::text(&count.to_string()))]),
            Count::Hidden => self.word(words::HIDDEN),
        }
    }

    fn alone(&self, count: u64) -> Html {
        self.count(Count::of(count, self.audit.evidence.cell_min))
    }

    /// In words where this version knows it, else as it is written.
    fn known(&self, text: &str, message: Option<Message>) -> Html {
        message.map_or_else(|| Html::code(text), |message| self.word(message))
    }

    fn top(&self, page: &mut Page) {
        let Audit { evidence, history, .. } = self.audit;
        let values = [
            ("day", Html::minute(evidence.made_at)),
            ("version", Html::text(&evidence.program_version)),
            ("cell_min", self.number(evidence.cell_min)),
        ];
        page.lead(self.say(words::LEAD, &values));
        let period = self.audit.period;
        let from = period.from.map_or_else(|| self.word(words::BEGINNING), Html::day);
        let to = period
            .to
            .map_or_else(|| self.word(words::TODAY), |to| Html::day(to - 1));
        page.lead(self.say(words::PERIOD, &[("from", from), ("to", to)]));
        let (receipts, sound) = history.receipts();
        let sound_ledger = if evidence.ledger.verified {
            self.word(words::TILE_LEDGER_SOUND).good()
        } else {
            self.word(words::TILE_LEDGER_BROKEN).bad()
        };
        let entries = self.number(evidence.ledger.entries);
        page.tiles([
            (self.number(history.left().bytes()), self.word(words::TILE_LEFT)),
            (
                self.number(receipts),
                self.say(words::TILE_ROUNDS, &[("sound", self.number(sound))]),
            ),
            (self.number(history.denials()), self.word(words::TILE_DENIED)),
            (sound_ledger, self.say(words::TILE_LEDGER, &[("entries", entries)])),
        ]);
    }

    fn policy(&self, page: &mut Page) {
        page.section(self.word(words::POLICY));
        match &self.audit.evidence.rules {
            Ok(rules) => {
                page.say(self.word(words::POLICY_SAYS));
                let stage = self.known(&rules.stage, words::stage(&rules.stage));
                page.facts([
                    (
                        self.word(words::BOARD),
                        Html::text(&rules.board).and(", ").and(rules.reference.as_str()),
                    ),
                    (
                        self.word(words::VERSION_STAGE),
                        self.number(rules.version.into()).and(", ").and(stage),
                    ),
                    (self.word(words::HOLDS), self.days(rules.begins, rules.expires)),
                    (self.word(words::DIGEST), Html::code(&rules.digest.to_string())),
                ]);
            }
            Err(fault) => {
                page.say(self.say(words::POLICY_NONE, &[("fault", Html::text(fault))]).bad());
            }
        }
        if let Some(text) = &self.audit.explanation {
            page.part(self.word(words::POLICY_ALOUD));
            explain(page, text);
        }
        page.part(self.word(words::POLICY_HISTORY));
        let mut table = Table::new([
            self.words(words::INSTALLED),
            self.numbers(words::VERSION),
            self.words(words::STAGE),
            self.words(words::BOARD),
            self.words(words::HOLDS),
            self.words(words::DIGEST),
        ]);
        for step in &self.audit.history.policies {
            let approval = self.approval(&step.digest);
            let missing = || self.word(words::FILE_NOT_KEPT).soft();
            table.row([
                Html::minute(step.time),
                self.number(step.version.into()),
                self.known(&step.stage, words::stage(&step.stage)),
                approval.map_or_else(missing, |one| {
                    Html::text(&one.board).and(", ").and(one.reference.as_str())
                }),
                approval.map_or_else(Html::default, |one| self.days(one.begins, one.expires)),
                Html::code(&step.digest.short()),
            ]);
        }
        if table.is_empty() {
            page.say(self.word(words::POLICY_NEVER));
        }
        page.table(&table);
    }

    fn approval(&self, digest: &Sha256Digest) -> Option<&Approval> {
        self.audit.approvals.0.get(digest)
    }

    fn days(&self, from: i64, to: i64) -> Html {
        self.say(words::HOLDS_DAYS, &[("from", Html::day(from)), ("to", Html::day(to))])
    }

    fn studies(&self, page: &mut Page) {
        page.section(self.word(words::STUDIES));
        page.say(self.word(words::STUDIES_SAY));
        let mut table = Table::new([
            self.words(words::STUDY),
            self.words(words::PLAN),
            self.words(words::APPROVED_BY),
            self.words(words::STATE),
            self.numbers(words::ROUNDS),
            self.words(words::LAST),
        ]);
        for (name, study) in &self.audit.history.studies {
            let answers = [
                study.joined.as_ref(),
                study.declined.as_ref().map(|(answered, _)| answered),
            ];
            let plan = answers.into_iter().flatten().max_by_key(|answered| answered.time);
            table.row([
                Html::code(name.as_str()),
                plan.map_or_else(Html::default, |answered| Html::code(&answered.plan.short())),
                self.approved_by(study),
                self.state(study),
                self.number(study.rounds.len() as u64),
                Html::minute(study.last),
            ]);
        }
        if table.is_empty() {
            page.say(self.word(words::STUDIES_NONE));
        }
        page.table(&table);
    }

    fn approved_by(&self, study: &Study<Count>) -> Html {
        let policy = study.joined.as_ref().and_then(|answered| answered.policy);
        let Some(digest) = policy else {
            return self.word(words::NONE);
        };
        let by = self.say(words::BY_POLICY, &[("digest", Html::code(&digest.short()))]);
        match self.approval(&digest) {
            Some(approval) => Html::below([
                Html::text(&approval.board).and(", ").and(approval.reference.as_str()),
                by,
            ]),
            None => by,
        }
    }

    fn state(&self, study: &Study<Count>) -> Html {
        let mut said = Vec::new();
        if let Some(joined) = &study.joined {
            said.push(self.say(words::STATE_JOINED, &[("day", Html::day(joined.time))]));
        }
        if let Some((declined, clause)) = &study.declined {
            let values = [("day", Html::day(declined.time)), ("clause", Html::text(clause))];
            said.push(self.say(words::STATE_DECLINED, &values));
        }
        if study.is_evaluated {
            said.push(self.word(words::STATE_EVALUATED));
        }
        if said.is_empty() {
            said.push(self.word(words::STATE_LOCAL));
        }
        Html::below(said)
    }
}

/// The policy as it explains itself: headings, and sentences that begin with a dash.
fn explain(page: &mut Page, text: &str) {
    let mut sentences: Vec<Html> = Vec::new();
    for line in text.lines().skip(1) {
        match line.strip_prefix("- ") {
            Some(sentence) => sentences.push(sentence.into()),
            None => {
                if !sentences.is_empty() {
                    page.list(std::mem::take(&mut sentences));
                }
                if !line.trim().is_empty() {
                    page.say(Html::text(line).soft());
                }
            }
        }
    }
    if !sentences.is_empty() {
        page.list(sentences);
    }
}

#[cfg(test)]
mod tests;
