//! A107: every record of the ledger follows from the one before, and nothing waits to be written.

use snowball_service::doctor::{Check, Fault, Finding};

use super::fault;
use crate::{home::Home, journal::Outbox};

const CHECK: Check = Check::new("A107", "ledger");

pub fn look(home: &Home) -> Finding {
    CHECK.of(verified(home))
}

fn verified(home: &Home) -> Result<String, Fault> {
    let key = home
        .signing_key()
        .map_err(|error| fault(&error, "see secrets (A102)"))?;
    let verified = snowball_ledger::verify(&home.ledger_dir(), &key.verifying_key()).map_err(|error| {
        Fault::new(
            error,
            "stop aggregator serve, keep a copy of the folder ledger for the auditor, and tell the sites before anything is restored: \
             they hold this ledger's heads",
        )
    })?;
    if verified.unseen > 0 {
        return Err(Fault::new(
            format!(
                "the first {} records lie in archives that are not in {}",
                verified.unseen,
                home.ledger_dir().join(snowball_ledger::ARCHIVE_FOLDER).display()
            ),
            "put them back, or serve does not start",
        ));
    }
    let outbox = "see whether this user may read the folder";
    let waiting = Outbox::at(&home.outbox_dir())
        .count()
        .map_err(|error| fault(&error, outbox))?;
    if waiting > 0 && !home.is_served().map_err(|error| fault(&error, outbox))? {
        return Err(Fault::new(
            format!("{waiting} entries wait in {}", home.outbox_dir().display()),
            "start aggregator serve, which takes them in",
        ));
    }
    Ok(format!("{} records hold", verified.entries))
}
