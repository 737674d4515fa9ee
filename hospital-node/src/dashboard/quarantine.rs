//! The files that wait for a person, and one of them. No page but `look` shows anything of what is in a file.

use anyhow::Result;
use snowball_imaging::Waiver;
use snowball_protocol::{Sha256Digest, ids::UnixSeconds, intake::IntakeReason};
use snowball_store::{HeldFile, HeldState, Review};
use snowball_web::{
    Asked, Column, Confirmation, Form, FormToken, Html, Language, Marked, Message, Page, Route, Table, messages, size,
};

use super::{
    advice::advice,
    desk::Desk,
    tell::{counted, plural},
};
use crate::{
    aside::Looked,
    auditor::words::reason,
    quarantine::{age_days, counts},
};

/// Rows on one page.
pub const ROWS: usize = 100;

messages! {
    TITLE = "Quarantine", "Quarantaine";
    LEAD = "Files that were kept aside, because a person should decide. They lie sealed; this list shows nothing of what is in them.", "Fichiers mis de côté parce qu’une personne doit décider. Ils sont scellés ; cette liste ne montre rien de leur contenu.";
    EMPTY = "Nothing waits.", "Rien n’attend.";
    BY_REASON = "Why they wait", "Pourquoi ils attendent";
    REASON = "reason", "motif";
    FILES = "files", "fichiers";
    WEEK = "this week", "cette semaine";
    MONTH = "this month", "ce mois";
    OLDER = "longer", "plus longtemps";
    TO_DO = "what to do", "que faire";
    EACH = "Each file", "Chaque fichier";
    FILE = "file", "fichier";
    SINCE = "since", "depuis";
    DAYS = "days", "jours";
    SIZE = "size", "taille";
    MORE = "The oldest {count} are shown; the next appear as these are decided.", "Les {count} plus anciens sont affichés ; les suivants apparaissent à mesure des décisions.";

    ITEM = "File {digest}", "Fichier {digest}";
    STATE = "state", "état";
    HELD = "waits for a person", "attend une personne";
    RELEASED = "was taken in after a review", "a été importé après relecture";
    DISCARDED = "was let go", "a été écarté";
    DIGEST = "digest", "empreinte";
    MET = "met", "rencontré";
    ONCE = "once", "une fois";
    TIMES = "{count} times", "{count} fois";
    COPY = "copy", "copie";
    COPY_KEPT = "a sealed copy is kept here", "une copie scellée est conservée ici";
    COPY_NONE = "no copy is kept here", "aucune copie n’est conservée ici";
    REVIEWS = "Who looked", "Qui a regardé";
    REVIEWER = "reviewer", "relecteur";
    SAID = "their words", "ses mots";
    WAIVED = "set aside", "motif levé";
    END = "outcome", "issue";
    TAKEN_IN = "taken in", "importé";
    LOOK = "Look at its picture", "Regarder l’image";
    SHOW = "Show the picture", "Montrer l’image";
    GONE = "No such file is in the quarantine.", "Aucun fichier de ce nom n’est en quarantaine.";
    LOOK_SAYS = "The picture may show who the patient is. It is shown once, on this screen, and kept nowhere; that you looked is written in the ledger.", "L’image peut révéler l’identité du patient. Elle est montrée une fois, sur cet écran, et conservée nulle part ; le fait que vous l’avez regardée est inscrit au registre.";
    DECIDE = "Decide", "Décider";
    RELEASE = "Release: take it in", "Libérer : l’importer";
    RELEASE_SAYS = "Only where nobody can be named by what the picture shows.", "Seulement si rien de ce que montre l’image ne permet de nommer quelqu’un.";
    RELEASE_NEVER = "This reason cannot be set aside by a look: {remedy}.", "Un regard ne suffit pas à lever ce motif : {remedy}.";
    DISCARD = "Discard: let it go", "Écarter : l’abandonner";
    DISCARD_SAYS = "The copy here is removed for good. The hospital’s own file is untouched.", "La copie conservée ici est définitivement supprimée. Le fichier de l’hôpital reste intact.";
    READER = "You may look at this list and change nothing. An operator decides.", "Vous pouvez consulter cette liste sans rien modifier. Un opérateur décide.";
    BACK = "Back to all files", "Retour à tous les fichiers";
    BACK_ITEM = "Back to this file, change nothing", "Retour à ce fichier, sans rien changer";

    PICTURE = "The picture of {digest}", "L’image de {digest}";
    PICTURE_SHOWS = "The radiograph that waits in the quarantine", "La radiographie qui attend en quarantaine";
    PLACE = "The place where the search sees something written is framed.", "L’endroit où la recherche voit du texte est encadré.";
    PLACES = "{count} places where the search sees something written are framed.", "{count} endroits où la recherche voit du texte sont encadrés.";
    PLACES_NONE = "The search sees nothing written in it. Look all the same: it waits because {reason}.", "La recherche n’y voit aucun texte. Regardez quand même : elle attend pour ce motif : {reason}.";

    CONFIRM_RELEASE = "Take in {digest}?", "Importer {digest} ?";
    WILL_RELEASE = "The file goes through the whole intake again, with the reason “{reason}” set aside. Text that the search finds is removed from the pixels as ever.", "Le fichier repasse par toute l’importation, le motif « {reason} » étant levé. Le texte que trouve la recherche est retiré des pixels comme toujours.";
    WILL_RECORD = "Your name, your words and the decision go into the ledger, which nobody can change.", "Votre nom, vos mots et la décision sont inscrits au registre, que personne ne peut modifier.";
    CONFIRM_DISCARD = "Let {digest} go?", "Écarter {digest} ?";
    RELEASE_BUTTON = "Release it", "Libérer";
    DISCARD_BUTTON = "Discard it", "Écarter";
    REVIEWER_FIELD = "Who decides", "Qui décide";
    REVIEWER_HINT = "Your name as colleagues know it.", "Votre nom, tel que vos collègues le connaissent.";
    DONE_RELEASED = "Taken in: {digest}.", "Importé : {digest}.";
    DONE_DISCARDED = "Let go: {digest}.", "Écarté : {digest}.";
}

