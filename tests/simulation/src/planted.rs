//! Faults that can be planted in the aggregator or the nodes, so that tests show that the simulation finds what it looks for.

/// One fault. Some of these this simulation found in the real code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Planted {
    /// A crash undoes the newest admission, although its receipt has left.
    ForgetsAdmitted,
    /// The receipt leaves before the update counts.
    AnswersTooEarly,
    /// An update that comes again is added again.
    CountsReplays,
    /// A node brings a late update again and again, and the aggregator does not remember that it has counted.
    ForgetsWhoUsedAModel,
    /// A round closes with the first update, at once.
    ClosesEarly,
    /// After a restart the sum goes on from nothing.
    SumNotRebuilt,
    /// Revocation changes nothing.
    AdmitsRevoked,
    /// Revocation is looked up before the transaction that counts the update, and not within it.
    ChecksRevocationTooEarly,
    /// A crash takes the last two records of the ledger.
    CutsLedger,
    /// A round that closed is not taken up again after a crash.
    NeverResumes,
    /// A node forgets an update that it could not send because its disk was full, and trains it again.
    ForgetsUnsent,
    /// A node gives its update up where its head came behind a late one.
    GivesUpWithoutHead,
    /// A node begins a round with what a training left whose update never counted.
    KeepsUncounted,
    /// A node takes an update for lost whose answer it did not hear, and begins the next round with what was before it.
    DropsUnheard,
    /// After a crash in the middle of a round's end the control variate of all sites moves on from where that end had already brought it.
    MovesControlTwice,
}

impl Planted {
    /// Every fault.
    pub const ALL: [Self; 15] = [
        Self::ForgetsAdmitted,
        Self::AnswersTooEarly,
        Self::CountsReplays,
        Self::ForgetsWhoUsedAModel,
        Self::ClosesEarly,
        Self::SumNotRebuilt,
        Self::AdmitsRevoked,
        Self::ChecksRevocationTooEarly,
        Self::CutsLedger,
        Self::NeverResumes,
        Self::ForgetsUnsent,
        Self::GivesUpWithoutHead,
        Self::KeepsUncounted,
        Self::DropsUnheard,
        Self::MovesControlTwice,
    ];
}
