//! `GET /studies/{study}`

use axum::extract::{Path, State};
use snowball_dashboard::{Reader, View};
use snowball_protocol::StudyName;
use snowball_service::clock;

use super::voice;
use crate::dashboard::{Board, gather, pages};

pub async fn show(State(board): State<Board>, Path(study): Path<String>, reader: Reader) -> View {
    let Ok(name) = study.parse::<StudyName>() else {
        return reader.missing();
    };
    match gather::study(&board.app.core.registry, &name, clock::now()).await {
        Ok(Some(view)) => reader.show(pages::study::page(&view, voice(&reader), reader.may_act().is_some())),
        Ok(None) => reader.missing(),
        Err(error) => reader.failed(&error),
    }
}
