//! The same lines in French.

use snowball_protocol::{RoundNumber, SiteName, intake::Disposition};

use super::{code_word, shown};
use crate::Entry;

impl Entry {
    /// As [`describe`](Self::describe), in plain French. Codes and clauses stay as they are written everywhere.
    #[must_use]
    pub fn describe_in_french(&self) -> String {
        match self {
            Self::NodeInitialised { site, program_version } => {
                format!("nœud de {site} mis en place, version {}", shown(program_version))
            }
            Self::AggregatorInitialised {
                consortium,
                program_version,
            } => format!(
                "agrégateur de {} mis en place, version {}",
                shown(consortium),
                shown(program_version)
            ),
            Self::ProgramStarted { program_version } => {
                format!("programme démarré, version {}", shown(program_version))
            }
            Self::UnfinishedWriteRemoved { bytes } => {
                format!(
                    "{bytes} octets d'une écriture inachevée retirés après une panne ; rien n'en avait été confirmé"
                )
            }
            Self::ArchiveClosed { first, entries } => {
                format!(
                    "les entrées {first} à {} sont devenues une archive",
                    entries.saturating_sub(1)
                )
            }
            Self::PolicyInstalled {
                policy_digest,
                version,
                stage,
            } => format!(
                "politique {} en vigueur, version {version}, stade {}",
                policy_digest.short(),
                shown(stage)
            ),
            _ => self.sites_in_french(),
        }
    }

    fn sites_in_french(&self) -> String {
        match self {
            Self::InvitationMade { site } => format!("{site} a été invité"),
            Self::EnrolmentRequested { site, key_fingerprint } => {
                format!("{site} a demandé un certificat pour la clé {}", key_fingerprint.short())
            }
            Self::InvitationContested { site, key_fingerprint } => format!(
                "quelqu'un, avec la clé {}, a essayé l'invitation de {site}, déjà utilisée par une autre clé",
                key_fingerprint.short()
            ),
            Self::EnrolmentApproved {
                site,
                key_fingerprint,
                certificate_serial,
                reason,
            } => format!(
                "{site} a été admis avec la clé {}, certificat {} : {}",
                key_fingerprint.short(),
                shown(certificate_serial),
                shown(reason)
            ),
            Self::EnrolmentRefused { site, reason } => format!("{site} a été refusé : {}", shown(reason)),
            Self::SiteRevoked { site, reason } => format!("{site} a été exclu : {}", shown(reason)),
            Self::SiteHeadKept { site, head } => {
                format!("la tête de {site} a été contresignée et gardée : {}", size(head))
            }
            Self::HeadsExchanged {
                site_head,
                aggregator_head,
            } => format!(
                "têtes échangées : {} ici, {} chez l'agrégateur",
                size(site_head),
                size(aggregator_head)
            ),
            Self::HeadRefused { owner, head, code } => format!(
                "{} a montré une tête de {} qui contredit celle gardée auparavant : {}",
                shown(owner),
                size(head),
                code_word(*code)
            ),
            _ => self.certificates_in_french(),
        }
    }

    fn certificates_in_french(&self) -> String {
        match self {
            Self::CertificateReceived { certificate_serial } => {
                format!("certificat {} reçu", shown(certificate_serial))
            }
            Self::CertificateRenewed {
                site,
                key_fingerprint,
                certificate_serial,
                previous_serial,
            } => format!(
                "{site} a renouvelé son certificat {} : désormais {}, clé {}",
                shown(previous_serial),
                shown(certificate_serial),
                key_fingerprint.short()
            ),
            Self::CertificateRevoked {
                site,
                certificate_serial,
                reason,
            } => format!(
                "certificat {} de {site} révoqué : {}",
                shown(certificate_serial),
                shown(reason)
            ),
            Self::ServerCertificateRenewed {
                certificate_serial,
                authority,
            } => format!(
                "certificat du serveur renouvelé : désormais {}, de l'AC {}",
                shown(certificate_serial),
                authority.short()
            ),
            Self::AuthorityAdded {
                authority,
                number,
                reason,
            } => format!("AC {} ajoutée, liste {number} : {}", authority.short(), shown(reason)),
            Self::AuthorityRetired {
                authority,
                number,
                sites_cut_off,
                reason,
            } => format!(
                "AC {} retirée, liste {number}, sites coupés : {sites_cut_off} : {}",
                authority.short(),
                shown(reason)
            ),
            Self::AuthoritiesTaken { number, authorities } => {
                let short: Vec<String> = authorities.iter().take(8).map(|digest| digest.short()).collect();
                format!("liste {number} des AC adoptée : {}", short.join(", "))
            }
            _ => self.board_in_french(),
        }
    }

