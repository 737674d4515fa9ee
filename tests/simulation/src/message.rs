//! What goes over the network: the protocol's own documents, without their bytes.

use std::fmt;

use snowball_ledger::Head;
use snowball_protocol::{
    Problem, RoundNumber,
    ids::{UnixSeconds, UploadId},
    session::{StudySummary, Task},
    update::{UpdateHeader, UploadState},
};

/// What a node asks of the aggregator.
#[derive(Clone, Debug)]
pub enum Request {
    /// `POST /v1/hello`, with the node's clock.
    Hello(UnixSeconds),
    /// `POST /v1/heads`
    Heads(Head),
    /// `GET /v1/studies`
    Studies,
    /// `POST /v1/studies/{study}/join`
    Join,
    /// `GET /v1/studies/{study}/task`, with how long the answer may wait, in seconds.
    Task(u32),
    /// `GET /v1/studies/{study}/models/{round}`
    Model(RoundNumber),
    /// `GET /v1/studies/{study}/controls/{round}`
    Control(RoundNumber),
    /// `POST /v1/studies/{study}/rounds/{round}/updates`
    Announce(Box<UpdateHeader>),
    /// `PATCH /v1/uploads/{id}?offset=N`
    Chunk(UploadId, u64, Vec<u8>),
    /// `POST /v1/studies/{study}/evaluation`
    Evaluation,
}

/// What the aggregator answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Nothing but yes.
    Done,
    /// The node's head, kept, and the aggregator's.
    Heads(Head, Head),
    /// What is open.
    Studies(Vec<StudySummary>),
    /// What to do.
    Task(Task),
    /// A model's bytes, or a control variate's.
    Model(Vec<u8>),
    /// Where an upload stands.
    Upload(Box<UploadState>),
    /// No, and why.
    Refused(Problem),
}

impl fmt::Display for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello(clock) => write!(formatter, "hello, it is {clock}"),
            Self::Heads(head) => write!(formatter, "my ledger has {} records", head.entries),
            Self::Studies => formatter.write_str("which studies are open?"),
            Self::Join => formatter.write_str("I join"),
            Self::Task(_) => formatter.write_str("what should I do?"),
            Self::Model(round) => write!(formatter, "the model of round {round}, please"),
            Self::Control(round) => write!(formatter, "the control variate of round {round}, please"),
            Self::Announce(header) => write!(formatter, "update for round {}, try {}", header.round, header.attempt.0),
            Self::Chunk(_, offset, bytes) => write!(formatter, "bytes {offset} to {}", *offset + bytes.len() as u64),
            Self::Evaluation => formatter.write_str("evaluation of the final model"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => formatter.write_str("yes"),
            Self::Heads(_, own) => write!(formatter, "kept; mine has {} records", own.entries),
            Self::Studies(studies) => write!(formatter, "{} studies", studies.len()),
            Self::Task(Task::Wait { phase }) => write!(formatter, "wait ({phase:?})"),
            Self::Task(Task::Train { round, .. }) => write!(formatter, "train round {round}"),
            Self::Task(Task::Evaluate { .. }) => formatter.write_str("evaluate the final model"),
            Self::Task(Task::Done { phase, .. }) => write!(formatter, "the study is {phase:?}"),
            Self::Model(_) => formatter.write_str("a model"),
            Self::Upload(state) if state.receipt.is_some() => formatter.write_str("receipt"),
            Self::Upload(state) => write!(formatter, "the upload stands at {}", state.offset),
            Self::Refused(problem) => write!(formatter, "no: {:?}, {}", problem.code, problem.reason),
        }
    }
}
