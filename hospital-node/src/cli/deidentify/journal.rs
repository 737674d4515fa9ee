//! What `deidentify` notes of an output folder, so that a run that was stopped goes on and no two policies mix.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File, OpenOptions},
    io::{BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use snowball_imaging::standard::Record;
use snowball_protocol::{Sha256Digest, intake::IntakeReason};

use crate::cli::Refused;

/// Files after which they and then the journal are on the disk: a run that is killed, or a machine, does so many again.
const FLUSH_FILES: usize = 128;

/// A line of the journal: which input file became what. It holds no name of a file and no value.
#[derive(Serialize, Deserialize)]
pub(crate) struct Line {
    /// Keyed digest of the input's path, size and time of change.
    pub(crate) input: Sha256Digest,
    /// Keyed digest of its bytes.
    pub(crate) content: Sha256Digest,
    /// `PATIENT/INSTANCE.dcm`, if it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<IntakeReason>,
}

/// The first line of a journal: under what its files were made.
#[derive(PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) policy: Sha256Digest,
    /// The project's name: by it, a patient who withdraws is found again.
    pub(crate) project: String,
    pub(crate) edition: String,
    /// The output folder.
    pub(crate) output: PathBuf,
}

/// The first half of a digest: enough to tell a million files apart, and half of the memory.
type Mark = [u8; 16];

fn mark(digest: &Sha256Digest) -> Mark {
    std::array::from_fn(|at| digest.as_bytes()[at])
}

/// Names of instances differ in length; their marks do not.
fn instance_mark(instance: &str) -> Mark {
    mark(&Sha256Digest::of(instance.as_bytes()))
}

/// The journal of an output folder and the records of decisions.
pub(crate) struct Notes {
    journal: File,
    decisions: BufWriter<File>,
    output: File,
    done: HashSet<Mark>,
    instances: HashMap<Mark, Mark>,
    /// Lines of the journal whose files may not be on the disk yet.
    unwritten: Vec<u8>,
    unflushed: usize,
}

impl Notes {
    pub(crate) fn open(folder: &Path, output: &Path, head: &Head) -> Result<Self> {
        let path = folder.join("journal.jsonl");
        let (mut done, mut instances) = (HashSet::new(), HashMap::new());
        let begun = match File::open(&path) {
            Ok(file) => {
                let mut lines = BufReader::new(file).lines();
                let first = lines.next().transpose()?;
                let begun = first.is_some();
                let first = first.unwrap_or_default();
                if begun
                    && serde_json::from_str::<Head>(&first)
                        .ok()
                        .is_none_or(|found| found != *head)
                {
                    let fault = format!(
                        "{} holds files made under another policy, project or edition; name another output folder",
                        output.display()
                    );
                    return Err(Refused(fault).into());
                }
                for line in lines {
                    // The last line may be cut short by a crash; that file is done again.
                    let Ok(line) = serde_json::from_str::<Line>(&line?) else {
                        continue;
                    };
                    // What was written and is gone is written again.
                    if line
                        .output
                        .as_ref()
                        .is_some_and(|written| !output.join(written).is_file())
                    {
                        continue;
                    }
                    if let Some(instance) = line.output.as_deref().and_then(instance_of) {
                        instances.insert(instance_mark(instance), mark(&line.content));
                    }
                    done.insert(mark(&line.input));
                }
                begun
            }
            Err(_) => false,
        };
        if !begun && fs::read_dir(output)?.next().is_some() {
            bail!(
                "{} is not empty, and this node knows nothing of what lies there; name another output folder",
                output.display()
            );
        }
        let append = |path: &Path| {
            let file = OpenOptions::new().create(true).append(true).open(path);
            file.with_context(|| format!("cannot write {}", path.display()))
        };
        let mut notes = Self {
            journal: append(&path)?,
            decisions: BufWriter::new(append(&folder.join("decisions.jsonl"))?),
            output: File::open(output).with_context(|| format!("cannot read {}", output.display()))?,
            done,
            instances,
            unwritten: Vec::new(),
            unflushed: 0,
        };
        if !begun {
            serde_json::to_writer(&mut notes.unwritten, head)?;
        }
        // After a line that was cut short the next one begins anew.
        notes.unwritten.push(b'\n');
        // At once: a folder must never hold files of which nobody knows under what they were made.
        notes.flush()?;
        Ok(notes)
    }

    /// Whether an earlier run dealt with this file, and what it wrote is still there.
    pub(crate) fn is_done(&self, input: &Sha256Digest) -> bool {
        self.done.contains(&mark(input))
    }

    /// Reserves an instance for one content; the reason if another input had it.
    pub(crate) fn claim(&mut self, instance: &str, content: Sha256Digest) -> Option<IntakeReason> {
        let (instance, content) = (instance_mark(instance), mark(&content));
        match self.instances.get(&instance) {
            None => {
                self.instances.insert(instance, content);
                None
            }
            Some(found) if *found == content => Some(IntakeReason::Duplicate),
            Some(_) => Some(IntakeReason::UidConflict),
        }
    }

    pub(crate) fn release(&mut self, instance: &str) {
        self.instances.remove(&instance_mark(instance));
    }

    pub(crate) fn append(&mut self, line: Line, instance: &str, records: &[Record]) -> Result<()> {
        #[derive(Serialize)]
        struct Decision<'a> {
            instance: &'a str,
            #[serde(flatten)]
            record: &'a Record,
        }
        for record in records {
            serde_json::to_writer(&mut self.decisions, &Decision { instance, record })?;
            self.decisions.write_all(b"\n")?;
        }
        serde_json::to_writer(&mut self.unwritten, &line)?;
        self.unwritten.push(b'\n');
        self.done.insert(mark(&line.input));
        self.unflushed += 1;
        if self.unflushed >= FLUSH_FILES {
            self.flush()?;
        }
        Ok(())
    }

    /// Files and decisions first: the journal never names a file that a machine that fails now would lose, nor one whose
    /// decisions are not on record. Everything is on the disk when this returns.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.unflushed = 0;
        nix::unistd::syncfs(&self.output).context("the disk does not take what was written")?;
        self.decisions.flush().context("cannot write the decisions")?;
        self.decisions
            .get_ref()
            .sync_data()
            .context("the disk does not take the decisions")?;
        self.journal
            .write_all(&self.unwritten)
            .context("cannot write the journal")?;
        self.unwritten.clear();
        self.journal.sync_data().context("the disk does not take the journal")
    }
}

/// The instance in `PATIENT/INSTANCE.dcm`.
fn instance_of(output: &str) -> Option<&str> {
    output.split_once('/')?.1.strip_suffix(".dcm")
}
