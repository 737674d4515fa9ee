//! From rows to values and back; what does not parse is named by its column, never shown.

use std::str::FromStr;

use serde::{Serialize, de::DeserializeOwned};
use snowball_protocol::RoundNumber;
use sqlx::{Row as _, sqlite::SqliteRow};

use crate::RegistryError;

/// Columns of one row, by name.
pub(crate) trait Columns {
    fn text(&self, name: &'static str) -> Result<String, RegistryError>;
    fn text_or_none(&self, name: &'static str) -> Result<Option<String>, RegistryError>;
    fn number(&self, name: &'static str) -> Result<i64, RegistryError>;
    fn number_or_none(&self, name: &'static str) -> Result<Option<i64>, RegistryError>;

    fn count(&self, name: &'static str) -> Result<u64, RegistryError> {
        to_count(self.number(name)?, name)
    }

    fn small_count(&self, name: &'static str) -> Result<u32, RegistryError> {
        u32::try_from(self.number(name)?).map_err(|_| RegistryError::Corrupt { what: name })
    }

    fn round(&self, name: &'static str) -> Result<RoundNumber, RegistryError> {
        self.small_count(name).map(RoundNumber)
    }

    fn parsed<T: FromStr>(&self, name: &'static str) -> Result<T, RegistryError> {
        parse(&self.text(name)?, name)
    }

    fn parsed_or_none<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, RegistryError> {
        self.text_or_none(name)?.map(|text| parse(&text, name)).transpose()
    }

    fn document<T: DeserializeOwned>(&self, name: &'static str) -> Result<T, RegistryError> {
        from_json(&self.text(name)?, name)
    }

    fn document_or_none<T: DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>, RegistryError> {
        self.text_or_none(name)?.map(|text| from_json(&text, name)).transpose()
    }
}

impl Columns for SqliteRow {
    fn text(&self, name: &'static str) -> Result<String, RegistryError> {
        Ok(self.try_get(name)?)
    }

    fn text_or_none(&self, name: &'static str) -> Result<Option<String>, RegistryError> {
        Ok(self.try_get(name)?)
    }

    fn number(&self, name: &'static str) -> Result<i64, RegistryError> {
        Ok(self.try_get(name)?)
    }

    fn number_or_none(&self, name: &'static str) -> Result<Option<i64>, RegistryError> {
        Ok(self.try_get(name)?)
    }
}

/// `document` as it is kept.
pub(crate) fn to_json(document: &impl Serialize) -> String {
    serde_json::to_string(document).expect("documents of the registry have text keys and finite numbers")
}

/// `count` as it is kept.
pub(crate) fn from_count(count: u64, what: &'static str) -> Result<i64, RegistryError> {
    i64::try_from(count).map_err(|_| RegistryError::TooLarge { what })
}

/// A count as it was kept.
pub(crate) fn to_count(number: i64, what: &'static str) -> Result<u64, RegistryError> {
    u64::try_from(number).map_err(|_| RegistryError::Corrupt { what })
}

fn parse<T: FromStr>(text: &str, what: &'static str) -> Result<T, RegistryError> {
    text.parse().map_err(|_| RegistryError::Corrupt { what })
}

/// A document as it was kept.
pub(crate) fn from_json<T: DeserializeOwned>(text: &str, what: &'static str) -> Result<T, RegistryError> {
    serde_json::from_str(text).map_err(|_| RegistryError::Corrupt { what })
}
