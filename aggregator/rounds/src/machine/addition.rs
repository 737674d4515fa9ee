//! Events that add one site to a phase and leave all the rest of it as it is: a joining, an update, an answer.
//!
//! There are as many of them as sites, and a phase grows with its sites. Told apart, each costs the same however many sites there
//! are: nothing but the addition need be kept, and nobody but its site looks at the phase again. [`Phase::handle`] decides the
//! same on the whole phase; that the two agree is held by this machine's properties.

use serde::{Deserialize, Serialize};
use snowball_protocol::{SiteName, StudyPlan, ids::UnixSeconds};

use super::{Event, Phase, Weight};

/// What one site adds to a phase.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "addition", rename_all = "snake_case")]
pub enum Addition {
    /// Itself.
    Member {
        /// Which site.
        site: SiteName,
    },
    /// Its update.
    Contribution {
        /// Whose.
        site: SiteName,
        /// What it counts.
        weight: Weight,
    },
    /// Its answer for the final model.
    Evaluation {
        /// Whose.
        site: SiteName,
    },
}

impl Addition {
    /// Whose task alone may be another one now.
    #[must_use]
    pub const fn site(&self) -> &SiteName {
        match self {
            Self::Member { site } | Self::Contribution { site, .. } | Self::Evaluation { site } => site,
        }
    }
}

impl Phase {
    /// What `event` adds, where it surely does no more than that. `None`: [`handle`](Self::handle) tells what it does, or why it
    /// is refused.
    #[must_use]
    pub fn addition(&self, event: &Event, now: UnixSeconds, plan: &StudyPlan) -> Option<Addition> {
        match self {
            Self::Recruiting(phase) => phase.addition(event, now, plan),
            Self::Collecting(phase) => phase.addition(event, now, plan),
            Self::Aggregating(phase) => phase.addition(event, plan),
            Self::Reviewing(phase) => phase.addition(event, now),
            Self::Paused(phase) => phase.within.addition(event, phase.since, plan),
            Self::Draft(_) | Self::Released(_) | Self::Abandoned(_) => None,
        }
    }

    /// Takes in what [`addition`](Self::addition) found for this very phase. Whether there was a place for it: where there was
    /// none, it was found for another phase.
    #[must_use]
    pub fn add(&mut self, addition: &Addition) -> bool {
        match (self, addition) {
            (Self::Paused(phase), addition) => phase.within.add(addition),
            (Self::Recruiting(phase), Addition::Member { site }) => phase.sites.insert(site.clone()),
            (Self::Collecting(phase), Addition::Member { site }) => phase.take_in(site.clone()),
            (Self::Aggregating(phase), Addition::Member { site }) => phase.sites.insert(site.clone()),
            (Self::Collecting(phase), Addition::Contribution { site, weight }) => phase.count(site.clone(), *weight),
            (Self::Reviewing(phase), Addition::Evaluation { site }) => phase.evaluated.insert(site.clone()),
            _ => false,
        }
    }
}
