//! Each study: where it stands, its rounds, and whether the ledger says the same as the database.

use std::collections::{BTreeMap, BTreeSet};

use snowball_protocol::{
    SiteName,
    evaluation::Evaluation,
    plan::Origin,
    record::{Contribution, RoundRecord},
    session::PhaseName,
};
use snowball_web::{Html, Language, Page, Table};

use super::{Sheet, Voice};
use crate::{
    quality,
    report::{
        StudyTold,
        history::{Rest, Round, Study},
        words,
    },
};

/// One hospital's part in a study.
#[derive(Default)]
struct Part {
    rounds: u64,
    /// Radiographs in the round with most.
    examples: u64,
    bytes: u64,
    norm_max: f64,
    cosine_min: Option<f64>,
}

impl Part {
    fn add(&mut self, round: &Contribution) {
        self.rounds += 1;
        self.examples = self.examples.max(round.examples);
        self.bytes += round.bytes;
        self.norm_max = self.norm_max.max(round.norm);
        self.cosine_min = Some(self.cosine_min.map_or(round.cosine, |least| least.min(round.cosine)));
    }
}

impl Sheet<'_> {
    pub(super) fn studies(&self, page: &mut Page) {
        page.section(self.voice.word(words::STUDIES));
        if self.report.studies.is_empty() {
            page.say(self.voice.word(words::STUDIES_NONE));
        }
        let nothing = Study::default();
        for study in &self.report.studies {
            let told = self.report.history.studies.get(&study.name).unwrap_or(&nothing);
            page.part(Html::text(study.name.as_str()).and(": ").and(study.title.as_str()));
            self.voice.study(page, study, told);
            self.voice.rounds(page, study, told);
            self.voice.contributions(page, &study.records);
            self.voice.gain(page, study);
        }
    }
}

impl Voice {
    fn study(self, page: &mut Page, study: &StudyTold, told: &Study) {
        let reason = told.aborted.as_ref().map_or("", |(_, reason)| reason.as_str());
        let phase = match study.phase {
            PhaseName::Abandoned => self.say(words::PHASE_ABANDONED, &[("reason", reason.into())]),
            phase => self.word(words::phase(phase)),
        };
        let times = [told.created, told.started].into_iter().flatten().map(Html::minute);
        let finished = told.finished.as_ref();
        let declined: Vec<Html> = told
            .declined
            .iter()
            .map(|(site, clause)| Html::text(site.as_str()).and(" ").and(Html::code(clause)))
            .collect();
        let declined = if declined.is_empty() {
            self.word(words::NONE)
        } else {
            Html::join(declined, ", ")
        };
        let strangers = told
            .joined
            .iter()
            .filter(|(_, joined)| joined.plan != study.plan_digest);
        let strangers: Vec<&SiteName> = strangers.map(|(site, _)| site).collect();
        let done = [
            ("done", self.number(study.records.len() as u64)),
            ("planned", self.number(study.rounds_planned.into())),
        ];
        let mut facts = vec![
            (self.word(words::PHASE), phase),
            (self.word(words::PLAN), Html::code(&study.plan_digest.to_string())),
            (self.word(words::CREATED), Html::join(times, ", ")),
            (self.word(words::ROUNDS_DONE), self.say(words::ROUNDS_OF, &done)),
            (self.word(words::JOINED), self.names(told.joined.keys())),
            (self.word(words::DECLINED), declined),
            (self.word(words::EVALUATED), self.names(&told.evaluated)),
            (
                self.word(words::FINAL),
                finished.map_or_else(|| self.word(words::NONE), |(_, model)| Html::code(&model.to_string())),
            ),
        ];
        if !study.parents.is_empty() {
            let parents = study.parents.iter().map(|parent| self.parent(parent));
            facts.push((self.word(words::BEGAN), Html::below(parents)));
        }
        if !told.pauses.is_empty() {
            facts.push((
                self.word(words::PAUSES),
                Html::below(told.pauses.iter().map(|rest| self.rest(rest))),
            ));
        }
        if !strangers.is_empty() {
            facts.push((self.word(words::OTHER_PLAN), self.names(strangers).bad()));
        }
        page.facts(facts);
    }

    fn parent(self, parent: &Origin) -> Html {
        match parent {
            Origin::Release { study, lineage, .. } => {
                let digest = Html::code(&lineage.to_string());
                self.say(
                    words::BEGAN_RELEASE,
                    &[("digest", digest), ("study", study.as_str().into())],
                )
            }
            Origin::File { name, digest } => {
                let digest = Html::code(&digest.to_string());
                self.say(words::BEGAN_FILE, &[("name", name.as_str().into()), ("digest", digest)])
            }
        }
    }

    fn rest(self, rest: &Rest) -> Html {
        let (from, reason) = (
            ("from", Html::minute(rest.from)),
            ("reason", rest.reason.as_str().into()),
        );
        match rest.to {
            Some(to) => self.say(words::PAUSE_OVER, &[from, ("to", Html::minute(to)), reason]),
            None => self.say(words::PAUSE, &[from, reason]),
        }
    }

