//! A hospital's node: one thing at a time, as `hospital-node/src/driver.rs` and `egress/src/send.rs` do them, around the very
//! same decisions of `snowball-participation`.
//!
//! What it does in code that waits is here a state ([`Doing`]) that an answer or a timer moves on.

mod correction;
pub mod disk;
mod send;

use std::collections::BTreeSet;

use snowball_ledger::Head;
use snowball_participation::{self as participation, Action, Fault as Sort, Interest, Progress};
use snowball_protocol::{
    Problem, ProblemCode, RoundNumber, SiteName,
    ids::{UnixSeconds, UploadId},
    session::{ControlReference, ModelReference},
};

use self::{
    correction::Correction,
    disk::{Disk, Unwritten},
};
use crate::{
    ledger::Entry,
    message::{Answer, Request},
    planted::Planted,
    study::Study,
};

/// Milliseconds of virtual time.
pub type Millis = i64;

const POLL_SECONDS: u32 = 25;
const LIST_PAUSE: Millis = 3_000;
const RETRY_MIN: Millis = 250;
const RETRY_MAX: Millis = 15_000;
const MEND_PAUSE: Millis = 20_000;
const RECONSIDER: Millis = 600_000;
/// Longer than the node's own, so that a settled site does not fill the run with its asking.
const SETTLED_PAUSE: Millis = 3_000;
/// How soon the service manager starts a program that ended again.
const RESTART: Millis = 30_000;
/// After so long without an answer a line counts as broken.
const ANSWER_MAX: Millis = 10_000;

/// What the node does now.
#[derive(Clone, PartialEq, Debug)]
pub enum Doing {
    /// Nothing: it does not run.
    Off,
    /// Saying hello.
    Greeting,
    /// Showing its head, and why.
    Showing(Occasion, Option<Head>),
    /// Looking for studies.
    Listing,
    /// Joining the study.
    Joining,
    /// Asking what to do.
    Asking,
    /// Fetching a round's model.
    Fetching(RoundNumber, ModelReference),
    /// Fetching the control variate of all sites that goes with it.
    FetchingControl(RoundNumber, ModelReference, ControlReference),
    /// Training.
    Training(RoundNumber, ModelReference),
    /// Announcing the update in the outbox.
    Announcing(RoundNumber),
    /// Sending the bytes from here on.
    Sending(RoundNumber, UploadId, u64, u64),
    /// Saying how good the final model is.
    Reporting,
    /// Nothing any more: the study is over here.
    Left,
}

/// Why a node shows its head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Occasion {
    /// It connected.
    Arriving,
    /// It is about to announce the update of this round.
    Sending(RoundNumber),
    /// The study is over.
    Parting,
}

/// What the node waits for next.
#[derive(Debug)]
pub enum Next {
    /// An answer to this, for so long.
    Answer(Request, Millis),
    /// So much time.
    Sleep(Millis),
    /// Nobody.
    Nothing,
}

/// What went wrong with a request.
#[derive(Clone, PartialEq, Debug)]
pub enum Fault {
    /// The line is broken.
    Unreachable,
    /// No.
    Refused(Problem),
    /// The aggregator's head contradicts the one before.
    HeadRefused,
    /// The answer fits no question.
    Unusable,
    /// The disk is full.
    Full,
}

impl Fault {
    const fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable => true,
            Self::Refused(problem) => problem.code.is_transient(),
            _ => false,
        }
    }

    const fn sort(&self) -> Sort {
        match self {
            Self::Refused(_) => Sort::Refused,
            Self::HeadRefused => Sort::HeadRefused,
            _ => Sort::Mendable,
        }
    }
}

/// One node.
pub struct Node {
    /// Its site.
    pub site: SiteName,
    /// Which unit vector it contributes.
    pub place: usize,
    /// What outlives a crash.
    pub disk: Disk,
    /// What it does.
    pub doing: Doing,
    /// How far its clock is from the true time, in seconds.
    pub clock_offset_seconds: i64,
    /// How long its training takes.
    pub training: Millis,
    /// The control variate that its round begins with; forgotten by a crash.
    control: Option<ControlReference>,
    /// What its training is corrected by.
    correction: Option<Correction>,
    study: Study,
    progress: Progress,
    /// Earlier rounds that the aggregator has said to be over.
    closed: BTreeSet<RoundNumber>,
    /// The round that a late update was brought for.
    brought: Option<RoundNumber>,
    pause: Millis,
    is_dead: bool,
    planted: Option<Planted>,
}

impl Node {
    /// A node that does not run yet.
    #[must_use]
    pub fn of(study: &Study, place: usize, site: SiteName, planted: Option<Planted>) -> Self {
        Self {
            disk: Disk::of(site.as_str()),
            site,
            place,
            doing: Doing::Off,
            clock_offset_seconds: 0,
            training: 1_000,
            control: None,
            correction: None,
            study: study.clone(),
            progress: Progress::default(),
            closed: BTreeSet::new(),
            brought: None,
            pause: RETRY_MIN,
            is_dead: false,
            planted,
        }
    }

