//! In English.

use super::{Change, Demanded, Effect, List, Number, OfApproval, Text};
use crate::{
    document::{Demand, Stage},
    retention::Keepsake,
    words::english::{bytes, count, date, list},
};

pub(super) fn sentence(change: &Change) -> String {
    match change {
        Change::Text { what, from, to } => {
            let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
            format!("The {} changes from {} to {}.", text(*what), shown(from), shown(to))
        }
        Change::Number { what, from, to, effect } => with(
            &format!(
                "The {} changes from {} to {}.",
                number(*what),
                amount(*what, *from),
                amount(*what, *to)
            ),
            *effect,
        ),
        Change::Entry { what, name, is_added } => with(&entry(*what, name, *is_added), Effect::of(*is_added)),
        Change::Demand { what, now } => with(demand(*what, *now), Effect::of(*now == Demand::NotRequired)),
        Change::Mechanism { from, to, effect } => with(
            &format!("The privacy mechanism changes from {} to {}.", from.code(), to.code()),
            *effect,
        ),
        Change::Attributes {
            from,
            to,
            attributes,
            effect,
        } => {
            let verb = if *attributes == 1 {
                "attribute changes"
            } else {
                "attributes change"
            };
            with(
                &format!("In de-identified DICOM {attributes} {verb} from {from} to {to}."),
                *effect,
            )
        }
        Change::Approval { stage, reference, what } => approval(*stage, reference, what),
    }
}

fn with(sentence: &str, effect: Effect) -> String {
    match effect {
        Effect::More => format!("{sentence} This permits more."),
        Effect::Less => format!("{sentence} This permits less."),
        Effect::Neither => sentence.to_owned(),
    }
}

const fn text(what: Text) -> &'static str {
    match what {
        Text::Site => "site",
        Text::Version => "version",
        Text::Supersedes => "policy that it takes the place of",
        Text::Profile => "de-identification profile",
        Text::TimeZone => "time zone",
    }
}

const fn number(what: Number) -> &'static str {
    match what {
        Number::InputSide => "largest side of a picture",
        Number::Patients => "smallest number of patients to train on",
        Number::Cell => "smallest class or count",
        Number::Sites => "smallest number of hospitals in a round",
        Number::RoundsPerStudy => "largest number of rounds of a study",
        Number::RoundsAllStudies => "largest number of rounds of all studies together",
        Number::BytesPerRound => "most that may leave in a round",
        Number::BytesPerDay => "most that may leave in 24 hours",
        Number::BytesPerStudy => "most that may leave in a study",
        Number::Kept(Keepsake::Dataset) => "time that the data chosen for a study are kept",
        Number::Kept(Keepsake::Evidence) => "time that evidence is kept",
        Number::Kept(Keepsake::Outbox) => "time that an update waits to be sent",
    }
}

fn amount(what: Number, number: u64) -> String {
    match what {
        Number::InputSide => count(number, "pixel"),
        Number::Patients => count(number, "patient"),
        Number::Cell => count(number, "radiograph"),
        Number::Sites => count(number, "hospital"),
        Number::RoundsPerStudy | Number::RoundsAllStudies => count(number, "round"),
        Number::BytesPerRound | Number::BytesPerDay | Number::BytesPerStudy => bytes(number),
        Number::Kept(_) => count(number, "day"),
    }
}

fn entry(what: List, name: &str, is_added: bool) -> String {
    let noun = match what {
        List::Purpose => "purpose",
        List::Label => "label",
        List::Network => "network",
        List::Option => "de-identification option",
        List::Update => return leaves("Updates", is_added),
        List::Metrics => return leaves("Measurements", is_added),
        List::DetailedMetrics => return leaves("Detailed measurements", is_added),
        List::HourOfTraining => return hours("Training", "begin", name, is_added),
        List::HourOfSending => return hours("Updates and measurements", "leave", name, is_added),
    };
    let now = if is_added {
        "is now allowed"
    } else {
        "is no longer allowed"
    };
    format!("The {noun} {name} {now}.")
}

fn leaves(things: &str, is_added: bool) -> String {
    let now = if is_added { "now" } else { "no longer" };
    format!("{things} may {now} leave the hospital.")
}

fn hours(things: &str, verb: &str, hours: &str, is_added: bool) -> String {
    let now = if is_added { "now" } else { "no longer" };
    format!("{things} may {now} {verb} in the hours {hours}.")
}

const fn demand(what: Demanded, now: Demand) -> &'static str {
    match (what, now) {
        (Demanded::SecureAggregation, Demand::Required) => "Secure aggregation is now required.",
        (Demanded::SecureAggregation, Demand::NotRequired) => "Secure aggregation is no longer required.",
        (Demanded::Confinement, Demand::Required) => "The machine must now hold the program that trains.",
        (Demanded::Confinement, Demand::NotRequired) => "The machine need no longer hold the program that trains.",
    }
}

fn approval(stage: Stage, reference: &str, what: &OfApproval) -> String {
    let under = format!("Under {reference} (stage {stage})");
    let now = |is_added: bool| {
        if is_added {
            "is now approved"
        } else {
            "is no longer approved"
        }
    };
    match what {
        OfApproval::Itself { studies, is_added } => with(
            &format!(
                "The stage {stage} {} under the reference {reference}, for {}.",
                now(*is_added),
                list(studies)
            ),
            Effect::of(*is_added),
        ),
        OfApproval::Board { from, to } => format!("{under} the board changes from {from} to {to}."),
        OfApproval::FirstDay { from, to, effect } => with(
            &format!(
                "{under} the first day changes from {} to {}.",
                date(Some(*from)),
                date(Some(*to))
            ),
            *effect,
        ),
        OfApproval::LastDay { from, to, effect } => with(
            &format!(
                "{under} the last day changes from {} to {}.",
                date(Some(*from)),
                date(Some(*to))
            ),
            *effect,
        ),
        OfApproval::Study { name, is_added } => with(
            &format!("{under} the study {name} {}.", now(*is_added)),
            Effect::of(*is_added),
        ),
        OfApproval::Plan { digest, is_added } => with(
            &format!("{under} the plan {digest} {}.", now(*is_added)),
            Effect::of(*is_added),
        ),
        OfApproval::AnyPlan { is_added: true } => with(
            &format!("{under} any plan of the named studies is now approved."),
            Effect::More,
        ),
        OfApproval::AnyPlan { is_added: false } => with(
            &format!("{under} each plan now needs approval by its digest."),
            Effect::Less,
        ),
    }
}
