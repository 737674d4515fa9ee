//! The rounds of a study: who sent, who was late, who was missing, who was refused.

use std::collections::BTreeSet;

use snowball_protocol::{ProblemCode, SiteName, evaluation::Evaluation};
use snowball_registry::Round;
use snowball_rounds::Phase;
use snowball_web::{Column, Html, Page, Table};

use super::quality::short;
use crate::{
    dashboard::{
        gather::StudyView,
        words::{self, study as text},
    },
    report::{Voice, words as report_words},
};

/// More names than this are a number.
const NAMES_MAX: usize = 6;
/// So many of the newest rounds are seen at once.
const NEWEST: usize = 10;

/// What became of whom in a round.
#[derive(Default, PartialEq, Eq, Debug)]
struct Fates<'a> {
    sent: BTreeSet<&'a SiteName>,
    late: BTreeSet<&'a SiteName>,
    missing: BTreeSet<&'a SiteName>,
    refused: BTreeSet<&'a SiteName>,
}

/// The rounds, newest first, as a live part of the study's page.
pub fn part(page: &mut Page, view: &StudyView, voice: Voice) {
    if view.rounds.is_empty() {
        page.say(voice.word(text::ROUNDS_NONE).soft());
    }
    let rounds: Vec<&Round> = view.rounds.iter().rev().collect();
    let (newest, older) = rounds.split_at(rounds.len().min(NEWEST));
    page.table(&table(view, newest, voice).with_caption(voice.word(text::ROUNDS_TABLE)));
    if !older.is_empty() {
        let count = [("count", voice.number(older.len() as u64))];
        page.folded(voice.say(text::ROUNDS_OLDER, &count), |page| {
            page.table(&table(view, older, voice).with_caption(voice.word(text::ROUNDS_TABLE)));
        });
    }
}

fn table(view: &StudyView, rounds: &[&Round], voice: Voice) -> Table<8> {
    let mut table = Table::new([
        Column::names(voice.word(words::ROUND)),
        voice.words(text::CLOSED),
        voice.words(text::WHO_SENT),
        voice.words(text::WHO_LATE),
        voice.words(text::WHO_MISSING),
        voice.words(text::WHO_REFUSED),
        voice.numbers(text::LOSS),
        voice.words(text::QUALITY),
    ]);
    for round in rounds {
        let fates = fates(view, round);
        let evaluation = round.record.as_ref().and_then(|record| record.evaluation.as_ref());
        let closed = match (&round.record, round.closed) {
            (Some(record), _) => Html::minute(record.closed),
            (None, Some(_)) => voice.word(text::BECOMES),
            (None, None) => voice.word(text::OPEN).good(),
        };
        table.row([
            voice.number(round.round.0.into()),
            closed,
            if fates.missing.is_empty() && fates.sent.len() > 1 {
                voice.say(text::ALL_SENT, &[("count", voice.number(fates.sent.len() as u64))])
            } else {
                names(voice, &fates.sent)
            },
            names(voice, &fates.late),
            names(voice, &fates.missing),
            names(voice, &fates.refused),
            voice.decimals(evaluation.and_then(Evaluation::mean_loss)),
            evaluation.map_or_else(Html::default, |evaluation| short(evaluation, voice)),
        ]);
    }
    table
}

/// The refusals of all rounds, newest first.
pub fn refusals(page: &mut Page, view: &StudyView, voice: Voice) {
    let mut table = Table::new([
        voice.numbers(words::ROUND),
        Column::names(voice.word(words::SITE)),
        voice.words(text::CODE),
        voice.words(text::REASON),
        voice.words(text::REMEDY),
    ])
    .with_caption(voice.word(text::REFUSALS_TABLE));
    for (round, refusal) in view.refusals.iter().rev() {
        let why = voice.word(report_words::problem(refusal.code));
        table.row([
            voice.number((*round).into()),
            Html::text(refusal.site.as_str()),
            Html::code(&code(refusal.code)),
            Html::below([why, Html::text(&refusal.reason).soft()]),
            voice.word(words::remedy(refusal.code)),
        ]);
    }
    if table.is_empty() {
        page.say(voice.word(text::REFUSALS_NONE).soft());
    }
    page.table(&table);
}

/// A code as programs write it.
fn code(code: ProblemCode) -> String {
    let written = serde_json::to_value(code).ok();
    let written = written.as_ref().and_then(|code| code.as_str());
    written.unwrap_or_default().to_owned()
}

