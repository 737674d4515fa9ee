//! HTTP over mutual TLS to one host and port, and nothing else. Bounded answers, no redirects, no wall-clock limit while
//! bytes move.

mod answer;
mod bandwidth;
mod enrol;
mod handshake;
mod reason;
mod transport;
pub mod way;

pub use bandwidth::{Bandwidth, ReadLimit};
pub use enrol::{FirstContact, enrol};
pub use transport::{Body, ClientSettings, Transport};
