//! A202: the name by which sites reach this aggregator has an address, as seen from here, and stands in its certificate.

use std::net::{SocketAddr, ToSocketAddrs as _};

use snowball_service::doctor::{Check, Finding};

use crate::config::{Config, split_address};

const CHECK: Check = Check::new("A202", "name");

/// Its addresses, where it has any.
pub fn look(config: &Config) -> (Option<Vec<SocketAddr>>, Finding) {
    let address = &config.address;
    let addresses: Vec<SocketAddr> = match address.to_socket_addrs() {
        Ok(found) => found.collect(),
        Err(fault) => {
            let finding = CHECK.bad(
                format!("{address} has no address here: {fault}"),
                "correct the name in DNS, or address in aggregator.toml; sites ask for the one that their invitation held",
            );
            return (None, finding);
        }
    };
    let shown: Vec<String> = addresses.iter().map(|found| found.ip().to_string()).collect();
    let says = format!("{address} is {}", shown.join(", "));
    let is_named = split_address(address).is_ok_and(|(host, _)| config.names.contains(&host));
    let finding = if is_named {
        CHECK.good(says)
    } else {
        CHECK.bad(
            format!("{says}, but the host is not among names in aggregator.toml"),
            "add it to names and run aggregator renew: nodes refuse a certificate for other names",
        )
    };
    (Some(addresses), finding)
}
