//! N202: the configured proxy opens a tunnel to the aggregator's host and port.

use std::net::SocketAddr;

use snowball_egress::{
    EgressError,
    client::way::{self, ProxyAddress, TunnelFault},
};
use snowball_service::doctor::{Check, Finding};

use super::way::Way;

const CHECK: Check = Check::new("N202", "proxy");

pub fn malformed(fault: &EgressError) -> Finding {
    CHECK.bad(
        fault,
        "write proxy = \"http://host:port\", with http://user:password@host:port where the proxy wants to know who asks",
    )
}

pub fn look(way: &Way, proxy: &ProxyAddress, addresses: &[SocketAddr]) -> Finding {
    let Ok(stream) = way::reach(addresses) else {
        return CHECK.bad(
            format!("the proxy {} cannot be reached", proxy.host),
            "compare proxy under [network] in node.toml with network IT's; ask whether this host may use it",
        );
    };
    match way::tunnel(stream, proxy, &way.host) {
        Ok(_) => CHECK.good(format!("{} opens a tunnel to {}", proxy.host, way.host)),
        Err(fault) => {
            let (says, remedy) = words(&fault, way, proxy);
            CHECK.bad(says, remedy)
        }
    }
}

fn words(fault: &TunnelFault, way: &Way, proxy: &ProxyAddress) -> (String, String) {
    let (at, target) = (&proxy.host, &way.host);
    match fault {
        TunnelFault::WantsCredentials if proxy.has_credentials() => (
            format!("the proxy {at} does not take the user and password of node.toml (407)"),
            "compare them with network IT's; node.toml must then be mode 600. The node offers Basic alone: where the proxy wants NTLM or \
             Kerberos, ask for an exception for this host"
                .to_owned(),
        ),
        TunnelFault::WantsCredentials => (
            format!("the proxy {at} wants to know who asks (407)"),
            format!(
                "ask network IT to let this host through to {target} without a login, or set proxy = \"http://user:password@{at}\" under \
                 [network] and chmod 600 node.toml"
            ),
        ),
        TunnelFault::Forbids(line) => (
            format!("the proxy {at} does not let {target} pass: {line}"),
            format!(
                "ask network IT to permit CONNECT to {target}; many proxies permit port 443 alone (hospital-node doctor --explain prints the \
                 request)"
            ),
        ),
        TunnelFault::CannotReach(line) => (
            format!("the proxy {at} cannot reach {target} itself: {line}"),
            format!("ask network IT whether the proxy resolves the name and may reach the port of {target}; else ask the coordinator"),
        ),
        TunnelFault::NoProxy(why) => (
            format!("{at} does not answer as a proxy: {why}"),
            "compare proxy under [network] in node.toml with network IT's: it must be an HTTP proxy that knows CONNECT".to_owned(),
        ),
    }
}
