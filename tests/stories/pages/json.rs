//! The pages of JSON: each command is run, and the fields that it prints are those of its table.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use super::{
    Walk,
    page::{fences, read, root},
};
use crate::stage::programs;

/// A field's way from the top: names, with `[]` behind each list.
type Way = Vec<String>;

/// A row of a table: where the field is, and whether it may be absent.
struct Row<'a> {
    written: &'a str,
    way: Vec<&'a str>,
    may_lack: bool,
}

impl<'a> Row<'a> {
    fn read(written: &'a str) -> Self {
        let (way, may_lack) = written.strip_suffix('?').map_or((written, false), |way| (way, true));
        Self {
            written,
            way: way.split('.').collect(),
            may_lack,
        }
    }

    fn is_of(&self, way: &[String]) -> bool {
        leads(&self.way, way)
    }
}

/// Whether a way of a table, in which `*` stands for any name and `**` for any way on, is this one.
fn leads(written: &[&str], way: &[String]) -> bool {
    match (written, way) {
        ([], []) => true,
        (["**", rest @ ..], _) => (0..=way.len()).any(|from| leads(rest, &way[from..])),
        ([name, rest @ ..], [first, others @ ..]) => (*name == "*" || name == first) && leads(rest, others),
        _ => false,
    }
}

/// Every field of a document that is no document itself. An empty list counts as its own element.
fn ways(value: &Value, way: &Way, found: &mut BTreeSet<Way>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                ways(value, &[way.as_slice(), std::slice::from_ref(name)].concat(), found);
            }
        }
        Value::Array(items) => {
            let mut way = way.clone();
            let name = way.pop().unwrap_or_default() + "[]";
            way.push(name);
            if items.is_empty() {
                found.insert(way.clone());
            }
            for item in items {
                ways(item, &way, found);
            }
        }
        _ => {
            found.insert(way.clone());
        }
    }
}

/// What is wrong between a section's table and what its command printed.
fn faults(rows: &[Row<'_>], printed: &str) -> Vec<String> {
    let mut found = BTreeSet::new();
    for line in printed.lines() {
        match serde_json::from_str(line) {
            Ok(document) => ways(&document, &Way::new(), &mut found),
            Err(fault) => return vec![format!("{fault}: {line}")],
        }
    }
    let unsaid = found.iter().filter(|way| !rows.iter().any(|row| row.is_of(way)));
    let unsaid = unsaid.map(|way| format!("is printed and not in the table: {}", way.join(".")));
    let never = rows
        .iter()
        .filter(|row| !row.may_lack && !found.iter().any(|way| row.is_of(way)));
    let never = never.map(|row| format!("is in the table and was not printed: {}", row.written));
    unsaid.chain(never).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_of_json_has_its_line_and_every_line_its_field() {
    let walk = Walk::begin("the consortium to practise with", programs().await);
    let folder = walk.programs.node.parent().unwrap();
    let run = |command: &str| {
        let path = std::env::var("PATH").unwrap_or_default();
        Command::new("bash")
            .args(["-c", command])
            .current_dir(walk.folder.path())
            .env("PATH", format!("{}:{path}", folder.display()))
            .env("SNOWBALL", root())
            .env_remove("SNOWBALL_LOG")
            .output()
            .unwrap()
    };
    let made = run(&walk.filled("sh $SNOWBALL/policies/practice/consortium.sh 7443"));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut wrong = Vec::new();
    for (page, least) in [("hospital-node/docs/json.md", 25), ("aggregator/docs/json.md", 15)] {
        let text = read(page);
        let sections: Vec<&str> = text.split("\n## ").skip(1).collect();
        assert!(sections.len() >= least, "{page}");
        for section in sections {
            let name = section.lines().next().unwrap();
            let (_, _, held) = fences(section).into_iter().next().unwrap();
            let rows: Vec<Row<'_>> = section
                .lines()
                .filter_map(|line| line.strip_prefix("| `")?.split("` |").next())
                .map(Row::read)
                .collect();
            assert!(
                held.len() == 1 && !rows.is_empty() && held[0].contains("--json"),
                "{page}: {name}"
            );
            // How it ends is for other tests: doctor finds that nobody serves here.
            let output = run(&walk.filled(held[0]));
            let printed = String::from_utf8(output.stdout).unwrap();
            assert!(
                !printed.is_empty(),
                "{name}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            wrong.extend(
                faults(&rows, &printed)
                    .into_iter()
                    .map(|fault| format!("{page}: {name}: {fault}")),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_field_that_is_not_in_the_table_and_a_line_without_a_field_are_found() {
    let printed = r#"{"a": {"b.c": 1, "d": [{"e": 2}, {"f": null}]}, "g": []}"#;
    let check = |rows: &[&str]| {
        let rows: Vec<Row<'_>> = rows.iter().map(|row| Row::read(row)).collect();
        faults(&rows, printed)
    };
    assert_eq!(
        check(&["a.*", "a.d[].e", "a.d[].f", "g[]?", "h?"]),
        Vec::<String>::new()
    );
    assert_eq!(check(&["a.**", "g[]"]), Vec::<String>::new());
    assert_eq!(
        check(&["a.*", "a.d[].e", "g[]"]),
        ["is printed and not in the table: a.d[].f"]
    );
    assert_eq!(check(&["**", "h"]), ["is in the table and was not printed: h"]);
    assert!(faults(&[Row::read("**")], "no JSON")[0].contains("expected"));
}
