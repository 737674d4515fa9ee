//! Which side is up and which is left: one picture with four different corners, through every transfer syntax that can
//! be written here, decoded to the same place. And where another program decodes what it has encoded, to the same bits.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use flate2::{Compression, write::DeflateEncoder};

use crate::{
    Limits, TransferSyntax,
    pixels::{self, Description},
    read::DicomFile,
};

const ROWS: usize = 45;
const COLUMNS: usize = 83;

/// A picture of `bits`: a ramp to the right, a steeper one downwards over the left third, a bright block in the upper
/// left corner, a dark one in the upper right, and steps sharp enough to overshoot.
fn phantom(bits: u32) -> Vec<u16> {
    let max = (1_u32 << bits) - 1;
    let at = |row: usize, column: usize| {
        let (row, column) = (row as u32, column as u32);
        let value = match (row, column) {
            (0..12, 0..14) => max,
            (0..6, 75..) => 0,
            (_, 0..28) => max * (row + 20) / 90,
            (30..34, _) => max,
            _ => max * (column + 10) / 200 + (row * 7 + column * 13) % 5 * max / 100,
        };
        value as u16
    };
    (0..ROWS * COLUMNS)
        .map(|place| at(place / COLUMNS, place % COLUMNS))
        .collect()
}

/// Pixels that are native or one fragment, in explicit or implicit little endian or explicit big endian.
fn written(syntax: TransferSyntax, bits: u16, value: &[u8]) -> Vec<u8> {
    let (explicit, big) = (
        syntax != TransferSyntax::ImplicitLittle,
        syntax == TransferSyntax::ExplicitBig,
    );
    let word = |value: u16| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let long = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let allocated = if bits <= 8 { 8 } else { 16 };
    let elements: Vec<(u16, u16, &[u8; 2], Vec<u8>)> = vec![
        (0x0008, 0x0016, b"UI", b"1.2.840.10008.5.1.4.1.1.1\0".to_vec()),
        (0x0008, 0x0018, b"UI", b"2.25.40\0".to_vec()),
        (0x0008, 0x0060, b"CS", b"CR".to_vec()),
        (0x0010, 0x0020, b"LO", b"SIDES ".to_vec()),
        (0x0020, 0x000D, b"UI", b"2.25.41\0".to_vec()),
        (0x0020, 0x000E, b"UI", b"2.25.42\0".to_vec()),
        (0x0028, 0x0002, b"US", word(1).to_vec()),
        (0x0028, 0x0004, b"CS", b"MONOCHROME2 ".to_vec()),
        (0x0028, 0x0010, b"US", word(ROWS as u16).to_vec()),
        (0x0028, 0x0011, b"US", word(COLUMNS as u16).to_vec()),
        (0x0028, 0x0100, b"US", word(allocated).to_vec()),
        (0x0028, 0x0101, b"US", word(bits).to_vec()),
        (0x0028, 0x0102, b"US", word(bits - 1).to_vec()),
        (0x0028, 0x0103, b"US", word(0).to_vec()),
    ];
    let mut body = Vec::new();
    let tag = |body: &mut Vec<u8>, group, element| body.extend([word(group), word(element)].concat());
    for (group, element, vr, value) in elements {
        tag(&mut body, group, element);
        if explicit {
            body.extend(vr);
            body.extend(word(value.len() as u16));
        } else {
            body.extend(long(value.len() as u32));
        }
        body.extend(value);
    }
    let native = matches!(
        syntax,
        TransferSyntax::ImplicitLittle
            | TransferSyntax::ExplicitLittle
            | TransferSyntax::ExplicitBig
            | TransferSyntax::Deflated
    );
    tag(&mut body, 0x7FE0, 0x0010);
    if explicit {
        body.extend(if allocated == 8 { b"OB\0\0" } else { b"OW\0\0" });
    }
    if native {
        body.extend(long(value.len() as u32));
        body.extend(value);
    } else {
        body.extend(long(u32::MAX));
        let padded = value.len().next_multiple_of(2);
        for (element, length) in [(0xE000, 0), (0xE000, padded as u32)] {
            tag(&mut body, 0xFFFE, element);
            body.extend(long(length));
        }
        body.extend(value);
        body.resize(body.len() + padded - value.len(), 0);
        tag(&mut body, 0xFFFE, 0xE0DD);
        body.extend(long(0));
    }
    if syntax == TransferSyntax::Deflated {
        body = deflated(&body);
    }
    let mut uid = syntax.uid().as_bytes().to_vec();
    uid.resize(uid.len().next_multiple_of(2), 0);
    let meta = |element: u16, vr: &[u8; 2], value: &[u8]| {
        let head = [0x0002_u16.to_le_bytes(), element.to_le_bytes()].concat();
        [&head, &vr[..], &(value.len() as u16).to_le_bytes(), value].concat()
    };
    let group = [
        [&[2, 0, 1, 0][..], b"OB\0\0\x02\0\0\0\0\x01"].concat(),
        meta(0x0002, b"UI", b"1.2.840.10008.5.1.4.1.1.1\0"),
        meta(0x0003, b"UI", b"2.25.40\0"),
        meta(0x0010, b"UI", &uid),
        meta(0x0012, b"UI", b"2.25.43\0"),
    ]
    .concat();
    let length = meta(0x0000, b"UL", &(group.len() as u32).to_le_bytes());
    [vec![0; 128], b"DICM".to_vec(), length, group, body].concat()
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// PackBits with literal runs alone, in two segments for 16-bit words.
fn run_length(words: &[u16], bits: u32) -> Vec<u8> {
    let planes: Vec<Vec<u8>> = (0..bits.div_ceil(8))
        .rev()
        .map(|plane| words.iter().map(|word| (word >> (8 * plane)) as u8).collect())
        .collect();
    let packed: Vec<Vec<u8>> = planes
        .iter()
        .map(|plane| {
            plane
                .chunks(128)
                .flat_map(|run| std::iter::once(run.len() as u8 - 1).chain(run.iter().copied()))
                .collect()
        })
        .collect();
    let mut header = vec![packed.len() as u32];
    let mut offset = 64;
    for plane in &packed {
        header.push(offset);
        offset += plane.len() as u32;
    }
    header.resize(16, 0);
    let header: Vec<u8> = header.into_iter().flat_map(u32::to_le_bytes).collect();
    [header, packed.concat()].concat()
}

fn little(words: &[u16], bits: u32) -> Vec<u8> {
    if bits <= 8 {
        let padding = (!words.len().is_multiple_of(2)).then_some(0);
        words.iter().map(|word| *word as u8).chain(padding).collect()
    } else {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}

/// The stored values of a whole file.
fn decoded(bytes: &[u8]) -> (TransferSyntax, Vec<u16>) {
    let limits = Limits::default();
    let file = DicomFile::parse(bytes, &limits).unwrap();
    let description = Description::read(&file, &limits).unwrap();
    assert_eq!((description.rows, description.columns), (ROWS as u32, COLUMNS as u32));
    let syntax = file.syntax.unwrap();
    let words = pixels::words(&file, syntax, &description)
        .unwrap_or_else(|reason| panic!("{syntax:?}, {} bits: {reason:?}", description.bits_stored))
        .words;
    (syntax, words.iter().map(|word| description.stored(*word)).collect())
}

/// True if `picture` shows `phantom` the same way round: close to it as it lies, and far from it mirrored, upside down
/// or turned by half. Both are stretched to their own range first, for lossy encoders rescale.
fn same_way_round(picture: &[u16], phantom: &[u16]) -> bool {
    let stretched = |values: &[u16]| -> Vec<f64> {
        let (least, most) = (*values.iter().min().unwrap(), *values.iter().max().unwrap());
        let part = |value: &u16| f64::from(value - least) / f64::from(most - least);
        values.iter().map(part).collect()
    };
    let (picture, phantom) = (stretched(picture), stretched(phantom));
    let distance = |place: &dyn Fn(usize, usize) -> usize| {
        let apart = |at: usize| (picture[at] - phantom[place(at / COLUMNS, at % COLUMNS)]).abs();
        (0..ROWS * COLUMNS).map(apart).sum::<f64>() / (ROWS * COLUMNS) as f64
    };
    let straight = distance(&|row, column| row * COLUMNS + column);
    let turned = [
        distance(&|row, column| row * COLUMNS + (COLUMNS - 1 - column)),
        distance(&|row, column| (ROWS - 1 - row) * COLUMNS + column),
        distance(&|row, column| (ROWS - 1 - row) * COLUMNS + (COLUMNS - 1 - column)),
    ];
    straight < 0.03 && turned.iter().all(|turned| *turned > 0.1)
}

#[test]
fn what_is_encoded_here_keeps_its_sides() {
    let mut seen = Vec::new();
    for bits in [8, 12, 16] {
        let phantom = phantom(bits);
        let native = little(&phantom, bits);
        let swapped: Vec<u8> = if bits <= 8 {
            native.clone()
        } else {
            phantom.iter().flat_map(|word| word.to_be_bytes()).collect()
        };
        let mut coded = Vec::new();
        jpegls::encode(&phantom, COLUMNS as u32, ROWS as u32, &mut coded).unwrap();
        for (syntax, value) in [
            (TransferSyntax::ImplicitLittle, &native),
            (TransferSyntax::ExplicitLittle, &native),
            (TransferSyntax::ExplicitBig, &swapped),
            (TransferSyntax::Deflated, &native),
            (TransferSyntax::DeflatedFrame, &deflated(&native)),
            (TransferSyntax::Rle, &run_length(&phantom, bits)),
            (TransferSyntax::JpegLsLossless, &coded),
        ] {
            let (read, values) = decoded(&written(syntax, bits as u16, value));
            assert_eq!(read, syntax);
            assert!(values == phantom, "{syntax:?} of {bits} bits");
            seen.push(syntax);
        }
    }
    assert_eq!(seen.len(), 21);
}

#[test]
fn restart_markers_and_progression_change_no_pixel() {
    let phantom = phantom(8);
    let bytes: Vec<u8> = phantom.iter().map(|word| *word as u8).collect();
    let encoded = |restart: Option<u16>, progressive: bool| {
        let mut stream = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut stream, 90);
        if let Some(interval) = restart {
            encoder.set_restart_interval(interval);
        }
        encoder.set_progressive(progressive);
        encoder
            .encode(&bytes, COLUMNS as u16, ROWS as u16, jpeg_encoder::ColorType::Luma)
            .unwrap();
        let syntax = if progressive {
            TransferSyntax::JpegProgressive
        } else {
            TransferSyntax::JpegBaseline
        };
        decoded(&written(syntax, 8, &stream)).1
    };
    let plain = encoded(None, false);
    assert!(same_way_round(&plain, &phantom));
    for interval in [1, 2, 7, 11, 60] {
        assert!(
            encoded(Some(interval), false) == plain,
            "a restart every {interval} blocks"
        );
        assert!(
            encoded(Some(interval), true) == plain,
            "progressive, a restart every {interval} blocks"
        );
    }
    assert!(encoded(None, true) == plain);
}

/// Runs `program` if the machine has it.
fn run(program: &str, arguments: &[&str], files: [&Path; 2]) -> Option<()> {
    match Command::new(program).args(arguments).args(files).output() {
        Ok(output) => {
            let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{program} {arguments:?}: {complaint}");
            Some(())
        }
        Err(_) => {
            eprintln!("skipped: no {program} on this machine");
            None
        }
    }
}

#[test]
fn what_dcmtk_encodes_keeps_its_sides_and_its_bits() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let mut checked = 0;
    for bits in [8, 12, 16] {
        let phantom = phantom(bits);
        let source = path("source.dcm");
        fs::write(
            &source,
            written(TransferSyntax::ExplicitLittle, bits as u16, &little(&phantom, bits)),
        )
        .unwrap();
        let cases: [(&str, &[&str], &str, bool); 14] = [
            ("dcmconv", &["+ti"], "dcmconv", true),
            ("dcmconv", &["+tb"], "dcmconv", true),
            ("dcmconv", &["+td"], "dcmconv", true),
            ("dcmcrle", &[], "dcmdrle", true),
            ("dcmcjpls", &["+el"], "dcmdjpls", true),
            ("dcmcjpls", &["+en", "+md", "3"], "dcmdjpls", false),
            ("dcmcjpeg", &["+e1"], "dcmdjpeg", true),
            ("dcmcjpeg", &["+el", "+sv", "1"], "dcmdjpeg", true),
            ("dcmcjpeg", &["+el", "+sv", "4"], "dcmdjpeg", true),
            ("dcmcjpeg", &["+el", "+sv", "7"], "dcmdjpeg", true),
            ("dcmcjpeg", &["+eb"], "dcmdjpeg", false),
            ("dcmcjpeg", &["+ee", "+q", "70"], "dcmdjpeg", false),
            ("dcmcjpeg", &["+es"], "dcmdjpeg", false),
            ("dcmcjpeg", &["+ep"], "dcmdjpeg", false),
        ];
        for (encoder, arguments, decoder, lossless) in cases {
            let (encoded, theirs) = (path("encoded.dcm"), path("theirs.dcm"));
            let done = run(encoder, arguments, [&source, &encoded]);
            let Some(()) = done.and_then(|()| run(decoder, &[], [&encoded, &theirs])) else {
                continue;
            };
            let (syntax, ours) = decoded(&fs::read(&encoded).unwrap());
            let (_, theirs) = decoded(&fs::read(&theirs).unwrap());
            let name = format!("{encoder} {arguments:?} of {bits} bits, {}", syntax.uid());
            assert!(ours == theirs, "{name}: other bits");
            assert!(same_way_round(&ours, &phantom), "{name}: another way round");
            assert!(!lossless || ours == phantom, "{name}: other values");
            checked += 1;
        }
    }
    eprintln!("{checked} pictures encoded by dcmtk, the same bits as decoded by dcmtk");
}