/// What the list shows.
pub struct Model {
    pub now: UnixSeconds,
    pub held: Vec<HeldFile>,
}

/// What the page of one file shows.
pub struct Item {
    pub digest: Sha256Digest,
    pub held: Vec<HeldFile>,
    pub reviews: Vec<Review>,
}

/// What a person may decide.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    Release,
    Discard,
}

impl Model {
    pub fn read(desk: &Desk, now: UnixSeconds) -> Result<Self> {
        Ok(Self {
            now,
            held: desk.waiting()?,
        })
    }
}

impl Item {
    /// `None` where no such file is or was in the quarantine.
    pub fn read(desk: &Desk, digest: &Sha256Digest) -> Result<Option<Self>> {
        let held = desk.store.held_file(digest)?;
        if held.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            digest: *digest,
            held,
            reviews: desk.store.reviews(digest)?,
        }))
    }

    /// Why it waits, if it does.
    pub fn waits(&self) -> Option<IntakeReason> {
        crate::quarantine::waits(&self.held).map(|file| file.reason)
    }

    fn is_kept(&self) -> bool {
        self.held.iter().any(|file| file.kept)
    }
}

/// Fills the list.
pub fn fill(page: &mut Page, model: &Model) {
    let language = page.language();
    page.lead(LEAD.html(language));
    if model.held.is_empty() {
        page.say(EMPTY.html(language).good());
        return;
    }
    page.section(BY_REASON.html(language));
    let counts = counts(&model.held, model.now);
    let numbers = |heading: Message| Column::numbers(heading.html(language));
    let mut sums = Table::new([
        Column::names(REASON.html(language)),
        numbers(FILES),
        numbers(WEEK),
        numbers(MONTH),
        numbers(OLDER),
        Column::words(TO_DO.html(language)),
    ])
    .with_caption(BY_REASON.html(language).unseen());
    for count in &counts {
        let [files, week, month, older] =
            [count.files, count.week, count.month, count.older].map(|count| Html::number(count, language));
        let why = reason(count.reason).html(language);
        sums.row([why, files, week, month, older, advice(count.reason, language)]);
    }
    page.table(&sums);
    page.section(EACH.html(language));
    let mut each = Table::new([
        Column::names(FILE.html(language)),
        Column::words(REASON.html(language)),
        Column::words(SINCE.html(language)),
        Column::numbers(DAYS.html(language)),
        Column::numbers(SIZE.html(language)),
    ])
    .with_caption(EACH.html(language).unseen());
    for file in model.held.iter().take(ROWS) {
        each.row([
            Html::route(&route(&file.digest), Html::code(&file.digest.short())),
            reason(file.reason).html(language),
            Html::day(file.first_seen),
            Html::number(age_days(file, model.now).max(0).unsigned_abs(), language),
            size(file.bytes, language),
        ]);
    }
    page.table(&each);
    if model.held.len() > ROWS {
        page.say(counted(MORE, ROWS as u64, language).soft());
    }
}

