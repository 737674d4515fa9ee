//! `GET` and `POST /sites/{site}/approve`: a person types the fingerprint that the hospital reads out, as on the command line.

use axum::extract::{Path, State};
use snowball_dashboard::{Actor, Done, Reader, View};
use snowball_protocol::SiteName;
use snowball_web::{Asked, Confirmation, Route};

use super::{done, reason, voice};
use crate::{
    cli::Approve,
    dashboard::{Board, pages::site_act, words::acts as text},
    report::Voice,
};

const FINGERPRINT_FIELD: &str = "fingerprint";

pub async fn ask(Path(site): Path<String>, reader: Reader) -> View {
    let (Ok(site), Some(token)) = (site.parse::<SiteName>(), reader.may_act()) else {
        return reader.missing();
    };
    let voice = voice(&reader);
    let mut page = reader.page(voice.say(text::APPROVE, &[("site", site.as_str().into())]));
    let typed = Asked {
        name: FINGERPRINT_FIELD,
        label: voice.word(text::APPROVE_TYPED),
        hint: None,
        value: "",
    };
    page.confirmation(
        token,
        Confirmation {
            will_happen: vec![voice.word(text::APPROVE_SAYS), voice.word(text::APPROVE_WILL)],
            route: site_act(&site, "approve"),
            hidden: &[],
            asks_line: Some(typed),
            asks_reason: true,
            button: voice.word(text::APPROVE_BUTTON),
            back: Route::of(["sites"]),
        },
    );
    reader.show(page)
}

pub async fn perform(State(board): State<Board>, Path(site): Path<String>, actor: Actor) -> Result<Done, View> {
    let voice = Voice {
        language: actor.language(),
    };
    let Ok(site) = site.parse::<SiteName>() else {
        return Err(actor.refused(voice.word(text::NO_SUCH)));
    };
    let approve = Approve {
        site: site.clone(),
        fingerprint: actor.fields().text(FINGERPRINT_FIELD).unwrap_or_default().to_owned(),
        reason: reason(&actor)?,
    };
    done(&actor, "approve", approve.run(&board.app.home).await)?;
    let told = voice.say(text::APPROVED, &[("site", site.as_str().into())]);
    Ok(actor.done(&Route::of(["sites"]), told))
}
