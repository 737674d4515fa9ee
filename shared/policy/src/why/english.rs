//! In English: why a policy denies something, and what to do about it.

use jiff::civil::{DateTime, Weekday};

use super::{Span, Why, codes, option_code, sent_code, time};
use crate::words::english::{bytes, count, date, list};

pub(super) fn reason(why: &Why) -> String {
    match why {
        Why::OtherSite { policy, here } => format!("the policy is for the site {policy}, and this site is {here}"),
        Why::PlanBroken { study, rule } => format!("the plan of the study {study} breaks a rule: {rule}"),
        Why::NoApproval { stage } => format!("the board has approved nothing at the stage {stage}"),
        Why::StudyNotNamed { study, stage } => {
            format!("the study {study} is not among the studies that the board approved at the stage {stage}")
        }
        Why::NotYet { first } => {
            format!("the approval does not hold yet: it begins on {} (UTC)", date(*first))
        }
        Why::Expired { last } => format!("the approval has expired: its last day was {} (UTC)", date(*last)),
        Why::PlanNotApproved { study, digest } => {
            format!("this plan of the study {study} is not approved: its digest {digest} is not listed")
        }
        Why::Purpose { purpose } => format!("the purpose {purpose} is not among the allowed purposes"),
        Why::Labels { labels } => {
            format!(
                "the study learns {}, which the policy does not allow",
                list(&codes(labels))
            )
        }
        Why::NotRetained { labels, option } => format!(
            "the study learns {}, which de-identification may not retain without the option {}",
            list(&codes(labels)),
            option_code(*option)
        ),
        Why::Architecture { architecture } => {
            format!(
                "the study trains the network {}, which the policy does not allow",
                architecture.code()
            )
        }
        Why::InputSide { side, side_max } => format!(
            "the study uses pictures of {side} by {side} pixels; the policy allows at most {side_max} by {side_max}"
        ),
        Why::Patients { found, min } => format!(
            "there are {} to train on; the policy needs {}",
            count(*found, "patient"),
            count(*min, "patient")
        ),
        Why::Cell { found, min } => format!(
            "the smallest class has {} to train on; the policy needs {}",
            count(*found, "radiograph"),
            count(*min, "radiograph")
        ),
        _ => reason_together(why),
    }
}

/// How often, how, when, and what leaves.
fn reason_together(why: &Why) -> String {
    let rounds = |number: u32| count(u64::from(number), "round");
    match why {
        Why::StudyTooLong { planned, max } => {
            format!("the study has {}; the policy allows {}", rounds(*planned), rounds(*max))
        }
        Why::RoundsSpent { spent, max } => {
            format!(
                "the site has spent {}; the policy allows {}",
                rounds(*spent),
                rounds(*max)
            )
        }
        Why::NotConfined => {
            "the program that trains cannot be held by this machine's kernel, and the policy requires it".to_owned()
        }
        Why::HourOfTraining { local } => {
            format!("here it is {}, and no training may begin at this hour", hour(*local))
        }
        Why::BudgetTooSmall { planned, spent, max } => format!(
            "the study has {}, and the site has spent {} in other studies; the policy allows {} in all",
            rounds(*planned),
            rounds(*spent),
            rounds(*max)
        ),
        Why::BudgetSpent { spent, max } => format!(
            "the site has spent {} in all studies together; the policy allows {}",
            rounds(*spent),
            rounds(*max)
        ),
        Why::Sites { planned, min } => format!(
            "a round of the study may have updates of no more than {}; the policy needs {}",
            count(u64::from(*planned), "site"),
            count(u64::from(*min), "site")
        ),
        Why::NoSecureAggregation => {
            "the policy requires secure aggregation, which this version of the platform cannot do".to_owned()
        }
        Why::NoMechanism { mechanism } => format!(
            "the policy requires the privacy mechanism {}, which this version of the platform cannot do",
            mechanism.code()
        ),
        Why::NotReleased { kind } => format!("the policy does not let {} leave the site", sent_code(*kind)),
        Why::NotAsked { kind, study } => {
            format!(
                "the approved plan of the study {study} does not ask for {}",
                sent_code(*kind)
            )
        }
        Why::HourOfSending { local } => format!("here it is {}, and nothing may leave at this hour", hour(*local)),
        Why::Bytes { span, size, spent, max } => {
            let (before, each) = match span {
                Span::Round => ("in this round", "a round"),
                Span::Day => ("in the last 24 hours", "in 24 hours"),
                Span::Study => ("in this study", "a study"),
            };
            format!(
                "{} would leave after {} {before}; the policy allows {} {each}",
                bytes(*size),
                bytes(*spent),
                bytes(*max)
            )
        }
        // Every other one has its arm in `reason`.
        _ => String::new(),
    }
}

