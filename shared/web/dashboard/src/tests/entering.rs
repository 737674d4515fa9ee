//! Signing in, signing out, languages.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use snowball_web::fault;

use crate::{
    Role,
    account::Account,
    trial::{Session, Trial},
};

#[tokio::test]
async fn a_ticket_signs_in_once_and_signing_out_ends_it() {
    let trial = Trial::open();
    let stranger = trial.get("/", None).await;
    assert_eq!(
        (stranger.status, &stranger.headers[header::LOCATION]),
        (StatusCode::SEE_OTHER, &"/enter".parse().unwrap())
    );
    let entrance = trial.get("/enter", None).await;
    assert_eq!((entrance.status, fault(&entrance.text)), (StatusCode::OK, None));
    assert!(entrance.text.contains("<code>trial link</code>") && !entrance.text.contains("form-token"));

    let ticket = trial.ticket(Role::Reads);
    // Whoever only looks at the link uses nothing up.
    trial.get("/enter", None).await;
    let form = format!("ticket={ticket}");
    assert_eq!(trial.post("/enter", None, &form).await.status, StatusCode::SEE_OTHER);
    let again = trial.post("/enter", None, &form).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);
    assert!(!again.headers.contains_key(header::SET_COOKIE));
    assert_eq!(fault(&again.text), None);
    assert!(again.text.contains("role=\"alert\"") && !again.text.contains(&ticket));

    let session = trial.enter(Role::Reads).await;
    let page = trial.get("/", Some(&session)).await;
    assert_eq!((page.status, fault(&page.text)), (StatusCode::OK, None));
    assert!(page.text.contains("Trial &lt;dashboard&gt;") && page.text.contains("Signed in as auditor"));
    let out = trial.post("/sign-out", Some(&session), "form-token=other").await;
    assert_eq!(out.status, StatusCode::FORBIDDEN);
    let out = trial
        .post("/sign-out", Some(&session), &format!("form-token={}", session.token))
        .await;
    assert_eq!(out.status, StatusCode::OK);
    assert!(out.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(trial.get("/", Some(&session)).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_cookie_is_for_this_server_alone_and_a_new_ticket_makes_a_new_session() {
    let trial = Trial::open();
    let session = trial.enter(Role::Acts).await;
    for flag in ["snowball-7446=", "; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(session.set.contains(flag), "{}", session.set);
    }
    assert!(!session.set.contains("Domain") && !session.set.contains("Secure"));
    let other = trial
        .post(
            "/enter",
            Some(&session),
            &format!("ticket={}", trial.ticket(Role::Reads)),
        )
        .await;
    let set = other.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(!set.contains(&session.cookie));
    // The one before is over: nobody goes on with a session that somebody else signed in to.
    assert_eq!(trial.get("/", Some(&session)).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn with_tls_the_cookie_never_leaves_it() {
    let trial = Trial::open_with(|folder, mut settings| {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        (settings.certificate, settings.key) = (Some(certificate), Some(key));
        settings
    });
    let session = trial.enter(Role::Acts).await;
    assert!(session.set.starts_with("__Host-snowball-7446="), "{}", session.set);
    assert!(session.set.contains("; Secure") && session.set.contains("; Path=/") && !session.set.contains("Domain"));
    let page = trial.get("/?language=fr", Some(&session)).await;
    let kept = page.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(
        kept.starts_with("__Host-snowball-language=fr;") && kept.contains("; Secure"),
        "{kept}"
    );
    // Nobody said that all other ports of this host have TLS, too.
    assert!(!page.headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
}

#[tokio::test]
async fn behind_a_proxy_that_ends_tls_the_cookie_never_leaves_it_and_transport_is_strict_where_it_is_asked_for() {
    for is_strict in [false, true] {
        let trial = Trial::open_with(|_, mut settings| {
            settings.public_address = Some("https://desk.example.org".to_owned());
            settings.strict_transport = is_strict;
            settings
        });
        let session = trial.enter(Role::Acts).await;
        assert!(session.set.starts_with("__Host-snowball-7446="), "{}", session.set);
        assert!(session.set.contains("; Secure") && session.set.contains("; Path=/"));
        let request = Request::get("/still")
            .header(header::HOST, "desk.example.org")
            .header(header::COOKIE, &session.cookie);
        let page = trial.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(page.status, StatusCode::OK);
        let strict = page.headers.get(header::STRICT_TRANSPORT_SECURITY);
        assert_eq!(strict.is_some(), is_strict);
        assert!(strict.is_none_or(|strict| strict == "max-age=15552000"));
    }
}

#[tokio::test]
async fn a_cookie_that_another_server_of_the_machine_was_sent_signs_nobody_else_in() {
    let trial = Trial::open();
    let ask = async |account, session: &Session| {
        let request = Trial::request(Method::GET, "/still").header(header::COOKIE, &session.cookie);
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(Account(account));
        trial.ask(request).await.status
    };
    let mut enter = Trial::request(Method::POST, "/enter")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(format!("ticket={}", trial.ticket(Role::Acts))))
        .unwrap();
    enter.extensions_mut().insert(Account(Some(1000)));
    let entered = trial.ask(enter).await;
    let set = entered.headers[header::SET_COOKIE].to_str().unwrap();
    let session = Session {
        cookie: set.split(';').next().unwrap().to_owned(),
        set: String::new(),
        token: String::new(),
    };
    assert_eq!(ask(Some(1000), &session).await, StatusCode::OK);
    assert_eq!(ask(None, &session).await, StatusCode::SEE_OTHER);
    assert_eq!(ask(Some(1000), &session).await, StatusCode::OK);
    // What somebody else knows is over, also for whom it was.
    assert_eq!(ask(Some(1001), &session).await, StatusCode::SEE_OTHER);
    assert_eq!(ask(Some(1000), &session).await, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_page_speaks_the_language_that_was_chosen() {
    let trial = Trial::open();
    let session = trial.enter(Role::Reads).await;
    let french = trial.get("/still?language=fr&page=2", Some(&session)).await;
    assert!(french.text.contains("<html lang=\"fr\">") && french.text.contains("Se déconnecter"));
    // The switch stays on the page, with what was asked of it.
    assert!(
        french.text.contains("href=\"/still?page=2&amp;language=en\""),
        "{}",
        french.text
    );
    let kept = french.headers[header::SET_COOKIE]
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let ask = async |cookie: &str, wish: &str| {
        let request = Trial::request(Method::GET, "/enter")
            .header(header::COOKIE, cookie)
            .header(header::ACCEPT_LANGUAGE, wish);
        let page = trial.ask(request.body(Body::empty()).unwrap()).await;
        page.text.contains("<html lang=\"fr\">")
    };
    assert!(ask(&kept, "en").await);
    assert!(ask("a=b", "fr-CA, en;q=0.5").await);
    assert!(ask("a=b", "de, fr;q=0.5").await);
    assert!(!ask("a=b", "de").await && !ask("a=b", "en, fr").await);
    let strange = trial.get("/still?language=%0d%0ax", Some(&session)).await;
    assert!(!strange.headers.contains_key(header::SET_COOKIE));
}

#[tokio::test]
async fn a_cookie_that_is_sent_twice_is_none() {
    let trial = Trial::open();
    let session = trial.enter(Role::Reads).await;
    let both = format!("{}; snowball-7446=planted", session.cookie);
    let request = Trial::request(Method::GET, "/").header(header::COOKIE, both);
    assert_eq!(
        trial.ask(request.body(Body::empty()).unwrap()).await.status,
        StatusCode::SEE_OTHER
    );
}

/// Counts what is logged as a warning.
struct Warnings(Arc<AtomicU64>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, about: &tracing::Metadata<'_>) -> bool {
        *about.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn wrong_tickets_fill_no_log() {
    let trial = Trial::open();
    let lines = Arc::new(AtomicU64::new(0));
    let _heard = tracing::subscriber::set_default(Warnings(Arc::clone(&lines)));
    for guess in 0..50 {
        let refused = trial.post("/enter", None, &format!("ticket={guess}")).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(lines.load(Ordering::Relaxed), 1);
}
