//! The page of a study: where it stands, what may be done, who does what, its rounds, its quality, its refusals, its plan.

use snowball_protocol::session::PhaseName;
use snowball_rounds::Phase;
use snowball_web::{Column, Html, Page, Table};

use super::{doing, left, phase, plan, presence, quality, rounds, study_act};
use crate::{
    dashboard::{
        gather::StudyView,
        presence::{Doing, Member},
        words::{self, study as text},
    },
    report::Voice,
};

/// The page. Who may not act is shown no way to do so.
pub fn page(view: &StudyView, voice: Voice, may_act: bool) -> Page {
    let study = &view.known.study.plan;
    let title = [
        ("study", Html::text(study.study.as_str())),
        ("title", Html::text(&study.title)),
    ];
    let mut page = Page::new(voice.language, voice.say(text::TITLE, &title));
    page.live("now", |page| {
        now(page, view, voice);
        if may_act {
            acts(page, view, voice);
        }
    });
    page.section(voice.word(text::NOW));
    page.live("members", |page| members(page, view, voice));
    page.section(voice.word(text::ROUNDS));
    page.live("rounds", |page| rounds::part(page, view, voice));
    page.section(voice.word(text::COURSE));
    page.live("quality", |page| quality::part(page, &view.told, voice));
    page.section(voice.word(text::REFUSALS));
    page.live("refusals", |page| rounds::refusals(page, view, voice));
    page.section(voice.word(text::PLAN));
    plan::part(&mut page, study, voice);
    page
}

fn now(page: &mut Page, view: &StudyView, voice: Voice) {
    let study = &view.known.study;
    page.lead(phase(voice, study));
    if let Some(paused) = study.phase.paused() {
        let why = [
            ("since", Html::minute(paused.since)),
            ("reason", Html::text(&paused.reason)),
        ];
        page.say(voice.say(text::PHASE_PAUSED, &why));
    }
    let number = |count: usize| voice.number(count as u64);
    let rounds = [("rounds", number(study.plan.rounds.count as usize))];
    let here = view.known.members.iter().filter(|member| member.is_here).count();
    let mut tiles = vec![(
        number(study.phase.round().0 as usize),
        voice.say(text::TILE_ROUND, &rounds),
    )];
    match study.phase.within() {
        Phase::Recruiting(open) => {
            let min = [("min", number(study.plan.rounds.sites.min as usize))];
            tiles.push((number(open.sites.len()), voice.say(text::TILE_JOINED, &min)));
        }
        Phase::Collecting(open) => {
            tiles.push((
                in_of(open.contributions.len(), open.sites.len(), voice),
                voice.word(text::TILE_SENT),
            ));
            if study.phase.paused().is_none() {
                tiles.push((left(voice, view.now, open.deadline), voice.word(text::DEADLINE)));
            }
            if open.extensions > 0 {
                tiles.push((number(open.extensions as usize), voice.word(text::EXTENDED)));
            }
        }
        Phase::Aggregating(closed) => {
            tiles.push((
                in_of(closed.contributions.len(), closed.sites.len(), voice),
                voice.word(text::TILE_SENT),
            ));
        }
        Phase::Reviewing(review) => {
            tiles.push((
                in_of(review.evaluated.len(), review.sites.len(), voice),
                voice.word(text::TILE_EVALUATED),
            ));
        }
        Phase::Draft(_) | Phase::Released(_) | Phase::Paused(_) | Phase::Abandoned(_) => {}
    }
    tiles.push((number(here), voice.word(text::TILE_HERE)));
    page.tiles(tiles);
}

fn in_of(some: usize, all: usize, voice: Voice) -> Html {
    let values = [("in", voice.number(some as u64)), ("all", voice.number(all as u64))];
    voice.say(text::IN_OF, &values)
}

/// Links to the pages that ask before anything is done: no form stands in a part that changes by itself.
fn acts(page: &mut Page, view: &StudyView, voice: Voice) {
    let study = &view.known.study;
    let name = study.plan.study.as_str();
    let link = |act: &str, words| Html::route(&study_act(name, act), voice.word(words));
    let links = match (study.phase.name(), study.phase.paused()) {
        (PhaseName::Released | PhaseName::Abandoned, _) => return,
        (PhaseName::Draft, _) => vec![link("start", text::START), link("abort", text::ABORT)],
        (_, Some(_)) => vec![link("resume", text::RESUME), link("abort", text::ABORT)],
        (_, None) => vec![link("pause", text::PAUSE), link("abort", text::ABORT)],
    };
    page.say(Html::join(links.into_iter().map(Html::button), " "));
}

fn members(page: &mut Page, view: &StudyView, voice: Voice) {
    let mut table = Table::new([
        Column::names(voice.word(words::SITE)),
        voice.words(text::SEEN),
        voice.words(text::DOES),
        voice.words(text::SENT_AT),
        voice.numbers(text::EXAMPLES),
    ])
    .with_caption(voice.word(text::MEMBERS));
    for member in &view.known.members {
        let sent = match member.doing {
            Doing::Sent { at } => Html::minute(at),
            _ => Html::default(),
        };
        table.row([
            Html::text(member.site.as_str()),
            presence(voice, view.now, member.seen, member.is_here),
            does(member, voice),
            sent,
            member.examples.map_or_else(Html::default, |count| voice.number(count)),
        ]);
    }
    if table.is_empty() {
        page.say(voice.word(text::MEMBERS_NONE).soft());
    }
    page.table(&table);
}

fn does(member: &Member, voice: Voice) -> Html {
    match &member.declined {
        Some((clause, reason)) => {
            let why = [("clause", Html::code(clause)), ("reason", Html::text(reason))];
            voice.say(text::DECLINED_BY, &why)
        }
        None => doing(voice, member),
    }
}
