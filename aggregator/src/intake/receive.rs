//! The bytes of an update: streamed to their file, durable before they are acknowledged, inspected as they go by.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::StreamExt as _;
use snowball_protocol::{
    Problem, ProblemCode, SiteName,
    ids::UploadId,
    limits::{IDLE_SECONDS_MAX, UPLOAD_CHUNK_BYTES_MAX},
    update::UploadState as Reply,
};
use snowball_registry::{Upload, UploadState};
use snowball_rounds::{Inspected, Inspection};
use snowball_service::clock;
use tokio::{task::spawn_blocking, time::timeout};

use super::{
    pen::Pen,
    reply, superseded,
    uploads::{Place, Progress, Turn},
};
use crate::{driver::Desk, state::App};

/// The file is read again in blocks of this size where its bytes did not go by in this process.
const BLOCK_BYTES: usize = 256 * 1024;

/// Takes in one chunk that starts at `offset`; the last one is answered with the receipt.
pub async fn receive(app: &App, site: &SiteName, id: &UploadId, offset: u64, body: Body) -> Result<Reply, Problem> {
    let place = app.uploads.place(id);
    let mut turn = place.take_turn();
    let mut progress = place.progress.lock().await;
    let upload = app
        .core
        .registry
        .upload(id)
        .await?
        .filter(|upload| upload.site == *site);
    let upload = upload.ok_or_else(|| Problem::new(ProblemCode::NotFound, "no such upload of this site"))?;
    match &upload.state {
        UploadState::Admitted { receipt, .. } => return Ok(reply(&upload, upload.offset, Some(receipt.clone()))),
        UploadState::Refused { problem } => return Err(problem.clone()),
        UploadState::Superseded => return Err(superseded()),
        UploadState::Uploading => {}
    }
    if offset != upload.offset {
        let reason = format!("the upload stands at {}, the chunk begins at {offset}", upload.offset);
        return Err(Problem::new(ProblemCode::OffsetMismatch, reason));
    }
    let desk = app
        .studies
        .get(&upload.header.study)
        .ok_or_else(|| Problem::new(ProblemCode::NotFound, "no such study"))?;
    let chunk = write(app, &desk, &upload, body, (&place, &mut progress, &mut turn))
        .await
        .map_err(|error| fault("writing an upload", &error))?;
    if chunk.end > upload.offset {
        app.core
            .registry
            .advance_upload(id, upload.offset, chunk.end, clock::now())
            .await?;
    }
    chunk.outcome?;
    if chunk.end < upload.header.bytes {
        return Ok(reply(&upload, chunk.end, None));
    }
    finish(app, &desk, &upload, &mut progress).await
}

/// An upload that is announced again: whole but not yet judged (a crash lies in between), or still to be continued.
pub async fn finish_if_whole(app: &App, desk: &Desk, upload: Upload) -> Result<Reply, Problem> {
    if upload.offset < upload.header.bytes {
        return Ok(reply(&upload, upload.offset, None));
    }
    let place = app.uploads.place(&upload.id);
    let mut progress = place.progress.lock().await;
    finish(app, desk, &upload, &mut progress).await
}

async fn finish(app: &App, desk: &Desk, upload: &Upload, progress: &mut Progress) -> Result<Reply, Problem> {
    let inspected = match progress.inspection.take() {
        Some((inspection, seen)) if seen == upload.header.bytes => inspection.finish(),
        _ => inspect_file(app, desk, upload).await?,
    };
    let admission = desk.admit(upload.id.clone(), inspected).await;
    if !matches!(&admission, Err(problem) if problem.code.is_transient()) {
        app.uploads.release(&upload.id);
    }
    Ok(reply(upload, upload.header.bytes, Some(admission?)))
}

async fn inspect_file(app: &App, desk: &Desk, upload: &Upload) -> Result<Inspected, Problem> {
    let (objects, file) = (app.core.objects.clone(), upload.file.clone());
    let mut inspection = Inspection::of(desk.plan(), desk.parameters()).keeping(desk.kept());
    let read = spawn_blocking(move || {
        objects.read_chunks(&file, BLOCK_BYTES, |block| {
            inspection.bytes(block);
            Ok::<(), snowball_registry::ObjectError>(())
        })?;
        Ok::<_, snowball_registry::ObjectError>(inspection.finish())
    });
    match read.await {
        Ok(Ok(inspected)) => Ok(inspected),
        Ok(Err(error)) => Err(fault("reading an upload", &error)),
        Err(error) => Err(fault("reading an upload", &error)),
    }
}

/// What became of a chunk: how far the file is durable, and whether the body was sound.
struct Chunk {
    end: u64,
    outcome: Result<(), Problem>,
}

/// Streams the body behind the acknowledged bytes. What came before a broken line is kept: the next chunk goes on there.
async fn write(
    app: &App,
    desk: &Desk,
    upload: &Upload,
    body: Body,
    (place, progress, turn): (&Place, &mut Progress, &mut Turn),
) -> std::io::Result<Chunk> {
    let inspection = match progress.inspection.take() {
        Some((inspection, seen)) if seen == upload.offset => Some(inspection),
        _ if upload.offset == 0 => Some(Inspection::of(desk.plan(), desk.parameters()).keeping(desk.kept())),
        _ => None,
    };
    let mut pen = Pen::open(app, upload, place, inspection).await;
    let room = (upload.header.bytes - upload.offset).min(UPLOAD_CHUNK_BYTES_MAX as u64);
    let (mut taken, mut frames) = (0, body.into_data_stream());
    let outcome = loop {
        let next = tokio::select! {
            next = timeout(Duration::from_secs(IDLE_SECONDS_MAX), frames.next()) => next,
            () = turn.lost() => break Err(Problem::new(ProblemCode::Busy, "a newer request goes on with this upload")),
        };
        let frame: Bytes = match next {
            Ok(None) => break Ok(()),
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_))) => break Err(Problem::new(ProblemCode::Busy, "the line broke within a chunk")),
            Err(_) => break Err(Problem::new(ProblemCode::Busy, "no byte came for too long")),
        };
        if taken + frame.len() as u64 > room {
            let reason = format!("a chunk of this upload may have {room} bytes here");
            break Err(Problem::new(ProblemCode::TooLarge, reason));
        }
        taken += frame.len() as u64;
        pen.write(frame).await?;
    };
    let inspection = pen.finish().await?;
    let end = upload.offset + taken;
    progress.inspection = inspection.map(|inspection| (inspection, end));
    Ok(Chunk { end, outcome })
}

fn fault(doing: &str, cause: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%cause, "{doing} failed");
    Problem::new(ProblemCode::Internal, format!("the aggregator failed at {doing}"))
}
