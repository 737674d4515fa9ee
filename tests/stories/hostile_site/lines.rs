//! What is done to connections: floods, bodies without an end, bytes that come one at a time. The honest round goes on meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use snowball_egress::EgressError;
use snowball_protocol::{Problem, ProblemCode, limits::JSON_BYTES_MAX, session::StudySummary};
use snowball_service::tls;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinSet,
    time::sleep,
};

use super::{Scene, frames, frames::Way, is_sound};
use crate::peer::{Peer, tls_of};

/// Room on the server; three quarters of it are for sites.
const CONNECTIONS_MAX: u32 = 128;
/// How long each flood lasts.
const FLOOD: Duration = Duration::from_secs(4);

impl Scene {
    /// The hostile site's way, from an address of its own.
    fn hostile(&self, alpn: &str) -> Way {
        Way::new(&tls_of(&self.stage.consortium.sites[2]), alpn, self.stage.port, 66)
    }

    /// The way of somebody without a certificate, from the address of the honest sites or from others.
    fn stranger(&self, alpn: &str, from: u8) -> Way {
        let ca = std::fs::read_to_string(self.stage.consortium.sites[2].home.join("certs/ca.pem")).unwrap();
        let fingerprint = tls::certificate_fingerprint(&ca).unwrap();
        Way::new(&tls::pinned_client(fingerprint).unwrap(), alpn, self.stage.port, from)
    }

    /// A node that begins anew gets through, whoever else is connected.
    async fn an_honest_site_connects_anew(&self) {
        let begun = Instant::now();
        let mut anew = Peer::of(&self.stage.consortium.sites[0], self.stage.port, 0);
        for _ in 0..100 {
            match anew.transport.get::<Vec<StudySummary>>("v1/studies").await {
                Ok(_) => {
                    anew.show_head().await;
                    eprintln!(
                        "an honest site connected anew within {:.2} s",
                        begun.elapsed().as_secs_f64()
                    );
                    return;
                }
                Err(fault) if fault.is_transient() => sleep(Duration::from_millis(100)).await,
                Err(fault) => panic!("an honest site is refused: {fault}"),
            }
        }
        panic!("an honest site cannot connect");
    }
}

