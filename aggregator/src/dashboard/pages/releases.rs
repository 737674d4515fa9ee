//! The page of all releases.

use std::path::Path;

use snowball_protocol::plan::Origin;
use snowball_web::{Column, Html, Page, Route, Table};

use crate::{
    dashboard::words::{self, releases as text},
    release::{Folder, Listed},
    report::Voice,
};

/// The page; `key` is the public key that a release is verified with.
pub fn page(listed: &[Listed], key: &str, voice: Voice) -> Page {
    let mut page = Page::new(voice.language, voice.word(text::TITLE));
    let mut table = Table::new([
        Column::names(voice.word(words::STUDY)),
        voice.words(text::SIGNED),
        voice.words(text::MODEL),
        voice.numbers(text::ROUNDS),
        voice.numbers(text::SITES),
        voice.words(text::BEGAN),
        voice.words(text::FOLDER),
    ])
    .with_caption(voice.word(text::TABLE));
    for one in listed {
        let path = Path::new(&one.release.file);
        let folder = Html::code(&path.parent().unwrap_or(path).display().to_string());
        table.row([
            Html::route(&route(one), one.release.study.as_str()),
            Html::minute(one.release.released),
            Html::code(&one.release.model.short()),
            voice.number(one.lineage.rounds.len() as u64),
            voice.number(one.sites() as u64),
            began(one.lineage.plan.parents(), voice),
            folder.and(" ").and(standing(one.folder, voice)),
        ]);
    }
    if table.is_empty() {
        page.say(voice.word(text::NONE));
    }
    page.table(&table);
    check(&mut page, key, voice);
    page
}

/// The page of one release.
pub fn route(one: &Listed) -> Route {
    Route::of(["releases", &one.release.digest.hex()])
}

/// How to verify a release.
pub fn check(page: &mut Page, key: &str, voice: Voice) {
    page.section(voice.word(text::CHECK));
    page.say(voice.word(text::CHECK_SAYS));
    page.verbatim(&format!("aggregator release verify FOLDER --key {key}"));
}

/// Whether the folder is where and what it was.
pub fn standing(folder: Folder, voice: Voice) -> Html {
    match folder {
        Folder::There => voice.word(text::THERE).good(),
        Folder::Gone => voice.word(text::GONE).soft(),
        Folder::Altered => voice.word(text::ALTERED).bad(),
    }
}

/// What a study began from, nearest first.
pub fn began(parents: &[Origin], voice: Voice) -> Html {
    if parents.is_empty() {
        return voice.word(text::SEED);
    }
    let told = parents.iter().map(|origin| match origin {
        Origin::Release { study, .. } => Html::text(study.as_str()),
        Origin::File { name, .. } => voice.say(text::FILE, &[("name", name.as_str().into())]),
    });
    Html::join(told, " ← ")
}
