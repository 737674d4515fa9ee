//! A plan in words.

use snowball_encoding::Coding;
use snowball_layout::Layout;
use snowball_protocol::{
    StudyPlan,
    plan::{HeadKind, Origin, Sent},
};
use snowball_web::{Html, Page};

use crate::{dashboard::words::study as text, report::Voice};

/// The plan, as a part of the study's page.
pub fn part(page: &mut Page, plan: &StudyPlan, voice: Voice) {
    page.say(voice.word(text::PLAN_SAY));
    page.facts(facts(plan, voice));
    page.folded(voice.word(text::WHOLE), |page| {
        page.verbatim(&serde_json::to_string_pretty(plan).unwrap_or_default());
    });
}

fn facts(plan: &StudyPlan, voice: Voice) -> Vec<(Html, Html)> {
    let layout = Layout::of(plan);
    let network = [
        ("architecture", Html::code(plan.network.architecture.code())),
        ("parameters", voice.number(layout.parameters() as u64)),
        ("side", voice.number(plan.network.input_side.into())),
    ];
    let local = [
        ("steps", voice.number(plan.local.steps.into())),
        ("batch", voice.number(plan.local.batch_size.into())),
    ];
    let rounds = &plan.rounds;
    let planned = [
        ("rounds", voice.number(rounds.count.into())),
        ("seconds", voice.number(rounds.collect_seconds.max.into())),
        ("min", voice.number(rounds.sites.min.into())),
        ("max", voice.number(rounds.sites.max.into())),
        ("updates", voice.number(rounds.updates.min.into())),
    ];
    let mut facts = vec![
        (voice.word(text::DIGEST), Html::code(&plan.digest().to_string())),
        (voice.word(text::PURPOSE), Html::text(plan.purpose.as_str())),
        (voice.word(text::STAGE), Html::code(plan.stage.code())),
        (voice.word(text::NETWORK), voice.say(text::NETWORK_SAYS, &network)),
        (voice.word(text::LEARNS), learns(plan, voice)),
        (voice.word(text::LOCAL), voice.say(text::LOCAL_SAYS, &local)),
        (voice.word(text::COMBINED), Html::text(&plan.strategy_name())),
        (voice.word(text::PLANNED), voice.say(text::PLANNED_SAYS, &planned)),
        (voice.word(text::LEAVES), leaves(plan, &layout, voice)),
    ];
    if !plan.parents().is_empty() {
        let parents = plan.parents().iter().map(|parent| Html::from(Origin::name(parent)));
        facts.push((voice.word(text::BEGINS), Html::below(parents)));
    }
    if plan.comparison.own_model {
        facts.push((voice.word(text::OWN_MODEL), voice.word(text::OWN_MODEL_SAYS)));
    }
    facts
}

fn learns(plan: &StudyPlan, voice: Voice) -> Html {
    let heads = plan.heads.iter().map(|head| {
        let label = ("label", Html::code(head.label.code()));
        let listed = |classes: &[String]| ("classes", Html::from(classes.join(", ")));
        match &head.kind {
            HeadKind::Classes(classes) => voice.say(text::CLASSES, &[label, listed(classes)]),
            HeadKind::Regression { .. } => voice.say(text::NUMBER, &[label]),
            HeadKind::Mask { classes } => voice.say(text::MASKS, &[label, listed(classes)]),
        }
    });
    let pretext = plan.pretext.iter().map(|_| voice.word(text::PRETEXT));
    Html::below(heads.chain(pretext))
}

fn leaves(plan: &StudyPlan, layout: &Layout, voice: Voice) -> Html {
    let bytes = *Coding::of(plan, layout.parameters()).bytes().end();
    Html::below(plan.send.iter().map(|sent| match sent {
        Sent::Update => voice.say(text::LEAVES_UPDATE, &[("bytes", voice.number(bytes))]),
        Sent::Metrics => voice.word(text::LEAVES_METRICS),
        Sent::DetailedMetrics => voice.word(text::LEAVES_DETAILED),
    }))
}
