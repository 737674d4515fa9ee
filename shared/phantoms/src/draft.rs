//! One sound file: header, picture and envelope, kept apart until the last moment so that faults can be made in each.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use snowball_protocol::{
    intake::{Disposition, IntakeReason},
    labels::Labels,
};

use crate::{
    PhantomError,
    anatomy::{Examination, is_paired},
    encode::Syntax,
    exposure::{self, Picture, expose},
    file::{self, Envelope},
    header::{self, Header},
    hospital::{Order, Site},
    letters,
    people::plain,
    truth::{Area, Truth},
};

/// A file in the making.
pub struct Draft {
    pub header: Header,
    pub picture: Picture,
    pub syntax: Syntax,
    pub envelope: Envelope,
    pub comment: Option<String>,
    pub padding: Option<String>,
    pub path: String,
}

/// A finished file and what is known of it.
pub struct Made {
    pub bytes: Vec<u8>,
    pub truth: Truth,
}

/// Streams of one order's randomness.
const HEADER: u64 = 0;
const PICTURE: u64 = 1;
/// The picture of a second content under the same identity.
pub const OTHER_PICTURE: u64 = 2;
/// What a fault needs beside.
pub const FAULT: u64 = 3;

pub fn stream(order: &Order, stream: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(order.seed);
    random.set_stream(stream);
    random
}

/// The examination that an order asks for.
pub fn examination(order: &Order) -> Examination {
    Examination {
        part: order.study.part,
        view: order.view,
        side: order.study.side,
        sex: order.patient.sex,
        age_years: (order.study.day.0 - order.patient.birth.0) as f32 / 365.25,
        build: order.patient.build,
    }
}

/// The sound file of `order`.
pub fn draft(order: &Order, site: &Site, longest_side: u32) -> Draft {
    let mut random = stream(order, HEADER);
    let mut header = header::write(order, site, &mut random);
    let picture = expose(
        &examination(order),
        site.vendor,
        longest_side,
        &mut stream(order, PICTURE),
    );
    let random = &mut random;
    let syntax = site
        .vendor
        .syntaxes
        .choose(random)
        .copied()
        .unwrap_or(Syntax::ExplicitLittle);
    // Unlike the site's name in any case, so that a search for it finds only leaks.
    let initials: String = plain(&site.name).to_uppercase().chars().take(6).collect();
    let source = format!("{}_SCU1", initials.replace('-', "_"));
    header.form.list("SourceApplicationEntityTitle", &source);
    let mut envelope = Envelope::new(syntax, header.class, &header.instance, &source);
    let family = plain(&order.patient.family);
    if random.random_bool(site.vendor.bare_share) && syntax == Syntax::ImplicitLittle {
        envelope.preamble = None;
        header.traits.push("no_preamble".to_owned());
    } else if random.random_bool(0.03) {
        envelope.preamble = Some(format!("{family} {}", order.patient.record));
        header
            .form
            .list("preamble", &format!("{family} {}", order.patient.record));
        header.traits.push("preamble_text".to_owned());
    }
    let comment = (syntax == Syntax::JpegBaseline && random.random_bool(0.4)).then(|| {
        header.traits.push("jpeg_comment".to_owned());
        header.form.list("PixelData JPEG comment", &family);
        format!("acquired for {family}")
    });
    let padding = random.random_bool(0.04).then(|| {
        header.traits.push("trailing_padding_text".to_owned());
        format!("{} {}", order.patient.record, family)
    });
    if picture.marker.is_some() {
        header.traits.push("side_marker".to_owned());
    }
    let path = path(order, site, &mut header, random);
    Draft {
        header,
        picture,
        syntax,
        envelope,
        comment,
        padding,
        path,
    }
}

/// Where the picture of `order` shows bone: columns, rows, and whether there is bone at each pixel.
pub fn bones(order: &Order, longest_side: u32) -> (usize, usize, Vec<bool>) {
    exposure::bones(&examination(order), longest_side, &mut stream(order, PICTURE))
}

/// Where a hospital keeps the file: plainly, or with spaces and accents; sometimes under the patient's name.
fn path(order: &Order, site: &Site, header: &mut Header, random: &mut ChaCha8Rng) -> String {
    let year = order.study.day.civil().0;
    let folder = order.patient.number % 1_000_000;
    if random.random_bool(0.04) {
        let name = format!("{} {}", order.patient.family.to_uppercase(), order.patient.given);
        header.form.list("file name", &name);
        header.traits.push("file_name".to_owned());
        return format!("dicom/{year}/{name} {:05}.dcm", order.number);
    }
    if site.vendor.is_french {
        format!("dicom/Année {year}/étude {folder:04}/img {:05}.dcm", order.number)
    } else if site.vendor.is_utf8 {
        format!("dicom/{year}/{folder:05}/IM{:05}", order.number)
    } else {
        format!("dicom/{year}/{folder:05}/IM{:05}.dcm", order.number)
    }
}

