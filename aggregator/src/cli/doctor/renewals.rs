//! A105: sites whose node should have renewed its certificate by itself and has not.

use std::collections::BTreeMap;

use anyhow::Result;
use snowball_registry::Registry;
use snowball_service::{
    clock,
    doctor::{Check, Finding},
    tls::Life,
};

use super::fault;
use crate::home::Home;

const CHECK: Check = Check::new("A105", "renewals");

const REMEDY: &str = "ask these sites to start their nodes, which renew by themselves; one whose certificate ends needs a new invitation";

pub async fn look(home: &Home) -> Finding {
    match late(home).await {
        Ok((sites, late)) if late.is_empty() => CHECK.good(format!("{sites} sites with a certificate, none late")),
        Ok((_, late)) => CHECK.look(format!("not renewed in time: {}", late.join(", ")), REMEDY),
        Err(error) => CHECK.of(Err(fault(&error, "see the database (A106)"))),
    }
}

async fn late(home: &Home) -> Result<(usize, Vec<String>)> {
    let registry = Registry::open(&home.database_file()).await?;
    let now = clock::now();
    let newest: BTreeMap<_, _> = registry.live_certificates(now).await?.into_iter().collect();
    registry.close().await;
    let mut late = Vec::new();
    for (site, certificate) in &newest {
        let life = Life::read_pem(&certificate.pem)?;
        if life.warning_if_overdue(now).is_some() {
            late.push(format!("{site} has {} days", life.days_left(now)));
        }
    }
    Ok((newest.len(), late))
}
