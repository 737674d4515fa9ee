//! One compressed frame for any decoder. A panic of a decoder that is not ours costs one file and is let go; memory out
//! of proportion, an abort or a fault is not.
#![no_main]

use std::{panic, sync::Once};

use libfuzzer_sys::fuzz_target;

static QUIET: Once = Once::new();

fuzz_target!(|bytes: &[u8]| {
    // The default hook of the fuzzer aborts at any panic.
    QUIET.call_once(|| panic::set_hook(Box::new(|_| {})));
    let _ = panic::catch_unwind(|| snowball_imaging::fuzzing::pixels(bytes));
});
