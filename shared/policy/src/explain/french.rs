//! In French.

use std::borrow::Cow;

use snowball_protocol::{
    labels::LabelName,
    plan::{Architecture, Sent},
};

use super::fixed;
use crate::{
    document::{Approval, DeidentificationOption, DeidentificationProfile, Demand, PrivacyMechanism, Stage},
    hours::{Window, clock},
    policy::Policy,
    retention::Keepsake,
    words::french::{bytes, count, date, list},
};

pub(super) fn page(policy: &Policy) -> String {
    let mut title = vec![format!(
        "Politique du site {}, version {}",
        policy.site(),
        policy.version()
    )];
    if let Some(digest) = policy.supersedes() {
        title.push(format!("Elle remplace la politique {digest}"));
    }
    let mut sections: Vec<(&str, Vec<String>)> = Vec::new();
    for approval in &policy.0.approvals {
        sections.push((heading(approval.stage), about_approval(approval)));
    }
    sections.extend([
        ("Ce qui n'est pas approuvé", about_other_stages(policy)),
        ("À quelles fins les données peuvent servir", about_purposes(policy)),
        ("Ce qu'un réseau peut apprendre", about_learning(policy)),
        (
            "Comment les radiographies sont désidentifiées",
            about_deidentification(policy),
        ),
        ("Combien de patients et d'hôpitaux il faut", about_company(policy)),
        ("Ce qui peut quitter l'hôpital", about_leaving(policy)),
        ("Combien de fois, et combien", about_limits(policy)),
        ("À quelles heures", about_hours(policy)),
        (
            "Comment le programme d'entraînement est confiné",
            about_confinement(policy),
        ),
        ("Combien de temps les choses sont gardées", about_retention(policy)),
    ]);
    super::page(&title, &sections, "Tout ce qui n'est pas permis ci-dessus est refusé.")
}

const fn heading(stage: Stage) -> &'static str {
    match stage {
        Stage::Local => "Approuvé : l'entraînement à l'intérieur de l'hôpital (stade local)",
        Stage::ProofOfConcept => "Approuvé : un essai avec d'autres hôpitaux (stade proof-of-concept)",
        Stage::Collaboration => "Approuvé : l'entraînement avec d'autres hôpitaux (stade collaboration)",
        Stage::Publication => "Approuvé : l'entraînement en vue d'une publication (stade publication)",
    }
}

fn about_approval(approval: &Approval) -> Vec<String> {
    let meaning: &[&str] = match approval.stage {
        Stage::Local => &[
            "L'hôpital peut entraîner seul des réseaux sur ses propres radiographies.",
            "Rien ne sort pour cela.",
        ],
        Stage::ProofOfConcept => &["L'hôpital peut essayer l'entraînement avec d'autres."],
        Stage::Collaboration => &[
            "L'hôpital peut entraîner des réseaux avec d'autres.",
            "Le réseau est destiné à ces hôpitaux. Il ne peut pas être publié.",
        ],
        Stage::Publication => &[
            "L'hôpital peut entraîner des réseaux avec d'autres.",
            "Le réseau peut être publié pour tout le monde.",
        ],
    };
    let mut sentences = fixed(meaning);
    sentences.push(format!(
        "Comité : {}. Référence : {}.",
        approval.board, approval.reference
    ));
    sentences.push(format!(
        "Le premier jour est le {}. Le dernier jour est le {}. Les jours commencent à minuit, en temps universel.",
        date(Some(approval.approved_on)),
        date(Some(approval.expires_on))
    ));
    sentences.extend(about_studies(approval));
    sentences
}

fn about_studies(approval: &Approval) -> Vec<String> {
    let names: Vec<_> = approval.studies.iter().map(|name| name.as_str()).collect();
    let mut sentences = match names.as_slice() {
        [] => return fixed(&["Aucune étude ne peut avoir lieu."]),
        [only] => vec![format!("Une seule étude peut avoir lieu : {only}.")],
        several => vec![format!(
            "{} études peuvent avoir lieu : {}.",
            several.len(),
            list(several)
        )],
    };
    if approval.approves_any_digest() {
        sentences.extend(fixed(&[
            "Tout plan qui porte un tel nom est approuvé, quel qu'en soit l'auteur et quoi qu'il dise dans le cadre de cette \
             politique.",
        ]));
    } else if approval.digests.is_empty() {
        sentences.extend(fixed(&[
            "Aucun plan n'a encore été approuvé ; aucune ne peut donc avoir lieu.",
        ]));
    } else {
        sentences.extend(fixed(&[
            "Une étude n'a lieu que si son plan est, à la lettre, l'un des plans approuvés. Voici leurs empreintes.",
        ]));
        sentences.extend(approval.digests.iter().map(ToString::to_string));
    }
    sentences
}

