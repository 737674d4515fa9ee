use proptest::prelude::*;
use snowball_protocol::{ProblemCode, plan::UpdateEncoding};

use super::*;

fn codings(parameters: usize) -> Vec<Coding> {
    [
        UpdateEncoding::F32,
        UpdateEncoding::Bf16,
        UpdateEncoding::Int8,
        UpdateEncoding::TopK { share: 0.01 },
        UpdateEncoding::TopK { share: 0.25 },
    ]
    .map(|encoding| Coding { encoding, parameters })
    .into()
}

fn decoded(coding: &Coding, bytes: &[u8]) -> Result<Vec<f32>, DecodeFault> {
    let (mut decoder, mut numbers) = (coding.decoder(), Vec::new());
    decoder.read(bytes, |block| {
        numbers.extend_from_slice(block);
        Ok::<(), DecodeFault>(())
    })?;
    decoder.finish().map(|()| numbers)
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

/// Numbers as updates have them: many small ones, few large ones, whole stretches of zeros.
fn update() -> impl Strategy<Value = Vec<f32>> {
    let number = prop_oneof![4 => -1e-3_f32..1e-3, 1 => -10.0_f32..10.0, 2 => Just(0.0_f32), 1 => -1e-41_f32..1e-41];
    prop::collection::vec(number, 1..3000)
}

proptest! {
    #[test]
    fn what_is_read_is_within_the_bound_of_what_was_written(values in update()) {
        for coding in codings(values.len()) {
            let bytes = coding.encode(&values);
            prop_assert!(coding.bytes().contains(&(bytes.len() as u64)), "{coding:?}: {}", bytes.len());
            let read = decoded(&coding, &bytes).unwrap();
            prop_assert_eq!(read.len(), values.len());
            match coding.encoding {
                UpdateEncoding::F32 => prop_assert_eq!(bits(&read), bits(&values)),
                UpdateEncoding::Bf16 => for (read, value) in read.iter().zip(&values) {
                    // Half of the last of eight bits; below the normal numbers, half of the smallest one.
                    let bound = (value.abs() / 256.0).max(f32::from_bits(0x8000));
                    prop_assert!((read - value).abs() <= bound, "{read} {value}");
                },
                UpdateEncoding::Int8 => for (read, value) in read.chunks(1024).zip(values.chunks(1024)) {
                    let largest = value.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
                    let bound = f64::from(largest) / 127.0 * 0.5 * (1.0 + 1e-5) + 1e-42;
                    for (read, value) in read.iter().zip(value) {
                        prop_assert!((f64::from(*read) - f64::from(*value)).abs() <= bound, "{read} {value} {largest}");
                    }
                },
                UpdateEncoding::TopK { share } => {
                    let kept = top_k::kept(share, values.len());
                    let mut magnitudes: Vec<f32> = values.iter().map(|value| value.abs()).collect();
                    magnitudes.sort_by(|one, other| other.total_cmp(one));
                    let threshold = magnitudes[kept - 1];
                    prop_assert!(read.iter().filter(|read| **read != 0.0).count() <= kept);
                    for (read, value) in read.iter().zip(&values) {
                        if value.abs() > threshold {
                            prop_assert_eq!(*read, words::from_bf16(words::to_bf16(*value)));
                        } else if value.abs() < threshold {
                            prop_assert_eq!(*read, 0.0);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn cuts_and_stretches_do_not_change_the_numbers(
        values in update(), cuts in prop::collection::vec(0_usize..12_000, 0..8), width in 1_usize..2000,
    ) {
        for coding in codings(values.len()) {
            let bytes = coding.encode(&values);
            let whole = decoded(&coding, &bytes).unwrap();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| (*cut).min(bytes.len())).collect();
            cuts.sort_unstable();
            cuts.push(bytes.len());
            let (mut decoder, mut read, mut start) = (coding.decoder(), Vec::new(), 0);
            for cut in cuts {
                decoder.read(&bytes[start..cut], |block| {
                    read.extend_from_slice(block);
                    Ok::<(), DecodeFault>(())
                }).unwrap();
                start = cut;
            }
            decoder.finish().unwrap();
            prop_assert_eq!(bits(&read), bits(&whole));

            let (mut decoder, mut left, mut read) = (coding.decoder(), &bytes[..], Vec::new());
            let mut stretch = vec![0.0; width];
            loop {
                let filled = decoder.fill(&mut left, &mut stretch).unwrap();
                read.extend_from_slice(&stretch[..filled]);
                if filled < width {
                    break;
                }
            }
            prop_assert!(left.is_empty());
            prop_assert_eq!(bits(&read), bits(&whole));
        }
    }

    /// Karimireddy et al. 2019: what was sent is what was learned, less what still stays.
    #[test]
    fn over_all_rounds_what_was_sent_is_what_was_learned_less_the_last_residual(
        rounds in prop::collection::vec(prop::collection::vec(-1.0_f32..1.0, 300), 1..12),
    ) {
        for coding in codings(300).into_iter().filter(Coding::feeds_back) {
            let (mut residual, mut sent, mut learned) = (vec![0.0_f32; 300], vec![0.0_f64; 300], vec![0.0_f64; 300]);
            for delta in &rounds {
                let mut wanted: Vec<f32> = delta.iter().zip(&residual).map(|(delta, residual)| delta + residual).collect();
                let bytes = coding.encode(&wanted);
                keep_back(&coding, &bytes, &mut wanted).unwrap();
                residual = wanted;
                for (sum, number) in sent.iter_mut().zip(decoded(&coding, &bytes).unwrap()) {
                    *sum += f64::from(number);
                }
                for (sum, number) in learned.iter_mut().zip(delta) {
                    *sum += f64::from(*number);
                }
            }
            for ((sent, learned), residual) in sent.iter().zip(&learned).zip(&residual) {
                // Additions in binary32 round; no residual here is above 12.
                prop_assert!((sent + f64::from(*residual) - learned).abs() < 1e-4, "{coding:?}");
            }
        }
    }

    #[test]
    fn hostile_bytes_are_refused_or_give_exactly_the_numbers_of_the_network(
        bytes in prop::collection::vec(any::<u8>(), 0..600), parameters in 0_usize..2000, cut in 0_usize..600,
    ) {
        for coding in codings(parameters) {
            let (mut decoder, mut given) = (coding.decoder(), 0);
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let mut count = |block: &[f32]| {
                given += block.len();
                Ok::<(), DecodeFault>(())
            };
            let outcome = decoder.read(first, &mut count).and_then(|()| decoder.read(second, &mut count)).and_then(|()| decoder.finish());
            prop_assert!(given <= parameters);
            if outcome.is_ok() {
                prop_assert_eq!(given, parameters);
                prop_assert!(coding.bytes().contains(&(bytes.len() as u64)));
            }
            prop_assert_eq!(decoded(&coding, &bytes).err(), outcome.err());
            let (mut decoder, mut left, mut stretch) = (coding.decoder(), &bytes[..], vec![0.0; cut + 1]);
            let pulled = loop {
                match decoder.fill(&mut left, &mut stretch) {
                    Ok(0) => break decoder.finish().err(),
                    Ok(_) => {}
                    Err(fault) => break Some(fault),
                }
            };
            prop_assert_eq!(pulled, outcome.err());
        }
    }
}

#[test]
fn the_bytes_are_those_of_the_documentation() {
    let bytes = |encoding, values: &[f32]| {
        let parameters = values.len();
        Coding { encoding, parameters }.encode(values)
    };
    assert_eq!(bytes(UpdateEncoding::Bf16, &[1.0, -2.0]), [0x80, 0x3f, 0x00, 0xc0]);
    assert_eq!(
        bytes(UpdateEncoding::Int8, &[127.0, -127.0, 0.5, 1.5, 0.0]),
        [0, 0, 0x80, 0x3f, 127, 129, 0, 2, 0]
    );
    let mut values = vec![0.0; 400];
    (values[3], values[203], values[204]) = (2.0, -1.0, 1.0);
    assert_eq!(
        bytes(UpdateEncoding::TopK { share: 0.0075 }, &values),
        [3, 0x00, 0x40, 199 | 0x80, 1, 0x80, 0xbf, 0, 0x80, 0x3f]
    );
    assert_eq!(
        bytes(UpdateEncoding::TopK { share: 0.0025 }, &[1.0, -1.0, 1.0]),
        [0, 0x80, 0x3f],
        "of equal ones the first"
    );
}

#[test]
fn each_fault_of_hostile_bytes_has_its_code() {
    let fault = |encoding, parameters, bytes: &[u8]| decoded(&Coding { encoding, parameters }, bytes).unwrap_err();
    let top = UpdateEncoding::TopK { share: 0.25 };
    let scaled = |scale: f32, byte: u8| [&scale.to_le_bytes()[..], &[byte]].concat();
    for (encoding, parameters, bytes, expected, code) in [
        (
            UpdateEncoding::F32,
            1,
            vec![0; 5],
            DecodeFault::TooLong,
            ProblemCode::LayoutMismatch,
        ),
        (
            UpdateEncoding::F32,
            2,
            vec![0; 7],
            DecodeFault::TooShort,
            ProblemCode::LayoutMismatch,
        ),
        (
            UpdateEncoding::Bf16,
            2,
            vec![0; 3],
            DecodeFault::TooShort,
            ProblemCode::LayoutMismatch,
        ),
        (
            UpdateEncoding::Int8,
            1,
            scaled(f32::NAN, 1),
            DecodeFault::ScaleNotFinite,
            ProblemCode::NotFinite,
        ),
        (
            UpdateEncoding::Int8,
            1,
            scaled(f32::INFINITY, 1),
            DecodeFault::ScaleNotFinite,
            ProblemCode::NotFinite,
        ),
        (
            UpdateEncoding::Int8,
            1,
            scaled(-1.0, 1),
            DecodeFault::ScaleNegative,
            ProblemCode::Malformed,
        ),
        (
            UpdateEncoding::Int8,
            1,
            scaled(1.0, 0x80),
            DecodeFault::ByteOutOfRange,
            ProblemCode::Malformed,
        ),
        (
            UpdateEncoding::Int8,
            2,
            scaled(1.0, 1),
            DecodeFault::TooShort,
            ProblemCode::LayoutMismatch,
        ),
        (
            top,
            8,
            vec![8, 0, 0],
            DecodeFault::PlaceOutOfRange,
            ProblemCode::LayoutMismatch,
        ),
        (
            top,
            8,
            vec![3, 0, 0, 4, 0, 0],
            DecodeFault::PlaceOutOfRange,
            ProblemCode::LayoutMismatch,
        ),
        (
            top,
            8,
            vec![0x80, 0, 0, 0],
            DecodeFault::DistanceMalformed,
            ProblemCode::Malformed,
        ),
        (
            top,
            8,
            vec![0xff, 0xff, 0xff, 0xff, 0x1f, 0, 0],
            DecodeFault::DistanceMalformed,
            ProblemCode::Malformed,
        ),
        (
            top,
            8,
            vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0],
            DecodeFault::PlaceOutOfRange,
            ProblemCode::LayoutMismatch,
        ),
        (
            top,
            8,
            vec![3, 0, 0],
            DecodeFault::TooShort,
            ProblemCode::LayoutMismatch,
        ),
        (
            top,
            8,
            vec![3, 0, 0, 3, 0, 0, 0],
            DecodeFault::TooLong,
            ProblemCode::LayoutMismatch,
        ),
    ] {
        let found = fault(encoding, parameters, &bytes);
        assert_eq!((found, found.code()), (expected, code), "{encoding:?} {bytes:?}");
    }
}
