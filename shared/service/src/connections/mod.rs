//! Connections of strangers: how many each may hold, and how long one whose other end does not read may go on.

mod crowd;
mod reading;

pub use crowd::{Crowd, Turn, network};
pub use reading::Reading;
