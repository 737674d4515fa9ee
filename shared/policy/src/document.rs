//! The policy file as its author writes it. The comments here become the descriptions in `policies/schema.json`.
//!
//! Every field is enforced, by [`decide`](crate::decide()) or by the node; what nobody enforces has no field.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use snowball_confidentiality::ProfileOption;
use snowball_protocol::{
    Sha256Digest, SiteName, StudyName,
    ids::Purpose,
    labels::LabelName,
    plan::{Architecture, Sent},
};

use crate::{date::PolicyDate, hours::Window, zone::Zone};

/// What a hospital's ethics board permits. Whatever is not permitted here is denied.
#[derive(Clone, PartialEq, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Snowball policy")]
pub(crate) struct Document {
    /// Version of this file format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub format: u16,
    /// Version of this policy, counted up by its authors from 1.
    #[schemars(range(min = 1))]
    pub version: u32,
    /// The policy that this one takes the place of, by the digest of its file. Only version 1 may leave it out.
    #[serde(default)]
    pub supersedes: Option<Sha256Digest>,
    /// The one site that the policy is for, by its name in the consortium.
    pub site: SiteName,
    /// What the board approved, stage by stage. A study runs only under an approval of exactly the stage that it needs.
    #[schemars(length(min = 1, max = 100))]
    pub approvals: Vec<Approval>,
    /// Why the data may be used.
    pub purposes: Purposes,
    /// What a network may learn to tell.
    pub labels: Labels,
    /// Which networks may be trained.
    pub architectures: Architectures,
    /// How radiographs are de-identified before anything else happens to them.
    pub deidentification: Deidentification,
    /// How many patients it takes, so that nobody stands out.
    pub cohort: Cohort,
    /// How updates of several sites become one network.
    pub aggregation: Aggregation,
    /// What may leave the hospital.
    pub release: Release,
    /// How much may leave, and how often.
    pub limits: Limits,
    /// At which hours.
    pub hours: Hours,
    /// How the program that trains is held.
    pub training: Training,
    /// What is done to an update so that it tells less about single patients.
    pub privacy: Privacy,
    /// How long is kept what can be made again or has served its purpose.
    pub retention: Retention,
}

/// How far an approval goes. Each stage permits what its own approval names, and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Training inside the hospital, by itself. Nothing leaves, not even an update.
    Local,
    /// Studies that try out training with others. The board may approve a study by its name alone.
    ProofOfConcept,
    /// Studies whose network is for the hospitals of the consortium. The board approves each by the digest of its whole plan.
    Collaboration,
    /// Studies whose network may be published. The board approves each by the digest of its whole plan.
    Publication,
}

/// One approval: of which stage, by whom, for how long, and for which studies. A study needs its name in `studies` and the
/// digest of its plan in `digests`.
#[derive(Clone, PartialEq, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approval {
    /// What it approves.
    pub stage: Stage,
    /// The board that gave it.
    #[schemars(length(min = 1, max = 200))]
    pub board: String,
    /// The board's own reference.
    #[schemars(length(min = 1, max = 200))]
    pub reference: String,
    /// The first day on which it holds (UTC).
    pub approved_on: PolicyDate,
    /// The last day on which it holds (UTC).
    pub expires_on: PolicyDate,
    /// The studies, by name. An empty list permits none.
    pub studies: Vec<StudyName>,
    /// The approved plans, each as `sha256:` and 64 hexadecimal digits. An empty list approves none.
    #[serde(default)]
    pub digests: Vec<Sha256Digest>,
    /// Approves every plan of the named studies, whatever its digest. Only at the stages local and proof-of-concept.
    #[serde(default)]
    pub any_digest_of_named_studies: bool,
}

/// Why the data may be used.
#[derive(Clone, PartialEq, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Purposes {
    /// The purposes, as study plans name them. An empty list permits none.
    pub allowed: Vec<Purpose>,
}

/// What a network may learn to tell.
#[derive(Clone, PartialEq, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Labels {
    /// The labels. An empty list permits none.
    pub allowed: Vec<LabelName>,
}

/// Which networks may be trained.
#[derive(Clone, PartialEq, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Architectures {
    /// The networks. An empty list permits none.
    pub allowed: Vec<Architecture>,
    /// Largest side of the picture that a network may be shown, in pixels: the finest detail that is used.
    #[schemars(range(min = 32, max = 2048))]
    pub input_side_max: u32,
}

