//! Pages that renew themselves: the server makes the page again every little while and sends those of its live parts that changed.
//!
//! A stream is asked for at the page's own address, so what it may see is decided by what the page may. It ends with its session
//! and with the server; that a stream is open does not make a session last longer.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    time::{Duration, Instant},
};

use axum::{
    http::{HeaderMap, StatusCode, Uri, header},
    middleware::Next,
    response::{
        IntoResponse as _, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::stream;
use serde::Serialize;
use snowball_protocol::Sha256Digest;
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{sleep, timeout},
};

use crate::{dashboard::stopped, guard::Visit, view::Parts};

/// Streams at once, of all sessions.
pub const STREAMS_MAX: usize = 32;
/// Between two looks at the page.
const EVERY: Duration = Duration::from_secs(2);
/// How long the page may take to be made.
const PAGE_MAX: Duration = Duration::from_secs(20);
/// A sign of life where nothing changes.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// What a browser asks with.
const EVENTS: &str = "text/event-stream";

/// One part as it is sent.
#[derive(Serialize)]
struct Sent<'a> {
    id: &'a str,
    html: &'a str,
}

/// Whether a request is for a stream.
pub(crate) fn is_asked(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .is_some_and(|wish| wish.as_bytes() == EVENTS.as_bytes())
}

/// A stream that only says that the session is over.
pub(crate) fn ended() -> Response {
    Sse::new(stream::iter([Ok::<_, Infallible>(over())])).into_response()
}

/// The stream of a page's live parts. A page without any has none (204: the browser does not ask again).
pub(crate) async fn stream(visit: Visit, uri: Uri, next: Next) -> Response {
    let dashboard = visit.dashboard.clone();
    let Ok(place) = dashboard.0.streams.clone().try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many pages renew themselves\n").into_response();
    };
    let Some(alive) = dashboard.0.sessions.watch(&visit.session) else {
        return ended();
    };
    let mut watcher = Watcher {
        stopping: dashboard.0.stopping.subscribe(),
        alive,
        visit,
        uri,
        next,
        seen: BTreeMap::new(),
        pending: VecDeque::new(),
        is_over: false,
        _place: place,
    };
    if watcher.look().await == Some(0) {
        return StatusCode::NO_CONTENT.into_response();
    }
    let events = stream::unfold(watcher, |mut watcher| async move {
        let event = watcher.event().await?;
        Some((Ok::<_, Infallible>(event), watcher))
    });
    Sse::new(events)
        .keep_alive(KeepAlive::new().interval(HEARTBEAT))
        .into_response()
}

/// One open stream.
struct Watcher {
    visit: Visit,
    uri: Uri,
    next: Next,
    /// What was sent of each part.
    seen: BTreeMap<&'static str, Sha256Digest>,
    pending: VecDeque<Event>,
    alive: watch::Receiver<()>,
    stopping: watch::Receiver<bool>,
    is_over: bool,
    _place: OwnedSemaphorePermit,
}

impl Watcher {
    /// The next event; `None` at the end.
    async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(event);
            }
            if self.is_over {
                return None;
            }
            tokio::select! {
                () = sleep(EVERY) => {}
                // Nothing is ever sent: it ends when the session does.
                _ = self.alive.changed() => return self.end(),
                () = stopped(&mut self.stopping) => return None,
            }
            if !self
                .visit
                .dashboard
                .0
                .sessions
                .holds(&self.visit.session, Instant::now())
            {
                return self.end();
            }
            self.look().await;
        }
    }

    fn end(&mut self) -> Option<Event> {
        self.is_over = true;
        Some(over())
    }

    /// Makes the page and notes what changed; says how many live parts it has, where it could be made.
    async fn look(&mut self) -> Option<usize> {
        let page = self.next.clone().run(self.visit.again(&self.uri));
        let response = timeout(PAGE_MAX, page).await.ok()?;
        let Parts(parts) = response.extensions().get::<Parts>()?.clone();
        for (id, html) in parts.iter() {
            let digest = Sha256Digest::of(html.as_bytes());
            if self.seen.insert(*id, digest) != Some(digest)
                && let Ok(event) = Event::default().event("part").json_data(Sent { id, html })
            {
                self.pending.push_back(event);
            }
        }
        Some(parts.len())
    }
}

fn over() -> Event {
    Event::default().event("over").data("signed out")
}
