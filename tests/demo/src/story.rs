//! The demo from beginning to end, in the order in which people would do it.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use snowball_protocol::{StudyPlan, evaluation::Evaluation};
use snowball_service::say;
use snowball_tests::{Consortium, PolicyWish, Programs, Running, Said, free_port, text};
use tokio::sync::mpsc;

use crate::{
    Arguments, hospitals,
    live::Live,
    plan::{Size, plan},
    report,
    results::{LedgerResult, Quality, Ranked, Results, SiteResult},
    table, verdict,
};

const POLL: Duration = Duration::from_millis(250);
const LEDGER_LINES: usize = 12;

/// Runs the demo; false where something that should hold did not.
pub async fn tell(arguments: &Arguments) -> Result<bool> {
    let programs = Programs::prepare(arguments.programs.as_deref()).await?;
    let begun = Instant::now();
    let root = folder(arguments.out.clone())?;
    say!("a consortium in {}", root.display())?;
    let size = match (&arguments.dicom, arguments.quick) {
        (_, true) => Size::Quick,
        (Some(_), false) => Size::Real,
        (None, false) => Size::Usual,
    };
    let found = hospitals::hospitals(arguments, size, &root)?;
    let sites = u32::try_from(found.len()).context("too many hospitals")?;
    let mut plan = plan(size, sites, arguments.rounds, arguments.seed);
    plan.transfer.encoding = arguments.encoding.unwrap_or_default();
    let folders = found
        .into_iter()
        .map(|hospital| (hospital.site, hospital.dicom))
        .collect();
    let consortium = Consortium::new(&root, programs, folders)?;
    std::fs::write(consortium.plan_file(), toml::to_string(&plan)?)?;
    let (hear, heard) = mpsc::channel(1024);
    let mut results = Results::default();
    let aggregator = found_consortium(&consortium, &plan, &hear, &mut results).await?;
    study(&consortium, &plan, hear, heard, &mut results).await?;
    say!("  each hospital alone, for comparison: the same network and steps on its own radiographs")?;
    compare(&consortium, &mut results).await?;
    aggregator.end().await?;
    ledgers(&consortium, &mut results).await?;
    results.title = plan.title.clone();
    results.is_real = arguments.dicom.is_some();
    results.folder = consortium.root.clone();
    results.plan_digest = plan.digest().to_string();
    results.network = format!(
        "{} (width {}), {} x {} pixels",
        plan.network.architecture.code(),
        plan.network.width,
        plan.network.input_side,
        plan.network.input_side
    );
    results.seconds = begun.elapsed().as_secs_f64();
    let findings = verdict::findings(&results, &plan, arguments.quick);
    say!("{}", table::table(&results))?;
    say!("{}", verdict::text(&findings))?;
    std::fs::write(
        consortium.root.join("results.json"),
        serde_json::to_vec_pretty(&results)?,
    )?;
    let page = consortium.root.join("report.html");
    std::fs::write(&page, report::page(&results, &findings)?)?;
    say!("\nreport: {}\n{:.0} seconds", page.display(), results.seconds)?;
    Ok(findings.iter().all(|finding| finding.holds))
}

/// The aggregator runs, every hospital has its home, policy, radiographs and certificate.
async fn found_consortium(
    consortium: &Consortium,
    plan: &StudyPlan,
    hear: &mpsc::Sender<Said>,
    results: &mut Results,
) -> Result<Running> {
    let port = free_port()?;
    consortium.found(port).await?;
    let aggregator = consortium.serve(port, hear).await?;
    say!("  aggregator: running, its own certificate authority, TLS 1.3")?;
    for site in &consortium.sites {
        consortium.make_node(site, 1).await?;
        let wish = PolicyWish {
            // The boards of the demo let out what its plan asks for.
            release: vec!["update", "metrics", "detailed_metrics"],
            ..PolicyWish::default()
        };
        consortium.install_policy(site, plan, &wish).await?;
        let intake = consortium.ingest(site).await?;
        say!(
            "  {}: {} files, {} accepted, {} quarantined, {} rejected ({:.0} a second)",
            site.name,
            intake["files"],
            intake["accepted"],
            intake["quarantined"],
            intake["rejected"],
            intake["files"].as_f64().unwrap_or(0.0) / intake["seconds"].as_f64().unwrap_or(1.0).max(1e-9)
        )?;
        results.sites.push(SiteResult {
            site: site.name.to_string(),
            intake,
            ..SiteResult::default()
        });
    }
    for site in &consortium.sites {
        consortium.enrol(site, hear).await?;
    }
    say!(
        "  enrolled: {} hospitals, each with a key that it made itself",
        consortium.sites.len()
    )?;
    Ok(aggregator)
}

