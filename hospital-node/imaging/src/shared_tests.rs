//! The whole path over the shared set of radiographs with invented identifiers, against what was put into it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Instant,
};

use rayon::prelude::*;
use serde_json::Value;
use snowball_crypto::SiteSecret;
use snowball_protocol::{Sha256Digest, intake::Disposition, labels::Labels};

use crate::{
    Dictionary, Intake, Limits, Outcome, TransferSyntax,
    pixels::{self, Description},
    read::DicomFile,
};

/// Where shared data lies, if it does.
pub(crate) fn shared(folder: &str) -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let root = std::env::var_os("SNOWBALL_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let found = root.join(folder);
    if found.is_dir() {
        return Some(found);
    }
    eprintln!("skipped: no {folder} in SNOWBALL_DATA");
    None
}

pub(crate) fn intake() -> Intake {
    let secret = SiteSecret::from_hex(&"5b".repeat(32)).unwrap();
    Intake::new(
        secret.project("imaging-tests"),
        Dictionary::standard(),
        Limits::default(),
    )
}

pub(crate) struct Case {
    pub(crate) path: PathBuf,
    pub(crate) truth: Value,
}

impl Case {
    pub(crate) fn text(&self, field: &str) -> &str {
        self.truth[field].as_str().unwrap_or_default()
    }
}

pub(crate) fn cases() -> Option<Vec<Case>> {
    let root = shared("radiographs")?;
    let mut cases = Vec::new();
    for hospital in ["a", "b", "c", "d", "fullsize"] {
        let folder = root.join(hospital);
        for line in fs::read_to_string(folder.join("truth.jsonl")).unwrap().lines() {
            let truth: Value = serde_json::from_str(line).unwrap();
            cases.push(Case {
                path: folder.join(truth["file"].as_str().unwrap()),
                truth,
            });
        }
    }
    Some(cases)
}

/// Every case with its outcome, taken in once for all tests.
pub(crate) fn taken() -> Option<&'static [(Case, Outcome)]> {
    static TAKEN: OnceLock<Option<Vec<(Case, Outcome)>>> = OnceLock::new();
    let taken = TAKEN.get_or_init(|| {
        let intake = intake();
        Some(
            cases()?
                .into_par_iter()
                .map(|case| (intake.take(&case.path), case))
                .map(|(outcome, case)| (case, outcome))
                .collect(),
        )
    });
    taken.as_deref()
}

#[test]
fn every_file_ends_where_it_should() {
    let Some(taken) = taken() else { return };
    let mut table = BTreeMap::<(String, String), u32>::new();
    let mut wrong = Vec::new();
    let (mut burned_accepted, mut burned_quarantined, mut quarantined_for_text) = (0, 0, 0);
    for (case, outcome) in taken {
        let reason = case.text("reason");
        let (ended, code) = match outcome {
            Outcome::Accepted(_) => ("accept", "-".to_owned()),
            Outcome::Excluded(excluded) => match excluded.reason.disposition() {
                Disposition::Quarantined => ("quarantine", excluded.reason.code()),
                _ => ("reject", excluded.reason.code()),
            },
        };
        *table.entry((reason.to_owned(), format!("{ended} {code}"))).or_default() += 1;
        match reason {
            // Both are right, if what was taken in shows no identifier: text_tests.rs looks at the pixels.
            "burned_text" if ended == "accept" => burned_accepted += 1,
            "burned_text" => burned_quarantined += 1,
            // One file alone cannot tell that another one was there before; the store can.
            "duplicate" | "uid_conflict" if ended == "accept" => {}
            // What stands in the source's own pictures is text too; text_tests.rs counts and bounds these.
            _ if code == "burned_in_text" => quarantined_for_text += 1,
            _ => {
                let also = case.truth["also_ok"].as_array().unwrap();
                let allowed = ended == case.text("disposition") || also.iter().any(|word| word == ended);
                let named = match reason {
                    "ok" | "no_preamble" | "unicode_name" => code == "-",
                    "zero_length" => code == "empty",
                    "sop_class" => code == "sop_class" || code == "document",
                    "document" => code == "document" || code == "modality",
                    // A claim beyond every limit is refused before it is compared with what is there.
                    "size_mismatch" => code == "size_mismatch" || code == "size_bomb",
                    other => code == other,
                };
                if !allowed || !named {
                    wrong.push(format!("{reason}: {ended} {code}: {}", case.path.display()));
                }
            }
        }
    }
    eprintln!(
        "burned-in text: {burned_quarantined} quarantined, {burned_accepted} taken in; {quarantined_for_text} others quarantined"
    );
    table
        .iter()
        .for_each(|((reason, ended), count)| eprintln!("{reason:14} {ended:28} {count}"));
    wrong.iter().for_each(|line| eprintln!("WRONG {line}"));
    assert!(wrong.is_empty(), "{} files ended elsewhere", wrong.len());
    assert_eq!(burned_quarantined + burned_accepted, 205);
}

