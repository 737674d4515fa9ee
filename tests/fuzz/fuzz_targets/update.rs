//! The bytes of an update in any encoding, cut in two and read in stretches. Whatever they are, they are refused or give exactly the
//! numbers of the network, the same for every cut; nothing may panic.
//!
//! The first byte says in which encoding, the next two how many parameters the network has, the fourth where the bytes are cut and how
//! wide the stretches are.
#![no_main]

use snowball_encoding::{Coding, DecodeFault};
use snowball_protocol::plan::UpdateEncoding;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some(([kind, low, high, cut], bytes)) = input.split_first_chunk::<4>() else {
        return;
    };
    let encoding = match kind % 4 {
        0 => UpdateEncoding::F32,
        1 => UpdateEncoding::Bf16,
        2 => UpdateEncoding::Int8,
        _ => UpdateEncoding::TopK {
            share: f64::from(kind / 4) / 256.0 + 1e-6,
        },
    };
    let coding = Coding::new(encoding, usize::from(u16::from_le_bytes([*low, *high])));
    let one = pushed(&coding, &[bytes]);
    let (first, second) = bytes.split_at(usize::from(*cut).min(bytes.len()));
    assert_eq!(pushed(&coding, &[first, second]), one);
    assert_eq!(pulled(&coding, bytes, usize::from(*cut) + 1), one);
    if one.is_ok() {
        assert!(coding.bytes().contains(&(bytes.len() as u64)));
    }
});

fn pushed(coding: &Coding, pieces: &[&[u8]]) -> Result<Vec<u32>, DecodeFault> {
    let (mut decoder, mut numbers) = (coding.decoder(), Vec::new());
    for piece in pieces {
        decoder.read(piece, |block| {
            numbers.extend(block.iter().map(|number| number.to_bits()));
            Ok::<(), DecodeFault>(())
        })?;
    }
    decoder.finish().map(|()| numbers)
}

fn pulled(coding: &Coding, mut bytes: &[u8], width: usize) -> Result<Vec<u32>, DecodeFault> {
    let (mut decoder, mut numbers, mut stretch) = (coding.decoder(), Vec::new(), vec![0.0; width]);
    loop {
        match decoder.fill(&mut bytes, &mut stretch)? {
            0 => return decoder.finish().map(|()| numbers),
            filled => numbers.extend(stretch[..filled].iter().map(|number| number.to_bits())),
        }
    }
}
