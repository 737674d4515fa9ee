//! N106: every record of the ledger follows from the one before, and the head is signed by this node.

use snowball_service::doctor::{Check, Fault, Finding};

use crate::home::Home;

const CHECK: Check = Check::new("N106", "ledger");

pub fn look(home: &Home) -> Finding {
    CHECK.of(verified(home))
}

fn verified(home: &Home) -> Result<String, Fault> {
    let key = home
        .read_text(&home.ledger_public_key())
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| {
            Fault::new(
                "ledger.pub is missing or damaged",
                "put it back from a backup; it is the public half of keys/ledger.pem",
            )
        })?;
    let verified = snowball_ledger::verify(&home.ledger(), &key).map_err(|fault| {
        Fault::new(
            fault,
            "stop the node, keep a copy of the folder ledger for the auditor, and tell the ethics board and the coordinator before \
             anything is restored",
        )
    })?;
    match verified.unseen {
        0 if verified.entries == 1 => Ok("1 entry, sound".to_owned()),
        0 => Ok(format!("{} entries, sound", verified.entries)),
        unseen => Err(Fault::new(
            format!("the first {unseen} entries lie in archives that are not in ledger/archives"),
            "put them back, or this node takes part in nothing",
        )),
    }
}