    fn rounds(self, page: &mut Page, study: &StudyTold, told: &Study) {
        let mut table = Table::new([
            self.numbers(words::ROUND),
            self.words(words::FINISHED),
            self.numbers(words::UPDATES),
            self.numbers(words::RADIOGRAPHS),
            self.numbers(words::BYTES),
            self.numbers(words::NOT_TAKEN),
            self.numbers(words::SILENT),
            self.numbers(words::LOSS),
            self.words(words::QUALITY),
            self.words(words::MODEL),
            self.words(words::LEDGER_AGREES),
        ]);
        let nothing = Round::default();
        for record in &study.records {
            let round = told.rounds.get(&record.round).unwrap_or(&nothing);
            let agrees = if agrees(record, round) {
                self.word(words::AGREES).good()
            } else {
                self.word(words::DIFFERS).bad()
            };
            let loss = record.evaluation.as_ref().and_then(Evaluation::mean_loss);
            table.row([
                self.number(record.round.0.into()),
                Html::minute(record.closed),
                self.number(record.contributions.len() as u64),
                self.number(record.contributions.iter().map(|part| part.examples).sum()),
                self.number(record.contributions.iter().map(|part| part.bytes).sum()),
                self.number(round.refused.len() as u64),
                self.number(record.silent.len() as u64),
                self.decimals(loss),
                record
                    .evaluation
                    .as_ref()
                    .map_or_else(Html::default, |told| self.quality(study, told)),
                Html::code(&record.model_out.short()),
                agrees,
            ]);
        }
        if !table.is_empty() {
            page.say(self.word(words::ROUNDS_SAY));
        }
        page.table(&table);
    }

    /// What each hospital brought to these rounds.
    pub fn contributions(self, page: &mut Page, records: &[RoundRecord]) {
        let mut by_site: BTreeMap<&SiteName, Part> = BTreeMap::new();
        for part in records.iter().flat_map(|record| &record.contributions) {
            by_site.entry(&part.site).or_default().add(part);
        }
        let mut table = Table::new([
            self.words(words::HOSPITAL),
            self.numbers(words::ROUNDS_DONE),
            self.numbers(words::RADIOGRAPHS),
            self.numbers(words::BYTES),
            self.numbers(words::LARGEST_NORM),
            self.numbers(words::COSINE),
        ])
        .with_caption(self.word(words::CONTRIBUTIONS));
        for (site, part) in by_site {
            table.row([
                Html::text(site.as_str()),
                self.number(part.rounds),
                self.number(part.examples),
                self.number(part.bytes),
                self.decimals(Some(part.norm_max)),
                self.decimals(part.cosine_min),
            ]);
        }
        page.table(&table);
    }

    /// Three decimals, or a dash.
    pub fn decimals(self, value: Option<f64>) -> Html {
        self.with_comma(value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}")))
    }

    /// One decimal.
    pub fn tenths(self, value: f64) -> Html {
        self.with_comma(format!("{value:.1}"))
    }

    fn with_comma(self, number: String) -> Html {
        Html::from(match self.language {
            Language::English => number,
            Language::French => number.replace('.', ","),
        })
    }

    /// Per head: the balanced accuracy, or the error beside that of always saying the same; and of radiographs drawn again or found.
    fn quality(self, study: &StudyTold, evaluation: &Evaluation) -> Html {
        let told = quality::of(&study.heads, evaluation);
        let heads = evaluation.heads.iter().filter_map(|head| {
            let label = ("label", Html::code(head.label().code()));
            match (head.balanced_accuracy(), head.mean_absolute_errors()) {
                (Some(share), _) => {
                    let percent = ("percent", self.decimals(Some(share * 100.0)));
                    let quality = self.say(words::QUALITY_SHARE, &[label, percent]);
                    let told = told.iter().find(|told| told.label == head.label());
                    Some(match told.and_then(|told| told.auroc) {
                        Some(area) => {
                            let area = ("area", self.decimals(Some(area.value)));
                            self.say(words::QUALITY_AREA, &[("quality", quality), area])
                        }
                        None => quality,
                    })
                }
                (_, Some((error, constant))) => {
                    let values = [
                        label,
                        ("error", self.decimals(Some(error))),
                        ("constant", self.decimals(Some(constant))),
                    ];
                    Some(self.say(words::QUALITY_ERROR, &values))
                }
                _ => {
                    let (dice, constant) = head.mean_dice()?;
                    let values = [
                        label,
                        ("dice", self.decimals(Some(dice))),
                        ("constant", self.decimals(Some(constant))),
                    ];
                    Some(self.say(words::QUALITY_DICE, &values))
                }
            }
        });
        let drawn = evaluation.reconstruction.and_then(|drawn| drawn.mean_squared_errors());
        let drawn = drawn.map(|(error, constant)| {
            let values = [
                ("error", self.decimals(Some(error))),
                ("constant", self.decimals(Some(constant))),
            ];
            self.say(words::QUALITY_DRAWN, &values)
        });
        let paired = evaluation.contrast.and_then(|paired| paired.shares_found());
        let paired = paired.map(|(found, chance)| {
            let values = [
                ("percent", self.decimals(Some(found * 100.0))),
                ("chance", self.decimals(Some(chance * 100.0))),
            ];
            self.say(words::QUALITY_FOUND, &values)
        });
        Html::below(heads.chain(drawn).chain(paired))
    }
}

/// Whether database and ledger tell the same of a finished round: who is in it, with how much, and which model came of it.
fn agrees(record: &RoundRecord, round: &Round) -> bool {
    let parts = record.contributions.iter().map(|part| (&part.site, part.examples));
    let (parts, admitted): (BTreeSet<_>, BTreeSet<_>) = (
        parts.collect(),
        round
            .admitted
            .iter()
            .map(|(site, examples)| (site, *examples))
            .collect(),
    );
    parts == admitted
        && round.contributions == Some(record.contributions.len() as u64)
        && round.model_in == Some(record.model_in)
        && round.model_out == Some(record.model_out)
}
