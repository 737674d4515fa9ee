//! `GET /sites`

use axum::extract::State;
use snowball_dashboard::{Reader, View};
use snowball_service::clock;

use super::{shown, voice};
use crate::dashboard::{Board, gather, pages};

pub async fn show(State(board): State<Board>, reader: Reader) -> View {
    let view = gather::sites(&board.app.core.registry, clock::now()).await;
    let page = view.map(|view| pages::sites::page(&view, voice(&reader), reader.may_act()));
    shown(&reader, page)
}
