//! The whole crate at once: files are read back as anybody would.

use std::{collections::HashSet, io::Read, path::Path};

use dicom_dictionary_std::tags;
use dicom_object::open_file;
use dicom_pixeldata::PixelDecoder;
use snowball_protocol::intake::{Disposition, IntakeReason};

use super::*;
use crate::encode::{jpeg_lossless, run_length};

fn small(hospitals: u32, images: u64, hostile_fraction: f64) -> Consortium {
    Consortium {
        seed: 11,
        hospitals,
        images_per_hospital: images,
        longest_side: 48,
        hostile_fraction,
    }
}

fn written(consortium: &Consortium) -> (tempfile::TempDir, Vec<Hospital>) {
    let root = tempfile::tempdir().unwrap();
    let hospitals = write(consortium, root.path(), &|_, _| {}).unwrap();
    (root, hospitals)
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(all_files(&path))
        } else {
            found.push(path)
        }
    }
    found.sort();
    found
}

/// The bytes in which identifiers can be searched: deflated data sets are inflated.
fn searchable(bytes: &[u8], truth: &Truth) -> Vec<u8> {
    if truth.syntax != encode::Syntax::Deflated.uid() || truth.reason.is_some() && truth.partner.is_none() {
        return bytes.to_vec();
    }
    let meta_length = u32::from_le_bytes(bytes[140..144].try_into().unwrap()) as usize;
    let (meta, data) = bytes.split_at(144 + meta_length);
    let mut inflated = meta.to_vec();
    flate2::read::DeflateDecoder::new(data)
        .read_to_end(&mut inflated)
        .unwrap();
    inflated
}

#[test]
fn sound_files_are_read_and_decoded_and_say_what_the_truth_says() {
    let (_root, hospitals) = written(&small(6, 16, 0.0));
    let mut syntaxes = HashSet::new();
    for hospital in &hospitals {
        for truth in read_truth(&hospital.truth).unwrap() {
            let path = hospital.folder.join(&truth.file);
            let mut bytes = fs::read(&path).unwrap();
            if truth.traits.iter().any(|name| name == "no_preamble") {
                assert_ne!(&bytes[128..132], b"DICM");
                bytes.splice(0..0, [[0; 128].as_slice(), b"DICM"].concat());
            }
            let object = dicom_object::from_reader(&bytes[..]).unwrap();
            assert_eq!(object.meta().transfer_syntax(), truth.syntax);
            syntaxes.insert(truth.syntax.clone());
            let text = |tag| object.element(tag).unwrap().to_str().unwrap().trim().to_owned();
            assert_eq!(text(tags::MODALITY), truth.modality);
            assert_eq!(text(tags::PHOTOMETRIC_INTERPRETATION), truth.photometric);
            let name = truth
                .identifiers
                .iter()
                .find(|identifier| identifier.path == "PatientName")
                .unwrap();
            assert_eq!(text(tags::PATIENT_NAME), name.value);
            let pixels = object.decode_pixel_data().unwrap();
            assert_eq!(pixels.bits_stored(), u16::from(truth.bits_stored));
            assert_eq!(
                pixels.rows(),
                u32::from(object.element(tags::ROWS).unwrap().to_int::<u16>().unwrap())
            );
        }
    }
    assert_eq!(syntaxes.len(), 6, "every transfer syntax occurs: {syntaxes:?}");
}

#[test]
fn bones_lie_where_the_written_pictures_are_dense() {
    let consortium = small(2, 16, 0.0);
    let (_root, hospitals) = written(&consortium);
    let (mut found, mut denser) = (0, 0);
    for (index, hospital) in (0..).zip(&hospitals) {
        let bones = bones(&consortium, index);
        for path in all_files(&hospital.dicom) {
            let Ok(object) = open_file(&path) else { continue };
            let text = |tag| object.element(tag).unwrap().to_str().unwrap().trim().to_owned();
            let instance = text(tags::SOP_INSTANCE_UID);
            let bones = bones.iter().find(|bones| bones.instance == instance).unwrap();
            let decoded = object.decode_pixel_data().unwrap();
            assert_eq!((decoded.rows(), decoded.columns()), (bones.rows, bones.columns));
            let data = decoded.data();
            let wide = data.len() / bones.values.len();
            let value = |place: usize| match wide {
                1 => f64::from(data[place]),
                _ => f64::from(u16::from_le_bytes([data[2 * place], data[2 * place + 1]])),
            };
            let sense = if text(tags::PHOTOMETRIC_INTERPRETATION) == "MONOCHROME1" {
                -1.0
            } else {
                1.0
            };
            let mean = |wanted: u8| {
                let places = (0..bones.values.len()).filter(|place| bones.values[*place] == wanted);
                let (sum, count) = places.fold((0.0, 0.0), |(sum, count), place| (sum + value(place), count + 1.0_f64));
                sense * sum / count
            };
            found += 1;
            denser += u32::from(mean(255) > mean(0));
        }
    }
    // A file without a preamble is not opened here.
    assert!(found >= 24, "{found}");
    assert!(denser * 10 >= found * 9, "{denser} of {found}");
}