    fn board_in_french(&self) -> String {
        match self {
            Self::PolicySuperseded {
                policy_digest,
                superseded_digest,
                forced_reason,
            } => {
                let forced = forced_reason
                    .as_ref()
                    .map_or_else(String::new, |reason| format!(", de force : {}", shown(reason)));
                format!(
                    "la politique {} a remplacé la politique {}{forced}",
                    policy_digest.short(),
                    superseded_digest.short()
                )
            }
            Self::EthicsKeyPinned { key_fingerprint } => {
                format!("la clé du comité d'éthique est désormais {}", key_fingerprint.short())
            }
            Self::EthicsKeyReplaced {
                key_fingerprint,
                previous_fingerprint,
                account,
                reason,
            } => format!(
                "{} a remplacé la clé {} du comité d'éthique par {} : {}",
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
                "durée de conservation écoulée selon la politique {} : retirés {datasets} jeux de données, {evidence} preuves, {updates} \
                 mises à jour",
                policy_digest.short()
            ),
            Self::KeptParametersRemoved { study } => {
                format!("ce que ce site gardait pour lui du réseau de {study} a été retiré")
            }
            Self::SelftestFinished {
                seed,
                files,
                policy_digest,
                passed,
            } => format!(
                "autotest sur {files} fichiers fictifs, graine {seed}, selon {} : {}",
                policy_digest.map_or_else(
                    || "le profil le plus strict".to_owned(),
                    |digest| format!("la politique {}", digest.short())
                ),
                if *passed { "réussi" } else { "échoué" }
            ),
            Self::ReviewPlanned {
                plan_digest,
                pictures,
                drawn,
                account,
            } => format!(
                "{} a tiré {drawn} images sur {pictures} pour la relecture {}",
                shown(account),
                plan_digest.short()
            ),
            Self::ReviewRecorded {
                plan_digest,
                reviewer,
                looked_at,
                found,
            } => format!(
                "{} a regardé {looked_at} images de la relecture {} : du texte sur {found}",
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
                "{} a fait une sauvegarde de {files} fichiers, {bytes} octets, liste {} : {}",
                shown(account),
                files_digest.short(),
                match (keys, vault_key) {
                    (false, _) => "sans les clés",
                    (true, false) => "avec les clés",
                    (true, true) => "avec les clés, dont celle du coffre des correspondances",
                }
            ),
            _ => self.files_in_french(),
        }
    }

