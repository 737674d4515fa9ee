//! Seccomp: calls that fail with `EPERM` from now on.
//!
//! The list names what is taken, not what stays: the tensor libraries and the drivers of GPUs use calls that no list of ours
//! would foresee, and the files are Landlock's. The 32-bit calls of a 64-bit kernel end the process; those of the x32 ABI,
//! which distributions turn off, are not seen.

use std::collections::BTreeMap;

use libc::{AF_NETLINK, AF_UNIX, EPERM, c_long};
use seccompiler::{
    BackendError, BpfProgram, BpfProgramRef, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter, apply_filter_all_threads,
};

use crate::Hold;

/// Taken whatever their arguments are.
const TAKEN: &[c_long] = &[
    // Connections that are there already, of which there are none, and those that others hand over.
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_listen,
    // A way to sockets and files that this filter does not see.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // What Landlock learned to close in Linux 6.2 only.
    libc::SYS_truncate,
    // Other programs.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // The kernel.
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_perf_event_open,
    libc::SYS_pivot_root,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

/// For this process and all that it starts, which is nothing.
pub fn close(local_sockets: bool) -> Hold {
    held(local_sockets, TAKEN, apply_filter_all_threads)
}

/// For this process and all that it starts: it may start programs, and has sockets of this machine.
pub fn close_network() -> Hold {
    held(true, &all_but_starts(), apply_filter_all_threads)
}

/// For the calling thread and what it starts: it may start programs.
pub fn close_starter() -> Hold {
    held(false, &all_but_starts(), apply_filter)
}

/// For the calling thread and what it starts; sockets of this machine stay.
pub fn close_thread(starts_programs: bool) -> Hold {
    let taken = if starts_programs {
        all_but_starts()
    } else {
        TAKEN.to_vec()
    };
    held(true, &taken, apply_filter)
}

fn all_but_starts() -> Vec<c_long> {
    let starts = [libc::SYS_execve, libc::SYS_execveat];
    TAKEN.iter().copied().filter(|call| !starts.contains(call)).collect()
}

fn held(local_sockets: bool, taken: &[c_long], apply: fn(BpfProgramRef<'_>) -> Result<(), seccompiler::Error>) -> Hold {
    let Ok(architecture) = TargetArch::try_from(std::env::consts::ARCH) else {
        return Hold::Nothing("seccomp filters are not made for this processor".to_owned());
    };
    let program = match filter(architecture, local_sockets, taken) {
        Ok(program) => program,
        Err(error) => return Hold::Nothing(format!("the filter does not build: {error}")),
    };
    match apply(&program) {
        Ok(()) => Hold::Whole,
        Err(error) => Hold::Nothing(format!("this kernel takes no seccomp filter: {error}")),
    }
}

fn filter(architecture: TargetArch, local_sockets: bool, taken: &[c_long]) -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = taken.iter().map(|&call| (call, Vec::new())).collect();
    for call in [libc::SYS_socket, libc::SYS_socketpair] {
        rules.insert(
            call,
            if local_sockets {
                vec![other_families()?]
            } else {
                Vec::new()
            },
        );
    }
    if !local_sockets {
        rules.insert(libc::SYS_connect, Vec::new());
    }
    // EPERM and not the end of the process: a library that tries a socket and can do without goes on.
    let refuse = SeccompAction::Errno(EPERM.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, architecture)?.try_into()
}

/// Every family of sockets but those of this machine.
fn other_families() -> Result<SeccompRule, BackendError> {
    let differs = |family: i32| {
        SeccompCondition::new(
            0,
            SeccompCmpArgLen::Dword,
            SeccompCmpOp::Ne,
            u64::from(family.unsigned_abs()),
        )
    };
    SeccompRule::new(vec![differs(AF_UNIX)?, differs(AF_NETLINK)?])
}