#[test]
fn stored_values_are_bit_exact() {
    let Some(cases) = cases() else { return };
    let checked: Vec<(String, bool, bool)> = cases
        .par_iter()
        .filter(|case| case.text("disposition") == "accept" && case.truth["pixel_stats"].is_object())
        .map(|case| {
            let bytes = fs::read(&case.path).unwrap();
            let limits = Limits::default();
            let file = DicomFile::parse(&bytes, &limits).unwrap();
            let description = Description::read(&file, &limits).unwrap();
            let words = pixels::words(&file, file.syntax.unwrap(), &description).unwrap().words;
            // Where text hides in the high bits, the reference is that of the stored bits.
            let words: Vec<u16> = words.iter().map(|word| description.stored(*word)).collect();
            let stored: Vec<u8> = match case.truth["pixel_stats"]["dtype"].as_str().unwrap() {
                "uint8" => words.iter().map(|word| u8::try_from(*word).unwrap()).collect(),
                _ => words.iter().flat_map(|word| word.to_le_bytes()).collect(),
            };
            let digest = Sha256Digest::of(&stored).to_string();
            let exact = digest.strip_prefix("sha256:") == case.truth["pixel_stats"]["sha256"].as_str();
            let mean = words.iter().map(|word| f64::from(*word)).sum::<f64>() / words.len() as f64;
            let near = (mean - case.truth["pixel_stats"]["mean"].as_f64().unwrap()).abs() < 0.5;
            (case.text("syntax").to_owned(), exact, near)
        })
        .collect();
    let mut table = BTreeMap::<&str, [u32; 3]>::new();
    for (syntax, exact, near) in &checked {
        let row = table.entry(syntax).or_default();
        row[0] += 1;
        row[1] += u32::from(*exact);
        row[2] += u32::from(*near);
    }
    for (syntax, [all, exact, near]) in table {
        eprintln!("{syntax:24} {all:5} pictures, {exact:5} bit-exact, {near:5} with the same mean");
        let lossy = syntax == TransferSyntax::JpegBaseline.uid();
        assert!(if lossy { near == all } else { exact == all }, "{syntax}");
    }
}

#[test]
fn labels_are_right_where_the_header_supports_them() {
    let Some(taken) = taken() else { return };
    // right, wrong, missed (evidence without a label), rightly unknown, beyond (a label where truth holds none)
    let mut table = BTreeMap::<&str, [u32; 5]>::new();
    let mut shown = 0;
    for (case, outcome) in taken {
        let Outcome::Accepted(radiograph) = outcome else {
            continue;
        };
        if case.text("disposition") != "accept" {
            continue;
        }
        let labels = radiograph.labels();
        let conflict = case.truth["label_conflict"] == true;
        for (name, ours, truth) in compared(labels, &case.truth) {
            // Where the attribute contradicts the description, unknown and the source's part are both right.
            let truth = if conflict && name == "body_part" && ours.is_some() {
                case.truth["source_labels"]["body_part"].as_str().map(str::to_owned)
            } else {
                truth
            };
            let place = match (&ours, &truth) {
                (Some(ours), Some(truth)) if agrees(name, ours, truth) => 0,
                (Some(_), Some(_)) => 1,
                (None, Some(_)) => 2,
                (None, None) => 3,
                (Some(_), None) => 4,
            };
            table.entry(name).or_default()[place] += 1;
            if !matches!(place, 0 | 3) && shown < 20 {
                shown += 1;
                eprintln!(
                    "{name}: {ours:?} for {truth:?}, {:?}: {}",
                    radiograph.evidence().labels,
                    case.path.display()
                );
            }
        }
    }
    eprintln!("label       right wrong missed unknown beyond  precision  recall");
    for (name, [right, wrong, missed, unknown, beyond]) in table {
        let precision = f64::from(right) / f64::from(right + wrong + beyond);
        let recall = f64::from(right) / f64::from(right + wrong + missed);
        eprintln!("{name:11} {right:5} {wrong:5} {missed:6} {unknown:7} {beyond:6} {precision:10.4} {recall:7.4}");
        assert!(precision >= 0.999, "{name}: precision {precision}");
        assert!(recall >= 0.99, "{name}: recall {recall}");
    }
}

