//! Who lives and who can work, as a supervisor asks both programs: not before the aggregator answers, not once it is asked to stop.

use std::{fs, sync::Arc, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use snowball_tests::free_port;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::{peer::tls_of, stage::Stage};

/// The answer to a path; `None` where nobody listens.
pub async fn ask(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer)
}

/// Waits until a path is answered so.
async fn answers(stage: &Stage, port: u16, path: &str, status: &str, words: &str) {
    let mut last = None;
    for _ in 0..200 {
        last = ask(port, path).await;
        let holds = |answer: &String| answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.ends_with(words);
        if last.as_ref().is_some_and(holds) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{path} never answers {status} {words}, but {last:?}\n{}", stage.logs());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_ready_once_it_is_answered_and_an_aggregator_until_it_is_asked_to_stop() {
    let mut stage = Stage::set(1, 1, 12).await;
    stage.settle().await;
    stage.aggregator.take().unwrap().end().await.unwrap();
    let north = stage.consortium.sites[0].clone();
    let ports = [free_port().unwrap(), free_port().unwrap()];
    for (file, port) in [
        (stage.consortium.aggregator_home().join("aggregator.toml"), ports[0]),
        (north.home.join("node.toml"), ports[1]),
    ] {
        let before = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{before}\n[metrics]\nlisten = \"127.0.0.1:{port}\"\n")).unwrap();
    }
    // The node lives, and waits for an aggregator that is not there.
    let node = stage.consortium.run_node(&north, "story", &stage.hear).unwrap();
    answers(&stage, ports[1], "/healthz", "200", "alive\n").await;
    answers(
        &stage,
        ports[1],
        "/readyz",
        "503",
        "the aggregator has not answered yet\n",
    )
    .await;
    assert!(ask(ports[0], "/healthz").await.is_none());

    let aggregator = stage.consortium.serve(stage.port, &stage.hear).await.unwrap();
    answers(&stage, ports[0], "/readyz", "200", "ready\n").await;
    answers(&stage, ports[1], "/readyz", "200", "ready\n").await;

    // A request that is not over keeps the aggregator for a moment after it was asked to stop; it takes no other then.
    let mut tls = tls_of(&north);
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let stream = TcpStream::connect(("127.0.0.1", stage.port)).await.unwrap();
    let mut held = TlsConnector::from(Arc::new(tls))
        .connect("localhost".try_into().unwrap(), stream)
        .await
        .unwrap();
    held.write_all(b"GET /v1/studies HTTP/1.1\r\nhost: local")
        .await
        .unwrap();
    held.flush().await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    kill(
        Pid::from_raw(i32::try_from(aggregator.id().unwrap()).unwrap()),
        Signal::SIGTERM,
    )
    .unwrap();
    answers(&stage, ports[0], "/readyz", "503", "stopping\n").await;
    answers(&stage, ports[0], "/healthz", "200", "alive\n").await;
    aggregator.end().await.unwrap();
    assert!(ask(ports[0], "/healthz").await.is_none());
    // What it lacks does not end the node.
    answers(&stage, ports[1], "/healthz", "200", "alive\n").await;
    node.end().await.unwrap();
}
