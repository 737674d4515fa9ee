//! Programs that end with the one that started them, even when that is killed and can end nothing itself.

use std::{io, os::unix::process::CommandExt as _, process::Command};

use nix::{
    errno::Errno,
    sys::{prctl, signal::Signal},
    unistd::{getpid, getppid},
};
use tokio::runtime::{Handle, RuntimeFlavor};

/// The kernel ends the program with SIGKILL when the thread that starts it ends: call this only from one that lives as long as the program
/// should.
#[allow(unsafe_code)]
pub fn end_with_this_thread(command: &mut Command) {
    let starter = getpid();
    let bind = move || -> io::Result<()> {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // It may have ended before the kernel knew.
        if getppid() == starter {
            Ok(())
        } else {
            Err(Errno::ESRCH.into())
        }
    };
    // SAFETY: between fork and exec the closure makes two calls of the system; it allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(bind);
    }
}

/// The same, where one thread runs everything. A thread of a larger runtime may end before its programs should, and these are then ended
/// when they are dropped alone.
pub fn end_with_a_single_thread(command: &mut Command) {
    let is_single = |handle: Handle| handle.runtime_flavor() == RuntimeFlavor::CurrentThread;
    if Handle::try_current().is_ok_and(is_single) {
        end_with_this_thread(command);
    }
}
