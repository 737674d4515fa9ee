//! A plan in words, and how it differs from another one.

use serde_json::Value;
use snowball_protocol::{
    StudyPlan,
    plan::{HeadKind, KeptRole, Sent, StudyStage},
};
use snowball_web::{Column, Html, Language, Message, Page, Table, messages};

use super::tell::size;
use crate::preview;

messages! {
    WHY = "why", "pourquoi";
    STAGE = "how far the approval must reach", "portée d’approbation requise";
    PROOF = "proof of concept: the network is thrown away or kept by the consortium", "preuve de concept : le réseau est jeté ou gardé par le consortium";
    COLLABORATION = "collaboration: the network is for the hospitals of the consortium", "collaboration : le réseau est pour les hôpitaux du consortium";
    PUBLICATION = "publication: the network may be published", "publication : le réseau peut être publié";
    NETWORK = "network", "réseau";
    NETWORK_SAYS = "{name}, on pictures of {side} × {side} pixels", "{name}, sur des images de {side} × {side} pixels";
    LEARNS = "learns to tell", "apprend à reconnaître";
    LEARNS_CLASSES = "{label} ({count} classes)", "{label} ({count} classes)";
    LEARNS_NUMBER = "{label} (a number)", "{label} (un nombre)";
    LEARNS_MASK = "{label} (an outline in the picture)", "{label} (un contour dans l’image)";
    PRETEXT = "the pictures themselves, without labels", "les images elles-mêmes, sans étiquettes";
    STARTS = "begins from", "part de";
    FROM_SEED = "chance alone: nothing trained before", "du hasard seul : rien d’entraîné auparavant";
    FROM_WEIGHTS = "weights that were trained before; the document names them", "des poids déjà entraînés ; le document les nomme";
    ROUNDS = "rounds", "tours";
    ROUNDS_SAY = "{count}; fewest hospitals in each: {sites}", "{count} ; nombre minimal d’hôpitaux à chacun : {sites}";
    WORK = "work in each round", "travail à chaque tour";
    WORK_SAYS = "up to {steps} steps of {batch} radiographs", "jusqu’à {steps} pas de {batch} radiographies";
    LEAVES = "leaves the hospital", "sort de l’hôpital";
    UPDATE = "how the network’s numbers changed, up to {size} in a round", "la variation des nombres du réseau, jusqu’à {size} par tour";
    METRICS = "how well it did, in counts", "la qualité obtenue, en effectifs";
    DETAILED = "which classes it confuses, in sums", "les classes qu’il confond, en sommes";
    STAYS = "stays in the hospital", "reste à l’hôpital";
    STAYS_ALL = "every radiograph, every header, every label", "chaque radiographie, chaque en-tête, chaque étiquette";
    STAYS_KEPT = "every radiograph, every header, every label; and of the network: {roles}", "chaque radiographie, chaque en-tête, chaque étiquette ; et du réseau : {roles}";
    COMPARED = "compared with", "comparé à";
    COMPARED_OWN = "the model that this hospital’s radiographs alone make, which stays here", "le modèle que font seules les radiographies de cet hôpital, et qui reste ici";
    DIGEST = "digest of the whole document", "empreinte du document entier";
    FIELD = "field of the document", "champ du document";
    BEFORE = "before", "avant";
    AFTER = "now", "maintenant";
    ABSENT = "absent", "absent";
}