    /// The program starts: nothing is known but what is on disk.
    pub fn start(&mut self, now: UnixSeconds) -> Next {
        self.disk.power.returns();
        self.is_dead = false;
        self.progress = Progress::default();
        (self.closed, self.brought) = (BTreeSet::new(), None);
        self.pause = RETRY_MIN;
        self.go(Doing::Greeting, now)
    }

    /// The process dies.
    pub fn crash(&mut self) {
        self.doing = Doing::Off;
        self.is_dead = true;
    }

    /// The answer to what was asked; `None` if none came.
    pub fn hear(&mut self, answer: Option<Answer>, now: UnixSeconds) -> Next {
        let outcome = match answer {
            None => Err(Fault::Unreachable),
            Some(Answer::Refused(problem)) => Err(Fault::Refused(problem)),
            Some(answer) => Ok(answer),
        };
        let next = outcome.map_or_else(Err, |answer| {
            let next = self.take(answer, now);
            if next.is_ok() {
                self.pause = RETRY_MIN;
            }
            next
        });
        match next {
            Ok(Ok(next)) => next,
            Ok(Err(Unwritten::Crash)) => self.die(),
            Ok(Err(Unwritten::Full)) => self.bear(&Fault::Full),
            Err(fault) => self.bear(&fault),
        }
    }

    /// The time that it waited for has come.
    pub fn wake(&mut self, now: UnixSeconds) -> Next {
        match self.doing.clone() {
            Doing::Off => self.start(now),
            Doing::Training(round, model) => match self.approve(round, &model) {
                Ok(()) => self.go(Doing::Showing(Occasion::Sending(round), None), now),
                Err(Unwritten::Crash) => self.die(),
                Err(Unwritten::Full) => self.bear(&Fault::Full),
            },
            doing => self.go(doing, now),
        }
    }

    /// Begins to do something: what is sent is recorded first.
    fn go(&mut self, doing: Doing, now: UnixSeconds) -> Next {
        self.doing = doing;
        match self.ask(now) {
            Ok(next) => next,
            Err(Unwritten::Crash) => self.die(),
            Err(Unwritten::Full) => self.bear(&Fault::Full),
        }
    }

    fn ask(&mut self, now: UnixSeconds) -> Result<Next, Unwritten> {
        let asks = |request| Ok(Next::Answer(request, ANSWER_MAX));
        match &mut self.doing {
            Doing::Off | Doing::Left => Ok(Next::Nothing),
            Doing::Greeting => {
                self.disk.record(Entry::Disclosed("hello"))?;
                asks(Request::Hello(now))
            }
            Doing::Showing(_, shown) => {
                let head = self.disk.ledger.head();
                *shown = Some(head.clone());
                self.disk.record(Entry::Disclosed("ledger head"))?;
                asks(Request::Heads(head))
            }
            Doing::Listing => asks(Request::Studies),
            Doing::Joining => {
                self.disk.record(Entry::Disclosed("join"))?;
                asks(Request::Join)
            }
            Doing::Asking => {
                let wait = Millis::from(POLL_SECONDS) * 1_000 + ANSWER_MAX;
                Ok(Next::Answer(Request::Task(POLL_SECONDS), wait))
            }
            Doing::Fetching(_, model) => asks(Request::Model(model.round)),
            Doing::FetchingControl(_, model, _) => asks(Request::Control(model.round)),
            Doing::Training(..) => Ok(Next::Sleep(self.training)),
            Doing::Announcing(round) => {
                let round = *round;
                self.disk.record(Entry::Disclosed("update header"))?;
                match self.disk.find(round) {
                    Some((header, _)) => asks(Request::Announce(Box::new(header.clone()))),
                    None => Ok(self.go(Doing::Asking, now)),
                }
            }
            Doing::Sending(round, id, offset, chunk) => match self.disk.find(*round) {
                Some((_, bytes)) => {
                    let from = usize::try_from(*offset).unwrap_or(usize::MAX).min(bytes.len());
                    let to = from
                        .saturating_add(usize::try_from(*chunk).unwrap_or(usize::MAX))
                        .min(bytes.len());
                    asks(Request::Chunk(id.clone(), *offset, bytes[from..to].to_vec()))
                }
                None => Ok(self.go(Doing::Asking, now)),
            },
            Doing::Reporting => {
                self.disk.record(Entry::Disclosed("evaluation"))?;
                asks(Request::Evaluation)
            }
        }
    }

