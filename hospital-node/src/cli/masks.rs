//! `masks`: outlines that the hospital drew over its radiographs.

use std::{collections::BTreeSet, fs::File, io::BufReader, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};
use serde::Serialize;
use snowball_crypto::PseudonymKey;
use snowball_imaging::pseudonym_of;
use snowball_protocol::site_label::SiteLabelName;
use snowball_store::{MaskKept, Store};

use super::Context;
use crate::mask_files::{Finding, Found, MaskKey, NamedFile, Table, name_digest, names, picture};

/// Outlines that the hospital drew over its radiographs.
#[derive(Subcommand)]
pub enum Masks {
    Import(Import),
    Remove(Remove),
}

/// Join a folder of masks (PNG, grey, as many rows and columns as the radiograph came with; 0 beside everything, and 255 or the class's
/// number where something is marked) to the stored radiographs. Identifiers become pseudonyms as they are read. Import again to
/// replace masks.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  hospital-node masks import lungs --name lungs --by instance\n  hospital-node masks import drawn --name lungs --by accession \\\n    --table drawn.csv --key AccessionNumber --file png"
)]
pub struct Import {
    /// The folder. It is only read; folders inside of it are not.
    folder: PathBuf,
    /// What the masks are called: 1 to 43 of a-z, A-Z, 0-9 and _.
    #[arg(long)]
    name: String,
    /// Which identifier finds the radiograph.
    #[arg(long, value_enum)]
    by: MaskKey,
    /// How names of files end; what stands before it is the identifier.
    #[arg(long, default_value = ".png", conflicts_with = "table")]
    ending: String,
    /// A table (comma-separated, with a heading) that says which file has which identifier.
    #[arg(long, requires_all = ["key", "file"])]
    table: Option<PathBuf>,
    /// Heading of the table's column with the identifier.
    #[arg(long, requires = "table")]
    key: Option<String>,
    /// Heading of the table's column with the file's name.
    #[arg(long, requires = "table")]
    file: Option<String>,
    /// Only say what would be kept.
    #[arg(long)]
    dry_run: bool,
}

/// Remove all masks of one name from the store; they are overwritten. Datasets that hold them are made anew when they are next needed.
#[derive(Args)]
#[command(after_help = "Example: hospital-node masks remove lungs")]
pub struct Remove {
    /// What the masks are called.
    name: String,
}

/// What became of the files of a folder. Files are named by the digest of their name.
#[derive(Default, Serialize)]
struct Imported {
    files: u64,
    new: u64,
    same: u64,
    replaced: u64,
    /// Whose name or table gives no identifier.
    without_identifier: Vec<String>,
    /// Whose identifier is no stored radiograph's.
    without_radiograph: Vec<String>,
    /// Whose accession has several radiographs.
    of_several: Vec<String>,
    /// Whose radiograph an earlier file of the folder has a mask for.
    repeated: Vec<String>,
    /// Whose rows and columns are not the radiograph's.
    of_another_size: Vec<String>,
    /// That are no masks, and why.
    refused: Vec<Refusal>,
}

#[derive(Serialize)]
struct Refusal {
    file: String,
    reason: String,
}

impl Masks {
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Import(verb) => verb.run(context),
            Self::Remove(verb) => verb.run(context),
        }
    }
}

