//! What a board is shown before it approves a study is what a study sends: the preview's messages beside those of a real one,
//! as they were captured between node and aggregator.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde_json::Value;
use snowball_phantoms::{Consortium as Phantoms, planted_identifiers, read_truth};
use snowball_protocol::{Sha256Digest, plan::canonical_json};
use snowball_tests::{PolicyWish, Site};

use crate::{
    capture::Capture,
    stage::{Stage, ended},
};

const FILES: u64 = 120;
/// The messages of a study, in order.
const KINDS: [&str; 7] = [
    "hello",
    "authorities",
    "join",
    "ledger_head",
    "update_header",
    "update",
    "evaluation",
];

/// One request as a node sent it.
#[derive(Debug)]
struct Request {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_shows_the_very_messages_that_a_study_sends() {
    let (stage, capture) = Capture::stage(1, 2, 90, 0.0).await;
    let site = &stage.consortium.sites[0];
    stage.consortium.make_node(site, 1).await.unwrap();

    // Before there is a policy, patients or an enrolment.
    let denied = preview(&stage, site, "denied").await;
    assert_eq!(denied["standing"]["answers"][0]["clause"], "policy", "{denied}");
    assert_eq!(message(&denied, "decline")["often"], "instead");
    assert!(!site.home.join("store").exists() && !site.home.join("datasets").exists());