/// What a plan says, in words.
pub fn facts(plan: &StudyPlan, language: Language) -> Vec<(Html, Html)> {
    let number = |count: u64| Html::number(count, language);
    let stage = match plan.stage {
        StudyStage::ProofOfConcept => PROOF,
        StudyStage::Collaboration => COLLABORATION,
        StudyStage::Publication => PUBLICATION,
    };
    let side = number(plan.network.input_side.into());
    let network = NETWORK_SAYS.say(
        language,
        &[("name", Html::text(plan.network.architecture.code())), ("side", side)],
    );
    let rounds = [
        ("count", number(plan.rounds.count.into())),
        ("sites", number(plan.rounds.sites.min.into())),
    ];
    let work = [
        ("steps", number(plan.local.steps.into())),
        ("batch", number(plan.local.batch_size.into())),
    ];
    let start = if plan.start.is_some() { FROM_WEIGHTS } else { FROM_SEED };
    let mut facts = vec![
        (WHY.html(language), Html::text(&plan.purpose.to_string())),
        (STAGE.html(language), stage.html(language)),
        (NETWORK.html(language), network),
        (LEARNS.html(language), learns(plan, language)),
        (STARTS.html(language), start.html(language)),
        (ROUNDS.html(language), ROUNDS_SAY.say(language, &rounds)),
        (WORK.html(language), WORK_SAYS.say(language, &work)),
        (LEAVES.html(language), leaves(plan, language)),
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
        match &head.kind {
            HeadKind::Classes(classes) => {
                let count = Html::number(classes.len() as u64, language);
                LEARNS_CLASSES.say(language, &[label, ("count", count)])
            }
            HeadKind::Regression { .. } => LEARNS_NUMBER.say(language, &[label]),
            HeadKind::Mask { .. } => LEARNS_MASK.say(language, &[label]),
        }
    });
    let pretext = plan.pretext.iter().map(|_| PRETEXT.html(language));
    Html::join(heads.chain(pretext), ", ")
}

fn leaves(plan: &StudyPlan, language: Language) -> Html {
    Html::below(plan.send.iter().map(|sent| match sent {
        Sent::Update => UPDATE.say(language, &[("size", size(preview::update_bytes(plan), language))]),
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

/// One field that differs, as both documents have it.
#[derive(PartialEq, Eq, Debug)]
pub struct Difference {
    pub field: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Every field in which two plans differ, in the order of their names.
pub fn differences(before: &StudyPlan, after: &StudyPlan) -> Vec<Difference> {
    let document = |plan: &StudyPlan| serde_json::to_value(plan).unwrap_or(Value::Null);
    let mut found = Vec::new();
    compare("", Some(&document(before)), Some(&document(after)), &mut found);
    found
}

fn compare(field: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    if before == after {
        return;
    }
    if let (Some(Value::Object(one)), Some(Value::Object(other))) = (before, after) {
        let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let below = if field.is_empty() {
                name.clone()
            } else {
                format!("{field}.{name}")
            };
            compare(&below, one.get(name), other.get(name), found);
        }
        return;
    }
    let written = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    found.push(Difference {
        field: field.to_owned(),
        before: before.map(written),
        after: after.map(written),
    });
}

/// The differences as a table.
pub fn table(page: &mut Page, caption: Html, differences: &[Difference]) {
    let language = page.language();
    let heading = |message: Message| Column::words(message.html(language));
    let mut table =
        Table::new([Column::names(FIELD.html(language)), heading(BEFORE), heading(AFTER)]).with_caption(caption);
    let value = |value: &Option<String>| match value {
        Some(text) => Html::code(text),
        None => ABSENT.html(language).soft(),
    };
    for one in differences {
        table.row([Html::code(&one.field), value(&one.before), value(&one.after)]);
    }
    page.table(&table);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> StudyPlan {
        toml::from_str(include_str!("../../../policies/cases/studies/body-parts.toml")).unwrap()
    }

    #[test]
    fn a_plan_is_told_in_words_without_a_place_left_open() {
        for language in Language::ALL {
            let facts = facts(&plan(), language);
            assert!(facts.len() >= 10);
            for (what, says) in facts {
                assert!(
                    !says.as_str().is_empty() && !says.as_str().contains('{'),
                    "{}",
                    what.as_str()
                );
            }
        }
    }

    #[test]
    fn a_number_that_changes_is_named_with_both_values() {
        let (before, mut after) = (plan(), plan());
        assert_eq!(differences(&before, &after), []);
        after.rounds.count += 7;
        after.comparison.own_model = true;
        let found = differences(&before, &after);
        let fields: Vec<&str> = found.iter().map(|one| one.field.as_str()).collect();
        assert_eq!(fields, ["comparison", "rounds.count"]);
        assert_eq!(found[0].before, None);
        assert_eq!(found[1].after, Some(after.rounds.count.to_string()));
        let mut page = Page::new(Language::French, "page");
        table(&mut page, Html::text("caption"), &found);
        assert!(page.finish().contains("rounds.count"));
    }
}