impl Import {
    fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let config = home.config()?;
        checked(&self.name)?;
        let folder = || format!("cannot use {}", self.folder.display());
        let table = match (&self.table, &self.file, &self.key) {
            (Some(path), Some(file), Some(key)) => Some(Table {
                content: BufReader::new(File::open(path).with_context(|| format!("cannot read {}", path.display()))?),
                file: file.clone(),
                key: key.clone(),
            }),
            _ => None,
        };
        let files = names(&self.folder, &self.ending, table).with_context(folder)?;
        ensure!(!files.is_empty(), "{} holds no PNG file", self.folder.display());
        let key = home.pseudonym_key(&config.project)?;
        let imported = self.keep(&home.open_store(&config)?, &key, files)?;
        context.print(&imported, || imported.table(self.dry_run))
    }

    fn keep(&self, store: &Store, key: &PseudonymKey, files: Vec<NamedFile>) -> Result<Imported> {
        let found = Found::by(self.by, &store.radiograph_keys()?);
        // One picture at a time, some hundred to a commit. What a killed run had committed is the same when it comes again.
        let importer = store.mask_importer(&self.name);
        let mut imported = Imported::default();
        let mut seen = BTreeSet::new();
        for NamedFile { name, identifier } in files {
            imported.files += 1;
            let digest = name_digest(&name);
            let pseudonym = identifier.and_then(|identifier| pseudonym_of(key, self.by.domain(), &identifier));
            let Some(pseudonym) = pseudonym else {
                imported.without_identifier.push(digest);
                continue;
            };
            let radiograph = match found.of(&pseudonym) {
                Finding::One(radiograph) => radiograph,
                Finding::None => {
                    imported.without_radiograph.push(digest);
                    continue;
                }
                Finding::Several => {
                    imported.of_several.push(digest);
                    continue;
                }
            };
            let mask = match picture::read(&self.folder.join(&name)) {
                Ok(mask) => mask,
                Err(fault) => {
                    imported.refused.push(Refusal {
                        file: digest,
                        reason: fault.to_string(),
                    });
                    continue;
                }
            };
            if !seen.insert(radiograph) {
                imported.repeated.push(digest);
                continue;
            }
            let kept = if self.dry_run {
                importer.weigh(&radiograph, &mask)
            } else {
                importer.keep(&radiograph, &mask)
            };
            match kept? {
                MaskKept::New => imported.new += 1,
                MaskKept::Same => imported.same += 1,
                MaskKept::Replaced => imported.replaced += 1,
                MaskKept::NoRadiograph => imported.without_radiograph.push(digest),
                MaskKept::OtherSize => imported.of_another_size.push(digest),
            }
        }
        importer.flush()?;
        Ok(imported)
    }
}

impl Remove {
    fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let removed = home.open_store(&home.config()?)?.remove_masks(&self.name)?;
        context.print(&serde_json::json!({"removed": removed}), || {
            format!("{removed} masks removed")
        })
    }
}

/// A name that plans can have a label of.
fn checked(name: &str) -> Result<SiteLabelName> {
    format!("site_{name}")
        .parse()
        .context("the masks' name is 1 to 43 of a-z, A-Z, 0-9 and _, as a plan names labels")
}

impl Imported {
    fn table(&self, is_dry: bool) -> String {
        let mut lines = vec![
            format!("{:>8}  files", self.files),
            format!("{:>8}  masks are new", self.new),
            format!("{:>8}  masks were there already", self.same),
            format!("{:>8}  masks replaced another", self.replaced),
        ];
        for (files, what) in [
            (&self.without_identifier, "files without an identifier"),
            (&self.without_radiograph, "files of no stored radiograph"),
            (
                &self.of_several,
                "files of an accession with several radiographs: use --by instance",
            ),
            (&self.repeated, "files of a radiograph that an earlier file is of"),
            (
                &self.of_another_size,
                "files with other rows or columns than the radiograph came with",
            ),
        ] {
            if !files.is_empty() {
                lines.push(format!("{:>8}  {what}{}", files.len(), some(files)));
            }
        }
        if !self.refused.is_empty() {
            lines.push(format!("{:>8}  files are no masks", self.refused.len()));
            let shown = self.refused.iter().take(SHOWN);
            lines.extend(shown.map(|refusal| format!("{:>8}  {} {}", "", refusal.file, refusal.reason)));
        }
        lines.push("\nfiles are named by the first 16 digits that printf %s NAME | sha256sum gives".to_owned());
        if is_dry {
            lines.push("nothing was changed: this was a dry run".to_owned());
        }
        lines.join("\n")
    }
}

const SHOWN: usize = 8;

/// The first few files.
fn some(files: &[String]) -> String {
    let shown: Vec<&str> = files.iter().take(SHOWN).map(String::as_str).collect();
    let more = if files.len() > SHOWN { ", ..." } else { "" };
    format!(" ({}{more})", shown.join(", "))
}
