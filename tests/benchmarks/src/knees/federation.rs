//! Hospitals learn together, and each alone, by the real programs. What was begun and broke off goes on where it stood, as at a hospital.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use snowball_protocol::{SiteName, StudyPlan};
use snowball_tests::{Consortium, PolicyWish, Programs, Running, Said, Site, free_port, text};
use tokio::sync::mpsc;

use super::{
    SECRET,
    progress::{Progress, Rounds},
};

const POLL: Duration = Duration::from_millis(500);

/// Hospitals with their radiographs and certificates, and an aggregator that serves only while they learn.
pub struct Federation<'a> {
    consortium: Consortium,
    port: u16,
    progress: &'a Progress,
    hear: mpsc::Sender<Said>,
}

impl<'a> Federation<'a> {
    /// Founds the consortium in `root` and takes in every hospital's radiographs, unless that was done before. What of it broke off is
    /// begun again.
    pub async fn settle(
        root: &Path,
        programs: Programs,
        sites: Vec<(SiteName, PathBuf)>,
        plan: &StudyPlan,
        progress: &'a Progress,
    ) -> Result<Self> {
        // Nobody reads what the programs say; they must not wait for it.
        let (hear, mut heard) = mpsc::channel(1024);
        tokio::spawn(async move { while heard.recv().await.is_some() {} });
        let (part, port_file) = (format!("{}-settled", called(root)?), root.join("port"));
        let is_done = progress.is_done(&part);
        if !is_done && root.exists() {
            fs::remove_dir_all(root).with_context(|| format!("cannot begin {} again", root.display()))?;
        }
        let port = match is_done {
            true => fs::read_to_string(&port_file)?.trim().parse().context("its port")?,
            false => free_port()?,
        };
        let federation = Self {
            consortium: Consortium::new(root, programs, sites)?,
            port,
            progress,
            hear,
        };
        if !is_done {
            federation.found(plan).await?;
            fs::write(&port_file, port.to_string())?;
            progress.done(&part)?;
        }
        Ok(federation)
    }

    async fn found(&self, plan: &StudyPlan) -> Result<()> {
        let consortium = &self.consortium;
        consortium.found(self.port).await?;
        let aggregator = consortium.serve(self.port, &self.hear).await?;
        for site in &consortium.sites {
            consortium.make_node(site, 1).await?;
            // One secret for all, which no consortium has: a patient is then in the same part at the hospital and where all radiographs
            // lie.
            snowball_service::files::write_private(&site.home.join("keys/site.secret"), SECRET.as_bytes())?;
            // Which labels are kept of a radiograph follows from the policy, so it comes first.
            self.permit(site, plan).await?;
            let intake = consortium.ingest(site).await?;
            let (accepted, files) = (&intake["accepted"], &intake["files"]);
            self.progress
                .say(&format!("{}: {accepted} of {files} files accepted", site.name));
            consortium.enrol(site, &self.hear).await?;
        }
        aggregator.end().await
    }

    async fn permit(&self, site: &Site, plan: &StudyPlan) -> Result<()> {
        let mut wish = PolicyWish::default();
        wish.release.push("detailed_metrics");
        self.consortium.install_policy(site, plan, &wish).await
    }

    /// How many radiographs of each body part every hospital took in, as it understood them.
    pub async fn body_parts(&self) -> Result<Vec<Value>> {
        let mut tables = Vec::new();
        for site in &self.consortium.sites {
            let mut census = self.consortium.node(site, &["census", "--cell-min", "1"]).await?;
            tables.push(census["tables"]["body_part"].take());
        }
        Ok(tables)
    }

    /// Runs the study to its release.
    pub async fn learn(&self, plan: &StudyPlan) -> Result<()> {
        let (consortium, name) = (&self.consortium, plan.study.as_str());
        let release = release(&consortium.root, plan);
        let part = format!("{}-{name}-released", called(&consortium.root)?);
        if self.progress.is_done(&part) {
            return Ok(());
        }
        for site in &consortium.sites {
            self.permit(site, plan).await?;
        }
        let aggregator = consortium.serve(self.port, &self.hear).await?;
        let plan_file = self.plan_file(plan)?;
        let mut status = consortium.aggregator(&["study", "status", name]).await;
        if status.is_err() {
            consortium.aggregator(&["study", "create", text(&plan_file)?]).await?;
            status = consortium.aggregator(&["study", "status", name]).await;
        }
        let status = status?;
        if status["phase"] == "draft" {
            consortium.aggregator(&["study", "start", name]).await?;
        }
        if status["phase"] != "released" {
            self.run(plan, rounds(&status), &release).await?;
        }
        aggregator.end().await?;
        self.progress.say(&format!("{name}: released in {}", release.display()));
        self.progress.done(&part)
    }

