//! `aggregator ca`: the consortium's certificate authorities, one after another.

mod list;
mod retire;
mod rotate;

use anyhow::Result;
use clap::Subcommand;
use snowball_protocol::{Sha256Digest, SiteName, ids::UnixSeconds};
use snowball_registry::{Decision, Registry};
use snowball_service::tls;

use super::Answer;
use crate::{authority::Authority, home::Home};

/// The verbs.
#[derive(Subcommand)]
pub enum Ca {
    /// List the CAs, their ends, and who depends on them
    List(list::List),
    /// Make the next CA, trusted beside the one before
    Rotate(rotate::Rotate),
    /// Retire a CA once nobody depends on it
    Retire(retire::Retire),
}

impl Ca {
    /// Runs the verb.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        match self {
            Self::List(verb) => verb.run(home).await,
            Self::Rotate(verb) => verb.run(home).await,
            Self::Retire(verb) => verb.run(home).await,
        }
    }
}

/// Who would be cut off, or must begin again, without one of the CAs.
#[derive(Default)]
pub struct Dependents {
    /// Sites in good standing that have no certificate of another CA or have not come with it yet, or that have not said that
    /// they trust another.
    sites: Vec<SiteName>,
    /// Invitations that pin it and that nobody has used.
    invited: Vec<SiteName>,
    /// Requests that wait for approval.
    waiting: Vec<SiteName>,
}

impl Dependents {
    /// Those who could not go on if `others` alone remained; `is_serving` where the one that goes is the oldest, which signs the
    /// server and which invitations pin.
    async fn of(registry: &Registry, others: &[&Authority], is_serving: bool, now: UnixSeconds) -> Result<Self> {
        let live = registry.live_certificates(now).await?;
        let used = registry.used_serials().await?;
        let remaining: Vec<Sha256Digest> = others.iter().map(|other| other.fingerprint()).collect();
        let mut dependents = Self::default();
        for site in registry.sites().await? {
            let mut own = live.iter().filter(|(name, _)| *name == site.name).peekable();
            if site.revoked.is_some() || own.peek().is_none() {
                continue;
            }
            // What was signed may be lost on its way; only what a site came with has arrived.
            let is_only_one = own.clone().count() == 1;
            let mut has_other = false;
            for (_, certificate) in own.filter(|(_, own)| is_only_one || used.contains(&own.serial)) {
                for other in others {
                    has_other |= tls::is_issued_by(&certificate.pem, other.pem())?;
                }
            }
            // Once the oldest is gone, the next signs the server: every site must trust it. Later ones it may learn.
            let trusts_next = !is_serving || remaining.first().is_some_and(|next| site.authorities.contains(next));
            if !(has_other && trusts_next) {
                dependents.sites.push(site.name);
            }
        }
        if is_serving {
            dependents.invited = registry.open_invitations(now).await?;
            let mut waiting = registry.enrolments().await?;
            waiting.retain(|enrolment| matches!(enrolment.decision, Decision::Pending));
            dependents.waiting = waiting.into_iter().map(|enrolment| enrolment.site).collect();
        }
        Ok(dependents)
    }

    fn is_empty(&self) -> bool {
        self.sites.is_empty() && self.invited.is_empty() && self.waiting.is_empty()
    }

    /// For people: what there is of each kind.
    fn words(&self) -> String {
        let names = |sites: &[SiteName]| sites.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let parts: Vec<String> = [
            ("sites without the next CA: ", &self.sites),
            ("unused invitations: ", &self.invited),
            ("requests that wait: ", &self.waiting),
        ]
        .into_iter()
        .filter(|(_, sites)| !sites.is_empty())
        .map(|(what, sites)| format!("{what}{}", names(sites)))
        .collect();
        if parts.is_empty() {
            "nobody".to_owned()
        } else {
            parts.join("; ")
        }
    }
}
