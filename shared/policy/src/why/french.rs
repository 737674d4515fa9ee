//! In French: why a policy denies something, and what to do about it.

use jiff::civil::{DateTime, Weekday};
use snowball_protocol::plan::Sent;

use super::{Span, Why, codes, option_code, sent_code, time};
use crate::words::french::{bytes, count, date, list, of_stage};

pub(super) fn reason(why: &Why) -> String {
    match why {
        Why::OtherSite { policy, here } => {
            format!("la politique est celle du site {policy}, et ce site est {here}")
        }
        Why::PlanBroken { study, rule } => format!("le plan de l'étude {study} enfreint une règle : {rule}"),
        Why::NoApproval { stage } => format!("le comité n'a rien approuvé {}", of_stage(*stage)),
        Why::StudyNotNamed { study, stage } => format!(
            "l'étude {study} ne fait pas partie des études que le comité a approuvées {}",
            of_stage(*stage)
        ),
        Why::NotYet { first } => {
            format!(
                "l'approbation n'est pas encore en vigueur : elle commence le {} (UTC)",
                date(*first)
            )
        }
        Why::Expired { last } => {
            format!(
                "l'approbation a expiré : son dernier jour était le {} (UTC)",
                date(*last)
            )
        }
        Why::PlanNotApproved { study, digest } => format!(
            "ce plan de l'étude {study} n'est pas approuvé : son empreinte {digest} ne figure pas dans la liste"
        ),
        Why::Purpose { purpose } => format!("la finalité {purpose} ne fait pas partie des finalités permises"),
        Why::Labels { labels } => {
            format!(
                "l'étude apprend {}, ce que la politique ne permet pas",
                list(&codes(labels))
            )
        }
        Why::NotRetained { labels, option } => format!(
            "l'étude apprend {}, que la désidentification ne peut conserver sans l'option {}",
            list(&codes(labels)),
            option_code(*option)
        ),
        Why::Architecture { architecture } => {
            format!(
                "l'étude entraîne le réseau {}, ce que la politique ne permet pas",
                architecture.code()
            )
        }
        Why::InputSide { side, side_max } => format!(
            "l'étude utilise des images de {side} sur {side} pixels ; la politique en permet au plus {side_max} sur {side_max}"
        ),
        Why::Patients { found, min } => format!(
            "il y a {} pour l'entraînement ; la politique en exige {}",
            count(*found, "patient"),
            count(*min, "patient")
        ),
        Why::Cell { found, min } => format!(
            "la plus petite classe compte {} pour l'entraînement ; la politique en exige {}",
            count(*found, "radiographie"),
            count(*min, "radiographie")
        ),
        _ => reason_together(why),
    }
}

/// How often, how, when, and what leaves.
fn reason_together(why: &Why) -> String {
    let rounds = |number: u32| count(u64::from(number), "tour");
    match why {
        Why::StudyTooLong { planned, max } => {
            format!(
                "l'étude compte {} ; la politique en permet {}",
                rounds(*planned),
                rounds(*max)
            )
        }
        Why::RoundsSpent { spent, max } => {
            format!(
                "le site a déjà fait {} ; la politique en permet {}",
                rounds(*spent),
                rounds(*max)
            )
        }
        Why::NotConfined => {
            "le noyau de cette machine ne peut pas confiner le programme d'entraînement, et la politique l'exige"
                .to_owned()
        }
        Why::HourOfTraining { local } => {
            format!(
                "ici, il est {}, et aucun entraînement ne peut commencer à cette heure",
                hour(*local)
            )
        }
        Why::BudgetTooSmall { planned, spent, max } => format!(
            "l'étude compte {}, et le site a déjà fait {} dans d'autres études ; la politique en permet {} en tout",
            rounds(*planned),
            rounds(*spent),
            rounds(*max)
        ),
        Why::BudgetSpent { spent, max } => format!(
            "le site a fait {} dans l'ensemble des études ; la politique en permet {}",
            rounds(*spent),
            rounds(*max)
        ),
        Why::Sites { planned, min } => format!(
            "un tour de l'étude peut se contenter des mises à jour de {} ; la politique en exige {}",
            count(u64::from(*planned), "site"),
            count(u64::from(*min), "site")
        ),
        Why::NoSecureAggregation => {
            "la politique exige l'agrégation sécurisée, dont cette version de la plateforme n'est pas capable"
                .to_owned()
        }
        Why::NoMechanism { mechanism } => format!(
            "la politique exige le mécanisme de confidentialité {}, dont cette version de la plateforme n'est pas capable",
            mechanism.code()
        ),
        Why::NotReleased { kind } => format!("la politique ne permet pas que {} quittent le site", things(*kind)),
        Why::NotAsked { kind, study } => {
            format!(
                "le plan approuvé de l'étude {study} ne demande pas que {} quittent le site",
                things(*kind)
            )
        }
        Why::HourOfSending { local } => format!("ici, il est {}, et rien ne peut sortir à cette heure", hour(*local)),
        Why::Bytes { span, size, spent, max } => {
            let (before, each) = match span {
                Span::Round => ("dans ce tour", "par tour"),
                Span::Day => ("au cours des dernières 24 heures", "en 24 heures"),
                Span::Study => ("dans cette étude", "par étude"),
            };
            format!(
                "{} sortiraient après {} {before} ; la politique permet {} {each}",
                bytes(*size),
                bytes(*spent),
                bytes(*max)
            )
        }
        // Every other one has its arm in `reason`.
        _ => String::new(),
    }
}

