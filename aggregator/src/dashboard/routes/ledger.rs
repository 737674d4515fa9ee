//! `GET /ledger`

use axum::extract::State;
use snowball_dashboard::{Reader, View};
use snowball_service::clock;

use super::{shown, voice};
use crate::dashboard::{Board, pages};

pub async fn show(State(board): State<Board>, reader: Reader) -> View {
    let page = async {
        let app = &board.app;
        let seen = board.ledger.look(&app.core, &app.home, clock::now()).await;
        let sites = app.core.registry.sites().await?;
        Ok(pages::ledger::page(&seen, &sites, voice(&reader)))
    };
    shown(&reader, page.await)
}
