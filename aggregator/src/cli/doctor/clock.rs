//! A110: this machine's clock is not behind what the aggregator wrote down. It asks nobody outside: the aggregator opens no
//! connection.

use anyhow::Result;
use snowball_registry::Registry;
use snowball_service::{
    clock,
    doctor::{Check, Finding},
};

use super::fault;
use crate::{
    cli::{Refused, plausible},
    home::Home,
};

const CHECK: Check = Check::new("A110", "clock");
const REMEDY: &str = "set it by NTP (timedatectl set-ntp true; chronyc tracking): what is signed under a wrong clock, no hospital can use";

pub async fn look(home: &Home) -> Finding {
    match compared(home).await {
        Ok(()) => CHECK.good("not behind anything in the database; nodes compare it with theirs (N206)"),
        Err(error) => match error.downcast_ref() {
            Some(Refused(words)) => CHECK.bad(words.split(';').next().unwrap_or(words), REMEDY),
            None => CHECK.of(Err(fault(&error, "see the database (A106)"))),
        },
    }
}

async fn compared(home: &Home) -> Result<()> {
    let registry = Registry::open(&home.database_file()).await?;
    let compared = plausible::clock(&registry, clock::now()).await;
    registry.close().await;
    compared
}
