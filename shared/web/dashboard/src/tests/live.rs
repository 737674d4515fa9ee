//! Pages that renew themselves.

use std::{collections::BTreeSet, sync::atomic::Ordering, time::Duration};

use axum::{
    body::{Body, BodyDataStream},
    http::{Method, StatusCode, header},
};
use futures_util::StreamExt as _;
use tokio::time::timeout;
use tower::ServiceExt as _;

use crate::{
    Role,
    live::STREAMS_MAX,
    trial::{BROKEN, Session, Trial},
};

/// What a stream sent, as long as it says something within `seconds`.
struct Stream(BodyDataStream);

impl Stream {
    async fn open(trial: &Trial, session: &Session, path: &str) -> Result<Self, StatusCode> {
        let request = Trial::request(Method::GET, path)
            .header(header::COOKIE, &session.cookie)
            .header(header::ACCEPT, "text/event-stream");
        let response = trial.router.clone().oneshot(request.body(Body::empty()).unwrap()).await;
        let response = response.unwrap();
        if response.status() != StatusCode::OK {
            return Err(response.status());
        }
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        Ok(Self(response.into_body().into_data_stream()))
    }

    /// `None`: silence. An empty text: the end.
    async fn hear(&mut self, seconds: u64) -> Option<String> {
        let next = timeout(Duration::from_secs(seconds), self.0.next()).await.ok()?;
        Some(next.map_or_else(String::new, |piece| String::from_utf8(piece.unwrap().into()).unwrap()))
    }
}

#[tokio::test]
async fn a_part_is_sent_when_it_changed_and_only_then() {
    let trial = Trial::open();
    let session = trial.enter(Role::Reads).await;
    let mut stream = Stream::open(&trial, &session, "/")
        .await
        .unwrap_or_else(|status| panic!("{status}"));
    let first = stream.hear(1).await.unwrap() + &stream.hear(1).await.unwrap();
    assert!(
        first.contains("event: part") && first.contains("\"id\":\"count\"") && first.contains("\"id\":\"constant\"")
    );
    assert_eq!(stream.hear(5).await, None);
    trial.count.store(41, Ordering::Relaxed);
    let changed = stream.hear(5).await.unwrap();
    assert!(
        changed.contains("\"id\":\"count\"") && changed.contains("41"),
        "{changed}"
    );
    assert!(!changed.contains("constant"));
    assert_eq!(stream.hear(3).await, None);
}

#[tokio::test]
async fn a_stream_ends_with_its_session_and_with_the_server() {
    let trial = Trial::open();
    let (session, other) = (trial.enter(Role::Reads).await, trial.enter(Role::Acts).await);
    let mut streams = Vec::new();
    for session in [&session, &other] {
        let mut stream = Stream::open(&trial, session, "/")
            .await
            .unwrap_or_else(|status| panic!("{status}"));
        for _ in 0..2 {
            stream.hear(1).await.unwrap();
        }
        streams.push(stream);
    }
    trial
        .post("/sign-out", Some(&session), &format!("form-token={}", session.token))
        .await;
    assert!(streams[0].hear(1).await.unwrap().contains("event: over"));
    assert_eq!(streams[0].hear(1).await.as_deref(), Some(""));
    assert_eq!(streams[1].hear(1).await, None);
    trial.dashboard.0.stopping.send_replace(true);
    assert_eq!(streams[1].hear(1).await.as_deref(), Some(""));
    // Whoever asks on is told so once more, and nothing else.
    let mut stream = Stream::open(&trial, &session, "/")
        .await
        .unwrap_or_else(|status| panic!("{status}"));
    assert!(stream.hear(1).await.unwrap().contains("event: over"));
    assert_eq!(stream.hear(1).await.as_deref(), Some(""));
}

