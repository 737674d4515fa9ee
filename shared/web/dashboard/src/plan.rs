//! A plan in words: the same for whoever coordinates a study and for whoever is asked to take part in it.

use snowball_encoding::Coding;
use snowball_layout::Layout;
use snowball_protocol::{
    StudyPlan,
    plan::{HeadKind, KeptRole, Origin, Sent, StudyStage},
};
use snowball_web::{Html, Language, messages, size};

messages! {
    WHY = "why", "pourquoi";
    STAGE = "how far the approval must reach", "portée d’approbation requise";
    PROOF = "proof of concept: the network is thrown away or kept by the consortium", "preuve de concept : le réseau est jeté ou gardé par le consortium";
    COLLABORATION = "collaboration: the network is for the hospitals of the consortium", "collaboration : le réseau est pour les hôpitaux du consortium";
    PUBLICATION = "publication: the network may be published", "publication : le réseau peut être publié";
    NETWORK = "network", "réseau";
    NETWORK_SAYS = "{name}, {parameters} numbers, on pictures of {side} × {side} pixels", "{name}, {parameters} nombres, sur des images de {side} × {side} pixels";
    LEARNS = "learns to tell", "apprend à reconnaître";
    LEARNS_CLASSES = "{label}: {classes}", "{label} : {classes}";
    LEARNS_NUMBER = "{label} (a number)", "{label} (un nombre)";
    LEARNS_MASK = "{label} (outlines in the picture): {classes}", "{label} (des contours dans l’image) : {classes}";
    PRETEXT = "the pictures themselves, without labels", "les images elles-mêmes, sans étiquettes";
    STARTS = "begins from", "part de";
    FROM_SEED = "chance alone: nothing trained before", "du hasard seul : rien d’entraîné auparavant";
    FROM_WEIGHTS = "weights that were trained before; the document names them", "des poids déjà entraînés ; le document les nomme";
    FROM_RELEASE = "the release {lineage} of {study}", "la publication {lineage} de {study}";
    FROM_FILE = "the file {name}, {digest}, which bears no signature", "le fichier {name}, {digest}, qui ne porte pas de signature";
    ROUNDS = "rounds", "tours";
    ROUNDS_SAY = "{count}, each of at most {seconds} s; hospitals: {min} to {max}; fewest updates in each round: {updates}", "{count}, chacun d’au plus {seconds} s ; hôpitaux : {min} à {max} ; nombre minimal de mises à jour à chaque tour : {updates}";
    WORK = "work in each round", "travail à chaque tour";
    WORK_SAYS = "up to {steps} steps of {batch} radiographs", "jusqu’à {steps} pas de {batch} radiographies";
    COMBINED = "how updates become a model", "comment les mises à jour deviennent un modèle";
    LEAVES = "leaves the hospital", "sort de l’hôpital";
    UPDATE = "how the network’s numbers changed, up to {size} in a round", "la variation des nombres du réseau, jusqu’à {size} par tour";
    METRICS = "how well it did, in counts", "la qualité obtenue, en effectifs";
    DETAILED = "which classes it confuses, in sums", "les classes qu’il confond, en sommes";
    STAYS = "stays in the hospital", "reste à l’hôpital";
    STAYS_ALL = "every radiograph, every header, every label", "chaque radiographie, chaque en-tête, chaque étiquette";
    STAYS_KEPT = "every radiograph, every header, every label; and of the network: {roles}", "chaque radiographie, chaque en-tête, chaque étiquette ; et du réseau : {roles}";
    COMPARED = "compared with", "comparé à";
    COMPARED_OWN = "the model that the radiographs of each hospital alone make, which stays there", "le modèle que font seules les radiographies de chaque hôpital, et qui y reste";
    DIGEST = "digest of the whole document", "empreinte du document entier";
}