fn fates<'a>(view: &'a StudyView, round: &'a Round) -> Fates<'a> {
    let mut fates = Fates::default();
    match (&round.record, view.known.study.phase.within()) {
        (Some(record), _) => {
            for part in &record.contributions {
                fates.sent.insert(&part.site);
                if part.behind > 0 {
                    fates.late.insert(&part.site);
                }
            }
            fates.missing.extend(&record.silent);
        }
        (None, Phase::Collecting(open)) if open.round == round.round => {
            fates.sent.extend(open.contributions.keys());
            let missing = open.sites.iter().filter(|site| !open.contributions.contains_key(site));
            fates.missing.extend(missing);
        }
        (None, Phase::Aggregating(closed)) if closed.round == round.round => {
            fates.sent.extend(closed.contributions.keys());
            let missing = closed
                .sites
                .iter()
                .filter(|site| !closed.contributions.contains_key(site));
            fates.missing.extend(missing);
        }
        (None, _) => {}
    }
    for (_, refusal) in view.refusals.iter().filter(|(number, _)| *number == round.round.0) {
        if refusal.code == ProblemCode::RoundClosed {
            fates.late.insert(&refusal.site);
        } else {
            fates.refused.insert(&refusal.site);
        }
    }
    fates
}

fn names(voice: Voice, names: &BTreeSet<&SiteName>) -> Html {
    if names.len() > NAMES_MAX {
        return voice.number(names.len() as u64);
    }
    Html::join(names.iter().map(|name| Html::text(name.as_str())), ", ")
}

#[cfg(test)]
mod tests {
    use snowball_protocol::{RoundNumber, Sha256Digest, record::Refusal};
    use snowball_registry::Study;
    use snowball_web::Language;

    use super::*;
    use crate::{dashboard::gather::Known, fixture, report::StudyTold};

    fn view() -> StudyView {
        let plan = fixture::plan("spines");
        let digest = Sha256Digest::of(b"m");
        let mut record = fixture::record(&plan, 1, digest, digest);
        record.contributions[1].behind = 1;
        record.silent = vec!["west".parse().unwrap()];
        let refusal = |site: &str, code| {
            let (site, reason) = (site.parse().unwrap(), "<its> words".to_owned());
            (1, Refusal { site, code, reason })
        };
        let told = StudyTold {
            name: plan.study.clone(),
            title: plan.title.clone(),
            plan_digest: plan.digest(),
            parents: Vec::new(),
            phase: Phase::draft().name(),
            rounds_planned: 2,
            heads: plan.heads.clone(),
            records: vec![record.clone()],
            finals: Vec::new(),
        };
        let round = Round {
            round: RoundNumber(1),
            opened: 0,
            model_in: digest,
            deadline: 9,
            extensions: 0,
            closed: Some(2),
            record: Some(record),
        };
        let study = Study {
            plan_digest: plan.digest(),
            plan,
            phase: Phase::draft(),
            version: 1,
            created: 0,
            moved: 0,
        };
        let known = Known {
            study,
            members: Vec::new(),
            refusals: Vec::new(),
        };
        StudyView {
            now: 10,
            known,
            rounds: vec![round],
            refusals: vec![
                refusal("east", ProblemCode::NormExceeded),
                refusal("far", ProblemCode::RoundClosed),
            ],
            told,
        }
    }

    #[test]
    fn who_was_late_who_was_missing_and_who_was_refused_are_told_apart() {
        let view = view();
        let fates = fates(&view, &view.rounds[0]);
        let names = |names: &BTreeSet<&SiteName>| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&fates.sent), ["north", "south"]);
        assert_eq!(names(&fates.late), ["far", "south"]);
        assert_eq!(names(&fates.missing), ["west"]);
        assert_eq!(names(&fates.refused), ["east"]);
    }

    #[test]
    fn a_refusal_has_its_code_its_reason_and_what_to_do_in_both_languages() {
        for (language, remedy) in [
            (Language::English, "lower the learning rate"),
            (Language::French, "réduisez le taux d’apprentissage"),
        ] {
            let mut page = Page::new(language, "refusals");
            refusals(&mut page, &view(), Voice { language });
            part(&mut page, &view(), Voice { language });
            let html = page.finish();
            assert_eq!(snowball_web::fault(&html), None, "{html}");
            for told in ["norm_exceeded", "&lt;its&gt; words", remedy] {
                assert!(html.contains(told), "{told} in {html}");
            }
        }
    }
}