fn about_other_stages(policy: &Policy) -> Vec<String> {
    let approved = policy.stages();
    let mut sentences: Vec<String> = [
        (Stage::Local, "L'hôpital ne peut pas entraîner de réseau seul."),
        (Stage::ProofOfConcept, "L'hôpital ne peut pas participer à un essai."),
        (
            Stage::Collaboration,
            "L'hôpital ne peut pas participer à une étude dont le réseau est destiné aux hôpitaux participants.",
        ),
        (
            Stage::Publication,
            "L'hôpital ne peut pas participer à une étude dont le réseau peut être publié.",
        ),
    ]
    .into_iter()
    .filter(|(stage, _)| !approved.contains(stage))
    .map(|(_, sentence)| sentence.to_owned())
    .collect();
    sentences
        .push("Avant le premier jour et après le dernier jour d'une approbation, rien n'a lieu à ce titre.".to_owned());
    sentences
}

fn about_purposes(policy: &Policy) -> Vec<String> {
    if policy.purposes().is_empty() {
        return fixed(&["Aucune finalité n'est permise ; aucune étude ne peut donc avoir lieu."]);
    }
    let names: Vec<_> = policy.purposes().iter().map(|purpose| purpose.as_str()).collect();
    vec![format!("Les données peuvent servir à : {}.", list(&names))]
}

fn about_learning(policy: &Policy) -> Vec<String> {
    let labels = |is_allowed: bool| -> Vec<_> {
        let labels = policy
            .labels()
            .iter()
            .filter(|label| policy.allows_label(**label) == is_allowed);
        labels.map(|label| label_words(*label)).collect()
    };
    let (learnt, withheld) = (labels(true), labels(false));
    let networks: Vec<_> = policy
        .architectures()
        .iter()
        .map(|network| network_words(*network))
        .collect();
    let side = policy.input_side_max();
    let mut sentences = vec![
        format!("Un réseau peut apprendre à reconnaître : {}.", list(&learnt)),
        "Il peut aussi apprendre à reconnaître ce que le programme d'apprentissage a fait lui-même à une image (rotation, jigsaw) : cela ne \
         dit rien d'un patient."
            .to_owned(),
        format!("Ces réseaux peuvent être entraînés : {}.", list(&networks)),
        format!("Ils voient chaque radiographie en {side} sur {side} pixels au plus."),
    ];
    if !withheld.is_empty() {
        sentences.push(format!(
            "La politique cite aussi {}, que la désidentification ne peut pas conserver. Aucun réseau ne peut donc l'apprendre.",
            list(&withheld)
        ));
    }
    sentences
}

fn about_deidentification(policy: &Policy) -> Vec<String> {
    let mut sentences = match policy.deidentification_profile() {
        DeidentificationProfile::RadiographAllowListV1 => fixed(&[
            "Seules l'image et une courte liste de données codées sont conservées.",
            "Tout le reste de l'en-tête du fichier est laissé de côté.",
            "Les noms et les numéros des patients sont remplacés par des codes.",
            "La clé des codes reste à l'hôpital.",
        ]),
    };
    sentences.push(
        if policy.retains(DeidentificationOption::RetainPatientCharacteristics) {
            "Le sexe et l'âge en années peuvent être utilisés. Au-delà de 89 ans, l'âge compte pour 90."
        } else {
            "Le sexe et l'âge ne peuvent pas être utilisés."
        }
        .to_owned(),
    );
    let options = policy.options_of_files();
    if !options.is_empty() {
        sentences.push(format!(
            "Les fichiers DICOM désidentifiés sont écrits avec ces options : {}.",
            list(&options)
        ));
    }
    let rules = &policy.0.deidentification;
    if !rules.remove.is_empty() {
        sentences.push(format!("Ils ne contiennent jamais : {}.", list(&rules.remove)));
    }
    for keep in &rules.keep {
        let values = match keep.values.len() {
            1 => "la seule valeur de la liste".to_owned(),
            several => format!("l'une des {several} valeurs de la liste"),
        };
        sentences.push(format!("Ils peuvent contenir {} avec {values}.", keep.attribute));
    }
    sentences
}