#[test]
fn the_same_seed_writes_the_same_bytes_and_another_does_not() {
    let consortium = small(2, 12, 0.5);
    let (one, _) = written(&consortium);
    let (other, _) = written(&consortium);
    let (third, _) = written(&Consortium { seed: 12, ..consortium });
    let read = |root: &Path| -> Vec<(PathBuf, Vec<u8>)> {
        let files = all_files(root).into_iter();
        files
            .map(|path| (path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap()))
            .collect()
    };
    assert_eq!(read(one.path()), read(other.path()));
    assert_ne!(read(one.path()), read(third.path()));
}

#[test]
fn counts_add_up_and_every_fault_occurs() {
    let consortium = small(3, 30, 0.4);
    let (_root, hospitals) = written(&consortium);
    let mut reasons = HashSet::new();
    for hospital in &hospitals {
        let truths = read_truth(&hospital.truth).unwrap();
        let files = all_files(&hospital.dicom);
        assert_eq!(files.len() as u64, hospital.files);
        assert_eq!(hospital.files, 42);
        assert_eq!(hospital.expected, Expected::of(&truths));
        assert_eq!(hospital.expected.accepted, 30);
        assert_eq!(hospital.expected.reasons.values().sum::<u64>(), 12);
        let named: HashSet<PathBuf> = truths.iter().map(|truth| hospital.folder.join(&truth.file)).collect();
        assert_eq!(named, files.into_iter().collect());
        for truth in &truths {
            assert_eq!(
                truth.reason.map_or(Disposition::Accepted, IntakeReason::disposition),
                truth.disposition
            );
        }
        reasons.extend(hospital.expected.reasons.keys().copied());
    }
    assert_eq!(reasons.len(), 18);
}

#[test]
fn all_listed_identifiers_stand_in_their_files() {
    let (_root, hospitals) = written(&small(6, 30, 0.3));
    let mut paths = HashSet::new();
    for hospital in &hospitals {
        let truths = read_truth(&hospital.truth).unwrap();
        assert!(planted_identifiers(&truths).len() > 200);
        for truth in truths {
            let bytes = searchable(&fs::read(hospital.folder.join(&truth.file)).unwrap(), &truth);
            for identifier in &truth.identifiers {
                paths.insert(identifier.path.clone());
                let found = match identifier.path.as_str() {
                    "file name" => truth.file.contains(&identifier.value),
                    _ if identifier.is_drawn => true,
                    _ => identifier.encodings().iter().any(|text| hostile::holds(&bytes, text)),
                };
                assert!(found, "{} in {} ({})", identifier.path, truth.file, truth.kind);
            }
        }
    }
    for path in [
        "(0009,1011)",
        "(0029,1020)[0].PatientName",
        "(0031,1001)[0].PatientName",
        "PatientComments",
    ] {
        assert!(paths.contains(path), "{path} never occurs");
    }
}

#[test]
fn doubled_files_are_what_they_are_said_to_be() {
    let (_root, hospitals) = written(&small(1, 30, 0.8));
    let hospital = &hospitals[0];
    let truths = read_truth(&hospital.truth).unwrap();
    let instance = |path: &Path| {
        open_file(path)
            .unwrap()
            .element(tags::SOP_INSTANCE_UID)
            .unwrap()
            .to_str()
            .unwrap()
            .into_owned()
    };
    let mut seen = 0;
    for truth in &truths {
        let Some(partner) = &truth.partner else { continue };
        let (one, other) = (hospital.folder.join(&truth.file), hospital.folder.join(partner));
        let same = fs::read(&one).unwrap() == fs::read(&other).unwrap();
        assert_eq!(same, truth.reason == Some(IntakeReason::Duplicate));
        assert_eq!(instance(&one), instance(&other));
        seen += 1;
    }
    assert!(seen >= 2);
}

