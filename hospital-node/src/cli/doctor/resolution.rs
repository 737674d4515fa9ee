//! N201: the name that this node connects to has an address here: the proxy's where one is configured, else the aggregator's.

use std::net::SocketAddr;

use anyhow::Error;
use snowball_egress::client::way::{self, ProxyAddress};
use snowball_service::doctor::{Check, Finding};

use super::{fault, way::Way};

const CHECK: Check = Check::new("N201", "name");

/// Where the aggregator is cannot be read.
pub fn unknown(error: &Error, is_invited: bool) -> Finding {
    let remedy = if is_invited {
        "compare the invitation with what the coordinator sent, or ask for a new one"
    } else {
        "restore aggregator.json from a backup, or ask the coordinator for an invitation and enrol again"
    };
    CHECK.of(Err(fault(error, remedy)))
}

pub fn look(way: &Way, proxy: Option<&ProxyAddress>) -> (Option<Vec<SocketAddr>>, Finding) {
    let (host, whose) = match proxy {
        Some(proxy) => (&proxy.host, "the proxy of node.toml"),
        None => (&way.host, "the aggregator"),
    };
    match way::addresses(host) {
        Ok(addresses) => {
            let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            let says = match proxy {
                Some(_) => format!(
                    "{} is {} ({whose}, which looks up the aggregator's name itself)",
                    host.name,
                    shown.join(", ")
                ),
                None => format!("{} is {}", host.name, shown.join(", ")),
            };
            (Some(addresses), CHECK.good(says))
        }
        Err(fault) => {
            let remedy = match proxy {
                Some(_) => {
                    "compare proxy under [network] in node.toml with network IT's; check this host's DNS (resolvectl status)"
                }
                None => {
                    "ask network IT to resolve this name here (getent hosts NAME must give an address), or, where only the proxy can, to \
                     name the proxy: then set it under [network] in node.toml; if the name is wrong, ask the coordinator"
                }
            };
            (
                None,
                CHECK.bad(format!("{}, {whose}, has no address here: {fault}", host.name), remedy),
            )
        }
    }
}
