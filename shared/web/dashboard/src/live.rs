//! Pages that renew themselves: the server makes the page again every little while ([`Renewals`]) and sends those of its live parts that
//! changed.
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
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::{
    dashboard::stopped,
    guard::Visit,
    renewals::{Found, Renewals},
    view::Parts,
};

/// Streams at once, of all sessions.
pub const STREAMS_MAX: usize = 32;
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

/// A stream that only says that there is nothing to renew: of an answer that is no stream the script could not tell why.
fn nothing() -> Response {
    Sse::new(stream::iter([Ok::<_, Infallible>(still())])).into_response()
}

/// The stream of a page's live parts. A page without any is told so, and not asked again; one that cannot be made is.
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
        latest: Renewals::watch(&visit, &uri, &next),
        visit,
        seen: BTreeMap::new(),
        pending: VecDeque::new(),
        is_over: false,
        _place: place,
    };
    // The one that others wait for already, or a new one. Where it broke off, nothing comes.
    let _ = watcher.latest.wait_for(Option::is_some).await;
    match watcher.note() {
        Some(Found::Parts(_)) => {}
        Some(Found::Nothing) => return nothing(),
        Some(Found::Fault) | None => {
            return (StatusCode::SERVICE_UNAVAILABLE, "the page cannot be made now\n").into_response();
        }
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
    /// What the page was when it was made last.
    latest: watch::Receiver<Option<Found>>,
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
            if self.is_over {
                return None;
            }
            // Also after a look: the session may have ended while the page was made.
            if !self.holds() {
                return self.end(over());
            }
            if let Some(event) = self.pending.pop_front() {
                return Some(event);
            }
            tokio::select! {
                made = self.latest.changed() => if made.is_err() { return None },
                // Nothing is ever sent: it ends when the session does.
                _ = self.alive.changed() => return self.end(over()),
                () = stopped(&mut self.stopping) => return None,
            }
            if !self.holds() {
                return self.end(over());
            }
            match self.note() {
                Some(Found::Parts(_)) => {}
                Some(Found::Nothing) => return self.end(still()),
                // The browser says that what it shows may be old, and asks again.
                Some(Found::Fault) | None => return None,
            }
        }
    }

    fn holds(&self) -> bool {
        let sessions = &self.visit.dashboard.0.sessions;
        sessions.holds(&self.visit.session, Instant::now())
    }

    fn end(&mut self, last: Event) -> Option<Event> {
        self.is_over = true;
        self.pending.clear();
        Some(last)
    }

    /// Notes what changed; `None` before the page was made the first time.
    fn note(&mut self) -> Option<Found> {
        let found = self.latest.borrow_and_update().clone()?;
        if let Found::Parts(Parts(parts)) = &found {
            for (id, html) in parts.iter() {
                let digest = Sha256Digest::of(html.as_bytes());
                if self.seen.insert(*id, digest) != Some(digest)
                    && let Ok(event) = Event::default().event("part").json_data(Sent { id, html })
                {
                    self.pending.push_back(event);
                }
            }
        }
        Some(found)
    }
}

fn still() -> Event {
    Event::default().event("still").data("nothing here renews itself")
}

fn over() -> Event {
    Event::default().event("over").data("signed out")
}
