//! `withdraw`: a patient takes back their consent; everything of them goes, and stays away.

mod alone;
mod compared;
mod plans;
mod written;

use std::{
    collections::{BTreeSet, HashSet},
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{ArgGroup, Args};
use serde::Serialize;
use snowball_crypto::{Domain, Pseudonym};
use snowball_imaging::{Dictionary, Intake, Limits, pseudonym_of, standard::patient_id};
use snowball_ledger::{Entry, Record};
use snowball_pacs::spool;
use snowball_protocol::{RoundNumber, Sha256Digest, StudyName};
use snowball_service::{clock, files};
use snowball_store::Touched;
use zeroize::Zeroizing;

use super::{Context, deidentify::dicom_project};
use alone::AloneTouched;
use compared::Compared;
use plans::Planned;
use written::Written;

use crate::{comparisons::Noted, config::NodeConfig, home::Home, kept_parameters};

/// Longest patient number that is read, in bytes with its line end.
const IDENTIFIER_BYTES_MAX: usize = 1024;
/// Shorter numbers would be met by chance in files that cannot be parsed.
const SEARCHED_BYTES_MIN: usize = 5;

/// Remove a patient: radiographs, frozen datasets, what updates made with them left over, links, files in quarantine and in the spools, places in samples for review,
/// what networks said of them in comparisons. They are left out of the next round and refused
/// at a later import. What models have learned stays learned; the receipt names the models.
#[derive(Args)]
#[command(
    after_help = "Example: hospital-node withdraw --patient-file number.txt",
    group = ArgGroup::new("who").required(true)
)]
pub struct Withdraw {
    /// A file with the patient's number as the hospital writes it, or - for standard input. Never the command line: others
    /// could read it there.
    #[arg(long, group = "who")]
    patient_file: Option<PathBuf>,
    /// The patient's pseudonym, 64 hexadecimal digits.
    #[arg(long, group = "who")]
    pseudonym: Option<String>,
    /// Also delete the files of the patient that deidentify wrote and that are still where it wrote them.
    #[arg(long)]
    remove_written: bool,
}

/// What was removed, for the patient's file.
#[derive(Serialize)]
struct Receipt {
    /// A keyed mark of the patient, as in the ledger.
    subject: Sha256Digest,
    radiographs: u64,
    datasets: u64,
    quarantined: u64,
    /// Quarantined files that cannot be tied to anybody: a person should look through them.
    untied: u64,
    /// Objects that waited for their intake in the spools of `receive`, `retrieve` and `pull`.
    spooled: u64,
    /// Objects there that cannot be tied to anybody: the intake quarantines what a person must look at.
    spooled_untied: u64,
    links: u64,
    /// Samples for review that held pictures of the patient, which were struck out.
    plans: Vec<Planned>,
    /// Whether the folders of `deidentify` were searched, which takes the patient's number.
    is_written_searched: bool,
    /// Those that got files of the patient.
    written: Vec<Written>,
    /// Models that may have learned from the patient.
    models: Vec<Model>,
    /// Models that this site trained alone and that may have, too.
    local_models: Vec<AloneTouched>,
    /// Folders of `compare` that had the patient among their radiographs.
    comparisons: Vec<Compared>,
    /// Studies of which this site kept parameters for itself: those are removed.
    kept_parameters: Vec<StudyName>,
    /// The ledger's entry.
    ledger_entry: u64,
    ledger_head: Sha256Digest,
}

/// A study that had the patient in its dataset.
#[derive(Serialize, PartialEq, Eq, Debug)]
struct Model {
    study: StudyName,
    /// The datasets that held the patient.
    datasets: Vec<Sha256Digest>,
    /// The rounds that this site trained on one of them.
    rounds: Vec<RoundNumber>,
}

