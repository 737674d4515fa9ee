//! What the store holds, small cells hidden.

use anyhow::Result;
use snowball_store::{Cell, Census, Table as Counts};
use snowball_web::{Column, Html, Language, Message, Page, Table, messages};

use super::desk::Desk;

messages! {
    TITLE = "Census", "Recensement";
    LEAD = "What the store holds, by label and by how pictures were made. A count of fewer than {below} patients is hidden, and so is each count from which a hidden one could be had.",
        "Ce que contient la base, par étiquette et par mode d’acquisition. Un effectif de moins de {below} patients est masqué, de même que tout effectif dont on pourrait déduire un effectif masqué.";
    EMPTY = "The store is empty. Take in a folder: `hospital-node ingest FOLDER`.",
        "La base est vide. Importez un dossier : `hospital-node ingest DOSSIER`.";
    RADIOGRAPHS = "radiographs", "radiographies";
    PATIENTS = "patients", "patients";
    HIDDEN = "hidden", "masqué";
    LABELS = "Labels", "Étiquettes";
    MAKING = "How pictures were made", "Comment les images ont été acquises";
    OWN = "Labels of the hospital", "Étiquettes de l’hôpital";
    TERM = "value", "valeur";
    UNKNOWN = "unknown", "inconnu";
    BODY_PART = "Body part", "Région du corps";
    VIEW = "View", "Incidence";
    LATERALITY = "Side", "Côté";
    SEX = "Sex", "Sexe";
    AGE_BAND = "Age", "Âge";
    PART = "Part of the split by patient", "Partie du partage par patient";
    MODALITY = "Modality", "Modalité";
    MANUFACTURER = "Manufacturer", "Fabricant";
    CLASS = "Class of object", "Classe d’objet";
    DETECTOR = "Detector", "Détecteur";
    PHOTOMETRIC = "Photometric interpretation", "Interprétation photométrique";
    BITS_STORED = "Bits stored", "Bits enregistrés";
    TRANSFER_SYNTAX = "Transfer syntax", "Syntaxe de transfert";
    LOSSY = "Lossy compression", "Compression avec pertes";
    INTENT = "Intent", "Intention";
}

/// The labels, in the order of their use.
const LABEL_TABLES: [(&str, Message); 6] = [
    ("body_part", BODY_PART),
    ("view", VIEW),
    ("laterality", LATERALITY),
    ("sex", SEX),
    ("age_band", AGE_BAND),
    ("part", PART),
];
const MAKING_TABLES: [(&str, Message); 9] = [
    ("modality", MODALITY),
    ("manufacturer", MANUFACTURER),
    ("class", CLASS),
    ("detector", DETECTOR),
    ("photometric", PHOTOMETRIC),
    ("bits_stored", BITS_STORED),
    ("transfer_syntax", TRANSFER_SYNTAX),
    ("lossy", LOSSY),
    ("intent", INTENT),
];
const OWN_PREFIX: &str = "site: ";

/// What the page shows.
pub struct Model {
    census: Census,
    below: u64,
}

impl Model {
    pub fn read(desk: &Desk) -> Result<Self> {
        Ok(Self {
            census: desk.census()?,
            below: desk.cell_min(),
        })
    }
}

/// Fills the page.
pub fn fill(page: &mut Page, model: &Model) {
    let language = page.language();
    page.lead(LEAD.say(language, &[("below", Html::number(model.below, language))]));
    let census = &model.census;
    if census.tables.values().all(Counts::is_empty) {
        page.say(EMPTY.html(language));
        return;
    }
    let [radiographs, patients] = cells(census.total, language);
    page.tiles([
        (radiographs, RADIOGRAPHS.html(language)),
        (patients, PATIENTS.html(language)),
    ]);
    for (heading, tables) in [(LABELS, &LABEL_TABLES[..]), (MAKING, &MAKING_TABLES[..])] {
        page.section(heading.html(language));
        for (name, title) in tables {
            if let Some(counts) = census.tables.get(*name) {
                table(page, title.html(language), counts);
            }
        }
    }
    let mut own = census
        .tables
        .iter()
        .filter(|(name, _)| name.starts_with(OWN_PREFIX))
        .peekable();
    if own.peek().is_some() {
        page.section(OWN.html(language));
    }
    for (name, counts) in own {
        table(page, Html::text(name.trim_start_matches(OWN_PREFIX)), counts);
    }
}

fn table(page: &mut Page, title: Html, counts: &Counts) {
    let language = page.language();
    let mut table = Table::new([
        Column::names(TERM.html(language)),
        Column::numbers(RADIOGRAPHS.html(language)),
        Column::numbers(PATIENTS.html(language)),
    ])
    .with_caption(title);
    let mut rows: Vec<(&String, &Cell)> = counts.iter().collect();
    // What is not known stands last; ages stand in their own order, which is that of their words.
    rows.sort_by_key(|(term, _)| *term == "unknown");
    for (term, cell) in rows {
        let [radiographs, patients] = cells(*cell, language);
        table.row([word(term, language), radiographs, patients]);
    }
    page.table(&table);
}

fn word(term: &str, language: Language) -> Html {
    match term {
        "unknown" => UNKNOWN.html(language).soft(),
        other => Html::text(&other.replace('_', " ")),
    }
}

fn cells(cell: Cell, language: Language) -> [Html; 2] {
    match cell {
        Cell::Counted { radiographs, patients } => [radiographs, patients].map(|count| Html::number(count, language)),
        Cell::Hidden { .. } => [HIDDEN, HIDDEN].map(|hidden| hidden.html(language).soft()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::dashboard::testing;

    #[test]
    fn a_small_cell_is_on_no_page_and_every_table_has_a_name() {
        let cell = |patients| Cell::Counted {
            radiographs: patients * 2,
            patients,
        };
        let views = BTreeMap::from([
            ("AP".to_owned(), cell(40)),
            ("LATERAL".to_owned(), cell(3)),
            ("unknown".to_owned(), cell(777)),
        ]);
        let names = LABEL_TABLES
            .iter()
            .chain(&MAKING_TABLES)
            .map(|(name, _)| (*name).to_owned());
        let tables = names.chain(["site: cast".to_owned()]).map(|name| (name, views.clone()));
        let census = Census {
            total: cell(820),
            tables: tables.collect(),
        };
        for language in Language::ALL {
            let model = Model {
                census: census.hide_below(5),
                below: 5,
            };
            let html = testing::shown(TITLE, language, |page| fill(page, &model));
            let numbers = snowball_web::numbers(&html);
            assert!(
                !numbers.contains(&3) && !numbers.contains(&6) && numbers.contains(&777),
                "{numbers:?}"
            );
            assert_eq!(html.matches("</table>").count(), 16);
        }
    }

    #[test]
    fn every_table_of_a_store_is_one_that_the_page_shows() {
        let folder = tempfile::tempdir().unwrap();
        let home = super::super::testing::node(folder.path());
        let desk = Desk::open(&home).unwrap();
        let known: Vec<&str> = LABEL_TABLES
            .iter()
            .chain(&MAKING_TABLES)
            .map(|(name, _)| *name)
            .collect();
        for name in desk.store.census().unwrap().tables.keys() {
            assert!(known.contains(&name.as_str()) || name.starts_with(OWN_PREFIX), "{name}");
        }
    }
}
