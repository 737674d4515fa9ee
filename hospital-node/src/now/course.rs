//! Where `run` stands: its line to the aggregator, and what it does for each study.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use snowball_protocol::{
    StudyName,
    ids::UnixSeconds,
    session::{PhaseName, StudySummary},
};
use snowball_service::clock;

use super::notebook::{Notebook, Seen, see};
use crate::{events::Event, home::Home};

/// Rounds of which the loss is kept.
const ROUNDS_MAX: usize = 2_000;
/// Values kept of the round under way; of more, every other one is left out.
const STEPS_MAX: usize = 240;

/// Everything that is noted.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Course {
    /// When this run began.
    pub since: UnixSeconds,
    pub program_version: String,
    /// What computes.
    pub device: Option<String>,
    pub line: Line,
    pub studies: BTreeMap<StudyName, StudyCourse>,
}

/// The line to the aggregator.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Line {
    pub address: Option<String>,
    /// When the aggregator last answered.
    pub heard: Option<UnixSeconds>,
    /// What is wrong, where it is broken.
    pub broken: Option<String>,
}

/// One study.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct StudyCourse {
    /// As the aggregator lists it.
    pub phase: Option<PhaseName>,
    /// As the aggregator lists it, or what this node did since has it.
    pub round: Option<u32>,
    pub joined: bool,
    /// What is done for it, since when.
    pub doing: Option<Doing>,
    pub since: UnixSeconds,
    /// Radiographs to train on, to validate on and to test on.
    pub radiographs: Option<[u64; 3]>,
    /// The loss at the end of each round that was trained here.
    pub rounds: Vec<(u32, f64)>,
    /// The round under way, step by step.
    pub steps: Vec<(u32, f64)>,
}

/// What is done for a study.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "doing", rename_all = "snake_case")]
pub enum Doing {
    Joined,
    NotJoined {
        reason: String,
    },
    Waiting,
    Training {
        round: u32,
        step: u32,
        steps: u32,
        loss: f64,
    },
    Transferring {
        round: u32,
        is_sending: bool,
        bytes: u64,
        bytes_total: u64,
        seconds_left: Option<f64>,
    },
    Contributed {
        round: u32,
        examples: u64,
        bytes: u64,
    },
    NotContributed {
        round: u32,
        reason: String,
    },
    Evaluated,
    NotEvaluated {
        reason: String,
    },
    Finished {
        phase: String,
    },
}

impl Course {
    /// What an event changes; whether it is only the next of many steps.
    pub fn hear(&mut self, event: &Event, now: UnixSeconds) -> bool {
        match event {
            Event::Connected { address } => {
                self.line.address = Some(address.clone());
                self.line.broken = None;
                self.line.heard = Some(now);
            }
            Event::Disconnected { reason } => self.line.broken = Some(reason.clone()),
            Event::TrainerChosen { device, .. } => self.device = Some(device.clone()),
            Event::Joined {
                study,
                training,
                validation,
                testing,
            } => {
                let course = self.does(study, Doing::Joined, now);
                course.joined = true;
                course.radiographs = Some([*training, *validation, *testing]);
            }
            Event::NotJoined { study, reason } => {
                let reason = reason.clone();
                self.does(study, Doing::NotJoined { reason }, now);
            }
            Event::Waiting { study } => {
                self.does(study, Doing::Waiting, now);
            }
            Event::Transferring {
                study,
                round,
                direction,
                bytes,
                bytes_total,
                seconds_left,
                ..
            } => {
                let doing = Doing::Transferring {
                    round: round.0,
                    is_sending: *direction == "sending",
                    bytes: *bytes,
                    bytes_total: *bytes_total,
                    seconds_left: *seconds_left,
                };
                self.does(study, doing, now).round = Some(round.0);
                return bytes < bytes_total;
            }
            Event::Training {
                study,
                round,
                step,
                steps,
                loss,
            } => {
                let doing = Doing::Training {
                    round: round.0,
                    step: *step,
                    steps: *steps,
                    loss: *loss,
                };
                let course = self.does(study, doing, now);
                // The aggregator's list may be older.
                course.round = Some(round.0);
                course.step(round.0, *step, *loss, step == steps);
                return step < steps;
            }
            Event::Contributed {
                study,
                round,
                examples,
                bytes,
                ..
            } => {
                let doing = Doing::Contributed {
                    round: round.0,
                    examples: *examples,
                    bytes: *bytes,
                };
                self.does(study, doing, now).round = Some(round.0);
            }
            Event::NotContributed { study, round, reason } => {
                let doing = Doing::NotContributed {
                    round: round.0,
                    reason: reason.clone(),
                };
                self.does(study, doing, now).round = Some(round.0);
            }
            Event::Evaluated { study, .. } => {
                self.does(study, Doing::Evaluated, now);
            }
            Event::NotEvaluated { study, reason } => {
                let reason = reason.clone();
                self.does(study, Doing::NotEvaluated { reason }, now);
            }
            Event::Finished { study, phase } => {
                let phase = phase.clone();
                self.does(study, Doing::Finished { phase }, now);
            }
            Event::CertificateRenewed { .. }
            | Event::CertificateNotRenewed { .. }
            | Event::AuthoritiesTaken { .. }
            | Event::Late { .. }
            | Event::OwnModelTrained { .. } => {}
        }
        false
    }

