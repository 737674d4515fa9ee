//! Whoever is slow or comes with many connections takes what the bounds let them, and no more.

use std::{net::SocketAddr, time::Duration};

use axum::http::StatusCode;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

use crate::{
    Dashboard, Role, Settings,
    bounds::Bounds,
    trial::{Shown, Trial, about, pages},
};

/// Longer than any of the bounds of these tests, also on a busy machine.
const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);

struct Served {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl Served {
    async fn within(bounds: Bounds) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::local("127.0.0.1:0".parse().unwrap());
        let dashboard = Dashboard::open_within(bounds, about(), folder.path(), &settings).unwrap();
        let listener = settings.open().await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(async move {
            let stop = async {
                let _ = stopped.await;
            };
            dashboard.serve(listener, pages(Shown::default()), stop).await;
        });
        Self {
            address,
            stop: Some(stop),
            serving: Some(serving),
            _folder: folder,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    fn request(&self) -> String {
        format!("GET /enter HTTP/1.1\r\nHost: {}\r\n\r\n", self.address)
    }

    /// Whether the connection is served: it answers.
    async fn answers(&self, stream: &mut TcpStream) -> bool {
        if stream.write_all(self.request().as_bytes()).await.is_err() {
            return false;
        }
        let mut heard = [0; 8192];
        matches!(timeout(LONG, stream.read(&mut heard)).await.unwrap(), Ok(count) if count > 0)
    }

    async fn end(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        timeout(LONG, self.serving.take().unwrap()).await.unwrap().unwrap();
    }
}

/// Whether the other end closes a connection by itself.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut heard = Vec::new();
    timeout(LONG, stream.read_to_end(&mut heard)).await.is_ok()
}

#[tokio::test]
async fn the_newest_connection_is_answered_and_the_oldest_goes_where_there_are_too_many() {
    let bounds = Bounds {
        connections_max: 16,
        of_one_address_max: 4,
        ..Bounds::STANDARD
    };
    let served = Served::within(bounds).await;
    let mut streams = Vec::new();
    for _ in 0..7 {
        let mut stream = served.connect().await;
        assert!(served.answers(&mut stream).await);
        streams.push(stream);
    }
    let mut kept = streams.split_off(3);
    for pushed_out in &mut streams {
        assert!(is_closed(pushed_out).await);
    }
    for stream in &mut kept {
        assert!(served.answers(stream).await);
    }
    drop(kept);
    served.end().await;
}

#[tokio::test]
async fn all_addresses_together_have_a_bound() {
    let bounds = Bounds {
        connections_max: 3,
        of_one_address_max: 2,
        ..Bounds::STANDARD
    };
    let served = Served::within(bounds).await;
    let mut streams = Vec::new();
    for host in [1, 2, 3, 4] {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, host], 0))).unwrap();
        let mut stream = socket.connect(served.address).await.unwrap();
        assert!(served.answers(&mut stream).await);
        streams.push(stream);
    }
    assert!(
        is_closed(&mut streams[0]).await,
        "the fourth took the first one's place"
    );
    for stream in &mut streams[1..] {
        assert!(served.answers(stream).await);
    }
    drop(streams);
    served.end().await;
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_its_connection_also_the_next_one() {
    let bounds = Bounds {
        head_max: SHORT,
        ..Bounds::STANDARD
    };
    let served = Served::within(bounds).await;
    let mut silent = served.connect().await;
    assert!(is_closed(&mut silent).await);
    let mut half = served.connect().await;
    half.write_all(b"GET /enter HTTP/1.1\r\nHost: a").await.unwrap();
    assert!(is_closed(&mut half).await);
    let mut idle = served.connect().await;
    assert!(served.answers(&mut idle).await);
    assert!(is_closed(&mut idle).await);
    served.end().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let bounds = Bounds {
        body_max: SHORT,
        ..Bounds::STANDARD
    };
    let served = Served::within(bounds).await;
    let mut slow = served.connect().await;
    let address = served.address;
    let head = format!(
        "POST /enter HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nContent-Length: 100\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\nticket="
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut heard = [0; 64];
    let count = timeout(LONG, slow.read(&mut heard)).await.unwrap().unwrap();
    assert!(
        heard[..count].starts_with(b"HTTP/1.1 408 "),
        "{}",
        String::from_utf8_lossy(&heard)
    );
    served.end().await;
}

#[tokio::test]
async fn an_answer_that_nobody_reads_ends_its_connection() {
    let bounds = Bounds {
        stall_max: SHORT,
        ..Bounds::STANDARD
    };
    let served = Served::within(bounds).await;
    let mut deaf = served.connect().await;
    let many = served.request().repeat(100);
    // It asks on and reads nothing, until the other end has gone.
    let asking = async { while deaf.write_all(many.as_bytes()).await.is_ok() {} };
    assert!(timeout(LONG, asking).await.is_ok());
    let mut other = served.connect().await;
    assert!(served.answers(&mut other).await);
    drop(other);
    served.end().await;
}

#[tokio::test]
async fn an_answer_that_is_never_made_is_not_waited_for() {
    let bounds = Bounds {
        answer_max: SHORT,
        ..Bounds::STANDARD
    };
    let trial = Trial::open_within(bounds, |_, settings| settings);
    let session = trial.enter(Role::Acts).await;
    let get = timeout(LONG, trial.get("/endless", Some(&session))).await.unwrap();
    assert_eq!(get.status, StatusCode::GATEWAY_TIMEOUT);
    let post = timeout(LONG, trial.post("/endless", Some(&session), "")).await.unwrap();
    assert_eq!(post.status, StatusCode::GATEWAY_TIMEOUT);
    assert!(get.headers.contains_key("content-security-policy"));
}
