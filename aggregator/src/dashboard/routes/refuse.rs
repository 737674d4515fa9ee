//! `GET` and `POST /sites/{site}/refuse`

use axum::extract::{Path, State};
use snowball_dashboard::{Actor, Done, Reader, View};
use snowball_protocol::SiteName;
use snowball_web::{Confirmation, Route};

use super::{done, reason, voice};
use crate::{
    cli::Refuse,
    dashboard::{Board, pages::site_act, words::acts as text},
    report::Voice,
};

pub async fn ask(Path(site): Path<String>, reader: Reader) -> View {
    let (Ok(site), Some(token)) = (site.parse::<SiteName>(), reader.may_act()) else {
        return reader.missing();
    };
    let (voice, named) = (voice(&reader), [("site", site.as_str().into())]);
    let mut page = reader.page(voice.say(text::REFUSE, &named));
    page.confirmation(
        token,
        Confirmation {
            will_happen: vec![voice.say(text::REFUSE_SAYS, &named)],
            route: site_act(&site, "refuse"),
            hidden: &[],
            asks_reason: true,
            button: voice.word(text::REFUSE_BUTTON),
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
    let refuse = Refuse {
        site: site.clone(),
        fingerprint: None,
        reason: reason(&actor)?,
    };
    done(&actor, "refuse", refuse.run(&board.app.home).await)?;
    let told = voice.say(text::REFUSED, &[("site", site.as_str().into())]);
    Ok(actor.done(&Route::of(["sites"]), told))
}
