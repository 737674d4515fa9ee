//! A203: whoever answers at the sites' address is this aggregator, with its own certificate.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use rustls_pki_types::ServerName;
use snowball_service::{
    doctor::{Check, Finding},
    tls::{self, Mismatch},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use super::fault;
use crate::{
    config::{Config, split_address},
    home::Home,
};

const CHECK: Check = Check::new("A203", "address");
const CONNECT_SECONDS_MAX: u64 = 3;
const HANDSHAKE_SECONDS_MAX: u64 = 10;

pub async fn look(home: &Home, config: &Config, addresses: &[SocketAddr]) -> Finding {
    let address = &config.address;
    let Some(stream) = reached(addresses).await else {
        return if home.is_served().unwrap_or(false) {
            CHECK.look(
                format!("serve runs, but nothing answers at {address} from here"),
                "try from outside (hospital-node doctor there): many networks do not lead their own address back; else check the \
                 firewall and the forwarding of the port",
            )
        } else {
            CHECK.bad(
                format!("nothing answers at {address}"),
                "start aggregator serve; then check the firewall and the forwarding of the port",
            )
        };
    };
    match who(home, address, stream).await {
        Ok(None) => CHECK.good(format!("{address} answers with this aggregator's certificate")),
        Ok(Some(mismatch)) => {
            let (says, remedy) = words(address, &mismatch);
            CHECK.bad(says, remedy)
        }
        Err(error) => CHECK.of(Err(fault(
            &error,
            "something accepts connections there and does not speak TLS 1.3: is it aggregator serve? A balancer must pass TCP through",
        ))),
    }
}

async fn reached(addresses: &[SocketAddr]) -> Option<TcpStream> {
    for address in addresses {
        let connecting = timeout(Duration::from_secs(CONNECT_SECONDS_MAX), TcpStream::connect(address));
        if let Ok(Ok(stream)) = connecting.await {
            return Some(stream);
        }
    }
    None
}

/// What stands between, if anything, by the same look as a node takes at its first contact.
async fn who(home: &Home, address: &str, stream: TcpStream) -> Result<Option<Mismatch>> {
    let (client, sighting) = tls::watched_client(home.authorities()?.serving().fingerprint())?;
    let (host, _) = split_address(address)?;
    let name = ServerName::try_from(host).context("the host of the address is no name")?;
    let handshake = TlsConnector::from(Arc::new(client)).connect(name, stream);
    let shaken = timeout(Duration::from_secs(HANDSHAKE_SECONDS_MAX), handshake)
        .await
        .with_context(|| format!("{address} opens and says nothing"))?;
    match (shaken, sighting.mismatch()) {
        (_, Some(mismatch)) => Ok(Some(mismatch)),
        (shaken, None) => {
            shaken.with_context(|| format!("{address} opens and breaks off"))?;
            Ok(None)
        }
    }
}

fn words(address: &str, mismatch: &Mismatch) -> (String, &'static str) {
    match mismatch {
        Mismatch::OtherAuthority { issuer } => (
            format!("{address} shows a certificate by \"{issuer}\", not by this consortium's CA"),
            "TLS must end at aggregator serve: let the balancer or reverse proxy in front pass TCP through; or the address is another \
             machine's",
        ),
        Mismatch::OutOfTime { .. } => (
            format!("the certificate shown at {address} does not hold at this machine's time"),
            "compare the clock (A110); then aggregator renew",
        ),
        Mismatch::OtherName => (
            format!("the certificate shown at {address} is not for this name"),
            "add the name to names in aggregator.toml, then aggregator renew",
        ),
    }
}
