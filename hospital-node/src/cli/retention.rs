//! `retention`: what the policy no longer lets the node keep.

use anyhow::Result;
use clap::Args;
use snowball_service::clock;

use super::{Context, Refused};
use crate::{
    policy,
    retention::{self, Due},
};

/// Show what the policy no longer lets the node keep, and remove it. A node that runs does so by itself every hour.
#[derive(Args)]
#[command(after_help = "Example: hospital-node retention --apply")]
pub struct Retention {
    /// Remove it. The ledger has how much it was.
    #[arg(long)]
    apply: bool,
}

impl Retention {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let signed = policy::in_force(&home).map_err(|fault| Refused(fault.to_string()))?;
        if !self.apply {
            let due = retention::due(&home, &signed, clock::now())?;
            return context.print(&due, || shown(&due));
        }
        let config = home.config()?;
        let (store, ledger) = (home.open_store(&config)?, home.open_ledger(&config)?);
        let removed = retention::apply(&home, &store, &ledger, &signed, clock::now())?;
        context.print(&removed, || {
            format!(
                "removed: {} datasets, {} pieces of evidence, {} updates, kept parameters of {} studies",
                removed.datasets, removed.evidence, removed.updates, removed.kept_parameters
            )
        })
    }
}

fn shown(due: &[Due]) -> String {
    if due.is_empty() {
        return "nothing is kept longer than the policy says".to_owned();
    }
    let line = |due: &Due| format!("{:<14} {}", due.thing.noun(), due.path.display());
    due.iter().map(line).collect::<Vec<_>>().join("\n")
}
