//! Logs of both programs: a request has one number on both sides, and how much is said changes without a restart.

use std::{sync::Arc, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use snowball_egress::EgressError;
use snowball_protocol::{ProblemCode, RequestId};
use snowball_tests::{PolicyWish, Running, free_port};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::{
    peer::{Peer, tls_of},
    stage::Stage,
};

/// The lines of a log so far, each as the object that it is.
fn lines(stage: &Stage, who: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(stage.consortium.log(who)).unwrap_or_default();
    let objects = text.lines().map(|line| {
        serde_json::from_str(line).unwrap_or_else(|fault| panic!("{who} logs what is no JSON ({fault}): {line}"))
    });
    objects.collect()
}

/// Waits for a line of the log, behind the first `from`.
async fn line(stage: &Stage, who: &str, from: usize, holds: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..300 {
        if let Some(line) = lines(stage, who).into_iter().skip(from).find(|line| holds(line)) {
            return line;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{who} logs no such line:\n{}", stage.logs());
}

fn says(line: &Value, words: &str) -> bool {
    line["fields"]["message"]
        .as_str()
        .is_some_and(|message| message.contains(words))
}

/// Asks over TLS with a head of one's own; gives the whole answer.
async fn ask(stage: &Stage, path: &str, more: &str) -> String {
    let mut tls = tls_of(&stage.consortium.sites[0]);
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let stream = TcpStream::connect(("127.0.0.1", stage.port)).await.unwrap();
    let mut stream = TlsConnector::from(Arc::new(tls))
        .connect("localhost".try_into().unwrap(), stream)
        .await
        .unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The end of the connection may come without its farewell.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

fn header(answer: &str) -> &str {
    let found = answer.lines().find_map(|line| line.strip_prefix("x-request-id: "));
    found.unwrap_or_else(|| panic!("no number in {answer}"))
}

/// Tells a running program to read `log` again.
fn hang_up(running: &Running) {
    let id = i32::try_from(running.id().unwrap()).unwrap();
    kill(Pid::from_raw(id), Signal::SIGHUP).unwrap();
}

/// Puts `log` at the head of a configuration, in place of one that stands there.
fn set_level(file: &std::path::Path, level: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    let rest: Vec<&str> = text.lines().filter(|line| !line.starts_with("log = ")).collect();
    // Whole at any moment: a service may be reading it.
    let beside = file.with_extension("new");
    std::fs::write(&beside, format!("log = \"{level}\"\n{}\n", rest.join("\n"))).unwrap();
    std::fs::rename(beside, file).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_has_one_number_at_the_hospital_at_the_aggregator_and_in_the_answer() {
    let stage = Stage::set(1, 1, 12).await;
    stage.settle().await;
    let north = &stage.consortium.sites[0];
    // What a node is refused names the request, and the aggregator's line has the same number with the site that asked.
    let node = Peer::of(north, stage.port, 0);
    let refused = node.transport.get::<Value>("v1/studies/nowhere/plan").await;
    let Err(EgressError::Refused(problem)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(problem.code, ProblemCode::NotFound);
    let number = problem.request.clone().unwrap();
    assert!(
        problem.to_string().ends_with(&format!("[request {number}]")),
        "{problem}"
    );
    let of_aggregator = line(&stage, "aggregator", 0, |line| {
        line["span"]["request"] == number.as_str()
    })
    .await;
    assert!(says(&of_aggregator, "refused"), "{of_aggregator}");
    assert_eq!(of_aggregator["span"]["site"], north.name.as_str());
    assert_eq!(of_aggregator["span"]["route"], "/v1/studies/{study}/plan");

    // A number that comes along is kept; what could forge a line of the log is not; without one it is drawn.
    let answer = ask(&stage, "/v1/studies/nowhere/plan", "x-request-id: ticket-7\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 404 ") && header(&answer) == "ticket-7",
        "{answer}"
    );
    assert!(answer.ends_with("\"request\":\"ticket-7\"}"), "{answer}");
    for more in ["x-request-id: a b\r\n", "x-request-id: {\"level\":\"x\"}\r\n", ""] {
        let answer = ask(&stage, "/v1/studies", more).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(
            RequestId::read(header(&answer)).is_some() && header(&answer).len() == 16,
            "{answer}"
        );
    }
    // What was answered well is not told at the usual level.
    assert!(!lines(&stage, "aggregator").iter().any(|line| says(line, "answered")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_much_is_logged_changes_without_a_restart_on_both_sides() {
    let stage = Stage::set(1, 1, 12).await;
    stage.settle().await;
    let north = stage.consortium.sites[0].clone();
    let node = stage.consortium.run_node(&north, "story", &stage.hear).unwrap();
    let of = |who: &str| -> (std::path::PathBuf, String) {
        match who {
            "aggregator" => (
                stage.consortium.aggregator_home().join("aggregator.toml"),
                "answered".to_owned(),
            ),
            _ => (north.home.join("node.toml"), "asking the aggregator".to_owned()),
        }
    };
    let mut processes = Vec::new();
    for (who, running) in [
        ("aggregator", stage.aggregator.as_ref().unwrap()),
        (north.name.as_str(), &node),
    ] {
        let (file, detail) = of(who);
        processes.push((who.to_owned(), running.id()));
        // The node is at work, and nothing of single requests is said.
        if who != "aggregator" {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        assert!(!lines(&stage, who).iter().any(|line| says(line, &detail)), "{who}");
        set_level(&file, "debug");
        hang_up(running);
        line(&stage, who, 0, |line| {
            says(line, "was read again") && line["fields"]["log"] == "debug"
        })
        .await;
        let one = line(&stage, who, 0, |line| says(line, &detail)).await;
        let number = if who == "aggregator" {
            &one["span"]["request"]
        } else {
            &one["fields"]["request"]
        };
        assert!(RequestId::read(number.as_str().unwrap()).is_some(), "{one}");

        // A word that is no level: it is said, and all else stays.
        set_level(&file, "loud");
        hang_up(running);
        line(&stage, who, 0, |line| {
            line["level"] == "WARN" && says(line, "stays as it was")
        })
        .await;
        let so_far = lines(&stage, who).len();
        line(&stage, who, so_far, |line| says(line, &detail)).await;

        set_level(&file, "info");
        hang_up(running);
        line(&stage, who, 0, |line| {
            says(line, "was read again") && line["fields"]["log"] == "info"
        })
        .await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let so_far = lines(&stage, who).len();
        tokio::time::sleep(Duration::from_secs(4)).await;
        let more = lines(&stage, who).split_off(so_far);
        assert!(!more.iter().any(|line| says(line, &detail)), "{who}: {more:?}");
    }
    // The very same processes.
    assert_eq!(processes[0].1, stage.aggregator.as_ref().unwrap().id());
    assert_eq!(processes[1].1, node.id());
    // The same number on both sides, where both speak of each request.
    for (file, running) in [
        (of("aggregator").0, stage.aggregator.as_ref().unwrap()),
        (of("north").0, &node),
    ] {
        set_level(&file, "debug");
        hang_up(running);
    }
    let from = lines(&stage, north.name.as_str()).len();
    let asked = line(&stage, north.name.as_str(), from, |line| {
        says(line, "asking the aggregator")
    })
    .await;
    let number = asked["fields"]["request"].clone();
    line(&stage, "aggregator", 0, |line| {
        line["span"]["request"] == number && says(line, "answered")
    })
    .await;
    node.end().await.unwrap();
}

/// What decodes strangers' files can no longer read its own configuration, and still follows it: with both halves of `receive`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_much_is_logged_changes_in_services_that_gave_up_their_files() {
    let mut stage = Stage::set(1, 1, 12).await;
    let north = stage.consortium.sites[0].clone();
    stage.consortium.make_node(&north, 1).await.unwrap();
    let wish = PolicyWish::default();
    stage
        .consortium
        .install_policy(&north, &stage.plan, &wish)
        .await
        .unwrap();
    let port = free_port().unwrap();
    let file = north.home.join("node.toml");
    let before = std::fs::read_to_string(&file).unwrap();
    let receive = format!(
        "{before}\n[receive]\nlisten = \"127.0.0.1:{port}\"\ncalled = [\"SNOWBALL\"]\ncalling = [\"ARCHIVE\"]\n"
    );
    std::fs::write(&file, receive).unwrap();
    let dicom = north.dicom.to_str().unwrap();
    for words in [&["receive"][..], &["watch", dicom]] {
        let who = words[0];
        let log = stage.consortium.log(who);
        let running = stage
            .consortium
            .start_node(who, &north, words, &log, &stage.hear)
            .unwrap();
        // It has given up its files by then: a level is read again, and it is held.
        for level in ["debug", "info,hospital_node=debug", "info"] {
            set_level(&file, level);
            let so_far = lines(&stage, who).len();
            await_held(&running).await;
            hang_up(&running);
            line(&stage, who, so_far, |line| {
                says(line, "was read again") && line["fields"]["log"] == level
            })
            .await;
        }
        set_level(&file, "loud");
        hang_up(&running);
        line(&stage, who, 0, |line| {
            line["level"] == "WARN" && says(line, "stays as it was")
        })
        .await;
        set_level(&file, "info");
        running.end().await.unwrap();
    }
    stage.aggregator.take().unwrap().end().await.unwrap();
}

/// Waits until a process has given up what it does not need, and listens for a hangup.
async fn await_held(running: &Running) {
    let process = running.id().unwrap();
    for _ in 0..300 {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let of = |field: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(field))
                .unwrap()
                .trim()
                .to_owned()
        };
        let hears = u64::from_str_radix(&of("SigCgt:"), 16).unwrap() & 1 == 1;
        if of("Seccomp:") == "2" && hears {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("process {process} never holds itself");
}
