//! What a peer sends over DICOM's own network protocol: PDUs one after another, the association they ask for, the
//! commands and the identifiers in them. Nothing of ours may panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| snowball_pacs::fuzz::fuzz_pdu(bytes));
