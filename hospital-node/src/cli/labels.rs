//! `labels`: what is known of the radiographs, and from where.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use snowball_imaging::{Dictionary, pseudonym_of};

use snowball_store::Others;

use super::Context;
use crate::{
    config::IntakeConfig,
    label_table::{Columns, Joined, KeyKind, LabelTable, join},
};

/// What is known of the radiographs, and from where.
#[derive(Subcommand)]
pub enum Labels {
    Report(Report),
    Import(Import),
    Dictionary(CheckDictionary),
}

/// Show where body part, view, side, sex and age came from: the header's attribute, a code, a description, dates.
#[derive(Args)]
#[command(after_help = "Example: hospital-node labels report")]
pub struct Report {}

/// Join a table of the hospital's own labels (comma-separated, with a heading) to the stored radiographs. Keys become
/// pseudonyms as they are read. Import again to replace the named columns, or add to them with --add.
#[derive(Args)]
#[command(
    after_help = "Example: hospital-node labels import grades.csv --by accession --key AccessionNumber \\\n    --class kl_grade --class clinic --noisy clinic"
)]
pub struct Import {
    /// The table. It is only read.
    table: PathBuf,
    /// Which identifier the key is.
    #[arg(long, value_enum)]
    by: KeyKind,
    /// Heading of the key's column.
    #[arg(long)]
    key: String,
    /// Heading of a label that is a class; give it again for each.
    #[arg(long = "class")]
    classes: Vec<String>,
    /// Heading of a label that is a number; give it again for each.
    #[arg(long = "number")]
    numbers: Vec<String>,
    /// Heading of a label that is known to be wrong now and then; give it again for each.
    #[arg(long)]
    noisy: Vec<String>,
    /// Keep what earlier tables say where this one says nothing, as for a hospital with a table a department; absent: this table is all
    /// that is known under its headings.
    #[arg(long)]
    add: bool,
    /// Only say what would be joined.
    #[arg(long)]
    dry_run: bool,
}

/// Check a dictionary of the site's own words, and read descriptions by it.
#[derive(Args)]
#[command(after_help = "Example: hospital-node labels dictionary --file words.toml --read GENOU_G_FACE")]
pub struct CheckDictionary {
    /// The dictionary; absent: the standard one (English and French).
    #[arg(long)]
    file: Option<PathBuf>,
    /// A description to read, as it stands in a header without any name of a person; give it again for each.
    #[arg(long = "read")]
    descriptions: Vec<String>,
}

impl Labels {
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Report(verb) => verb.run(context),
            Self::Import(verb) => verb.run(context),
            Self::Dictionary(verb) => verb.run(context),
        }
    }
}

impl Report {
    fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let sources = home.open_store(&home.config()?)?.label_sources()?;
        context.print(&sources, || {
            let mut lines = Vec::new();
            for (label, counts) in &sources {
                let total: u64 = counts.values().sum();
                lines.push(format!("{} ({total} radiographs)", label.replace('_', " ")));
                lines.extend(counts.iter().map(|(source, count)| {
                    let share = 100.0 * *count as f64 / total.max(1) as f64;
                    format!("  {source:<12} {count:>8}  {share:>5.1} %")
                }));
            }
            if lines.is_empty() {
                lines.push("the store is empty; take in radiographs first: hospital-node ingest FOLDER".to_owned());
            }
            lines.join("\n")
        })
    }
}

impl Import {
    fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let config = home.config()?;
        let key = home.pseudonym_key(&config.project)?;
        let columns = Columns {
            key: self.key,
            classes: self.classes,
            numbers: self.numbers,
            noisy: self.noisy,
        };
        let file = File::open(&self.table).with_context(|| format!("cannot read {}", self.table.display()))?;
        let table = LabelTable::read(BufReader::new(file), &columns, |identifier| {
            pseudonym_of(&key, self.by.domain(), identifier)
        })
        .with_context(|| format!("{} cannot be used", self.table.display()))?;
        let store = home.open_store(&config)?;
        let mut joined = join(table, self.by, &store.radiograph_keys()?);
        let names = columns.labels().cloned().collect();
        joined.beside = store.site_labels_beside(&names, &joined.labels)?;
        let others = if self.add { Others::Keep } else { Others::Forget };
        if !self.dry_run {
            store.set_site_labels(&names, &joined.labels, others)?;
        }
        context.print(&joined, || joined.table(&self.table, others, self.dry_run))
    }
}

