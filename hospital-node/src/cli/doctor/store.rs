//! N107: the store opens under this node's keys; with `--store`, everything in it is read again.

use std::{io::ErrorKind, os::unix::fs::MetadataExt as _};

use anyhow::Error;
use snowball_crypto::{SiteSecret, StoreKeys};
use snowball_service::{
    doctor::{Check, Fault, Finding},
    keys::KeyError,
};
use snowball_store::{Obstacle, StoreError};

use super::{Doctor, fault};
use crate::{config::NodeConfig, home::Home};

const CHECK: Check = Check::new("N107", "store");

/// Nothing where `node.toml` cannot be read, which N101 says: without the project's name no store opens.
pub fn look(home: &Home, asked: &Doctor) -> Option<Finding> {
    // To open a store makes one.
    if !home.store_folder().exists() {
        return Some(CHECK.good("nothing was taken in yet"));
    }
    let config = home.config().ok()?;
    Some(CHECK.of(if asked.store {
        again(home, &config, asked.text)
    } else {
        glanced(home, &config)
    }))
}

/// Without a change: nobody expects of a question that it brings the database up to date.
fn glanced(home: &Home, config: &NodeConfig) -> Result<String, Fault> {
    let count = snowball_store::glance(&home.store_folder(), &keys(home, config)?)
        .map_err(|error| of_store(home, &Error::new(error).context("cannot open the store")))?;
    Ok(format!("{count} radiographs; --store reads them all again"))
}

fn keys(home: &Home, config: &NodeConfig) -> Result<StoreKeys, Fault> {
    let path = home.site_secret();
    let text = home.keys().read(&path).map_err(|error| {
        let remedy = match &error {
            KeyError::NoPassphrase => "run doctor again with --passphrase-file FILE, or at a terminal".to_owned(),
            KeyError::Wrapping { .. } | KeyError::Passphrase(_) => {
                "compare the passphrase with the one that hospital-node keys protect was given, and run doctor again"
                    .to_owned()
            }
            KeyError::File { path: missing, source } if *missing == path && source.kind() == ErrorKind::NotFound => {
                "restore keys/site.secret from a backup; leave store/ as it is".to_owned()
            }
            _ => stranger(home).unwrap_or_else(|| "see keys (N102); the store itself was not looked at".to_owned()),
        };
        fault(&Error::new(error), &remedy)
    })?;
    let secret = SiteSecret::from_hex(&text).map_err(|error| {
        let error = Error::new(error).context(format!("{} is damaged", path.display()));
        fault(&error, "restore keys/site.secret from a backup; leave store/ as it is")
    })?;
    Ok(secret.store(&config.project))
}

/// A second look at everything that is stored.
fn again(home: &Home, config: &NodeConfig, search_text: bool) -> Result<String, Fault> {
    // What is wrong with a key is said in its own words.
    keys(home, config)?;
    let looked = home
        .open_store(config)
        .and_then(|store| Ok(store.look_again(search_text)?))
        .map_err(|error| of_store(home, &error))?;
    if looked.unsound == 0 {
        return Ok(format!("{} radiographs read again, all sound", looked.radiographs));
    }
    let faults = looked
        .faults
        .iter()
        .map(|(fault, count)| format!("{count} {fault:?}").to_lowercase());
    Err(Fault::new(
        format!(
            "{} of {} radiographs are not as they must be ({})",
            looked.unsound,
            looked.radiographs,
            faults.collect::<Vec<_>>().join(", ")
        ),
        "train nothing with this store: restore it from a copy, or move it away and ingest again",
    ))
}

/// Nobody moves a store away that is sound: only damage is answered by a backup.
fn of_store(home: &Home, error: &Error) -> Fault {
    let obstacle = error
        .downcast_ref::<StoreError>()
        .map_or(Obstacle::System, Obstacle::of);
    let remedy = match obstacle {
        Obstacle::Keys => {
            "put back what it says, from the backup of the store's own time; leave store/ as it is until then"
        }
        Obstacle::Version => {
            "use the program of the version that wrote it, or do as it says; a backup does not help here"
        }
        Obstacle::Busy => {
            "wait until the other process of this node is done (ingest, withdraw, a start), or end it; run doctor again"
        }
        Obstacle::Damage => {
            "restore store/ and keys/site.secret from the same backup, or move store/ away and ingest again"
        }
        Obstacle::System => {
            "see whether the node's user may read store/ (chown, chmod 700), and disk (N108); run doctor again"
        }
    };
    // A stranger is refused first of all, and sees no more than that.
    match (obstacle, stranger(home)) {
        (Obstacle::System, Some(other)) => fault(error, &other),
        _ => fault(error, remedy),
    }
}

/// What to do where the store belongs to another user.
fn stranger(home: &Home) -> Option<String> {
    let owner = |path: &std::path::Path| std::fs::metadata(path).map(|about| about.uid()).ok();
    // What belongs to a process belongs to its user.
    let (owner, me) = (owner(&home.store_folder())?, owner("/proc/self".as_ref())?);
    (owner != me).then(|| {
        format!("the folder belongs to user {owner} and this is user {me}: run doctor as the user that runs the node")
    })
}
