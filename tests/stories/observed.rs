//! What a monitoring system is given beside the numbers: alerts, their tests, their runbook, and dashboards. That every number exists is
//! held against pages of running programs in `metrics`.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

/// Where each program's files lie, and its page for whoever is called.
const SIDES: [(&str, &str, &str); 2] = [
    ("aggregator/deploy", "aggregator", "aggregator/docs/runbook.md"),
    ("hospital-node/deploy", "hospital-node", "hospital-node/docs/runbook.md"),
];

/// Where runbooks are read: whoever is called has no source tree.
const RUNBOOKS: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main");

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(at(path)).unwrap_or_else(|fault| panic!("{path}: {fault}"))
}

/// The names of numbers in a text.
pub fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|one: char| !one.is_ascii_alphanumeric() && one != '_');
    words
        .filter(|word| word.starts_with("snowball_") && !word.ends_with('_'))
        .collect()
}

/// Everything that names numbers for a monitoring system: alerts with their tests, and dashboards.
pub fn deployed() -> String {
    let files = SIDES.iter().flat_map(|(folder, program, _)| {
        [
            "prometheus/alerts.yml".to_owned(),
            "prometheus/alerts_test.yml".to_owned(),
            format!("grafana/{program}.json"),
        ]
        .map(|file| read(&format!("{folder}/{file}")))
    });
    files.collect::<Vec<_>>().join("\n")
}

/// Runs Prometheus's own program on `input`, where there is one.
pub fn promtool(words: &[&str], input: &str) {
    let child = Command::new("promtool")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped promtool {}: there is none on this machine", words.join(" "));
        return;
    };
    // It may end before it read everything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{words:?}: {}\n{input}",
        String::from_utf8_lossy(&said)
    );
}

/// The alerts of a file, each with the lines of its rule.
fn alerts(rules: &str) -> Vec<(&str, &str)> {
    let parts = rules.split("- alert: ").skip(1);
    parts.map(|part| part.split_once('\n').unwrap()).collect()
}

#[test]
fn prometheus_takes_the_alerts_and_each_comes_when_it_should() {
    for (folder, ..) in SIDES {
        let file = |name: &str| at(&format!("{folder}/prometheus/{name}"));
        promtool(&["check", "rules", file("alerts.yml").to_str().unwrap()], "");
        promtool(&["test", "rules", file("alerts_test.yml").to_str().unwrap()], "");
        // Whether promtool is there or not: no alert without its test.
        let (rules, tests) = (
            read(&format!("{folder}/prometheus/alerts.yml")),
            read(&format!("{folder}/prometheus/alerts_test.yml")),
        );
        for (alert, _) in alerts(&rules) {
            let is_awaited = tests.split("alertname: ").skip(1).any(|one| {
                let (name, rest) = one.split_at(alert.len().min(one.len()));
                let rest = rest.split("alertname: ").next().unwrap_or_default();
                name == alert && rest.contains("exp_labels")
            });
            assert!(is_awaited, "{alert} comes in no test of {folder}");
        }
    }
}

#[test]
fn every_alert_leads_to_a_section_that_says_what_to_do() {
    for (folder, _, page) in SIDES {
        let (rules, text) = (read(&format!("{folder}/prometheus/alerts.yml")), read(page));
        let sections: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        let mut led_to = BTreeSet::new();
        for (alert, rule) in alerts(&rules) {
            let link = format!("runbook_url: \"{RUNBOOKS}/{page}#{}\"", alert.to_lowercase());
            assert_eq!(rule.matches("runbook_url: ").count(), 1, "{alert}");
            assert!(rule.contains(&link), "{alert} should have {link}");
            assert!(rule.contains("summary: ") && rule.contains("severity: "), "{alert}");
            led_to.insert(alert);
        }
        assert!(led_to.len() >= 8, "{page}");
        assert_eq!(led_to, sections, "{page}");
        for (section, below) in text.split("\n## ").skip(1).map(|part| part.split_once('\n').unwrap()) {
            assert!(
                below.contains("**What.**") && below.contains("do.**") | below.contains("**Do.**"),
                "{page}: {section}"
            );
        }
    }
}

#[test]
fn dashboards_are_whole() {
    for (folder, program, _) in SIDES {
        let board: Value = serde_json::from_str(&read(&format!("{folder}/grafana/{program}.json"))).unwrap();
        let panels = board["panels"].as_array().unwrap();
        let ids: BTreeSet<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
        assert!(
            panels.len() >= 8 && ids.len() == panels.len(),
            "{program}: numbers of panels"
        );
        let mut taken = BTreeSet::new();
        for panel in panels {
            let title = panel["title"].as_str().unwrap();
            assert!(
                !title.is_empty() && panel["description"].as_str().unwrap().len() > 10,
                "{title}"
            );
            for target in panel["targets"].as_array().unwrap() {
                let asked = target["expr"].as_str().unwrap();
                assert!(
                    asked.contains("instance=\"$instance\"") && names(asked).len() == 1,
                    "{title}: {asked}"
                );
            }
            let side = |name: &str| panel["gridPos"][name].as_i64().unwrap();
            assert!(side("x") + side("w") <= 24, "{title} is beyond the edge");
            for (column, row) in
                (side("x")..side("x") + side("w")).flat_map(|x| (side("y")..side("y") + side("h")).map(move |y| (x, y)))
            {
                assert!(taken.insert((column, row)), "{title} lies on another panel");
            }
        }
        let asked = format!("snowball_build_info{{program=\"{program}\"}}");
        assert!(board["templating"].to_string().replace("\\\"", "\"").contains(&asked));
    }
}
