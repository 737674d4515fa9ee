//! The places in a policy that a decision can rest on.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! clauses {
    ($($(#[$doc:meta])* $variant:ident = $path:literal),+ $(,)?) => {
        /// One place in the policy, by its dotted path. A denial names one; a permit names all that were checked.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub enum Clause { $($(#[$doc])* $variant),+ }

        impl Clause {
            /// Every clause, in the order of the file.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The dotted path, such as `studies.allowed`; `policy` stands for the file as a whole.
            #[must_use]
            pub const fn path(self) -> &'static str {
                match self { $(Self::$variant => $path),+ }
            }
        }
    };
}

clauses!(
    /// The file as a whole: there, whole, readable and signed.
    Policy = "policy",
    /// The site that the policy is for.
    Site = "site",
    /// How far the approval goes.
    Stage = "stage",
    /// The first day.
    ApprovedOn = "approval.approved_on",
    /// The last day.
    ExpiresOn = "approval.expires_on",
    /// Why the data may be used.
    Purposes = "purposes.allowed",
    /// The plan keeps the rules of study plans.
    Studies = "studies",
    /// The studies by name.
    StudiesAllowed = "studies.allowed",
    /// The approved plans by digest.
    StudiesDigests = "studies.digests",
    /// Any plan of the named studies.
    StudiesAnyDigest = "studies.any_digest_of_named_studies",
    /// What a network may learn to tell.
    Labels = "labels.allowed",
    /// Which networks.
    Architectures = "architectures.allowed",
    /// Up to which input size.
    InputSide = "architectures.input_side_max",
    /// What de-identification may retain.
    DeidentificationOptions = "deidentification.options",
    /// Fewest patients.
    TrainingPatients = "cohort.training_patients_min",
    /// Fewest radiographs of a class.
    CellMin = "cohort.cell_min",
    /// What may leave.
    Release = "release.allowed",
    /// How many bytes a round.
    BytesPerRound = "limits.bytes_per_round_max",
    /// How many rounds.
    Rounds = "limits.rounds_max",
);

impl fmt::Display for Clause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.path())
    }
}

impl Serialize for Clause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.path())
    }
}
