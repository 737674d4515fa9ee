//! N104: the CAs that this node trusts, once it has enrolled.

use snowball_service::{
    clock,
    doctor::{Check, Finding},
};

use super::fault;
use crate::{authorities, home::Home};

const CHECK: Check = Check::new("N104", "authorities");

pub fn look(home: &Home) -> Option<Finding> {
    if !home.authority().exists() {
        return None;
    }
    let trusted = match authorities::trusted(home) {
        Ok(trusted) => trusted,
        Err(error) => {
            return Some(CHECK.of(Err(fault(
                &error,
                "ask the coordinator for an invitation and enrol again",
            ))));
        }
    };
    let says = format!("list {}, {} trusted", trusted.number, trusted.certificates_pem.len());
    Some(match authorities::warning(&trusted, clock::now()) {
        None => CHECK.good(says),
        Some((name, _, days)) => CHECK.look(
            format!("{says}; the CA {name} ends in {days} days"),
            "ask the coordinator for aggregator ca rotate, and keep the node running: it takes the next one over by itself",
        ),
    })
}
