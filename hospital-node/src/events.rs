//! What the node says while it works: lines for people, JSON lines for programs.

use std::{io::Write, sync::Arc};

use serde::Serialize;
use snowball_egress::{Direction, Progress};
use snowball_protocol::{RoundNumber, StudyName, evaluation::Evaluation, labels::LabelName, session::StudySummary};

use crate::{home::Home, now::course::Clerk};

/// Something worth saying.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The line to the aggregator stands.
    Connected { address: String },
    /// The line is broken; the node tries again by itself.
    Disconnected { reason: String },
    /// The node speaks with its next certificate.
    CertificateRenewed { serial: String, not_after: i64 },
    /// The certificate's end comes nearer and it could not be renewed; the node tries on.
    CertificateNotRenewed { days_left: i64, reason: String },
    /// The node trusts another list of the consortium's CAs.
    AuthoritiesTaken { number: u64, authorities: usize },
    /// Which trainer computes, and why.
    TrainerChosen { device: String, why: String },
    /// The site takes part.
    Joined {
        study: StudyName,
        training: u64,
        validation: u64,
        testing: u64,
    },
    /// The site's policy or the aggregator does not let it take part.
    NotJoined { study: StudyName, reason: String },
    /// The policy's hours let nothing be done now; the node goes on by itself.
    Waiting { study: StudyName },
    /// A long transfer goes on.
    Transferring {
        study: StudyName,
        round: RoundNumber,
        /// `sending` an update or `fetching` a model.
        direction: &'static str,
        bytes: u64,
        bytes_total: u64,
        percent: f64,
        bytes_per_second: f64,
        /// At this speed; absent while nothing moves.
        seconds_left: Option<f64>,
    },
    /// A step of local training.
    Training {
        study: StudyName,
        round: RoundNumber,
        step: u32,
        steps: u32,
        loss: f64,
    },
    /// An update was taken in by the aggregator.
    Contributed {
        study: StudyName,
        round: RoundNumber,
        examples: u64,
        bytes: u64,
        loss: f64,
        evaluation: Option<Evaluation>,
    },
    /// An update that was late for its own round counts in this one.
    Late {
        study: StudyName,
        round: RoundNumber,
        /// By how many rounds.
        behind: u32,
        bytes: u64,
    },
    /// An update did not count, or did not leave.
    NotContributed {
        study: StudyName,
        round: RoundNumber,
        reason: String,
    },
    /// A round's worth of training is in the site's own model, which stays here.
    OwnModelTrained { study: StudyName, rounds: u32 },
    /// The final model was evaluated here.
    Evaluated {
        study: StudyName,
        evaluation: Evaluation,
        /// Of the model that the site's radiographs alone make, where the plan asks for it.
        own: Option<Evaluation>,
    },
    /// The final model was not evaluated here: the aggregator takes no evaluation any more, or not this one.
    NotEvaluated { study: StudyName, reason: String },
    /// The study is over.
    Finished { study: StudyName, phase: String },
}

impl Event {
    /// How far a transfer is.
    pub fn of(progress: &Progress) -> Self {
        Self::Transferring {
            study: progress.study.clone(),
            round: progress.round,
            direction: match progress.direction {
                Direction::Sending => "sending",
                Direction::Fetching => "fetching",
            },
            bytes: progress.bytes,
            bytes_total: progress.bytes_total,
            percent: progress.percent(),
            bytes_per_second: progress.bytes_per_second,
            seconds_left: progress.seconds_left,
        }
    }
}

/// Where events go: to standard output, and to whoever notes where the node stands.
#[derive(Clone)]
pub struct Voice {
    json: bool,
    clerk: Arc<Clerk>,
}

impl Voice {
    pub fn new(json: bool, home: &Home) -> Self {
        Self {
            json,
            clerk: Arc::new(Clerk::at(home)),
        }
    }

    /// The aggregator said which studies there are: nothing is said aloud.
    pub fn listed(&self, studies: &[StudySummary]) {
        self.clerk.listed(studies);
    }

