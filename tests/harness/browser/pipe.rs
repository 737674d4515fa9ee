//! The DevTools protocol over the browser's descriptors 3 and 4: JSON texts, each ended by a zero byte.

use std::{
    collections::HashMap,
    path::Path,
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{Mutex as Turns, oneshot},
    time::timeout,
};

/// How long the browser may take for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// What a page said that is kept, in lines.
const SAID_MAX: usize = 1000;

/// The browser's end of the line. Clones are the same one.
#[derive(Clone)]
pub struct Pipe(Arc<Inner>);

struct Inner {
    ears: Turns<ChildStdin>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Value>>>,
    /// What pages complained about: the session and a line.
    said: Mutex<Vec<(String, String)>>,
    next: AtomicU64,
    _child: Child,
}

impl Pipe {
    /// Starts the browser with a folder for everything that it keeps.
    pub fn start(program: &Path, profile: &Path) -> Result<Self> {
        // Standard input and output become the descriptors that the browser speaks through.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1"])
            .arg(program)
            .args([
                "--headless=new",
                "--remote-debugging-pipe",
                // Tests run as root in containers; the pages are our own.
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-default-apps",
                "--disable-sync",
                "--no-first-run",
                "--no-default-browser-check",
                "--mute-audio",
                "--force-device-scale-factor=1",
                // A certificate of a test is nobody's that a browser knows.
                "--ignore-certificate-errors",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let ears = child.stdin.take().context("no way to the browser")?;
        let mouth = child.stdout.take().context("no way from the browser")?;
        let inner = Arc::new(Inner {
            ears: Turns::new(ears),
            waiting: Mutex::default(),
            said: Mutex::default(),
            next: AtomicU64::new(1),
            _child: child,
        });
        // The listener holds no part of the browser: it ends when the browser does.
        tokio::spawn(listen(mouth, Arc::downgrade(&inner)));
        Ok(Self(inner))
    }

    /// Asks for something and waits for the answer.
    pub async fn ask(&self, session: Option<&str>, method: &str, parameters: Value) -> Result<Value> {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let mut wish = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = session {
            wish["sessionId"] = session.into();
        }
        let (answer, answered) = oneshot::channel();
        lock(&self.0.waiting).insert(id, answer);
        let mut text = wish.to_string().into_bytes();
        text.push(0);
        {
            let mut ears = self.0.ears.lock().await;
            ears.write_all(&text).await?;
            ears.flush().await?;
        }
        let answer = timeout(ANSWER_MAX, answered)
            .await
            .with_context(|| format!("the browser does not answer to {method}"))?;
        let mut answer = answer.context("the browser has ended")?;
        if let Some(error) = answer.get("error") {
            bail!("{method}: {error}");
        }
        Ok(answer["result"].take())
    }

    /// What the pages of a tab complained about since this was asked last.
    pub fn complaints(&self, session: &str) -> Vec<String> {
        let mut said = lock(&self.0.said);
        let (own, others) = said.drain(..).partition(|(of, _)| of == session);
        *said = others;
        let own: Vec<(String, String)> = own;
        own.into_iter().map(|(_, line)| line).collect()
    }
}

async fn listen(mouth: ChildStdout, inner: std::sync::Weak<Inner>) {
    let mut mouth = BufReader::new(mouth);
    let mut text = Vec::new();
    while let Ok(count) = mouth.read_until(0, &mut text).await {
        let Some(inner) = inner.upgrade().filter(|_| count > 0) else {
            break;
        };
        text.pop();
        if let Ok(message) = serde_json::from_slice::<Value>(&text) {
            hear(&inner, message);
        }
        text.clear();
    }
    if let Some(inner) = inner.upgrade() {
        // Nobody waits for a browser that is gone.
        lock(&inner.waiting).clear();
    }
}

fn hear(inner: &Inner, message: Value) {
    if let Some(id) = message["id"].as_u64() {
        if let Some(waiting) = lock(&inner.waiting).remove(&id) {
            let _ = waiting.send(message);
        }
        return;
    }
    let parameters = &message["params"];
    let line = match message["method"].as_str() {
        Some("Log.entryAdded") => {
            let entry = &parameters["entry"];
            format!("{}: {} {}", entry["source"], entry["text"], entry["url"])
        }
        Some("Runtime.exceptionThrown") => format!("exception: {}", parameters["exceptionDetails"]),
        Some("Runtime.consoleAPICalled") if parameters["type"] == "error" => {
            format!("console: {}", parameters["args"])
        }
        _ => return,
    };
    let mut said = lock(&inner.said);
    if said.len() < SAID_MAX {
        said.push((message["sessionId"].as_str().unwrap_or_default().to_owned(), line));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