/// How radiographs are de-identified before anything else happens to them.
#[derive(Clone, PartialEq, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deidentification {
    /// The profile. A node that does not know it refuses the policy.
    pub profile: DeidentificationProfile,
    /// What the profile may retain beyond its minimum. Absent or empty: nothing.
    #[serde(default)]
    pub options: Vec<DeidentificationOption>,
    /// Attributes that are removed from de-identified DICOM whatever the options say, by keyword or as `(gggg,eeee)`.
    #[serde(default)]
    pub remove: Vec<String>,
    /// Attributes that stay in de-identified DICOM where their value is on a list. `remove` wins over this.
    #[serde(default)]
    pub keep: Vec<Keep>,
}

/// An attribute that stays in de-identified DICOM where its value is on a list.
#[derive(Clone, PartialEq, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keep {
    /// The attribute, by keyword or as `(gggg,eeee)`; a private one as `(gggg,10ee)`.
    pub attribute: String,
    /// The values that may stay. Case and blanks around do not count.
    #[schemars(length(min = 1, max = 1000))]
    pub values: Vec<String>,
    /// For a private attribute: the creator of its block. It takes the option `retain-safe-private`.
    #[serde(default)]
    pub creator: Option<String>,
}

/// How radiographs are de-identified.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
pub enum DeidentificationProfile {
    /// Only pixels and a closed list of coded fields are kept. Every other attribute is removed, at every depth.
    /// Identifiers become keyed pseudonyms, and the key stays on site.
    #[serde(rename = "radiograph-allow-list-v1")]
    RadiographAllowListV1,
}

impl DeidentificationProfile {
    /// The profile as written in policies.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::RadiographAllowListV1 => "radiograph-allow-list-v1",
        }
    }
}

/// What the profile may retain beyond its minimum, after the options of DICOM PS3.15 Annex E.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
pub enum DeidentificationOption {
    /// Sex, and age in years with all ages above 89 counted as 90 (PS3.15: Retain Patient Characteristics). Without it
    /// no study may use the labels `sex` and `age`.
    #[serde(rename = "retain-patient-characteristics")]
    RetainPatientCharacteristics,
    /// UIDs as they are (PS3.15: Retain UIDs). For de-identified DICOM only, as are all options below.
    #[serde(rename = "retain-uids")]
    RetainUids,
    /// Names and serial numbers of stations and detectors (PS3.15: Retain Device Identity).
    #[serde(rename = "retain-device-identity")]
    RetainDeviceIdentity,
    /// The hospital's name and address (PS3.15: Retain Institution Identity).
    #[serde(rename = "retain-institution-identity")]
    RetainInstitutionIdentity,
    /// Dates and times as they are (PS3.15: Retain Longitudinal Temporal Information with Full Dates).
    #[serde(rename = "retain-longitudinal-full-dates")]
    RetainLongitudinalFullDates,
    /// Dates moved by whole days, the same for all of a patient (PS3.15: Retain Longitudinal Temporal Information with
    /// Modified Dates).
    #[serde(rename = "retain-longitudinal-modified-dates")]
    RetainLongitudinalModifiedDates,
    /// Descriptions, of which only words of a closed vocabulary stay (PS3.15: Clean Descriptors).
    #[serde(rename = "clean-descriptors")]
    CleanDescriptors,
    /// Structured content, its descriptions cleaned (PS3.15: Clean Structured Content).
    #[serde(rename = "clean-structured-content")]
    CleanStructuredContent,
    /// Says that graphics are dealt with (PS3.15: Clean Graphics). They are removed, since no program can clean them.
    #[serde(rename = "clean-graphics")]
    CleanGraphics,
    /// Private attributes that `keep` names with their creator (PS3.15: Retain Safe Private).
    #[serde(rename = "retain-safe-private")]
    RetainSafePrivate,
}

impl DeidentificationOption {
    /// The option as written in policies.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.profile_option().code()
    }

    /// The option of PS3.15 section E.3.
    #[must_use]
    pub const fn profile_option(self) -> ProfileOption {
        match self {
            Self::RetainPatientCharacteristics => ProfileOption::RetainPatientCharacteristics,
            Self::RetainUids => ProfileOption::RetainUids,
            Self::RetainDeviceIdentity => ProfileOption::RetainDeviceIdentity,
            Self::RetainInstitutionIdentity => ProfileOption::RetainInstitutionIdentity,
            Self::RetainLongitudinalFullDates => ProfileOption::RetainLongitudinalFullDates,
            Self::RetainLongitudinalModifiedDates => ProfileOption::RetainLongitudinalModifiedDates,
            Self::CleanDescriptors => ProfileOption::CleanDescriptors,
            Self::CleanStructuredContent => ProfileOption::CleanStructuredContent,
            Self::CleanGraphics => ProfileOption::CleanGraphics,
            Self::RetainSafePrivate => ProfileOption::RetainSafePrivate,
        }
    }
}

