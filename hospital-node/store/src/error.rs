//! Why the store could not do what it was asked.

use std::{
    io,
    path::{Path, PathBuf},
};

use snowball_crypto::CryptoError;
use snowball_protocol::Sha256Digest;
use snowball_worker::shard::ShardError;

/// Why the store could not do what it was asked. No message holds a patient value; paths are the store's own.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system failed on a file of the store.
    #[error("cannot use {path}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The database failed.
    #[error("the store's database failed")]
    Database(#[from] rusqlite::Error),
    /// A database of something else.
    #[error("{path} is not a store of this program")]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// A database that a newer version wrote.
    #[error(
        "the store was made by a newer program (schema {found}, this program knows {known}) and was left as it is; install that version again, \
         or restore the backup that was made before the upgrade"
    )]
    Newer {
        /// What the database says.
        found: u32,
        /// The newest that is known here.
        known: u32,
    },
    /// A store that was written before stores were sealed.
    #[error(
        "{path} was written by an earlier version, which left it unsealed; move the store away and import the radiographs again"
    )]
    Unsealed {
        /// Which file.
        path: PathBuf,
    },
    /// A store of other keys.
    #[error(
        "the store in {path} was sealed under another key; put back the site's secret (keys/site.secret) and the project's name \
         (node.toml) that it was made with, or move it away and import the radiographs again"
    )]
    WrongKey {
        /// Which folder.
        path: PathBuf,
    },
    /// Something could not be sealed.
    #[error("cannot seal what is to be stored")]
    Seal(#[from] CryptoError),
    /// Content that is not what was written.
    #[error("the store is damaged: {what}; restore it from a copy, or remove it and import the radiographs again")]
    Damaged {
        /// What is wrong and where.
        what: String,
    },
    /// A dataset could not be written or read.
    #[error("cannot freeze a dataset")]
    Freeze(#[from] ShardError),
    /// A dataset whose key this store did not wrap.
    #[error("the key of the dataset in {folder} does not open; remove that folder, the dataset is made again")]
    ForeignDataset {
        /// Which folder.
        folder: PathBuf,
    },
    /// A dataset was asked for that is larger than the pictures that are kept.
    #[error(
        "side {side} was asked for, but pictures are kept with at most {kept} pixels a side; ask for less, or raise the store's setting and import anew"
    )]
    SideTooLarge {
        /// What was asked for, in pixels.
        side: u32,
        /// What is kept at most, in pixels.
        kept: u32,
    },
    /// Another process reads the database without end.
    #[error("another process holds the store's database open; end it (hospital-node run) and do this again")]
    Busy,
    /// A request out of bounds.
    #[error("unreasonable request: {what}")]
    Unreasonable {
        /// The bound.
        what: &'static str,
    },
    /// A label and a mask of one name.
    #[error("{what} of this name is kept already; take another name, or remove that first")]
    NameTaken {
        /// What is kept.
        what: &'static str,
    },
    /// A file that is not in the quarantine, or has been decided on.
    #[error("no file {digest} waits in the quarantine")]
    NotHeld {
        /// The digest that was asked for.
        digest: Sha256Digest,
    },
    /// A picture could not be written as PNG.
    #[error("cannot write the contact sheet")]
    Picture(#[from] image::ImageError),
}

impl StoreError {
    /// Names the store's own file that the system failed on.
    pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            path: path.clone(),
            source,
        }
    }
}
