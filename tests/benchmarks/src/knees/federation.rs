//! The hospitals learn anatomy together, and each alone, by the real programs.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail};
use snowball_protocol::StudyPlan;
use snowball_tests::{Consortium, PolicyWish, Running, Site, free_port, text};
use tokio::sync::mpsc;

use super::{SECRET, documents::Learned};

const POLL: Duration = Duration::from_millis(500);

/// Founds the consortium, takes in every hospital's radiographs, runs the study to its release, then lets every hospital train the same
/// network alone.
pub async fn learn(consortium: &Consortium, plan: &StudyPlan) -> Result<Learned> {
    let plan_file = consortium.plan_file();
    std::fs::write(&plan_file, toml::to_string(plan)?)?;
    let (hear, mut heard) = mpsc::channel(1024);
    // Nobody reads what the programs say; they must not wait for it.
    tokio::spawn(async move { while heard.recv().await.is_some() {} });
    let port = free_port()?;
    consortium.found(port).await?;
    let aggregator = consortium.serve(port, &hear).await?;
    for site in &consortium.sites {
        consortium.make_node(site, 1).await?;
        // One secret for all, which no consortium has: a patient is then in the same part at the hospital and where all radiographs lie.
        snowball_service::files::write_private(&site.home.join("keys/site.secret"), SECRET.as_bytes())?;
        let mut wish = PolicyWish::default();
        wish.release.push("detailed_metrics");
        consortium.install_policy(site, plan, &wish).await?;
        let intake = consortium.ingest(site).await?;
        eprintln!(
            "{}: {} of {} files accepted",
            site.name, intake["accepted"], intake["files"]
        );
        consortium.enrol(site, &hear).await?;
    }
    let name = plan.study.as_str();
    consortium.aggregator(&["study", "create", text(&plan_file)?]).await?;
    consortium.aggregator(&["study", "start", name]).await?;
    let run = |site| consortium.run_node(site, name, &hear);
    let mut nodes: Vec<Running> = consortium.sites.iter().map(run).collect::<Result<_>>()?;
    reviewed(consortium, plan, &mut nodes).await?;
    let release = consortium.root.join("release");
    let words = ["release", "create", name, "--out", text(&release)?];
    consortium.aggregator(&words).await?;
    while !nodes.iter_mut().all(Running::has_ended) {
        tokio::time::sleep(POLL).await;
    }
    aggregator.end().await?;
    eprintln!("released: {}", release.display());
    let mut alone = Vec::new();
    for site in &consortium.sites {
        alone.push(learn_alone(consortium, site, plan).await?);
        eprintln!("{}: trained alone", site.name);
    }
    Ok(Learned { release, alone })
}

/// Waits until every site has judged the final model.
async fn reviewed(consortium: &Consortium, plan: &StudyPlan, nodes: &mut [Running]) -> Result<()> {
    let mut round = 0;
    loop {
        let status = consortium.aggregator(&["study", "status", plan.study.as_str()]).await?;
        let done = status["rounds"].as_array().map_or(0, Vec::len);
        if done > round {
            round = done;
            eprintln!("round {round} of {}", plan.rounds.count);
        }
        let evaluated = status["final"]["evaluated"].as_array().map_or(0, Vec::len);
        match status["phase"].as_str() {
            Some("reviewing") if evaluated == nodes.len() => return Ok(()),
            Some("abandoned") => bail!("the study was abandoned"),
            _ => {}
        }
        for node in &mut *nodes {
            node.check()?;
        }
        tokio::time::sleep(POLL).await;
    }
}

/// As many steps as in all rounds, on the site's own radiographs; gives the safetensors file.
async fn learn_alone(consortium: &Consortium, site: &Site, plan: &StudyPlan) -> Result<PathBuf> {
    let plan_file = consortium.plan_file();
    let words = ["pretrain", "--local", "--plan", text(&plan_file)?];
    consortium.node(site, &words).await?;
    let folder = consortium.root.join(format!("{}-alone", site.name));
    let model = format!("local:{}", plan.study);
    let words = ["export", &model, "--out", text(&folder)?];
    consortium.node(site, &words).await.context("the model alone")?;
    Ok(folder.join("model.safetensors"))
}
