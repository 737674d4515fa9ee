//! Whether learning anatomy together helps to tell osteoarthritis of the knee from few labels: the project's protocol, on real
//! radiographs, from the hospitals' files to a report, by the real programs.

mod documents;
mod federation;
mod listing;
mod other_parts;
mod plans;
mod progress;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};
use snowball_protocol::SiteName;
use snowball_tests::{Programs, end_with_this_thread, text};

use crate::home::Home;
use documents::{Costly, Learned};
use federation::Federation;
use plans::{Plans, Size};
use progress::Progress;

/// Of every home in this experiment: which part a patient belongs to follows from it. It guards nobody: the radiographs are public.
const SECRET: &str = "5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed";
/// Of each hospital, beside its dicom/.
const TABLE: &str = "site-labels.csv";
/// Fewest hospitals that learn together.
const HOSPITALS_MIN: usize = 2;

/// Folders of the two consortia, and what they are called in what is said.
const ANATOMY: &str = "anatomy";
const WITHOUT_KNEES: &str = "without-knees";
/// What the wrong anatomy lacks.
const WRONGLY_LEFT_OUT: &str = "KNEE";

/// Run the protocol: hospitals learn anatomy together and alone, without labels, and without a knee; then each network learns on from few
/// graded knees. The report says which needs fewer labels, and which of the claims holds.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  snowball-benchmark knees --dicom shared/data/radiographs --out knees --seeds 3\n  snowball-benchmark knees --dicom shared/data/radiographs --out larger --side 96 --width 24 --without centralised,alone"
)]
pub struct Knees {
    /// One folder a hospital, each with dicom/ and site-labels.csv (AccessionNumber, knee_oa); for the wrong anatomy also truth.jsonl.
    #[arg(long, value_name = "DIR")]
    dicom: PathBuf,
    /// Where everything goes: a new folder, or that of the same run which broke off and goes on.
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
    #[command(flatten)]
    size: Size,
    /// Leave out arms whose networks are costly to train.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ARM,...")]
    without: Vec<Costly>,
}

impl Knees {
    /// Runs everything; the report lies in `out/comparison/report.html`.
    pub fn run(&self) -> Result<bool> {
        let hospitals = self.hospitals()?;
        let plans = Plans::of(self.size, u32::try_from(hospitals.len())?)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let programs = runtime.block_on(Programs::prepare(self.programs.as_deref()))?;
        fs::create_dir_all(&self.out).with_context(|| format!("cannot make {}", self.out.display()))?;
        let out = self.out.canonicalize()?;
        let question = out.join("question");
        self.ask(&question, &plans, &learned(&out, &hospitals, &plans))?;
        hold(&question, &hospitals)?;
        let progress = Progress::of(&out)?;

        runtime.block_on(self.learn(&out, &programs, &hospitals, &plans, &progress))?;
        let home = all_in_one_place(&out, &programs.node, &hospitals, &plans, &progress)?;
        progress.say("the arms are trained and compared");
        compare(&home, &question, &out.join("comparison"))
    }

    /// Whether an arm was not left out.
    fn has(&self, arm: Costly) -> bool {
        !self.without.contains(&arm)
    }

    /// Writes down what is asked before anything is trained. What was begun by other words does not go on.
    fn ask(&self, question: &Path, plans: &Plans, learned: &Learned) -> Result<()> {
        let documents = [
            (documents::PRETRAINING_FILE, toml::to_string(&plans.anatomy)?),
            (documents::UNLABELLED_FILE, toml::to_string(&plans.unlabelled)?),
            (documents::KNEES_FILE, toml::to_string(&plans.knees)?),
            (
                documents::COMPARISON_FILE,
                documents::comparison(self, &plans.anatomy, learned)?,
            ),
        ];
        fs::create_dir_all(question)?;
        for (name, content) in &documents {
            let path = question.join(name);
            match fs::read_to_string(&path) {
                Ok(begun) => ensure!(
                    begun == *content,
                    "{} is of a run that was begun otherwise; name the same options, or a new folder",
                    path.display()
                ),
                Err(_) => fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?,
            }
        }
        Ok(())
    }

    /// Everything that arms begin from, but for what the comparison trains itself.
    async fn learn(
        &self,
        out: &Path,
        programs: &Programs,
        hospitals: &[Hospital],
        plans: &Plans,
        progress: &Progress,
    ) -> Result<()> {
        let sites =
            |of: &dyn Fn(&Hospital) -> PathBuf| hospitals.iter().map(|one| (one.name.clone(), of(one))).collect();
        let whole = sites(&|one| one.folder.join("dicom"));
        let root = out.join(ANATOMY);
        let federation = Federation::settle(&root, programs.clone(), whole, &plans.anatomy, progress).await?;
        federation.learn(&plans.anatomy).await?;
        if self.has(Costly::Alone) {
            federation.learn_alone(&plans.anatomy).await?;
        }
        if self.has(Costly::SelfSupervised) {
            federation.learn(&plans.unlabelled).await?;
        }
        if self.has(Costly::WrongAnatomy) {
            let files = out.join(format!("{WITHOUT_KNEES}-files"));
            if !progress.is_done("without-knees-copied") {
                for hospital in hospitals {
                    let folder = files.join(hospital.name.as_str());
                    let count = other_parts::copy(&hospital.folder, WRONGLY_LEFT_OUT, &folder)?;
                    progress.say(&format!("{}: {count} files show no knee", hospital.name));
                }
                progress.done("without-knees-copied")?;
            }
            let others = sites(&|one| files.join(one.name.as_str()).join("dicom"));
            let root = out.join(WITHOUT_KNEES);
            let federation = Federation::settle(&root, programs.clone(), others, &plans.anatomy, progress).await?;
            for parts in federation.body_parts().await? {
                ensure!(
                    parts.is_object() && parts.get(WRONGLY_LEFT_OUT).is_none(),
                    "a hospital took in a knee although none was given to it: {parts}"
                );
            }
            federation.learn(&plans.anatomy).await?;
        }
        Ok(())
    }

