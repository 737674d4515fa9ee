//! From a name to addresses, and to a port that opens.

use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    sync::mpsc,
    thread,
    time::Duration,
};

use super::Host;

/// Resolvers of systems try for half a minute; whoever waits at a screen has learned enough before.
const RESOLVE_SECONDS_MAX: u64 = 12;
const CONNECT_SECONDS_MAX: u64 = 6;
/// A name may have hundreds of addresses; the first ones tell whether the way is open.
const ADDRESSES_TRIED_MAX: usize = 8;

/// Why a port did not open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReachFault {
    /// Somebody said no at once: nothing listens there, or a firewall rejects.
    Refused,
    /// Nobody said anything: a firewall drops, or the host is off.
    Silent,
    /// This machine knows no way there.
    NoRoute,
    /// Something else.
    Other(ErrorKind),
}

/// What a name leads to, by this machine's resolver.
///
/// # Errors
/// In the resolver's words.
pub fn addresses(host: &Host) -> Result<Vec<SocketAddr>, String> {
    let (answer, answered) = mpsc::sync_channel(1);
    let asked = (host.name.clone(), host.port);
    // A resolver cannot be interrupted; the thread ends with it, or with the program.
    thread::spawn(move || {
        let _ = answer.send(asked.to_socket_addrs().map(Iterator::collect::<Vec<_>>));
    });
    match answered.recv_timeout(Duration::from_secs(RESOLVE_SECONDS_MAX)) {
        Ok(Ok(found)) if found.is_empty() => Err("the name has no address".to_owned()),
        Ok(Ok(found)) => Ok(found),
        Ok(Err(fault)) => Err(fault.to_string()),
        Err(_) => Err(format!("no name server answered within {RESOLVE_SECONDS_MAX} seconds")),
    }
}

/// The first of the addresses at which the port opens; no more than eight are tried.
///
/// # Errors
/// What became of the last one that was tried.
pub fn reach(addresses: &[SocketAddr]) -> Result<TcpStream, ReachFault> {
    let mut last = ReachFault::NoRoute;
    for address in addresses.iter().take(ADDRESSES_TRIED_MAX) {
        match TcpStream::connect_timeout(address, Duration::from_secs(CONNECT_SECONDS_MAX)) {
            Ok(stream) => return Ok(stream),
            Err(fault) => last = told(&fault),
        }
    }
    Err(last)
}

fn told(fault: &io::Error) -> ReachFault {
    match fault.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => ReachFault::Refused,
        ErrorKind::TimedOut | ErrorKind::WouldBlock => ReachFault::Silent,
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => ReachFault::NoRoute,
        other => ReachFault::Other(other),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_name_is_resolved_and_a_port_opens_or_is_refused() {
        let open = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = Host {
            name: "localhost".to_owned(),
            port: open.local_addr().unwrap().port(),
        };
        let found = addresses(&host).unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback()));
        assert!(reach(&[open.local_addr().unwrap()]).is_ok());
        let closed = open.local_addr().unwrap();
        drop(open);
        assert_eq!(reach(&[closed]).err(), Some(ReachFault::Refused));
        assert_eq!(reach(&[]).err(), Some(ReachFault::NoRoute));
        // RFC 6761: no resolver knows this one.
        let unknown = Host {
            name: "aggregator.invalid".to_owned(),
            port: 7443,
        };
        assert!(addresses(&unknown).is_err());
    }
}
