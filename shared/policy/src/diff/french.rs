//! In French.

use snowball_confidentiality::Language;

use super::{Change, Demanded, Effect, List, Number, OfApproval, Text};
use crate::{
    document::{Demand, Stage},
    retention::Keepsake,
    words::french::{bytes, count, date, list, of_stage},
};

pub(super) fn sentence(change: &Change) -> String {
    match change {
        Change::Text { what, from, to } => {
            let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "aucune".to_owned());
            format!("{} : {} devient {}.", text(*what), shown(from), shown(to))
        }
        Change::Number { what, from, to, effect } => with(
            &format!(
                "{} : {} au lieu de {}.",
                number(*what),
                amount(*what, *to),
                amount(*what, *from)
            ),
            *effect,
        ),
        Change::Entry { what, name, is_added } => with(&entry(*what, name, *is_added), Effect::of(*is_added)),
        Change::Demand { what, now } => with(demand(*what, *now), Effect::of(*now == Demand::NotRequired)),
        Change::Mechanism { from, to, effect } => with(
            &format!("Mécanisme de confidentialité : {} devient {}.", from.code(), to.code()),
            *effect,
        ),
        Change::Attributes {
            from,
            to,
            attributes,
            effect,
        } => {
            let (from, to) = (from.words(Language::French), to.words(Language::French));
            let verb = if *attributes == 1 {
                "attribut passe"
            } else {
                "attributs passent"
            };
            with(
                &format!("Dans le DICOM désidentifié, {attributes} {verb} de « {from} » à « {to} »."),
                *effect,
            )
        }
        Change::Approval { stage, reference, what } => approval(*stage, reference, what),
    }
}

fn with(sentence: &str, effect: Effect) -> String {
    match effect {
        Effect::More => format!("{sentence} Cela permet davantage."),
        Effect::Less => format!("{sentence} Cela permet moins."),
        Effect::Neither => sentence.to_owned(),
    }
}

const fn text(what: Text) -> &'static str {
    match what {
        Text::Site => "Site",
        Text::Version => "Version",
        Text::Supersedes => "Politique remplacée",
        Text::Profile => "Profil de désidentification",
        Text::TimeZone => "Fuseau horaire",
    }
}

const fn number(what: Number) -> &'static str {
    match what {
        Number::InputSide => "Plus grand côté d'une image",
        Number::Patients => "Plus petit nombre de patients pour l'entraînement",
        Number::Cell => "Plus petite classe ou plus petit nombre montré",
        Number::Sites => "Plus petit nombre d'hôpitaux dans un tour",
        Number::RoundsPerStudy => "Plus grand nombre de tours d'une étude",
        Number::RoundsAllStudies => "Plus grand nombre de tours de l'ensemble des études",
        Number::BytesPerRound => "Ce qui peut sortir au plus dans un tour",
        Number::BytesPerDay => "Ce qui peut sortir au plus en 24 heures",
        Number::BytesPerStudy => "Ce qui peut sortir au plus dans une étude",
        Number::Kept(Keepsake::Dataset) => "Durée de conservation des données choisies pour une étude",
        Number::Kept(Keepsake::Evidence) => "Durée de conservation des preuves",
        Number::Kept(Keepsake::Outbox) => "Durée d'attente d'une mise à jour avant son envoi",
    }
}

fn amount(what: Number, number: u64) -> String {
    match what {
        Number::InputSide => count(number, "pixel"),
        Number::Patients => count(number, "patient"),
        Number::Cell => count(number, "radiographie"),
        Number::Sites => format!("{number}"),
        Number::RoundsPerStudy | Number::RoundsAllStudies => count(number, "tour"),
        Number::BytesPerRound | Number::BytesPerDay | Number::BytesPerStudy => bytes(number),
        Number::Kept(_) => count(number, "jour"),
    }
}

fn entry(what: List, name: &str, is_added: bool) -> String {
    let noun = match what {
        List::Purpose => "La finalité",
        List::Label => "L'étiquette",
        List::Network => return format!("Le réseau {name} {} permis.", is_now(is_added)),
        List::Option => "L'option de désidentification",
        List::Update => return leaves("Les mises à jour", is_added),
        List::Metrics => return leaves("Les mesures", is_added),
        List::DetailedMetrics => return leaves("Les mesures détaillées", is_added),
        List::HourOfTraining => {
            let can = if is_added { "peut désormais" } else { "ne peut plus" };
            return format!("L'entraînement {can} commencer aux heures {name}.");
        }
        List::HourOfSending => {
            let can = if is_added {
                "peuvent désormais"
            } else {
                "ne peuvent plus"
            };
            return format!("Les mises à jour et les mesures {can} sortir aux heures {name}.");
        }
    };
    format!("{noun} {name} {} permise.", is_now(is_added))
}

const fn is_now(is_added: bool) -> &'static str {
    if is_added { "est désormais" } else { "n'est plus" }
}

fn leaves(things: &str, is_added: bool) -> String {
    let can = if is_added {
        "peuvent désormais"
    } else {
        "ne peuvent plus"
    };
    format!("{things} {can} quitter l'hôpital.")
}

const fn demand(what: Demanded, now: Demand) -> &'static str {
    match (what, now) {
        (Demanded::SecureAggregation, Demand::Required) => "L'agrégation sécurisée est désormais exigée.",
        (Demanded::SecureAggregation, Demand::NotRequired) => "L'agrégation sécurisée n'est plus exigée.",
        (Demanded::Confinement, Demand::Required) => "La machine doit désormais confiner le programme d'entraînement.",
        (Demanded::Confinement, Demand::NotRequired) => {
            "La machine n'est plus tenue de confiner le programme d'entraînement."
        }
    }
}

fn approval(stage: Stage, reference: &str, what: &OfApproval) -> String {
    let under = format!("Sous {reference} (stade {stage}),");
    match what {
        OfApproval::Itself { studies, is_added } => {
            let now = if *is_added {
                "Une nouvelle approbation est donnée"
            } else {
                "Une approbation n'est plus donnée"
            };
            with(
                &format!(
                    "{now} {} sous la référence {reference}, pour {}.",
                    of_stage(stage),
                    list(studies)
                ),
                Effect::of(*is_added),
            )
        }
        OfApproval::Board { from, to } => format!("{under} le comité {from} devient {to}."),
        OfApproval::FirstDay { from, to, effect } => with(
            &format!(
                "{under} le premier jour est le {} au lieu du {}.",
                date(Some(*to)),
                date(Some(*from))
            ),
            *effect,
        ),
        OfApproval::LastDay { from, to, effect } => with(
            &format!(
                "{under} le dernier jour est le {} au lieu du {}.",
                date(Some(*to)),
                date(Some(*from))
            ),
            *effect,
        ),
        OfApproval::Study { name, is_added } => with(
            &format!("{under} l'étude {name} {} approuvée.", is_now(*is_added)),
            Effect::of(*is_added),
        ),
        OfApproval::Plan { digest, is_added } => with(
            &format!("{under} le plan {digest} {} approuvé.", is_now(*is_added)),
            Effect::of(*is_added),
        ),
        OfApproval::AnyPlan { is_added: true } => with(
            &format!("{under} tout plan des études nommées est désormais approuvé."),
            Effect::More,
        ),
        OfApproval::AnyPlan { is_added: false } => with(
            &format!("{under} chaque plan doit désormais être approuvé par son empreinte."),
            Effect::Less,
        ),
    }
}
