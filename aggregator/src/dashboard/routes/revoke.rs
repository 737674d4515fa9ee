//! `GET` and `POST /sites/{site}/revoke`

use anyhow::Result;
use axum::extract::{Path, State};
use snowball_dashboard::{Actor, Done, Reader, View};
use snowball_protocol::{SiteName, limits::HEARTBEAT_SECONDS};
use snowball_web::{Confirmation, Html, Page, Route};

use super::{done, reason, voice};
use crate::{
    cli::Revoke,
    dashboard::{
        Board,
        pages::{site_act, study_route},
        words::acts as text,
    },
    report::Voice,
};

pub async fn ask(State(board): State<Board>, Path(site): Path<String>, reader: Reader) -> View {
    let (Ok(site), Some(token)) = (site.parse::<SiteName>(), reader.may_act()) else {
        return reader.missing();
    };
    let will_happen = match will_happen(&board, &site, voice(&reader)).await {
        Ok(Some(will_happen)) => will_happen,
        Ok(None) => return reader.missing(),
        Err(error) => return reader.failed(&error),
    };
    let voice = voice(&reader);
    let mut page: Page = reader.page(voice.say(text::REVOKE, &[("site", site.as_str().into())]));
    page.confirmation(
        token,
        Confirmation {
            will_happen,
            route: site_act(&site, "revoke"),
            hidden: &[],
            asks_line: None,
            asks_reason: true,
            button: voice.word(text::REVOKE_BUTTON),
            back: Route::of(["sites"]),
        },
    );
    reader.show(page)
}

/// What comes of it; `None` where there is no such site.
async fn will_happen(board: &Board, site: &SiteName, voice: Voice) -> Result<Option<Vec<Html>>> {
    let registry = &board.app.core.registry;
    if registry.site(site).await?.is_none() {
        return Ok(None);
    }
    let out = [
        ("site", site.as_str().into()),
        ("seconds", voice.number(HEARTBEAT_SECONDS)),
    ];
    let mut will_happen = vec![voice.say(text::REVOKE_OUT, &out)];
    let studies = registry.studies().await?;
    let own: Vec<Html> = studies
        .iter()
        .filter(|study| study.phase.is_member(site))
        .map(|study| study.plan.study.as_str())
        .map(|name| Html::route(&study_route(name), name))
        .collect();
    if !own.is_empty() {
        will_happen.push(voice.say(text::REVOKE_STUDIES, &[("studies", Html::join(own, ", "))]));
    }
    will_happen.extend([text::REVOKE_KEPT, text::REVOKE_READS].map(|words| voice.word(words)));
    Ok(Some(will_happen))
}

pub async fn perform(State(board): State<Board>, Path(site): Path<String>, actor: Actor) -> Result<Done, View> {
    let voice = Voice {
        language: actor.language(),
    };
    let Ok(site) = site.parse::<SiteName>() else {
        return Err(actor.refused(voice.word(text::NO_SUCH)));
    };
    // The command takes that for done, and would drop the reason without a word.
    let known = match board.app.core.registry.site(&site).await {
        Ok(known) => known,
        Err(error) => return Err(actor.failed(&error)),
    };
    if let Some(before) = known.and_then(|known| known.revoked) {
        let told = [
            ("site", site.as_str().into()),
            ("time", Html::minute(before.at)),
            ("reason", Html::text(&before.reason)),
        ];
        return Err(actor.refused(voice.say(text::REVOKED_ALREADY, &told)));
    }
    let revoke = Revoke {
        site: Some(site.clone()),
        serial: None,
        reason: reason(&actor)?,
    };
    done(&actor, "revoke", revoke.run(&board.app.home).await)?;
    let told = voice.say(text::REVOKED, &[("site", site.as_str().into())]);
    Ok(actor.done(&Route::of(["sites"]), told))
}