    /// What the aggregator lists.
    pub fn listed(&mut self, studies: &[StudySummary], now: UnixSeconds) {
        self.line.heard = Some(now);
        self.line.broken = None;
        for summary in studies {
            let course = self.studies.entry(summary.study.clone()).or_default();
            course.phase = Some(summary.phase);
            course.round = Some(summary.round.0);
            course.joined = summary.joined;
        }
    }

    fn does(&mut self, study: &StudyName, doing: Doing, now: UnixSeconds) -> &mut StudyCourse {
        let course = self.studies.entry(study.clone()).or_default();
        course.doing = Some(doing);
        course.since = now;
        course
    }
}

impl StudyCourse {
    fn step(&mut self, round: u32, step: u32, loss: f64, is_last: bool) {
        if self.steps.last().is_some_and(|(last, _)| *last >= step) {
            self.steps.clear();
        }
        if self.steps.len() >= STEPS_MAX {
            let mut place = 0;
            self.steps.retain(|_| {
                place += 1;
                place % 2 == 1
            });
        }
        if loss.is_finite() {
            self.steps.push((step, loss));
        }
        if is_last && loss.is_finite() {
            // What is told of later rounds was another course of the study.
            self.rounds.retain(|(known, _)| *known < round);
            self.rounds.push((round, loss));
            let surplus = self.rounds.len().saturating_sub(ROUNDS_MAX);
            self.rounds.drain(..surplus);
        }
    }
}

/// Who notes it, while `run` works.
pub struct Clerk(Mutex<(Course, Option<Notebook>)>);

impl Clerk {
    /// Notes at `home`. The losses of rounds that were trained before a restart stay.
    pub fn at(home: &Home) -> Self {
        let before = look(home).map(|seen| seen.page).unwrap_or_default();
        let kept = before.studies.into_iter().map(|(study, course)| {
            let rounds = course.rounds;
            let fresh = StudyCourse {
                rounds,
                ..StudyCourse::default()
            };
            (study, fresh)
        });
        let course = Course {
            since: clock::now(),
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            studies: kept.collect(),
            ..Course::default()
        };
        let mut notebook = Notebook::open(&path(home));
        if let Some(notebook) = &mut notebook {
            notebook.write(&course, false);
        }
        Self(Mutex::new((course, notebook)))
    }

    /// Notes what an event changes.
    pub fn hear(&self, event: &Event) {
        self.note(|course| course.hear(event, clock::now()));
    }

    /// Notes what the aggregator lists.
    pub fn listed(&self, studies: &[StudySummary]) {
        self.note(|course| {
            course.listed(studies, clock::now());
            false
        });
    }

    fn note(&self, change: impl FnOnce(&mut Course) -> bool) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (course, notebook) = &mut *kept;
        let is_step = change(course);
        if let Some(notebook) = notebook {
            notebook.write(course, is_step);
        }
    }
}

/// Where `run` stands, or stood when it ended.
pub fn look(home: &Home) -> Option<Seen<Course>> {
    see(&path(home))
}

fn path(home: &Home) -> PathBuf {
    home.now().join("run.json")
}

#[cfg(test)]
mod tests {
    use snowball_protocol::{RoundNumber, Sha256Digest};

    use super::*;

    fn training(round: u32, step: u32, loss: f64) -> Event {
        Event::Training {
            study: "bones".parse().unwrap(),
            round: RoundNumber(round),
            step,
            steps: 1_000,
            loss,
        }
    }

    #[test]
    fn a_round_is_followed_step_by_step_and_leaves_its_loss() {
        let mut course = Course::default();
        for round in 1..=2 {
            for step in 1..=1_000 {
                let is_step = course.hear(&training(round, step, 1.0 / f64::from(step)), 50);
                assert_eq!(is_step, step < 1_000);
            }
        }
        let bones = &course.studies[&"bones".parse().unwrap()];
        assert_eq!(bones.rounds, [(1, 0.001), (2, 0.001)]);
        assert_eq!(bones.round, Some(2), "training in a round is newer than any list");
        assert!(bones.steps.len() <= STEPS_MAX && bones.steps.is_sorted_by_key(|(step, _)| *step));
        assert!(matches!(
            bones.doing,
            Some(Doing::Training {
                round: 2,
                step: 1_000,
                ..
            })
        ));
    }

    #[test]
    fn a_broken_line_is_told_until_the_aggregator_answers_again() {
        let mut course = Course::default();
        course.hear(
            &Event::Disconnected {
                reason: "no route".to_owned(),
            },
            10,
        );
        assert_eq!(course.line.broken.as_deref(), Some("no route"));
        let summary = StudySummary {
            study: "bones".parse().unwrap(),
            plan_digest: Sha256Digest::of(b"plan"),
            phase: PhaseName::Collecting,
            round: RoundNumber(3),
            joined: true,
            paused: false,
        };
        course.listed(&[summary], 20);
        assert!(course.line.broken.is_none() && course.line.heard == Some(20));
        assert_eq!(course.studies[&"bones".parse().unwrap()].round, Some(3));
    }

    #[test]
    fn what_is_noted_is_read_again_and_losses_outlive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let clerk = Clerk::at(&home);
        clerk.hear(&training(1, 1_000, 0.25));
        let seen = look(&home).unwrap();
        assert!(seen.is_live);
        drop(clerk);
        assert!(!look(&home).unwrap().is_live);
        drop(Clerk::at(&home));
        let bones = &look(&home).unwrap().page.studies[&"bones".parse().unwrap()];
        assert_eq!((bones.rounds.len(), bones.doing.as_ref()), (1, None));
    }
}
