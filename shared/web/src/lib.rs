//! Pages that a person opens, prints and keeps, and those of a dashboard: one style, text in two languages.
//!
//! [`Page::finish`] makes one file without scripts that fetches nothing, light and dark on a screen and made for A4.
//! [`Page::dashboard`] makes a page that a program gives out: with a [`Shell`], [`Form`]s, live parts, style and script by their
//! own addresses. Whatever is put into a page is escaped: [`Html`] is made here and nowhere else. Nothing here knows what a page
//! is about, and nothing here has an effect: sessions and sockets are `snowball-dashboard`'s.
//!
//! Start at [`Page`]; [`messages!`](crate::messages) makes the table of a page's texts.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bars;
mod check;
mod form;
mod html;
mod language;
mod markdown;
mod marked;
mod measured;
mod message;
mod page;
mod plot;
mod range;
mod route;
mod shell;
mod size;
mod span;
mod table;

pub use bars::{Bar, Bars};
pub use check::{fault, numbers};
pub use form::{
    Asked, Confirmation, Finished, Form, FormToken, LINE_CHARACTERS_MAX, REASON_CHARACTERS_MAX, REASON_FIELD,
    TOKEN_FIELD,
};
pub use html::Html;
pub use language::{Language, UnknownLanguage};
pub use marked::Marked;
pub use measured::{Axis, Measured, MeasuredLine, MeasuredPoint};
pub use message::Message;
pub use page::{POLICY, Page, STYLE};
pub use plot::{Curves, Difference, Differences};
pub use route::Route;
pub use shell::{
    DASHBOARD_SCRIPT, DASHBOARD_STYLE, ENTER_PATH, LANGUAGE_QUERY, SCRIPT_PATH, SIGN_OUT_PATH, STYLE_PATH, Shell,
    Visitor,
};
pub use size::{decimal, size};
pub use span::{ago, left};
pub use table::{Column, Table};
