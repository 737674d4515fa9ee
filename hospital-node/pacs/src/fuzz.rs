//! Doors for fuzzers: plain functions of bytes that must neither panic, nor hang, nor take more memory than their input.

use dicom_ul::pdu::PDataValueType;

use crate::{command::Command, dicomweb::multipart, identifier::Identifier, negotiate, wire};

/// PDUs, and what is inside of them.
#[doc(hidden)]
pub fn fuzz_pdu(bytes: &[u8]) {
    let (mut source, mut buffer) = (bytes, Vec::new());
    let (mut commands, mut data_sets) = (Vec::new(), Vec::new());
    while let Ok(Some(pdu)) = wire::read(&mut source, 16_384, &mut buffer) {
        match pdu {
            dicom_ul::pdu::Pdu::AssociationRQ(request) => {
                let none = std::collections::BTreeSet::new();
                let named = [&request.called_ae_title, &request.calling_ae_title]
                    .into_iter()
                    .filter_map(|title| title.parse().ok())
                    .collect();
                for titles in [&none, &named] {
                    let rules = negotiate::Rules {
                        called: titles,
                        calling: titles,
                        is_decodable: |_| true,
                        pdu_bytes_max: 16_384,
                        is_full: false,
                    };
                    if let Ok(accepted) = negotiate::answer(&request, &rules) {
                        let answer = dicom_ul::pdu::Pdu::AssociationAC(accepted.answer);
                        let _ = wire::write(&mut std::io::sink(), &answer);
                    }
                }
            }
            dicom_ul::pdu::Pdu::PData { data } => {
                for value in data {
                    match value.value_type {
                        PDataValueType::Command => commands.extend(value.data),
                        PDataValueType::Data => data_sets.extend(value.data),
                    }
                    // A message ends here: the next command is another one.
                    if value.is_last {
                        look_into(&std::mem::take(&mut commands), &data_sets);
                        data_sets.clear();
                    }
                }
            }
            _ => {}
        }
    }
    look_into(&commands, &data_sets);
}

fn look_into(command: &[u8], data_set: &[u8]) {
    if let Ok(command) = Command::decode(command) {
        let answer = Command::response(&command, 0, None);
        assert!(Command::decode(&answer.encode()).is_ok(), "an answer must parse");
    }
    let _ = Identifier::decode(data_set);
}

/// Multipart bodies: the first byte says where the rest is cut in two.
#[doc(hidden)]
pub fn fuzz_multipart(bytes: &[u8]) {
    let Some((cut, body)) = bytes.split_first() else { return };
    let whole = multipart::collect("b", &[body]);
    let (first, second) = body.split_at(usize::from(*cut).min(body.len()));
    let halves = multipart::collect("b", &[first, second]);
    assert_eq!(whole, halves, "where a body is cut must not matter");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Seeds of the fuzzer: associations of DCMTK with Orthanc, whose answers we must read as well.
    const CAPTURED: [(&str, &[u8], usize); 8] = [
        (
            "echo-asks",
            include_bytes!("../../../tests/fuzz/captured/pdu/echo-asks"),
            3,
        ),
        (
            "echo-answers",
            include_bytes!("../../../tests/fuzz/captured/pdu/echo-answers"),
            3,
        ),
        (
            "store-asks",
            include_bytes!("../../../tests/fuzz/captured/pdu/store-asks"),
            4,
        ),
        (
            "store-answers",
            include_bytes!("../../../tests/fuzz/captured/pdu/store-answers"),
            3,
        ),
        (
            "find-asks",
            include_bytes!("../../../tests/fuzz/captured/pdu/find-asks"),
            4,
        ),
        (
            "find-answers",
            include_bytes!("../../../tests/fuzz/captured/pdu/find-answers"),
            5,
        ),
        (
            "get-asks",
            include_bytes!("../../../tests/fuzz/captured/pdu/get-asks"),
            5,
        ),
        (
            "get-answers",
            include_bytes!("../../../tests/fuzz/captured/pdu/get-answers"),
            6,
        ),
    ];

    #[test]
    fn what_others_send_is_read_to_its_end() {
        for (name, mut bytes, expected) in CAPTURED {
            fuzz_pdu(bytes);
            let mut count = 0;
            while wire::read(&mut bytes, 16_384, &mut Vec::new()).unwrap().is_some() {
                count += 1;
            }
            assert_eq!(count, expected, "{name}");
        }
        let body = include_bytes!("../../../tests/fuzz/captured/multipart/orthanc-series");
        fuzz_multipart(body);
        let parts = multipart::collect("b", &[&body[1..]]).unwrap();
        assert!(
            parts.len() == 3 && parts.iter().all(|part| part.len() == 568),
            "{}",
            parts.len()
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn any_pdu_is_survived(kind in 0u8..9, body in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut bytes = vec![kind, 0];
            bytes.extend((body.len() as u32).to_be_bytes());
            bytes.extend(&body);
            fuzz_pdu(&bytes);
            fuzz_pdu(&body);
        }

        #[test]
        fn any_request_is_survived(body in proptest::collection::vec(prop_oneof![Just(0x10u8), Just(0x20), Just(0x30), Just(0x40), Just(0x50), Just(0x56), Just(0), Just(1), any::<u8>()], 0..300)) {
            let mut bytes = vec![1, 0];
            bytes.extend((body.len() as u32 + 68).to_be_bytes());
            bytes.extend([0, 1, 0, 0]);
            bytes.extend([b'A'; 32]);
            bytes.extend([0; 32]);
            bytes.extend(&body);
            fuzz_pdu(&bytes);
        }

        #[test]
        fn any_multipart_is_survived(cut in any::<u8>(), body in "(--b|\r\n|--|Content-Type: a|x|\r|-){0,40}") {
            let mut bytes = vec![cut];
            bytes.extend(body.as_bytes());
            fuzz_multipart(&bytes);
        }
    }
}
