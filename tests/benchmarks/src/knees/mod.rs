//! Whether learning anatomy together helps to tell osteoarthritis of the knee from few labels: the project's protocol, on real
//! radiographs, from the hospitals' files to a report, by the real programs.

mod documents;
mod federation;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};
use snowball_tests::{Consortium, Programs, text};

use crate::home::Home;

/// Of every home in this experiment: which part a patient belongs to follows from it. It guards nobody: the radiographs are public.
const SECRET: &str = "5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed";
/// Of each hospital, beside its dicom/.
const TABLE: &str = "site-labels.csv";
/// Fewest hospitals that learn together.
const HOSPITALS_MIN: usize = 2;

/// Run the protocol: hospitals learn anatomy together and alone, then each network learns on from few graded knees; its report says which
/// needs fewer labels, and which of the claims holds.
#[derive(clap::Args)]
#[command(after_help = "Example: snowball-benchmark knees --dicom shared/data/radiographs --out knees --seeds 3")]
pub struct Knees {
    /// One folder a hospital, each with dicom/ and site-labels.csv (AccessionNumber, knee_oa).
    #[arg(long, value_name = "DIR")]
    dicom: PathBuf,
    /// Where everything goes; must not exist yet.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Where the programs lie, already built; absent: they are built first.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// With how many labels, rising.
    #[arg(long, value_delimiter = ',', default_value = "50,100,500")]
    pub labels: Vec<u64>,
    /// How often each arm is trained with each number of labels.
    #[arg(long, default_value_t = 5)]
    pub seeds: u32,
    /// Steps of an arm that begins from a network; from scratch twice as many.
    #[arg(long, default_value_t = 300)]
    pub steps: u32,
    /// Another number of rounds of learning together.
    #[arg(long)]
    rounds: Option<u32>,
}

impl Knees {
    /// Runs everything; the report lies in `out/comparison/report.html`.
    pub fn run(&self) -> Result<bool> {
        ensure!(!self.out.exists(), "{} exists; name a new folder", self.out.display());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let programs = runtime.block_on(Programs::prepare(self.programs.as_deref()))?;
        fs::create_dir_all(&self.out).with_context(|| format!("cannot make {}", self.out.display()))?;
        let out = self.out.canonicalize()?;
        let hospitals = self.hospitals()?;
        let plan = documents::pretraining(u32::try_from(hospitals.len())?, self.rounds)?;
        let sites = hospitals
            .iter()
            .map(|(name, folder)| Ok((name.parse()?, folder.join("dicom"))))
            .collect::<Result<_>>()?;
        let node = programs.node.clone();
        let consortium = Consortium::new(&out, programs, sites)?;
        let learned = runtime.block_on(federation::learn(&consortium, &plan))?;

        let question = out.join("question");
        fs::create_dir(&question)?;
        let documents = [
            (documents::PRETRAINING_FILE, toml::to_string(&plan)?),
            (documents::KNEES_FILE, documents::KNEES.to_owned()),
            (
                documents::COMPARISON_FILE,
                documents::comparison(self, &plan, &learned)?,
            ),
        ];
        for (name, content) in &documents {
            fs::write(question.join(name), content)?;
        }
        let home = Home::with_policy(&node, &out.join("all"), &documents::policy()?, Some(SECRET))?;
        for (_, folder) in &hospitals {
            home.ask(&["ingest", text(&folder.join("dicom"))?])?;
        }
        let tables: Vec<PathBuf> = hospitals.iter().map(|(_, folder)| folder.join(TABLE)).collect();
        let table = out.join("all-labels.csv");
        fs::write(&table, joined(&tables)?)?;
        let said = home.ask(&labels(text(&table)?))?;
        eprintln!("all: labelled {}", said["labelled"]);
        compare(&home, &question, &out.join("comparison"))
    }

    /// The hospitals by name, in order.
    fn hospitals(&self) -> Result<Vec<(String, PathBuf)>> {
        let entries = fs::read_dir(&self.dicom).with_context(|| format!("cannot read {}", self.dicom.display()))?;
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            let folder = entry.path();
            if folder.join("dicom").is_dir() && folder.join(TABLE).is_file() {
                let name = entry.file_name().to_string_lossy().to_lowercase();
                found.push((format!("hospital-{name}"), folder));
            }
        }
        found.sort();
        ensure!(
            found.len() >= HOSPITALS_MIN,
            "{} has no {HOSPITALS_MIN} folders with dicom/ and site-labels.csv",
            self.dicom.display()
        );
        Ok(found)
    }
}

/// One table of several with the same heading: an import replaces what an earlier one said of the same column.
fn joined(tables: &[PathBuf]) -> Result<String> {
    let mut joined: Option<String> = None;
    for path in tables {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let (heading, rows) = text.split_once('\n').unwrap_or((&text, ""));
        match &mut joined {
            None => joined = Some(format!("{}\n", text.trim_end())),
            Some(joined) => {
                ensure!(
                    joined.starts_with(&format!("{heading}\n")),
                    "{} has another heading than the first table",
                    path.display()
                );
                joined.push_str(rows.trim_end());
                joined.push('\n');
            }
        }
    }
    joined.context("there is no table")
}

const fn labels(table: &str) -> [&str; 8] {
    [
        "labels",
        "import",
        table,
        "--by",
        "accession",
        "--key=AccessionNumber",
        "--class",
        "knee_oa",
    ]
}

/// Trains the arms; what the command says is for people, and so is its bar.
fn compare(home: &Home, question: &Path, out: &Path) -> Result<bool> {
    let mut command = home.plain(&["compare", "--arms"]);
    command
        .arg(question.join(documents::COMPARISON_FILE))
        .arg("--plan")
        .arg(question.join(documents::KNEES_FILE))
        .arg("--out")
        .arg(out)
        .stdin(Stdio::null());
    let status = command.status().context("cannot start hospital-node")?;
    ensure!(
        status.success(),
        "the comparison broke off; what is done is in {}, and the same command goes on there",
        out.display()
    );
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_with_one_heading_become_one() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [("a", "key,oa\n1,0\n"), ("b", "key,oa\n2,1")].map(|(name, text)| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        });
        assert_eq!(joined(&paths).unwrap(), "key,oa\n1,0\n2,1\n");
        assert!(joined(&[]).is_err());
        fs::write(&paths[1], "key,kl\n3,4\n").unwrap();
        assert!(joined(&paths).unwrap_err().to_string().contains("another heading"));
    }
}
