//! N103: the node's own certificate holds, and is renewed in time.

use snowball_service::{
    clock,
    doctor::{Check, Finding},
    tls,
};

use crate::home::Home;

const CHECK: Check = Check::new("N103", "certificate");

pub fn look(home: &Home) -> Finding {
    let Ok(pem) = home.read_text(&home.certificate()) else {
        return CHECK.look(
            "none yet",
            "ask the coordinator for an invitation, then hospital-node enroll INVITATION",
        );
    };
    let peer = match tls::PeerCertificate::read_pem(&pem) {
        Ok(peer) => peer,
        Err(fault) => return CHECK.bad(fault, "ask the coordinator for an invitation and enrol again"),
    };
    let (life, now) = (peer.life(), clock::now());
    let says = format!("for {}, ends in {} days", peer.site, life.days_left(now));
    if life.not_after <= now {
        CHECK.bad(
            format!("it has expired, {} days ago", (now - life.not_after) / 86_400),
            "ask the coordinator for a new invitation and enrol again; where this machine's clock is wrong, set it first",
        )
    } else if life.not_before > now + snowball_protocol::limits::CLOCK_SKEW_SECONDS_MAX {
        CHECK.bad(
            "it begins later than now by this machine's clock",
            "set the clock (timedatectl set-ntp true)",
        )
    } else if life.warning_if_overdue(now).is_some() {
        CHECK.look(
            format!("{says} and was not renewed"),
            "start the node, which renews it by itself, or run hospital-node renew",
        )
    } else {
        CHECK.good(says)
    }
}
