//! `GET` and `POST /sites/{site}/refuse`: one request, by the fingerprint of its key, or all that wait.

use axum::extract::{Path, Query, State};
use serde::Deserialize;
use snowball_dashboard::{Actor, Done, Reader, View};
use snowball_protocol::SiteName;
use snowball_web::{Confirmation, Html, Route};

use super::{done, reason, voice};
use crate::{
    cli::Refuse,
    dashboard::{
        Board,
        pages::{site_act, sites::FINGERPRINT_QUERY},
        words::acts as text,
    },
    report::Voice,
};

/// Which request; absent: all of the site.
#[derive(Deserialize)]
pub struct Which {
    fingerprint: Option<String>,
}

pub async fn ask(
    State(board): State<Board>,
    Path(site): Path<String>,
    Query(which): Query<Which>,
    reader: Reader,
) -> View {
    let (Ok(site), Some(token)) = (site.parse::<SiteName>(), reader.may_act()) else {
        return reader.missing();
    };
    let (voice, named) = (voice(&reader), [("site", site.as_str().into())]);
    let (will_happen, fingerprint) = match which.fingerprint {
        None => (voice.say(text::REFUSE_SAYS, &named), None),
        Some(asked) => {
            let pending = match board.app.core.registry.pending_enrolments(&site).await {
                Ok(pending) => pending,
                Err(error) => return reader.failed(&error),
            };
            let mut keys = pending.iter().map(|one| one.key_fingerprint);
            let Some(key) = keys.find(|key| key.hex() == asked) else {
                return reader.missing();
            };
            let [site] = named.clone();
            let values = [site, ("fingerprint", Html::code(&key.spoken()))];
            (voice.say(text::REFUSE_ONE, &values), Some(asked))
        }
    };
    let hidden = fingerprint.as_deref().map(|key| (FINGERPRINT_QUERY, key));
    let mut page = reader.page(voice.say(text::REFUSE, &named));
    page.confirmation(
        token,
        Confirmation {
            will_happen: vec![will_happen],
            route: site_act(&site, "refuse"),
            hidden: hidden.as_slice(),
            asks_line: None,
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
        fingerprint: actor.fields().text(FINGERPRINT_QUERY).map(str::to_owned),
        reason: reason(&actor)?,
    };
    done(&actor, "refuse", refuse.run(&board.app.home).await)?;
    let told = voice.say(text::REFUSED, &[("site", site.as_str().into())]);
    Ok(actor.done(&Route::of(["sites"]), told))
}
