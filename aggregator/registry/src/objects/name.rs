//! Names of objects: they can name nothing outside of their folder.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use snowball_protocol::{Attempt, RoundNumber, SiteName, StudyName};

const SEGMENTS_MAX: usize = 4;
const SEGMENT_CHARACTERS_MAX: usize = 120;

/// One to four segments between slashes, each of lower-case letters, digits, dots, hyphens and underscores, none
/// beginning with a dot.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ObjectName(String);

/// A text that is no object's name.
#[derive(Debug, thiserror::Error)]
#[error(
    "an object's name has 1 to {SEGMENTS_MAX} segments of lower-case letters, digits, '.', '-' and '_', none of which starts with '.'"
)]
pub struct MalformedObjectName;

impl ObjectName {
    /// The global model that `round` made; round 0 is the initial one.
    #[must_use]
    pub fn model(study: &StudyName, round: RoundNumber) -> Self {
        Self(format!("models/{study}/{round}.f32"))
    }

    /// The update that `site` sends for `round` in one try.
    #[must_use]
    pub fn update(study: &StudyName, round: RoundNumber, site: &SiteName, attempt: Attempt) -> Self {
        Self(format!("updates/{study}/{round}/{site}.{}.update", attempt.0))
    }

    /// The state of the server's optimiser after `round`.
    #[must_use]
    pub fn server_state(study: &StudyName, round: RoundNumber) -> Self {
        Self(format!("states/{study}/{round}.f32"))
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl FromStr for ObjectName {
    type Err = MalformedObjectName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_name = text.split('/').count() <= SEGMENTS_MAX && text.split('/').all(is_segment);
        if is_name {
            Ok(Self(text.to_owned()))
        } else {
            Err(MalformedObjectName)
        }
    }
}

fn is_segment(segment: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    (1..=SEGMENT_CHARACTERS_MAX).contains(&segment.len())
        && !segment.starts_with('.')
        && segment.bytes().all(is_allowed)
}

impl TryFrom<String> for ObjectName {
    type Error = MalformedObjectName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ObjectName> for String {
    fn from(name: ObjectName) -> Self {
        name.0
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        for text in [
            "",
            "/",
            "a/",
            "/a",
            "..",
            "a/../b",
            ".parts/x",
            "a\\b",
            "a b",
            "A",
            "a/b/c/d/e",
            "a\0",
            "a//b",
        ] {
            assert!(text.parse::<ObjectName>().is_err(), "{text:?}");
        }
        assert!("a".repeat(121).parse::<ObjectName>().is_err());
    }

    #[test]
    fn names_of_models_and_updates_are_names() {
        let longest = "a".repeat(63);
        let (study, site): (StudyName, SiteName) = (longest.parse().unwrap(), longest.parse().unwrap());
        for name in [
            ObjectName::model(&study, RoundNumber(u32::MAX)),
            ObjectName::update(&study, RoundNumber(u32::MAX), &site, Attempt(u32::MAX)),
        ] {
            assert_eq!(name.to_string().parse::<ObjectName>().unwrap(), name);
        }
    }
}
