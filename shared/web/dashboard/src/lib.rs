//! What the dashboards of both programs stand on: signing in, who may do what, rules against hostile browsers, pages that renew
//! themselves. What a dashboard shows is each program's own.
//!
//! **Signing in** needs no password: a command of the program, run by whoever may write in the program's folder, makes a
//! [`Ticket`] that holds for ten minutes and once. It stands in the fragment of a link, which no browser sends, and is
//! turned into a session by a button, which no previewer of links presses. A session stands in memory only, ends after thirty
//! minutes without a request of a person and after eight hours at most.
//!
//! **Who may do what** is in the types: a handler that shows something takes a [`Reader`], one that changes something an
//! [`Actor`]. An `Actor` is made here alone, from a POST of a session that may act, with the token of that session's forms. A form
//! cannot be made without that token, and a [`Reader`] gives it out only where the session may act.
//!
//! **Hostile browsers** are answered in `guard`: the `Host` must be one of ours (DNS rebinding), a request that changes something
//! must come from a page of ours (`Sec-Fetch-Site`, `Origin`, form token, `SameSite=Strict`), bodies, times, connections, sessions
//! and streams are bounded, and every answer carries the headers of `headers`. An address that is not loopback is opened with TLS
//! or not at all. Cookies do not know ports, so on plain loopback another server on the same machine that the person opens in the
//! same browser receives the session's cookie: a session therefore belongs to the `account` of the machine that began it. What is left: a
//! program of that same account, and root; and in a user namespace (`PrivateUsers=yes`), where the kernel tells no account from another,
//! every account of the machine. Where that will not do, give the dashboard a certificate.
//!
//! **Live parts**: a page that a person has open asks for the same address as `text/event-stream`, and hears of each
//! [live part](snowball_web::Page::live) that changed. No page needs this, nor the script, to be complete.
//!
//! ```text
//! async fn studies(reader: Reader, State(app): State<App>) -> View {
//!     let mut page = reader.page(words::STUDIES.html(reader.language()));
//!     page.live("studies", |part| part.table(&table));
//!     if let Some(token) = reader.may_act() { page.form(Form::new(token, &Route::of(["studies"])).button("…")); }
//!     reader.show(page)
//! }
//! // An actor comes last: it reads the body.
//! async fn abort(State(app): State<App>, Path(study): Path<StudyName>, actor: Actor) -> Result<Done, View> {
//!     let reason = actor.reason()?;
//!     …
//!     Ok(actor.done(&Route::of(["studies", study.as_str()]), words::ABORTED.html(actor.language())))
//! }
//!
//! let dashboard = Dashboard::open(about, &home.join("dashboard"), &settings)?;
//! let pages = Router::new().route("/", get(first)).route("/studies", get(studies)).with_state(app);
//! let listener = settings.open().await?;
//! dashboard.serve(listener, pages, stop).await;
//! ```
//! Start at [`Dashboard`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod about;
mod account;
mod actor;
mod bounds;
mod cookies;
mod dashboard;
mod fields;
mod guard;
mod headers;
mod live;
mod plan;
mod reader;
mod renewals;
mod routes;
mod rules;
mod serve;
mod sessions;
mod settings;
mod tally;
#[cfg(test)]
mod tests;
mod tickets;
#[cfg(test)]
mod trial;
mod view;
mod words;

pub use about::{About, Role, RoleName};
pub use actor::Actor;
pub use dashboard::Dashboard;
pub use fields::Fields;
pub use headers::POLICY;
pub use plan::facts as plan_facts;
pub use reader::Reader;
pub use settings::{Settings, SettingsError};
pub use tickets::{HOLDER_CHARACTERS_MAX, TICKET_MINUTES, Ticket, TicketError, Tickets};
pub use view::{Done, View};
