//! The body of a DICOMweb answer, `multipart/related`, cut in two at the first byte. Nothing of ours may panic, and where
//! it is cut must not matter.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| snowball_pacs::fuzz::fuzz_multipart(bytes));
