//! Why a policy denies something, as data: what a decision found. The words for it are in one file a language.

mod english;
mod french;

use jiff::civil::DateTime;
use snowball_confidentiality::Language;
use snowball_protocol::{
    Sha256Digest, SiteName, StudyName,
    ids::Purpose,
    labels::LabelName,
    plan::{Architecture, Sent},
};

use crate::{
    date::PolicyDate,
    document::{DeidentificationOption, PrivacyMechanism, Stage},
};

/// What was found, for each clause that can deny.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Why {
    OtherSite {
        policy: SiteName,
        here: SiteName,
    },
    PlanBroken {
        study: StudyName,
        rule: String,
    },
    NoApproval {
        stage: Stage,
    },
    StudyNotNamed {
        study: StudyName,
        stage: Stage,
    },
    NotYet {
        first: Option<PolicyDate>,
    },
    Expired {
        last: Option<PolicyDate>,
    },
    PlanNotApproved {
        study: StudyName,
        digest: Sha256Digest,
    },
    Purpose {
        purpose: Purpose,
    },
    Labels {
        labels: Vec<LabelName>,
    },
    NotRetained {
        labels: Vec<LabelName>,
        option: Option<DeidentificationOption>,
    },
    Architecture {
        architecture: Architecture,
    },
    InputSide {
        side: u32,
        side_max: u32,
    },
    Patients {
        found: u64,
        min: u64,
    },
    Cell {
        found: u64,
        min: u64,
    },
    StudyTooLong {
        planned: u32,
        max: u32,
    },
    RoundsSpent {
        spent: u32,
        max: u32,
    },
    NotConfined,
    HourOfTraining {
        local: Option<DateTime>,
    },
    BudgetTooSmall {
        planned: u32,
        spent: u32,
        max: u32,
    },
    BudgetSpent {
        spent: u32,
        max: u32,
    },
    Sites {
        planned: u32,
        min: u32,
    },
    NoSecureAggregation,
    NoMechanism {
        mechanism: PrivacyMechanism,
    },
    NotReleased {
        kind: Sent,
    },
    NotAsked {
        kind: Sent,
        study: StudyName,
    },
    HourOfSending {
        local: Option<DateTime>,
    },
    Bytes {
        span: Span,
        size: u64,
        spent: u64,
        max: u64,
    },
}

/// Over what bytes are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Span {
    Round,
    Day,
    Study,
}

impl Why {
    /// The reason and the remedy.
    pub(crate) fn words(&self, language: Language) -> (String, String) {
        match language {
            Language::English => (english::reason(self), english::remedy(self)),
            Language::French => (french::reason(self), french::remedy(self)),
        }
    }
}

fn codes(labels: &[LabelName]) -> Vec<&str> {
    labels.iter().map(|label| label.code()).collect()
}

fn option_code(option: Option<DeidentificationOption>) -> &'static str {
    option.map_or("", DeidentificationOption::code)
}

const fn sent_code(kind: Sent) -> &'static str {
    match kind {
        Sent::Update => "update",
        Sent::Metrics => "metrics",
        Sent::DetailedMetrics => "detailed_metrics",
    }
}

/// `02:30`; empty for a time that no calendar has.
fn time(local: Option<DateTime>) -> String {
    local.map_or_else(String::new, |local| local.strftime("%H:%M").to_string())
}
