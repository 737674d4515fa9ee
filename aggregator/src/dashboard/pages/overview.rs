//! The first page: what wants attention, where the studies stand, who is here.

use std::collections::BTreeMap;

use snowball_protocol::SiteName;
use snowball_registry::Site;
use snowball_rounds::Phase;
use snowball_web::{Column, Html, Page, Route, Table};

use super::{ago, doing, left, phase, presence, study_route};
use crate::{
    dashboard::{
        attention::{Matter, Weight},
        gather::{Known, Overview, is_open},
        presence::{Doing, Member, is_here},
        words::{self, overview as text},
    },
    report::{Voice, words as report_words},
};

/// The page.
pub fn page(view: &Overview, voice: Voice) -> Page {
    let consortium = [("consortium", Html::text(&view.consortium))];
    let mut page = Page::new(voice.language, voice.say(text::TITLE, &consortium));
    page.live("tiles", |page| tiles(page, view, voice));
    page.section(voice.word(text::ATTENTION));
    page.live("attention", |page| attention(page, view, voice));
    page.section(voice.word(text::STUDIES));
    page.live("studies", |page| studies(page, view, voice));
    page.section(voice.word(text::WHO));
    page.live("sites", |page| sites(page, view, voice));
    page
}

fn tiles(page: &mut Page, view: &Overview, voice: Voice) {
    let enrolled = || view.sites.iter().filter(|site| site.revoked.is_none());
    let here = enrolled().filter(|site| is_here(site.last_seen, view.now)).count() as u64;
    let open = view.studies.iter().filter(|known| is_open(&known.study.phase)).count() as u64;
    let waiting = |matter: &&Matter| matches!(matter, Matter::Waiting { .. });
    let waiting = view.matters.iter().filter(waiting).count() as u64;
    let sites = [("sites", voice.number(enrolled().count() as u64))];
    page.tiles([
        (voice.number(here), voice.say(text::TILE_HERE, &sites)),
        (voice.number(open), voice.word(text::TILE_OPEN)),
        (voice.number(waiting), voice.word(text::TILE_WAITING)),
        (voice.number(view.matters.len() as u64), voice.word(text::TILE_MATTERS)),
    ]);
}

fn attention(page: &mut Page, view: &Overview, voice: Voice) {
    if view.matters.is_empty() {
        page.say(voice.word(text::ATTENTION_NONE).good());
        return;
    }
    page.list(view.matters.iter().map(|matter| {
        let told = matter_told(matter, voice);
        match matter.weight() {
            Weight::Bad => told.bad(),
            Weight::Look => told,
        }
    }));
}

/// A matter in words, with a link to the page that says more.
fn matter_told(matter: &Matter, voice: Voice) -> Html {
    let route = match matter.page() {
        Some(parts) => Route::of(parts.iter().map(String::as_str)),
        None => Route::root(),
    };
    let link = |name: &str| Html::route(&route, name);
    match matter {
        Matter::LedgerBroken { fault } => voice.say(text::LEDGER_BROKEN, &[("fault", fault.as_str().into())]),
        Matter::HeadRefused { site } => voice.say(text::HEAD_REFUSED, &[("site", link(site.as_str()))]),
        Matter::Contested { site, tries } => voice.say(
            text::CONTESTED,
            &[("site", link(site.as_str())), ("tries", voice.number(*tries))],
        ),
        Matter::DiskFull { left, limit } => voice.say(
            text::DISK_FULL,
            &[("left", voice.number(*left)), ("limit", voice.number(*limit))],
        ),
        Matter::OwnCertificate {
            what,
            days_left,
            remedy,
        } => voice.say(
            text::OWN_CERTIFICATE,
            &[
                ("what", what.as_str().into()),
                ("days", days_left.to_string().into()),
                ("remedy", (*remedy).into()),
            ],
        ),
        Matter::SiteCertificate { site, days_left } => voice.say(
            text::SITE_CERTIFICATE,
            &[("site", link(site.as_str())), ("days", days_left.to_string().into())],
        ),
        Matter::NoCertificate { site } => voice.say(text::NO_CERTIFICATE, &[("site", link(site.as_str()))]),
        Matter::Waiting { site } => voice.say(text::WAITING, &[("site", link(site.as_str()))]),
        Matter::NoQuorum {
            study,
            round,
            extensions,
        } => voice.say(
            text::NO_QUORUM,
            &[
                ("study", link(study.as_str())),
                ("round", voice.number((*round).into())),
                ("extensions", voice.number((*extensions).into())),
            ],
        ),
        Matter::Silent { study, site, since } => voice.say(
            text::SILENT,
            &[
                ("study", link(study.as_str())),
                ("site", site.as_str().into()),
                ("since", Html::minute(*since)),
            ],
        ),
        Matter::Refused {
            study,
            round,
            site,
            code,
        } => voice.say(
            text::REFUSED,
            &[
                ("study", link(study.as_str())),
                ("round", voice.number((*round).into())),
                ("site", site.as_str().into()),
                ("why", voice.word(report_words::problem(*code))),
            ],
        ),
        Matter::Paused { study, reason } => voice.say(
            text::PAUSED,
            &[("study", link(study.as_str())), ("reason", reason.as_str().into())],
        ),
        Matter::Releasable { study } => voice.say(
            text::RELEASABLE,
            &[("study", link(study.as_str())), ("name", study.as_str().into())],
        ),
    }
}