    fn files_in_french(&self) -> String {
        match self {
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
                format!("entrée : acceptés {accepted}, en quarantaine {quarantined}, rejetés {rejected}{why}")
            }
            Self::ImageExcluded {
                file_digest,
                reason,
                disposition,
            } => format!(
                "fichier {} {} : {}",
                file_digest.short(),
                fate(*disposition),
                reason.code()
            ),
            Self::DatasetFrozen {
                study,
                dataset_digest,
                training,
                validation,
                testing,
            } => format!(
                "jeu de données {} pour {study} : radiographies d'entraînement {training}, de validation {validation}, de test {testing}",
                dataset_digest.short()
            ),
            Self::DatasetPrepared {
                study,
                dataset_digest,
                radiographs,
            } => format!(
                "jeu de données {} de toutes les radiographies ({radiographs}), pour interroger le modèle de {study} ; rien n'en est appris",
                dataset_digest.short()
            ),
            Self::DeidentifyFinished {
                policy_digest,
                edition,
                records,
                written,
                quarantined,
                rejected,
                ..
            } => format!(
                "DICOM désidentifié {} : écrits {written}, en quarantaine {quarantined}, rejetés {rejected}, selon la politique {} et \
                 PS3.15 {}",
                shown(records),
                policy_digest.short(),
                shown(edition)
            ),
            Self::QuarantineReviewed {
                file_digest,
                waived,
                reviewer,
                reason,
                disposition,
                ..
            } => format!(
                "fichier {} relu par {}, {} levé : {} ; {}",
                file_digest.short(),
                shown(reviewer),
                waived.code(),
                shown(reason),
                fate(*disposition)
            ),
            Self::QuarantinePictureShown { file_digest, account } => format!(
                "{} a regardé l'image du fichier en quarantaine {}",
                shown(account),
                file_digest.short()
            ),
            Self::QuarantineDiscarded {
                file_digest,
                account,
                reviewer,
                reason,
            } => {
                let who = reviewer.as_ref().unwrap_or(account);
                let why = reason.as_ref().map(|reason| format!(" : {}", shown(reason)));
                format!(
                    "{} a écarté le fichier en quarantaine {}{}",
                    shown(who),
                    file_digest.short(),
                    why.unwrap_or_default()
                )
            }
            _ => self.patients_in_french(),
        }
    }

    fn patients_in_french(&self) -> String {
        match self {
            Self::LinkageShown {
                subject,
                account,
                reason,
                studies,
            } => format!(
                "{} a cherché le pseudonyme {} (études : {studies}) : {}",
                shown(account),
                subject.short(),
                shown(reason)
            ),
            Self::LinkageDestroyed { account, links } => {
                format!(
                    "{} a détruit le coffre des correspondances, liens : {links}",
                    shown(account)
                )
            }
            Self::PatientWithdrawn {
                subject,
                radiographs,
                datasets,
                quarantined,
                links,
                studies,
            } => format!(
                "le patient {} s'est retiré : retirés radiographies {radiographs}, jeux de données {datasets}, fichiers en quarantaine \
                 {quarantined}, liens {links} ; études qui en avaient appris : {}",
                subject.short(),
                studies.len()
            ),
            _ => self.studies_in_french(),
        }
    }

    fn studies_in_french(&self) -> String {
        match self {
            Self::StudyCreated { study, plan_digest } => format!("étude {study} créée, plan {}", plan_digest.short()),
            Self::StudyStarted { study } => format!("étude {study} ouverte aux sites"),
            Self::StudyPaused { study, reason } => format!("étude {study} suspendue : {}", shown(reason)),
            Self::StudyResumed { study } => format!("étude {study} reprise"),
            Self::StudyAborted { study, reason } => format!("étude {study} abandonnée : {}", shown(reason)),
            Self::StudyFinished { study, model } => format!("étude {study} terminée avec le modèle {}", model.short()),
            Self::StudyPreviewed {
                study,
                plan_digest,
                preview_digest,
                account,
            } => format!(
                "{} s'est fait montrer ce qui sortirait dans {study}, plan {} : aperçu {} ; rien n'a été envoyé",
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
                "{} {} {study}, plan {} : {}",
                shown(reviewer),
                if *withheld {
                    "tient ce site à l'écart de"
                } else {
                    "laisse de nouveau ce site participer à"
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
                "{} participe à {study}, plan {}, politique {}",
                whose(site),
                plan_digest.short(),
                policy_digest.short()
            ),
            Self::StudyDeclined {
                study,
                site,
                plan_digest,
                clause,
            } => format!(
                "{} décline {study}, plan {}, selon {}",
                whose(site),
                plan_digest.short(),
                shown(clause)
            ),
            Self::DecisionMade {
                study,
                round,
                action,
                permitted,
                clause,
                policy_digest,
            } => format!(
                "la politique {} {} : {}, pour {study}{}, selon {}",
                policy_digest.map_or_else(|| "(aucune)".to_owned(), |digest| digest.short()),
                if *permitted { "permet" } else { "refuse" },
                action_word(action),
                in_round(*round),
                shown(clause)
            ),
            Self::ReleaseSigned { study, release_digest } => {
                format!("publication {} de {study} signée", release_digest.short())
            }
            _ => self.rounds_in_french(),
        }
    }

    fn rounds_in_french(&self) -> String {
        match self {
            Self::RoundOpened { study, round, model_in } => {
                format!("{study} : tour {round} ouvert depuis le modèle {}", model_in.short())
            }
            Self::RoundFinished {
                study,
                round,
                model_in,
                model_out,
                contributions,
                ..
            } => format!(
                "{study} : tour {round} terminé, mises à jour {contributions}, le modèle {} devient {}",
                model_in.short(),
                model_out.short()
            ),
            Self::TrainingFinished {
                study,
                round,
                examples,
                update_digest,
                ..
            } => format!(
                "{study} : tour {round} entraîné sur {examples} radiographies, mise à jour {}",
                update_digest.short()
            ),
            Self::OwnModelTrained { study, rounds, model } => format!(
                "{study} : le modèle propre au site a été entraîné, tours {rounds}, pour comparer : {} ; il reste ici",
                model.short()
            ),
            Self::UpdateAdmitted {
                site,
                study,
                round,
                update_digest,
                examples,
                ..
            } => format!(
                "la mise à jour {} de {site} compte dans {study}, tour {round}, exemples {examples}",
                update_digest.short()
            ),
            Self::UpdateRefused {
                site,
                study,
                round,
                code,
            } => format!(
                "la mise à jour de {site} pour {study}, tour {round}, a été refusée : {}",
                code_word(*code)
            ),
            Self::EvaluationAdmitted { site, study, digest } => format!(
                "l'évaluation {} de {site} compte pour le modèle final de {study}",
                digest.short()
            ),
            _ => self.leaving_in_french(),
        }
    }

    fn leaving_in_french(&self) -> String {
        match self {
            Self::UpdateApproved {
                study,
                round,
                attempt,
                update_digest,
                bytes,
                clause,
                ..
            } => format!(
                "la mise à jour {} de {study}, tour {round} (essai {}, {bytes} octets), peut sortir, selon {}",
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
                "les mesures {} de {study}{} ({bytes} octets{}) peuvent sortir, selon {}",
                digest.short(),
                in_round(*round),
                with_details(*detailed),
                shown(clause)
            ),
            Self::DisclosureSent { kind, digest, bytes } => {
                format!("envoyé : {} {} ({bytes} octets)", shown(kind), digest.short())
            }
            Self::ReceiptKept { receipt } => format!(
                "l'agrégateur a donné un reçu pour la mise à jour {} de {}, tour {}, exemples {}",
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
                "{study} est terminée, et l'agrégateur n'a pas de reçu pour la mise à jour {} du tour {round} : aucune de ce site n'y compte",
                update_digest.short()
            ),
            Self::RoundOutcomeKept { outcome } => format!(
                "selon l'agrégateur, le tour {} de {} a fait le modèle {} du modèle {}, mises à jour {}",
                outcome.outcome.round,
                outcome.outcome.study,
                outcome.outcome.model_out.short(),
                outcome.outcome.model_in.short(),
                outcome.outcome.contributions
            ),
            // Every kind has its arm; a test walks through all of them.
            _ => self.kind().replace('_', " "),
        }
    }
}

fn size(note: &str) -> String {
    format!("{} entrées", shown(note.lines().nth(1).unwrap_or("nombre inconnu d'")))
}

fn whose(site: &Option<SiteName>) -> String {
    site.as_ref().map_or_else(|| "ce site".to_owned(), ToString::to_string)
}

fn in_round(round: Option<RoundNumber>) -> String {
    round.map_or_else(String::new, |round| format!(", tour {round}"))
}

const fn fate(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Accepted => "accepté",
        Disposition::Quarantined => "mis en quarantaine",
        Disposition::Rejected => "rejeté",
    }
}

/// The actions that a policy is asked about.
fn action_word(action: &str) -> String {
    match action {
        "join" => "participer".to_owned(),
        "train" => "entraîner".to_owned(),
        "send update" => "envoyer une mise à jour".to_owned(),
        "send metrics" => "envoyer des mesures".to_owned(),
        "send detailed metrics" => "envoyer des mesures détaillées".to_owned(),
        other => shown(other),
    }
}

fn with_details(detailed: Option<bool>) -> &'static str {
    if detailed == Some(true) { ", avec détails" } else { "" }
}
