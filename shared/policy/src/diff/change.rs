//! What can change between two policies, without words.

use std::cmp::Ordering;

use snowball_confidentiality::Action;

use crate::{
    date::PolicyDate,
    document::{Demand, PrivacyMechanism, Stage},
    retention::Keepsake,
};

/// Whether a change lets more happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    More,
    Less,
    Neither,
}

impl Effect {
    pub(super) const fn of(permits_more: bool) -> Self {
        if permits_more { Self::More } else { Self::Less }
    }

    pub(super) const fn by(order: Ordering) -> Self {
        match order {
            Ordering::Greater => Self::More,
            Ordering::Less => Self::Less,
            Ordering::Equal => Self::Neither,
        }
    }
}

/// Something that is one text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Text {
    Site,
    Version,
    Supersedes,
    Profile,
    TimeZone,
}

/// Something that is one number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Number {
    InputSide,
    Patients,
    Cell,
    Sites,
    RoundsPerStudy,
    RoundsAllStudies,
    BytesPerRound,
    BytesPerDay,
    BytesPerStudy,
    Kept(Keepsake),
}

/// Something that is a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum List {
    Purpose,
    Label,
    Network,
    Option,
    Update,
    Metrics,
    DetailedMetrics,
    HourOfTraining,
    HourOfSending,
}

/// Something that the policy may demand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Demanded {
    SecureAggregation,
    Confinement,
}

/// One change.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Change {
    Text {
        what: Text,
        from: Option<String>,
        to: Option<String>,
    },
    Number {
        what: Number,
        from: u64,
        to: u64,
        effect: Effect,
    },
    Entry {
        what: List,
        name: String,
        is_added: bool,
    },
    Demand {
        what: Demanded,
        now: Demand,
    },
    Mechanism {
        from: PrivacyMechanism,
        to: PrivacyMechanism,
        effect: Effect,
    },
    Attributes {
        from: Action,
        to: Action,
        attributes: u64,
        effect: Effect,
    },
    Approval {
        stage: Stage,
        reference: String,
        what: OfApproval,
    },
}

/// What changes of the approval of one stage under one reference.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum OfApproval {
    Itself {
        studies: Vec<String>,
        is_added: bool,
    },
    Board {
        from: String,
        to: String,
    },
    FirstDay {
        from: PolicyDate,
        to: PolicyDate,
        effect: Effect,
    },
    LastDay {
        from: PolicyDate,
        to: PolicyDate,
        effect: Effect,
    },
    Study {
        name: String,
        is_added: bool,
    },
    Plan {
        digest: String,
        is_added: bool,
    },
    AnyPlan {
        is_added: bool,
    },
}
