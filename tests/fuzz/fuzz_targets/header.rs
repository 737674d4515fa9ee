//! A whole file: its form, its elements, its description and, where it is small, its pixels. Nothing of ours may panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| snowball_imaging::fuzzing::file(bytes));
