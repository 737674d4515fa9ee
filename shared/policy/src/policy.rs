//! A policy that keeps all rules of its format.

use schemars::Schema;
use snowball_protocol::{
    Sha256Digest, SiteName, StudyName,
    ids::{Purpose, UnixSeconds},
    labels::LabelName,
    plan::{Architecture, Sent},
};

use crate::document::{DeidentificationOption, DeidentificationProfile, Document, PrivacyMechanism, Stage};

/// A policy that keeps all rules of its format; made by [`parse`](crate::parse) only.
///
/// It says nothing of signatures: what a node acts on is a [`SignedPolicy`](crate::SignedPolicy).
#[derive(Clone, PartialEq, Debug)]
pub struct Policy(pub(crate) Document);

impl Policy {
    /// The JSON Schema of the file format, as `policies/schema.json` holds it.
    #[must_use]
    pub fn schema() -> Schema {
        schemars::schema_for!(Document)
    }

    /// Version of the policy, counted by its authors.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.0.version
    }

    /// The site that it is for.
    #[must_use]
    pub const fn site(&self) -> &SiteName {
        &self.0.site
    }

    /// How far the approval goes.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.0.stage
    }

    /// The board that approved it.
    #[must_use]
    pub fn board(&self) -> &str {
        &self.0.approval.board
    }

    /// The board's reference.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.0.approval.reference
    }

    /// The first second at which it holds.
    #[must_use]
    pub fn begins(&self) -> UnixSeconds {
        self.0.approval.approved_on.begins()
    }

    /// The first second at which it no longer holds: the midnight (UTC) after its last day.
    #[must_use]
    pub fn expires(&self) -> UnixSeconds {
        self.0.approval.expires_on.ends()
    }

    /// Why the data may be used.
    #[must_use]
    pub fn purposes(&self) -> &[Purpose] {
        &self.0.purposes.allowed
    }

    /// The studies that may run, by name.
    #[must_use]
    pub fn studies(&self) -> &[StudyName] {
        &self.0.studies.allowed
    }

    /// The approved plans.
    #[must_use]
    pub fn plan_digests(&self) -> &[Sha256Digest] {
        &self.0.studies.digests
    }

    /// Whether every plan of the named studies is approved.
    #[must_use]
    pub const fn approves_any_digest(&self) -> bool {
        self.0.studies.any_digest_of_named_studies && self.0.stage.permits_any_digest()
    }

    /// What a network may learn to tell.
    #[must_use]
    pub fn labels(&self) -> &[LabelName] {
        &self.0.labels.allowed
    }

    /// Whether a network may learn `label`: it is listed, and what it rests on may be retained.
    #[must_use]
    pub fn allows_label(&self, label: LabelName) -> bool {
        self.0.labels.allowed.contains(&label) && required_option(label).is_none_or(|option| self.retains(option))
    }

    /// Which networks may be trained.
    #[must_use]
    pub fn architectures(&self) -> &[Architecture] {
        &self.0.architectures.allowed
    }

    /// Largest side of a network's input, in pixels.
    #[must_use]
    pub const fn input_side_max(&self) -> u32 {
        self.0.architectures.input_side_max
    }

    /// How radiographs are de-identified.
    #[must_use]
    pub const fn deidentification_profile(&self) -> DeidentificationProfile {
        self.0.deidentification.profile
    }

    /// What de-identification may retain.
    #[must_use]
    pub fn deidentification_options(&self) -> &[DeidentificationOption] {
        &self.0.deidentification.options
    }

    /// Whether de-identification may retain what `option` names.
    #[must_use]
    pub fn retains(&self, option: DeidentificationOption) -> bool {
        self.0.deidentification.options.contains(&option)
    }

    /// Fewest patients that a network may be trained on.
    #[must_use]
    pub const fn training_patients_min(&self) -> u64 {
        self.0.cohort.training_patients_min
    }

    /// Fewest radiographs in any class that is trained on and in any count that leaves.
    #[must_use]
    pub const fn cell_min(&self) -> u64 {
        self.0.cohort.cell_min
    }

    /// Whether `kind` may leave the site.
    #[must_use]
    pub fn releases(&self, kind: Sent) -> bool {
        self.0.stage.permits_sending() && self.0.release.allowed.contains(&kind)
    }

    /// Most bytes that may leave in one round of a study.
    #[must_use]
    pub const fn bytes_per_round_max(&self) -> u64 {
        self.0.limits.bytes_per_round_max
    }

    /// Most rounds of one study.
    #[must_use]
    pub const fn rounds_max(&self) -> u32 {
        self.0.limits.rounds_max
    }

    /// What is done to an update before it leaves.
    #[must_use]
    pub const fn privacy_mechanism(&self) -> PrivacyMechanism {
        self.0.privacy.mechanism
    }
}

/// The option without which `label` may not be used.
pub(crate) const fn required_option(label: LabelName) -> Option<DeidentificationOption> {
    match label {
        LabelName::Sex | LabelName::Age => Some(DeidentificationOption::RetainPatientCharacteristics),
        LabelName::BodyPart | LabelName::View | LabelName::Laterality => None,
    }
}
