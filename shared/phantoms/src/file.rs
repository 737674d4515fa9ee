//! From header and picture to the bytes of a file.

use std::io::Write;

use dicom_core::{
    DataElement, PrimitiveValue, VR,
    value::{PixelFragmentSequence, Value},
};
use dicom_dictionary_std::tags;
use dicom_encoding::text::SpecificCharacterSet;
use dicom_object::FileMetaTableBuilder;
use dicom_transfer_syntax_registry::entries::{EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN};
use flate2::{Compression, write::DeflateEncoder};

use crate::{
    PhantomError,
    encode::{Syntax, jpeg_lossless, run_length},
    exposure::Picture,
    form::Form,
    vendor::Vendor,
};

/// What stands around the data set.
#[derive(Clone, Debug)]
pub struct Envelope {
    pub syntax: &'static str,
    pub is_deflated: bool,
    pub is_implicit: bool,
    pub class: String,
    pub instance: String,
    /// Application entity title of the sender.
    pub source: String,
    /// Text in the preamble; `None` for a file that starts with its data elements.
    pub preamble: Option<String>,
}

impl Envelope {
    pub fn new(syntax: Syntax, class: &str, instance: &str, source: &str) -> Self {
        Self {
            syntax: syntax.uid(),
            is_deflated: syntax == Syntax::Deflated,
            is_implicit: syntax == Syntax::ImplicitLittle,
            class: class.to_owned(),
            instance: instance.to_owned(),
            source: source.to_owned(),
            preamble: Some(String::new()),
        }
    }
}

/// Adds the picture to the header, in the way of `syntax`; `comment` goes into a JPEG comment.
///
/// # Errors
/// The baseline encoder refuses the picture.
pub fn develop(
    form: &mut Form,
    picture: &Picture,
    vendor: &Vendor,
    syntax: Syntax,
    comment: Option<&str>,
) -> Result<(), PhantomError> {
    let is_byte = picture.bits_stored <= 8;
    form.number(tags::SAMPLES_PER_PIXEL, 1);
    form.text(
        tags::PHOTOMETRIC_INTERPRETATION,
        if picture.is_monochrome1 {
            "MONOCHROME1"
        } else {
            "MONOCHROME2"
        },
    );
    form.number(tags::ROWS, picture.rows);
    form.number(tags::COLUMNS, picture.columns);
    form.number(tags::BITS_ALLOCATED, if is_byte { 8 } else { 16 });
    form.number(tags::BITS_STORED, picture.bits_stored.into());
    form.number(tags::HIGH_BIT, u16::from(picture.bits_stored) - 1);
    form.number(tags::PIXEL_REPRESENTATION, 0);
    if let Some(padding) = vendor.padding {
        form.number(tags::PIXEL_PADDING_VALUE, padding);
    }
    if let Some((slope, intercept)) = vendor.rescale {
        form.text(tags::RESCALE_SLOPE, slope);
        form.text(tags::RESCALE_INTERCEPT, intercept);
        form.text(tags::RESCALE_TYPE, "US");
    }
    let spacing = format!("{0:.4}\\{0:.4}", picture.spacing_millimetres);
    form.text(tags::IMAGER_PIXEL_SPACING, &spacing);
    let top = (1_u32 << picture.bits_stored) - 1;
    form.text(tags::WINDOW_CENTER, &top.div_ceil(2).to_string());
    form.text(tags::WINDOW_WIDTH, &top.to_string());
    let fragment = match syntax {
        Syntax::RunLength => run_length::encode(&picture.samples, picture.columns.into(), picture.bits_stored),
        Syntax::JpegLossless => {
            jpeg_lossless::encode(&picture.samples, picture.columns, picture.rows, picture.bits_stored)
        }
        Syntax::JpegBaseline => {
            form.text(tags::LOSSY_IMAGE_COMPRESSION, "01");
            form.text(tags::LOSSY_IMAGE_COMPRESSION_METHOD, "ISO_10918_1");
            baseline(picture, comment)?
        }
        _ => {
            native(form, picture);
            return Ok(());
        }
    };
    let pixels = PixelFragmentSequence::new(vec![0_u32], vec![fragment]);
    form.object
        .put(DataElement::new(tags::PIXEL_DATA, VR::OB, Value::from(pixels)));
    Ok(())
}

