//! Which account of this machine is at the other end of a connection from this machine.
//!
//! Cookies do not know ports: a browser that has a session at `127.0.0.1:7481` sends its cookie to whatever answers at `127.0.0.1:9000`,
//! and on a machine that several people share that may be anybody's. So a session belongs to the account, too, whose browser (or whose
//! end of a tunnel) began it: the kernel says whose each socket is. What this does not hold off is another program of the same account,
//! which could read that browser's files anyway; and root.
//!
//! A process with a user namespace of its own (`PrivateUsers=yes` of systemd) is shown one and the same number for every account that this
//! namespace does not know: that number tells nobody from anybody, and counts as unknown. There the tie holds nothing off.

use std::{
    fs,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::LazyLock,
};

/// The number that the kernel shows in place of each account that this process' user namespace does not know.
static OVERFLOW: LazyLock<u32> = LazyLock::new(|| {
    let told = fs::read_to_string("/proc/sys/kernel/overflowuid");
    told.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(65_534)
});

/// An account's number; none: it came from another machine, or the kernel does not say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Account(pub Option<u32>);

/// Whose the socket is that is bound to `peer` and connected to `own`; none where `peer` is not of this machine.
pub fn of(peer: SocketAddr, own: SocketAddr) -> Account {
    if !peer.ip().to_canonical().is_loopback() {
        return Account(None);
    }
    // A program may reach an address of IPv4 by a socket of IPv6.
    let found = ["/proc/self/net/tcp", "/proc/self/net/tcp6"]
        .into_iter()
        .find_map(|table| {
            let table = fs::read_to_string(table).ok()?;
            table.lines().skip(1).find_map(|row| owner(row, peer, own))
        });
    Account(found.and_then(|account| known(account, *OVERFLOW)))
}

/// An account that is told from others.
fn known(account: u32, overflow: u32) -> Option<u32> {
    (account != overflow).then_some(account)
}

/// The account of a row, where it is the row of that connection and somebody still holds the socket.
fn owner(row: &str, near: SocketAddr, far: SocketAddr) -> Option<u32> {
    let mut columns = row.split_ascii_whitespace().skip(1);
    let is_it = address(columns.next()?)? == whole(near) && address(columns.next()?)? == whole(far);
    let (account, inode) = (columns.nth(4)?, columns.nth(1)?);
    // One that was let go is shown as root's, without an inode.
    if is_it && inode != "0" {
        account.parse().ok()
    } else {
        None
    }
}

fn whole(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

/// An address as the kernel writes it: words in the order of this machine, each in hexadecimal.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (host, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |word: usize| u32::from_str_radix(host.get(8 * word..8 * (word + 1))?, 16).ok();
    let ip = match host.len() {
        8 => IpAddr::from(word(0)?.to_ne_bytes()),
        32 => {
            let mut bytes = [0; 16];
            for (number, piece) in bytes.chunks_exact_mut(4).enumerate() {
                piece.copy_from_slice(&word(number)?.to_ne_bytes());
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some((ip.to_canonical(), port))
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use std::{net::TcpListener, os::unix::fs::MetadataExt as _};

    use super::*;

    const ROW: &str = "   3: 0100007F:A2C4 0100007F:1D39 01 00000000:00000000 00:00000000 00000000  1001        0 48213 1 0000000000000000 20 4 0 10 -1";
    const MAPPED: &str = "   0: 0000000000000000FFFF00000100007F:A2C4 0000000000000000FFFF00000100007F:1D39 01 00000000:00000000 00:00000000 00000000  1002        0 48214 1 0 20 4 0 10 -1";

    #[test]
    fn the_row_of_a_connection_says_whose_it_is() {
        let (near, far) = ("127.0.0.1:41668".parse().unwrap(), "127.0.0.1:7481".parse().unwrap());
        assert_eq!(owner(ROW, near, far), Some(1001));
        assert_eq!(owner(MAPPED, near, far), Some(1002));
        // Not the other end's row, nor another connection's, nor that of a socket that was let go.
        assert_eq!(owner(ROW, far, near), None);
        assert_eq!(owner(ROW, "127.0.0.1:41669".parse().unwrap(), far), None);
        assert_eq!(owner(&ROW.replace("48213", "0"), near, far), None);
        for other in ["", "sl local_address", "0: x:y z", "0: 0100007F:A2C4"] {
            assert_eq!(owner(other, near, far), None);
        }
    }

    #[test]
    fn the_number_that_stands_for_every_unknown_account_is_none() {
        let (near, far) = ("127.0.0.1:41668".parse().unwrap(), "127.0.0.1:7481".parse().unwrap());
        let others = owner(&ROW.replace(" 1001 ", " 65534 "), near, far).unwrap();
        assert_eq!(known(others, 65_534), None);
        assert_eq!(known(1001, 65_534), Some(1001));
        // Where the machine has another number for them.
        assert_eq!(known(1001, 1001), None);
    }

    #[test]
    fn a_connection_of_this_process_is_of_its_own_account() {
        for listen in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(listen) else {
                // A machine without IPv6.
                assert_eq!(listen, "[::1]:0");
                continue;
            };
            let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (stream, peer) = listener.accept().unwrap();
            let own = std::fs::metadata("/proc/self").unwrap().uid();
            assert_eq!(of(peer, stream.local_addr().unwrap()), Account(known(own, *OVERFLOW)));
            assert_eq!(
                of("192.0.2.1:9".parse().unwrap(), stream.local_addr().unwrap()),
                Account(None)
            );
        }
    }
}