fn studies(page: &mut Page, view: &Overview, voice: Voice) {
    let mut table = Table::new([
        Column::names(voice.word(words::STUDY)),
        voice.words(words::PHASE),
        voice.words(words::ROUND),
        voice.numbers(text::TAKE_PART),
        voice.words(text::UPDATES),
        voice.words(text::UNTIL),
    ])
    .with_caption(voice.word(text::STUDIES_TABLE));
    // The newest are looked for most.
    for known in view.studies.iter().rev() {
        table.row(study(known, view, voice));
    }
    if table.is_empty() {
        page.say(voice.word(text::STUDIES_NONE));
    }
    page.table(&table);
}

fn study(known: &Known, view: &Overview, voice: Voice) -> [Html; 6] {
    let (plan, stands) = (&known.study.plan, &known.study.phase);
    let round = [
        ("round", voice.number(stands.round().0.into())),
        ("rounds", voice.number(plan.rounds.count.into())),
    ];
    let takes_part = |member: &&Member| !matches!(member.doing, Doing::Left | Doing::Declined);
    let members = known.members.iter().filter(takes_part).count();
    let (sent, until) = match stands.within() {
        Phase::Collecting(open) => {
            let sent = format!("{} / {}", open.contributions.len(), open.sites.len());
            let until = if stands.paused().is_some() {
                Html::default()
            } else {
                left(voice, view.now, open.deadline)
            };
            (Html::text(&sent), until)
        }
        _ => (Html::default(), Html::default()),
    };
    [
        Html::route(&study_route(plan.study.as_str()), plan.study.as_str()),
        phase(voice, &known.study),
        voice.say(words::ROUND_OF, &round),
        voice.number(members as u64),
        sent,
        until,
    ]
}

fn sites(page: &mut Page, view: &Overview, voice: Voice) {
    let mut does: BTreeMap<&SiteName, Vec<Html>> = BTreeMap::new();
    for known in view.studies.iter().filter(|known| is_open(&known.study.phase)) {
        let name = known.study.plan.study.as_str();
        for member in &known.members {
            let study = Html::route(&study_route(name), name);
            let told = study.and(": ").and(doing(voice, member));
            does.entry(&member.site).or_default().push(told);
        }
    }
    let mut table = Table::new([
        Column::names(voice.word(words::SITE)),
        voice.words(text::SIGN),
        voice.words(text::DOES),
    ])
    .with_caption(voice.word(text::WHO_TABLE));
    let by_presence = |site: &&Site| (site.revoked.is_some(), !is_here(site.last_seen, view.now));
    let mut sites: Vec<&Site> = view.sites.iter().collect();
    sites.sort_by_key(by_presence);
    for site in sites {
        let (sign, doing) = match &site.revoked {
            Some(revoked) => (ago(voice, view.now, revoked.at).soft(), voice.word(text::REVOKED).bad()),
            None => (
                presence(voice, view.now, site.last_seen, is_here(site.last_seen, view.now)),
                does.remove(&site.name)
                    .map_or_else(|| voice.word(text::IN_NO_STUDY).soft(), Html::below),
            ),
        };
        table.row([Html::text(site.name.as_str()), sign, doing]);
    }
    if table.is_empty() {
        page.say(voice.word(text::WHO_NONE));
    }
    page.table(&table);
}
