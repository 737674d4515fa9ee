//! The score: what was expected, what held, and where it first did not.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use snowball_confidentiality::{Profile, ProfileOption};
use snowball_crypto::{Domain, PseudonymKey};
use snowball_imaging::{
    pseudonym_of,
    standard::checks::{self, Check, PixelBox, Stored, Texts, place_of},
};
use snowball_phantoms::{Area, Truth};
use snowball_protocol::intake::Disposition;
use snowball_store::Store;

use super::{
    Known, expect, moves_dates,
    reread::{is_date, is_part_of_a_number},
};
use crate::{cli::deidentify::dicom_project, home::Home, statistics::wilson};

/// Most places of failures that a row tells.
const PLACES_MAX: usize = 5;

/// One kind of check on one of the two ways.
#[derive(Clone, Serialize, Deserialize)]
pub struct Row {
    /// `dicom` for de-identified DICOM, `training` for the store.
    pub way: String,
    pub check: Check,
    pub expected: u64,
    pub right: u64,
    /// 1 where nothing was expected.
    pub share: f64,
    /// 95 %, by Wilson.
    pub low: f64,
    pub high: f64,
    /// Whether one failure is one too many.
    pub must_hold: bool,
    /// Where it failed first, by place and how often, never by value.
    pub failures: Vec<(String, u64)>,
}

/// Everything that was scored.
#[derive(Clone, Serialize, Deserialize)]
pub struct Scores {
    pub rows: Vec<Row>,
    /// Expected actions over all rows, and those that were right.
    pub expected: u64,
    pub right: u64,
    pub share: f64,
    /// Sound files, and those of them that were not written as DICOM, or not taken in: a person has to look.
    pub sound: u64,
    pub sound_not_written: u64,
    pub sound_not_taken_in: u64,
    /// Files that must not be written or taken in, and those that were all the same.
    pub unfit: u64,
    pub unfit_written: u64,
    pub unfit_taken_in: u64,
}

impl Scores {
    /// Whether nobody is left known, nothing torn apart, and nothing unfit came through.
    pub fn holds(&self) -> bool {
        let all = self.rows.iter().all(|row| !row.must_hold || row.right == row.expected);
        // A test that wrote nothing has shown nothing.
        let shown = self.sound_not_written < self.sound && self.sound_not_taken_in < self.sound;
        all && shown && self.unfit_written == 0 && self.unfit_taken_in == 0
    }
}

#[derive(Default)]
struct Tally {
    expected: u64,
    right: u64,
    failures: BTreeMap<String, u64>,
}