    /// The hospitals by name, in order.
    fn hospitals(&self) -> Result<Vec<Hospital>> {
        let entries = fs::read_dir(&self.dicom).with_context(|| format!("cannot read {}", self.dicom.display()))?;
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            let folder = entry.path();
            if folder.join("dicom").is_dir() && folder.join(TABLE).is_file() {
                let truth = folder.join(other_parts::TRUTH);
                ensure!(
                    truth.is_file() || !self.has(Costly::WrongAnatomy),
                    "{} is missing, which says what every file shows; add --without wrong-anatomy",
                    truth.display()
                );
                let name = entry.file_name().to_string_lossy().to_lowercase();
                let name = format!("hospital-{name}").parse()?;
                found.push(Hospital { name, folder });
            }
        }
        found.sort_by(|left, right| left.name.cmp(&right.name));
        ensure!(
            found.len() >= HOSPITALS_MIN,
            "{} has no {HOSPITALS_MIN} folders with dicom/ and site-labels.csv",
            self.dicom.display()
        );
        Ok(found)
    }
}

/// Writes down which radiographs the run is of. With others it does not go on.
fn hold(question: &Path, hospitals: &[Hospital]) -> Result<()> {
    let path = question.join(listing::FILE);
    let now = format!("{}\n", listing::digest(hospitals)?);
    match fs::read_to_string(&path) {
        Ok(begun) => ensure!(
            begun == now,
            "{} is of a run that was begun with other files; name the folder of then in --dicom, or a new one in --out",
            path.display()
        ),
        Err(_) => fs::write(&path, now).with_context(|| format!("cannot write {}", path.display()))?,
    }
    Ok(())
}

/// A hospital's folder as it was given.
struct Hospital {
    name: SiteName,
    folder: PathBuf,
}

/// Where everything will lie that arms begin from.
fn learned(out: &Path, hospitals: &[Hospital], plans: &Plans) -> Learned {
    let anatomy = out.join(ANATOMY);
    let alone = |one: &Hospital| federation::alone(&anatomy, &one.name).join("model.safetensors");
    Learned {
        release: federation::release(&anatomy, &plans.anatomy),
        alone: hospitals.iter().map(alone).collect(),
        unlabelled: federation::release(&anatomy, &plans.unlabelled),
        without_knees: federation::release(&out.join(WITHOUT_KNEES), &plans.anatomy),
    }
}

/// The node where all radiographs lie with their grades.
fn all_in_one_place(
    out: &Path,
    node: &Path,
    hospitals: &[Hospital],
    plans: &Plans,
    progress: &Progress,
) -> Result<Home> {
    let folder = out.join("all");
    if progress.is_done("all-taken-in") {
        return Ok(Home::at(node, &folder));
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let home = Home::with_policy(node, &folder, &documents::policy(plans)?, Some(SECRET))?;
    for hospital in hospitals {
        home.ask(&["ingest", text(&hospital.folder.join("dicom"))?])?;
    }
    let tables: Vec<PathBuf> = hospitals.iter().map(|one| one.folder.join(TABLE)).collect();
    let table = out.join("all-labels.csv");
    fs::write(&table, joined(&tables)?)?;
    let said = home.ask(&labels(text(&table)?))?;
    progress.say(&format!("all in one place: labelled {}", said["labelled"]));
    progress.done("all-taken-in")?;
    Ok(home)
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
    end_with_this_thread(&mut command);
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
    fn a_run_goes_on_with_the_radiographs_that_it_was_begun_with_and_no_others() {
        let (folder, question) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let dicom = folder.path().join("dicom");
        fs::create_dir(&dicom).unwrap();
        fs::write(dicom.join("a.dcm"), "a").unwrap();
        let hospitals = [Hospital {
            name: "hospital-a".parse().unwrap(),
            folder: folder.path().to_owned(),
        }];
        hold(question.path(), &hospitals).unwrap();
        hold(question.path(), &hospitals).unwrap();
        fs::write(dicom.join("b.dcm"), "b").unwrap();
        let fault = hold(question.path(), &hospitals).unwrap_err().to_string();
        assert!(fault.contains("begun with other files"), "{fault}");
    }

    /// As when a run is killed: its nodes would go on and hold the port that the next one needs.
    #[test]
    fn a_program_ends_with_the_thread_that_started_it() {
        use std::os::unix::process::ExitStatusExt as _;
        let start = || {
            let mut sleep = std::process::Command::new("sleep");
            end_with_this_thread(sleep.arg("60"));
            sleep.spawn()
        };
        let mut sleep = std::thread::spawn(start).join().unwrap().unwrap();
        assert_eq!(sleep.wait().unwrap().signal(), Some(9));
    }

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
