//! The listener itself: real connections.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot,
    time::{Instant, timeout},
};

use crate::{
    Dashboard, Role, Settings,
    account::Account,
    trial::{Shown, about, pages},
};

async fn ask(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = timeout(Duration::from_secs(3), stream.read_to_string(&mut answer)).await;
    answer
}

/// The account of this process, which is that of its connections.
fn own_account() -> Account {
    use std::os::unix::fs::MetadataExt as _;
    Account(Some(std::fs::metadata("/proc/self").unwrap().uid()))
}

#[tokio::test]
async fn a_dashboard_serves_and_ends_its_streams_when_it_is_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::local("127.0.0.1:0".parse().unwrap());
    let dashboard = Dashboard::open(about(), folder.path(), &settings).unwrap();
    let listener = settings.open().await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = dashboard.clone();
    let serving = tokio::spawn(async move {
        let stop = async {
            let _ = stopped.await;
        };
        server.serve(listener, pages(Shown::default()), stop).await;
    });

    let page = ask(
        address,
        &format!("GET /enter HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
    )
    .await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    let other = ask(
        address,
        "GET /enter HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(other.starts_with("HTTP/1.1 421 "), "{other}");
    let long = format!(
        "GET /enter HTTP/1.1\r\nHost: {address}\r\nX: {}\r\n\r\n",
        "x".repeat(64 * 1024)
    );
    let answer = ask(address, &long).await;
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");

    let ticket = dashboard
        .0
        .tickets
        .make(&about(), Role::Reads, None, snowball_service::clock::now())
        .unwrap();
    let grant = dashboard
        .0
        .tickets
        .take(&about(), ticket.as_str(), snowball_service::clock::now())
        .unwrap();
    let value = dashboard
        .0
        .sessions
        .begin(grant, own_account(), std::time::Instant::now())
        .unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\nCookie: {}={value}\r\n\r\n",
        dashboard.0.cookies.session_name()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut heard = vec![0; 64 * 1024];
    let count = timeout(Duration::from_secs(3), stream.read(&mut heard))
        .await
        .unwrap()
        .unwrap();
    assert!(String::from_utf8_lossy(&heard[..count]).contains("text/event-stream"));

    let begun = Instant::now();
    stop.send(()).unwrap();
    let mut rest = Vec::new();
    timeout(Duration::from_secs(4), stream.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    timeout(Duration::from_secs(6), serving).await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert!(TcpStream::connect(address).await.is_err());
}