impl Draft {
    /// Puts picture, padding and header together.
    ///
    /// # Errors
    /// The picture cannot be encoded.
    pub fn develop(&mut self, site: &Site) -> Result<(), PhantomError> {
        file::develop(
            &mut self.header.form,
            &self.picture,
            site.vendor,
            self.syntax,
            self.comment.as_deref(),
        )?;
        if let Some(text) = &self.padding {
            file::pad(&mut self.header.form, text);
        }
        Ok(())
    }

    /// Forces a plain transfer syntax, for faults that must show where they are meant to.
    pub fn with_syntax(mut self, syntax: Syntax) -> Self {
        self.syntax = syntax;
        let Envelope {
            class,
            instance,
            source,
            ..
        } = &self.envelope;
        self.envelope = Envelope::new(syntax, class, instance, source);
        self.comment = None;
        self.padding = None;
        let beside = ["preamble", "PixelData JPEG comment"];
        self.header
            .form
            .identifiers
            .retain(|identifier| !beside.contains(&identifier.path.as_str()));
        let traits = ["no_preamble", "preamble_text", "jpeg_comment", "trailing_padding_text"];
        self.header.traits.retain(|name| !traits.contains(&name.as_str()));
        self
    }

    /// The truth of this file under some verdict.
    pub fn truth(&self, order: &Order, kind: &str, reason: Option<IntakeReason>) -> Truth {
        let examination = examination(order);
        Truth {
            file: self.path.clone(),
            kind: kind.to_owned(),
            disposition: reason.map_or(Disposition::Accepted, IntakeReason::disposition),
            reason,
            partner: None,
            patient: order.patient.number,
            syntax: self.envelope.syntax.to_owned(),
            modality: self.header.modality.to_owned(),
            photometric: if self.picture.is_monochrome1 {
                "MONOCHROME1"
            } else {
                "MONOCHROME2"
            }
            .to_owned(),
            bits_stored: self.picture.bits_stored,
            traits: self.header.traits.clone(),
            identifiers: self.header.form.identifiers.clone(),
            labels: self.header.labels.clone(),
            true_labels: Labels {
                body_part: Some(examination.part),
                view: Some(examination.view),
                laterality: is_paired(examination.part).then_some(examination.side),
                sex: Some(examination.sex),
                age_years: Some(examination.age_years),
                site: BTreeMap::new(),
            },
            written: None,
            marker: self.picture.marker.map(str::to_owned),
        }
    }
}

/// The sound file of `order` with the patient's name and number written into the picture, as consoles and scanners of film do,
/// and a header that does not say so.
///
/// # Errors
/// The file cannot be encoded.
pub fn written_on(order: &Order, site: &Site, longest_side: u32) -> Result<Made, PhantomError> {
    let mut draft = draft(order, site, longest_side);
    let text = format!(
        "{} {}",
        plain(&order.patient.family).to_uppercase(),
        order.patient.record
    );
    let picture = &mut draft.picture;
    let (columns, rows) = (usize::from(picture.columns), usize::from(picture.rows));
    let scale = (columns / (letters::width(&text) + 4)).clamp(1, 4);
    let (width, height) = (letters::width(&text) * scale, letters::HEIGHT * scale);
    let area = Area {
        x: (scale * 2).min(columns),
        y: (scale * 2).min(rows),
        width: width.min(columns.saturating_sub(scale * 2)),
        height: height.min(rows.saturating_sub(scale * 2)),
    };
    let top = ((1_u32 << picture.bits_stored) - 1) as u16;
    let (bright, dark) = if picture.is_monochrome1 { (0, top) } else { (top, 0) };
    // On a dark plate, as most consoles write; the plate of film is the picture itself.
    if order.number.is_multiple_of(2) {
        for y in area.y - scale..(area.y + area.height + scale).min(rows) {
            let row = y * columns;
            picture.samples[row + area.x - scale..row + (area.x + area.width + scale).min(columns)].fill(dark);
        }
    }
    letters::pixels(&text, scale, |x, y| {
        let (x, y) = (x + area.x, y + area.y);
        if x < columns && y < rows {
            picture.samples[y * columns + x] = bright;
        }
    });
    draft.header.form.list_drawn("PixelData", &text);
    draft.develop(site)?;
    let bytes = file::bytes(&draft.header.form, &draft.envelope)?;
    let mut truth = draft.truth(order, "written_on", None);
    truth.written = Some(area);
    Ok(Made { bytes, truth })
}

/// The sound file of `order`, in bytes.
///
/// # Errors
/// The file cannot be encoded.
pub fn sound(order: &Order, site: &Site, longest_side: u32) -> Result<Made, PhantomError> {
    let mut draft = draft(order, site, longest_side);
    draft.develop(site)?;
    let bytes = file::bytes(&draft.header.form, &draft.envelope)?;
    Ok(Made {
        bytes,
        truth: draft.truth(order, "sound", None),
    })
}
