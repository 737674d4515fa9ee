//! Which form a file has: with preamble and meta information (PS3.10), or a bare data set as old archives hold them.

use dicom_core::VR;
use snowball_protocol::intake::IntakeReason;

use super::syntax::TransferSyntax;

const PREAMBLE_BYTES: usize = 128;
const META_ATTRIBUTES_MAX: u32 = 64;

/// What stands before the data set.
pub(crate) struct Form {
    /// Where the data set begins.
    pub(crate) data_start: usize,
    /// Neither preamble nor meta information: DICOM only if the content says so.
    pub(crate) bare: bool,
    /// The preamble held something other than zeros.
    pub(crate) preamble_written: bool,
    /// Attributes in the meta information.
    pub(crate) meta_attributes: u32,
    pub(crate) transfer_syntax: Option<String>,
    pub(crate) media_class: Option<String>,
    /// What the first bytes of the data set look like, for files that do not say.
    pub(crate) guessed: TransferSyntax,
}

/// Recognises a file's form from its first bytes.
pub(crate) fn recognise(bytes: &[u8]) -> Result<Form, IntakeReason> {
    let (mut at, magic) = if bytes.get(PREAMBLE_BYTES..PREAMBLE_BYTES + 4) == Some(b"DICM") {
        (PREAMBLE_BYTES + 4, true)
    } else if bytes.starts_with(b"DICM") {
        (4, true)
    } else {
        (0, false)
    };
    let preamble_written = at > 4 && bytes[..PREAMBLE_BYTES].iter().any(|byte| *byte != 0);
    let mut form = Form {
        data_start: at,
        bare: !magic,
        preamble_written,
        meta_attributes: 0,
        transfer_syntax: None,
        media_class: None,
        guessed: TransferSyntax::ImplicitLittle,
    };
    // The meta information is explicit VR little endian whatever follows; its group length is not trusted.
    while bytes.get(at..at + 2) == Some(&[0x02, 0x00]) && form.meta_attributes < META_ATTRIBUTES_MAX {
        let Some((element, value)) = meta_element(bytes, &mut at) else {
            return Err(if magic {
                IntakeReason::Truncated
            } else {
                IntakeReason::NotDicom
            });
        };
        form.meta_attributes += 1;
        let text = || String::from_utf8_lossy(value).trim_matches([' ', '\0']).to_owned();
        match element {
            0x0002 => form.media_class = Some(text()),
            0x0010 => form.transfer_syntax = Some(text()).filter(|uid| !uid.is_empty()),
            _ => {}
        }
    }
    form.data_start = at;
    if at >= bytes.len() {
        return Err(if magic {
            IntakeReason::Truncated
        } else {
            IntakeReason::NotDicom
        });
    }
    match guess(&bytes[at..]) {
        Some(guessed) => form.guessed = guessed,
        None if !magic => return Err(IntakeReason::NotDicom),
        None => {}
    }
    Ok(form)
}

fn meta_element<'a>(bytes: &'a [u8], at: &mut usize) -> Option<(u16, &'a [u8])> {
    let head = bytes.get(*at..*at + 8)?;
    let element = u16::from_le_bytes([head[2], head[3]]);
    let (start, length) = if matches!(&head[4..6], b"OB" | b"OW" | b"UN" | b"SQ" | b"UT" | b"UR" | b"UC") {
        let length = bytes.get(*at + 8..*at + 12)?;
        (
            *at + 12,
            u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize,
        )
    } else {
        (*at + 8, usize::from(u16::from_le_bytes([head[6], head[7]])))
    };
    let value = bytes.get(start..start.checked_add(length)?)?;
    *at = start + length;
    Some((element, value))
}

/// The uncompressed syntax that a data set's first element looks like: group 0008 (or 0002, 0004), then a VR or not.
fn guess(data: &[u8]) -> Option<TransferSyntax> {
    let head = data.get(..6)?;
    let explicit = VR::from_binary([head[4], head[5]]).is_some();
    match (head[0], head[1]) {
        (0x02 | 0x04 | 0x08, 0) if explicit => Some(TransferSyntax::ExplicitLittle),
        (0x02 | 0x04 | 0x08, 0) => Some(TransferSyntax::ImplicitLittle),
        (0, 0x02 | 0x04 | 0x08) if explicit => Some(TransferSyntax::ExplicitBig),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_pictures_are_not_dicom() {
        for bytes in [
            &b"hello, this is a letter"[..],
            &b"\x89PNG\r\n\x1a\n0000"[..],
            &b"\x08"[..],
            &[0xff; 300][..],
        ] {
            assert_eq!(recognise(bytes).err(), Some(IntakeReason::NotDicom));
        }
    }

    #[test]
    fn a_bare_data_set_is_recognised_by_its_first_element() {
        let explicit = b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100";
        assert_eq!(recognise(explicit).unwrap().guessed, TransferSyntax::ExplicitLittle);
        let implicit = b"\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR 100";
        assert_eq!(recognise(implicit).unwrap().guessed, TransferSyntax::ImplicitLittle);
        let big = b"\x00\x08\x00\x05CS\x00\x0aISO_IR 100";
        assert_eq!(recognise(big).unwrap().guessed, TransferSyntax::ExplicitBig);
    }
}