pub(super) fn remedy(why: &Why) -> String {
    let board = |what: &str, field: &str| format!("demandez au comité d'éthique si {what} peut être ajouté à {field}");
    match why {
        Why::OtherSite { .. } => "installez la politique qui a été faite pour ce site".to_owned(),
        Why::PlanBroken { .. } => "demandez au coordinateur de corriger le plan".to_owned(),
        Why::NoApproval { stage } => format!("demandez au comité d'éthique une approbation {}", of_stage(*stage)),
        Why::StudyNotNamed { study, stage } => format!(
            "si le comité d'éthique l'approuve, ajoutez « {study} » aux études de son approbation {}, puis signez et \
             installez la politique",
            of_stage(*stage)
        ),
        Why::NotYet { .. } => "attendez ce jour, et vérifiez l'horloge de cette machine".to_owned(),
        Why::Expired { .. } => {
            "demandez au comité d'éthique de renouveler l'approbation, puis installez la politique renouvelée".to_owned()
        }
        Why::PlanNotApproved { digest, .. } => format!(
            "si le comité d'éthique approuve le plan tel qu'il est, ajoutez « {digest} » aux empreintes de cette approbation, \
             puis signez et installez la politique"
        ),
        Why::Purpose { purpose } => board(&format!("« {purpose} »"), "purposes.allowed"),
        Why::Labels { labels } => board(&list(&codes(labels)), "labels.allowed"),
        Why::NotRetained { option, .. } => {
            board(&format!("« {} »", option_code(*option)), "deidentification.options")
        }
        Why::Architecture { architecture } => board(&format!("« {} »", architecture.code()), "architectures.allowed"),
        Why::InputSide { .. } => {
            "demandez au coordinateur un plan avec des images plus petites, ou au comité d'éthique une limite plus haute"
                .to_owned()
        }
        Why::Patients { .. } => "importez davantage de radiographies, puis figez de nouveau le jeu de données".to_owned(),
        Why::Cell { .. } => "importez davantage de radiographies des classes rares ou renoncez à ces classes, puis figez de \
                             nouveau le jeu de données"
            .to_owned(),
        Why::StudyTooLong { .. } | Why::RoundsSpent { .. } => {
            "demandez au coordinateur une étude plus courte, ou au comité d'éthique davantage de tours".to_owned()
        }
        Why::NotConfined => {
            "utilisez un noyau doté de Landlock et de seccomp ; hospital-node doctor dit ce qui manque".to_owned()
        }
        Why::HourOfTraining { .. } => {
            "attendez : l'entraînement commence de lui-même aux heures que nomme hours.training".to_owned()
        }
        Why::BudgetTooSmall { .. } | Why::BudgetSpent { .. } => {
            "demandez au comité d'éthique si l'on peut encore apprendre des mêmes patients".to_owned()
        }
        Why::Sites { .. } => {
            "demandez au coordinateur une étude avec plus de sites, ou au comité d'éthique d'en exiger moins".to_owned()
        }
        Why::NoSecureAggregation | Why::NoMechanism { .. } => {
            "attendez une version qui en soit capable, ou demandez au comité d'éthique si l'étude peut s'en passer".to_owned()
        }
        Why::NotReleased { kind } => board(&format!("« {} »", sent_code(*kind)), "release.allowed"),
        Why::NotAsked { .. } => {
            "demandez au coordinateur un plan qui le nomme, et son approbation au comité d'éthique".to_owned()
        }
        Why::HourOfSending { .. } => "attendez : la sortie se fait d'elle-même aux heures que nomme hours.sending".to_owned(),
        Why::Bytes { span, .. } => match span {
            Span::Day => "attendez un jour, ou demandez au comité d'éthique une limite plus haute".to_owned(),
            Span::Round | Span::Study => {
                "demandez au coordinateur un réseau plus petit, ou au comité d'éthique une limite plus haute".to_owned()
            }
        },
    }
}

const fn things(kind: Sent) -> &'static str {
    match kind {
        Sent::Update => "des mises à jour",
        Sent::Metrics => "des mesures",
        Sent::DetailedMetrics => "des mesures détaillées",
    }
}

/// `12:00 (lundi)`.
fn hour(local: Option<DateTime>) -> String {
    let day = match local.map(DateTime::weekday) {
        Some(Weekday::Monday) => "lundi",
        Some(Weekday::Tuesday) => "mardi",
        Some(Weekday::Wednesday) => "mercredi",
        Some(Weekday::Thursday) => "jeudi",
        Some(Weekday::Friday) => "vendredi",
        Some(Weekday::Saturday) => "samedi",
        Some(Weekday::Sunday) => "dimanche",
        None => return "une heure qu'aucun calendrier ne connaît".to_owned(),
    };
    format!("{} ({day})", time(local))
}
