//! `GET /v1/studies/{study}/models/{round}`: a global model, whole or from where a broken line left off (RFC 9110, 14).

use std::{ops::Range, sync::Arc};

use axum::{
    body::{Body, Bytes},
    extract::{Path, State},
    http::{
        HeaderMap, StatusCode,
        header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE},
    },
    response::Response,
};
use futures_util::stream::try_unfold;
use snowball_protocol::ProblemCode;
use snowball_registry::ObjectName;
use tokio::task::spawn_blocking;

use super::{
    desk,
    guard::Site,
    refusal::{Answer, Refusal},
    round as round_of,
    shelf::Shelf,
};
use crate::state::Shared;

/// Streams the bytes that the request asks for.
pub async fn model(
    State(app): State<Shared>,
    Site(site): Site,
    Path((study, round)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    let (desk, round) = (desk(&app, &study)?, round_of(&round)?);
    if !desk.is_member(&site) {
        return Err(Refusal::new(
            ProblemCode::NotJoined,
            "models are for sites that take part",
        ));
    }
    // A newer file may lie there while its round is being written down; it is nobody's model yet.
    if desk.model().is_none_or(|newest| round > newest.round) {
        return Err(Refusal::new(ProblemCode::NotFound, "no such model yet"));
    }
    stream(&app, ObjectName::model(&desk.plan().study, round), &headers).await
}

/// Answers with an object: whole, or the range that is asked for.
pub(super) async fn stream(app: &Shared, name: ObjectName, headers: &HeaderMap) -> Answer<Response> {
    let shared = Arc::clone(app);
    let opened = spawn_blocking(move || {
        let file = shared.core.objects.reader(&name).map_err(std::io::Error::other)?;
        shared.shelves.shelf(file)
    });
    let internal = |error: std::io::Error| Refusal::internal("reading a model", &error);
    let shelf = opened.await.map_err(std::io::Error::from).flatten().map_err(internal)?;
    let length = shelf.length();
    let wanted = headers.get(RANGE).and_then(|value| value.to_str().ok());
    let (status, range) = match select(wanted, length) {
        Selection::Whole => (StatusCode::OK, 0..length),
        Selection::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Selection::Unsatisfiable => (StatusCode::RANGE_NOT_SATISFIABLE, 0..0),
    };
    let mut response = Response::builder()
        .status(status)
        .header(ACCEPT_RANGES, "bytes")
        .header(CONTENT_TYPE, "application/octet-stream")
        .header(CONTENT_LENGTH, range.end - range.start);
    response = match status {
        StatusCode::PARTIAL_CONTENT => response.header(
            CONTENT_RANGE,
            format!("bytes {}-{}/{length}", range.start, range.end - 1),
        ),
        StatusCode::RANGE_NOT_SATISFIABLE => response.header(CONTENT_RANGE, format!("bytes */{length}")),
        _ => response,
    };
    let blocks = try_unfold((shelf, range), next_block);
    response
        .body(Body::from_stream(blocks))
        .map_err(|error| Refusal::internal("answering with a model", &error))
}

async fn next_block(
    (shelf, range): (Arc<Shelf>, Range<u64>),
) -> std::io::Result<Option<(Bytes, (Arc<Shelf>, Range<u64>))>> {
    if range.is_empty() {
        return Ok(None);
    }
    let mut block = shelf.from(range.start).await?;
    // What does not fit is longer than any block.
    block.truncate(usize::try_from(range.end - range.start).unwrap_or(usize::MAX));
    if block.is_empty() {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let next = range.start + block.len() as u64..range.end;
    Ok(Some((block, (shelf, next))))
}

#[derive(PartialEq, Eq, Debug)]
enum Selection {
    Whole,
    Part(Range<u64>),
    Unsatisfiable,
}

/// One range of the forms `bytes=a-` and `bytes=a-b`; anything else is ignored, as RFC 9110 allows.
fn select(range: Option<&str>, length: u64) -> Selection {
    let parse = |text: &str| text.parse::<u64>().ok();
    let Some((first, last)) = range
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
    else {
        return Selection::Whole;
    };
    let (Some(first), last) = (parse(first), if last.is_empty() { Some(u64::MAX) } else { parse(last) }) else {
        return Selection::Whole;
    };
    match last {
        Some(last) if first > last => Selection::Whole,
        Some(_) if first >= length => Selection::Unsatisfiable,
        Some(last) => Selection::Part(first..last.saturating_add(1).min(length)),
        None => Selection::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        assert_eq!(select(None, 10), Selection::Whole);
        assert_eq!(select(Some("bytes=4-"), 10), Selection::Part(4..10));
        assert_eq!(select(Some("bytes=4-5"), 10), Selection::Part(4..6));
        assert_eq!(select(Some("bytes=0-99"), 10), Selection::Part(0..10));
        assert_eq!(select(Some("bytes=10-"), 10), Selection::Unsatisfiable);
        assert_eq!(select(Some("bytes=0-"), 0), Selection::Unsatisfiable);
        for ignored in [
            "bytes=-5",
            "bytes=5-4",
            "bytes=1-2,4-5",
            "items=0-1",
            "bytes=a-b",
            "bytes=-",
        ] {
            assert_eq!(select(Some(ignored), 10), Selection::Whole, "{ignored}");
        }
        assert_eq!(
            select(Some(&format!("bytes=3-{}", u64::MAX)), 10),
            Selection::Part(3..10)
        );
    }
}
