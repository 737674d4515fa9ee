//! A small dashboard, for tests: a counter that those who act may raise.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::State,
    http::{HeaderMap, Method, Request, StatusCode, header},
    routing::get,
};
use snowball_service::clock;
use snowball_web::{Form, Html, Message, Route};
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

use crate::{About, Actor, Dashboard, Done, Reader, Role, RoleName, Settings, View, bounds::Bounds};

/// At this count the page cannot be made.
pub const BROKEN: u64 = u64::MAX;
/// Where it says that it is.
pub const HOST: &str = "127.0.0.1:7446";

const fn message(english: &'static str, french: &'static str) -> Message {
    Message { english, french }
}

/// What it tells of itself.
pub fn about() -> About {
    About {
        name: "Trial <dashboard>".to_owned(),
        reads: RoleName {
            word: "auditor",
            title: message("auditor", "auditrice ou auditeur"),
        },
        acts: RoleName {
            word: "coordinator",
            title: message("coordinator", "coordination"),
        },
        navigation: vec![
            (Route::root(), message("Counter", "Compteur")),
            (Route::of(["still"]), message("Still", "Immobile")),
        ],
        ticket_command: "trial link",
    }
}

/// What the pages show, and how often the one was made that shows that.
#[derive(Clone, Default)]
pub struct Shown {
    pub count: Arc<AtomicU64>,
    pub made: Arc<AtomicU64>,
}

/// The dashboard and what it shows.
pub struct Trial {
    pub dashboard: Dashboard,
    pub router: Router,
    pub count: Arc<AtomicU64>,
    made: Arc<AtomicU64>,
    _folder: tempfile::TempDir,
}

/// A session as a browser holds it.
pub struct Session {
    /// `name=value`.
    pub cookie: String,
    /// The header that set it.
    pub set: String,
    /// What forms carry; also in a session that only reads, where the form that signs out has it.
    pub token: String,
}

/// An answer, read whole.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

/// The pages.
pub fn pages(shown: Shown) -> Router {
    Router::new()
        .route("/", get(counter).post(raise))
        .route("/still", get(still))
        .route("/made", get(numbered))
        .route("/endless", get(endless).post(endless))
        .with_state(shown)
}

async fn counter(reader: Reader, State(Shown { count, .. }): State<Shown>) -> View {
    if count.load(Ordering::Relaxed) == BROKEN {
        return reader.failed(&"no count");
    }
    let mut page = reader.page("Counter");
    page.live("count", |part| {
        part.say(Html::number(count.load(Ordering::Relaxed), reader.language()));
    });
    page.live("constant", |part| part.say("always the same"));
    if let Some(token) = reader.may_act() {
        page.form(
            Form::new(token, &Route::root())
                .reason(reader.language())
                .button("Raise"),
        );
    }
    reader.show(page)
}

/// Says how often it was made, so each making of it is told from every other.
async fn numbered(reader: Reader, State(Shown { made, .. }): State<Shown>) -> View {
    let number = made.fetch_add(1, Ordering::Relaxed) + 1;
    let mut page = reader.page("Made");
    page.live("number", |part| part.say(format!("made {number} times")));
    reader.show(page)
}

async fn still(reader: Reader) -> View {
    let page = reader.page("Still");
    reader.show(page)
}

/// Whoever asks for it waits for ever.
async fn endless() -> View {
    std::future::pending().await
}

async fn raise(State(Shown { count, .. }): State<Shown>, actor: Actor) -> Result<Done, View> {
    actor.reason()?;
    // As a command does: looks, and then changes.
    let before = count.load(Ordering::Relaxed);
    sleep(Duration::from_millis(20)).await;
    count.store(before + 1, Ordering::Relaxed);
    Ok(actor.done(&Route::root(), "Raised".into()))
}

impl Trial {
    pub fn open() -> Self {
        Self::open_with(|_, settings| settings)
    }

    /// With other settings; what they name lies in the folder.
    pub fn open_with(change: impl FnOnce(&std::path::Path, Settings) -> Settings) -> Self {
        Self::open_within(Bounds::STANDARD, change)
    }

    /// With other bounds, too.
    pub fn open_within(bounds: Bounds, change: impl FnOnce(&std::path::Path, Settings) -> Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = change(folder.path(), Settings::local(HOST.parse().unwrap()));
        let dashboard = Dashboard::open_within(bounds, about(), &folder.path().join("dashboard"), &settings).unwrap();
        let shown = Shown::default();
        Self {
            router: dashboard.router(pages(shown.clone())),
            dashboard,
            count: shown.count,
            made: shown.made,
            _folder: folder,
        }
    }

    /// How often the page was made that shows that.
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// A request as a browser makes it on a page of ours.
    pub fn request(method: Method, path: &str) -> axum::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, HOST)
            .header("sec-fetch-site", "same-origin")
    }

    /// Sends a request and reads the answer.
    pub async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = timeout(Duration::from_secs(10), to_bytes(body, 1 << 20)).await;
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(body.unwrap().unwrap().into()).unwrap(),
        }
    }

    pub async fn get(&self, path: &str, session: Option<&Session>) -> Answer {
        let mut request = Self::request(Method::GET, path);
        if let Some(session) = session {
            request = request.header(header::COOKIE, &session.cookie);
        }
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    /// Sends a form.
    pub async fn post(&self, path: &str, session: Option<&Session>, form: &str) -> Answer {
        let mut request =
            Self::request(Method::POST, path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(session) = session {
            request = request.header(header::COOKIE, &session.cookie);
        }
        self.ask(request.body(Body::from(form.to_owned())).unwrap()).await
    }

    /// A ticket as a command makes it.
    pub fn ticket(&self, role: Role) -> String {
        let made = self.dashboard.0.tickets.make(&about(), role, None, clock::now());
        made.unwrap().as_str().to_owned()
    }

    /// Signs in as a browser does.
    pub async fn enter(&self, role: Role) -> Session {
        let entered = self
            .post("/enter", None, &format!("ticket={}", self.ticket(role)))
            .await;
        assert_eq!(entered.status, StatusCode::SEE_OTHER, "{}", entered.text);
        assert_eq!(entered.headers[header::LOCATION], "/");
        let set = entered.headers[header::SET_COOKIE].to_str().unwrap().to_owned();
        let mut session = Session {
            cookie: set.split(';').next().unwrap().to_owned(),
            set,
            token: String::new(),
        };
        let page = self.get("/still", Some(&session)).await;
        let (_, after) = page.text.split_once("name=\"form-token\" value=\"").unwrap();
        session.token = after.split('"').next().unwrap().to_owned();
        session
    }
}
