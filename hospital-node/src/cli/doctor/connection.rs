//! N205: the aggregator takes this node's certificate and answers.

use anyhow::Result;
use snowball_egress::{
    EgressError,
    client::{ClientSettings, Transport},
};
use snowball_service::{
    doctor::{Check, Fault, Finding},
    tls,
};

use super::way;
use crate::home::Home;

const CHECK: Check = Check::new("N205", "connection");

pub fn look(home: &Home, settings: &ClientSettings) -> Finding {
    CHECK.of(asked(home, settings).map_err(|error| match error.downcast_ref() {
        // It says itself what to do.
        Some(EgressError::Handshake(trouble)) => Fault::new(
            format!(
                "the aggregator does not take this node: {} ({})",
                trouble.reason, trouble.code
            ),
            trouble.remedy,
        ),
        Some(EgressError::Refused(problem)) => Fault::new(
            format!("the aggregator refuses this node: {problem}"),
            "ask the coordinator, who sees why in aggregator sites",
        ),
        _ => Fault::new(
            format!("{error:#}"),
            "run doctor again; if it stays, ask the coordinator for aggregator doctor and the log of aggregator serve",
        ),
    }))
}

fn asked(home: &Home, settings: &ClientSettings) -> Result<String> {
    let read = |path| home.read_text(path);
    let client = tls::client(
        &read(&home.authority())?,
        &read(&home.certificate())?,
        &home.keys().read(&home.tls_key())?,
    )?;
    let transport = Transport::new(settings, client)?;
    let studies: serde_json::Value = way::within(transport.get("v1/studies"))??;
    let listed = studies.as_array().map_or(0, Vec::len);
    Ok(format!(
        "{}: this node is taken, {listed} studies are listed",
        settings.address
    ))
}
