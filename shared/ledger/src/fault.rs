//! What is wrong with a ledger that was checked, each in words for an auditor.

use std::io;

use snowball_protocol::Sha256Digest;

/// The first thing found wrong with a ledger. Positions count from 0, as the records do.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file of the ledger could not be read.
    #[error("the ledger's {file} could not be read")]
    Unreadable {
        /// Which file.
        file: &'static str,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// There is no records file.
    #[error("there is no ledger here: the records file is missing")]
    RecordsMissing,
    /// There are records but no checkpoint.
    #[error("the signed checkpoint is missing: nobody answers for these records")]
    CheckpointMissing,
    /// The checkpoint is not a signed note of a ledger.
    #[error("the checkpoint is damaged: it is not a signed note of a snowball ledger ({reason})")]
    CheckpointMalformed {
        /// What is wrong with its form.
        reason: &'static str,
    },
    /// The checkpoint was signed with another key.
    #[error(
        "the checkpoint of {owner} was signed with another key than the one given (key id {found}, expected {expected})"
    )]
    WrongKey {
        /// Whose ledger it says it is.
        owner: String,
        /// Eight hexadecimal digits of the key that signed.
        found: String,
        /// Eight hexadecimal digits of the key that was given.
        expected: String,
    },
    /// The checkpoint's text was changed after it was signed, or the signature was.
    #[error("the checkpoint of {owner} was altered: its signature does not belong to its text")]
    SignatureInvalid {
        /// Whose ledger it says it is.
        owner: String,
    },
    /// The ledger is another owner's.
    #[error("this is the ledger of {found}, not of {expected}")]
    WrongOwner {
        /// Whose it is, by its checkpoint.
        found: String,
        /// Whose it should be.
        expected: String,
    },
    /// The first record belongs to a ledger of another owner.
    #[error("record 0 does not begin the ledger of {owner}: the records are another owner's")]
    ForeignRecords {
        /// Whose ledger the checkpoint says it is.
        owner: String,
    },
    /// A line that is no record at all.
    #[error("record {index} is damaged: its line is not a record in the one spelling that is ever written")]
    Malformed {
        /// Which.
        index: u64,
    },
    /// A line longer than any record.
    #[error("record {index} is damaged: its line is longer than any record may be")]
    TooLong {
        /// Which.
        index: u64,
    },
    /// A record's content was changed.
    #[error("record {index} was altered: its content does not have the hash that stands beside it")]
    Altered {
        /// Which.
        index: u64,
    },
    /// Records are missing in the middle.
    #[error("records {index} to {} are missing: the line after the gap is record {found}", .found.saturating_sub(1))]
    Dropped {
        /// The first that is missing.
        index: u64,
        /// The record that follows the gap.
        found: u64,
    },
    /// Records change places.
    #[error("records were reordered: at place {index} stands record {found}, and record {index} comes later")]
    Reordered {
        /// The place.
        index: u64,
        /// Which record stands there.
        found: u64,
    },
    /// A record stands twice, or another stands in between.
    #[error("a record was inserted or repeated before place {index}: there stands record {found} once more")]
    Inserted {
        /// The place.
        index: u64,
        /// Which record stands there.
        found: u64,
    },
    /// A record was replaced by another with a sound hash.
    #[error("record {index} does not follow the one before it: one of the two was replaced")]
    Replaced {
        /// The first record that no longer follows. Never 0.
        index: u64,
    },
    /// The tail was cut off.
    #[error("the ledger was cut: the checkpoint answers for {expected} records and there are {found}")]
    Truncated {
        /// How many there should be.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// A sound chain that is not the one that was signed.
    #[error("history was rewritten: the first {entries} records are a sound chain, but not the one that was signed")]
    Rewritten {
        /// How many records the checkpoint answers for.
        entries: u64,
    },
    /// The other side once kept a head that this ledger does not have.
    #[error("history was cut or rewritten: the other side kept the head {head} of this ledger, and no record has it")]
    HeadUnknown {
        /// The head that was kept.
        head: Sha256Digest,
    },
    /// The owner signed two histories.
    #[error(
        "there are two histories: the owner signed a head of {entries} records that is not the one of this ledger at that size"
    )]
    Forked {
        /// How many records that head answers for.
        entries: u64,
    },
    /// The tail was cut off together with its checkpoint.
    #[error("the tail was cut off: the other side kept a signed head of {kept} records, and this ledger has {found}")]
    TailCut {
        /// How many records the kept head answers for.
        kept: u64,
        /// How many there are.
        found: u64,
    },
    /// A kept head that its owner did not sign.
    #[error("a kept head is no signed head of this ledger's owner: it proves nothing, so nothing was checked with it")]
    HeadInvalid,
    /// Records after the ones that the checkpoint answers for, and no write under way that explains them.
    #[error("from record {index} on nobody answers for the records: they were added without the owner's key")]
    Unsigned {
        /// The first of them.
        index: u64,
    },
    /// A crash in the middle of a write.
    #[error(
        "the program stopped while it wrote record {index}: nothing of it was acknowledged, and starting the program repairs it"
    )]
    Unfinished {
        /// The first record of that write.
        index: u64,
    },
}

impl VerifyError {
    /// The kind of fault for programs; the second verifier uses the same words.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "unreadable",
            Self::RecordsMissing => "records_missing",
            Self::CheckpointMissing => "checkpoint_missing",
            Self::CheckpointMalformed { .. } => "checkpoint_malformed",
            Self::WrongKey { .. } => "wrong_key",
            Self::SignatureInvalid { .. } => "signature_invalid",
            Self::WrongOwner { .. } => "wrong_owner",
            Self::ForeignRecords { .. } => "foreign_records",
            Self::Malformed { .. } => "malformed",
            Self::TooLong { .. } => "too_long",
            Self::Altered { .. } => "altered",
            Self::Dropped { .. } => "dropped",
            Self::Reordered { .. } => "reordered",
            Self::Inserted { .. } => "inserted",
            Self::Replaced { .. } => "replaced",
            Self::Truncated { .. } => "truncated",
            Self::Rewritten { .. } => "rewritten",
            Self::HeadUnknown { .. } => "head_unknown",
            Self::Forked { .. } => "forked",
            Self::TailCut { .. } => "tail_cut",
            Self::HeadInvalid => "head_invalid",
            Self::Unsigned { .. } => "unsigned",
            Self::Unfinished { .. } => "unfinished",
        }
    }
}
