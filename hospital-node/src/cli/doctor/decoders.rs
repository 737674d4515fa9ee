//! N112: what decoders of strangers' files could reach on this machine.

use snowball_confine::{Hold, Reach, confine_decoding_thread};
use snowball_service::doctor::{Check, Finding};

const CHECK: Check = Check::new("N112", "decoders");

pub fn look() -> Finding {
    let says = |hold: &Hold| match hold {
        Hold::Whole => None,
        Hold::Partly(why) | Hold::Nothing(why) => Some(why.clone()),
    };
    let open: Vec<String> = confine_apart().iter().filter_map(says).collect();
    if open.is_empty() {
        CHECK.good(
            "ingest, watch and receive decode in a process without network, other programs and the node's keys on disk (receive listens \
             in another); retrieve and pull in threads that are held so, of a process that keeps its network; deidentify without network \
             and other programs",
        )
    } else {
        CHECK.look(
            format!("not held by this kernel: {}", open.join("; ")),
            "use a kernel with Landlock and seccomp (Linux 6.7 or later has all of it); in a container, let the profile permit both",
        )
    }
}

/// What a thread is held by; it ends with that.
fn confine_apart() -> Vec<Hold> {
    let held = std::thread::spawn(|| confine_decoding_thread(&Reach::default(), false)).join();
    held.map_or_else(
        |_| vec![Hold::Nothing("the thread that tried broke off".to_owned())],
        Vec::from,
    )
}