fn about_company(policy: &Policy) -> Vec<String> {
    let mut sentences = vec![
        format!(
            "Il faut au moins {} pour entraîner un réseau.",
            count(policy.training_patients_min(), "patient")
        ),
        format!(
            "Une classe de moins de {} ne peut pas servir à l'entraînement. Les nombres plus petits sont masqués avant de sortir.",
            count(policy.cell_min(), "radiographie")
        ),
        format!(
            "Avec d'autres, un tour ne compte que s'il réunit les mises à jour d'au moins {}.",
            hospitals(policy.sites_min())
        ),
    ];
    sentences.extend(match policy.secure_aggregation() {
        Demand::NotRequired => fixed(&["Celui qui conduit l'étude peut lire la mise à jour de chaque hôpital."]),
        Demand::Required => fixed(&[
            "Personne ne doit pouvoir lire la mise à jour d'un hôpital pris isolément.",
            "Cette version de la plateforme n'en est pas encore capable. Aucune étude avec d'autres n'a donc lieu.",
        ]),
    });
    sentences
}

fn hospitals(number: u32) -> String {
    match number {
        0 | 1 => format!("{number} hôpital"),
        several => format!("{several} hôpitaux"),
    }
}

fn about_leaving(policy: &Policy) -> Vec<String> {
    let released = policy.released();
    if released.is_empty() {
        return fixed(&["Aucune mise à jour et aucune mesure ne peut sortir. Aucune radiographie ne sort jamais."]);
    }
    let mut sentences: Vec<String> = released.into_iter().flat_map(|kind| fixed(sent_words(kind))).collect();
    sentences.extend(fixed(&[
        "Aucune radiographie ne sort jamais, ni aucun nom, numéro ou date d'un patient.",
    ]));
    sentences.extend(match policy.privacy_mechanism() {
        PrivacyMechanism::None => fixed(&[
            "Aucun bruit n'est ajouté aux mises à jour.",
            "Une mise à jour ne contient aucune image.",
            "Mais celui qui la reçoit pourrait en apprendre quelque chose sur les radiographies dont elle provient.",
        ]),
        PrivacyMechanism::RecordLevel => fixed(&[
            "Un bruit doit cacher ce qu'une seule radiographie apporte à une mise à jour.",
            "Cette version de la plateforme n'en est pas encore capable. Aucune étude avec d'autres n'a donc lieu.",
        ]),
        PrivacyMechanism::SiteLevel => fixed(&[
            "Un bruit doit cacher ce que l'hôpital apporte au réseau.",
            "Cette version de la plateforme n'en est pas encore capable. Aucune étude avec d'autres n'a donc lieu.",
        ]),
    });
    sentences
}

fn about_limits(policy: &Policy) -> Vec<String> {
    let rounds = |number: u32| count(u64::from(number), "tour");
    let mut sentences = vec![format!(
        "L'hôpital participe au plus à {} de chaque étude.",
        rounds(policy.rounds_per_study_max())
    )];
    if policy.stage().permits_sending() {
        sentences.push(format!(
            "Il participe au plus à {} de l'ensemble des études, une fois pour toutes.",
            rounds(policy.rounds_all_studies_max())
        ));
    }
    if policy.released().is_empty() {
        return sentences;
    }
    sentences.push(format!(
        "À chaque tour, {} au plus peuvent sortir.",
        bytes(policy.bytes_per_round_max())
    ));
    sentences.push(format!(
        "En 24 heures, {} au plus peuvent sortir.",
        bytes(policy.bytes_per_day_max())
    ));
    sentences.push(format!(
        "Pour chaque étude, {} au plus peuvent sortir.",
        bytes(policy.bytes_per_study_max())
    ));
    sentences
}

fn about_hours(policy: &Policy) -> Vec<String> {
    let hours = &policy.0.hours;
    let windows = |windows: &[Window]| list(&windows.iter().map(|window| window_words(*window)).collect::<Vec<_>>());
    let mut sentences = vec![if hours.training.is_empty() {
        "Il n'y a aucune heure à laquelle l'entraînement peut commencer.".to_owned()
    } else {
        format!(
            "L'entraînement peut commencer {}. Ce qui a commencé est mené à son terme.",
            windows(&hours.training)
        )
    }];
    if !policy.released().is_empty() {
        sentences.push(if hours.sending.is_empty() {
            "Il n'y a aucune heure à laquelle quelque chose peut sortir.".to_owned()
        } else {
            format!(
                "Les mises à jour et les mesures peuvent sortir {}.",
                windows(&hours.sending)
            )
        });
    }
    sentences.push(format!(
        "Les heures sont données à l'heure locale du fuseau {}.",
        hours.time_zone
    ));
    sentences
}

