//! `study decline`, `study reconsider`: a person at the site keeps it out of a study, or lets it in again.

use anyhow::Result;
use clap::Args;
use snowball_protocol::Sha256Digest;

use crate::{
    cli::{Context, words},
    plans, withheld,
};

/// Keep this site out of a study, whatever the policy permits, until it is reconsidered. Who and why stays in the ledger; the
/// aggregator hears only that somebody did.
#[derive(Args)]
#[command(after_help = "Example: hospital-node study decline sha256:... --reviewer Curie --reason too-few-spines")]
pub struct Decline {
    #[command(flatten)]
    decision: Decision,
}

/// Let this site take part again in a study that somebody declined, as far as the policy permits it.
#[derive(Args)]
#[command(after_help = "Example: hospital-node study reconsider sha256:... --reviewer Curie --reason more-spines-now")]
pub struct Reconsider {
    #[command(flatten)]
    decision: Decision,
}

#[derive(Args)]
struct Decision {
    /// The digest of the plan, as `ledger show` or the dashboard names it.
    plan: Sha256Digest,
    /// Who decides; it stays in the ledger.
    #[arg(long)]
    reviewer: String,
    /// Why, in one line; it stays in the ledger.
    #[arg(long)]
    reason: String,
}

impl Decline {
    pub fn run(self, context: &Context) -> Result<()> {
        self.decision.carry_out(context, true)
    }
}

impl Reconsider {
    pub fn run(self, context: &Context) -> Result<()> {
        self.decision.carry_out(context, false)
    }
}

impl Decision {
    fn carry_out(self, context: &Context, withheld: bool) -> Result<()> {
        let home = context.home()?;
        let plan = plans::read(&home, &self.plan)?;
        let words = (
            words::checked("the reviewer", &self.reviewer)?,
            words::checked("the reason", &self.reason)?,
            words::account(),
        );
        withheld::decide(&home, &home.config()?, &plan, withheld, words)?;
        let document = serde_json::json!({"study": plan.study, "plan_digest": self.plan, "withheld": withheld});
        context.print(&document, || {
            let study = &plan.study;
            if withheld {
                format!("this site stays out of {study}; study reconsider lets it in again")
            } else {
                format!("this site takes part in {study} as far as the policy permits it")
            }
        })
    }
}
