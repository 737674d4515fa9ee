//! The listener: `GET /metrics`, whether the program lives and whether it is ready, and nothing else; a few connections at a time, one
//! request each.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};

/// Where the page lies.
pub const PATH: &str = "/metrics";
/// Answers as long as the process does.
pub const ALIVE_PATH: &str = "/healthz";
/// Answers well only when the program can do its work.
pub const READY_PATH: &str = "/readyz";

/// Whether a program can do its work now; else why not, in a word or two that hold no name.
pub type Readiness = Result<(), &'static str>;

/// Readers of the page at once; one more is told to come later.
const READERS_MAX: usize = 4;
/// Connections at once, so that places are kept for probes: the page waits for other work of the program, and whoever asks whether it
/// lives must not wait for the page.
const CONNECTIONS_MAX: usize = READERS_MAX + 4;
/// Longest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// How long a reader may take, for its request and for the answer.
const READER_SECONDS_MAX: u64 = 10;

/// Gives out the page that `write` writes, anew for each reader, and whether the program is `ready`, until it is dropped. `None`: it
/// cannot be written now.
pub async fn serve<F>(
    listener: TcpListener,
    write: impl Fn() -> F + Send + Sync + 'static,
    ready: impl Fn() -> Readiness + Send + Sync + 'static,
) where
    F: Future<Output = Option<String>> + Send + 'static,
{
    let readers = Semaphore::new(READERS_MAX);
    let (places, answers) = (
        Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        Arc::new((write, ready, readers)),
    );
    loop {
        // Nobody closes the semaphore.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let answers = Arc::clone(&answers);
                tokio::spawn(async move {
                    let (write, ready, readers) = &*answers;
                    // A reader that is too slow or leaves is no business of ours.
                    let _ = timeout(
                        Duration::from_secs(READER_SECONDS_MAX),
                        answer(stream, write, ready, readers),
                    )
                    .await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a reader of metrics could not be let in");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn answer<F>(
    mut stream: TcpStream,
    write: &(impl Fn() -> F + Sync),
    ready: &(impl Fn() -> Readiness + Sync),
    readers: &Semaphore,
) -> std::io::Result<()>
where
    F: Future<Output = Option<String>> + Send,
{
    let (status, body) = match read_head(&mut stream).await?.as_deref().map(asked) {
        Some(Asked::Page) => match readers.try_acquire() {
            Ok(_reader) => match write().await {
                Some(page) => ("200 OK", page),
                None => ("503 Service Unavailable", "not now; the log says why\n".to_owned()),
            },
            Err(_) => (
                "503 Service Unavailable",
                "too many read the page at once; come later\n".to_owned(),
            ),
        },
        Some(Asked::Alive) => ("200 OK", "alive\n".to_owned()),
        Some(Asked::Ready) => match ready() {
            Ok(()) => ("200 OK", "ready\n".to_owned()),
            Err(why) => ("503 Service Unavailable", format!("not ready: {why}\n")),
        },
        Some(Asked::Elsewhere) => (
            "404 Not Found",
            format!("there are {PATH}, {ALIVE_PATH} and {READY_PATH}, and nothing else\n"),
        ),
        Some(Asked::Otherwise) => ("405 Method Not Allowed", "GET and nothing else\n".to_owned()),
        None => ("400 Bad Request", "this is no request\n".to_owned()),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {length}\r\n\
         Connection: close\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// The request up to its empty line; `None` where it is too long, ends before or is no text.
async fn read_head(stream: &mut TcpStream) -> std::io::Result<Option<String>> {
    let (mut head, mut block) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let count = stream.read(&mut block).await?;
        if count == 0 || head.len() + count > HEAD_BYTES_MAX {
            return Ok(None);
        }
        head.extend_from_slice(&block[..count]);
    }
    Ok(String::from_utf8(head).ok())
}

#[derive(PartialEq, Eq, Debug)]
enum Asked {
    Page,
    Alive,
    Ready,
    Elsewhere,
    Otherwise,
}

fn asked(head: &str) -> Asked {
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let (method, target) = (words.next(), words.next().unwrap_or_default());
    match (method, target.split('?').next()) {
        (Some("GET"), Some(PATH)) => Asked::Page,
        (Some("GET"), Some(ALIVE_PATH)) => Asked::Alive,
        (Some("GET"), Some(READY_PATH)) => Asked::Ready,
        (Some("GET"), _) => Asked::Elsewhere,
        _ => Asked::Otherwise,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_page_is_given_and_only_by_get() {
        assert_eq!(asked("GET /metrics HTTP/1.1\r\n\r\n"), Asked::Page);
        assert_eq!(asked("GET /metrics?a=b HTTP/1.1\r\n\r\n"), Asked::Page);
        assert_eq!(asked("GET /healthz HTTP/1.1"), Asked::Alive);
        assert_eq!(asked("GET /readyz HTTP/1.1"), Asked::Ready);
        for elsewhere in [
            "GET / HTTP/1.1",
            "GET /metrics/ HTTP/1.1",
            "GET",
            "GET //metrics HTTP/1.0",
        ] {
            assert_eq!(asked(elsewhere), Asked::Elsewhere, "{elsewhere}");
        }
        for otherwise in ["POST /metrics HTTP/1.1", "", "get /metrics"] {
            assert_eq!(asked(otherwise), Asked::Otherwise, "{otherwise}");
        }
    }

    async fn ask(address: std::net::SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let _ = stream.shutdown().await;
        let mut answer = String::new();
        // A request that is too long is answered before it was read whole, and may be cut off.
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn who_waits_for_the_page_keeps_no_probe_waiting() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, is_asked) = tokio::sync::watch::channel(0);
        let asked = Arc::new(asked);
        let write = move || {
            asked.send_modify(|count| *count += 1);
            std::future::pending::<Option<String>>()
        };
        let served = tokio::spawn(serve(listener, write, || Ok(())));
        let mut readers = Vec::new();
        for _ in 0..READERS_MAX {
            let mut reader = TcpStream::connect(address).await.unwrap();
            reader.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").await.unwrap();
            readers.push(reader);
        }
        let mut is_asked = is_asked;
        is_asked.wait_for(|count| *count == READERS_MAX).await.unwrap();
        for _ in 0..3 * CONNECTIONS_MAX {
            let more = ask(address, b"GET /metrics HTTP/1.1\r\n\r\n").await;
            assert!(more.starts_with("HTTP/1.1 503 "), "{more}");
            for probe in ["/healthz", "/readyz"] {
                let answer = ask(address, format!("GET {probe} HTTP/1.1\r\n\r\n").as_bytes()).await;
                assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
            }
        }
        served.abort();
    }

    #[tokio::test]
    async fn readers_get_the_page_and_nonsense_gets_an_answer_and_costs_no_place() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = tokio::spawn(serve(listener, || async { Some("page 1\n".to_owned()) }, || Ok(())));
        for _ in 0..3 * READERS_MAX {
            let half = ask(address, b"GET /metr").await;
            assert!(half.starts_with("HTTP/1.1 400 "), "{half}");
            let strange = ask(address, b"\xff\xfe\r\n\r\n").await;
            assert!(strange.starts_with("HTTP/1.1 400 "), "{strange}");
        }
        ask(address, &[b'a'; 3 * HEAD_BYTES_MAX]).await;
        let page = ask(address, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
        assert!(page.ends_with("\r\n\r\npage 1\n"), "{page}");
        served.abort();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = tokio::spawn(serve(listener, || async { None }, || Err("starting")));
        let none = ask(address, b"GET /metrics HTTP/1.1\r\n\r\n").await;
        assert!(none.starts_with("HTTP/1.1 503 "), "{none}");
        let not_ready = ask(address, b"GET /readyz HTTP/1.1\r\n\r\n").await;
        assert!(
            not_ready.starts_with("HTTP/1.1 503 ") && not_ready.ends_with("not ready: starting\n"),
            "{not_ready}"
        );
        let alive = ask(address, b"GET /healthz HTTP/1.1\r\n\r\n").await;
        assert!(alive.starts_with("HTTP/1.1 200 OK"), "{alive}");
        served.abort();
    }
}
