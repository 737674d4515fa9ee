//! The places in a policy that a decision can rest on.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! clauses {
    ($($(#[$doc:meta])* $variant:ident = $path:literal),+ $(,)?) => {
        /// One place in the policy, by its dotted path. A denial names one; a permit names all that were checked.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub enum Clause { $($(#[$doc])* $variant),+ }

        impl Clause {
            /// Every clause, in the order of checking.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The dotted path, such as `approvals.digests`; `policy` stands for the file as a whole, `plan` for the study's
            /// plan.
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
    /// The plan keeps the rules of study plans.
    Plan = "plan",
    /// An approval of the stage that is needed.
    Stage = "approvals.stage",
    /// An approval of that stage names the study.
    Studies = "approvals.studies",
    /// The first day of such an approval.
    ApprovedOn = "approvals.approved_on",
    /// Its last day.
    ExpiresOn = "approvals.expires_on",
    /// The approved plans by digest.
    Digests = "approvals.digests",
    /// Any plan of the named studies.
    AnyDigest = "approvals.any_digest_of_named_studies",
    /// Why the data may be used.
    Purposes = "purposes.allowed",
    /// What a network may learn to tell.
    Labels = "labels.allowed",
    /// What de-identification may retain.
    DeidentificationOptions = "deidentification.options",
    /// Which networks.
    Architectures = "architectures.allowed",
    /// Up to which input size.
    InputSide = "architectures.input_side_max",
    /// Fewest patients.
    TrainingPatients = "cohort.training_patients_min",
    /// Fewest radiographs of a class.
    CellMin = "cohort.cell_min",
    /// How many rounds of one study.
    RoundsPerStudy = "limits.rounds_per_study_max",
    /// How the trainer is held.
    Confinement = "training.confinement",
    /// When it may be trained.
    HoursTraining = "hours.training",
    /// How many rounds of all studies together.
    RoundsAllStudies = "limits.rounds_all_studies_max",
    /// How many sites it takes.
    SitesMin = "aggregation.sites_min",
    /// Whether the aggregator must be unable to read a single site's update.
    SecureAggregation = "aggregation.secure_aggregation",
    /// What is done to an update before it leaves.
    Privacy = "privacy.mechanism",
    /// What may leave.
    Release = "release.allowed",
    /// When it may leave.
    HoursSending = "hours.sending",
    /// How many bytes a round.
    BytesPerRound = "limits.bytes_per_round_max",
    /// How many bytes in a day.
    BytesPerDay = "limits.bytes_per_day_max",
    /// How many bytes of a study.
    BytesPerStudy = "limits.bytes_per_study_max",
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