fn compared(labels: &Labels, truth: &Value) -> Vec<(&'static str, Option<String>, Option<String>)> {
    let text = |field: &str| truth["labels"][field].as_str().map(str::to_owned);
    let age = |years: f64| format!("{}", years.min(90.0).floor());
    vec![
        (
            "body_part",
            labels.body_part.map(|term| term.code().to_owned()),
            text("body_part"),
        ),
        ("view", labels.view.map(|term| term.code().to_owned()), text("view")),
        (
            "laterality",
            labels.laterality.map(|term| term.code().to_owned()),
            text("laterality"),
        ),
        ("sex", labels.sex.map(|term| term.code().to_owned()), text("sex")),
        (
            "age_years",
            labels.age_years.map(|years| age(f64::from(years))),
            truth["labels"]["age_years"].as_f64().map(age),
        ),
    ]
}

/// A part of the spine is the spine, which is all that the source knows.
fn agrees(name: &str, ours: &str, truth: &str) -> bool {
    ours == truth || (name == "body_part" && truth == "SPINE" && ours.ends_with(truth))
}

#[test]
fn no_identifier_comes_through() {
    let Some(taken) = taken() else { return };
    let mut searched = 0;
    for (case, outcome) in taken {
        let kept = match outcome {
            Outcome::Accepted(radiograph) => {
                let parts = (radiograph.labels(), radiograph.acquisition(), radiograph.evidence());
                let pseudonyms = (
                    radiograph.id(),
                    radiograph.patient(),
                    radiograph.study(),
                    radiograph.series(),
                );
                assert_eq!(radiograph.evidence().attributes_seen, uses(radiograph));
                format!(
                    "{}{pseudonyms:?}{:?}{radiograph:?}",
                    serde_json::to_string(&parts).unwrap(),
                    radiograph.accession()
                )
            }
            Outcome::Excluded(excluded) => format!("{excluded:?}"),
        };
        let kept = kept.to_lowercase();
        for identifier in case.truth["identifiers"].as_array().into_iter().flatten() {
            let value = identifier["value"].as_str().unwrap().to_lowercase();
            assert!(
                !kept.contains(&value),
                "{} of {}",
                identifier["path"],
                case.path.display()
            );
            searched += 1;
        }
    }
    eprintln!("{searched} identifiers searched for");
    assert!(searched > 50_000);
}

fn uses(radiograph: &crate::Radiograph) -> u32 {
    let evidence = radiograph.evidence();
    let read = evidence.kept_as_vocabulary + evidence.used_for_labels + evidence.used_for_pixels;
    read + evidence.replaced_by_pseudonym + evidence.removed
}

#[test]
fn hidden_places_are_counted() {
    let Some(taken) = taken() else { return };
    let mut missed = BTreeMap::<String, u32>::new();
    for (case, outcome) in taken {
        let Outcome::Accepted(radiograph) = outcome else {
            continue;
        };
        let evidence = radiograph.evidence();
        for found in case.truth["traits"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            let counted = match found {
                "overlay_text" => evidence.overlay_attributes > 0,
                "icon_text" => evidence.icon_images > 0,
                "high_bits_text" => evidence.high_bit_pixels > 0,
                "jpeg_comment" => evidence.stream_comment_bytes > 0,
                "original_attributes" => evidence.original_attributes > 0,
                "preamble_text" => evidence.preamble_written,
                "trailing_padding_text" => evidence.trailing_bytes > 0,
                "private_sequence" | "un_private_sequence" => {
                    evidence.removed_private > 0 && evidence.removed_nested > 0
                }
                _ => continue,
            };
            *missed.entry(found.to_owned()).or_default() += u32::from(!counted);
        }
    }
    eprintln!("{missed:?}");
    assert_eq!(missed.len(), 9, "every kind of hiding place occurs");
    assert!(missed.values().all(|count| *count == 0));
}

#[test]
fn speed_is_printed() {
    let Some(cases) = cases() else { return };
    let intake = intake();
    let small: Vec<&Path> = cases
        .iter()
        .map(|case| case.path.as_path())
        .filter(|path| !in_full_size(path))
        .collect();
    let large: Vec<&Path> = cases
        .iter()
        .map(|case| case.path.as_path())
        .filter(|path| in_full_size(path))
        .collect();
    for (name, files) in [("hospitals", &small), ("full size", &large)] {
        for threads in [1, 2] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let start = Instant::now();
            let pixels: u64 = pool.install(|| {
                files
                    .par_iter()
                    .map(|path| match intake.take(path) {
                        Outcome::Accepted(radiograph) => radiograph.pixels().len() as u64,
                        Outcome::Excluded(_) => 0,
                    })
                    .sum()
            });
            let seconds = start.elapsed().as_secs_f64();
            let rate = files.len() as f64 / seconds;
            eprintln!(
                "{name}, {threads} threads: {rate:.0} files/s, {:.1} MP/s",
                pixels as f64 / seconds / 1e6
            );
        }
    }
}

fn in_full_size(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "fullsize")
}