impl Withdraw {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let config = home.config()?;
        let identifier = self.patient_file.as_deref().map(read_identifier).transpose()?;
        let key = home.pseudonym_key(&config.project)?;
        let patient: Pseudonym = match (&identifier, &self.pseudonym) {
            (Some(identifier), _) => {
                pseudonym_of(&key, Domain::Patient, identifier).context("the patient's number is blank")?
            }
            (None, Some(pseudonym)) => pseudonym.parse()?,
            (None, None) => bail!("name the patient with --patient-file or --pseudonym"),
        };
        // The vault and the notes of comparisons are opened first: what does not open must stop this before anything is half done.
        let vault = match home.vault(&config) {
            Err(fault) if is_destroyed(&fault) => None,
            opened => opened?,
        };
        let noted = Noted::all(&home)?;
        let store = home.open_store(&config)?;
        // By the vault a pseudonym leads back to the number, as long as it has the links.
        let number = match (&identifier, &vault) {
            (Some(identifier), _) => Some(identifier.clone()),
            (None, Some(vault)) => vault.find(&patient)?.first().map(|one| one.patient.clone()),
            (None, None) => None,
        };
        let called = |project: &str| -> Result<Option<String>> {
            let key = home.pseudonym_key(&dicom_project(project))?;
            Ok(number.as_ref().and_then(|number| patient_id(&key, number)))
        };
        // Before the store forgets which radiographs they were.
        let radiographs: HashSet<String> = store
            .radiographs_of(&patient)?
            .iter()
            .map(ToString::to_string)
            .collect();
        let folders = written::names(&home, called)?;
        let plans = plans::forget(&home, |name| {
            radiographs.contains(name) || name.split_once('/').is_some_and(|(folder, _)| folders.contains(folder))
        })
        .context("the review plans still hold the patient; do this again")?;
        let withdrawn = store
            .withdraw(&patient)
            .context("not everything is gone yet; do this again")?;
        let intake = Intake::new(key, Dictionary::standard(), Limits::default());
        let searched = store
            .withdraw_held(|content| is_theirs(&intake, &patient, identifier.as_deref().map(String::as_str), content))
            .context("the quarantine was not searched to its end; do this again")?;
        // After the store, which refuses from now on what the intake takes out of a spool meanwhile.
        let mut spooled = spool::Searched::default();
        for way in ["receive", "fetch"] {
            let searched = spool::withdraw(&home.spool(way), |path| {
                let content = super::deidentify::read(path).ok()?;
                is_theirs(&intake, &patient, identifier.as_deref().map(String::as_str), &content)
            });
            let searched = searched.context("the spool was not searched to its end; do this again")?;
            spooled.removed += searched.removed;
            spooled.untied += searched.untied;
        }
        let written = written::search(&home, called, self.remove_written)?;
        let links = match &vault {
            Some(vault) => vault
                .forget(&patient)
                .context("the vault's links are not gone yet; do this again")?,
            None => 0,
        };
        let comparisons = compared::forget(&noted, &withdrawn.touched)
            .context("what networks said of the patient is not gone yet; do this again")?;
        let records = snowball_ledger::read(&home.ledger()).context("cannot read the ledger")?;
        let models = models(&records, &withdrawn.touched);
        let mut kept_parameters = Vec::new();
        let residuals = home.open_residuals(&config)?;
        for model in &models {
            let forgotten = residuals.forget(&model.study);
            forgotten.context("what updates left over is not gone yet; do this again")?;
            if kept_parameters::forget(&home, &model.study)
                .context("what is kept of a network is still here; do this again")?
            {
                kept_parameters.push(model.study.clone());
                let study = model.study.clone();
                append(&home, &config, Entry::KeptParametersRemoved { study })?;
            }
        }
        let studies: BTreeSet<StudyName> = models.iter().map(|model| model.study.clone()).collect();
        let local_models = alone::touched(&home, &studies)
            .context("the models that this site trained alone are not looked through; do this again")?;
        let entry = Entry::PatientWithdrawn {
            subject: withdrawn.mark,
            radiographs: withdrawn.radiographs,
            datasets: withdrawn.datasets.len() as u64,
            quarantined: searched.removed,
            links,
            studies: models.iter().map(|model| model.study.clone()).collect(),
        };
        let (ledger_entry, ledger_head) = append(&home, &config, entry)?;
        let receipt = Receipt {
            subject: withdrawn.mark,
            radiographs: withdrawn.radiographs,
            datasets: withdrawn.datasets.len() as u64,
            quarantined: searched.removed,
            untied: searched.untied,
            spooled: spooled.removed,
            spooled_untied: spooled.untied,
            links,
            plans,
            is_written_searched: number.is_some(),
            written,
            models,
            local_models,
            comparisons,
            kept_parameters,
            ledger_entry,
            ledger_head,
        };
        context.print(&receipt, || receipt.text(&config))
    }
}