fn native(form: &mut Form, picture: &Picture) {
    if picture.bits_stored > 8 {
        form.put(
            tags::PIXEL_DATA,
            VR::OW,
            PrimitiveValue::U16(picture.samples.as_slice().into()),
        );
        return;
    }
    let mut bytes: Vec<u8> = picture.samples.iter().map(|sample| *sample as u8).collect();
    if bytes.len() % 2 == 1 {
        bytes.push(0);
    }
    form.put(tags::PIXEL_DATA, VR::OB, PrimitiveValue::from(bytes));
}

fn baseline(picture: &Picture, comment: Option<&str>) -> Result<Vec<u8>, PhantomError> {
    let bytes: Vec<u8> = picture.samples.iter().map(|sample| *sample as u8).collect();
    let mut stream = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut stream, 92);
    encoder
        .encode(&bytes, picture.columns, picture.rows, jpeg_encoder::ColorType::Luma)
        .map_err(PhantomError::Baseline)?;
    if let Some(comment) = comment {
        let mut segment = vec![0xff, 0xfe];
        segment.extend((comment.len() as u16 + 2).to_be_bytes());
        segment.extend(comment.as_bytes());
        stream.splice(2..2, segment);
    }
    if stream.len() % 2 == 1 {
        stream.push(0);
    }
    Ok(stream)
}

/// Text after the last element that means anything (PS3.10 7.2).
pub fn pad(form: &mut Form, text: &str) {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(bytes.len().next_multiple_of(64), 0);
    form.put(tags::DATA_SET_TRAILING_PADDING, VR::OB, PrimitiveValue::from(bytes));
    form.list("DataSetTrailingPadding", text);
}

/// The bytes of the whole file.
///
/// # Errors
/// The data set cannot be written in this transfer syntax.
pub fn bytes(form: &Form, envelope: &Envelope) -> Result<Vec<u8>, PhantomError> {
    let mut data = Vec::new();
    let syntax = if envelope.is_implicit {
        IMPLICIT_VR_LITTLE_ENDIAN.erased()
    } else {
        EXPLICIT_VR_LITTLE_ENDIAN.erased()
    };
    form.object
        .write_dataset_with_ts_cs(&mut data, &syntax, SpecificCharacterSet::ISO_IR_6)
        .map_err(|source| PhantomError::Dicom(Box::new(source)))?;
    if envelope.is_deflated {
        let mut deflated = DeflateEncoder::new(Vec::new(), Compression::new(6));
        deflated.write_all(&data).map_err(PhantomError::Deflate)?;
        data = deflated.finish().map_err(PhantomError::Deflate)?;
        if data.len() % 2 == 1 {
            data.push(0);
        }
    }
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(envelope.class.as_str())
        .media_storage_sop_instance_uid(envelope.instance.as_str())
        .transfer_syntax(envelope.syntax)
        .implementation_class_uid("2.25.186049123374402715901622401234")
        .implementation_version_name("SNOWPHANTOM_1")
        .source_application_entity_title(envelope.source.as_str())
        .build()
        .map_err(|source| PhantomError::Dicom(Box::new(source)))?;
    let mut file = Vec::with_capacity(data.len() + 512);
    if let Some(text) = &envelope.preamble {
        let mut preamble = text.as_bytes().to_vec();
        preamble.resize(128, 0);
        file.extend(preamble);
        file.extend(b"DICM");
    }
    meta.write(&mut file)
        .map_err(|source| PhantomError::Dicom(Box::new(source)))?;
    file.extend(data);
    Ok(file)
}