impl Joined {
    fn table(&self, file: &Path, others: Others, is_dry: bool) -> String {
        let mut lines = vec![
            format!("{:>8}  rows", self.rows),
            format!("{:>8}  radiographs with a row", self.radiographs_matched),
            format!("{:>8}  radiographs without a row", self.radiographs_without_row),
        ];
        for (said, what) in [
            (&self.unmatched_lines, "rows of no stored radiograph"),
            (&self.keyless_lines, "rows without a key"),
            (&self.repeated_lines, "rows that repeat an earlier one"),
            (
                &self.contradicting_lines,
                "rows that contradict an earlier one: nothing is taken for that label",
            ),
        ] {
            lines.push(format!("{:>8}  {what}{}", said.len(), places(said)));
        }
        for (label, count) in &self.labelled {
            let contradicted = self.contradicted.get(label).copied().unwrap_or(0);
            lines.push(format!(
                "{count:>8}  have {label} ({contradicted} lack it for contradicting rows)"
            ));
        }
        for (label, count) in &self.beside {
            lines.push(match others {
                Others::Keep => format!("{count:>8}  keep {label} from an earlier table"),
                Others::Forget => format!(
                    "{count:>8}  lose {label}, which an earlier table gave them and this one does not; --add would keep it"
                ),
            });
        }
        lines.push(if is_dry {
            "\nnothing was changed: this was a dry run".to_owned()
        } else {
            format!(
                "\njoined; {} can be deleted or kept where identifiers may be kept",
                file.display()
            )
        });
        lines.join("\n")
    }
}

/// The first few lines by number, for whoever mends the table.
fn places(lines: &[u64]) -> String {
    const SHOWN: usize = 8;
    if lines.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = lines.iter().take(SHOWN).map(u64::to_string).collect();
    let more = if lines.len() > SHOWN { ", ..." } else { "" };
    format!(" (lines {}{more})", shown.join(", "))
}

impl CheckDictionary {
    fn run(self, context: &Context) -> Result<()> {
        let dictionary: Dictionary = IntakeConfig {
            dictionary: self.file,
            ..IntakeConfig::default()
        }
        .dictionary()?;
        let read: Vec<serde_json::Value> = self
            .descriptions
            .iter()
            .map(|description| {
                let labels = dictionary.labels_of(description);
                serde_json::json!({"description": description, "labels": labels})
            })
            .collect();
        let document = serde_json::json!({"sound": true, "read": read});
        context.print(&document, || {
            let mut lines = vec!["the dictionary is sound".to_owned()];
            lines.extend(
                read.iter()
                    .map(|one| format!("{}  {}", one["description"], one["labels"])),
            );
            lines.join("\n")
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use snowball_crypto::{Pseudonym, SiteSecret};
    use snowball_store::RadiographKeys;

    use super::*;

    /// The block of the manual that follows the fence `kind`, from `begins` on.
    fn block(kind: &str, begins: &str) -> &'static str {
        let manual = include_str!("../../docs/research.md");
        let (_, after) = manual.split_once(&format!("```{kind}\n{begins}")).unwrap();
        let start = after.as_ptr() as usize - manual.as_ptr() as usize - begins.len();
        let (block, _) = manual[start..].split_once("\n```").unwrap();
        block
    }

    #[test]
    fn the_manual_shows_what_its_own_table_gives() {
        let key = SiteSecret::from_hex(&"07".repeat(32)).unwrap().project("manual");
        let columns = Columns {
            key: "AccessionNumber".to_owned(),
            classes: vec!["kl_grade".to_owned(), "clinic".to_owned()],
            numbers: Vec::new(),
            noisy: vec!["clinic".to_owned()],
        };
        let by = KeyKind::Accession;
        let pseudonym = |identifier: &str| pseudonym_of(&key, by.domain(), identifier);
        let csv = block("csv", "AccessionNumber");
        let table = LabelTable::read(csv.as_bytes(), &columns, pseudonym).unwrap();
        // Three of the table, two that it does not name; one has a grade from before.
        let stored: Vec<RadiographKeys> = ["A1001", "A1002", "A1003", "A2001", "A2002"]
            .iter()
            .zip(0..)
            .map(|(accession, number)| RadiographKeys {
                radiograph: Pseudonym::from_bytes([number; 32]),
                patient: Pseudonym::from_bytes([number; 32]),
                study: Pseudonym::from_bytes([number; 32]),
                accession: pseudonym(accession),
            })
            .collect();
        let mut joined = join(table, by, &stored);
        joined.beside = BTreeMap::from([("kl_grade".to_owned(), 1)]);
        let shown = joined.table(Path::new("grades.csv"), Others::Forget, true);
        assert_eq!(shown, block("text", "       6  rows"));
    }
}
