//! A policy that keeps all rules of its format.

use schemars::Schema;
use snowball_protocol::{
    Sha256Digest, SiteName, StudyName,
    ids::{Purpose, UnixSeconds},
    labels::LabelName,
    plan::{Architecture, Sent},
};

use crate::{
    document::{Approval, DeidentificationOption, DeidentificationProfile, Demand, Document, PrivacyMechanism, Stage},
    hours,
};

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

    /// The digest of the policy that this one takes the place of.
    #[must_use]
    pub const fn supersedes(&self) -> Option<Sha256Digest> {
        self.0.supersedes
    }

    /// The farthest stage that the board approved anything at.
    #[must_use]
    pub fn stage(&self) -> Stage {
        let stages = self.0.approvals.iter().map(|approval| approval.stage);
        stages.max().unwrap_or(Stage::Local)
    }

    /// The stages that the board approved something at, from the first on.
    #[must_use]
    pub fn stages(&self) -> Vec<Stage> {
        let mut stages: Vec<_> = self.0.approvals.iter().map(|approval| approval.stage).collect();
        stages.sort_unstable();
        stages.dedup();
        stages
    }

    /// The board of the farthest stage.
    #[must_use]
    pub fn board(&self) -> &str {
        self.farthest().map_or("", |approval| &approval.board)
    }

    /// The board's reference of the farthest stage.
    #[must_use]
    pub fn reference(&self) -> &str {
        self.farthest().map_or("", |approval| &approval.reference)
    }

    fn farthest(&self) -> Option<&Approval> {
        let stage = self.stage();
        self.0.approvals.iter().find(|approval| approval.stage == stage)
    }

    /// The first second at which one of its approvals holds.
    #[must_use]
    pub fn begins(&self) -> UnixSeconds {
        let days = self.0.approvals.iter().map(|approval| approval.approved_on.begins());
        days.min().unwrap_or(UnixSeconds::MAX)
    }

    /// The first second at which none of its approvals holds any more: the midnight (UTC) after the last day.
    #[must_use]
    pub fn expires(&self) -> UnixSeconds {
        let days = self.0.approvals.iter().map(|approval| approval.expires_on.ends());
        days.max().unwrap_or(UnixSeconds::MIN)
    }

    /// Whether an approval of `stage` names `study`, at whatever time and for whatever plan.
    #[must_use]
    pub fn names(&self, stage: Stage, study: &StudyName) -> bool {
        let mut approvals = self.0.approvals.iter();
        approvals.any(|approval| approval.stage == stage && approval.studies.contains(study))
    }

    /// The approved plans of `stage`.
    pub fn plan_digests(&self, stage: Stage) -> impl Iterator<Item = Sha256Digest> {
        let approvals = self.0.approvals.iter().filter(move |approval| approval.stage == stage);
        approvals.flat_map(|approval| approval.digests.iter().copied())
    }

    /// Whether some approval of `stage` approves every plan of the studies that it names.
    #[must_use]
    pub fn approves_any_digest(&self, stage: Stage) -> bool {
        let mut approvals = self.0.approvals.iter();
        approvals.any(|approval| approval.stage == stage && approval.approves_any_digest())
    }

    /// Why the data may be used.
    #[must_use]
    pub fn purposes(&self) -> &[Purpose] {
        &self.0.purposes.allowed
    }

    /// What a network may learn to tell.
    #[must_use]
    pub fn labels(&self) -> &[LabelName] {
        &self.0.labels.allowed
    }

    /// Whether a network may learn `label`: it is listed, and what it rests on may be retained; or the trainer makes it, which tells
    /// nothing of a patient and needs no permission.
    #[must_use]
    pub fn allows_label(&self, label: LabelName) -> bool {
        label.is_made()
            || self.0.labels.allowed.contains(&label)
                && required_option(label).is_none_or(|option| self.retains(option))
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

    /// Fewest sites in a study and fewest updates in each of its rounds.
    #[must_use]
    pub const fn sites_min(&self) -> u32 {
        self.0.aggregation.sites_min
    }

    /// Whether the aggregator must be unable to read a single site's update.
    #[must_use]
    pub const fn secure_aggregation(&self) -> Demand {
        self.0.aggregation.secure_aggregation
    }

    /// Whether `kind` may leave the site. Detailed metrics go along with metrics, so both must be allowed.
    #[must_use]
    pub fn releases(&self, kind: Sent) -> bool {
        let lists = |kind| self.0.release.allowed.contains(&kind);
        self.stage().permits_sending() && lists(kind) && (kind != Sent::DetailedMetrics || lists(Sent::Metrics))
    }

    /// Most bytes that may leave in one round of a study.
    #[must_use]
    pub const fn bytes_per_round_max(&self) -> u64 {
        self.0.limits.bytes_per_round_max
    }

    /// Most bytes that may leave in any 24 hours.
    #[must_use]
    pub const fn bytes_per_day_max(&self) -> u64 {
        self.0.limits.bytes_per_day_max
    }

    /// Most bytes of one study.
    #[must_use]
    pub const fn bytes_per_study_max(&self) -> u64 {
        self.0.limits.bytes_per_study_max
    }

    /// Most rounds of one study.
    #[must_use]
    pub const fn rounds_per_study_max(&self) -> u32 {
        self.0.limits.rounds_per_study_max
    }

    /// Most rounds of all studies together, ever.
    #[must_use]
    pub const fn rounds_all_studies_max(&self) -> u32 {
        self.0.limits.rounds_all_studies_max
    }

    /// Whether a training may begin at this hour.
    #[must_use]
    pub fn is_hour_for_training(&self, now: UnixSeconds) -> bool {
        hours::is_within(&self.0.hours.training, &self.0.hours.time_zone, now)
    }

    /// Whether updates and metrics may leave at this hour.
    #[must_use]
    pub fn is_hour_for_sending(&self, now: UnixSeconds) -> bool {
        hours::is_within(&self.0.hours.sending, &self.0.hours.time_zone, now)
    }

    /// Whether the kernel must hold the program that trains.
    #[must_use]
    pub const fn confinement(&self) -> Demand {
        self.0.training.confinement
    }

    /// What is done to an update before it leaves.
    #[must_use]
    pub const fn privacy_mechanism(&self) -> PrivacyMechanism {
        self.0.privacy.mechanism
    }
}

impl Approval {
    /// Whether every plan of the named studies is approved.
    pub(crate) const fn approves_any_digest(&self) -> bool {
        self.any_digest_of_named_studies && self.stage.permits_any_digest()
    }
}

/// The option without which `label` may not be used.
pub(crate) const fn required_option(label: LabelName) -> Option<DeidentificationOption> {
    match label {
        LabelName::Sex | LabelName::Age => Some(DeidentificationOption::RetainPatientCharacteristics),
        LabelName::BodyPart
        | LabelName::View
        | LabelName::Laterality
        | LabelName::Rotation
        | LabelName::Jigsaw
        | LabelName::Site(_) => None,
    }
}
