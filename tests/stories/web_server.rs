//! A DICOMweb server with one instance, and with moods: it refuses as told before it answers.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex},
    time::Instant,
};

use snowball_tests::free_port;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What it tells instead of an answer: a status line's end and what `Retry-After` says.
pub type Refusal = (&'static str, &'static str);

/// A server on loopback. Dropped, it ends.
pub struct WebServer {
    pub url: String,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    /// For queries, then for the instance.
    refusals: [VecDeque<Refusal>; 2],
    /// When the instance was asked for.
    asked: Vec<Instant>,
    body: Vec<u8>,
}

impl WebServer {
    /// Serves the file at `path` as the one instance of any day.
    pub async fn start(path: &Path) -> Self {
        let port = free_port().unwrap();
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let mut body = b"--edge\r\nContent-Type: application/dicom\r\n\r\n".to_vec();
        body.extend(std::fs::read(path).unwrap());
        body.extend(b"\r\n--edge--\r\n");
        let state = Arc::new(Mutex::new(State {
            body,
            ..State::default()
        }));
        let shared = Arc::clone(&state);
        let serving = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(answer(tcp, Arc::clone(&shared)));
            }
        });
        Self {
            url: format!("http://127.0.0.1:{port}/dicom-web"),
            state,
            serving,
        }
    }

    /// Refuses the next queries, and the next requests for the instance, in this order.
    pub fn refuse(&self, queries: &[Refusal], instance: &[Refusal]) {
        let mut state = self.state.lock().unwrap();
        state.refusals = [queries, instance].map(|refusals| refusals.iter().copied().collect());
        state.asked.clear();
    }

    /// When the instance was asked for since.
    pub fn asked(&self) -> Vec<Instant> {
        self.state.lock().unwrap().asked.clone()
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(mut tcp: TcpStream, state: Arc<Mutex<State>>) {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < 16_384 {
        match tcp.read_buf(&mut request).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let (status, headers, body) = state.lock().unwrap().decide(&path);
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = tcp.write_all(head.as_bytes()).await;
    let _ = tcp.write_all(&body).await;
    let _ = tcp.shutdown().await;
}

impl State {
    fn decide(&mut self, path: &str) -> (&'static str, String, Vec<u8>) {
        let is_instance = !path.contains('?');
        if is_instance {
            self.asked.push(Instant::now());
        }
        if let Some((status, after)) = self.refusals[usize::from(is_instance)].pop_front() {
            return (status, format!("Retry-After: {after}\r\n"), Vec::new());
        }
        if is_instance {
            let kind = "Content-Type: multipart/related; type=\"application/dicom\"; boundary=edge\r\n";
            return ("200 OK", kind.to_owned(), self.body.clone());
        }
        let json = "Content-Type: application/dicom+json\r\n".to_owned();
        let answers = match path {
            _ if !path.ends_with("offset=0") => "[]",
            _ if path.contains("/instances") => r#"[{"00080018":{"vr":"UI","Value":["2.25.3"]}}]"#,
            _ if path.contains("/series") => {
                r#"[{"0020000E":{"vr":"UI","Value":["2.25.2"]},"00080060":{"vr":"CS","Value":["DX"]}}]"#
            }
            _ => r#"[{"0020000D":{"vr":"UI","Value":["2.25.1"]}}]"#,
        };
        ("200 OK", json, answers.into())
    }
}
