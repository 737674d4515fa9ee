//! What may stand in the rows of a radiograph, written down a second time: a field that is not listed here, a term that is
//! none of these or a number out of its bounds is denied. A new term is added here too, or nothing is taken in with it.

use serde_json::Value;

/// What a field may hold.
pub(super) enum May {
    /// A digest of content: `sha256:` and 64 digits.
    Digest,
    /// A pseudonym: 64 hexadecimal digits.
    Pseudonym,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A number from 0 to this, whole.
    Count(u64),
    /// A number from 0 to this.
    Number(f64),
    /// True or false.
    Flag,
    /// An object of these fields.
    Fields(&'static [(&'static str, May)]),
    /// At most so many objects of these fields, in a list.
    List(usize, &'static [(&'static str, May)]),
}

const PARTS: May = May::Word(&[
    "CHEST", "RIB", "ABDOMEN", "BREAST", "SKULL", "JAW", "SPINE", "CSPINE", "TSPINE", "LSPINE", "PELVIS", "HIP",
    "FEMUR", "KNEE", "TIBIA", "ANKLE", "FOOT", "CLAVICLE", "SHOULDER", "HUMERUS", "ELBOW", "FOREARM", "WRIST", "HAND",
]);
const SIDE_MAX: u64 = 1 << 16;
const BITS_MAX: u64 = 16;
const ATTRIBUTES_MAX: u64 = 1 << 20;
const PIXELS_MAX: u64 = 1 << 32;
const SOURCE: May = May::Word(&["nothing", "attribute", "code", "description", "dates", "conflict"]);
const DIRECTION: May = May::Word(&["left", "right", "anterior", "posterior", "head", "foot"]);

/// What is known of a radiograph.
pub(super) const FACTS: &[(&str, May)] = &[
    ("content", May::Digest),
    ("study", May::Pseudonym),
    ("series", May::Pseudonym),
    ("accession", May::Pseudonym),
    ("rows", May::Count(SIDE_MAX)),
    ("columns", May::Count(SIDE_MAX)),
    ("bits_stored", May::Count(BITS_MAX)),
    (
        "labels",
        May::Fields(&[
            ("body_part", PARTS),
            ("view", May::Word(&["AP", "PA", "LATERAL", "OBLIQUE", "AXIAL"])),
            ("laterality", May::Word(&["L", "R", "B"])),
            ("sex", May::Word(&["F", "M"])),
            ("age_years", May::Number(90.0)),
        ]),
    ),
    ("master_rows", May::Count(SIDE_MAX)),
    ("master_columns", May::Count(SIDE_MAX)),
    ("encoding", May::Count(1)),
    ("digest", May::Digest),
];

/// How the picture was made and what was taken away.
pub(super) const MAKING: &[(&str, May)] = &[
    ("acquisition", May::Fields(ACQUISITION)),
    ("evidence", May::Fields(EVIDENCE)),
];

const ACQUISITION: &[(&str, May)] = &[
    (
        "class",
        May::Word(&[
            "computed_radiography",
            "digital_presentation",
            "digital_processing",
            "mammography_presentation",
            "mammography_processing",
            "intra_oral_presentation",
            "intra_oral_processing",
            "radiofluoroscopy",
            "angiography",
            "secondary_capture",
        ]),
    ),
    (
        "modality",
        May::Word(&[
            "computed_radiography",
            "digital_radiography",
            "mammography",
            "intra_oral",
            "panoramic",
            "radiographic_imaging",
            "radiofluoroscopy",
            "angiography",
        ]),
    ),
    (
        "manufacturer",
        May::Word(&[
            "agfa",
            "canon",
            "carestream",
            "fujifilm",
            "ge",
            "hologic",
            "konica_minolta",
            "philips",
            "samsung",
            "shimadzu",
            "siemens",
            "toshiba",
            "other",
        ]),
    ),
    (
        "transfer_syntax",
        May::Word(&[
            "implicit_little",
            "explicit_little",
            "explicit_big",
            "deflated",
            "deflated_frame",
            "rle",
            "jpeg_baseline",
            "jpeg_extended",
            "jpeg_spectral_selection",
            "jpeg_progressive",
            "jpeg_lossless",
            "jpeg_lossless_first_order",
            "jpeg_ls_lossless",
            "jpeg_ls_near_lossless",
            "jpeg2000_lossless",
            "jpeg2000",
            "high_throughput_lossless",
            "high_throughput_lossless_by_resolution",
            "high_throughput",
            "jpeg_xl_lossless",
            "jpeg_xl_recompressed",
            "jpeg_xl",
        ]),
    ),
    ("photometric", May::Word(&["monochrome1", "monochrome2"])),
    ("bits_allocated", May::Count(BITS_MAX)),
    ("bits_stored", May::Count(BITS_MAX)),
    ("signed", May::Flag),
    ("lossy", May::Flag),
    (
        "lossy_steps",
        May::List(
            9,
            &[
                (
                    "method",
                    May::Word(&[
                        "ISO_10918_1",
                        "ISO_14495_1",
                        "ISO_15444_1",
                        "ISO_15444_2",
                        "ISO_15444_15",
                        "ISO_18181_1",
                        "ISO_13818_2",
                        "ISO_14496_10",
                        "ISO_23008_2",
                    ]),
                ),
                ("ratio_hundredths", May::Count(1_000_000)),
            ],
        ),
    ),
    ("modality_transform", May::Word(&["none", "linear", "table"])),
    ("history", May::Word(&["original", "derived"])),
    ("intent", May::Word(&["presentation", "processing"])),
    ("detector", May::Word(&["direct", "scintillator", "storage", "film"])),
    ("grid", May::Flag),
    ("kilovolts", May::Count(150)),
    ("milliampere_seconds", May::Count(1024)),
    ("pixel_micrometres", May::Count(1000)),
    ("row_direction", DIRECTION),
    ("column_direction", DIRECTION),
];

