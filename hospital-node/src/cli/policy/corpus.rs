//! What a change of policy would do to the site's own files, in counts: which attributes would be treated otherwise, and
//! which files would come out otherwise. Both policies are carried out in memory; nothing is written, no value is told.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use anyhow::{Context as _, Result};
use rayon::prelude::*;
use serde::{Serialize, Serializer};
use snowball_confidentiality::{Action, EDITION, Language};
use snowball_crypto::SiteSecret;
use snowball_imaging::{
    Limits,
    standard::{Pixels, Record, Standard},
};
use snowball_policy::Policy;
use snowball_protocol::{
    Sha256Digest,
    intake::{Disposition, IntakeReason},
};

use snowball_service::progress;

use crate::cli::deidentify;

/// Changes told apart. Private attributes have as many numbers as a hostile file likes.
const CHANGES_MAX: usize = 10_000;

/// What would change over a folder.
#[derive(Default, Serialize)]
pub(super) struct CorpusDiff {
    files: u64,
    /// Files that come out of both policies as de-identified DICOM: over them attributes are compared.
    compared: u64,
    /// Of these, files in which at least one attribute is treated otherwise.
    changed: u64,
    attributes: Vec<AttributeChange>,
    /// Changes beyond the first ten thousand kinds, all in one number.
    #[serde(skip_serializing_if = "is_zero")]
    further_changes: u64,
    outcomes: Vec<OutcomeChange>,
    unreadable_folders: u64,
    edition: &'static str,
    seconds: f64,
}

/// An attribute that is treated otherwise.
#[derive(PartialEq, Eq, Debug, Serialize)]
struct AttributeChange {
    /// Its tag, behind those of the sequences around it: `(0008,2218)/(0008,0104)`.
    attribute: String,
    /// Its keyword; empty where the standard knows none.
    keyword: &'static str,
    from: Action,
    to: Action,
    /// Files in which it is.
    instances: u64,
}

/// Files that come out otherwise.
#[derive(PartialEq, Eq, Debug, Serialize)]
struct OutcomeChange {
    from: Outcome,
    to: Outcome,
    files: u64,
}

/// What becomes of a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Outcome {
    Written,
    Excluded(IntakeReason),
}

/// What a policy does to one file: attributes by place, with item numbers.
type Treated = HashMap<(String, snowball_confidentiality::Tag), Action>;
/// Place without item numbers, the attribute itself, and the two actions.
type Kind = (String, snowball_confidentiality::Tag, Action, Action);

#[derive(Default)]
struct Counts {
    compared: u64,
    changed: u64,
    kinds: BTreeMap<Kind, u64>,
    further: u64,
    outcomes: BTreeMap<(Outcome, Outcome), u64>,
}

/// Compares two policies over every file below `folder`.
///
/// # Errors
/// When the folder cannot be read; whatever a file holds is a count.
pub(super) fn compare(old: &Policy, new: &Policy, folder: &Path, threads: usize) -> Result<CorpusDiff> {
    let begun = Instant::now();
    let (paths, unreadable_folders) = snowball_imaging::walk(folder, snowball_imaging::FILES_MAX)
        .with_context(|| format!("cannot read {}", folder.display()))?;
    // Actions do not depend on the key, and nothing is kept that was made with it: one for this run will do.
    let key = SiteSecret::generate().context("no randomness")?.project("policy diff");
    let standard = |policy: &Policy| {
        // The digest is only written into the files.
        Standard::new(
            policy.confidentiality(),
            Sha256Digest::of(b""),
            key.clone(),
            Limits::default(),
        )
    };
    let (old, new) = (standard(old), standard(new));
    let counts = Mutex::new(Counts::default());
    let bar = progress::bar("files", paths.len() as u64);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    pool.install(|| {
        paths.par_iter().for_each(|path| {
            let (before, after) = match deidentify::read(path) {
                Ok(bytes) => (treat(&old, &bytes), treat(&new, &bytes)),
                Err(reason) => (Err(reason), Err(reason)),
            };
            let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
            counts.add(before.as_ref(), after.as_ref());
            bar.inc(1);
        });
    });
    bar.finish_and_clear();
    let counts = counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(CorpusDiff {
        files: paths.len() as u64,
        unreadable_folders,
        edition: EDITION,
        seconds: begun.elapsed().as_secs_f64(),
        ..counts.finish()
    })
}

/// What one policy does to a file, with the second look that decides whether it may be written.
fn treat(standard: &Standard, bytes: &[u8]) -> Result<Treated, IntakeReason> {
    let made = standard.deidentify(bytes, Pixels::NotVerified)?;
    if !standard.verify(&made.bytes, &made.seen).is_empty() {
        return Err(IntakeReason::IdentifierRemains);
    }
    Ok(made.records.into_iter().map(place).collect())
}

