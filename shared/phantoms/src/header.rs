//! The header around a picture, full of invented identifiers.

use dicom_core::{PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_encoding::text::SpecificCharacterSet;
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::entries::IMPLICIT_VR_LITTLE_ENDIAN;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use snowball_protocol::labels::Labels;

use crate::{
    evidence,
    form::{Form, OTHER_PATIENT_IDS},
    hospital::{Order, Site},
    letters, people,
    people::plain,
};

/// A header without pixels: the data set, what it supports, and what is special about it.
pub struct Header {
    pub form: Form,
    pub labels: Labels,
    pub instance: String,
    pub class: &'static str,
    pub modality: &'static str,
    pub traits: Vec<String>,
}

/// The header of one image.
pub fn write(order: &Order, site: &Site, random: &mut ChaCha8Rng) -> Header {
    let mut form = Form::default();
    let vendor = site.vendor;
    form.text(
        tags::SPECIFIC_CHARACTER_SET,
        if vendor.is_utf8 { "ISO_IR 192" } else { "ISO_IR 100" },
    );
    let (class, modality) = if vendor.is_digital {
        (uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION, "DX")
    } else {
        (uids::COMPUTED_RADIOGRAPHY_IMAGE_STORAGE, "CR")
    };
    form.text(tags::SOP_CLASS_UID, class);
    form.text(tags::MODALITY, modality);
    form.text(tags::IMAGE_TYPE, "ORIGINAL\\PRIMARY");
    let instance = people::uid(random);
    form.secret(tags::SOP_INSTANCE_UID, &instance);
    form.secret(tags::STUDY_INSTANCE_UID, &order.study.uid);
    form.secret(tags::SERIES_INSTANCE_UID, &people::uid(random));
    form.text(tags::INSTANCE_NUMBER, &(1 + order.number % 4).to_string());
    form.text(tags::SERIES_NUMBER, "1");
    let labels = evidence::write(&mut form, order, site, random);
    who(&mut form, order, random);
    when_and_where(&mut form, order, site, random);
    machine(&mut form, site, random);
    let mut traits = Vec::new();
    nested(&mut form, order, site, &mut traits, random);
    private(&mut form, order, site, &mut traits, random);
    comments(&mut form, order, random);
    drawn(&mut form, order, &mut traits, random);
    Header {
        form,
        labels,
        instance,
        class,
        modality,
        traits,
    }
}

fn who(form: &mut Form, order: &Order, random: &mut ChaCha8Rng) {
    let patient = &order.patient;
    let name = if random.random_bool(0.25) {
        patient.name().to_uppercase()
    } else {
        patient.name()
    };
    form.secret(tags::PATIENT_NAME, &name);
    form.secret(tags::PATIENT_ID, &patient.record);
    if random.random_bool(0.6) {
        form.secret(tags::PATIENT_ADDRESS, &patient.address);
    }
    if random.random_bool(0.5) {
        form.secret(tags::PATIENT_TELEPHONE_NUMBERS, &patient.telephone);
    }
    if random.random_bool(0.3) {
        form.secret(OTHER_PATIENT_IDS, &patient.health_number);
    }
    if random.random_bool(0.2) {
        form.secret(tags::PATIENT_MOTHER_BIRTH_NAME, &patient.mother);
    }
    if random.random_bool(0.2) {
        form.secret(
            tags::OTHER_PATIENT_NAMES,
            &format!("{}^{}", patient.mother.split('^').next().unwrap_or(""), patient.given),
        );
    }
}

fn when_and_where(form: &mut Form, order: &Order, site: &Site, random: &mut ChaCha8Rng) {
    let date = order.study.day.dicom();
    for tag in [
        tags::STUDY_DATE,
        tags::SERIES_DATE,
        tags::ACQUISITION_DATE,
        tags::CONTENT_DATE,
    ] {
        if tag == tags::STUDY_DATE || random.random_bool(0.8) {
            form.secret(tag, &date);
        }
    }
    let time = format!(
        "{:02}{:02}{:02}",
        random.random_range(7..20),
        random.random_range(0..60),
        random.random_range(0..60)
    );
    form.text(tags::STUDY_TIME, &time);
    form.secret(tags::ACCESSION_NUMBER, &order.study.accession);
    form.text(tags::STUDY_ID, &format!("S{}", order.study.request % 900));
    form.secret(tags::INSTITUTION_NAME, site.institution);
    if random.random_bool(0.5) {
        form.secret(tags::INSTITUTION_ADDRESS, &site.address);
    }
    form.secret(tags::REFERRING_PHYSICIAN_NAME, &order.study.physician);
    if random.random_bool(0.4) {
        form.secret(tags::REFERRING_PHYSICIAN_TELEPHONE_NUMBERS, &people::telephone(random));
    }
    for tag in [
        tags::NAME_OF_PHYSICIANS_READING_STUDY,
        tags::PHYSICIANS_OF_RECORD,
        tags::REQUESTING_PHYSICIAN,
    ] {
        if random.random_bool(0.3) {
            let who = site.staff[random.random_range(0..site.staff.len())].clone();
            form.secret(tag, &who);
        }
    }
    if random.random_bool(0.5) {
        form.secret(tags::OPERATORS_NAME, &order.study.operator);
    }
}

fn machine(form: &mut Form, site: &Site, random: &mut ChaCha8Rng) {
    let vendor = site.vendor;
    form.text(tags::MANUFACTURER, vendor.manufacturer);
    form.text(tags::MANUFACTURER_MODEL_NAME, vendor.model);
    form.secret(
        tags::STATION_NAME,
        &format!("{}-SALLE{}", &site.name[..4].to_uppercase(), random.random_range(1..5)),
    );
    if random.random_bool(0.7) {
        form.secret(
            tags::DEVICE_SERIAL_NUMBER,
            &format!("SN{:06}", random.random_range(100_000..999_999)),
        );
    }
    form.text(tags::KVP, &random.random_range(45..126).to_string());
    form.text(tags::EXPOSURE_TIME, &random.random_range(4..180).to_string());
    form.text(tags::EXPOSURE, &random.random_range(1..24).to_string());
    if vendor.is_digital {
        form.text(tags::PRESENTATION_INTENT_TYPE, "FOR PRESENTATION");
        form.text(tags::DETECTOR_TYPE, "SCINTILLATOR");
        form.secret(
            tags::DETECTOR_ID,
            &format!("DET-{:06}", random.random_range(100_000..999_999)),
        );
    } else {
        form.secret(
            tags::PLATE_ID,
            &format!("PLT{:07}", random.random_range(1_000_000..9_999_999)),
        );
    }
    if random.random_bool(0.4) {
        form.text(tags::BURNED_IN_ANNOTATION, "NO");
    }
}

fn nested(form: &mut Form, order: &Order, site: &Site, traits: &mut Vec<String>, random: &mut ChaCha8Rng) {
    let patient = &order.patient;
    if random.random_bool(0.4) {
        let mut item = Form::default();
        item.secret(tags::REQUESTED_PROCEDURE_ID, &format!("RP{:07}", order.study.request));
        item.secret(
            tags::SCHEDULED_PROCEDURE_STEP_ID,
            &format!("SPS{:06}", order.study.request % 1_000_000),
        );
        if random.random_bool(0.5) {
            let reader = site.staff[0].split('^').next().unwrap_or_default();
            let text = format!("{} vu par {reader}", patient.family);
            item.free(tags::REQUESTED_PROCEDURE_DESCRIPTION, &text, &[&patient.family, reader]);
        }
        form.item(tags::REQUEST_ATTRIBUTES_SEQUENCE, item);
    }
    if random.random_bool(0.3) {
        let mut item = Form::default();
        item.secret(tags::PATIENT_ID, &patient.health_number);
        item.secret(tags::ISSUER_OF_PATIENT_ID, "REGIE-PROVINCIALE");
        item.text(tags::TYPE_OF_PATIENT_ID, "TEXT");
        form.item(tags::OTHER_PATIENT_I_DS_SEQUENCE, item);
    }
    if random.random_bool(0.08) {
        traits.push("original_attributes".to_owned());
        let mut before = Form::default();
        before.secret(tags::PATIENT_NAME, &plain(&patient.name()));
        before.secret(tags::PATIENT_BIRTH_DATE, &patient.birth.dicom());
        let mut item = Form::default();
        item.text(
            tags::ATTRIBUTE_MODIFICATION_DATE_TIME,
            &format!("{}120000", order.study.day.dicom()),
        );
        item.text(tags::MODIFYING_SYSTEM, "PACS");
        item.text(tags::REASON_FOR_THE_ATTRIBUTE_MODIFICATION, "COERCE");
        item.item(tags::MODIFIED_ATTRIBUTES_SEQUENCE, before);
        form.item(tags::ORIGINAL_ATTRIBUTES_SEQUENCE, item);
    }
    if random.random_bool(0.25) {
        let mut item = Form::default();
        item.text(tags::REFERENCED_SOP_CLASS_UID, uids::COMPUTED_RADIOGRAPHY_IMAGE_STORAGE);
        item.secret(tags::REFERENCED_SOP_INSTANCE_UID, &people::uid(random));
        form.item(tags::SOURCE_IMAGE_SEQUENCE, item);
    }
}

fn private(form: &mut Form, order: &Order, site: &Site, traits: &mut Vec<String>, random: &mut ChaCha8Rng) {
    let patient = &order.patient;
    let bare_name = plain(&patient.name());
    if random.random_bool(0.5) {
        form.creator(
            Tag(0x0009, 0x0010),
            &format!("{} PATIENT", plain(site.vendor.manufacturer).to_uppercase()),
        );
        form.private(Tag(0x0009, 0x1010), VR::LO, &patient.record);
        form.private(Tag(0x0009, 0x1011), VR::PN, &bare_name);
        if random.random_bool(0.4) {
            form.private(Tag(0x0009, 0x1012), VR::LT, &patient.address);
        }
    }
    if random.random_bool(0.15) {
        traits.push("private_sequence".to_owned());
        form.creator(Tag(0x0029, 0x0010), "BRUME ARCHIVE 2.1");
        let mut item = Form::default();
        item.secret(tags::PATIENT_NAME, &bare_name);
        item.secret(tags::PATIENT_ID, &patient.record);
        form.item(Tag(0x0029, 0x1020), item);
    }
    if random.random_bool(0.06) {
        traits.push("un_private_sequence".to_owned());
        form.creator(Tag(0x0031, 0x0010), "OLD GATEWAY");
        let mut item = Form::default();
        item.secret(tags::PATIENT_NAME, &bare_name);
        item.secret(tags::PATIENT_TELEPHONE_NUMBERS, &patient.telephone);
        let tag = Tag(0x0031, 0x1001);
        form.put(tag, VR::UN, PrimitiveValue::from(unknown_sequence(&item.object)));
        form.adopt(tag, item.identifiers);
    }
}

/// A sequence of one item as a gateway stores it that does not know the tag: implicit VR within VR UN (PS3.5 6.2.2).
fn unknown_sequence(item: &InMemDicomObject) -> Vec<u8> {
    let mut content = Vec::new();
    // Writing plain elements into memory cannot fail.
    item.write_dataset_with_ts_cs(
        &mut content,
        &IMPLICIT_VR_LITTLE_ENDIAN.erased(),
        SpecificCharacterSet::ISO_IR_6,
    )
    .expect("an item of plain text is written into memory");
    let mut bytes = vec![0xfe, 0xff, 0x00, 0xe0];
    bytes.extend((content.len() as u32).to_le_bytes());
    bytes.extend(content);
    bytes
}

fn comments(form: &mut Form, order: &Order, random: &mut ChaCha8Rng) {
    let patient = &order.patient;
    let (family, birth) = (patient.family.as_str(), patient.birth.dashed());
    if random.random_bool(0.25) {
        let text = format!(
            "Patient {} {family}, né(e) {birth}, tél. {}",
            patient.given, patient.telephone
        );
        form.free(tags::PATIENT_COMMENTS, &text, &[family, &birth, &patient.telephone]);
    }
    if random.random_bool(0.2) {
        let text = format!("repeat for {family}; file {}", patient.record);
        form.free(tags::IMAGE_COMMENTS, &text, &[family, &patient.record]);
    }
    if random.random_bool(0.15) {
        form.free(
            tags::CURRENT_PATIENT_LOCATION,
            &format!("Unité 4, lit 12, {family}"),
            &[family],
        );
    }
    if random.random_bool(0.15) {
        let physician = order.study.physician.split('^').next().unwrap_or_default();
        let text = format!("douleur; appeler {physician} au {}", patient.telephone);
        form.free(
            tags::ADDITIONAL_PATIENT_HISTORY,
            &text,
            &[physician, &patient.telephone],
        );
    }
}

/// Text in dots beside the picture: an overlay, an icon.
fn drawn(form: &mut Form, order: &Order, traits: &mut Vec<String>, random: &mut ChaCha8Rng) {
    let text = plain(&order.patient.family).to_uppercase();
    if random.random_bool(0.025) {
        traits.push("overlay_text".to_owned());
        let (columns, rows) = (letters::width(&text).next_multiple_of(16), 16);
        let mut bits = vec![0_u16; columns * rows / 16];
        letters::pixels(&text, 1, |x, y| bits[(y * columns + x) / 16] |= 1 << (x % 16));
        form.put(Tag(0x6000, 0x0010), VR::US, PrimitiveValue::from(rows as u16));
        form.put(Tag(0x6000, 0x0011), VR::US, PrimitiveValue::from(columns as u16));
        form.put(Tag(0x6000, 0x0022), VR::LO, PrimitiveValue::from(text.as_str()));
        form.put(Tag(0x6000, 0x0040), VR::CS, PrimitiveValue::from("G"));
        form.put(
            Tag(0x6000, 0x0050),
            VR::SS,
            PrimitiveValue::I16([1, 1].as_slice().into()),
        );
        form.put(Tag(0x6000, 0x0100), VR::US, PrimitiveValue::from(1_u16));
        form.put(Tag(0x6000, 0x0102), VR::US, PrimitiveValue::from(0_u16));
        form.put(Tag(0x6000, 0x3000), VR::OW, PrimitiveValue::U16(bits.into()));
        form.list("(6000,0022)", &text);
        form.list_drawn("(6000,3000)", &text);
    }
    if random.random_bool(0.04) {
        traits.push("icon_text".to_owned());
        let columns = letters::width(&text).next_multiple_of(2);
        let mut dots = vec![0_u8; columns * letters::HEIGHT];
        letters::pixels(&text, 1, |x, y| dots[y * columns + x] = 255);
        let mut icon = Form::default();
        icon.number(tags::SAMPLES_PER_PIXEL, 1);
        icon.text(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2");
        icon.number(tags::ROWS, letters::HEIGHT as u16);
        icon.number(tags::COLUMNS, columns as u16);
        icon.number(tags::BITS_ALLOCATED, 8);
        icon.number(tags::BITS_STORED, 8);
        icon.number(tags::HIGH_BIT, 7);
        icon.number(tags::PIXEL_REPRESENTATION, 0);
        icon.put(tags::PIXEL_DATA, VR::OB, PrimitiveValue::from(dots));
        icon.list_drawn("PixelData", &text);
        form.item(tags::ICON_IMAGE_SEQUENCE, icon);
    }
}
