//! What must hold when a study is over, whatever the weather was.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result};
use serde_json::Value;
use snowball_layout::Layout;
use snowball_protocol::{RoundNumber, Sha256Digest};
use snowball_tests::text;

use crate::{
    ground::Ground,
    plan::{STUDY, averaged, place},
};

/// Who contributed to each round, by position, as the records say.
pub fn contributors(ground: &Ground, status: &Value) -> Result<Vec<Vec<usize>>> {
    let positions: BTreeMap<&str, usize> = ground
        .consortium
        .sites
        .iter()
        .enumerate()
        .map(|(position, site)| (site.name.as_str(), position))
        .collect();
    let rounds = status["rounds"].as_array().context("a study without rounds")?;
    rounds
        .iter()
        .map(|round| {
            let parts = round["contributions"]
                .as_array()
                .context("a round without contributions")?;
            parts
                .iter()
                .map(|part| {
                    let name = part["site"].as_str().context("a contribution of nobody")?;
                    positions
                        .get(name)
                        .copied()
                        .with_context(|| format!("{name} is no site of this study"))
                })
                .collect()
        })
        .collect()
}

/// Every fault that is found.
pub async fn all(ground: &Ground, status: &Value, away: usize) -> Result<Vec<String>> {
    let contributors = contributors(ground, status)?;
    let mut faults = models(ground, status, &contributors)?;
    faults.extend(outage(&contributors, away));
    faults.extend(release(ground).await?);
    faults.extend(ledgers(ground).await);
    for (position, site) in ground.consortium.sites.iter().enumerate() {
        let rounds = contributors
            .iter()
            .zip(1..)
            .filter(|(sites, _)| sites.contains(&position));
        let counted: Vec<u64> = rounds.map(|(_, round)| round).collect();
        let verified = ground.consortium.node(site, &["receipts", "verify"]).await;
        let listed = ground.consortium.node(site, &["receipts", "list"]).await;
        let (Ok(verified), Ok(listed)) = (&verified, &listed) else {
            faults.push(format!(
                "the receipts of {} do not verify: {verified:?} {listed:?}",
                site.name
            ));
            continue;
        };
        let receipts = listed.as_array().into_iter().flatten();
        let mut held: Vec<u64> = receipts
            .filter_map(|kept| kept["receipt"]["receipt"]["round"].as_u64())
            .collect();
        held.sort_unstable();
        if held != counted || verified["receipts"].as_u64() != Some(held.len() as u64) {
            faults.push(format!(
                "{} counted in rounds {counted:?} and holds receipts of {held:?}",
                site.name
            ));
        }
    }
    Ok(faults)
}

/// Every model is the one before and the mean of what the sites in its record contributed, bit for bit.
fn models(ground: &Ground, status: &Value, contributors: &[Vec<usize>]) -> Result<Vec<String>> {
    let (plan, mut faults) = (&ground.plan, Vec::new());
    let (sites, parameters) = (plan.rounds.sites.max, Layout::of(plan).parameters());
    if contributors.len() != plan.rounds.count as usize {
        faults.push(format!(
            "{} rounds of {} have a record",
            contributors.len(),
            plan.rounds.count
        ));
    }
    let mut model = Layout::of(plan).initial_parameters(plan.seed);
    for (at, positions) in contributors.iter().enumerate() {
        let round = u32::try_from(at)? + 1;
        for position in positions {
            let at = place(*position, round, sites, parameters);
            model[at] = averaged(model[at], positions.len());
        }
        let bytes = snowball_layout::to_le_bytes(&model);
        let found = kept(&ground.consortium.aggregator_home(), round)?;
        if found != bytes {
            faults.push(format!(
                "the model of round {round} is not what {positions:?} contributed"
            ));
        }
        if status["rounds"][at]["model_out"] != Sha256Digest::of(&bytes).to_string() {
            faults.push(format!("the record of round {round} names another model"));
        }
        // From here on what was found, so that each round is judged by itself.
        model = snowball_layout::from_le_bytes(&found).context("a model is no list of numbers")?;
    }
    for site in &ground.consortium.sites {
        let own = std::fs::read(site.home.join(format!("models/{STUDY}-federated.f32"))).unwrap_or_default();
        if own != snowball_layout::to_le_bytes(&model) {
            faults.push(format!("{} holds another final model", site.name));
        }
    }
    Ok(faults)
}

fn kept(home: &Path, round: u32) -> Result<Vec<u8>> {
    let file = home.join(format!("objects/models/{STUDY}/{}.f32", RoundNumber(round)));
    std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
}

/// The site that was away for longer than a round waits was left out, and nothing stopped for it.
fn outage(contributors: &[Vec<usize>], away: usize) -> Option<String> {
    let is_left_out = contributors.iter().any(|sites| !sites.contains(&away));
    (!is_left_out).then(|| format!("the site {away} that was away was left out of no round"))
}

async fn release(ground: &Ground) -> Result<Vec<String>> {
    let (consortium, home) = (&ground.consortium, ground.consortium.aggregator_home());
    let (folder, key) = (consortium.root.join("release"), home.join("ledger.pub"));
    let verify = ["release", "verify", text(&folder)?, "--key", text(&key)?];
    let verified = consortium.aggregator(&verify).await;
    Ok(verified
        .err()
        .map(|fault| format!("the release does not verify: {fault:#}"))
        .into_iter()
        .collect())
}

/// Each chain by itself, and the aggregator's against the heads that the sites keep of it.
async fn ledgers(ground: &Ground) -> Vec<String> {
    let mut faults = Vec::new();
    for site in &ground.consortium.sites {
        if let Err(fault) = ground.consortium.node(site, &["ledger", "verify"]).await {
            faults.push(format!("the ledger of {} does not verify: {fault:#}", site.name));
        }
        let heads = site.home.join("ledger");
        let Ok(heads) = text(&heads) else { continue };
        if let Err(fault) = ground
            .consortium
            .aggregator(&["ledger", "verify", "--heads", heads])
            .await
        {
            faults.push(format!(
                "the aggregator's ledger is not the one that {} was shown: {fault:#}",
                site.name
            ));
        }
    }
    faults
}
