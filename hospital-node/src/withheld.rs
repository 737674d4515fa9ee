//! A person at the site keeps it out of a study that the policy permits, or lets it in again. The policy stays the most that is ever
//! done: nobody here can permit what the ethics board did not sign.
//!
//! Who decided and why is in the ledger; a small file says it to the node that runs. The words of the site never leave it: the
//! aggregator hears the clause `site` and no more.

use std::fs;

use anyhow::{Context as _, Result};
use snowball_ledger::Entry;
use snowball_protocol::{Sha256Digest, StudyPlan};
use snowball_service::{clock, files};

use crate::{cli::Refused, config::NodeConfig, home::Home};

/// What the aggregator and the ledger hear as the clause that decided.
pub const CLAUSE: &str = "site";
/// What the aggregator hears besides.
pub const PUBLIC_WORDS: &str = "a person at the site keeps it out of this study";

/// Whether a person keeps this site out of the plan. Where the disk does not say, it is kept out: a study may wait, but none that was
/// declined may run.
pub fn is(home: &Home, plan: &Sha256Digest) -> bool {
    home.withheld(plan).try_exists().unwrap_or(true)
}

/// Keeps the site out of a plan, or lets it in again: recorded first, then done.
///
/// # Errors
/// When that is so already, or the ledger or the disk refuses.
pub fn decide(
    home: &Home,
    config: &NodeConfig,
    plan: &StudyPlan,
    withheld: bool,
    (reviewer, reason, account): (String, String, String),
) -> Result<()> {
    let digest = plan.digest();
    if is(home, &digest) == withheld {
        let so = if withheld { "out of" } else { "free to take part in" };
        return Err(Refused(format!("this site is {so} {} already", plan.study)).into());
    }
    let ledger = home.open_ledger(config)?;
    ledger
        .lock()
        .map_err(|_| anyhow::anyhow!("the ledger is in use"))?
        .append(
            clock::now(),
            Entry::StudyWithheld {
                study: plan.study.clone(),
                plan_digest: digest,
                withheld,
                reviewer,
                reason,
                account,
            },
        )?;
    let path = home.withheld(&digest);
    if withheld {
        files::create_home(&home.all_withheld())?;
        files::write_durable(&path, format!("{}\n", plan.study).as_bytes())
    } else {
        fs::remove_file(&path)
    }
    .with_context(|| format!("cannot change {}", path.display()))
}
