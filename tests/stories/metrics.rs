//! What a monitoring system reads of both programs while they work, and the alerts that the operators' page names.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use snowball_service::{
    clock,
    tls::{PeerCertificate, certificate_serial},
};
use snowball_tests::free_port;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    observed::{deployed, names, promtool},
    stage::{Stage, ended},
};

/// Asks for a path by plain HTTP; gives the whole answer.
async fn ask(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// A page by its lines: each number under its name and labels, as they are written.
async fn scrape(port: u16) -> (String, BTreeMap<String, i64>) {
    let answer = ask(port, "/metrics").await;
    let (head, page) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200 OK") && head.contains("text/plain; version=0.0.4"),
        "{head}"
    );
    let numbers = page.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    });
    let numbers: Vec<_> = numbers.collect();
    let by_name: BTreeMap<_, _> = numbers.iter().cloned().collect();
    assert_eq!(numbers.len(), by_name.len(), "no number twice:\n{page}");
    (page.to_owned(), by_name)
}

fn add_to(path: &Path, text: &str) {
    let before = fs::read_to_string(path).unwrap();
    fs::write(path, format!("{before}\n{text}")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_programs_show_certificates_studies_and_sites_as_numbers() {
    let mut stage = Stage::set_with(2, 3, 24, 0.0, |plan| plan.local.steps = 60).await;
    stage.settle().await;
    let ports = [free_port().unwrap(), free_port().unwrap()];
    let part = |port: u16| format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n");
    let north = stage.consortium.sites[0].clone();
    // Off unless it is asked for.
    assert!(TcpStream::connect(("127.0.0.1", ports[0])).await.is_err());
    stage.aggregator.take().unwrap().end().await.unwrap();
    add_to(
        &stage.consortium.aggregator_home().join("aggregator.toml"),
        &part(ports[0]),
    );
    add_to(&north.home.join("node.toml"), &part(ports[1]));
    stage.aggregator = Some(stage.consortium.serve(stage.port, &stage.hear).await.unwrap());
    stage.start_study().await;
    let mut nodes = stage.run_nodes();
    // The node's page, while it works: it ends with the study.
    let own = async {
        loop {
            if TcpStream::connect(("127.0.0.1", ports[1])).await.is_ok() {
                let own = scrape(ports[1]).await;
                if own.1["snowball_updates_contributed_total"] > 0 {
                    return own;
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let own = tokio::time::timeout(std::time::Duration::from_secs(90), own).await;
    let (own_page, own_numbers) = own.expect("the node contributes and says so");
    stage.wait_for_review().await;

    let (page, numbers) = scrape(ports[0]).await;
    let pem = |path: &Path| fs::read_to_string(path).unwrap();
    let near = |key: &str, numbers: &BTreeMap<String, i64>, end: i64| {
        let left = numbers.get(key).unwrap_or_else(|| panic!("{key} in\n{page}"));
        assert!((end - clock::now() - left).abs() <= 120, "{key} is {left}");
    };
    for site in &stage.consortium.sites {
        let own = PeerCertificate::read_pem(&pem(&site.home.join("certs/node.pem"))).unwrap();
        let labels = format!("{{kind=\"site\",site=\"{}\",serial=\"{}\"}}", site.name, own.serial);
        near(
            &format!("snowball_certificate_seconds_left{labels}"),
            &numbers,
            own.not_after,
        );
        assert!(numbers[&format!("snowball_site_silent_seconds{{site=\"{}\"}}", site.name)] <= 30);
    }
    for (kind, file) in [("server", "server.pem"), ("ca", "ca.pem")] {
        let pem = pem(&stage.consortium.aggregator_home().join(file));
        let life = snowball_service::tls::Life::read_pem(&pem).unwrap();
        let labels = format!(
            "{{kind=\"{kind}\",site=\"\",serial=\"{}\"}}",
            certificate_serial(&pem).unwrap()
        );
        near(
            &format!("snowball_certificate_seconds_left{labels}"),
            &numbers,
            life.not_after,
        );
    }
    for (name, value) in [
        ("snowball_sites{standing=\"enrolled\"}", 2),
        ("snowball_sites{standing=\"revoked\"}", 0),
        ("snowball_sites_seen", 2),
        ("snowball_studies{phase=\"reviewing\"}", 1),
        ("snowball_studies{phase=\"collecting\"}", 0),
        ("snowball_study_round{study=\"story\"}", 3),
        ("snowball_study_rounds{study=\"story\"}", 3),
        ("snowball_updates_admitted_total", 6),
    ] {
        assert_eq!(numbers.get(name), Some(&value), "{name} in\n{page}");
    }
    let ledger = stage
        .consortium
        .aggregator(&["ledger", "show", "--last", "1"])
        .await
        .unwrap();
    let entries = ledger["records"][0]["index"].as_i64().unwrap() + 1;
    assert!(
        (0..=3).contains(&(entries - numbers["snowball_ledger_entries"])),
        "{entries}"
    );
    assert!(numbers["snowball_disk_free_bytes"] > 0);

    let own = PeerCertificate::read_pem(&pem(&north.home.join("certs/node.pem"))).unwrap();
    let key = format!(
        "snowball_certificate_seconds_left{{kind=\"node\",serial=\"{}\"}}",
        own.serial
    );
    near(&key, &own_numbers, own.not_after);
    assert!(own_numbers["snowball_policy_seconds_left"] > 0 && own_numbers["snowball_aggregator_silent_seconds"] <= 60);
    let listed = own_numbers
        .iter()
        .filter(|(name, _)| name.starts_with("snowball_studies{"));
    assert_eq!(listed.map(|(_, count)| count).sum::<i64>(), 1, "{own_page}");
    assert!(
        !own_page.contains("radiograph") && !own_page.contains("patient"),
        "{own_page}"
    );

    // Who lives, and who can work; beside that the page alone, and nothing of it elsewhere.
    for path in ["/healthz", "/readyz"] {
        let answer = ask(ports[0], path).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{path}: {answer}");
    }
    assert!(ask(ports[0], "/v1/health").await.starts_with("HTTP/1.1 404 "));
    promtool(&["check", "metrics"], &page);
    promtool(&["check", "metrics"], &own_page);
    let manual = include_str!("../../aggregator/docs/operating.md");
    let shown: BTreeSet<_> = names(&page).union(&names(&own_page)).copied().collect();
    let deployed = deployed();
    for (what, named) in [
        ("the manual", names(manual)),
        ("alerts and dashboards", names(&deployed)),
    ] {
        let unknown: Vec<_> = named.difference(&shown).collect();
        assert!(
            named.len() >= 10 && unknown.is_empty(),
            "{what} name what nobody shows: {unknown:?}"
        );
    }
    // What is shown is also said: a number that no page explains helps nobody.
    let unsaid: Vec<_> = shown.difference(&names(manual)).copied().collect();
    assert_eq!(unsaid, Vec::<&str>::new());

    stage.release().await;
    ended(&mut nodes).await;
    assert!(TcpStream::connect(("127.0.0.1", ports[1])).await.is_err());
}