fn place(record: Record) -> ((String, snowball_confidentiality::Tag), Action) {
    let tag = snowball_confidentiality::Tag(record.attribute.0, record.attribute.1);
    ((record.path, tag), record.action)
}

/// The kinds of change between two treatments of one file, each once. What is on record on one side only lay in a sequence
/// that the other side removed whole. In order, so that which kinds are told apart does not hang on chance.
fn kinds(before: &Treated, after: &Treated) -> BTreeSet<Kind> {
    let action = |treated: &Treated, key| treated.get(key).copied().unwrap_or(Action::Remove);
    before
        .keys()
        .chain(after.keys())
        .filter_map(|key| {
            let (from, to) = (action(before, key), action(after, key));
            (from != to).then(|| (without_items(&key.0), key.1, from, to))
        })
        .collect()
}

/// `(0008,2218)[0]/(0040,A168)[12]` as `(0008,2218)/(0040,A168)`.
fn without_items(path: &str) -> String {
    let parts = path.split('/').map(|part| part.split('[').next().unwrap_or_default());
    parts.collect::<Vec<_>>().join("/")
}

impl Counts {
    fn add(&mut self, before: Result<&Treated, &IntakeReason>, after: Result<&Treated, &IntakeReason>) {
        let outcome = |treated: &Result<&Treated, &IntakeReason>| match treated {
            Ok(_) => Outcome::Written,
            Err(reason) => Outcome::Excluded(**reason),
        };
        let (from, to) = (outcome(&before), outcome(&after));
        if from != to {
            *self.outcomes.entry((from, to)).or_default() += 1;
        }
        let (Ok(before), Ok(after)) = (before, after) else {
            return;
        };
        self.compared += 1;
        let kinds = kinds(before, after);
        self.changed += u64::from(!kinds.is_empty());
        for kind in kinds {
            if self.kinds.len() < CHANGES_MAX || self.kinds.contains_key(&kind) {
                *self.kinds.entry(kind).or_default() += 1;
            } else {
                self.further += 1;
            }
        }
    }

    fn finish(self) -> CorpusDiff {
        let attribute = |((path, tag, from, to), instances): (Kind, u64)| AttributeChange {
            attribute: if path.is_empty() {
                tag.to_string()
            } else {
                format!("{path}/{tag}")
            },
            keyword: snowball_confidentiality::name(tag).map_or("", |name| name.keyword),
            from,
            to,
            instances,
        };
        let mut attributes: Vec<_> = self.kinds.into_iter().map(attribute).collect();
        attributes.sort_by(|one, other| one.attribute.cmp(&other.attribute));
        let outcome = |((from, to), files)| OutcomeChange { from, to, files };
        CorpusDiff {
            compared: self.compared,
            changed: self.changed,
            attributes,
            further_changes: self.further,
            outcomes: self.outcomes.into_iter().map(outcome).collect(),
            ..CorpusDiff::default()
        }
    }
}

impl CorpusDiff {
    /// For people.
    pub(super) fn lines(&self, language: Language) -> Vec<String> {
        let (files, compared, changed) = (self.files, self.compared, self.changed);
        let mut lines = vec![match language {
            Language::English => format!(
                "Over {files} files: {compared} come out de-identified under both policies, {changed} of them otherwise."
            ),
            Language::French => format!(
                "Sur {files} fichiers : {compared} sortent désidentifiés selon les deux politiques, dont {changed} autrement."
            ),
        }];
        lines.extend(self.attributes.iter().map(|change| {
            let AttributeChange {
                attribute,
                keyword,
                from,
                to,
                instances,
            } = change;
            let (colon, from, to) = match language {
                Language::English => (":", from.to_string(), to.to_string()),
                Language::French => (" :", from.words(language).to_owned(), to.words(language).to_owned()),
            };
            // A private attribute has no keyword.
            let name = format!("{attribute} {keyword}");
            format!("{instances:>8}  {}{colon} {from} -> {to}", name.trim_end())
        }));
        let say = |english: &'static str, french: &'static str| match language {
            Language::English => english,
            Language::French => french,
        };
        if self.further_changes > 0 {
            let words = say("changes of further attributes", "changements d'autres attributs");
            lines.push(format!("{:>8}  {words}", self.further_changes));
        }
        if self.outcomes.is_empty() {
            let words = say(
                "No file would be written, quarantined or rejected that is not so now.",
                "Aucun fichier ne serait écrit, mis en quarantaine ou rejeté qui ne le soit déjà.",
            );
            lines.push(words.to_owned());
        }
        lines.extend(self.outcomes.iter().map(|change| {
            let files = say("files:", "fichiers :");
            let (from, to) = (change.from.words(language), change.to.words(language));
            format!("{:>8}  {files} {from} -> {to}", change.files)
        }));
        if self.unreadable_folders > 0 {
            let words = say(
                "folders cannot be read and are left out",
                "dossiers illisibles, laissés de côté",
            );
            lines.push(format!("{:>8}  {words}", self.unreadable_folders));
        }
        lines
    }
}

