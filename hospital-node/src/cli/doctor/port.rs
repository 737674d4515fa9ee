//! N203: without a proxy, the aggregator's port opens from here.

use std::net::SocketAddr;

use snowball_egress::client::way::{self, ReachFault};
use snowball_service::doctor::{Check, Finding};

use super::way::Way;

const CHECK: Check = Check::new("N203", "port");
/// What most programs look at, and this one never does.
const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

pub fn look(way: &Way, addresses: &[SocketAddr]) -> Finding {
    match way::reach(addresses) {
        Ok(stream) => CHECK.good(match stream.peer_addr() {
            Ok(peer) => format!("{} opens ({})", way.host, peer.ip()),
            Err(_) => format!("{} opens", way.host),
        }),
        Err(fault) => {
            let (says, remedy) = words(fault, way);
            let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
            match PROXY_VARIABLES.iter().find(|name| is_set(name)) {
                Some(name) => CHECK.bad(
                    says,
                    format!("{remedy}. {name} is set here, which the node never uses: name the proxy under [network] in node.toml"),
                ),
                None => CHECK.bad(says, remedy),
            }
        }
    }
}

fn words(fault: ReachFault, way: &Way) -> (String, String) {
    let host = &way.host;
    match fault {
        ReachFault::Refused => (
            format!("{host} refuses at once: nothing listens there, or a firewall rejects"),
            format!(
                "ask the coordinator whether aggregator serve runs; if it does, ask network IT to open outgoing TCP to {host} \
                 (hospital-node doctor --explain prints the request)"
            ),
        ),
        ReachFault::Silent => (
            format!("{host} does not answer: a firewall drops the connection, or the host is off"),
            format!(
                "ask network IT to open outgoing TCP to {host} (hospital-node doctor --explain prints the request), or to name the \
                 proxy, which goes under [network] in node.toml"
            ),
        ),
        ReachFault::NoRoute => (
            format!("this host has no route to {host}"),
            "check its network (ip route); where the world is reached through a proxy alone, name that under [network] in node.toml"
                .to_owned(),
        ),
        ReachFault::Other(kind) => (
            format!("{host} cannot be reached: {kind}"),
            "check this host's network, then hospital-node doctor --explain for network IT".to_owned(),
        ),
    }
}
