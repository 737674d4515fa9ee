//! Which files of a folder are masks, and which identifier each has.

use std::{collections::BTreeMap, fs, io, io::Read, path::Path};

/// Most files of a folder.
const FILES_MAX: usize = 500_000;
/// Most bytes of a table.
const TABLE_BYTES_MAX: u64 = 256 << 20;

/// Why a folder or its table cannot be used. Faults name lines and headings, never what stands in a cell or a file's name.
#[derive(Debug, thiserror::Error)]
pub enum NamesFault {
    #[error("cannot read the folder")]
    Folder(#[from] io::Error),
    #[error("the folder has more than {FILES_MAX} files; import it in parts")]
    TooMany,
    #[error("the table is larger than {TABLE_BYTES_MAX} bytes")]
    TableTooLarge,
    #[error("line {line} of the table does not parse as comma-separated values with a heading")]
    Malformed { line: u64 },
    #[error("the table has no column {heading:?}; it has {known}")]
    NoColumn { heading: String, known: String },
    #[error("line {line} of the table names a file that an earlier line names with another identifier")]
    Contradicts { line: u64 },
}

/// Where identifiers stand if not in the names of files.
pub struct Table<R> {
    /// Comma-separated values with a heading.
    pub content: R,
    /// Heading of the column with the name of the file.
    pub file: String,
    /// Heading of the column with the identifier.
    pub key: String,
}

/// A PNG file of the folder.
#[derive(PartialEq, Eq, Debug)]
pub struct NamedFile {
    /// Its name in the folder.
    pub name: String,
    /// The identifier of its radiograph; `None` where the table does not name the file, or its name ends otherwise.
    pub identifier: Option<String>,
}

/// The PNG files that lie in `folder` itself, in the order of their names. Without a table the identifier is the name less `ending`.
pub fn names<R: Read>(folder: &Path, ending: &str, table: Option<Table<R>>) -> Result<Vec<NamedFile>, NamesFault> {
    let identifiers = table.map(identifiers).transpose()?;
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // No link and no pipe: what is opened is a file of this folder.
        let (Ok(name), true) = (entry.file_name().into_string(), entry.file_type()?.is_file()) else {
            continue;
        };
        if !name.to_ascii_lowercase().ends_with(".png") {
            continue;
        }
        if files.len() == FILES_MAX {
            return Err(NamesFault::TooMany);
        }
        let identifier = match &identifiers {
            Some(known) => known.get(&name).cloned(),
            None => name.strip_suffix(ending).map(str::to_owned),
        };
        files.push(NamedFile { name, identifier });
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}

/// From a file's name to its identifier.
fn identifiers<R: Read>(table: Table<R>) -> Result<BTreeMap<String, String>, NamesFault> {
    let mut content = Vec::new();
    table.content.take(TABLE_BYTES_MAX + 1).read_to_end(&mut content)?;
    if content.len() as u64 > TABLE_BYTES_MAX {
        return Err(NamesFault::TableTooLarge);
    }
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(content.as_slice());
    let headings = reader.headers().map_err(|_| NamesFault::Malformed { line: 1 })?.clone();
    let place = |heading: &str| {
        let known = || headings.iter().take(32).collect::<Vec<_>>().join(", ");
        headings
            .iter()
            .position(|found| found == heading)
            .ok_or_else(|| NamesFault::NoColumn {
                heading: heading.to_owned(),
                known: known(),
            })
    };
    let (file, key) = (place(&table.file)?, place(&table.key)?);
    let mut identifiers = BTreeMap::new();
    for (row, line) in reader.records().zip(2..) {
        let row = row.map_err(|_| NamesFault::Malformed { line })?;
        let (Some(file), Some(key)) = (row.get(file), row.get(key)) else {
            return Err(NamesFault::Malformed { line });
        };
        if file.is_empty() || key.is_empty() {
            continue;
        }
        let before = identifiers.insert(file.to_owned(), key.to_owned());
        if before.is_some_and(|before| before != key) {
            return Err(NamesFault::Contradicts { line });
        }
    }
    Ok(identifiers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(folder.path().join(name), b"").unwrap();
        }
        folder
    }

    fn told(files: &[NamedFile]) -> Vec<(&str, Option<&str>)> {
        files
            .iter()
            .map(|file| (file.name.as_str(), file.identifier.as_deref()))
            .collect()
    }

    #[test]
    fn a_name_less_its_ending_is_the_identifier() {
        let folder = folder(&["1.2.3_mask.png", "1.2.4.PNG", "notes.txt"]);
        fs::create_dir(folder.path().join("inner.png")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link.png")).unwrap();
        let files = names::<&[u8]>(folder.path(), "_mask.png", None).unwrap();
        assert_eq!(told(&files), [("1.2.3_mask.png", Some("1.2.3")), ("1.2.4.PNG", None)]);
    }

    #[test]
    fn a_table_gives_identifiers_and_one_that_contradicts_itself_is_refused() {
        let folder = folder(&["a.png", "b.png"]);
        let read = |content: &'static str| {
            let table = Table {
                content: content.as_bytes(),
                file: "file".to_owned(),
                key: "AccessionNumber".to_owned(),
            };
            names(folder.path(), ".png", Some(table))
        };
        let files = read("AccessionNumber,reader,file\nA/17, x ,a.png\n,y,b.png\n").unwrap();
        assert_eq!(told(&files), [("a.png", Some("A/17")), ("b.png", None)]);
        let twice = "AccessionNumber,file\nA1,a.png\nA1,a.png\nA2,a.png\n";
        assert!(matches!(read(twice), Err(NamesFault::Contradicts { line: 4 })));
        let fault = read("Accession,file\nA1,a.png\n").unwrap_err().to_string();
        assert!(fault.contains("AccessionNumber") && !fault.contains("A1"), "{fault}");
        assert!(matches!(
            read("AccessionNumber,file\nA1\n"),
            Err(NamesFault::Malformed { line: 2 })
        ));
    }
}
