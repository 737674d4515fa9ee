//! `GET /`

use axum::extract::State;
use snowball_dashboard::{Reader, View};
use snowball_service::clock;

use super::{shown, voice};
use crate::dashboard::{Board, gather, pages};

pub async fn show(State(board): State<Board>, reader: Reader) -> View {
    let page = async {
        let (app, now) = (&board.app, clock::now());
        let seen = board.ledger.look(&app.core, &app.home, now).await;
        let sources = (&app.core.registry, &app.home, &*board.config);
        let view = gather::overview(sources, seen.fault().map(str::to_owned), now).await?;
        Ok(pages::overview::page(&view, voice(&reader)))
    };
    shown(&reader, page.await)
}