#[derive(Default)]
struct Board(BTreeMap<(&'static str, Check), Tally>);

impl Board {
    fn note(&mut self, way: &'static str, check: Check, place: &str, holds: bool) {
        let tally = self.0.entry((way, check)).or_default();
        tally.expected += 1;
        if holds {
            tally.right += 1;
        } else {
            *tally.failures.entry(place.to_owned()).or_default() += 1;
        }
    }

    fn rows(self) -> Vec<Row> {
        let row = |((way, check), tally): ((&'static str, Check), Tally)| {
            let (low, high) = wilson(tally.right, tally.expected);
            let mut failures: Vec<_> = tally.failures.into_iter().collect();
            failures.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            failures.truncate(PLACES_MAX);
            Row {
                way: way.to_owned(),
                check,
                expected: tally.expected,
                right: tally.right,
                share: share(tally.right, tally.expected),
                low,
                high,
                must_hold: check.must_hold(),
                failures,
            }
        };
        self.0.into_iter().map(row).collect()
    }
}

fn share(right: u64, expected: u64) -> f64 {
    if expected == 0 {
        1.0
    } else {
        right as f64 / expected as f64
    }
}

/// What is compared over many files.
#[derive(Default)]
struct Together {
    /// (before, after) of UIDs and of patient numbers, by way.
    uids: BTreeMap<&'static str, BTreeSet<(String, String)>>,
    patients: BTreeMap<&'static str, BTreeSet<(String, String)>>,
    /// Place, before and after of each date, by patient.
    dates: BTreeMap<u64, Vec<(String, String, String)>>,
}

/// Scores what lies in `output` and in the store of `home`.
pub fn score(
    home: &Home,
    files: &Path,
    output: &Path,
    truths: &[Known],
    profile: &Profile,
    bar: &ProgressBar,
) -> Result<Scores> {
    let config = home.config()?;
    let dicom_key = home.pseudonym_key(&dicom_project(&config.project))?;
    let store_key = home.pseudonym_key(&config.project)?;
    let store = home.open_store(&config)?;
    let written = by_instance(output)?;
    let (mut board, mut together) = (Board::default(), Together::default());
    let mut counts = Counts::default();
    for known in truths {
        let bytes = fs::read(files.join(&known.file))?;
        let truth = &known.truth;
        let before = Texts::read(&bytes);
        let instance = before
            .as_ref()
            .and_then(|texts| texts.get("(0008,0018)"))
            .unwrap_or_default()
            .to_owned();
        let after = output_of(truth, &instance, &dicom_key, profile, &written);
        counts.dicom(truth, after.is_some());
        if let (Some(before), Some(path)) = (&before, after) {
            let after = fs::read(path)?;
            one_file(&mut board, &mut together, truth, before, &after, profile);
            pixels(&mut board, truth, &bytes, &after);
        } else if truth.written.is_some() {
            // It went to a person, so nobody else sees what is written in it.
            board.note("dicom", Check::PixelsHidden, "(7FE0,0010)", true);
        }
        training(
            &mut board,
            &mut together,
            &mut counts,
            &store,
            &store_key,
            truth,
            before.as_ref(),
        )?;
        bar.inc(1);
    }
    together.note(&mut board, profile);
    let rows = board.rows();
    let (expected, right) = rows.iter().fold((0, 0), |(expected, right), row| {
        (expected + row.expected, right + row.right)
    });
    Ok(counts.scores(rows, expected, right))
}

/// Written files by their instance UID.
fn by_instance(output: &Path) -> Result<HashMap<String, PathBuf>> {
    let (paths, _) = snowball_imaging::walk(output, snowball_imaging::FILES_MAX)?;
    let name = |path: &PathBuf| Some(path.file_name()?.to_str()?.strip_suffix(".dcm")?.to_owned());
    Ok(paths
        .into_iter()
        .filter_map(|path| Some((name(&path)?, path)))
        .collect())
}

/// What was written of a file. A duplicate has the very output of its partner, and counts once.
fn output_of<'a>(
    truth: &Truth,
    instance: &str,
    key: &PseudonymKey,
    profile: &Profile,
    written: &'a HashMap<String, PathBuf>,
) -> Option<&'a PathBuf> {
    if instance.is_empty() || truth.partner.is_some() {
        return None;
    }
    let uid = if profile.has(ProfileOption::RetainUids) {
        instance.to_owned()
    } else {
        key.uid(instance)
    };
    written.get(&uid)
}

/// Every expectation of one written file.
fn one_file(
    board: &mut Board,
    together: &mut Together,
    truth: &Truth,
    before: &Texts,
    written: &[u8],
    profile: &Profile,
) {
    let Some(after) = Texts::read(written) else {
        board.note("dicom", Check::TagRetained, "the whole file", false);
        return;
    };
    for expected in expect::of(truth, before, profile) {
        let holds = checks::holds(&expected, before, &after);
        // Moved dates are compared per patient below.
        if expected.check == Check::DateShifted && holds {
            let after = after.get(&expected.place).unwrap_or_default().to_owned();
            let date = (expected.place, expected.text, after);
            together.dates.entry(truth.patient).or_default().push(date);
        } else {
            board.note("dicom", expected.check, &expected.place, holds);
        }
    }
    beside_the_data_set(board, truth, &after, written, profile);
    for path in expect::UIDS {
        if let Some((old, new)) = pair(path, before, &after) {
            together.uids.entry("dicom").or_default().insert((old, new));
        }
    }
    if let Some((old, new)) = pair("PatientID", before, &after) {
        together.patients.entry("dicom").or_default().insert((old, new));
    }
}

fn pair(path: &str, before: &Texts, after: &Texts) -> Option<(String, String)> {
    let place = place_of(path)?;
    Some((before.get(&place)?.to_owned(), after.get(&place)?.to_owned()))
}

/// What was planted in the preamble, in comments of compressed pixels, behind the data set: it must be nowhere in the file. A date that moved
/// may come to lie on another of the patient's days, such as the day of birth, and then that stands where the moved one should.
fn beside_the_data_set(board: &mut Board, truth: &Truth, after: &Texts, written: &[u8], profile: &Profile) {
    let moved: Vec<&str> = if moves_dates(profile) {
        let places = expect::DATES.into_iter().filter_map(place_of);
        places.filter_map(|place| after.get(&place)).collect()
    } else {
        Vec::new()
    };
    for planted in &truth.identifiers {
        let beside = place_of(&planted.path).is_none()
            || planted.path == "DataSetTrailingPadding"
            || (moves_dates(profile) && is_date(&planted.value));
        if planted.is_drawn || !beside || expect::may_stay(&planted.path, profile) {
            continue;
        }
        let meant = moved.iter().filter(|date| **date == planted.value).count();
        let holds = !stands_more_than(meant, planted.encodings(), written);
        board.note("dicom", Check::TextRemoved, &planted.path, holds);
    }
}

/// Whether one of the `texts` stands in `written` more often than it is `meant` to; parts of longer numbers do not count.
fn stands_more_than(meant: usize, texts: impl IntoIterator<Item = Vec<u8>>, written: &[u8]) -> bool {
    texts.into_iter().any(|text| {
        let starts = (0..written.len()).filter(|start| written[*start..].starts_with(&text));
        let alone = starts.filter(|start| !is_part_of_a_number(written, *start, text.len()));
        alone.take(meant + 1).count() > meant
    })
}

/// Text in the pixels is hidden, and all the rest is what it was.
fn pixels(board: &mut Board, truth: &Truth, before: &[u8], after: &[u8]) {
    let place = "(7FE0,0010)";
    let (Some(old), Some(new)) = (Stored::read(before), Stored::read(after)) else {
        board.note("dicom", Check::PixelsRetained, place, false);
        return;
    };
    match truth.written {
        // How much around the text goes with it is the search's affair.
        Some(area) => {
            let holds = is_hidden(&old.values, &new.values, new.columns, area);
            board.note("dicom", Check::PixelsHidden, place, holds);
        }
        None => board.note(
            "dicom",
            Check::PixelsRetained,
            place,
            checks::pixels(&old.values, &new.values, new.columns, &[]).1,
        ),
    }
}

fn is_hidden(before: &[u16], after: &[u16], columns: usize, area: Area) -> bool {
    let area = PixelBox {
        x: area.x,
        y: area.y,
        width: area.width,
        height: area.height,
    };
    checks::pixels(before, after, columns, &[area]).0
}

/// The same file on its way to training.
fn training(
    board: &mut Board,
    together: &mut Together,
    counts: &mut Counts,
    store: &Store,
    key: &PseudonymKey,
    truth: &Truth,
    before: Option<&Texts>,
) -> Result<()> {
    let text = |place| before.and_then(|texts| texts.get(place)).unwrap_or_default();
    let instance = pseudonym_of(key, Domain::Instance, text("(0008,0018)"));
    let kept = match instance {
        Some(instance) if truth.partner.is_none() => store.master(&instance)?,
        _ => None,
    };
    counts.training(truth, kept.is_some());
    if let Some(area) = truth.written {
        // What is not kept went to a person.
        let holds = kept.as_ref().is_none_or(|master| {
            is_hidden(
                &master.pixels,
                &master.pixels,
                usize::try_from(master.columns).unwrap_or(0),
                area,
            )
        });
        board.note("training", Check::PixelsHidden, "picture", holds);
    }
    if kept.is_some() {
        // The store's own keys are keyed one by one; what is compared is that they neither meet nor part.
        for (place, domain, map) in [
            ("(0010,0020)", Domain::Patient, &mut together.patients),
            ("(0020,000D)", Domain::Study, &mut together.uids),
        ] {
            if let Some(pseudonym) = pseudonym_of(key, domain, text(place)) {
                let pair = (text(place).to_owned(), pseudonym.to_string());
                map.entry("training").or_default().insert(pair);
            }
        }
    }
    Ok(())
}

impl Together {
    /// The checks that need many files.
    fn note(&self, board: &mut Board, profile: &Profile) {
        for (map, check, place) in [
            (&self.uids, Check::UidConsistent, "UIDs of all files"),
            (&self.patients, Check::PatientIdConsistent, "(0010,0020)"),
        ] {
            for (way, pairs) in map {
                for (old, new) in pairs {
                    let is_alone = |part: fn(&(String, String)) -> &String, wanted: &String| {
                        pairs.iter().filter(|pair| part(pair) == wanted).count() == 1
                    };
                    let holds = is_alone(|pair| &pair.0, old) && is_alone(|pair| &pair.1, new);
                    board.note(way, check, place, holds);
                }
            }
        }
        if !moves_dates(profile) {
            return;
        }
        for dates in self.dates.values() {
            let alike = checks::shifted_alike(dates.iter().map(|(_, old, new)| (old.as_str(), new.as_str())));
            for (place, ..) in dates {
                board.note("dicom", Check::DateShifted, place, alike);
            }
        }
    }
}

#[derive(Default)]
struct Counts {
    sound: u64,
    sound_not_written: u64,
    sound_not_taken_in: u64,
    unfit: u64,
    unfit_written: u64,
    unfit_taken_in: u64,
}

impl Counts {
    /// A file that must be used, one that must not, or neither: what is doubled, or has text that may be filled.
    fn is_sound(truth: &Truth) -> Option<bool> {
        if truth.written.is_some() || truth.partner.is_some() {
            return None;
        }
        Some(truth.disposition == Disposition::Accepted)
    }

    fn dicom(&mut self, truth: &Truth, is_written: bool) {
        match Self::is_sound(truth) {
            Some(true) => {
                self.sound += 1;
                self.sound_not_written += u64::from(!is_written);
            }
            Some(false) => {
                self.unfit += 1;
                self.unfit_written += u64::from(is_written);
            }
            None => {}
        }
    }

    fn training(&mut self, truth: &Truth, is_kept: bool) {
        match Self::is_sound(truth) {
            Some(true) => self.sound_not_taken_in += u64::from(!is_kept),
            Some(false) => self.unfit_taken_in += u64::from(is_kept),
            None => {}
        }
    }

    fn scores(self, rows: Vec<Row>, expected: u64, right: u64) -> Scores {
        Scores {
            rows,
            expected,
            right,
            share: share(right, expected),
            sound: self.sound,
            sound_not_written: self.sound_not_written,
            sound_not_taken_in: self.sound_not_taken_in,
            unfit: self.unfit,
            unfit_written: self.unfit_written,
            unfit_taken_in: self.unfit_taken_in,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(check: Check, right: u64) -> Scores {
        let mut board = Board::default();
        for number in 0..10 {
            board.note("dicom", check, "(0010,0010)", number < right);
        }
        Counts {
            sound: 10,
            ..Counts::default()
        }
        .scores(board.rows(), 10, right)
    }

    #[test]
    fn one_name_that_stays_is_one_too_many_and_a_lost_word_is_not() {
        assert!(scores(Check::TextRemoved, 10).holds());
        assert!(!scores(Check::TextRemoved, 9).holds());
        assert!(scores(Check::TextRetained, 9).holds());
        let failed = scores(Check::TextRemoved, 8);
        assert_eq!(failed.rows[0].failures, [("(0010,0010)".to_owned(), 2)]);
        let nothing_written = Scores {
            sound_not_written: 10,
            ..scores(Check::TextRemoved, 10)
        };
        assert!(!nothing_written.holds());
    }

    #[test]
    fn a_moved_date_may_come_to_lie_on_a_day_of_birth_and_nothing_else_may() {
        let birth = || [b"20190304".to_vec()];
        let moved = b"DA20190304,UI2.25.1201903047";
        assert!(!stands_more_than(1, birth(), moved), "the day itself is the moved one");
        assert!(stands_more_than(0, birth(), moved));
        assert!(stands_more_than(1, birth(), b"DA20190304,DA20190304"));
        assert!(!stands_more_than(0, birth(), b"DA20150101,UI2.25.1201903047"));
    }

    #[test]
    fn uids_that_meet_or_part_fail() {
        let pairs = |pairs: &[(&str, &str)]| {
            let set = pairs
                .iter()
                .map(|(old, new)| ((*old).to_owned(), (*new).to_owned()))
                .collect();
            let together = Together {
                uids: BTreeMap::from([("dicom", set)]),
                ..Together::default()
            };
            let mut board = Board::default();
            together.note(&mut board, &Profile::default());
            let row = board.rows().remove(0);
            (row.right, row.expected)
        };
        assert_eq!(pairs(&[("1", "a"), ("2", "b")]), (2, 2));
        assert_eq!(pairs(&[("1", "a"), ("1", "b"), ("3", "c")]), (1, 3));
        assert_eq!(pairs(&[("1", "a"), ("2", "a")]), (0, 2));
    }
}
