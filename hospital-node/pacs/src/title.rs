//! Application entity titles (PS3.5 table 6.2-1, VR AE).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The name of an application in a DICOM network: 1 to 16 printable characters, no backslash, no blanks at the ends.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AeTitle(String);

/// The text is no AE title.
#[derive(Debug, thiserror::Error)]
#[error("an AE title is 1 to 16 printable ASCII characters without backslash and without blanks at its ends")]
pub struct NoAeTitle;

impl AeTitle {
    /// The title as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AeTitle {
    type Err = NoAeTitle;

    fn from_str(text: &str) -> Result<Self, NoAeTitle> {
        let is_sound = (1..=16).contains(&text.len())
            && text.trim() == text
            && text.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'\\');
        if is_sound {
            Ok(Self(text.to_owned()))
        } else {
            Err(NoAeTitle)
        }
    }
}

impl TryFrom<String> for AeTitle {
    type Error = NoAeTitle;

    fn try_from(text: String) -> Result<Self, NoAeTitle> {
        text.parse()
    }
}

impl From<AeTitle> for String {
    fn from(title: AeTitle) -> Self {
        title.0
    }
}

impl fmt::Display for AeTitle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_checked() {
        for text in ["SNOWBALL", "a", "0123456789ABCDEF", "X RAY 1"] {
            assert_eq!(text.parse::<AeTitle>().unwrap().as_str(), text);
        }
        for text in ["", " A", "A ", "0123456789ABCDEFG", "A\\B", "A\nB", "RÖNTGEN"] {
            assert!(text.parse::<AeTitle>().is_err(), "{text:?}");
        }
    }
}
