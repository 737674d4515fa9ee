//! The textual encoding of keys and wrapped secrets (RFC 7468), strict: one block, nothing else. A file may hold several.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::CryptoError;

/// What stands in the first and the last line.
pub struct Label {
    begin: &'static str,
    end: &'static str,
}

/// PKCS#8 in the clear (RFC 5958).
pub const PRIVATE_KEY: Label = Label {
    begin: "-----BEGIN PRIVATE KEY-----",
    end: "-----END PRIVATE KEY-----",
};
/// PKCS#8 under a passphrase, as `openssl pkcs8 -topk8` writes it.
pub const WRAPPED_KEY: Label = Label {
    begin: "-----BEGIN ENCRYPTED PRIVATE KEY-----",
    end: "-----END ENCRYPTED PRIVATE KEY-----",
};
/// The same structure around a secret that is no asymmetric key.
pub const WRAPPED_SECRET: Label = Label {
    begin: "-----BEGIN ENCRYPTED SNOWBALL SECRET-----",
    end: "-----END ENCRYPTED SNOWBALL SECRET-----",
};
const LINE_CHARACTERS: usize = 64;
/// An Ed25519 key takes 119 to 168 characters; this leaves room for line ends and blanks.
const TEXT_BYTES_MAX: usize = 4096;

pub fn encode(label: &Label, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(der));
    let lines = body.len().div_ceil(LINE_CHARACTERS);
    // Sized beforehand: a string that grows leaves copies of its old self behind.
    let mut text = Zeroizing::new(String::with_capacity(
        label.begin.len() + label.end.len() + body.len() + lines + 2,
    ));
    text.push_str(label.begin);
    text.push('\n');
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE_CHARACTERS));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(label.end);
    text.push('\n');
    text
}

pub fn is_labelled(label: &Label, text: &str) -> bool {
    text.trim_start().starts_with(label.begin)
}

/// The blocks of a text, each with what stands before it; what stands behind the last is a piece of its own, unless it is blank.
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut length = 0;
        for line in rest.split_inclusive('\n') {
            length += line.len();
            if line.starts_with("-----END ") {
                break;
            }
        }
        let (piece, after) = rest.split_at(length);
        rest = after;
        (!piece.trim().is_empty()).then_some(piece)
    })
}

/// Whether there is any block in it.
pub fn is_pem(text: &str) -> bool {
    text.contains("-----BEGIN ")
}

pub fn decode(label: &Label, text: &str) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(CryptoError::PemMalformed);
    }
    let body = text
        .trim()
        .strip_prefix(label.begin)
        .and_then(|text| text.strip_suffix(label.end))
        .ok_or(CryptoError::PemMalformed)?;
    let mut packed = Zeroizing::new(String::with_capacity(body.len()));
    packed.extend(body.chars().filter(|character| !character.is_ascii_whitespace()));
    STANDARD
        .decode(packed.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| CryptoError::PemMalformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_survives_with_either_line_end() {
        let der: Vec<u8> = (0..83).collect();
        let text = encode(&PRIVATE_KEY, &der);
        assert!(text.lines().all(|line| line.len() <= LINE_CHARACTERS));
        assert_eq!(*decode(&PRIVATE_KEY, &text).unwrap(), der);
        assert_eq!(*decode(&PRIVATE_KEY, &text.replace('\n', "\r\n")).unwrap(), der);
    }

    #[test]
    fn a_text_falls_into_its_blocks_and_loses_nothing() {
        let (key, wrapped) = (encode(&PRIVATE_KEY, &[1]), encode(&WRAPPED_KEY, &[2]));
        let text = format!("{}\n# note\n{}tail", *key, *wrapped);
        let found: Vec<_> = pieces(&text).collect();
        assert_eq!(found.len(), 3);
        assert_eq!(found.concat(), text);
        assert!(is_labelled(&PRIVATE_KEY, found[0]) && !is_labelled(&WRAPPED_KEY, found[1]));
        assert_eq!(pieces(&format!("{}\n \n", *key)).count(), 1);
        assert!(pieces("").next().is_none() && !is_pem("# note") && is_pem(&key));
    }

    #[test]
    fn what_is_no_single_block_is_refused() {
        let text = encode(&PRIVATE_KEY, &[1, 2, 3]);
        let twice = format!("{}{}", *text, *text);
        let long = format!("{}{}{}", PRIVATE_KEY.begin, " ".repeat(TEXT_BYTES_MAX), PRIVATE_KEY.end);
        for text in [
            "",
            PRIVATE_KEY.begin,
            &text[1..],
            &text[..text.len() - 3],
            &twice,
            &long,
            "-----BEGIN PRIVATE KEY-----é",
        ] {
            assert_eq!(decode(&PRIVATE_KEY, text), Err(CryptoError::PemMalformed));
        }
    }
}
