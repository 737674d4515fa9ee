//! The page of the ledger: where it stands, whether it verifies, its newest entries, the heads of the sites' own.

use snowball_registry::Site;
use snowball_web::{Column, Html, Language, Page, Table};

use crate::{
    dashboard::{
        ledger_watch::{Look, Seen},
        words::{self, ledger as text},
    },
    report::Voice,
};

/// The page.
pub fn page(seen: &Seen, sites: &[Site], voice: Voice) -> Page {
    let mut page = Page::new(voice.language, voice.word(text::TITLE));
    page.lead(voice.word(text::LEAD));
    page.live("head", |page| head(page, seen, voice));
    page.section(voice.word(text::NEWEST));
    page.live("newest", |page| newest(page, seen.look.as_deref(), voice));
    page.section(voice.word(text::HEADS));
    page.say(voice.word(text::HEADS_SAY));
    page.live("heads", |page| heads(page, sites, voice));
    page.section(voice.word(text::CHECK));
    page.say(voice.word(text::CHECK_SAYS));
    page.verbatim(&format!(
        "aggregator ledger verify --dir COPY --key {key}\npython3 tests/verify_ledger.py --key {key} COPY",
        key = seen.look.as_ref().map_or("KEY", |look| look.told.public_key.as_str())
    ));
    page
}

fn head(page: &mut Page, seen: &Seen, voice: Voice) {
    if let Some(fault) = seen.fault() {
        page.alert(voice.say(text::FAULT, &[("fault", fault.into())]));
    }
    let Some(look) = &seen.look else {
        page.say(voice.word(text::CHECKING).soft());
        return;
    };
    let (told, head) = (&look.told, seen.head.as_ref().or(look.head.as_ref()));
    let verdict = match seen.fault() {
        None => voice.word(text::SOUND).good(),
        Some(_) => voice.word(text::BROKEN).bad(),
    };
    let until = [("entries", voice.number(told.entries)), ("time", Html::minute(look.at))];
    let entries = head.map_or_else(Html::default, |head| voice.number(head.entries));
    page.tiles([
        (entries, voice.word(text::TILE_ENTRIES)),
        (verdict, voice.say(text::TILE_VERDICT, &until)),
    ]);
    let mut facts = Vec::new();
    if let Some(head) = head {
        facts.push((voice.word(text::HEAD), Html::code(&head.hash.to_string())));
    }
    facts.push((voice.word(text::KEY), Html::code(&told.public_key)));
    if let Some(fingerprint) = told.fingerprint {
        facts.push((voice.word(text::KEY_FINGERPRINT), Html::code(&fingerprint.to_string())));
    }
    page.facts(facts);
}

fn newest(page: &mut Page, look: Option<&Look>, voice: Voice) {
    let Some(look) = look else { return };
    if look.unseen > 0 {
        page.say(voice.say(text::UNSEEN, &[("count", voice.number(look.unseen))]));
    }
    let mut table = Table::new([
        voice.numbers(text::INDEX),
        voice.words(text::TIME),
        voice.words(text::WHAT),
    ])
    .with_caption(voice.word(text::NEWEST_TABLE));
    for record in &look.newest {
        let told = match voice.language {
            Language::English => record.describe(),
            Language::French => record.describe_in_french(),
        };
        table.row([voice.number(record.index), Html::minute(record.time), Html::text(&told)]);
    }
    page.table(&table);
}

fn heads(page: &mut Page, sites: &[Site], voice: Voice) {
    let mut table = Table::new([
        Column::names(voice.word(words::SITE)),
        voice.numbers(text::ENTRIES),
        voice.words(text::HEAD),
        voice.words(text::REFUSED),
    ])
    .with_caption(voice.word(text::HEADS_TABLE));
    for site in sites
        .iter()
        .filter(|site| site.head.is_some() || site.head_refused.is_some())
    {
        let refused = site.head_refused.map(|hash| Html::code(&hash.to_string()).bad());
        let head = site.head.as_ref();
        table.row([
            Html::text(site.name.as_str()),
            head.map_or_else(Html::default, |head| voice.number(head.entries)),
            head.map_or_else(Html::default, |head| Html::code(&head.hash.to_string())),
            refused.unwrap_or_default(),
        ]);
    }
    if table.is_empty() {
        page.say(voice.word(text::HEADS_NONE).soft());
    }
    page.table(&table);
}
