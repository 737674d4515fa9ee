//! A102: nobody but the owner can read the folder and its keys, and all keys are kept the same way.

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use snowball_service::doctor::{Check, Fault, Finding};

use super::fault;
use crate::{
    cli::keys::wrapped,
    home::{Home, read_text},
};

const CHECK: Check = Check::new("A102", "secrets");
const OTHERS: u32 = 0o077;

pub fn look(home: &Home) -> Finding {
    CHECK.of(kept(home))
}

fn kept(home: &Home) -> Result<String, Fault> {
    closed(home.dir(), "700")?;
    for path in home.key_files() {
        closed(&path, "600")?;
    }
    let from_backup = "put it back from a backup, or, under a passphrase, give that as to serve";
    let key = home
        .signing_key()
        .map_err(|error| fault(&error, from_backup))?
        .verifying_key()
        .to_string();
    let public = read_text(&home.public_key_file()).map_err(|error| fault(&error, from_backup))?;
    if public.trim() != key {
        return Err(Fault::new(
            "ledger.pub is not the public half of ledger.key.pem",
            "put both back from one backup: with another key, no hospital takes what is signed",
        ));
    }
    match wrapped(home).map_err(|error| fault(&error, from_backup))? {
        0 => Ok("readable by this user only, not under a passphrase (aggregator keys protect)".to_owned()),
        count if count == home.key_files().len() => Ok("under a passphrase".to_owned()),
        count => Err(Fault::new(
            format!(
                "{count} of {} are under a passphrase and the others are not",
                home.key_files().len()
            ),
            "run aggregator keys protect again: it finishes what broke off",
        )),
    }
}

fn closed(path: &Path, mode: &str) -> Result<(), Fault> {
    let about = path.metadata().map_err(|error| {
        Fault::new(
            format!("cannot look at {}: {error}", path.display()),
            "put it back from a backup; server.pem alone is made anew by serve",
        )
    })?;
    let found = about.permissions().mode();
    if found & OTHERS == 0 {
        return Ok(());
    }
    Err(Fault::new(
        format!("{} is open to other users (mode {:o})", path.display(), found & 0o777),
        format!(
            "chmod {mode} {}; if others use this machine, count what it holds as known to them",
            path.display()
        ),
    ))
}
