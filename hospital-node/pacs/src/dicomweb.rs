//! DICOMweb as its client (PS3.18): QIDO-RS tells what a day has, WADO-RS brings it, one instance at a time.
//!
//! Bodies are never held whole: a picture streams from the socket to the spool. A broken answer costs one instance, which a later
//! run fetches again.

mod client;
pub(crate) mod multipart;
mod search;
mod throttle;
mod wado;

pub use client::{Credentials, Web, WebSettings};
pub use search::{Instance, WebSeries};
pub use wado::Fetched;
