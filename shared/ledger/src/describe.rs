//! One line per entry, in plain English and, in a file of its own, in French, for `ledger show`.

mod french;

use snowball_protocol::{ProblemCode, RoundNumber, SiteName};

use crate::Entry;

/// Longest piece of text of an entry that is shown, in characters; the file has it whole.
const TEXT_CHARACTERS_MAX: usize = 200;

impl Entry {
    /// What happened, in one line. Digests are shortened; text is shown without line ends or control characters, so an
    /// entry cannot paint over a terminal.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::NodeInitialised { site, program_version } => {
                format!("node of {site} was set up by version {}", shown(program_version))
            }
            Self::AggregatorInitialised {
                consortium,
                program_version,
            } => {
                format!(
                    "aggregator of {} was set up by version {}",
                    shown(consortium),
                    shown(program_version)
                )
            }
            Self::ProgramStarted { program_version } => format!("program started, version {}", shown(program_version)),
            Self::UnfinishedWriteRemoved { bytes } => {
                format!("{bytes} bytes of an unfinished write were removed after a crash; none was acknowledged")
            }
            Self::ArchiveClosed { first, entries } => {
                format!("records {first} to {} became an archive", entries.saturating_sub(1))
            }
            Self::InvitationMade { site } => format!("{site} was invited"),
            Self::EnrolmentRequested { site, key_fingerprint } => {
                format!("{site} asked for a certificate for key {}", key_fingerprint.short())
            }
            Self::InvitationContested { site, key_fingerprint } => format!(
                "somebody with key {} tried to use {site}'s invitation, which another key had used",
                key_fingerprint.short()
            ),
            Self::EnrolmentApproved {
                site,
                key_fingerprint,
                certificate_serial,
                reason,
            } => format!(
                "{site} was approved with key {}, certificate {}: {}",
                key_fingerprint.short(),
                shown(certificate_serial),
                shown(reason)
            ),
            Self::EnrolmentRefused { site, reason } => format!("{site} was refused: {}", shown(reason)),
            Self::CertificateReceived { certificate_serial } => {
                format!("certificate {} was received", shown(certificate_serial))
            }
            Self::CertificateRenewed {
                site,
                key_fingerprint,
                certificate_serial,
                previous_serial,
            } => format!(
                "{site} renewed its certificate {}: now {}, with key {}",
                shown(previous_serial),
                shown(certificate_serial),
                key_fingerprint.short()
            ),
            Self::SiteRevoked { site, reason } => format!("{site} was revoked: {}", shown(reason)),
            Self::CertificateRevoked {
                site,
                certificate_serial,
                reason,
            } => format!(
                "certificate {} of {site} was revoked: {}",
                shown(certificate_serial),
                shown(reason)
            ),
            Self::ServerCertificateRenewed {
                certificate_serial,
                authority,
            } => format!(
                "the server's certificate was renewed: now {}, of CA {}",
                shown(certificate_serial),
                authority.short()
            ),
            Self::AuthorityAdded {
                authority,
                number,
                reason,
            } => format!("CA {} was added, list {number}: {}", authority.short(), shown(reason)),
            Self::AuthorityRetired {
                authority,
                number,
                sites_cut_off,
                reason,
            } => format!(
                "CA {} was retired, list {number}, {sites_cut_off} sites cut off: {}",
                authority.short(),
                shown(reason)
            ),
            Self::AuthoritiesTaken { number, authorities } => {
                let short: Vec<String> = authorities.iter().take(8).map(|digest| digest.short()).collect();
                format!("list {number} of CAs was taken over: {}", short.join(", "))
            }
            Self::PolicyInstalled {
                policy_digest,
                version,
                stage,
            } => {
                format!(
                    "policy {} came into force, version {version}, stage {}",
                    policy_digest.short(),
                    shown(stage)
                )
            }
            Self::PolicySuperseded { .. }
            | Self::EthicsKeyPinned { .. }
            | Self::EthicsKeyReplaced { .. }
            | Self::RetentionApplied { .. }
            | Self::KeptParametersRemoved { .. } => self.describe_policy(),
            Self::IntakeFinished {
                accepted,
                quarantined,
                rejected,
                reasons,
            } => {
                let reasons: Vec<String> = reasons
                    .iter()
                    .map(|(reason, files)| format!("{} {files}", reason.code()))
                    .collect();
                let why = if reasons.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", reasons.join(", "))
                };
                format!("intake: {accepted} accepted, {quarantined} quarantined, {rejected} rejected{why}")
            }
            Self::ImageExcluded {
                file_digest,
                reason,
                disposition,
            } => {
                let disposition = format!("{disposition:?}").to_lowercase();
                format!("file {} was {disposition}: {}", file_digest.short(), reason.code())
            }
            Self::DatasetFrozen {
                study,
                dataset_digest,
                training,
                validation,
                testing,
            } => format!(
                "dataset {} for {study}: {training} radiographs to train, {validation} to validate, {testing} to test",
                dataset_digest.short()
            ),
            Self::DatasetPrepared {
                study,
                dataset_digest,
                radiographs,
            } => format!(
                "dataset {} of all {radiographs} radiographs, to ask the model of {study} about; nothing is learned from it",
                dataset_digest.short()
            ),
            _ => self.describe_patients(),
        }
    }

    /// What the ethics board's word does at the site.
    fn describe_policy(&self) -> String {
        match self {
            Self::PolicySuperseded {
                policy_digest,
                superseded_digest,
                forced_reason,
            } => {
                let forced = forced_reason
                    .as_ref()
                    .map_or_else(String::new, |reason| format!(", by force: {}", shown(reason)));
                format!(
                    "policy {} took the place of policy {}{forced}",
                    policy_digest.short(),
                    superseded_digest.short()
                )
            }
            Self::EthicsKeyPinned { key_fingerprint } => {
                format!("the ethics board's key is {} from now on", key_fingerprint.short())
            }
            Self::EthicsKeyReplaced {
                key_fingerprint,
                previous_fingerprint,
                account,
                reason,
            } => format!(
                "{} replaced the ethics board's key {} by {}: {}",
                shown(account),
                previous_fingerprint.short(),
                key_fingerprint.short(),
                shown(reason)
            ),
            Self::RetentionApplied {
                policy_digest,
                datasets,
                evidence,
                updates,
            } => format!(
                "kept long enough under policy {}: {datasets} datasets, {evidence} pieces of evidence, {updates} updates were \
                 removed",
                policy_digest.short()
            ),
            Self::KeptParametersRemoved { study } => {
                format!("what this site kept for itself of the network of {study} was removed")
            }
            _ => self.describe_patients(),
        }
    }

    /// What touches single patients, none of them named.
    fn describe_patients(&self) -> String {
        match self {
            Self::QuarantineReviewed {
                file_digest,
                waived,
                reviewer,
                reason,
                disposition,
                ..
            } => format!(
                "file {} was reviewed by {}, {} waived: {}; it was {}",
                file_digest.short(),
                shown(reviewer),
                waived.code(),
                shown(reason),
                format!("{disposition:?}").to_lowercase()
            ),
            Self::QuarantinePictureShown { file_digest, account } => {
                format!(
                    "{} looked at the picture of quarantined file {}",
                    shown(account),
                    file_digest.short()
                )
            }
            Self::QuarantineDiscarded {
                file_digest,
                account,
                reviewer,
                reason,
            } => {
                let who = reviewer.as_ref().unwrap_or(account);
                let why = reason.as_ref().map(|reason| format!(": {}", shown(reason)));
                format!(
                    "{} let quarantined file {} go{}",
                    shown(who),
                    file_digest.short(),
                    why.unwrap_or_default()
                )
            }
            Self::LinkageShown {
                subject,
                account,
                reason,
                studies,
            } => format!(
                "{} looked up pseudonym {} ({studies} studies): {}",
                shown(account),
                subject.short(),
                shown(reason)
            ),
            Self::LinkageDestroyed { account, links } => {
                format!("{} destroyed the linkage vault with {links} links", shown(account))
            }
            Self::PatientWithdrawn {
                subject,
                radiographs,
                datasets,
                quarantined,
                links,
                studies,
            } => format!(
                "patient {} withdrew: {radiographs} radiographs, {datasets} datasets, {quarantined} quarantined files, {links} \
                 links removed; {} studies had learned from them",
                subject.short(),
                studies.len()
            ),
            _ => self.describe_evidence(),
        }
    }

    /// What a board asks about.
    fn describe_evidence(&self) -> String {
        match self {
            Self::DeidentifyFinished {
                policy_digest,
                edition,
                records,
                written,
                quarantined,
                rejected,
                ..
            } => format!(
                "de-identified DICOM {}: {written} written, {quarantined} quarantined, {rejected} rejected, under policy {} and \
                 PS3.15 {}",
                shown(records),
                policy_digest.short(),
                shown(edition)
            ),
            Self::SelftestFinished {
                seed,
                files,
                policy_digest,
                passed,
            } => format!(
                "self-test on {files} made-up files of seed {seed} under {}: {}",
                policy_digest.map_or_else(
                    || "the strictest profile".to_owned(),
                    |digest| format!("policy {}", digest.short())
                ),
                if *passed { "passed" } else { "failed" }
            ),
            Self::ReviewPlanned {
                plan_digest,
                pictures,
                drawn,
                account,
            } => format!(
                "{} drew {drawn} of {pictures} pictures for review {}",
                shown(account),
                plan_digest.short()
            ),
            Self::ReviewRecorded {
                plan_digest,
                reviewer,
                looked_at,
                found,
            } => format!(
                "{} looked at {looked_at} pictures of review {}: {found} showed text",
                shown(reviewer),
                plan_digest.short()
            ),
            Self::BackupMade {
                files_digest,
                files,
                bytes,
                keys,
                vault_key,
                account,
            } => format!(
                "{} made a backup of {files} files, {bytes} bytes, list {}: {}",
                shown(account),
                files_digest.short(),
                match (keys, vault_key) {
                    (false, _) => "without the keys",
                    (true, false) => "with the keys",
                    (true, true) => "with the keys, that of the linkage vault among them",
                }
            ),
            _ => self.describe_study(),
        }
    }

    /// What belongs to a study, so that each half fits a screen.
    fn describe_study(&self) -> String {
        match self {
            Self::StudyCreated { study, plan_digest } => {
                format!("study {study} was made, plan {}", plan_digest.short())
            }
            Self::StudyStarted { study } => format!("study {study} was opened to sites"),
            Self::StudyPaused { study, reason } => format!("study {study} was paused: {}", shown(reason)),
            Self::StudyResumed { study } => format!("study {study} goes on"),
            Self::StudyAborted { study, reason } => format!("study {study} was abandoned: {}", shown(reason)),
            Self::StudyFinished { study, model } => format!("study {study} finished with model {}", model.short()),
            Self::StudyPreviewed {
                study,
                plan_digest,
                preview_digest,
                account,
            } => format!(
                "{} was shown what would leave in {study}, plan {}: preview {}; nothing was sent",
                shown(account),
                plan_digest.short(),
                preview_digest.short()
            ),
            Self::StudyWithheld {
                study,
                plan_digest,
                withheld,
                reviewer,
                reason,
                account: _,
            } => format!(
                "{} {} {study}, plan {}: {}",
                shown(reviewer),
                if *withheld {
                    "keeps this site out of"
                } else {
                    "lets this site take part again in"
                },
                plan_digest.short(),
                shown(reason)
            ),
            Self::StudyJoined {
                study,
                site,
                plan_digest,
                policy_digest,
            } => format!(
                "{} joined {study}, plan {}, policy {}",
                whose(site),
                plan_digest.short(),
                policy_digest.short()
            ),
            Self::StudyDeclined {
                study,
                site,
                plan_digest,
                clause,
            } => {
                format!(
                    "{} declined {study}, plan {}, by {}",
                    whose(site),
                    plan_digest.short(),
                    shown(clause)
                )
            }
            Self::DecisionMade {
                study,
                round,
                action,
                permitted,
                clause,
                policy_digest,
            } => format!(
                "policy {} {} to {} for {study}{}, by {}",
                policy_digest.map_or_else(|| "(none)".to_owned(), |digest| digest.short()),
                if *permitted { "permits" } else { "denies" },
                shown(action),
                in_round(*round),
                shown(clause)
            ),
            _ => self.describe_round(),
        }
    }

    fn describe_round(&self) -> String {
        match self {
            Self::TrainingFinished {
                study,
                round,
                examples,
                update_digest,
                ..
            } => {
                format!(
                    "trained {study} round {round} on {examples} radiographs, update {}",
                    update_digest.short()
                )
            }
            Self::OwnModelTrained { study, rounds, model } => format!(
                "trained the site's own model of {study} for {rounds} round(s), to compare with: {}; it stays",
                model.short()
            ),
            Self::UpdateApproved {
                study,
                round,
                attempt,
                update_digest,
                bytes,
                clause,
                ..
            } => format!(
                "update {} of {study} round {round} (attempt {}, {bytes} bytes) may leave, by {}",
                update_digest.short(),
                attempt.0,
                shown(clause)
            ),
            Self::MetricsApproved {
                study,
                round,
                digest,
                bytes,
                detailed,
                clause,
                ..
            } => format!(
                "metrics {} of {study}{} ({bytes} bytes{}) may leave, by {}",
                digest.short(),
                in_round(*round),
                with_details(*detailed),
                shown(clause)
            ),
            Self::DisclosureSent { kind, digest, bytes } => {
                format!("{} {} ({bytes} bytes) was sent", shown(kind), digest.short())
            }
            Self::ReceiptKept { receipt } => format!(
                "the aggregator receipted update {} of {} round {}, {} examples",
                receipt.receipt.update_digest.short(),
                receipt.receipt.study,
                receipt.receipt.round,
                receipt.receipt.examples
            ),
            Self::ReceiptNotHad {
                study,
                round,
                update_digest,
            } => format!(
                "{study} is over, and the aggregator has no receipt for update {} of round {round}: no update of this site counts in it",
                update_digest.short()
            ),
            Self::RoundOutcomeKept { outcome } => format!(
                "the aggregator says that {} round {} made model {} of model {}, from {} updates",
                outcome.outcome.study,
                outcome.outcome.round,
                outcome.outcome.model_out.short(),
                outcome.outcome.model_in.short(),
                outcome.outcome.contributions
            ),
            Self::UpdateAdmitted {
                site,
                study,
                round,
                update_digest,
                examples,
                ..
            } => format!(
                "update {} of {site} counts in {study} round {round} with {examples} examples",
                update_digest.short()
            ),
            Self::UpdateRefused {
                site,
                study,
                round,
                code,
            } => {
                let code = code_word(*code);
                format!("update of {site} for {study} round {round} was refused: {code}")
            }
            Self::EvaluationAdmitted { site, study, digest } => {
                format!(
                    "evaluation {} of {site} counts for the final model of {study}",
                    digest.short()
                )
            }
            Self::RoundOpened { study, round, model_in } => {
                format!("{study} round {round} opened from model {}", model_in.short())
            }
            Self::RoundFinished {
                study,
                round,
                model_in,
                model_out,
                contributions,
                ..
            } => format!(
                "{study} round {round} finished: {contributions} updates, model {} became {}",
                model_in.short(),
                model_out.short()
            ),
            Self::ReleaseSigned { study, release_digest } => {
                format!("release {} of {study} was signed", release_digest.short())
            }
            Self::SiteHeadKept { site, head } => {
                format!("the head of {site} was countersigned and kept: {}", size(head))
            }
            Self::HeadsExchanged {
                site_head,
                aggregator_head,
            } => format!(
                "heads were exchanged: {} here, {} at the aggregator",
                size(site_head),
                size(aggregator_head)
            ),
            Self::HeadRefused { owner, head, code } => format!(
                "{} showed a head of {} that contradicts the one kept before: {}",
                shown(owner),
                size(head),
                code_word(*code)
            ),
            // Every kind above has its arm; a test walks through all of them.
            _ => self.kind().replace('_', " "),
        }
    }
}

/// How many records a signed note answers for, as it says.
fn size(note: &str) -> String {
    format!("{} records", shown(note.lines().nth(1).unwrap_or("unknown")))
}

fn code_word(code: ProblemCode) -> String {
    let code = serde_json::to_value(code).ok();
    let code = code.as_ref().and_then(|code| code.as_str());
    code.unwrap_or("unknown").to_owned()
}

fn whose(site: &Option<SiteName>) -> String {
    site.as_ref()
        .map_or_else(|| "this site".to_owned(), ToString::to_string)
}

fn in_round(round: Option<RoundNumber>) -> String {
    round.map_or_else(String::new, |round| format!(" round {round}"))
}

fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(TEXT_CHARACTERS_MAX)
        .map(|letter| if misleads(letter) { ' ' } else { letter })
        .collect();
    if text.chars().nth(TEXT_CHARACTERS_MAX).is_some() {
        shown.push_str("...");
    }
    shown
}

/// Control characters, and the invisible ones that turn or hide the text after them.
fn misleads(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn with_details(detailed: Option<bool>) -> &'static str {
    if detailed == Some(true) { ", with details" } else { "" }
}