impl Receipt {
    fn text(&self, config: &NodeConfig) -> String {
        let mut lines = vec![
            format!("withdrawn at site {}: subject {}", config.site, self.subject),
            format!("{:>8}  radiographs removed", self.radiographs),
            format!(
                "{:>8}  frozen datasets removed; the next round has a new one",
                self.datasets
            ),
            format!("{:>8}  quarantined files removed", self.quarantined),
            format!("{:>8}  files removed that waited for their intake", self.spooled),
            format!("{:>8}  links removed from the vault", self.links),
        ];
        if self.spooled_untied > 0 {
            lines.push(format!(
                "{:>8}  files that wait for their intake cannot be tied to anybody: the intake sets them aside",
                self.spooled_untied
            ));
        }
        if self.untied > 0 {
            lines.push(format!(
                "{:>8}  quarantined files cannot be tied to anybody: look through them (hospital-node quarantine list)",
                self.untied
            ));
        }
        lines.push("Imported again, the patient is refused. The hospital's own files are untouched.".to_owned());
        lines.extend(self.plans.iter().map(Planned::text));
        lines.extend(self.written.iter().map(Written::text));
        if !self.is_written_searched {
            lines.push(
                "what deidentify wrote was not searched, for it takes the patient's number: do this again with --patient-file"
                    .to_owned(),
            );
        }
        for model in &self.models {
            lines.push(format!(
                "study {}: had the patient in {} dataset(s), trained here in {} round(s); that stays learned",
                model.study,
                model.datasets.len(),
                model.rounds.len()
            ));
        }
        lines.extend(self.local_models.iter().map(AloneTouched::text));
        lines.extend(self.comparisons.iter().map(Compared::text));
        for study in &self.kept_parameters {
            lines.push(format!(
                "study {study}: what this site kept for itself of the network is removed; it begins anew"
            ));
        }
        lines.push(format!("ledger entry {}, head {}", self.ledger_entry, self.ledger_head));
        lines.join("\n")
    }
}

fn append(home: &Home, config: &NodeConfig, entry: Entry) -> Result<(u64, Sha256Digest)> {
    let ledger = home.open_ledger(config)?;
    let mut ledger = ledger.lock().map_err(|_| anyhow::anyhow!("the ledger is in use"))?;
    let record = ledger.append(clock::now(), entry)?;
    Ok((record.index, record.hash))
}

fn is_destroyed(fault: &anyhow::Error) -> bool {
    matches!(fault.downcast_ref(), Some(snowball_vault::VaultError::Destroyed))
}

/// The patient's number out of a file or standard input: one line.
fn read_identifier(path: &Path) -> Result<Zeroizing<String>> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin()
            .take(IDENTIFIER_BYTES_MAX as u64 + 1)
            .read_to_end(&mut bytes)
            .context("cannot read standard input")?;
        ensure!(
            bytes.len() <= IDENTIFIER_BYTES_MAX,
            "standard input is longer than a patient's number"
        );
        bytes
    } else {
        files::read_bounded(path, IDENTIFIER_BYTES_MAX).with_context(|| format!("cannot read {}", path.display()))?
    };
    let text = Zeroizing::new(String::from_utf8(bytes).context("the patient's number is not UTF-8 text")?);
    let identifier = Zeroizing::new(text.trim().to_owned());
    ensure!(
        !identifier.contains('\n'),
        "more than one line; withdraw one patient at a time"
    );
    Ok(identifier)
}