    /// Says it on standard output. A reader that went away is no fault of the study.
    pub fn say(&self, event: &Event) {
        self.clerk.hear(event);
        let line = if self.json {
            serde_json::to_string(event).ok()
        } else {
            sentence(event)
        };
        if let Some(line) = line {
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }
}

fn sentence(event: &Event) -> Option<String> {
    Some(match event {
        Event::Connected { address } => format!("connected to {address}"),
        Event::Disconnected { reason } => format!("no connection: {reason}; trying again"),
        Event::CertificateRenewed { serial, .. } => format!("the certificate was renewed: now {serial}"),
        Event::Waiting { study } => format!("{study}: waiting for the hours that the policy names"),
        Event::CertificateNotRenewed { days_left, reason } => format!(
            "the certificate ends in {days_left} days and could not be renewed: {reason}; trying again every ten minutes"
        ),
        Event::AuthoritiesTaken { number, authorities } => {
            format!("list {number} of the consortium's CAs was taken over: {authorities} are trusted now")
        }
        Event::TrainerChosen { device, why } => format!("training on {device}: {why}"),
        Event::Joined {
            study,
            training,
            validation,
            testing,
        } => {
            format!(
                "{study}: joined with {training} radiographs to train on, {validation} to validate, {testing} to test"
            )
        }
        Event::NotJoined { study, reason } => format!("{study}: not joined: {reason}"),
        Event::Transferring {
            study,
            round,
            direction,
            percent,
            bytes_per_second,
            seconds_left,
            ..
        } => format!(
            "{study}: round {round}: {direction}: {percent:.0} %, {:.1} kB a second, {}",
            bytes_per_second / 1000.0,
            seconds_left.map_or_else(|| "standing still".to_owned(), |seconds| format!("{seconds:.0} s left"))
        ),
        Event::Training {
            study,
            round,
            step,
            steps,
            loss,
        } => {
            // People want the beginning and the end; programs get every step.
            if step != steps {
                return None;
            }
            format!("{study}: round {round}: {steps} steps done, loss {loss:.3}")
        }
        Event::Contributed {
            study,
            round,
            examples,
            bytes,
            evaluation,
            ..
        } => format!(
            "{study}: round {round}: contributed {examples} examples in {:.2} MiB{}",
            *bytes as f64 / 1_048_576.0,
            evaluation
                .as_ref()
                .map(|quality| format!("; the round's model here: {}", summary(quality)))
                .unwrap_or_default()
        ),
        Event::Late {
            study,
            round,
            behind,
            bytes,
        } => format!(
            "{study}: round {round}: the update that was {behind} round(s) late counts, {:.2} MiB",
            *bytes as f64 / 1_048_576.0
        ),
        Event::NotContributed { study, round, reason } => format!("{study}: round {round}: nothing sent: {reason}"),
        Event::OwnModelTrained { study, rounds } => format!("{study}: {rounds} round(s) are in the site's own model"),
        Event::Evaluated { study, evaluation, own } => {
            let own = own
                .as_ref()
                .map(|own| format!("; the site's own model: {}", summary(own)));
            format!(
                "{study}: the final model here: {}{}",
                summary(evaluation),
                own.unwrap_or_default()
            )
        }
        Event::NotEvaluated { study, reason } => format!("{study}: the final model was not evaluated here: {reason}"),
        Event::Finished { study, phase } => format!("{study}: finished ({phase})"),
    })
}

/// One line on the quality of a model.
pub fn summary(evaluation: &Evaluation) -> String {
    let mut parts = Vec::new();
    for (label, name) in [
        (LabelName::BodyPart, "body part"),
        (LabelName::View, "view"),
        (LabelName::Sex, "sex"),
        (LabelName::Rotation, "rotation"),
        (LabelName::Jigsaw, "jigsaw"),
    ] {
        if let Some(accuracy) = evaluation.head(label).and_then(|head| head.balanced_accuracy()) {
            parts.push(format!("{name} {:.1} %", accuracy * 100.0));
        }
    }
    if let Some((error, constant)) = evaluation
        .head(LabelName::Age)
        .and_then(|head| head.mean_absolute_errors())
    {
        parts.push(format!("age off by {error:.1} years (constant {constant:.1})"));
    }
    // The side, and what the hospitals themselves imported.
    for head in &evaluation.heads {
        let label = head.label();
        if !matches!(label, LabelName::Laterality | LabelName::Site(_)) {
            continue;
        }
        let name = label.code().replace('_', " ");
        if let Some(accuracy) = head.balanced_accuracy() {
            parts.push(format!("{name} {:.1} %", accuracy * 100.0));
        }
        if let Some((error, constant)) = head.mean_absolute_errors() {
            parts.push(format!("{name} off by {error:.2} (constant {constant:.2})"));
        }
    }
    if let Some((error, constant)) = evaluation.reconstruction.and_then(|drawn| drawn.mean_squared_errors()) {
        parts.push(format!(
            "drawn again off by {error:.3} squared (constant {constant:.3})"
        ));
    }
    if let Some((found, chance)) = evaluation.contrast.and_then(|paired| paired.shares_found()) {
        parts.push(format!(
            "pairs found {:.1} % (chance {:.1} %)",
            found * 100.0,
            chance * 100.0
        ));
    }
    for head in &evaluation.heads {
        for (class, dice) in head.dice() {
            let interval = dice
                .interval
                .map_or_else(String::new, |(low, high)| format!(" ({low:.3} to {high:.3})"));
            parts.push(format!(
                "{class} Dice {:.3}{interval}, constant {:.3}",
                dice.mean, dice.constant
            ));
        }
    }
    if parts.is_empty() {
        "no labels".to_owned()
    } else {
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_is_said_to_people_and_to_programs() {
        let mut progress = Progress {
            study: "story".parse().unwrap(),
            round: RoundNumber(2),
            direction: Direction::Sending,
            bytes: 250,
            bytes_total: 1000,
            bytes_per_second: 50_000.0,
            seconds_left: Some(15.0),
        };
        let line = sentence(&Event::of(&progress)).unwrap();
        assert_eq!(line, "story: round 2: sending: 25 %, 50.0 kB a second, 15 s left");
        let json = serde_json::to_value(Event::of(&progress)).unwrap();
        assert_eq!(
            (&json["event"], &json["percent"]),
            (&"transferring".into(), &25.0.into())
        );
        (progress.seconds_left, progress.bytes_per_second) = (None, 0.0);
        assert!(sentence(&Event::of(&progress)).unwrap().ends_with("standing still"));
    }
}
