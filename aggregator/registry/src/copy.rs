//! A copy of the database at one moment, beside a server that goes on.

use std::{fs, io, path::Path};

use crate::{Registry, RegistryError, transaction::MIGRATIONS};

/// The version of the tables that this program makes and knows.
#[must_use]
pub const fn tables() -> u32 {
    MIGRATIONS.len() as u32
}

impl Registry {
    /// Writes the database as it stands into a new file. Copy the objects after it, and the ledger last; what was changed meanwhile,
    /// [`changed_since`](Self::changed_since) tells.
    ///
    /// # Errors
    /// When the database fails or the file cannot be written.
    pub async fn copy_to(&self, file: &Path) -> Result<(), RegistryError> {
        match fs::remove_file(file) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(sqlx::Error::Io(fault).into()),
            _ => {}
        }
        sqlx::query("VACUUM INTO $1")
            .bind(file.to_string_lossy().into_owned())
            .execute(&self.writer)
            .await?;
        fs::File::open(file)
            .and_then(|file| file.sync_all())
            .map_err(sqlx::Error::Io)?;
        Ok(())
    }
}
