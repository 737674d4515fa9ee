//! A plan in words, as a part of the study's page.

use snowball_dashboard::plan_facts;
use snowball_protocol::StudyPlan;
use snowball_web::Page;

use crate::{dashboard::words::study as text, report::Voice};

/// The plan, and the document itself for whoever asks.
pub fn part(page: &mut Page, plan: &StudyPlan, voice: Voice) {
    page.say(voice.word(text::PLAN_SAY));
    page.facts(plan_facts(plan, voice.language));
    page.folded(voice.word(text::WHOLE), |page| {
        page.verbatim(&serde_json::to_string_pretty(plan).unwrap_or_default());
    });
}