/// How many patients it takes, so that nobody stands out.
#[derive(Clone, PartialEq, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cohort {
    /// Fewest patients that a network may be trained on.
    #[schemars(range(min = 1))]
    pub training_patients_min: u64,
    /// Fewest radiographs in any class that is trained on, and in any count that leaves. Smaller counts are hidden.
    #[schemars(range(min = 1))]
    pub cell_min: u64,
}

/// How updates of several sites become one network.
#[derive(Clone, PartialEq, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Aggregation {
    /// Fewest sites in a study, and fewest updates in each of its rounds.
    #[schemars(range(min = 1, max = 10_000))]
    pub sites_min: u32,
    /// Whether the aggregator must be unable to read a single site's update.
    pub secure_aggregation: Demand,
}

/// Whether something must be so.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// It need not be so.
    NotRequired,
    /// It must be so; else nothing runs.
    Required,
}

/// What may leave the hospital.
#[derive(Clone, PartialEq, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Release {
    /// What may leave. An empty list lets nothing leave. It must be empty where every approval is of the stage local.
    pub allowed: Vec<Sent>,
}

/// How much may leave, and how often. Bytes are those of updates and metrics.
#[derive(Clone, PartialEq, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// Most bytes that may leave in one round of a study.
    pub bytes_per_round_max: u64,
    /// Most bytes of all studies together that may leave in any 24 hours.
    pub bytes_per_day_max: u64,
    /// Most bytes of one study that may leave from its first round to its last.
    pub bytes_per_study_max: u64,
    /// Most rounds of one study that the site takes part in.
    #[schemars(range(min = 1, max = 100_000))]
    pub rounds_per_study_max: u32,
    /// Most rounds of all studies together, ever. The radiographs are the same in all of them, and each round tells a little
    /// more about them. The site counts them in its ledger; the count never begins anew.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub rounds_all_studies_max: u32,
}

/// At which hours, in the site's own time.
#[derive(Clone, PartialEq, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hours {
    /// The zone of the clock on the wall.
    pub time_zone: Zone,
    /// When a training may begin. An empty list permits none.
    pub training: Vec<Window>,
    /// When updates and metrics may leave. An empty list permits none.
    pub sending: Vec<Window>,
}

/// How the program that trains is held.
#[derive(Clone, PartialEq, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Training {
    /// Whether the kernel must take the network, all other files and all other programs from it.
    pub confinement: Demand,
}

/// What is done to an update so that it tells less about single patients.
#[derive(Clone, PartialEq, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Privacy {
    /// The mechanism. A study that has another one does not run.
    pub mechanism: PrivacyMechanism,
}

/// What is done to an update so that it tells less about single patients.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PrivacyMechanism {
    /// Nothing: updates leave as training made them. They hold no image, but a mathematical trace of many.
    None,
    /// Differential privacy for each radiograph. This version of the platform cannot do it, so no study runs.
    RecordLevel,
    /// Differential privacy for the site. This version of the platform cannot do it, so no study runs.
    SiteLevel,
}

impl PrivacyMechanism {
    /// The mechanism as written in policies.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::RecordLevel => "record-level",
            Self::SiteLevel => "site-level",
        }
    }
}

/// How long is kept what can be made again or has served its purpose. Radiographs, policies and the ledger are not meant here.
#[derive(Clone, PartialEq, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retention {
    /// Days that the frozen dataset of a study is kept after it was made. A study that goes on has it made anew.
    #[schemars(range(min = 1, max = 36_500))]
    pub datasets_days: u32,
    /// Days that the evidence of de-identification is kept: reviews, self-tests, records of written DICOM.
    #[schemars(range(min = 1, max = 36_500))]
    pub evidence_days: u32,
    /// Days that an update without a receipt waits to be sent.
    #[schemars(range(min = 1, max = 36_500))]
    pub outbox_days: u32,
}

impl Stage {
    /// The stage as written in policies.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::ProofOfConcept => "proof-of-concept",
            Self::Collaboration => "collaboration",
            Self::Publication => "publication",
        }
    }

    /// Whether anything may leave the site at all.
    #[must_use]
    pub const fn permits_sending(self) -> bool {
        !matches!(self, Self::Local)
    }

    /// Whether a study may be approved by its name alone.
    #[must_use]
    pub const fn permits_any_digest(self) -> bool {
        matches!(self, Self::Local | Self::ProofOfConcept)
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.code())
    }
}
