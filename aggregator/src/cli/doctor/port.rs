//! A201: the address that `serve` binds is its own, or free for it.

use std::{io::ErrorKind, net::TcpListener};

use snowball_service::doctor::{Check, Finding};

use super::fault;
use crate::{config::Config, home::Home};

const CHECK: Check = Check::new("A201", "port");

pub fn look(home: &Home, config: &Config) -> Finding {
    let listen = &config.listen;
    let is_served = match home.is_served() {
        Ok(is_served) => is_served,
        Err(error) => return CHECK.of(Err(fault(&error, "run doctor as the user that runs serve"))),
    };
    match (TcpListener::bind(listen), is_served) {
        (Err(fault), true) if fault.kind() == ErrorKind::AddrInUse => {
            CHECK.good(format!("aggregator serve runs, {listen}"))
        }
        (Ok(_), true) => CHECK.good(format!(
            "aggregator serve runs, at another address than {listen} (its --listen)"
        )),
        (Ok(_), false) => CHECK.look(
            format!("{listen} is free, and nobody serves"),
            "start aggregator serve (systemctl start), or nothing goes on",
        ),
        (Err(fault), false) if fault.kind() == ErrorKind::AddrInUse => CHECK.bad(
            format!("another program holds {listen}"),
            "find it (ss -ltnp) and end it, or set another listen in aggregator.toml",
        ),
        (Err(fault), _) if fault.kind() == ErrorKind::PermissionDenied => CHECK.bad(
            format!("this user may not listen at {listen}"),
            "take a port from 1024 on, or AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit",
        ),
        (Err(fault), _) => CHECK.bad(
            format!("cannot listen at {listen}: {fault}"),
            "set listen in aggregator.toml to an address of this machine (ip addr), or 0.0.0.0 with the port",
        ),
    }
}
