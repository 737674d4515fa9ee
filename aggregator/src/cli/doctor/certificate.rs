//! A104: the server's own certificate is of the CA in use, holds, and is renewed in time.

use anyhow::Result;
use snowball_service::{
    clock,
    doctor::{Check, Finding},
    tls,
};

use super::fault;
use crate::{home::Home, server_certificate::ServerCertificate};

const CHECK: Check = Check::new("A104", "certificate");
const RENEW: &str = "a running serve renews it by itself; aggregator renew does it now";

pub fn look(home: &Home) -> Finding {
    judged(home).unwrap_or_else(|error| CHECK.of(Err(fault(&error, RENEW))))
}

fn judged(home: &Home) -> Result<Finding> {
    let (authorities, server, now) = (home.authorities()?, ServerCertificate::read(home)?, clock::now());
    let says = format!("the server's ends in {} days", server.life.days_left(now));
    Ok(if !tls::is_issued_by(&server.pair_pem, authorities.serving().pem())? {
        CHECK.bad(
            "the server's certificate is not of the oldest CA, which sites expect",
            RENEW,
        )
    } else if server.life.not_after <= now {
        CHECK.bad("the server's certificate has ended", RENEW)
    } else if server.life.not_before > now {
        CHECK.bad(
            "the server's certificate begins later than now by this machine's clock",
            "set the clock (A110)",
        )
    } else if server.life.warning_if_overdue(now).is_some() {
        CHECK.look(
            format!("{says} and was not renewed"),
            "start aggregator serve, or see its log for why it could not; aggregator renew does it now",
        )
    } else {
        CHECK.good(says)
    })
}