pub(super) fn remedy(why: &Why) -> String {
    let board = |what: &str, field: &str| format!("ask the ethics board whether {what} may be added to {field}");
    match why {
        Why::OtherSite { .. } => "install the policy that was made for this site".to_owned(),
        Why::PlanBroken { .. } => "ask the coordinator to correct the plan".to_owned(),
        Why::NoApproval { stage } => format!("ask the ethics board for an approval of the stage {stage}"),
        Why::StudyNotNamed { study, stage } => format!(
            "if the ethics board approves it, add \"{study}\" to the studies of its approval of the stage {stage}, sign and \
             install the policy"
        ),
        Why::NotYet { .. } => "wait for that day, and check that this machine's clock is right".to_owned(),
        Why::Expired { .. } => "ask the ethics board to renew the approval, then install the renewed policy".to_owned(),
        Why::PlanNotApproved { digest, .. } => format!(
            "if the ethics board approves the plan as it is, add \"{digest}\" to the digests of that approval, sign and \
             install the policy"
        ),
        Why::Purpose { purpose } => board(&format!("\"{purpose}\""), "purposes.allowed"),
        Why::Labels { labels } => board(&list(&codes(labels)), "labels.allowed"),
        Why::NotRetained { option, .. } => board(&format!("\"{}\"", option_code(*option)), "deidentification.options"),
        Why::Architecture { architecture } => board(&format!("\"{}\"", architecture.code()), "architectures.allowed"),
        Why::InputSide { .. } => {
            "ask the coordinator for a plan with smaller pictures, or the ethics board for a larger limit".to_owned()
        }
        Why::Patients { .. } => "take in more radiographs, then freeze the dataset again".to_owned(),
        Why::Cell { .. } => {
            "take in more radiographs of the rare classes or leave those classes out, then freeze the dataset again"
                .to_owned()
        }
        Why::StudyTooLong { .. } | Why::RoundsSpent { .. } => {
            "ask the coordinator for a shorter study, or the ethics board for more rounds".to_owned()
        }
        Why::NotConfined => {
            "use a kernel with Landlock and seccomp; hospital-node doctor says what is missing".to_owned()
        }
        Why::HourOfTraining { .. } => {
            "wait: training begins by itself in the hours that hours.training names".to_owned()
        }
        Why::BudgetTooSmall { .. } | Why::BudgetSpent { .. } => {
            "ask the ethics board whether more may be learned from the same patients".to_owned()
        }
        Why::Sites { .. } => "ask the coordinator for a study of more sites, or the ethics board for fewer".to_owned(),
        Why::NoSecureAggregation | Why::NoMechanism { .. } => {
            "wait for a version that can, or ask the ethics board whether the study may run without it".to_owned()
        }
        Why::NotReleased { kind } => board(&format!("\"{}\"", sent_code(*kind)), "release.allowed"),
        Why::NotAsked { .. } => {
            "ask the coordinator for a plan that names it, and the ethics board for its approval".to_owned()
        }
        Why::HourOfSending { .. } => "wait: it leaves by itself in the hours that hours.sending names".to_owned(),
        Why::Bytes { span, .. } => match span {
            Span::Day => "wait a day, or ask the ethics board for a larger limit".to_owned(),
            Span::Round | Span::Study => {
                "ask the coordinator for a smaller network, or the ethics board for a larger limit".to_owned()
            }
        },
    }
}

/// `12:00 on a Monday`.
fn hour(local: Option<DateTime>) -> String {
    let day = match local.map(DateTime::weekday) {
        Some(Weekday::Monday) => "Monday",
        Some(Weekday::Tuesday) => "Tuesday",
        Some(Weekday::Wednesday) => "Wednesday",
        Some(Weekday::Thursday) => "Thursday",
        Some(Weekday::Friday) => "Friday",
        Some(Weekday::Saturday) => "Saturday",
        Some(Weekday::Sunday) => "Sunday",
        None => return "no time that a calendar has".to_owned(),
    };
    format!("{} on a {day}", time(local))
}
