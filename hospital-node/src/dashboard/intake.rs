//! What came in: by which way, what became of it, and why not, as it goes on.

use std::collections::BTreeMap;

use anyhow::Result;
use snowball_protocol::{
    ids::UnixSeconds,
    intake::{Disposition, IntakeReason},
    small::{self, Balance, Shown},
};
use snowball_web::{Column, Html, Language, Message, Page, Route, Table, ago, messages};

use super::{desk::Desk, tell::unless};
use crate::{
    auditor::words::reason,
    evidence::{Counted, Flow},
    now::intake::{self, Way, WayNoted},
};

messages! {
    TITLE = "Intake", "Importation";
    LEAD = "What came in and what became of it. A file that is not taken in stays where the hospital has it.", "Ce qui est arrivé et ce qu’il en est advenu. Un fichier qui n’est pas importé reste là où l’hôpital le conserve.";
    TILE_ACCEPTED = "taken in", "importés";
    TILE_QUARANTINED = "kept aside for a person", "mis de côté pour une personne";
    TILE_REJECTED = "never of use here", "jamais utilisables ici";
    TILE_WRITTEN = "written as de-identified DICOM", "écrits en DICOM désidentifié";
    WAYS = "By each way", "Par chaque voie";
    WAYS_SAY = "As the commands count while they work. What counts for an auditor is the ledger, below.", "Selon le décompte des commandes pendant leur travail. Ce qui fait foi pour l’auditeur est le registre, ci-dessous.";
    WAYS_NONE = "No command has taken anything in since this node notes it.", "Aucune commande n’a rien importé depuis que ce nœud le note.";
    WAY = "way", "voie";
    STATE = "now", "en ce moment";
    WORKS = "at work, last file {when}", "au travail, dernier fichier {when}";
    WORKS_IDLE = "at work, no file yet", "au travail, aucun fichier pour l’instant";
    RESTS = "ended, last file {when}", "terminé, dernier fichier {when}";
    ACCEPTED = "taken in", "importés";
    QUARANTINED = "quarantined", "en quarantaine";
    REJECTED = "rejected", "rejetés";
    KNOWN = "known before", "déjà connus";
    WITHDRAWN = "of withdrawn patients", "de patients retirés";
    FOLDER = "a folder (`ingest`)", "un dossier (`ingest`)";
    WATCHED = "a watched folder (`watch`)", "un dossier surveillé (`watch`)";
    RECEIVED = "sent by the archive (`receive`)", "envoyés par le PACS (`receive`)";
    RETRIEVED = "asked of the archive (`retrieve`)", "demandés au PACS (`retrieve`)";
    PULLED = "asked by DICOMweb (`pull`)", "demandés par DICOMweb (`pull`)";
    REASONS = "Why files were not taken in", "Pourquoi des fichiers n’ont pas été importés";
    REASONS_SAY = "Over the whole ledger.", "Sur tout le registre.";
    REASONS_NONE = "Every file so far was taken in.", "Jusqu’ici, tous les fichiers ont été importés.";
    REASON = "reason", "motif";
    BECAME = "became of it", "ce qu’il en est advenu";
    FILES = "files", "fichiers";
    WAIT_NOW = "wait now", "en attente";
    TO_QUARANTINE = "Look at what waits", "Voir ce qui attend";
}

/// What the page shows.
pub struct Model {
    pub now: UnixSeconds,
    /// Each way by which something came, whether its command works, and what it counted.
    pub ways: Vec<(Way, bool, WayNoted)>,
    pub intake: Flow,
    pub deidentify: Flow,
    pub waiting: BTreeMap<IntakeReason, u64>,
    /// Below how many their number is not told.
    pub cell_min: u64,
}

impl Model {
    pub fn read(desk: &Desk, now: UnixSeconds) -> Result<Self> {
        let ways = Way::ALL.into_iter().filter_map(|way| {
            let seen = intake::look(&desk.home, way)?;
            Some((way, seen.is_live, seen.page))
        });
        let mut counted = Counted::default();
        for record in &desk.ledger().records {
            counted.count(&record.entry);
        }
        let mut waiting = BTreeMap::new();
        for file in desk.waiting()? {
            *waiting.entry(file.reason).or_default() += 1;
        }
        Ok(Self {
            now,
            ways: ways.collect(),
            intake: counted.intake,
            deidentify: counted.deidentify,
            waiting,
            cell_min: desk.cell_min(),
        })
    }
}

/// Fills the page.
pub fn fill(page: &mut Page, model: &Model) {
    let language = page.language();
    page.lead(LEAD.html(language));
    page.live("intake", |page| {
        let number = |count| unless(small::is_small(count, model.cell_min), count, language);
        let mut tiles = vec![
            (number(model.intake.accepted), TILE_ACCEPTED.html(language)),
            (number(model.intake.quarantined), TILE_QUARANTINED.html(language)),
            (number(model.intake.rejected), TILE_REJECTED.html(language)),
        ];
        if model.deidentify.runs > 0 {
            tiles.push((number(model.deidentify.accepted), TILE_WRITTEN.html(language)));
        }
        page.tiles(tiles);
        page.section(WAYS.html(language));
        if model.ways.is_empty() {
            page.say(WAYS_NONE.html(language));
        } else {
            page.say(WAYS_SAY.html(language).soft());
        }
        page.table(&ways(model, language));
        page.section(REASONS.html(language));
        let reasons = reasons(model, language);
        if reasons.is_empty() {
            page.say(REASONS_NONE.html(language));
        } else {
            page.say(REASONS_SAY.html(language).soft());
        }
        page.table(&reasons);
    });
    if !model.waiting.is_empty() {
        page.say(Html::route(&Route::of(["quarantine"]), TO_QUARANTINE.html(language)));
    }
}

