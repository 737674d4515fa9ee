//! What this node is doing just now, in small files of its home: written whole by whoever does it, read by the dashboard. Nothing of a
//! patient is in them, and nothing depends on them: a file that cannot be written or read is as good as none.
//!
//! Whoever writes holds a lock beside the file as long as it lives, so that a reader tells work that goes on from work that ended or
//! was killed.

pub mod course;
pub mod intake;
mod notebook;