/// Whether a quarantined file is the patient's; one whose header cannot be read is searched for the number itself.
fn is_theirs(intake: &Intake, patient: &Pseudonym, identifier: Option<&str>, content: &[u8]) -> Option<bool> {
    if let Some(found) = intake.patient_of(content) {
        return Some(found == *patient);
    }
    let wanted = identifier
        .map(str::as_bytes)
        .filter(|wanted| wanted.len() >= SEARCHED_BYTES_MIN)?;
    content
        .windows(wanted.len())
        .any(|window| window == wanted)
        .then_some(true)
}

/// The studies whose datasets held the patient, and the rounds that were trained on them, as the ledger tells.
fn models(records: &[Record], touched: &[Touched]) -> Vec<Model> {
    let mut models: Vec<Model> = Vec::new();
    let mut frozen: std::collections::BTreeMap<StudyName, Sha256Digest> = std::collections::BTreeMap::new();
    let held = |digest: &Sha256Digest| touched.iter().any(|one| one.digest == *digest);
    for record in records {
        match &record.entry {
            Entry::DatasetFrozen {
                study, dataset_digest, ..
            } => {
                frozen.insert(study.clone(), *dataset_digest);
                if held(dataset_digest) {
                    let model = model_of(&mut models, study);
                    if !model.datasets.contains(dataset_digest) {
                        model.datasets.push(*dataset_digest);
                    }
                }
            }
            Entry::TrainingFinished { study, round, .. } if frozen.get(study).is_some_and(held) => {
                let model = model_of(&mut models, study);
                if !model.rounds.contains(round) {
                    model.rounds.push(*round);
                }
            }
            _ => {}
        }
    }
    models
}

fn model_of<'a>(models: &'a mut Vec<Model>, study: &StudyName) -> &'a mut Model {
    let place = models
        .iter()
        .position(|model| model.study == *study)
        .unwrap_or_else(|| {
            models.push(Model {
                study: study.clone(),
                datasets: Vec::new(),
                rounds: Vec::new(),
            });
            models.len() - 1
        });
    &mut models[place]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(entry: Entry) -> Record {
        Record {
            index: 0,
            time: 0,
            previous: Sha256Digest::of(b""),
            entry,
            hash: Sha256Digest::of(b""),
        }
    }

    fn frozen(study: &str, dataset: &[u8]) -> Record {
        record(Entry::DatasetFrozen {
            study: study.parse().unwrap(),
            dataset_digest: Sha256Digest::of(dataset),
            training: 1,
            validation: 1,
            testing: 1,
        })
    }

    fn trained(study: &str, round: u32) -> Record {
        record(Entry::TrainingFinished {
            study: study.parse().unwrap(),
            round: RoundNumber(round),
            examples: 1,
            model_in: Sha256Digest::of(b""),
            control: None,
            update_digest: Sha256Digest::of(b""),
        })
    }

    #[test]
    fn rounds_count_from_the_dataset_that_held_the_patient_to_the_one_that_does_not() {
        let records = [
            frozen("spines", b"before"),
            trained("spines", 1),
            frozen("spines", b"with"),
            trained("spines", 2),
            trained("spines", 3),
            frozen("hands", b"others"),
            // Whoever the model was only asked about, it did not learn from.
            record(Entry::DatasetPrepared {
                study: "hands".parse().unwrap(),
                dataset_digest: Sha256Digest::of(b"with"),
                radiographs: 3,
            }),
            trained("hands", 1),
            frozen("spines", b"without"),
            trained("spines", 4),
        ];
        let touched = [Touched {
            digest: Sha256Digest::of(b"with"),
            folder: PathBuf::from("spines"),
        }];
        assert_eq!(
            models(&records, &touched),
            [Model {
                study: "spines".parse().unwrap(),
                datasets: vec![Sha256Digest::of(b"with")],
                rounds: vec![RoundNumber(2), RoundNumber(3)],
            }]
        );
    }

    #[test]
    fn a_number_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        for (content, expected) in [(" 4711 \n", Some("4711")), ("1\n2", None), ("\u{1}\n", Some("\u{1}"))] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(read_identifier(&path).ok().as_deref().map(String::as_str), expected);
        }
        std::fs::write(&path, "x".repeat(IDENTIFIER_BYTES_MAX + 1)).unwrap();
        assert!(read_identifier(&path).is_err());
    }
}