fn problem_of(answer: &str) -> Problem {
    let body = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {answer:?}"))
        .1;
    let problem: Problem = serde_json::from_str(body).unwrap_or_else(|_| panic!("not in our words: {answer:?}"));
    assert!(is_sound(&problem), "{problem}");
    problem
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_without_end_and_documents_to_drown_in_are_refused_in_our_own_words() {
    let scene = Scene::set(1, CONNECTIONS_MAX, |_| ()).await;
    let (before, way) = (scene.memory().0, scene.hostile("http/1.1"));
    let head = |request: &str, more: &str| {
        format!("{request} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{more}\r\n\r\n")
    };
    let post = "POST /v1/studies/story/rounds/1/updates";
    // Chunks that never end: 64 MiB of them would come.
    let endless = [
        head(post, "transfer-encoding: chunked").into_bytes(),
        b"10000\r\n"
            .iter()
            .chain([b' '; 0x10000].iter())
            .chain(b"\r\n")
            .copied()
            .collect::<Vec<u8>>()
            .repeat(1024),
    ]
    .concat();
    assert_eq!(problem_of(&way.say(&endless).await).code, ProblemCode::TooLarge);
    let deep = "[".repeat(JSON_BYTES_MAX - 1);
    for (body, code) in [
        (deep.clone(), ProblemCode::Malformed),
        (format!("{{\"study\":{deep}"), ProblemCode::TooLarge),
        ("{\"study\":".repeat(20_000), ProblemCode::Malformed),
        ("\u{0}".repeat(100), ProblemCode::Malformed),
    ] {
        let words = head(post, &format!("content-length: {}", body.len())) + &body;
        assert_eq!(problem_of(&way.say(words.as_bytes()).await).code, code);
    }
    // An upload whose body goes on behind what was announced.
    let model = scene.wrong.model(&scene.plan, 1).await;
    let (header, bytes) = Peer::update(&scene.plan, &model, 1, &super::honest(&scene.plan, 2, 1));
    let state = scene.wrong.announce(&header).await.unwrap();
    let patch = format!("PATCH /v1/uploads/{}?offset=0", state.upload.0);
    let much = bytes.repeat(600);
    let longer = [
        head(&patch, "transfer-encoding: chunked").as_bytes(),
        b"ffffff0\r\n",
        &much,
    ]
    .concat();
    assert_eq!(problem_of(&way.say(&longer).await).code, ProblemCode::TooLarge);
    // Heads that are no heads are answered by HTTP alone or not at all, and the connection ends.
    let huge = head("GET /v1/studies", &format!("x: {}", "y".repeat(2 << 20)));
    let many = head("GET /v1/studies", &"x: y\r\n".repeat(50_000));
    for words in [huge, many, "\r\n".repeat(100_000), "GET".repeat(100_000)] {
        let answer = way.say(words.as_bytes()).await;
        assert!(
            !answer.starts_with("HTTP/1.1 200"),
            "{}",
            &answer[..answer.len().min(200)]
        );
    }
    scene.honest_round(1).await;
    let (with, without) = scene.models(1).await;
    assert_eq!(with, without);
    scene.expect_bounded(before, "bodies without an end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_that_is_spoken_to_harm_ends_its_own_connection_alone() {
    let scene = Scene::set(1, CONNECTIONS_MAX, |_| ()).await;
    let (before, way) = (scene.memory().0, scene.hostile("h2"));
    const ENHANCE_YOUR_CALM: Option<u32> = Some(11);
    let resets = way.frames(frames::rapid_resets).await;
    eprintln!("rapid resets: {resets:?}");
    assert_eq!(resets.goaway, ENHANCE_YOUR_CALM, "{resets:?}");
    let continuations = way.frames(frames::continuations).await;
    eprintln!("continuations: {continuations:?}");
    assert_eq!(continuations.goaway, ENHANCE_YOUR_CALM, "{continuations:?}");
    let huge = way.frames(frames::huge_head).await;
    eprintln!("a huge head: {huge:?}");
    assert!(huge.goaway.is_some(), "{huge:?}");
    // Of these the first ones are answered; they end when the site's newer connections push this one out.
    let many = way.frames(frames::many_streams);
    let newer = async {
        sleep(Duration::from_secs(1)).await;
        scene.honest_round(1).await;
        scene.an_honest_site_connects_anew().await;
        let mut newer = Vec::new();
        for _ in 0..8 {
            newer.push(way.shaken().await);
        }
        newer
    };
    let (many, _) = tokio::join!(many, newer);
    eprintln!("many streams: {many:?}");
    assert!(many.resets > 0 || many.goaway.is_some(), "{many:?}");
    let (with, without) = scene.models(1).await;
    assert_eq!(with, without);
    scene.expect_bounded(before, "HTTP/2 to harm");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_held_open_shut_out_nobody() {
    let scene = Scene::set(1, CONNECTIONS_MAX, |_| ()).await;
    let before = scene.memory().0;
    // Three times the server's places, from many addresses and from the one of the honest sites, in every stage of a connection.
    let mut held = Vec::new();
    for number in 0..CONNECTIONS_MAX {
        let from = if number % 2 == 0 { 1 } else { 10 + (number % 50) as u8 };
        let bare = scene.stranger("http/1.1", from);
        held.push(trickle(
            bare.tcp().await.unwrap(),
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(9),
        ));
        if let Ok(stream) = bare.shaken().await {
            held.push(trickle(
                stream,
                b"POST /v1/enrolments HTTP/1.1\r\nhost: localhost\r\n".to_vec(),
            ));
        }
        let site = scene.hostile(if number % 2 == 0 { "h2" } else { "http/1.1" });
        if let Ok(stream) = site.shaken().await {
            held.push(trickle(
                stream,
                b"GET /v1/studies HTTP/1.1\r\nhost: localhost\r\nx: ".to_vec(),
            ));
        }
    }
    // One upload whose bytes come one at a time; a newer request has its turn.
    let model = scene.wrong.model(&scene.plan, 1).await;
    let (header, _) = Peer::update(&scene.plan, &model, 1, &super::honest(&scene.plan, 2, 1));
    let upload = scene.wrong.announce(&header).await.unwrap().upload;
    let words = format!(
        "PATCH /v1/uploads/{}?offset=0 HTTP/1.1\r\nhost: localhost\r\ncontent-length: 50000\r\n\r\n",
        upload.0
    );
    let mut slow = scene.hostile("http/1.1").shaken().await.unwrap();
    slow.write_all(words.as_bytes()).await.unwrap();
    held.push(trickle(slow, vec![0; 5000]));

    scene.an_honest_site_connects_anew().await;
    scene.honest_round(1).await;
    let (with, without) = scene.models(1).await;
    assert_eq!(with, without);
    let ended = held.iter().filter(|connection| connection.is_finished()).count();
    eprintln!("{} connections were held open, {ended} of them are closed", held.len());
    assert!(
        ended > CONNECTIONS_MAX as usize,
        "{ended} of {} were pushed out",
        held.len()
    );
    scene.expect_bounded(before, "connections held open");
    held.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Sends `bytes` one at a time, one in two seconds, until the server has enough of it.
fn trickle(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    bytes: Vec<u8>,
) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let (mut from, mut to) = tokio::io::split(stream);
        let closed = async move {
            let mut answer = [0; 512];
            while matches!(from.read(&mut answer).await, Ok(count) if count > 0) {}
        };
        let speak = async move {
            for byte in bytes {
                if to.write_all(&[byte]).await.is_err() || to.flush().await.is_err() {
                    return;
                }
                sleep(Duration::from_secs(2)).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = closed => {}
            () = speak => {}
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_requests_or_handshakes_costs_its_sender_and_not_the_round() {
    let scene = Arc::new(Scene::set(2, CONNECTIONS_MAX, |_| ()).await);
    let before = scene.memory().0;

    let counts = Arc::new(Counts::default());
    let mut flood = JoinSet::new();
    // Each with a connection of its own, and together more requests than a site may have open at once. They connect before the first
    // one floods: then there is no room.
    let mut ways = Vec::new();
    for _ in 0..8 {
        let way = Arc::new(Peer::of(&scene.stage.consortium.sites[2], scene.stage.port, 2).transport);
        way.get::<Vec<StudySummary>>("v1/studies").await.unwrap();
        ways.push(way);
    }
    for way in ways.iter().cycle().take(16 * ways.len()) {
        flood.spawn(ask(Arc::clone(way), Arc::clone(&counts)));
    }
    scene.honest_round(1).await;
    scene.an_honest_site_connects_anew().await;
    flood.join_all().await;
    let [answered, refused, broken] = counts.all();
    eprintln!("requests by one certificate in {FLOOD:?}: {answered} answered, {refused} refused, {broken} broken off");
    assert!(refused > 0, "a site may ask without bound");

    let shaken = Arc::new(AtomicUsize::new(0));
    let mut flood = JoinSet::new();
    for number in 0..32 {
        let (way, shaken) = (scene.stranger("h2", 70 + number), Arc::clone(&shaken));
        flood.spawn(async move {
            let end = Instant::now() + FLOOD;
            while Instant::now() < end {
                if way.shaken().await.is_ok() {
                    shaken.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    scene.an_honest_site_connects_anew().await;
    scene.honest_round(2).await;
    flood.join_all().await;
    let shaken = shaken.load(Ordering::Relaxed);
    eprintln!("handshakes without a certificate in {FLOOD:?}: {shaken}");
    assert!(shaken > 0);
    let (with, without) = scene.models(2).await;
    assert_eq!(with, without);
    scene.expect_bounded(before, "floods");
}

#[derive(Default)]
struct Counts {
    answered: AtomicUsize,
    refused: AtomicUsize,
    broken: AtomicUsize,
}

impl Counts {
    fn all(&self) -> [usize; 3] {
        [&self.answered, &self.refused, &self.broken].map(|count| count.load(Ordering::Relaxed))
    }
}

async fn ask(transport: Arc<snowball_egress::client::Transport>, counts: Arc<Counts>) {
    let end = Instant::now() + FLOOD;
    while Instant::now() < end {
        let count = match transport.get::<Vec<StudySummary>>("v1/studies").await {
            Ok(_) => &counts.answered,
            Err(EgressError::Refused(problem)) => {
                assert!(problem.code == ProblemCode::Busy && is_sound(&problem), "{problem}");
                &counts.refused
            }
            Err(_) => &counts.broken,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}
