//! `POST /invitations`: the line is told on the page after it, once, and stands nowhere else.

use axum::extract::State;
use snowball_dashboard::{Actor, Done, View};
use snowball_protocol::SiteName;
use snowball_web::Route;

use super::done;
use crate::{
    cli::Invite,
    dashboard::{
        Board,
        pages::sites::{HOURS_FIELD, SITE_FIELD, invitation},
        words::acts as text,
    },
    report::Voice,
};

pub async fn perform(State(board): State<Board>, actor: Actor) -> Result<Done, View> {
    let voice = Voice {
        language: actor.language(),
    };
    let field = |name| actor.fields().text(name).unwrap_or_default();
    let Ok(site) = field(SITE_FIELD).parse::<SiteName>() else {
        return Err(actor.refused(voice.word(text::SITE_UNKNOWN)));
    };
    let hours = field(HOURS_FIELD).parse::<u32>().ok();
    let Some(valid_hours) = hours.filter(|hours| (1..=8_784).contains(hours)) else {
        return Err(actor.refused(voice.word(text::HOURS_WRONG)));
    };
    let invite = Invite {
        site: site.clone(),
        valid_hours,
    };
    let answer = done(&actor, "invite", invite.run(&board.app.home).await)?;
    let expires = answer.json["expires"].as_i64().unwrap_or_default();
    let told = invitation(site.as_str(), &answer.text, expires, voice);
    Ok(actor.done(&Route::of(["sites"]), told))
}
