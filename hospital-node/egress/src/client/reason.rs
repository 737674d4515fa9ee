//! Why a connection broke, asked once more and without HTTP/2.
//!
//! In TLS 1.3 a server judges the client's certificate after the client believes the handshake over, so that its alert meets the
//! first request. Whether an HTTP/2 client then tells the alert or only that the connection closed depends on which came first.
//! Here the next bytes are read and nothing else happens, so that an alert that came is always told.

use std::{net::TcpStream, sync::Arc, time::Duration};

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::spawn_blocking,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    handshake,
    transport::ClientSettings,
    way::{self, Host, ProxyAddress},
};
use crate::error::{EgressError, Trouble};

/// For the whole question; the server's own time for a handshake is as long.
const PATIENCE: Duration = Duration::from_secs(10);

/// What stands between the two sides by the word of one of them, or `fault` where they have none.
pub(super) async fn asked(fault: EgressError, settings: &ClientSettings, tls: Arc<ClientConfig>) -> EgressError {
    match timeout(PATIENCE, trouble(settings.clone(), tls)).await {
        Ok(Some(trouble)) => EgressError::Handshake(trouble),
        _ => fault,
    }
}

async fn trouble(settings: ClientSettings, tls: Arc<ClientConfig>) -> Option<Trouble> {
    let target = Host::of_aggregator(&settings.address).ok()?;
    let name = ServerName::try_from(target.name.clone()).ok()?;
    let question = format!("GET /v1/health HTTP/1.1\r\nhost: {target}\r\nconnection: close\r\n\r\n");
    let stream = spawn_blocking(move || open(&settings, &target)).await.ok()??;
    let stream = tokio::net::TcpStream::from_std(stream).ok()?;
    let answer = async {
        let mut line = TlsConnector::from(tls).connect(name, stream).await?;
        line.write_all(question.as_bytes()).await?;
        line.flush().await?;
        line.read_u8().await
    };
    handshake::trouble(&answer.await.err()?)
}

fn open(settings: &ClientSettings, target: &Host) -> Option<TcpStream> {
    let to = |host| way::reach(&way::addresses(host).ok()?).ok();
    let stream = match &settings.proxy {
        None => to(target)?,
        Some(proxy) => {
            let proxy = ProxyAddress::parse(proxy).ok()?;
            way::tunnel(to(&proxy.host)?, &proxy, target).ok()?
        }
    };
    stream.set_nonblocking(true).ok()?;
    Some(stream)
}