/// The study, from its plan to its signed release.
async fn study(
    consortium: &Consortium,
    plan: &StudyPlan,
    hear: mpsc::Sender<Said>,
    mut heard: mpsc::Receiver<Said>,
    results: &mut Results,
) -> Result<()> {
    let name = plan.study.as_str();
    consortium
        .aggregator(&["study", "create", text(&consortium.plan_file())?])
        .await?;
    consortium.aggregator(&["study", "start", name]).await?;
    say!("  study {name}: {} rounds, plan {}", plan.rounds.count, plan.digest())?;
    let mut nodes = Vec::new();
    for site in &consortium.sites {
        nodes.push(consortium.run_node(site, name, &hear)?);
    }
    drop(hear);
    let sites: Vec<String> = consortium.sites.iter().map(|site| site.name.to_string()).collect();
    let mut live = Live::new(&sites, plan.rounds.count);
    loop {
        while let Ok(said) = heard.try_recv() {
            live.hear(&said)?;
            joined(results, &said);
        }
        let status = consortium.aggregator(&["study", "status", name]).await?;
        results.rounds = serde_json::from_value(status["rounds"].clone()).unwrap_or_default();
        live.status(&status, &results.rounds)?;
        match status["phase"].as_str() {
            Some("reviewing") if evaluated(&status) == consortium.sites.len() => break,
            Some("abandoned") => bail!("the study was abandoned"),
            _ => {}
        }
        for node in &mut nodes {
            node.check()?;
        }
        tokio::time::sleep(POLL).await;
    }
    live.finish();
    let out = consortium.root.join("release");
    let release = [
        "release",
        "create",
        name,
        "--out",
        text(&out)?,
        "--approved-by",
        "the demo's coordinator",
    ];
    let made = consortium.aggregator(&release).await.context("no release")?;
    say!("  release signed: {}", out.display())?;
    results.release = Some(made);
    let status = consortium.aggregator(&["study", "status", name]).await?;
    results.last = pooled(&status);
    results.ranked = Ranked::of(&status);
    results.parameters_bytes = results
        .rounds
        .first()
        .and_then(|record| record.contributions.first())
        .map_or(0, |part| part.bytes);
    for _ in 0..400 {
        if nodes.iter_mut().all(Running::has_ended) {
            for node in &mut nodes {
                node.check()?;
            }
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("the nodes did not end with the study")
}

fn joined(results: &mut Results, said: &Said) {
    if said.what["event"] != "joined" {
        return;
    }
    if let Some(site) = results.sites.iter_mut().find(|site| site.site == said.who) {
        let count = |name: &str| said.what[name].as_u64().unwrap_or(0);
        (site.training, site.validation, site.testing) = (count("training"), count("validation"), count("testing"));
    }
}

fn evaluated(status: &Value) -> usize {
    status["final"]["evaluated"].as_array().map_or(0, Vec::len)
}

fn pooled(status: &Value) -> Option<Quality> {
    let parts: Vec<Evaluation> = status["final"]["sites"]
        .as_array()?
        .iter()
        .filter_map(|site| serde_json::from_value(site["evaluation"].clone()).ok())
        .collect();
    Evaluation::pooled(&parts).as_ref().map(Quality::of)
}

/// The counts of an evaluation, without the figures that the node makes of them.
fn counts(mut said: serde_json::Value) -> Result<Evaluation> {
    if let Some(fields) = said.as_object_mut() {
        for figure in ["part", "interval", "figures", "groups"] {
            fields.remove(figure);
        }
    }
    Ok(serde_json::from_value(said)?)
}

/// Each site alone and federated, on the same held-out patients; all sites at once.
async fn compare(consortium: &Consortium, results: &mut Results) -> Result<()> {
    let plan_file = consortium.plan_file();
    let plan_file = text(&plan_file)?;
    let work = consortium.sites.iter().map(|site| async {
        let sheet = site.home.join("contact-sheet.png");
        let drawn = consortium
            .node(
                site,
                &["contact-sheet", "--out", text(&sheet)?, "--columns", "8", "--rows", "3"],
            )
            .await?;
        let mut federated = Vec::new();
        for part in ["validation", "testing"] {
            let words = ["evaluate", "--plan", plan_file, "--model", "federated", "--part", part];
            federated.push(counts(consortium.node(site, &words).await?)?);
        }
        let alone = consortium
            .node(site, &["pretrain", "--local", "--plan", plan_file])
            .await?;
        let explained = consortium.node(site, &["policy", "explain"]).await?;
        anyhow::Ok((sheet, drawn, federated, alone, explained))
    });
    let done = futures_util::future::join_all(work).await;
    for (site, outcome) in results.sites.iter_mut().zip(done) {
        let (sheet, drawn, federated, alone, explained) = outcome?;
        site.sheet_png = STANDARD.encode(std::fs::read(sheet)?);
        site.captions = drawn["captions"].as_array().cloned().unwrap_or_default();
        site.federated = Evaluation::pooled(&federated);
        let alone: Vec<Evaluation> = [&alone["validation"], &alone["testing"]]
            .into_iter()
            .map(|part| serde_json::from_value(part.clone()))
            .collect::<Result<_, _>>()?;
        site.alone = Evaluation::pooled(&alone);
        site.policy = explained["explanation"].as_str().unwrap_or_default().to_owned();
    }
    Ok(())
}

async fn ledgers(consortium: &Consortium, results: &mut Results) -> Result<()> {
    for (site, found) in consortium.sites.iter().zip(&mut results.sites) {
        let verified = consortium.node(site, &["ledger", "verify"]).await;
        let shown = lines(&consortium.programs.node, &site.home).await;
        found.ledger = Some(ledger(verified, shown));
    }
    let verified = consortium.aggregator(&["ledger", "verify"]).await;
    let shown = lines(&consortium.programs.aggregator, &consortium.aggregator_home()).await;
    results.aggregator_ledger = Some(ledger(verified, shown));
    Ok(())
}

/// The ledger as its owner's program tells it to people.
async fn lines(program: &std::path::Path, home: &std::path::Path) -> Vec<String> {
    let output = tokio::process::Command::new(program)
        .arg("--home")
        .arg(home)
        .args(["ledger", "show"])
        .output()
        .await;
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines
        .iter()
        .rev()
        .take(LEDGER_LINES)
        .rev()
        .map(|line| (*line).to_owned())
        .collect()
}

fn ledger(verified: Result<Value>, lines: Vec<String>) -> LedgerResult {
    match verified {
        Ok(answer) => LedgerResult {
            is_verified: true,
            entries: answer["entries"].as_u64().unwrap_or(0),
            head: answer["head"]
                .as_str()
                .map_or_else(|| answer["head"].to_string(), str::to_owned),
            kinds: serde_json::from_value(answer["kinds"].clone()).unwrap_or_default(),
            lines,
            fault: None,
        },
        Err(fault) => LedgerResult {
            fault: Some(format!("{fault:#}")),
            lines,
            ..LedgerResult::default()
        },
    }
}

fn folder(wanted: Option<PathBuf>) -> Result<PathBuf> {
    let path = match wanted {
        Some(path) => path,
        None => (1..10_000)
            .map(|number| PathBuf::from(format!("demo/{number:03}")))
            .find(|path| !path.exists())
            .context("demo/ is full; remove old runs")?,
    };
    if path.exists() {
        bail!("{} exists; the demo never writes over anything", path.display());
    }
    std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
    path.canonicalize()
        .with_context(|| format!("cannot use {}", path.display()))
}
