//! Whoever may not act changes nothing, whatever they send.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};

use crate::{
    Role,
    rules::BODY_BYTES_MAX,
    trial::{HOST, Trial},
};

#[tokio::test]
async fn only_a_session_that_may_act_with_its_own_token_changes_anything() {
    let trial = Trial::open();
    let (actor, other, reader) = (
        trial.enter(Role::Acts).await,
        trial.enter(Role::Acts).await,
        trial.enter(Role::Reads).await,
    );
    let form = |token: &str| format!("reason=why&form-token={token}");
    let refused = [
        (None, form(&actor.token)),
        (Some(&reader), form(&reader.token)),
        (Some(&reader), form(&actor.token)),
        (Some(&actor), form(&other.token)),
        (Some(&actor), form("")),
        (Some(&actor), "reason=why".to_owned()),
        (Some(&actor), format!("{}&form-token=x", form(&actor.token))),
    ];
    for (session, body) in refused {
        let answer = trial.post("/", session, &body).await;
        assert!(answer.status.is_client_error(), "{body}: {}", answer.status);
        assert_eq!(trial.count(), 0, "{body}");
    }
    // Without a reason it is not done either.
    let answer = trial
        .post("/", Some(&actor), &format!("reason=++&form-token={}", actor.token))
        .await;
    assert_eq!((answer.status, trial.count()), (StatusCode::UNPROCESSABLE_ENTITY, 0));
    let long = format!("reason={}&form-token={}", "x".repeat(501), actor.token);
    let answer = trial.post("/", Some(&actor), &long).await;
    assert_eq!((answer.status, trial.count()), (StatusCode::UNPROCESSABLE_ENTITY, 0));

    let answer = trial.post("/", Some(&actor), &form(&actor.token)).await;
    assert_eq!((answer.status, trial.count()), (StatusCode::SEE_OTHER, 1));
    let told = trial.get("/", Some(&actor)).await;
    assert!(told.text.contains("<p class=\"told\" role=\"status\">Raised</p>"));
    assert!(!trial.get("/", Some(&actor)).await.text.contains("Raised"));
}

#[tokio::test]
async fn who_may_only_look_is_shown_no_form() {
    let trial = Trial::open();
    let (actor, reader) = (trial.enter(Role::Acts).await, trial.enter(Role::Reads).await);
    assert!(trial.get("/", Some(&actor)).await.text.contains("name=\"reason\""));
    assert!(!trial.get("/", Some(&reader)).await.text.contains("name=\"reason\""));
}

#[tokio::test]
async fn what_comes_from_elsewhere_changes_nothing_although_it_has_cookie_and_token() {
    let trial = Trial::open();
    let actor = trial.enter(Role::Acts).await;
    let body = format!("reason=why&form-token={}", actor.token);
    let heads: [&[(&str, &str)]; 5] = [
        &[("host", "evil.example"), ("sec-fetch-site", "same-origin")],
        &[("host", HOST), ("sec-fetch-site", "cross-site")],
        &[("host", HOST), ("origin", "http://evil.example")],
        &[("host", HOST), ("origin", "null")],
        &[("host", HOST)],
    ];
    for heads in heads {
        let mut request = Request::post("/")
            .header(header::COOKIE, &actor.cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in heads {
            request = request.header(*name, *value);
        }
        let answer = trial.ask(request.body(Body::from(body.clone())).unwrap()).await;
        assert!(answer.status.is_client_error(), "{heads:?}");
        assert_eq!(trial.count(), 0, "{heads:?}");
    }
}

#[tokio::test]
async fn acts_follow_one_another() {
    let trial = Trial::open();
    let actor = trial.enter(Role::Acts).await;
    let body = format!("reason=why&form-token={}", actor.token);
    let press = || trial.post("/", Some(&actor), &body);
    let pressed = tokio::join!(press(), press(), press());
    for answer in [pressed.0, pressed.1, pressed.2] {
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
    }
    assert_eq!(trial.count(), 3);
}

#[tokio::test]
async fn a_body_has_its_bound_and_its_kind() {
    let trial = Trial::open();
    let actor = trial.enter(Role::Acts).await;
    let padded = |length: usize| {
        let form = format!("reason=why&form-token={}&pad=", actor.token);
        let pad = length - form.len();
        form + &"x".repeat(pad)
    };
    // No length is told: it is found while it is read.
    let large = trial.post("/", Some(&actor), &padded(BODY_BYTES_MAX + 1)).await;
    assert_eq!((large.status, trial.count()), (StatusCode::PAYLOAD_TOO_LARGE, 0));
    let request = Trial::request(Method::POST, "/")
        .header(header::COOKIE, &actor.cookie)
        .header(header::CONTENT_TYPE, "text/plain")
        .body(Body::from(padded(200)))
        .unwrap();
    let other = trial.ask(request).await;
    assert_eq!((other.status, trial.count()), (StatusCode::UNSUPPORTED_MEDIA_TYPE, 0));
    assert_eq!(
        trial.post("/", Some(&actor), &padded(BODY_BYTES_MAX)).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn a_page_that_shows_answers_to_no_form() {
    let trial = Trial::open();
    let actor = trial.enter(Role::Acts).await;
    for path in ["/still", "/nowhere"] {
        let answer = trial
            .post(path, Some(&actor), &format!("form-token={}", actor.token))
            .await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    assert_eq!(trial.get("/nowhere", Some(&actor)).await.status, StatusCode::NOT_FOUND);
}