fn ways(model: &Model, language: Language) -> Table<7> {
    let numbers = |heading: Message| Column::numbers(heading.html(language));
    let mut table = Table::new([
        Column::names(WAY.html(language)),
        Column::words(STATE.html(language)),
        numbers(ACCEPTED),
        numbers(QUARANTINED),
        numbers(REJECTED),
        numbers(KNOWN),
        numbers(WITHDRAWN),
    ])
    .with_caption(WAYS.html(language).unseen());
    for (way, works, noted) in &model.ways {
        let when = noted.last.map(|last| [("when", ago(last, model.now, language))]);
        let state = match (works, &when) {
            (true, Some(when)) => WORKS.say(language, when).good(),
            (true, None) => WORKS_IDLE.html(language).good(),
            (false, Some(when)) => RESTS.say(language, when).soft(),
            (false, None) => Html::default(),
        };
        let all = &noted.all;
        let is_small = |count| small::is_small(count, model.cell_min);
        // Sums of these over all ways are no tiles above, which count the whole ledger; so each is hidden for itself.
        let [accepted, quarantined, rejected, known, withdrawn] =
            [all.accepted, all.quarantined, all.rejected, all.known, all.withdrawn]
                .map(|count| unless(is_small(count), count, language));
        table.row([
            name(*way).html(language),
            state,
            accepted,
            quarantined,
            rejected,
            known,
            withdrawn,
        ]);
    }
    table
}

const fn name(way: Way) -> Message {
    match way {
        Way::Folder => FOLDER,
        Way::Watched => WATCHED,
        Way::Received => RECEIVED,
        Way::Retrieved => RETRIEVED,
        Way::Pulled => PULLED,
    }
}

fn reasons(model: &Model, language: Language) -> Table<4> {
    let mut table = Table::new([
        Column::names(REASON.html(language)),
        Column::words(BECAME.html(language)),
        Column::numbers(FILES.html(language)),
        Column::numbers(WAIT_NOW.html(language)),
    ])
    .with_caption(REASONS.html(language).unseen());
    let mut counts = model.intake.reasons.clone();
    for (reason, count) in &model.deidentify.reasons {
        *counts.entry(*reason).or_default() += count;
    }
    let mut counts: Vec<(IntakeReason, u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let is_hidden = hidden(&counts, model.cell_min);
    for ((why, count), is_hidden) in counts.into_iter().zip(is_hidden) {
        let became = match why.disposition() {
            Disposition::Quarantined => QUARANTINED,
            _ => REJECTED,
        };
        let waits = model.waiting.get(&why).copied();
        table.row([
            reason(why).html(language),
            became.html(language),
            unless(is_hidden, count, language),
            // Each file that waits stands on a line of its own in the quarantine, with its reason, and names nobody.
            waits.map_or_else(Html::default, |count| Html::number(count, language)),
        ]);
    }
    table
}

/// Which reasons’ counts are not told. Those of one outcome add up to what its tile tells.
fn hidden(counts: &[(IntakeReason, u64)], cell_min: u64) -> Vec<bool> {
    let numbers: Vec<u64> = counts.iter().map(|(_, count)| *count).collect();
    let few = numbers.iter().map(|count| small::is_small(*count, cell_min)).collect();
    let (kept, gone): (Vec<usize>, Vec<usize>) =
        (0..counts.len()).partition(|place| counts[*place].0.disposition() == Disposition::Quarantined);
    let balances = [kept, gone].map(|right| Balance {
        left: Vec::new(),
        right,
    });
    small::hidden(&numbers, few, &balances, cell_min, Shown::Alike)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::testing;
    use crate::now::intake::Came;

    #[test]
    fn each_way_and_each_reason_stands_on_the_page() {
        let noted = |accepted| WayNoted {
            since: 0,
            last: Some(940),
            run: Came::default(),
            all: Came {
                accepted,
                ..Came::default()
            },
        };
        let model = Model {
            now: 1_000,
            ways: vec![(Way::Received, true, noted(4_001)), (Way::Folder, false, noted(4_002))],
            intake: Flow {
                runs: 2,
                accepted: 8_003,
                quarantined: 17,
                rejected: 5,
                reasons: BTreeMap::from([(IntakeReason::BurnedInText, 17), (IntakeReason::Document, 5)]),
            },
            deidentify: Flow::default(),
            waiting: BTreeMap::from([(IntakeReason::BurnedInText, 9)]),
            cell_min: 5,
        };
        for language in Language::ALL {
            let html = testing::shown(TITLE, language, |page| fill(page, &model));
            let numbers = snowball_web::numbers(&html);
            for number in [4_001, 4_002, 8_003, 17, 5, 9] {
                assert!(numbers.contains(&number), "{number} in {numbers:?}");
            }
            assert!(
                html.contains("class=\"good\"") && html.contains("href=\"/quarantine\""),
                "{html}"
            );
        }
    }

    #[test]
    fn a_reason_of_few_files_is_hidden_with_one_that_gives_it_back() {
        use IntakeReason::{BurnedInText, DecodeError, Document, NotDicom};
        let counts = [(NotDicom, 40), (BurnedInText, 30), (DecodeError, 20), (Document, 3)];
        let is_hidden = hidden(&counts, 5);
        assert!(is_hidden[3] && is_hidden[0], "{is_hidden:?}");
        assert!(!is_hidden[1] && !is_hidden[2], "those that wait have no small one");
    }
}
