//! Why the vault could not do what it was asked; no message holds a value.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why the vault could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The system failed on a file.
    #[error("cannot use {path}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The database failed.
    #[error("the vault's database failed")]
    Database(#[from] rusqlite::Error),
    /// It is gone for good.
    #[error(
        "the linkage vault was destroyed: no pseudonym of this site can be traced back; set linkage = false in node.toml"
    )]
    Destroyed,
    /// The keys are not those it was made with.
    #[error(
        "the linkage vault was sealed under another key; put back keys/vault.secret and the project's name that it was made with"
    )]
    WrongKey,
    /// A database of something else, or of a newer version.
    #[error("vault.sqlite is not a vault of this version; put back the right one, or use the newer program")]
    Foreign,
    /// Content that is not what was written.
    #[error("a link in the vault is not what was written; restore the vault from a copy")]
    Damaged,
    /// Another process reads without end.
    #[error("another process holds the vault open; end it and do this again")]
    Busy,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Randomness,
}

impl VaultError {
    pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            path: path.clone(),
            source,
        }
    }
}
