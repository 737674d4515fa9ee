//! A consortium on this machine, out of the real programs: separate processes, real TLS, real files.
//!
//! The demo and the stories use it alike. It drives the programs by their command lines, as people do, and links neither of
//! them. Start at [`Consortium`]; [`browser`] looks at what a person would see of it.

mod bound;
pub mod browser;
mod children;
mod consortium;
mod programs;

pub use bound::end_with_this_thread;
pub use children::{Running, Said};
pub use consortium::{Consortium, PolicyWish, Site, free_port, text};
pub use programs::{Programs, ask, run};
