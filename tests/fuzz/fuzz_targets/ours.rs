//! One compressed frame for the decoders that are written here (native, RLE, deflate, JPEG in blocks of cosines). They
//! may not panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| snowball_imaging::fuzzing::our_pixels(bytes));