    let wish = PolicyWish::default();
    stage.consortium.install_policy(site, &stage.plan, &wish).await.unwrap();
    let shown = preview(&stage, site, "shown").await;
    let answers = shown["standing"]["answers"].as_array().unwrap();
    assert!(answers.iter().all(|answer| answer["permitted"] == true), "{answers:?}");
    let kinds: Vec<_> = messages(&shown)
        .iter()
        .map(|told| told["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, KINDS);
    assert_eq!(capture.sent().concat(), b"", "a preview opens no connection");
    let ledger = stage.consortium.node(site, &["ledger", "verify"]).await.unwrap();
    assert_eq!(ledger["kinds"]["study_previewed"], 2, "{ledger}");
    assert!(ledger["kinds"]["disclosure_sent"].is_null() && ledger["kinds"]["decision_made"].is_null());
    names_nobody(&stage, &stage.folder.path().join("shown"));

    stage.consortium.ingest(site).await.unwrap();
    stage.consortium.enrol(site, &stage.hear).await.unwrap();
    stage.start_study().await;
    let mut nodes = stage.run_nodes();
    stage.wait_for_review().await;
    stage.release().await;
    ended(&mut nodes).await;

    let sent: Vec<Request> = capture.sent().iter().flat_map(|bytes| requests(bytes)).collect();
    let recorded = disclosures(&site.home);
    let mut seen = BTreeSet::new();
    for request in &sent {
        assert!(
            request.headers.keys().all(|name| contains(&shown["headers"], name)),
            "{:?}",
            request.headers
        );
        if request.method == "GET" {
            let ways = shown["requests"].as_array().unwrap();
            let is_shown = ways
                .iter()
                .any(|way| fits(&request.path, way["path"].as_str().unwrap()));
            // The aggregator's clock is asked for at the enrolment, before there is a study.
            let is_enrolment = request.path == "/v1/health";
            assert!(
                (is_shown || is_enrolment) && request.body.is_empty(),
                "{} is not shown",
                request.path
            );
            continue;
        }
        let Some(told) = messages(&shown).iter().find(|told| goes_to(told, &request.path)) else {
            // The enrolment comes before any study and is not part of the preview, which says so.
            assert!(
                request.path.starts_with("/v1/enrolments"),
                "{} is not shown",
                request.path
            );
            continue;
        };
        let kind = told["kind"].as_str().unwrap();
        seen.insert(kind);
        if kind == "update" {
            assert_eq!(told["bytes"], request.body.len() as u64);
            continue;
        }
        assert!(
            recorded.contains(&Sha256Digest::of(&request.body)),
            "{kind} is not in the ledger"
        );
        let real: Value = serde_json::from_slice(&request.body).unwrap();
        same_fields(kind, told, &real);
    }
    assert_eq!(seen, BTreeSet::from(KINDS));
    let rounds = sent.iter().filter(|request| request.method == "PATCH").count();
    assert_eq!(rounds, 2, "the update of each round in one piece");
    let less = &shown["without_measurements"];
    assert!(
        less["round_bytes"].as_u64() < shown["totals"]["round_bytes"].as_u64(),
        "{less}"
    );

    // The plan of the study that runs is the one that was previewed, and fetched by its name it gives the same.
    let out = stage.folder.path().join("fetched");
    let words = [
        "study",
        "preview",
        "--study",
        "story",
        "--out",
        out.to_str().unwrap(),
        "--files",
        "40",
    ];
    let fetched = stage.consortium.node(site, &words).await.unwrap();
    assert_eq!(fetched["plan"]["digest"], stage.plan.digest().to_string());
}

async fn preview(stage: &Stage, site: &Site, name: &str) -> Value {
    let (plan, out) = (stage.consortium.plan_file(), stage.folder.path().join(name));
    let files = FILES.to_string();
    let words = [
        "study",
        "preview",
        plan.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--files",
        &files,
    ];
    let shown = stage.consortium.node(site, &words).await.unwrap();
    assert_eq!(shown["plan"]["digest"], stage.plan.digest().to_string());
    assert_eq!(shown["search"]["found"], serde_json::json!({}), "{}", shown["search"]);
    assert!(shown["search"]["markers"].as_u64() > Some(500), "{}", shown["search"]);
    for told in messages(&shown) {
        let body = std::fs::read(out.join(told["file"].as_str().unwrap())).unwrap();
        assert_eq!(told["digest"], Sha256Digest::of(&body).to_string());
        assert_eq!(told["bytes"], body.len() as u64);
        let fields = told["fields"].as_array().unwrap();
        assert!(fields.iter().all(|field| field["meaning"].is_string()), "{fields:?}");
        let values: u64 = fields.iter().map(|field| field["bytes"].as_u64().unwrap()).sum();
        if !fields.is_empty() {
            assert_eq!(values + told["punctuation_bytes"].as_u64().unwrap(), body.len() as u64);
        }
    }
    let tensors = shown["update"]["tensors"].as_array().unwrap();
    let numbers: u64 = tensors.iter().map(|tensor| tensor["values"].as_u64().unwrap()).sum();
    assert_eq!(numbers * 4, message(&shown, "update")["bytes"].as_u64().unwrap());
    shown
}

/// Neither the page nor a message holds a text of the made-up headers; drawn again here, by the same seed.
fn names_nobody(stage: &Stage, folder: &Path) {
    let phantoms = Phantoms {
        seed: 7,
        hospitals: 1,
        images_per_hospital: FILES,
        longest_side: 32,
        hostile_fraction: 0.0,
    };
    let drawn = snowball_phantoms::write(&phantoms, &stage.folder.path().join("again"), &|_, _| {}).unwrap();
    let planted = planted_identifiers(&read_truth(&drawn[0].truth).unwrap());
    let planted: Vec<_> = planted.iter().filter(|text| text.chars().count() >= 8).collect();
    assert!(planted.len() > 200, "{}", planted.len());
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let bytes = std::fs::read(entry.path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let found: Vec<_> = planted.iter().filter(|value| text.contains(value.as_str())).collect();
        assert!(found.is_empty(), "{}: {found:?}", entry.path().display());
        read += 1;
    }
    assert_eq!(read, KINDS.len() + 2, "the messages, their description and the page");
    let page = std::fs::read_to_string(folder.join("preview.html")).unwrap();
    assert!(page.contains(&stage.plan.digest().to_string()));
    for outside in ["http://", "https://", "<script", "src=\"/"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

fn messages(preview: &Value) -> &Vec<Value> {
    preview["messages"].as_array().unwrap()
}

fn message<'a>(preview: &'a Value, kind: &str) -> &'a Value {
    messages(preview).iter().find(|told| told["kind"] == kind).unwrap()
}

fn contains(list: &Value, text: &str) -> bool {
    list.as_array().unwrap().iter().any(|one| one == text)
}

/// Whether a real path is the one of a preview's message: rounds and uploads have numbers of their own.
fn goes_to(told: &Value, path: &str) -> bool {
    let shape = |path: &str| -> Vec<String> {
        let path = path.trim_start_matches('/').split('?').next().unwrap_or_default();
        let parts: Vec<&str> = path.split('/').collect();
        (parts.iter().enumerate())
            .map(|(place, part)| {
                let is_own = place > 0 && ["rounds", "uploads"].contains(&parts[place - 1]);
                if is_own { "*".to_owned() } else { (*part).to_owned() }
            })
            .collect()
    };
    shape(told["path"].as_str().unwrap()) == shape(path)
}

/// Whether a real path is of the way that a preview lists, where words in capitals stand for something.
fn fits(path: &str, way: &str) -> bool {
    let parts = |text: &str| {
        text.trim_start_matches('/')
            .split(['/', '?'])
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (real, listed) = (parts(path), parts(way));
    real.len() == listed.len()
        && real.iter().zip(&listed).all(|(real, listed)| {
            let stands_for_something = listed.bytes().all(|byte| byte.is_ascii_uppercase());
            stands_for_something || real == listed
        })
}

/// The fields of a real message are those that were shown; what does not depend on patients has the same size.
fn same_fields(kind: &str, told: &Value, real: &Value) {
    let mut found = BTreeMap::new();
    walk(real, String::new(), &mut found);
    let fields = told["fields"].as_array().unwrap();
    let shown: BTreeSet<&str> = fields.iter().map(|field| field["path"].as_str().unwrap()).collect();
    // A list without items is one field, and each of its items' fields otherwise.
    let is_known = |path: &&str| shown.contains(path) || !path.ends_with(".classes");
    let sent: BTreeSet<&str> = found.keys().map(String::as_str).filter(is_known).collect();
    // Where every class of a real site is smaller than the policy's smallest cell, its counts stay.
    let is_hidden = |path: &str| path.contains(".classes[]") && !sent.contains(path);
    let due: BTreeSet<&str> = shown.into_iter().filter(|path| !is_hidden(path)).collect();
    assert_eq!(sent, due, "{kind}");
    for field in fields {
        let path = field["path"].as_str().unwrap();
        let is_place_in_the_ledger = ["ledger_index", "site_head"].contains(&path);
        let depends = field["about"] == "patients" || path.contains("[]") || is_place_in_the_ledger;
        if !depends {
            assert_eq!(field["bytes"], found[path], "{kind}: {path}");
        }
    }
    let same = |path: &str| {
        let field = fields.iter().find(|field| field["path"] == path);
        field.is_none_or(|field| field["shown"] == real[path].as_str().unwrap())
    };
    assert!(
        same("plan_digest") && same("layout_digest") && same("policy_digest"),
        "{kind}"
    );
    if real["round"] == 1 {
        assert!(same("model_in"), "the first round starts from the plan's own model");
    }
}

fn walk(value: &Value, path: String, found: &mut BTreeMap<String, u64>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                walk(inner, format!("{path}{dot}{name}"), found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().for_each(|item| walk(item, format!("{path}[]"), found));
        }
        leaf => *found.entry(path).or_default() += canonical_json(leaf).len() as u64,
    }
}

/// Digests of all bodies that the ledger says were sent.
fn disclosures(home: &Path) -> BTreeSet<Sha256Digest> {
    let records = snowball_ledger::read(&home.join("ledger")).unwrap();
    let digest = |record: snowball_ledger::Record| match record.entry {
        snowball_ledger::Entry::DisclosureSent { digest, .. } => Some(digest),
        _ => None,
    };
    records.into_iter().filter_map(digest).collect()
}

/// The requests of one connection of HTTP/1.1, with bodies of a told length.
fn requests(mut bytes: &[u8]) -> Vec<Request> {
    let mut all = Vec::new();
    while let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap().split(' ');
        let (method, path) = (first.next().unwrap().to_owned(), first.next().unwrap().to_owned());
        let headers: BTreeMap<String, String> = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        let length = headers
            .get("content-length")
            .map_or(0, |length| length.parse().unwrap());
        let body = &bytes[end + 4..];
        let body = body[..length].to_vec();
        bytes = &bytes[end + 4 + length..];
        all.push(Request {
            method,
            path,
            headers,
            body,
        });
    }
    assert!(bytes.is_empty(), "a request that is not whole");
    all
}
