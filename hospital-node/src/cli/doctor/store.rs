//! N107: the store opens under this node's keys; with `--store`, everything in it is read again.

use std::os::unix::fs::MetadataExt as _;

use snowball_service::doctor::{Check, Fault, Finding};

use super::{Doctor, fault};
use crate::home::Home;

const CHECK: Check = Check::new("N107", "store");

pub fn look(home: &Home, asked: &Doctor) -> Finding {
    // To open a store makes one.
    if !home.store_folder().exists() {
        return CHECK.good("nothing was taken in yet");
    }
    CHECK.of(if asked.store {
        again(home, asked.text)
    } else {
        opened(home)
    })
}

fn opened(home: &Home) -> Result<String, Fault> {
    let count = home
        .config()
        .and_then(|config| Ok(home.open_store(&config)?.count()?))
        .map_err(|error| fault(&error, &remedy(home)))?;
    Ok(format!("{count} radiographs; --store reads them all again"))
}

/// Most stores that do not open belong to another user.
fn remedy(home: &Home) -> String {
    let owner = |path: &std::path::Path| std::fs::metadata(path).map(|about| about.uid()).ok();
    // What belongs to a process belongs to its user.
    match (owner(&home.store_folder()), owner("/proc/self".as_ref())) {
        (Some(owner), Some(me)) if owner != me => {
            format!(
                "the folder belongs to user {owner} and this is user {me}: run doctor as the user that runs the node"
            )
        }
        _ => {
            "restore store/ and keys/site.secret from the same backup, or move store/ away and ingest again".to_owned()
        }
    }
}

/// A second look at everything that is stored.
fn again(home: &Home, search_text: bool) -> Result<String, Fault> {
    let looked = home
        .config()
        .and_then(|config| Ok(home.open_store(&config)?.look_again(search_text)?))
        .map_err(|error| fault(&error, &remedy(home)))?;
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
