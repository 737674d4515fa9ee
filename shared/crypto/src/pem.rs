//! The textual encoding of private keys (RFC 7468), strict: one block, nothing else.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::CryptoError;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";
const LINE_CHARACTERS: usize = 64;
/// An Ed25519 key takes 119 to 168 characters; this leaves room for line ends and blanks.
const TEXT_BYTES_MAX: usize = 4096;

pub fn encode(der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(der));
    let lines = body.len().div_ceil(LINE_CHARACTERS);
    // Sized beforehand: a string that grows leaves copies of its old self behind.
    let mut text = Zeroizing::new(String::with_capacity(BEGIN.len() + END.len() + body.len() + lines + 2));
    text.push_str(BEGIN);
    text.push('\n');
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE_CHARACTERS));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(END);
    text.push('\n');
    text
}

pub fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(CryptoError::PemMalformed);
    }
    let body = text
        .trim()
        .strip_prefix(BEGIN)
        .and_then(|text| text.strip_suffix(END))
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
        let text = encode(&der);
        assert!(text.lines().all(|line| line.len() <= LINE_CHARACTERS));
        assert_eq!(*decode(&text).unwrap(), der);
        assert_eq!(*decode(&text.replace('\n', "\r\n")).unwrap(), der);
    }

    #[test]
    fn what_is_no_single_block_is_refused() {
        let text = encode(&[1, 2, 3]);
        let twice = format!("{}{}", *text, *text);
        let long = format!("{BEGIN}{}{END}", " ".repeat(TEXT_BYTES_MAX));
        for text in [
            "",
            BEGIN,
            &text[1..],
            &text[..text.len() - 3],
            &twice,
            &long,
            "-----BEGIN PRIVATE KEY-----é",
        ] {
            assert_eq!(decode(text), Err(CryptoError::PemMalformed));
        }
    }
}
