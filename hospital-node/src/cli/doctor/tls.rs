//! N204: whoever answers is the aggregator, unopened: TLS 1.3 to a certificate of the consortium's CA.

use anyhow::Result;
use snowball_egress::{
    EgressError,
    client::way::{Seen, Stranger},
};
use snowball_service::doctor::{Check, Finding};

const CHECK: Check = Check::new("N204", "tls");

pub fn look(seen: &Result<Result<Seen, EgressError>>) -> Finding {
    let seen = match seen {
        Ok(Ok(seen)) => seen,
        Ok(Err(fault)) => return silent(fault),
        Err(fault) => return silent(fault),
    };
    match seen {
        Seen::Aggregator { .. } => CHECK.good("TLS 1.3, unopened: a certificate of the consortium's CA"),
        Seen::OutOfTime { .. } => CHECK.bad(
            "the aggregator's certificate does not hold at this machine's time",
            "set this machine's clock (N206); where that is right, ask the coordinator for aggregator doctor",
        ),
        Seen::OtherName => CHECK.bad(
            "this is the aggregator, but its certificate is not for the address that this node asks",
            "ask the coordinator to add the address to `names` in aggregator.toml and to run aggregator renew",
        ),
        Seen::Stranger { issuer, likely } => stranger(issuer, *likely),
    }
}

fn silent(fault: impl std::fmt::Display) -> Finding {
    CHECK.bad(
        format!("the port opens and nobody answers by TLS 1.3: {fault}"),
        "ask the coordinator whether aggregator serve runs at this address; if it does, ask network IT which device on the way ends \
         connections that it does not know, and for an exception for this host and port",
    )
}

fn stranger(issuer: &str, likely: Stranger) -> Finding {
    let shown = format!("the certificate that was shown is by \"{issuer}\", not by the consortium's CA");
    match likely {
        Stranger::Inspection => CHECK.bad(
            format!("TLS is inspected on the way: {shown}"),
            "ask network IT to exempt this host and port from TLS inspection: the connection works only unopened, since the node proves \
             who it is by a key that no proxy has (hospital-node doctor --explain says why)",
        ),
        Stranger::OtherConsortium => CHECK.bad(
            format!("this is the aggregator of another consortium, or one that was made anew: {shown}"),
            "ask the coordinator whether the address is right, and for a new invitation",
        ),
        Stranger::Unknown => CHECK.bad(
            format!("TLS is inspected on the way, or the address is another host's: {shown}"),
            "ask network IT whether they know this issuer: if TLS is inspected, for an exception for this host and port (hospital-node \
             doctor --explain says why); if it is not, tell the coordinator",
        ),
    }
}

#[cfg(test)]
mod tests {
    use snowball_service::doctor::State;

    use super::*;

    #[test]
    fn whoever_stands_in_between_is_named() {
        let said = |likely| {
            look(&Ok(Ok(Seen::Stranger {
                issuer: "CN=Hospital Inspection CA".to_owned(),
                likely,
            })))
        };
        for likely in [Stranger::Inspection, Stranger::OtherConsortium, Stranger::Unknown] {
            let finding = said(likely);
            assert_eq!(finding.state, State::Bad);
            assert!(finding.says.contains("\"CN=Hospital Inspection CA\""), "{finding:?}");
        }
        assert!(
            said(Stranger::Inspection)
                .remedy
                .unwrap()
                .contains("exempt this host and port")
        );
        assert_eq!(look(&Ok(Ok(Seen::Aggregator { clock: 0 }))).state, State::Good);
    }
}