/// Fills the page of one file.
pub fn fill_item(page: &mut Page, item: &Item, token: Option<&FormToken>) {
    let language = page.language();
    page.facts(facts(item, language));
    reviews(page, item);
    if let Some(why) = item.waits() {
        page.section(DECIDE.html(language));
        match token {
            None => page.say(READER.html(language)),
            Some(token) => ways_to_decide(page, item, why, token),
        }
    }
    page.say(Html::route(&Route::of(["quarantine"]), BACK.html(language)));
}

fn facts(item: &Item, language: Language) -> Vec<(Html, Html)> {
    let mut facts = vec![(DIGEST.html(language), Html::code(&item.digest.to_string()))];
    for file in &item.held {
        let (state, is_waiting) = match file.state {
            HeldState::Held => (HELD, true),
            HeldState::Released => (RELEASED, false),
            HeldState::Discarded => (DISCARDED, false),
        };
        facts.push((STATE.html(language), state.html(language)));
        facts.push((REASON.html(language), reason(file.reason).html(language)));
        if is_waiting {
            facts.push((TO_DO.html(language), advice(file.reason, language)));
        }
        facts.push((SINCE.html(language), Html::minute(file.first_seen)));
        facts.push((MET.html(language), plural(ONCE, TIMES, file.times, language)));
        facts.push((SIZE.html(language), size(file.bytes, language)));
    }
    let copy = if item.is_kept() { COPY_KEPT } else { COPY_NONE };
    facts.push((COPY.html(language), copy.html(language)));
    facts
}

fn reviews(page: &mut Page, item: &Item) {
    let language = page.language();
    if item.reviews.is_empty() {
        return;
    }
    page.section(REVIEWS.html(language));
    let headings = [SINCE, REVIEWER, SAID, WAIVED, END];
    let mut table = Table::new(headings.map(|heading| Column::words(heading.html(language))))
        .with_caption(REVIEWS.html(language).unseen());
    for review in &item.reviews {
        let end = review.excluded.map_or(TAKEN_IN, reason);
        table.row([
            Html::minute(review.when),
            Html::text(&review.reviewer),
            Html::text(&review.reason),
            reason(review.waived).html(language),
            end.html(language),
        ]);
    }
    page.table(&table);
}