impl Outcome {
    fn text(self) -> String {
        match self {
            Self::Written => "written".to_owned(),
            Self::Excluded(reason) if reason.disposition() == Disposition::Quarantined => {
                format!("quarantined, {}", reason.code())
            }
            Self::Excluded(reason) => format!("rejected, {}", reason.code()),
        }
    }

    /// For people; a reason keeps its code.
    fn words(self, language: Language) -> String {
        match (language, self) {
            (Language::English, outcome) => outcome.text(),
            (Language::French, Self::Written) => "écrits".to_owned(),
            (Language::French, Self::Excluded(reason)) if reason.disposition() == Disposition::Quarantined => {
                format!("en quarantaine, {}", reason.code())
            }
            (Language::French, Self::Excluded(reason)) => format!("rejetés, {}", reason.code()),
        }
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use snowball_confidentiality::Tag;

    use super::*;

    fn treated(places: &[(&str, Tag, Action)]) -> Treated {
        let place = |(path, tag, action): &(&str, Tag, Action)| (((*path).to_owned(), *tag), *action);
        places.iter().map(place).collect()
    }

    const AGE: Tag = Tag(0x0010, 0x1010);
    const VIEWS: Tag = Tag(0x0054, 0x0220);
    const MEANING: Tag = Tag(0x0008, 0x0104);

    #[test]
    fn a_change_counts_once_a_file_however_many_items_have_it() {
        let before = treated(&[("", AGE, Action::Remove), ("", VIEWS, Action::Remove)]);
        let after = treated(&[
            ("", AGE, Action::CapAge),
            ("", VIEWS, Action::Keep),
            ("(0054,0220)[0]", MEANING, Action::Keep),
            ("(0054,0220)[1]", MEANING, Action::Keep),
        ]);
        let mut counts = Counts::default();
        for _ in 0..3 {
            counts.add(Ok(&before), Ok(&after));
        }
        counts.add(Ok(&after), Ok(&after));
        let diff = counts.finish();
        assert_eq!((diff.compared, diff.changed), (4, 3));
        let told: Vec<_> = (diff.attributes.iter())
            .map(|change| {
                (
                    &*change.attribute,
                    change.keyword,
                    change.from,
                    change.to,
                    change.instances,
                )
            })
            .collect();
        let expected = [
            ("(0010,1010)", "PatientAge", Action::Remove, Action::CapAge, 3),
            ("(0054,0220)", "ViewCodeSequence", Action::Remove, Action::Keep, 3),
            (
                "(0054,0220)/(0008,0104)",
                "CodeMeaning",
                Action::Remove,
                Action::Keep,
                3,
            ),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn outcomes_that_change_are_told_and_private_numbers_have_a_bound() {
        let mut counts = Counts::default();
        counts.add(Ok(&treated(&[])), Err(&IntakeReason::IdentifierRemains));
        counts.add(Err(&IntakeReason::Malformed), Err(&IntakeReason::Malformed));
        let many: Vec<_> = (0..=u16::MAX).map(|low| ("", Tag(0x0009, low), Action::Keep)).collect();
        counts.add(Ok(&treated(&many)), Ok(&treated(&[])));
        let diff = counts.finish();
        assert_eq!(diff.attributes.len(), CHANGES_MAX);
        assert_eq!(diff.further_changes, 65_536 - CHANGES_MAX as u64);
        let expected = OutcomeChange {
            from: Outcome::Written,
            to: Outcome::Excluded(IntakeReason::IdentifierRemains),
            files: 1,
        };
        assert_eq!(diff.outcomes, [expected]);
        assert_eq!(diff.outcomes[0].to.text(), "quarantined, identifier_remains");
        let (english, french) = (diff.lines(Language::English), diff.lines(Language::French));
        assert_eq!(english.len(), french.len());
        assert!(english.iter().zip(&french).all(|(english, french)| english != french));
        assert_eq!(french[1], "       1  (0009,0000) : conservé -> supprimé");
        assert!(french.contains(&"       1  fichiers : écrits -> en quarantaine, identifier_remains".to_owned()));
    }
}
