//! Names and numbers as types, checked where they enter.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::NAME_CHARACTERS_MAX;

/// A name that broke the rule for names.
#[derive(Debug, thiserror::Error)]
#[error(
    "a {kind} has 1 to {NAME_CHARACTERS_MAX} lower-case letters, digits or hyphens and starts with a letter or digit"
)]
pub struct MalformedName {
    kind: &'static str,
}

fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    !bytes.is_empty()
        && bytes.len() <= NAME_CHARACTERS_MAX
        && bytes[0] != b'-'
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(into = "String", try_from = "String")]
        #[schemars(with = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = MalformedName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if is_name(text) { Ok(Self(text.to_owned())) } else { Err(MalformedName { kind: $kind }) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = MalformedName;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A hospital taking part, as the consortium calls it: `north`, `ste-rosalie`.
    SiteName, "site name"
);
name!(
    /// One federated training effort: `body-parts-2026`.
    StudyName, "study name"
);
name!(
    /// Why data may be used, as policies and plans name it: `pretraining`.
    Purpose, "purpose"
);

/// Which round of a study; the first is 1. Round 0 is the state before any training.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RoundNumber(pub u32);

impl RoundNumber {
    /// The round after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for RoundNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// Which try of a site at one round. Two uploads with equal study, round, site and attempt are the same update.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Attempt(pub u32);

/// A pending request of a site for its certificate.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct EnrolmentId(pub String);

/// An upload under way; the aggregator makes it, the node echoes it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct UploadId(pub String);

/// Seconds since 1970-01-01T00:00:00Z (Unix time).
pub type UnixSeconds = i64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_where_they_enter() {
        assert!("north".parse::<SiteName>().is_ok());
        assert!("a-1".parse::<SiteName>().is_ok());
        for text in ["", "-a", "A", "a/b", "..", "é", &"a".repeat(NAME_CHARACTERS_MAX + 1)] {
            assert!(text.parse::<SiteName>().is_err(), "{text}");
            assert!(serde_json::from_value::<SiteName>(serde_json::json!(text)).is_err());
        }
    }
}
