//! A101: `aggregator.toml` can be read and holds nothing that is unknown or out of range.

use anyhow::Result;
use snowball_service::doctor::{Check, Finding};

use super::fault;
use crate::config::Config;

const CHECK: Check = Check::new("A101", "configuration");

pub fn look(config: &Result<Config>) -> Finding {
    CHECK.of(match config {
        Ok(config) => Ok(format!(
            "consortium {}, sites reach it at {}",
            config.consortium, config.address
        )),
        Err(error) => Err(fault(
            error,
            "correct aggregator.toml as it says; serve does not start before",
        )),
    })
}