const EVIDENCE: &[(&str, May)] = &[
    ("rules_edition", May::Count(1000)),
    ("attributes_seen", May::Count(ATTRIBUTES_MAX)),
    ("kept_as_vocabulary", May::Count(ATTRIBUTES_MAX)),
    ("used_for_labels", May::Count(ATTRIBUTES_MAX)),
    ("used_for_pixels", May::Count(ATTRIBUTES_MAX)),
    ("replaced_by_pseudonym", May::Count(ATTRIBUTES_MAX)),
    ("removed", May::Count(ATTRIBUTES_MAX)),
    ("removed_nested", May::Count(ATTRIBUTES_MAX)),
    ("removed_private", May::Count(ATTRIBUTES_MAX)),
    ("sequences", May::Count(ATTRIBUTES_MAX)),
    ("opaque_sequences", May::Count(ATTRIBUTES_MAX)),
    ("overlay_attributes", May::Count(ATTRIBUTES_MAX)),
    ("curve_attributes", May::Count(ATTRIBUTES_MAX)),
    ("icon_images", May::Count(ATTRIBUTES_MAX)),
    ("original_attributes", May::Count(ATTRIBUTES_MAX)),
    ("file_meta_attributes", May::Count(ATTRIBUTES_MAX)),
    ("preamble_written", May::Flag),
    ("trailing_bytes", May::Count(PIXELS_MAX)),
    ("stream_comment_bytes", May::Count(PIXELS_MAX)),
    ("high_bit_pixels", May::Count(PIXELS_MAX)),
    ("padding_pixels", May::Count(PIXELS_MAX)),
    ("text_areas_removed", May::Count(PIXELS_MAX)),
    ("text_pixels_removed", May::Count(PIXELS_MAX)),
    ("markers_kept", May::Count(PIXELS_MAX)),
    ("burned_in", May::Word(&["declared_none", "not_declared", "reviewed"])),
    (
        "labels",
        May::Fields(&[
            ("body_part", SOURCE),
            ("view", SOURCE),
            ("laterality", SOURCE),
            ("sex", SOURCE),
            ("age", SOURCE),
        ]),
    ),
];

/// Whether `row` is an object that holds these fields and nothing else; what is not known may be missing or null.
pub(super) fn are_known(row: &Value, fields: &[(&str, May)]) -> bool {
    row.as_object().is_some_and(|row| {
        row.iter().all(|(name, value)| {
            let field = fields.iter().find(|(known, _)| known == name);
            field.is_some_and(|(_, may)| value.is_null() || is_one(value, may))
        })
    })
}

fn is_one(value: &Value, may: &May) -> bool {
    match may {
        May::Digest => value
            .as_str()
            .and_then(|text| text.strip_prefix("sha256:"))
            .is_some_and(is_hexadecimal),
        May::Pseudonym => value.as_str().is_some_and(is_hexadecimal),
        May::Word(words) => value.as_str().is_some_and(|text| words.contains(&text)),
        May::Count(most) => value.as_u64().is_some_and(|count| count <= *most),
        May::Number(most) => value.as_f64().is_some_and(|number| (0.0..=*most).contains(&number)),
        May::Flag => value.is_boolean(),
        May::Fields(fields) => are_known(value, fields),
        May::List(most, fields) => value
            .as_array()
            .is_some_and(|items| items.len() <= *most && items.iter().all(|item| are_known(item, fields))),
    }
}

fn is_hexadecimal(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether anything in `row` that is not a term of its field, or the name of a field that is not listed, is one that `knows`
/// knows.
pub(super) fn says_any(row: &Value, fields: &[(&str, May)], knows: &dyn Fn(&str) -> bool) -> bool {
    let Some(row) = row.as_object() else {
        return knows(&row.to_string());
    };
    row.iter().any(|(name, value)| {
        let Some((_, may)) = fields.iter().find(|(known, _)| known == name) else {
            return knows(name) || knows(&value.to_string());
        };
        match may {
            May::Fields(inner) => says_any(value, inner, knows),
            May::List(_, inner) => match value.as_array() {
                Some(items) => items.iter().any(|item| says_any(item, inner, knows)),
                None => knows(&value.to_string()),
            },
            _ => !is_one(value, may) && knows(&value.to_string()),
        }
    })
}