    fn plan_file(&self, plan: &StudyPlan) -> Result<PathBuf> {
        let path = self.consortium.root.join(format!("{}.toml", plan.study));
        fs::write(&path, toml::to_string(plan)?)?;
        Ok(path)
    }

    /// All nodes, until every site has judged the final model, it is released and they have ended by themselves.
    async fn run(&self, plan: &StudyPlan, first: usize, release: &Path) -> Result<()> {
        let (consortium, name) = (&self.consortium, plan.study.as_str());
        let run = |site| consortium.run_node(site, name, &self.hear);
        let mut nodes: Vec<Running> = consortium.sites.iter().map(run).collect::<Result<_>>()?;
        let seen = Rounds::from(first, plan.rounds.count);
        let mut round = first;
        loop {
            let status = consortium.aggregator(&["study", "status", name]).await?;
            let done = rounds(&status);
            if done > round {
                round = done;
                self.progress
                    .say(&format!("{}: {}", self.told(plan)?, seen.told(round)));
            }
            let evaluated = status["final"]["evaluated"].as_array().map_or(0, Vec::len);
            match status["phase"].as_str() {
                Some("reviewing") if evaluated == nodes.len() => break,
                Some("abandoned") => bail!(
                    "the study {name} was abandoned, as one is that stood still for too long; remove {0} and what begins with {1}- in \
                     done/ beside it, and the same command begins there again",
                    consortium.root.display(),
                    called(&consortium.root)?
                ),
                _ => {}
            }
            for node in &mut nodes {
                node.check()?;
            }
            tokio::time::sleep(POLL).await;
        }
        // Of a release that broke off nothing was said to anybody.
        if release.exists() {
            fs::remove_dir_all(release)?;
        }
        consortium
            .aggregator(&["release", "create", name, "--out", text(release)?])
            .await?;
        while !nodes.iter_mut().all(Running::has_ended) {
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    fn told(&self, plan: &StudyPlan) -> Result<String> {
        Ok(format!("{}, study {}", called(&self.consortium.root)?, plan.study))
    }

    /// Lets every hospital train the same network by itself, for as many steps as in all rounds.
    pub async fn learn_alone(&self, plan: &StudyPlan) -> Result<()> {
        let sites = &self.consortium.sites;
        for (place, site) in sites.iter().enumerate() {
            let part = format!("{}-{}-alone", called(&self.consortium.root)?, site.name);
            if self.progress.is_done(&part) {
                continue;
            }
            let (steps, of) = (plan.steps_total(), format!("{} of {}", place + 1, sites.len()));
            self.progress
                .say(&format!("{} trains alone for {steps} steps, {of}", site.name));
            let folder = alone(&self.consortium.root, &site.name);
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            let plan_file = self.plan_file(plan)?;
            let words = ["pretrain", "--local", "--plan", text(&plan_file)?];
            self.consortium.node(site, &words).await?;
            let model = format!("local:{}", plan.study);
            let words = ["export", &model, "--out", text(&folder)?];
            self.consortium.node(site, &words).await.context("the model alone")?;
            self.progress.done(&part)?;
        }
        Ok(())
    }
}

/// Where the release of a study lies, of the consortium in `root`.
pub fn release(root: &Path, plan: &StudyPlan) -> PathBuf {
    root.join(format!("release-{}", plan.study))
}

/// Where the files of what a hospital learned alone lie, of the consortium in `root`.
pub fn alone(root: &Path, site: &SiteName) -> PathBuf {
    root.join(format!("{site}-alone"))
}

/// Rounds that are done.
fn rounds(status: &Value) -> usize {
    status["rounds"].as_array().map_or(0, Vec::len)
}

/// What a consortium is called in what is said: its folder's name.
fn called(root: &Path) -> Result<&str> {
    let name = root.file_name().and_then(|name| name.to_str());
    name.context("the consortium's folder has no name")
}
