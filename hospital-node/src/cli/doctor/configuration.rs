//! N101: `node.toml` can be read and holds nothing that is unknown or out of range.

use snowball_service::doctor::{Check, Finding};

use super::fault;
use crate::home::Home;

const CHECK: Check = Check::new("N101", "configuration");

pub fn look(home: &Home) -> Finding {
    CHECK.of(home
        .config()
        .map(|config| format!("site {}, project {}", config.site, config.project))
        .map_err(|error| fault(&error, "correct node.toml as it says; until then nothing runs")))
}
