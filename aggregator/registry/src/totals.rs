//! Counts over everything, for those who watch the aggregator.

use std::collections::BTreeMap;

use crate::{
    Registry, RegistryError,
    rows::{Columns as _, to_count},
};

/// Updates of all studies and rounds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Updates that count.
    pub admitted: u64,
    /// Refusals by code. Again and again for the same reason in one round of one site is one.
    pub refused: BTreeMap<String, u64>,
}

impl Registry {
    /// Counts all updates.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn totals(&self) -> Result<Totals, RegistryError> {
        let admitted: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM updates WHERE state = 'admitted'")
            .fetch_one(&self.readers)
            .await?;
        let rows = sqlx::query("SELECT code, COUNT(*) AS refused FROM refusals GROUP BY code ORDER BY code")
            .fetch_all(&self.readers)
            .await?;
        let refused = rows
            .iter()
            .map(|row| Ok((row.document("code")?, row.count("refused")?)))
            .collect::<Result<_, RegistryError>>()?;
        Ok(Totals {
            admitted: to_count(admitted, "admitted")?,
            refused,
        })
    }
}
