//! A label that hospitals keep outside DICOM (a grade, a finding) and import under the same name, so that a plan can ask for it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;

/// What stands before the name in plans and policies, so that no label of the vocabulary is ever meant by it.
const PREFIX: &str = "site_";
const CODE_BYTES_MAX: usize = 48;

/// The name of such a label: 1 to 43 of `a-z`, `A-Z`, `0-9` and `_`, since tensors and columns are named after it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SiteLabelName {
    /// Prefix and name, then zeros.
    code: [u8; CODE_BYTES_MAX],
}

/// What is wrong with the name of a site's own label.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a hospital's own label is written site_NAME with 1 to 43 of a-z, A-Z, 0-9 and _")]
pub struct SiteLabelFault;

/// What a hospital's own label says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SiteValue {
    /// A number in the hospital's own unit.
    Number(f32),
    /// A code.
    Class(String),
    /// A mask, which lies beside the radiograph's picture.
    Mask {
        /// Digest of its values at the size that is kept.
        mask: Sha256Digest,
        /// The largest value in it: 0 where nothing is marked.
        largest: u8,
    },
}

impl SiteLabelName {
    /// The label as written in plans and as the prefix of the head's tensors: `site_knee_oa`.
    #[must_use]
    pub fn code(&self) -> &str {
        let length = self.code.iter().position(|byte| *byte == 0).unwrap_or(CODE_BYTES_MAX);
        // Only ASCII is ever put in.
        str::from_utf8(&self.code[..length]).unwrap_or_default()
    }

    /// The name under which hospitals import it: `knee_oa`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.code().strip_prefix(PREFIX).unwrap_or_default()
    }
}

impl FromStr for SiteLabelName {
    type Err = SiteLabelFault;

    fn from_str(code: &str) -> Result<Self, SiteLabelFault> {
        let is_name = code.strip_prefix(PREFIX).is_some_and(|name| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        });
        if !is_name || code.len() > CODE_BYTES_MAX {
            return Err(SiteLabelFault);
        }
        let mut bytes = [0; CODE_BYTES_MAX];
        bytes[..code.len()].copy_from_slice(code.as_bytes());
        Ok(Self { code: bytes })
    }
}

impl TryFrom<String> for SiteLabelName {
    type Error = SiteLabelFault;

    fn try_from(code: String) -> Result<Self, SiteLabelFault> {
        code.parse()
    }
}

impl From<SiteLabelName> for String {
    fn from(label: SiteLabelName) -> Self {
        label.code().to_owned()
    }
}

impl fmt::Debug for SiteLabelName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.code())
    }
}

impl SiteValue {
    /// As the class that a plan lists: a whole number by its digits, since tables write grades as numbers.
    #[must_use]
    pub fn class(&self) -> Option<std::borrow::Cow<'_, str>> {
        match self {
            Self::Class(code) => Some(code.into()),
            Self::Number(number) if number.fract() == 0.0 && number.abs() < 1e6 => {
                // Adding zero makes zero of its negative.
                Some(format!("{:.0}", number + 0.0).into())
            }
            Self::Number(_) | Self::Mask { .. } => None,
        }
    }

    /// As a number.
    #[must_use]
    pub const fn number(&self) -> Option<f32> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Class(_) | Self::Mask { .. } => None,
        }
    }

    /// The largest value of a mask.
    #[must_use]
    pub const fn mask_largest(&self) -> Option<u8> {
        match self {
            Self::Mask { largest, .. } => Some(*largest),
            Self::Number(_) | Self::Class(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_tensors_can_be_named_after() {
        let label: SiteLabelName = "site_knee_oa".parse().unwrap();
        assert_eq!((label.code(), label.name()), ("site_knee_oa", "knee_oa"));
        assert_eq!(serde_json::to_string(&label).unwrap(), "\"site_knee_oa\"");
        let longest = format!("site_{}", "a".repeat(43));
        assert_eq!(longest.parse::<SiteLabelName>().unwrap().code(), longest);
        let bad = [
            "knee_oa",
            "site_",
            "site_knee.oa",
            "site_knee oa",
            "site_généré",
            &format!("{longest}a"),
        ];
        for bad in bad {
            assert!(bad.parse::<SiteLabelName>().is_err(), "{bad}");
            assert!(serde_json::from_value::<SiteLabelName>(bad.into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_grade_written_as_a_number_is_a_class_too() {
        let class = |value: &SiteValue| value.class().map(std::borrow::Cow::into_owned);
        assert_eq!(class(&SiteValue::Number(3.0)).as_deref(), Some("3"));
        assert_eq!(class(&SiteValue::Number(-0.0)).as_deref(), Some("0"));
        assert_eq!(class(&SiteValue::Number(2.5)), None);
        assert_eq!(class(&SiteValue::Number(f32::NAN)), None);
        assert_eq!(class(&SiteValue::Class("cast".to_owned())).as_deref(), Some("cast"));
        assert_eq!(SiteValue::Class("3".to_owned()).number(), None);
    }

    #[test]
    fn a_mask_is_neither_a_class_nor_a_number_and_survives_json() {
        let mask = SiteValue::Mask {
            mask: Sha256Digest::of(b"values"),
            largest: 2,
        };
        assert_eq!(
            (mask.class(), mask.number(), mask.mask_largest()),
            (None, None, Some(2))
        );
        let text = serde_json::to_string(&mask).unwrap();
        assert_eq!(serde_json::from_str::<SiteValue>(&text).unwrap(), mask);
        assert_eq!(SiteValue::Number(2.0).mask_largest(), None);
    }
}
