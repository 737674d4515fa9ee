//! Text in the character set that the file names (PS3.3 C.12.1.1.2); what cannot be decoded reads as blanks.

use dicom_encoding::text::{SpecificCharacterSet, TextCodec as _};

/// The character set of one data set.
pub(crate) struct Charset(Option<SpecificCharacterSet>);

impl Charset {
    /// ASCII, where nothing is declared.
    pub(crate) const DEFAULT: Self = Self(None);

    /// The set that the value of (0008,0005) names. Of several (code extensions) the first counts: the words that the
    /// dictionary knows are all within it, and escape sequences of the others read as blanks.
    pub(crate) fn named(value: &[u8]) -> Self {
        let names = String::from_utf8_lossy(value);
        let first = names
            .split('\\')
            .next()
            .unwrap_or_default()
            .trim_matches([' ', '\0'])
            .to_owned();
        Self(SpecificCharacterSet::from_code(&first))
    }

    /// `bytes` as text.
    pub(crate) fn decode(&self, bytes: &[u8]) -> String {
        if bytes.is_ascii() {
            return String::from_utf8_lossy(bytes).into_owned();
        }
        let decoded = self.0.as_ref().and_then(|set| set.decode(bytes).ok());
        decoded.unwrap_or_else(|| match std::str::from_utf8(bytes) {
            // Undeclared UTF-8 is common, and cannot be mistaken for Latin text.
            Ok(text) => text.to_owned(),
            Err(_) => bytes
                .iter()
                .map(|byte| if byte.is_ascii() { char::from(*byte) } else { ' ' })
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Charset;

    #[test]
    fn latin_and_utf8_read_the_same() {
        assert_eq!(Charset::named(b"ISO_IR 100").decode(b"\xc9PAULE"), "ÉPAULE");
        assert_eq!(Charset::named(b"ISO_IR 192").decode("ÉPAULE".as_bytes()), "ÉPAULE");
        assert_eq!(Charset::DEFAULT.decode("ÉPAULE".as_bytes()), "ÉPAULE");
        assert_eq!(Charset::named(b"\\ISO 2022 IR 87").decode(b"\xc9PAULE"), " PAULE");
    }
}
