//! `GET /releases` and `GET /releases/{digest}`

use std::path::Path as FilePath;

use anyhow::Result;
use axum::extract::{Path, State};
use snowball_dashboard::{Reader, View};
use snowball_protocol::Sha256Digest;
use snowball_service::files;
use tokio::task::spawn_blocking;

use super::{shown, voice};
use crate::{
    dashboard::{Board, pages},
    home::read_text,
    release::{CARD_FILE, Listed},
};

/// No card is read that is longer.
const CARD_BYTES_MAX: usize = 4 << 20;

pub async fn list(State(board): State<Board>, reader: Reader) -> View {
    let page = async {
        let listed = listed(&board).await?;
        Ok(pages::releases::page(&listed, &key(&board)?, voice(&reader)))
    };
    shown(&reader, page.await)
}

pub async fn show(State(board): State<Board>, Path(digest): Path<String>, reader: Reader) -> View {
    let found = async {
        let listed = listed(&board).await?;
        let Some(one) = listed.into_iter().find(|one| one.release.digest.hex() == digest) else {
            return Ok(None);
        };
        let (one, card) = spawn_blocking(move || {
            let card = card(&one);
            (one, card)
        })
        .await?;
        Ok::<_, anyhow::Error>(Some(pages::release::page(
            &one,
            card.as_deref(),
            &key(&board)?,
            voice(&reader),
        )))
    };
    match found.await {
        Ok(Some(page)) => reader.show(page),
        Ok(None) => reader.missing(),
        Err(error) => reader.failed(&error),
    }
}

async fn listed(board: &Board) -> Result<Vec<Listed>> {
    let releases = board.app.core.registry.releases().await?;
    spawn_blocking(|| releases.into_iter().map(Listed::of).collect()).await?
}

/// The card beside the release, if it is the one that was signed.
fn card(one: &Listed) -> Option<String> {
    let path = FilePath::new(&one.release.file).with_file_name(CARD_FILE);
    let bytes = files::read_bounded(&path, CARD_BYTES_MAX).ok()?;
    if Sha256Digest::of(&bytes) != one.lineage.card_digest {
        return None;
    }
    String::from_utf8(bytes).ok()
}

/// The public key that releases are verified with.
fn key(board: &Board) -> Result<String> {
    Ok(read_text(&board.app.home.public_key_file())?.trim().to_owned())
}