#[test]
fn labels_are_missing_as_often_as_meant() {
    let (_root, hospitals) = written(&Consortium {
        longest_side: 32,
        ..small(4, 150, 0.0)
    });
    let truths: Vec<Truth> = hospitals
        .iter()
        .flat_map(|hospital| read_truth(&hospital.truth).unwrap())
        .collect();
    let missing = |is_missing: &dyn Fn(&Truth) -> bool| {
        truths.iter().filter(|truth| is_missing(truth)).count() as f64 / truths.len() as f64
    };
    let part = missing(&|truth| truth.labels.body_part.is_none());
    let view = missing(&|truth| truth.labels.view.is_none());
    let age = missing(&|truth| truth.labels.age_years.is_none());
    assert!((0.10..0.20).contains(&part) && (0.29..0.41).contains(&view) && (0.24..0.36).contains(&age));
    for truth in &truths {
        let (said, real) = (&truth.labels, &truth.true_labels);
        assert!(said.body_part.is_none() || said.body_part == real.body_part);
        assert!(said.view.is_none() || said.view == real.view);
        assert!(said.laterality.is_none() || said.laterality == real.laterality);
        if let (Some(said), Some(real)) = (said.age_years, real.age_years) {
            assert!((said - real.min(90.0)).abs() < 1.1);
        }
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    let root = tempfile::tempdir().unwrap();
    for wrong in [
        Consortium {
            hospitals: 0,
            ..Consortium::default()
        },
        Consortium {
            images_per_hospital: 0,
            ..Consortium::default()
        },
        Consortium {
            longest_side: 7,
            ..Consortium::default()
        },
        Consortium {
            hostile_fraction: f64::NAN,
            ..Consortium::default()
        },
    ] {
        assert!(matches!(
            write(&wrong, root.path(), &|_, _| {}),
            Err(PhantomError::Setting(_))
        ));
    }
}

/// Pictures that strain an encoder: noise, steps, all equal, full swing.
fn strains(columns: usize, rows: usize, bits: u8) -> Vec<Vec<u16>> {
    use rand::{RngCore, SeedableRng};
    let top = ((1_u32 << bits) - 1) as u16;
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(u64::from(bits));
    let noise: Vec<u16> = (0..columns * rows).map(|_| random.next_u32() as u16 & top).collect();
    let steps = (0..columns * rows)
        .map(|place| ((place / 7) as u16).wrapping_mul(31) & top)
        .collect();
    let swing = (0..columns * rows)
        .map(|place| if place % 2 == 0 { 0 } else { top })
        .collect();
    let calm = noise.iter().map(|sample| sample >> (bits - 3)).collect();
    vec![noise, steps, vec![top / 2; columns * rows], swing, calm]
}

fn decoded(syntax: encode::Syntax, fragment: Vec<u8>, columns: u16, rows: u16, bits: u8) -> Vec<u16> {
    use dicom_core::{
        DataElement, VR,
        value::{PixelFragmentSequence, Value},
    };
    let mut form = form::Form::default();
    form.text(tags::SOP_CLASS_UID, "1.2.840.10008.5.1.4.1.1.1");
    form.text(tags::SOP_INSTANCE_UID, "2.25.1");
    form.number(tags::SAMPLES_PER_PIXEL, 1);
    form.text(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2");
    form.number(tags::ROWS, rows);
    form.number(tags::COLUMNS, columns);
    form.number(tags::BITS_ALLOCATED, if bits > 8 { 16 } else { 8 });
    form.number(tags::BITS_STORED, bits.into());
    form.number(tags::HIGH_BIT, u16::from(bits) - 1);
    form.number(tags::PIXEL_REPRESENTATION, 0);
    let pixels = PixelFragmentSequence::new(vec![0_u32], vec![fragment]);
    form.object
        .put(DataElement::new(tags::PIXEL_DATA, VR::OB, Value::from(pixels)));
    let envelope = file::Envelope::new(syntax, "1.2.840.10008.5.1.4.1.1.1", "2.25.1", "TEST");
    let bytes = file::bytes(&form, &envelope).unwrap();
    let object = dicom_object::from_reader(&bytes[..]).unwrap();
    let decoded = object.decode_pixel_data().unwrap();
    let data = decoded.data();
    if bits > 8 {
        data.chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect()
    } else {
        data.iter().map(|byte| u16::from(*byte)).collect()
    }
}

#[test]
fn both_encoders_are_decoded_bit_for_bit() {
    for (columns, rows) in [(17_u16, 23_u16), (64, 40), (1, 9), (300, 2)] {
        for bits in [8, 10, 12, 14, 16] {
            for samples in strains(columns.into(), rows.into(), bits) {
                let fragment = run_length::encode(&samples, columns.into(), bits);
                assert!(
                    decoded(encode::Syntax::RunLength, fragment, columns, rows, bits) == samples,
                    "RLE {bits}"
                );
                let fragment = jpeg_lossless::encode(&samples, columns, rows, bits);
                assert!(
                    decoded(encode::Syntax::JpegLossless, fragment, columns, rows, bits) == samples,
                    "JPEG {bits}"
                );
            }
        }
    }
}