#[tokio::test]
async fn a_stream_ends_when_its_page_cannot_be_made_and_is_not_opened_meanwhile() {
    let trial = Trial::open();
    let session = trial.enter(Role::Reads).await;
    let mut stream = Stream::open(&trial, &session, "/")
        .await
        .unwrap_or_else(|status| panic!("{status}"));
    for _ in 0..2 {
        stream.hear(1).await.unwrap();
    }
    trial.count.store(BROKEN, Ordering::Relaxed);
    assert_eq!(stream.hear(5).await.as_deref(), Some(""));
    assert_eq!(
        Stream::open(&trial, &session, "/").await.err(),
        Some(StatusCode::SERVICE_UNAVAILABLE)
    );
    trial.count.store(1, Ordering::Relaxed);
    assert!(Stream::open(&trial, &session, "/").await.is_ok());
}

#[tokio::test]
async fn streams_are_few_and_a_page_without_live_parts_has_none() {
    let trial = Trial::open();
    let session = trial.enter(Role::Reads).await;
    for path in ["/still", "/nowhere"] {
        let mut stream = Stream::open(&trial, &session, path)
            .await
            .unwrap_or_else(|status| panic!("{status}"));
        assert!(stream.hear(1).await.unwrap().contains("event: still"), "{path}");
        assert_eq!(stream.hear(1).await.as_deref(), Some(""), "{path}");
    }
    let mut streams = Vec::new();
    for _ in 0..STREAMS_MAX {
        streams.push(
            Stream::open(&trial, &session, "/")
                .await
                .unwrap_or_else(|status| panic!("{status}")),
        );
    }
    assert_eq!(
        Stream::open(&trial, &session, "/").await.err(),
        Some(StatusCode::SERVICE_UNAVAILABLE)
    );
    streams.pop();
    assert!(Stream::open(&trial, &session, "/").await.is_ok());
}

/// What is certain to come is waited for this long, also on a machine that does much else.
const LONG: Duration = Duration::from_secs(120);

/// The number of the making that a stream of `/made` hears of next.
async fn number(stream: &mut Stream) -> u64 {
    loop {
        let heard = stream.hear(LONG.as_secs()).await.unwrap();
        assert!(!heard.is_empty(), "the stream ended");
        // A sign of life holds no number.
        if let Some((_, after)) = heard.split_once("made ") {
            return after.split(' ').next().unwrap().parse().unwrap();
        }
    }
}

#[tokio::test]
async fn a_page_is_made_once_for_all_who_see_the_same_and_not_at_all_when_nobody_looks() {
    let trial = Trial::open();
    let (one, two, actor) = (
        trial.enter(Role::Reads).await,
        trial.enter(Role::Reads).await,
        trial.enter(Role::Acts).await,
    );
    let open = async |session, path| {
        Stream::open(&trial, session, path)
            .await
            .unwrap_or_else(|status| panic!("{status}"))
    };
    let mut same = Vec::new();
    for session in [&one, &two, &one, &two] {
        same.push(open(session, "/made").await);
    }
    // Whoever may act sees another page, and so does whoever reads another language.
    let mut others = vec![open(&actor, "/made").await, open(&one, "/made?language=fr").await];

    // Each making has a number of its own: two who hear the same one share it, and of makings for each alone they would never.
    let mut heard = vec![BTreeSet::new(); same.len()];
    let mut heard_by_others = vec![BTreeSet::new(); others.len()];
    let is_shared = |heard: &[BTreeSet<u64>]| {
        heard[0]
            .iter()
            .any(|number| heard.iter().all(|all| all.contains(number)))
    };
    let hearing = async {
        while !is_shared(&heard) {
            for (stream, heard) in same.iter_mut().zip(&mut heard) {
                heard.insert(number(stream).await);
            }
            for (stream, heard) in others.iter_mut().zip(&mut heard_by_others) {
                heard.insert(number(stream).await);
            }
        }
    };
    timeout(LONG, hearing).await.unwrap();
    let [acting, french] = &heard_by_others[..] else {
        panic!("two others")
    };
    assert!(acting.is_disjoint(french));
    assert!(
        heard
            .iter()
            .all(|heard| heard.is_disjoint(acting) && heard.is_disjoint(french))
    );

    drop((same, others));
    let resting = async {
        while !trial.dashboard.0.renewals.is_at_rest() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LONG, resting).await.unwrap();
    let made = trial.made();
    let mut again = open(&one, "/made").await;
    assert_eq!(number(&mut again).await, made + 1);
}
