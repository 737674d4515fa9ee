//! One run: the study from its start to its release, in all weathers.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde_json::Value;
use snowball_tests::text;
use tokio::time::sleep;

use crate::{
    chance::Chance,
    checks,
    ground::Ground,
    line::{Condition, Line},
    misfortune::Fleet,
    plan::STUDY,
    table::Row,
    weather::{self, Weather},
};

/// How often the study is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// What a run may take: a study that stands still is a fault.
const ROUND_MAX: Duration = Duration::from_secs(60);
/// How long the nodes may take to end after the release.
const END_MAX: Duration = Duration::from_secs(60);

/// Runs the study once; what does not hold stands in the row.
pub async fn run(ground: &Ground, seed: u64) -> Result<Row> {
    ground.put_back()?;
    let consortium = &ground.consortium;
    let mut lines = Vec::new();
    for site in &consortium.sites {
        lines.push(Line::lay(site, ground.port).await?);
    }
    let (lines, weather, begun) = (Arc::new(lines), Arc::new(Weather::default()), Instant::now());
    let away = Chance::of(seed, 0).place(lines.len());
    let mut fleet = Fleet::start(consortium, ground.port, seed).await?;
    consortium.aggregator(&["study", "start", STUDY]).await?;
    let mut blowing = weather::blow(&lines, seed, away, &weather);
    let mut faults = through_rounds(ground, &mut fleet, &weather).await?;
    blowing.shutdown().await;
    lines.iter().for_each(|line| line.set(Condition::Fair));

    let mut status = Value::Null;
    if faults.is_empty() {
        (status, faults) = to_release(ground, &mut fleet).await?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let kills = fleet.kills;
    faults.extend(fleet.end().await?);
    if !weather.is_outage_over.load(Ordering::SeqCst) {
        faults.push("the long outage did not come to its end within the study".to_owned());
    }
    if faults.is_empty() {
        faults = checks::all(ground, &status, away).await?;
    }
    Ok(Row::of(
        seed, seconds, &status, ground, &weather, kills, &lines, away, faults,
    ))
}

/// Until every round has its record.
async fn through_rounds(ground: &Ground, fleet: &mut Fleet<'_>, weather: &Weather) -> Result<Vec<String>> {
    let rounds = ground.plan.rounds.count as usize;
    let (mut done, mut moved) = (0, Instant::now());
    loop {
        let status = ground.consortium.aggregator(&["study", "status", STUDY]).await?;
        let finished = status["rounds"].as_array().map_or(0, Vec::len);
        if finished != done {
            (done, moved) = (finished, Instant::now());
        }
        if done >= (rounds / 4).max(1) {
            weather.outage.notify_one();
        }
        if status["phase"] == "reviewing" {
            return Ok(Vec::new());
        }
        if moved.elapsed() > ROUND_MAX {
            return Ok(vec![format!(
                "round {} did not end within {ROUND_MAX:?}: {status}",
                done + 1
            )]);
        }
        fleet.suffer().await?;
        sleep(LOOK).await;
    }
}

/// From the last round to the release, and until the nodes have ended: in fair weather, so that it is known when that is due.
async fn to_release(ground: &Ground, fleet: &mut Fleet<'_>) -> Result<(Value, Vec<String>)> {
    let (sites, begun) = (ground.consortium.sites.len(), Instant::now());
    let status = loop {
        let status = ground.consortium.aggregator(&["study", "status", STUDY]).await?;
        if status["final"]["evaluated"]
            .as_array()
            .is_some_and(|done| done.len() == sites)
        {
            break status;
        }
        if begun.elapsed() > END_MAX {
            return Ok((status, vec!["not every site evaluated the final model".to_owned()]));
        }
        fleet.look_after().await?;
        sleep(LOOK).await;
    };
    let out = ground.consortium.root.join("release");
    let create = ["release", "create", STUDY, "--out", text(&out)?];
    ground.consortium.aggregator(&create).await.context("the release")?;
    let released = Instant::now();
    while !fleet.is_over() && released.elapsed() < END_MAX {
        sleep(LOOK).await;
    }
    Ok((status, Vec::new()))
}
