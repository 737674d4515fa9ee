//! The texts of the dashboard, each in English and French: here those of several pages, else one file a page.

pub mod acts;
pub mod ledger;
pub mod overview;
pub mod releases;
pub mod sites;
pub mod study;

use snowball_protocol::ProblemCode;
use snowball_web::{Message, messages};

messages! {
    COORDINATOR = "coordinator", "coordination";
    AUDITOR = "auditor", "audit";
    OVERVIEW = "Overview", "Vue d’ensemble";
    SITES = "Sites", "Sites";
    RELEASES = "Releases", "Publications";
    LEDGER = "Ledger", "Registre";
    SITE = "site", "site";
    STUDY = "study", "étude";
    ROUND = "round", "tour";
    PHASE = "phase", "phase";
    HERE = "here now", "présent";
    NOT_HERE = "not here", "absent";
    NEVER = "never", "jamais";
    NONE = "none", "aucun";
    TIME_OVER = "time over", "délai écoulé";
    PAUSED = "paused", "en pause";
    ROUND_OF = "round {round} of {rounds}", "tour {round} sur {rounds}";
    WAITS = "waits", "attend";
    TRAINS = "trains", "entraîne";
    SENDS = "sends, {percent} %", "envoie, {percent} %";
    SENT = "has sent", "a envoyé";
    EVALUATES = "evaluates the final model", "évalue le modèle final";
    EVALUATED = "has evaluated", "a évalué";
    RESTS = "rests", "se repose";
    LEFT = "takes part no more", "ne participe plus";
    DECLINED = "declined", "a refusé";
    DONE = "over", "terminé";
    LATE = "late", "en retard";
}

/// What the coordinator or the site can do about a refusal.
pub const fn remedy(code: ProblemCode) -> Message {
    let french = match code {
        ProblemCode::CertificateMissing => "enrôlez ce nœud : `hospital-node enroll INVITATION`",
        ProblemCode::CertificateRevoked => {
            "demandez au coordinateur pourquoi le site a été révoqué, puis enrôlez à nouveau"
        }
        ProblemCode::InvitationInvalid => {
            "demandez au coordinateur une nouvelle invitation : `aggregator invite --site NAME`"
        }
        ProblemCode::RequestInvalid => "relancez `hospital-node enroll` avec l’invitation faite pour ce site",
        ProblemCode::EnrolmentRefused => "demandez au coordinateur le motif et une nouvelle invitation",
        ProblemCode::VersionUnsupported => "mettez à jour le côté que nomme le motif",
        ProblemCode::ClockSkew => "réglez l’horloge de cette machine par NTP",
        ProblemCode::NotFound => "vérifiez le nom ; l’étude est peut-être terminée",
        ProblemCode::StudyClosed => "attendez que l’étude s’ouvre, ou quittez-la",
        ProblemCode::NotJoined => "rejoignez d’abord l’étude",
        ProblemCode::RoundClosed => "prenez la tâche suivante ; rien n’est perdu",
        ProblemCode::AlreadyContributed => "prenez la tâche suivante ; la première mise à jour de ce tour compte",
        ProblemCode::PlanMismatch => "récupérez le plan à nouveau et approuvez son empreinte",
        ProblemCode::LayoutMismatch => "vérifiez que nœud et agrégateur sont de versions compatibles",
        ProblemCode::DigestMismatch => "envoyez la mise à jour à nouveau",
        ProblemCode::OffsetMismatch => "demandez où en est l’envoi et continuez de là",
        ProblemCode::NotFinite => "regardez le journal d’entraînement ; la mise à jour contient NaN ou l’infini",
        ProblemCode::NormExceeded => {
            "réduisez le taux d’apprentissage ou les pas locaux ; la mise à jour dépasse ce que permet le plan"
        }
        ProblemCode::KeptParameters => {
            "mettez le nœud à la version de l’agrégateur : ces valeurs ne doivent pas quitter le site"
        }
        ProblemCode::ExamplesOutOfRange => "vérifiez le jeu de données ; il faut au moins un exemple",
        ProblemCode::TooLarge => "envoyez moins",
        ProblemCode::Malformed => "corrigez le document comme le dit le motif",
        ProblemCode::LedgerHeadMissing => {
            "envoyez d’abord la tête signée du registre, puis annoncez la mise à jour à nouveau"
        }
        ProblemCode::LedgerRewound | ProblemCode::LedgerForked => {
            "gardez le registre tel quel pour l’auditeur ; si une copie ancienne a été remise, remettez la plus récente"
        }
        ProblemCode::Busy => "réessayez dans un instant",
        ProblemCode::Internal => "regardez le journal du côté qui a répondu",
    };
    Message {
        english: code.remedy(),
        french,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = (&'static str, Message)> {
        let tables = [
            ALL,
            acts::ALL,
            ledger::ALL,
            overview::ALL,
            releases::ALL,
            sites::ALL,
            study::ALL,
        ];
        tables.into_iter().flatten().copied()
    }

    #[test]
    fn both_languages_tell_the_same_values() {
        for (name, message) in all() {
            assert_eq!(message.fault(), None, "{name}");
        }
    }

    #[test]
    fn french_is_written_with_its_own_signs() {
        for (name, message) in all() {
            let french = message.french;
            assert!(!french.contains('\''), "{name}: a straight apostrophe");
            for mark in [':', ';', '?', '!', '%'] {
                for (place, _) in french.match_indices(mark) {
                    assert!(french[..place].ends_with(' '), "{name}: no space before {mark}");
                }
            }
        }
    }
}