/// What a plan says, a fact each.
#[must_use]
pub fn facts(plan: &StudyPlan, language: Language) -> Vec<(Html, Html)> {
    let layout = Layout::of(plan);
    let number = |count: u64| Html::number(count, language);
    let stage = match plan.stage {
        StudyStage::ProofOfConcept => PROOF,
        StudyStage::Collaboration => COLLABORATION,
        StudyStage::Publication => PUBLICATION,
    };
    let network = [
        ("name", Html::code(plan.network.architecture.code())),
        ("parameters", number(layout.parameters() as u64)),
        ("side", number(plan.network.input_side.into())),
    ];
    let planned = &plan.rounds;
    let rounds = [
        ("count", number(planned.count.into())),
        ("seconds", number(planned.collect_seconds.max.into())),
        ("min", number(planned.sites.min.into())),
        ("max", number(planned.sites.max.into())),
        ("updates", number(planned.updates.min.into())),
    ];
    let work = [
        ("steps", number(plan.local.steps.into())),
        ("batch", number(plan.local.batch_size.into())),
    ];
    let mut facts = vec![
        (WHY.html(language), Html::text(plan.purpose.as_str())),
        (STAGE.html(language), stage.html(language)),
        (NETWORK.html(language), NETWORK_SAYS.say(language, &network)),
        (LEARNS.html(language), learns(plan, language)),
        (STARTS.html(language), starts(plan, language)),
        (ROUNDS.html(language), ROUNDS_SAY.say(language, &rounds)),
        (WORK.html(language), WORK_SAYS.say(language, &work)),
        (COMBINED.html(language), Html::text(&plan.strategy_name())),
        (LEAVES.html(language), leaves(plan, &layout, language)),
        (STAYS.html(language), stays(plan, language)),
    ];
    if plan.comparison.own_model {
        facts.push((COMPARED.html(language), COMPARED_OWN.html(language)));
    }
    facts.push((DIGEST.html(language), Html::code(&plan.digest().to_string())));
    facts
}

fn learns(plan: &StudyPlan, language: Language) -> Html {
    let heads = plan.heads.iter().map(|head| {
        let label = ("label", Html::text(&head.label.code().replace('_', " ")));
        let listed = |classes: &[String]| ("classes", Html::text(&classes.join(", ")));
        match &head.kind {
            HeadKind::Classes(classes) => LEARNS_CLASSES.say(language, &[label, listed(classes)]),
            HeadKind::Regression { .. } => LEARNS_NUMBER.say(language, &[label]),
            HeadKind::Mask { classes } => LEARNS_MASK.say(language, &[label, listed(classes)]),
        }
    });
    let pretext = plan.pretext.iter().map(|_| PRETEXT.html(language));
    Html::below(heads.chain(pretext))
}

fn starts(plan: &StudyPlan, language: Language) -> Html {
    if plan.start.is_none() {
        return FROM_SEED.html(language);
    }
    let parents = plan.parents().iter().map(|parent| match parent {
        Origin::Release { study, lineage, .. } => {
            let values = [
                ("lineage", Html::code(&lineage.to_string())),
                ("study", Html::text(study.as_str())),
            ];
            FROM_RELEASE.say(language, &values)
        }
        Origin::File { name, digest } => {
            let values = [("name", Html::text(name)), ("digest", Html::code(&digest.to_string()))];
            FROM_FILE.say(language, &values)
        }
    });
    Html::below(std::iter::once(FROM_WEIGHTS.html(language)).chain(parents))
}

fn leaves(plan: &StudyPlan, layout: &Layout, language: Language) -> Html {
    let bytes = *Coding::of(plan, layout.parameters()).bytes().end();
    Html::below(plan.send.iter().map(|sent| match sent {
        Sent::Update => UPDATE.say(language, &[("size", size(bytes, language))]),
        Sent::Metrics => METRICS.html(language),
        Sent::DetailedMetrics => DETAILED.html(language),
    }))
}

fn stays(plan: &StudyPlan, language: Language) -> Html {
    if plan.local.keep.is_empty() {
        return STAYS_ALL.html(language);
    }
    let roles: Vec<&str> = plan.local.keep.iter().map(|role: &KeptRole| role.name()).collect();
    STAYS_KEPT.say(language, &[("roles", Html::text(&roles.join(", ")))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_told_in_words_without_a_place_left_open() {
        let plan: StudyPlan =
            toml::from_str(include_str!("../../../../policies/cases/studies/body-parts.toml")).unwrap();
        for language in Language::ALL {
            let facts = facts(&plan, language);
            assert!(facts.len() >= 11);
            for (what, says) in &facts {
                let (what, says) = (what.as_str(), says.as_str());
                assert!(
                    !says.is_empty() && !says.contains('{') && !what.contains('{'),
                    "{what}: {says}"
                );
            }
            let (_, digest) = facts.last().unwrap();
            assert!(digest.as_str().contains(&plan.digest().to_string()));
        }
    }

    #[test]
    fn every_text_stands_in_both_languages_and_french_is_written_with_its_own_signs() {
        for (name, message) in ALL {
            assert_eq!(message.fault(), None, "{name}");
            let french = message.french;
            assert!(!french.contains('\''), "{name}: a straight apostrophe");
            for mark in [':', ';', '?', '!'] {
                for (place, _) in french.match_indices(mark) {
                    assert!(french[..place].ends_with(' '), "{name}: no space before {mark}");
                }
            }
        }
    }
}
