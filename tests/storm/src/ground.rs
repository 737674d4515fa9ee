//! A consortium that is made once and put back before each run: same keys, same port, nothing learned yet.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use snowball_phantoms::Consortium as Phantoms;
use snowball_protocol::{SiteName, StudyPlan};
use snowball_tests::{Consortium, PolicyWish, Programs, free_port, text};
use tokio::sync::mpsc;

use crate::{plan::plan, trainer};

/// Radiographs of each hospital: as few as its policy lets it take part with.
const IMAGES: u64 = 60;

/// The consortium as it stands before a run.
pub struct Ground {
    root: PathBuf,
    is_temporary: bool,
    /// Its folder is made anew by [`put_back`](Self::put_back).
    pub consortium: Consortium,
    pub plan: StudyPlan,
    pub port: u16,
}

impl Ground {
    /// Enrols `sites` hospitals with stand-ins for trainers, and makes a study that is not started yet: recruiting has its time.
    pub async fn prepare(programs: Programs, sites: u32, rounds: u32, work: Option<&Path>) -> Result<Self> {
        let root = match work {
            Some(work) => std::path::absolute(work)?,
            None => tempfile::tempdir()?.keep(),
        };
        std::fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
        let phantoms = Phantoms {
            seed: 5,
            hospitals: sites,
            images_per_hospital: IMAGES,
            hostile_fraction: 0.0,
            longest_side: 96,
        };
        let hospitals = snowball_phantoms::write(&phantoms, &root.join("radiographs"), &|_, _| {})?;
        let mut named: Vec<(SiteName, PathBuf)> = Vec::new();
        for (number, hospital) in hospitals.into_iter().enumerate() {
            named.push((format!("site-{number}").parse()?, hospital.dicom));
        }
        let ground = Self {
            is_temporary: work.is_none(),
            consortium: Consortium::new(&root.join("run"), programs, named)?,
            plan: plan(sites, rounds),
            port: free_port()?,
            root,
        };
        ground.found().await?;
        copy(&ground.root.join("run"), &ground.root.join("before"))?;
        Ok(ground)
    }

    async fn found(&self) -> Result<()> {
        let (consortium, plan) = (&self.consortium, &self.plan);
        std::fs::write(consortium.plan_file(), toml::to_string(plan)?)?;
        consortium.found(self.port).await?;
        let (hear, mut heard) = mpsc::channel(64);
        tokio::spawn(async move { while heard.recv().await.is_some() {} });
        let aggregator = consortium.serve(self.port, &hear).await?;
        let trainers = self.root.join("trainers");
        std::fs::create_dir_all(&trainers)?;
        for (position, site) in consortium.sites.iter().enumerate() {
            consortium.make_node(site, 1).await?;
            let trainer = trainers.join(trainer::file_name(position, plan.rounds.sites.max));
            let own = std::env::current_exe().context("cannot tell where this program lies")?;
            std::fs::copy(&own, &trainer).with_context(|| format!("cannot write {}", trainer.display()))?;
            name_trainer(&site.home.join("node.toml"), &trainer)?;
            consortium.install_policy(site, plan, &PolicyWish::default()).await?;
            consortium.ingest(site).await?;
            consortium.enrol(site, &hear).await?;
        }
        consortium
            .aggregator(&["study", "create", text(&consortium.plan_file())?])
            .await?;
        aggregator.end().await
    }

    /// Puts everything back where it stood before the first run.
    pub fn put_back(&self) -> Result<()> {
        let run = self.root.join("run");
        std::fs::remove_dir_all(&run).with_context(|| format!("cannot remove {}", run.display()))?;
        copy(&self.root.join("before"), &run)
    }

    /// Where everything lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Removes what was made.
    pub fn clear(&self) {
        for part in ["run", "before", "radiographs", "trainers"] {
            let _ = std::fs::remove_dir_all(self.root.join(part));
        }
        if self.is_temporary {
            let _ = std::fs::remove_dir(&self.root);
        }
    }
}

/// The example in the file that `init` wrote shows where.
fn name_trainer(file: &Path, trainer: &Path) -> Result<()> {
    let before = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let named: Vec<String> = before
        .lines()
        .map(|line| {
            if line.starts_with("# trainer = ") {
                format!("trainer = {:?}", trainer.display().to_string())
            } else {
                line.to_owned()
            }
        })
        .collect();
    let after = named.join("\n") + "\n";
    ensure!(after != before, "{} has no place for a trainer", file.display());
    std::fs::write(file, after).with_context(|| format!("cannot write {}", file.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .status()
        .context("cannot run cp")?;
    ensure!(status.success(), "{} could not be copied", from.display());
    Ok(())
}