fn ways_to_decide(page: &mut Page, item: &Item, why: IntakeReason, token: &FormToken) {
    let language = page.language();
    let to = |part: &str, text: Message| Html::route(&below(&item.digest, part), text.html(language));
    if item.is_kept() {
        page.part(LOOK.html(language));
        page.say(LOOK_SAYS.html(language));
        let form = Form::new(token, &below(&item.digest, "look"));
        page.form(form.button(SHOW.html(language)));
        if Waiver::of(why).is_ok() {
            page.part(to("release", RELEASE));
            page.say(RELEASE_SAYS.html(language));
        } else {
            page.say(RELEASE_NEVER.say(language, &[("remedy", advice(why, language))]));
        }
    }
    page.part(to("discard", DISCARD));
    page.say(DISCARD_SAYS.html(language));
}

/// Fills the page with the picture, which is the only one that shows anything of a patient.
pub fn fill_look(page: &mut Page, item: &Item, looked: &Looked) {
    let language = page.language();
    page.lead(LOOK_SAYS.html(language));
    let places: Vec<[u32; 4]> = looked
        .places
        .iter()
        .map(|place| [place.x, place.y, place.width, place.height])
        .collect();
    if let Some(why) = item.waits() {
        page.say(if places.is_empty() {
            PLACES_NONE.say(language, &[("reason", reason(why).html(language))])
        } else {
            plural(PLACE, PLACES, places.len() as u64, language)
        });
    }
    page.marked(&Marked {
        png: &looked.png,
        columns: looked.columns,
        rows: looked.rows,
        places: &places,
        shows: PICTURE_SHOWS.html(language),
    });
    if let Some(why) = item.waits() {
        page.section(DECIDE.html(language));
        let mut ways = Vec::new();
        if Waiver::of(why).is_ok() {
            ways.push(Html::route(&below(&item.digest, "release"), RELEASE.html(language)));
        }
        ways.push(Html::route(&below(&item.digest, "discard"), DISCARD.html(language)));
        page.list(ways);
    }
    page.say(Html::route(&route(&item.digest), BACK_ITEM.html(language)));
}

/// Fills the page that asks once more, with who decides and why.
pub fn fill_confirmation(page: &mut Page, item: &Item, decision: Decision, token: &FormToken, name: &str) {
    let language = page.language();
    let why = item.waits().map(|why| reason(why).html(language)).unwrap_or_default();
    let (will, part, button) = match decision {
        Decision::Release => (
            WILL_RELEASE.say(language, &[("reason", why)]),
            "release",
            RELEASE_BUTTON,
        ),
        Decision::Discard => (DISCARD_SAYS.html(language), "discard", DISCARD_BUTTON),
    };
    page.confirmation(
        token,
        Confirmation {
            will_happen: vec![will, WILL_RECORD.html(language)],
            route: below(&item.digest, part),
            hidden: &[],
            asks_line: Some(decider(name, language)),
            asks_reason: true,
            button: button.html(language),
            back: route(&item.digest),
        },
    );
}

/// Who decides: that stands in the ledger.
pub fn decider(name: &str, language: Language) -> Asked<'_> {
    Asked {
        name: REVIEWER_FIELD_NAME,
        label: REVIEWER_FIELD.html(language),
        hint: Some(REVIEWER_HINT.html(language)),
        value: name,
    }
}

/// Under which name forms carry who decides.
pub const REVIEWER_FIELD_NAME: &str = "reviewer";

/// The title of a page about one file.
pub fn titled(message: Message, digest: &Sha256Digest, language: Language) -> Html {
    message.say(language, &[("digest", Html::text(&digest.short()))])
}

/// Where the page of a file is.
pub fn route(digest: &Sha256Digest) -> Route {
    Route::of(["quarantine", &digest.to_string()])
}

fn below(digest: &Sha256Digest, part: &str) -> Route {
    Route::of(["quarantine", &digest.to_string(), part])
}

#[cfg(test)]
mod tests {
    use snowball_imaging::Place;

    use super::*;
    use crate::dashboard::testing;

    const NOW: UnixSeconds = 1_792_454_400;

    fn held(name: &str, reason: IntakeReason) -> HeldFile {
        HeldFile {
            digest: Sha256Digest::of(name.as_bytes()),
            reason,
            state: HeldState::Held,
            first_seen: NOW - 10 * 86_400,
            times: 1,
            bytes: 123_456,
            kept: true,
        }
    }

