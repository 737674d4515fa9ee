//! Pages that a person opens, prints and keeps: one shell, one style, text in two languages.
//!
//! A page is one file without scripts that fetches nothing, light and dark on a screen and made for A4. Whatever is put into
//! it is escaped: [`Html`] is made here and nowhere else. Nothing here knows what a page is about.
//!
//! Start at [`Page`]; [`messages!`](crate::messages) makes the table of a page's texts.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bars;
mod check;
mod html;
mod language;
mod markdown;
mod measured;
mod message;
mod page;
mod plot;
mod table;

pub use bars::{Bar, Bars};
pub use check::{fault, numbers};
pub use html::Html;
pub use language::{Language, UnknownLanguage};
pub use measured::{Measured, MeasuredLine, MeasuredPoint};
pub use message::Message;
pub use page::{POLICY, Page, STYLE};
pub use plot::{Curves, Difference, Differences};
pub use table::{Column, Table};
