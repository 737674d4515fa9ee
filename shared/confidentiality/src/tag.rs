//! The tag of an attribute.

use std::{fmt, str::FromStr};

/// Group and element (PS3.5 section 7.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tag(pub u16, pub u16);

impl Tag {
    /// True in odd groups: what a vendor defined (PS3.5 section 7.8).
    #[must_use]
    pub const fn is_private(self) -> bool {
        self.0 % 2 == 1
    }

    /// True for group lengths (PS3.5 section 7.2), which tell the size of what was there.
    #[must_use]
    pub const fn is_group_length(self) -> bool {
        self.1 == 0
    }

    /// True in the repeating groups `base` to `base + 0x1F` (PS3.5 section 7.6).
    #[must_use]
    pub const fn is_repeating(self, base: u16) -> bool {
        self.0 >= base && self.0 < base + 0x20
    }

    /// From eight hexadecimal digits.
    pub(crate) fn from_digits(text: &str) -> Option<Self> {
        let group = u16::from_str_radix(text.get(..4)?, 16).ok()?;
        let element = u16::from_str_radix(text.get(4..)?, 16).ok()?;
        (text.len() == 8).then_some(Self(group, element))
    }
}

/// `(0010,0020)`.
impl fmt::Display for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "({:04X},{:04X})", self.0, self.1)
    }
}

/// Reads what [`Display`](fmt::Display) writes.
impl FromStr for Tag {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let inner = text
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'))
            .ok_or(())?;
        let (group, element) = inner.split_once(',').ok_or(())?;
        if group.len() != 4 || element.len() != 4 {
            return Err(());
        }
        Self::from_digits(&format!("{group}{element}")).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::Tag;

    #[test]
    fn a_tag_survives_its_text_and_other_text_is_none() {
        assert_eq!("(0010,0020)".parse(), Ok(Tag(0x10, 0x20)));
        assert_eq!(Tag(0x7FE0, 0x10).to_string(), "(7FE0,0010)");
        for text in ["", "(0010)", "(10,20)", "0010,0020", "(0010,00zz)", "(é010,0020)"] {
            assert_eq!(text.parse::<Tag>(), Err(()), "{text}");
        }
    }
}
