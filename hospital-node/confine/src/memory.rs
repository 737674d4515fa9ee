//! What a process leaves of its memory: pixels and a dataset's key are in it.

use nix::sys::{
    prctl,
    resource::{Resource, setrlimit},
    signal::Signal,
};

use crate::Hold;

/// No program that this process starts has more rights than it has; a filter of calls takes that.
pub fn keep_privileges() -> nix::Result<()> {
    prctl::set_no_new_privs()
}

/// No core dump, no tracing by another process of the same user, and an end together with the parent.
pub fn close() -> Hold {
    let steps = [
        prctl::set_dumpable(false),
        setrlimit(Resource::RLIMIT_CORE, 0, 0),
        // A process without its node has nobody to answer to.
        prctl::set_pdeathsig(Signal::SIGKILL),
        keep_privileges(),
    ];
    match steps.into_iter().find_map(Result::err) {
        None => Hold::Whole,
        Some(error) => Hold::Partly(format!("the kernel refuses a limit: {error}")),
    }
}