    /// What an answer leads to.
    fn take(&mut self, answer: Answer, now: UnixSeconds) -> Result<Result<Next, Unwritten>, Fault> {
        Ok(Ok(match (self.doing.clone(), answer) {
            (Doing::Greeting, Answer::Done) => self.go(Doing::Showing(Occasion::Arriving, None), now),
            (Doing::Showing(occasion, Some(shown)), Answer::Heads(back, theirs)) => {
                if back != shown {
                    return Err(Fault::Unusable);
                }
                match self.keep_head(theirs)? {
                    Err(unwritten) => return Ok(Err(unwritten)),
                    Ok(()) => match occasion {
                        Occasion::Arriving => self.go(Doing::Listing, now),
                        Occasion::Sending(round) => self.go(Doing::Announcing(round), now),
                        Occasion::Parting => self.go(Doing::Left, now),
                    },
                }
            }
            (Doing::Listing, Answer::Studies(studies)) => {
                let study = studies.iter().find(|listed| listed.study == self.study.plan.study);
                match study.map(participation::interest) {
                    Some(Interest::Join) => self.go(Doing::Joining, now),
                    Some(Interest::Follow) => self.go(Doing::Asking, now),
                    Some(Interest::Ignore | Interest::Remember) | None => Next::Sleep(LIST_PAUSE),
                }
            }
            (Doing::Joining, Answer::Done) => match self.disk.record(Entry::StudyJoined(self.site.clone())) {
                Ok(_) => self.go(Doing::Asking, now),
                Err(unwritten) => return Ok(Err(unwritten)),
            },
            (Doing::Asking, Answer::Task(task)) => match participation::next(task, &self.progress) {
                Action::Ask => self.go(Doing::Asking, now),
                Action::Pause => Next::Sleep(SETTLED_PAUSE),
                Action::Contribute { round, .. } if self.disk.find(round).is_some() => {
                    self.go(Doing::Showing(Occasion::Sending(round), None), now)
                }
                Action::Contribute { round, start } => match self.bring_late(round) {
                    Ok(Some(sending)) => self.go(Doing::Showing(Occasion::Sending(sending), None), now),
                    Ok(None) => match self.resolve_kept() {
                        Ok(()) => {
                            self.control = start.control;
                            self.go(Doing::Fetching(round, start.model), now)
                        }
                        Err(unwritten) => return Ok(Err(unwritten)),
                    },
                    Err(unwritten) => return Ok(Err(unwritten)),
                },
                Action::Evaluate { .. } => self.go(Doing::Reporting, now),
                Action::Leave { .. } => self.go(Doing::Showing(Occasion::Parting, None), now),
            },
            (Doing::Fetching(round, model), Answer::Model(bytes)) => {
                if snowball_protocol::Sha256Digest::of(&bytes) != model.digest {
                    return Err(Fault::Unusable);
                }
                match self.control {
                    Some(control) => self.go(Doing::FetchingControl(round, model, control), now),
                    None => {
                        self.correct(round, None);
                        self.go(Doing::Training(round, model), now)
                    }
                }
            }
            (Doing::FetchingControl(round, model, control), Answer::Model(bytes)) => {
                if snowball_protocol::Sha256Digest::of(&bytes) != control.digest {
                    return Err(Fault::Unusable);
                }
                self.correct(round, Some((control, &bytes)));
                self.go(Doing::Training(round, model), now)
            }
            (Doing::Announcing(round) | Doing::Sending(round, ..), Answer::Upload(state)) => {
                return self.go_on_sending(round, *state, now);
            }
            (Doing::Reporting, Answer::Done) => {
                self.progress.evaluated = true;
                self.go(Doing::Asking, now)
            }
            _ => return Err(Fault::Unusable),
        }))
    }

    /// What a fault leads to: the same again, another thing later, or the end of the program.
    fn bear(&mut self, fault: &Fault) -> Next {
        let pause = self.pause;
        match self.doing.clone() {
            Doing::Showing(Occasion::Sending(round), _) | Doing::Announcing(round) | Doing::Sending(round, ..) => {
                self.bear_sending(round, fault)
            }
            _ if fault.is_transient() => {
                self.pause = (pause * 2).min(RETRY_MAX);
                Next::Sleep(pause)
            }
            Doing::Fetching(round, _) | Doing::FetchingControl(round, ..) | Doing::Training(round, _) => {
                self.give_up_round(round, fault)
            }
            Doing::Joining | Doing::Asking | Doing::Reporting | Doing::Showing(Occasion::Parting, _) => {
                self.progress = Progress::default();
                self.doing = Doing::Listing;
                Next::Sleep(RECONSIDER)
            }
            _ => {
                self.doing = Doing::Off;
                let is_shut_out =
                    matches!(fault, Fault::Refused(problem) if problem.code == ProblemCode::CertificateRevoked);
                if is_shut_out {
                    Next::Nothing
                } else {
                    Next::Sleep(RESTART)
                }
            }
        }
    }

    /// Nothing came of this round; whether it is tried again.
    fn give_up_round(&mut self, round: RoundNumber, fault: &Fault) -> Next {
        self.doing = Doing::Asking;
        if participation::is_settled(fault.sort()) {
            self.progress.settled = self.progress.settled.max(Some(round));
            return Next::Sleep(RETRY_MIN);
        }
        Next::Sleep(MEND_PAUSE)
    }

    fn die(&mut self) -> Next {
        self.crash();
        Next::Nothing
    }

    /// Whether it died and nobody has started it since; a node that is shut out does not ask to be started.
    #[must_use]
    pub const fn has_died(&self) -> bool {
        self.is_dead
    }
}