fn window_words(window: Window) -> String {
    const DAYS: [&str; 7] = ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"];
    if window.is_always() {
        return "à toute heure".to_owned();
    }
    let name = |day: u8| DAYS.get(usize::from(day)).copied().unwrap_or_default();
    let days = match window.days {
        (0, 6) => "chaque jour".to_owned(),
        (first, last) if first == last => format!("le {}", name(first)),
        (first, last) => format!("du {} au {}", name(first), name(last)),
    };
    if (window.from, window.to) == (0, 24 * 60) {
        return format!("{days} toute la journée");
    }
    let next = if window.to <= window.from { " le lendemain" } else { "" };
    format!("{days} de {} à {}{next}", clock(window.from), clock(window.to))
}

fn about_confinement(policy: &Policy) -> Vec<String> {
    let mut sentences = fixed(&["L'entraînement se fait dans un programme à part, qui n'a aucune clé de l'hôpital."]);
    sentences.extend(match policy.confinement() {
        Demand::Required => fixed(&[
            "La machine elle-même doit lui interdire le réseau, tous les autres fichiers et les autres programmes.",
            "Là où elle ne le peut pas, rien n'est entraîné. Les techniciens de l'hôpital n'y peuvent rien changer.",
        ]),
        Demand::NotRequired => fixed(&[
            "La machine n'est pas tenue de lui interdire le réseau et les autres fichiers.",
            "Les techniciens de l'hôpital décident si elle doit le faire.",
        ]),
    });
    sentences
}

fn about_retention(policy: &Policy) -> Vec<String> {
    let days = |keepsake| count(u64::from(policy.kept_days(keepsake)), "jour");
    vec![
        format!(
            "Les données choisies pour une étude sont gardées {}. Si elle continue, elles sont choisies de nouveau.",
            days(Keepsake::Dataset)
        ),
        format!(
            "Les preuves de la désidentification sont gardées {}.",
            days(Keepsake::Evidence)
        ),
        format!(
            "Une mise à jour qui n'a pas pu partir est gardée {}.",
            days(Keepsake::Outbox)
        ),
        "Le registre de tout ce qui a été décidé et envoyé est gardé pour toujours.".to_owned(),
    ]
}

fn label_words(label: LabelName) -> Cow<'static, str> {
    let word = match label {
        LabelName::Site(name) => return format!("l'étiquette {} propre à l'hôpital", name.name()).into(),
        LabelName::BodyPart => "la partie du corps",
        LabelName::View => "l'incidence",
        LabelName::Laterality => "le côté du corps",
        LabelName::Sex => "le sexe",
        LabelName::Age => "l'âge",
        LabelName::Rotation => "comment le programme d'apprentissage a tourné une image",
        LabelName::Jigsaw => "dans quel ordre le programme d'apprentissage a placé les carreaux d'une image",
    };
    word.into()
}

const fn network_words(architecture: Architecture) -> &'static str {
    match architecture.papers_name() {
        Some(name) => name,
        None => "un petit réseau",
    }
}

const fn sent_words(kind: Sent) -> &'static [&'static str] {
    match kind {
        Sent::Update => &[
            "Des mises à jour peuvent sortir : la façon dont les nombres du réseau ont changé pendant un tour d'entraînement.",
            "Avec une mise à jour sortent le nombre de radiographies dont elle provient et l'erreur moyenne à l'entraînement.",
        ],
        Sent::Metrics => &[
            "Des mesures peuvent sortir : des nombres qui disent la réussite du réseau sur les radiographies de l'hôpital.",
        ],
        Sent::DetailedMetrics => &[
            "Des mesures détaillées peuvent sortir avec elles, pour chaque classe qui n'est pas trop petite.",
            "Elles disent pour quelles autres classes ses radiographies ont été prises, si le réseau place les patients qui l'ont avant ceux qui ne l'ont pas, et de combien ses probabilités se trompent.",
            "Elles disent aussi comment deux classes varient ensemble d'un patient à l'autre ; il en découle la précision de la moyenne sur les classes.",
            "Ce sont aussi des comptes et des sommes : le score d'aucun patient ne sort.",
        ],
    }
}