/// Encodes raw words with a Python package, for the syntaxes that dcmtk does not write.
const PYTHON: &str = "
import sys, numpy
import imagecodecs as codecs
source, target, rows, columns, width, method = sys.argv[1:]
picture = numpy.fromfile(source, 'u1' if width == '1' else '<u2').reshape(int(rows), int(columns))
encoded = {
    'j2k': lambda: codecs.jpeg2k_encode(picture, level=0, codecformat='j2k', reversible=True),
    'htj2k': lambda: codecs.htj2k_encode(picture),
    'jxl': lambda: codecs.jpegxl_encode(picture, lossless=True),
}[method]()
open(target, 'wb').write(encoded)
";

#[test]
fn what_a_python_package_encodes_keeps_its_sides() {
    let there = Command::new("python3").args(["-c", "import imagecodecs"]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no Python package imagecodecs on this machine");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [source, target] = ["source.raw", "target"].map(|name| folder.path().join(name));
    for bits in [8, 16] {
        let phantom = phantom(bits);
        let raw = little(&phantom, bits);
        fs::write(&source, &raw[..ROWS * COLUMNS * bits as usize / 8]).unwrap();
        for (method, syntax) in [
            ("j2k", TransferSyntax::Jpeg2000Lossless),
            ("htj2k", TransferSyntax::HighThroughputLossless),
            ("jxl", TransferSyntax::JpegXlLossless),
        ] {
            let output = Command::new("python3")
                .args(["-c", PYTHON])
                .args([&source, &target])
                .args([ROWS, COLUMNS, bits as usize / 8].map(|number| number.to_string()))
                .arg(method)
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let (_, values) = decoded(&written(syntax, bits as u16, &fs::read(&target).unwrap()));
            assert!(values == phantom, "{syntax:?} of {bits} bits");
        }
    }
}
