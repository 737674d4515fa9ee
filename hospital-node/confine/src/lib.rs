//! Takes from a process what it does not need, before it touches what is not to be trusted: files outside a list, every
//! socket, the start of other programs, the memory of other processes.
//!
//! Linux alone enforces it: Landlock for files and TCP, seccomp for calls. Where the kernel lacks one of them the process
//! goes on with what there is and says so ([`Confinement`]); whether that will do is for the caller and its policy. What was
//! taken never comes back, for this process and all that it starts. It must never say that something holds that the kernel
//! did not confirm.
//!
//! Start at [`confine`]; [`without_network`] is for a process that must keep its files.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod calls;
mod files;
mod memory;

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

/// What a process keeps.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reach {
    /// Files and folders that it may read, and all below them. One that does not exist is left out.
    pub read: Vec<PathBuf>,
    /// Files and folders that it may also write and whose devices it may drive.
    pub write: Vec<PathBuf>,
    /// Programs that it may start and what these are linked with, and all below; for [`confine_starter`] alone.
    pub run: Vec<PathBuf>,
    /// Whether sockets of this machine alone stay (`AF_UNIX`, `AF_NETLINK`), which drivers of GPUs use. The network never stays.
    pub local_sockets: bool,
}

/// Whether one means of the kernel holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "holds", content = "why", rename_all = "snake_case")]
pub enum Hold {
    /// All that was asked.
    Whole,
    /// Some of it.
    Partly(String),
    /// Nothing.
    Nothing(String),
}

/// What the kernel confirmed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Confinement {
    /// Landlock: files outside the reach cannot be opened.
    pub files: Hold,
    /// Seccomp: no socket, no other program, no other process's memory.
    pub calls: Hold,
    /// No core dump, and no debugger without root's rights.
    pub memory: Hold,
}

impl Confinement {
    /// Whether all of it holds.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        [&self.files, &self.calls, &self.memory]
            .into_iter()
            .all(|hold| *hold == Hold::Whole)
    }
}

impl fmt::Display for Confinement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_whole() {
            return formatter.write_str("no network, no other file, no other program");
        }
        let mut first = true;
        for (what, hold) in [
            ("other files", &self.files),
            ("network and programs", &self.calls),
            ("memory", &self.memory),
        ] {
            let (degree, why) = match hold {
                Hold::Whole => continue,
                Hold::Partly(why) => ("partly closed", why),
                Hold::Nothing(why) => ("NOT closed", why),
            };
            formatter.write_str(if first { "" } else { "; " })?;
            write!(formatter, "{what} {degree} ({why})")?;
            first = false;
        }
        Ok(())
    }
}

/// Confines this process to `reach`. Call it before the first thread is started: Landlock binds the calling thread and those
/// that come from it.
#[must_use]
pub fn confine(reach: &Reach) -> Confinement {
    // Memory first, for seccomp may take the calls that it needs; files before calls for the same reason.
    let memory = memory::close();
    let files = files::close(reach, Sockets::Closed);
    let calls = calls::close(reach.local_sockets);
    Confinement { files, calls, memory }
}

/// Takes the network from this process, the start of other programs unless `starts_programs`, and no file: for one that decodes
/// what strangers made, and reads and writes where its owner says. Sockets of this machine stay, which a runtime needs to hear
/// signals.
#[must_use]
pub fn without_network(starts_programs: bool) -> Hold {
    match memory::keep_privileges() {
        Ok(()) if starts_programs => calls::close_network(),
        Ok(()) => calls::close(true),
        Err(error) => Hold::Nothing(format!("the kernel refuses a limit: {error}")),
    }
}

/// Confines a process that decodes what strangers made, and all its threads that are started from now on, to the files of `reach`; takes the
/// network from all of its threads, and the start of other programs unless `starts_programs`. Sockets of this machine stay, which a runtime
/// needs to hear signals. It goes on when its parent ends, unlike one that [`confine`] binds.
///
/// What was asked and does not hold is in the answer: files, then calls.
#[must_use]
pub fn confine_decoder(reach: &Reach, starts_programs: bool) -> [Hold; 2] {
    let files = files::close(reach, Sockets::Closed);
    [files, without_network(starts_programs)]
}

/// The same for the calling thread and what it starts, in a process whose other threads keep their network. It holds what the thread
/// does; what overwrites the memory of another thread it does not.
#[must_use]
pub fn confine_decoding_thread(reach: &Reach, starts_programs: bool) -> [Hold; 2] {
    let files = files::close(reach, Sockets::Closed);
    let calls = match memory::keep_privileges() {
        Ok(()) => calls::close_thread(starts_programs),
        Err(error) => Hold::Nothing(format!("the kernel refuses a limit: {error}")),
    };
    [files, calls]
}

/// Confines a process that listens to strangers and decodes nothing, and all its threads that are started from now on: the network stays, no
/// file outside of `reach`, and it ends together with its parent.
#[must_use]
pub fn confine_listener(reach: &Reach) -> [Hold; 2] {
    let memory = memory::close();
    [files::close(reach, Sockets::Open), memory]
}

/// What becomes of TCP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sockets {
    Open,
    Closed,
}

/// Confines the calling thread, and every program that it starts from now on, to `reach`: no socket at all, no file outside.
/// For a thread that is made to start one program, which stays its own master but for that; the rest of the process goes on
/// as before. Memory is not closed: the program is not ours.
///
/// What was asked and does not hold is in the answer; whether that will do is for the caller.
#[must_use]
pub fn confine_starter(reach: &Reach) -> [Hold; 2] {
    [files::close(reach, Sockets::Closed), calls::close_starter()]
}

#[cfg(test)]
mod tests;
