//! Every answer carries the headers, whatever route it is of and whatever went wrong.

use axum::{
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use snowball_web::{SCRIPT_PATH, STYLE_PATH};

use crate::{
    POLICY, Role,
    trial::{HOST, Trial},
};

fn check(headers: &HeaderMap, of: &str) {
    let expected = [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ];
    for (name, value) in expected {
        let all: Vec<_> = headers.get_all(name).iter().collect();
        assert_eq!(all, [value], "{name} of {of}");
    }
    assert!(headers.contains_key("permissions-policy"), "{of}");
    assert!(!headers.contains_key(header::STRICT_TRANSPORT_SECURITY), "{of}");
}

#[test]
fn the_policy_lets_nothing_in_that_is_not_ours() {
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(POLICY.split("; ").any(|part| part.trim() == rule), "{rule}");
    }
    assert!(!POLICY.contains("unsafe") && !POLICY.contains("http") && !POLICY.contains('*'));
}

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let trial = Trial::open();
    let session = trial.enter(Role::Acts).await;
    let cases = [
        ("/", StatusCode::OK),
        ("/still", StatusCode::OK),
        ("/enter", StatusCode::OK),
        (STYLE_PATH, StatusCode::OK),
        (SCRIPT_PATH, StatusCode::OK),
        ("/nowhere", StatusCode::NOT_FOUND),
        ("/sign-out", StatusCode::METHOD_NOT_ALLOWED),
    ];
    for (path, status) in cases {
        let answer = trial.get(path, Some(&session)).await;
        assert_eq!(answer.status, status, "{path}");
        check(&answer.headers, path);
    }
    check(&trial.get("/", None).await.headers, "a stranger's way to the entrance");
    check(&trial.post("/", None, "").await.headers, "a stranger's form");
    check(
        &trial.post("/", Some(&session), "").await.headers,
        "a form without token",
    );
    check(&trial.post("/enter", None, "ticket=x").await.headers, "a wrong ticket");
    let token = format!("reason=why&form-token={}", session.token);
    check(&trial.post("/", Some(&session), &token).await.headers, "a good form");
    let stranger = Request::get("/")
        .header(header::HOST, "evil.example")
        .body(Body::empty());
    check(&trial.ask(stranger.unwrap()).await.headers, "another name");
    let method = Request::delete("/").header(header::HOST, HOST).body(Body::empty());
    check(&trial.ask(method.unwrap()).await.headers, "another method");
    let stream = Trial::request(Method::GET, "/").header(header::ACCEPT, "text/event-stream");
    check(
        &trial.ask(stream.body(Body::empty()).unwrap()).await.headers,
        "a stream of nobody",
    );
}

#[tokio::test]
async fn nothing_in_a_page_stands_inline() {
    let trial = Trial::open();
    let session = trial.enter(Role::Acts).await;
    for path in ["/", "/still", "/enter", "/nowhere"] {
        let html = trial.get(path, Some(&session)).await.text;
        assert_eq!(html.matches("<script").count(), 1, "{path}");
        assert!(html.contains(&format!("<script src=\"{SCRIPT_PATH}\" defer></script>")));
        for inline in [
            "<style",
            " style=",
            " onclick=",
            " onload=",
            "javascript:",
            "http:",
            "https:",
        ] {
            assert!(!html.contains(inline), "{path}: {inline}");
        }
    }
}
