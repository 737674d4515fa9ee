//! What answers: a page for each thing to see, a page that asks before each thing to do, and the doing, by the commands' own
//! functions.

mod approve;
mod invite;
mod ledger;
mod overview;
mod refuse;
mod releases;
mod revoke;
mod sites;
mod study;
mod study_act;

use anyhow::{Error, Result};
use axum::{
    Router,
    routing::{get, post},
};
use snowball_dashboard::{Actor, Reader, View};
use snowball_web::{Html, Page};

use super::Board;
use crate::{
    cli::{Answer, Reason, Refused},
    report::Voice,
};

/// All of them.
pub fn router(board: Board) -> Router {
    Router::new()
        .route("/", get(overview::show))
        .route("/studies/{study}", get(study::show))
        .route("/studies/{study}/{act}", get(study_act::ask).post(study_act::perform))
        .route("/sites", get(sites::show))
        .route("/sites/{site}/approve", get(approve::ask).post(approve::perform))
        .route("/sites/{site}/refuse", get(refuse::ask).post(refuse::perform))
        .route("/sites/{site}/revoke", get(revoke::ask).post(revoke::perform))
        .route("/invitations", post(invite::perform))
        .route("/releases", get(releases::list))
        .route("/releases/{digest}", get(releases::show))
        .route("/ledger", get(ledger::show))
        .with_state(board)
}

/// How a page speaks to its reader.
fn voice(reader: &Reader) -> Voice {
    Voice {
        language: reader.language(),
    }
}

/// The page that was made, or that it could not be made.
fn shown(reader: &Reader, page: Result<Page>) -> View {
    match page {
        Ok(page) => reader.show(page),
        Err(error) => reader.failed(&error),
    }
}

/// The reason that was typed, and by whom: the record has no other place for that.
fn reason(actor: &Actor) -> Result<Reason, View> {
    let typed = actor.reason()?;
    // A text field may hold several lines; a reason is one.
    let typed = typed.split_whitespace().collect::<Vec<_>>().join(" ");
    signed(&typed, &actor.name()).map_err(|fault| actor.refused(fault.into()))
}

fn signed(typed: &str, who: &str) -> Result<Reason, &'static str> {
    format!("{typed} (dashboard, {who})").parse()
}

/// What a command answered; where it refused, a page that says why.
fn done(actor: &Actor, act: &'static str, answer: Result<Answer>) -> Result<Answer, View> {
    match answer {
        Ok(answer) if answer.refused => Err(actor.refused(answer.text.as_str().into())),
        Ok(answer) => {
            tracing::info!(act, who = actor.name(), "done by the dashboard");
            Ok(answer)
        }
        Err(error) => Err(not_done(actor, &error)),
    }
}

fn not_done(actor: &Actor, error: &Error) -> View {
    match error.downcast_ref::<Refused>() {
        Some(refused) => actor.refused(Html::text(&refused.0)),
        None => actor.failed(error),
    }
}

#[cfg(test)]
mod tests {
    use snowball_dashboard::HOLDER_CHARACTERS_MAX;
    use snowball_web::REASON_CHARACTERS_MAX;

    use super::*;

    #[test]
    fn the_longest_reason_of_a_form_fits_with_the_longest_name_behind_it() {
        let (typed, name) = ("é".repeat(REASON_CHARACTERS_MAX), "é".repeat(HOLDER_CHARACTERS_MAX));
        assert!(signed(&typed, &name).is_ok());
    }
}