    fn item(reason: IntakeReason) -> Item {
        Item {
            digest: Sha256Digest::of(b"file"),
            held: vec![held("file", reason)],
            reviews: Vec::new(),
        }
    }

    fn shown(language: Language, fill: impl FnOnce(&mut Page)) -> String {
        testing::shown(TITLE, language, fill)
    }

    #[test]
    fn the_list_leads_to_each_file_and_has_an_end() {
        let files = (0..=ROWS).map(|number| held(&number.to_string(), IntakeReason::BurnedInText));
        let model = Model {
            now: NOW,
            held: files.chain([held("other", IntakeReason::DecodeError)]).collect(),
        };
        for language in Language::ALL {
            let html = shown(language, |page| fill(page, &model));
            assert_eq!(html.matches("href=\"/quarantine/sha256%3A").count(), ROWS);
            assert!(
                snowball_web::numbers(&html).contains(&(ROWS as u64 + 1)),
                "all are counted"
            );
        }
    }

    #[test]
    fn a_reader_finds_no_way_to_decide_or_to_look() {
        let token = FormToken::new("token".to_owned());
        let item = item(IntakeReason::BurnedInText);
        let acts = shown(Language::English, |page| fill_item(page, &item, Some(&token)));
        let reads = shown(Language::English, |page| fill_item(page, &item, None));
        for way in ["/look\"", "/release\"", "/discard\""] {
            assert!(acts.contains(way) && !reads.contains(way), "{way}");
        }
        let mut links = acts
            .split("href=\"")
            .skip(1)
            .filter_map(|rest| rest.split_once('"').map(|(link, _)| link));
        assert!(
            links.all(|link| !link.ends_with("/look")),
            "whoever opens a link has not pressed a button: {acts}"
        );
    }

    #[test]
    fn what_a_look_cannot_settle_cannot_be_released_and_says_what_to_do() {
        let token = FormToken::new("token".to_owned());
        for language in Language::ALL {
            let html = shown(language, |page| {
                fill_item(page, &item(IntakeReason::DecodeError), Some(&token));
            });
            assert!(
                !html.contains("/release\"") && html.contains("1.2.840.10008.1.2.1"),
                "{html}"
            );
        }
    }

    #[test]
    fn the_picture_is_in_its_page_alone_with_what_was_found_framed() {
        let looked = Looked {
            png: b"pixels".to_vec(),
            columns: 40,
            rows: 30,
            places: vec![Place {
                x: 1,
                y: 2,
                width: 3,
                height: 4,
            }],
        };
        let item = item(IntakeReason::BurnedInText);
        let html = shown(Language::English, |page| fill_look(page, &item, &looked));
        assert!(
            html.contains("data:image/png;base64,") && html.contains("class=\"mark\""),
            "{html}"
        );
        let token = FormToken::new("token".to_owned());
        for other in [
            shown(Language::English, |page| fill_item(page, &item, Some(&token))),
            shown(Language::English, |page| {
                fill_confirmation(page, &item, Decision::Release, &token, "Curie");
            }),
        ] {
            assert!(!other.contains("data:image"), "{other}");
        }
    }

    #[test]
    fn a_confirmation_says_what_will_happen_and_asks_who_and_why() {
        let token = FormToken::new("token".to_owned());
        for language in Language::ALL {
            for decision in [Decision::Release, Decision::Discard] {
                let html = shown(language, |page| {
                    fill_confirmation(page, &item(IntakeReason::TextRemains), decision, &token, "Curie");
                });
                for field in [
                    "name=\"reviewer\"",
                    "value=\"Curie\"",
                    "name=\"reason\"",
                    "method=\"post\"",
                ] {
                    assert!(html.contains(field), "{field} in {html}");
                }
            }
        }
    }
}
