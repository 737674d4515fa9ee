//! The page of one release: its lineage, how to verify it, its card.

use snowball_web::{Column, Html, Page, Table};

use super::{
    releases::{began, check, standing},
    study_route,
};
use crate::{
    dashboard::words::{self, releases as text},
    release::Listed,
    report::Voice,
};

/// The page. `card` is the card that was signed, where it still lies beside the release.
pub fn page(one: &Listed, card: Option<&str>, key: &str, voice: Voice) -> Page {
    let (release, lineage) = (&one.release, &one.lineage);
    let title = [("study", Html::text(release.study.as_str()))];
    let mut page = Page::new(voice.language, voice.say(text::ONE, &title));
    page.lead(lineage.plan.title.as_str());
    let code = |digest: snowball_protocol::Sha256Digest| Html::code(&digest.to_string());
    let approved = lineage.approved_by.as_deref();
    page.facts([
        (
            voice.word(words::STUDY),
            Html::route(&study_route(release.study.as_str()), release.study.as_str()),
        ),
        (voice.word(text::SIGNED), Html::minute(release.released)),
        (
            voice.word(text::APPROVED_BY),
            approved.map_or_else(|| voice.word(text::NOT_STATED).soft(), Html::from),
        ),
        (voice.word(text::DIGEST), code(release.digest)),
        (voice.word(text::PLAN), code(lineage.plan_digest)),
        (voice.word(text::MODEL_DIGEST), code(release.model)),
        (voice.word(text::PARAMETERS), voice.number(lineage.parameters)),
        (voice.word(text::BEGAN), began(lineage.plan.parents(), voice)),
        (
            voice.word(text::FOLDER),
            Html::code(&release.file).and(" ").and(standing(one.folder, voice)),
        ),
    ]);
    check(&mut page, key, voice);
    page.section(voice.word(text::LINEAGE));
    page.table(&rounds(one, voice));
    page.section(voice.word(text::CARD));
    match card {
        Some(card) => page.markdown(card),
        None => page.say(voice.word(text::CARD_GONE).soft()),
    }
    page
}

fn rounds(one: &Listed, voice: Voice) -> Table<4> {
    let mut table = Table::new([
        Column::names(voice.word(words::ROUND)),
        voice.words(text::MODEL_IN),
        voice.words(text::MODEL_OUT),
        voice.words(text::WHO),
    ])
    .with_caption(voice.word(text::LINEAGE_TABLE));
    for round in &one.lineage.rounds {
        let who = round.contributions.iter().map(|part| {
            let site = Html::text(part.site.as_str());
            site.and(" (").and(voice.number(part.examples)).and(")")
        });
        table.row([
            voice.number(round.round.0.into()),
            Html::code(&round.model_in.short()),
            Html::code(&round.model_out.short()),
            Html::join(who, ", "),
        ]);
    }
    table
}
