//! The pages of JSON: each command is run, and the fields that it prints are those of its table.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use super::{
    Walk,
    page::{Block, blocks, fences, read, root},
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

/// A section of a page: a command, what is typed before it, and the table of what it prints.
struct Section<'a> {
    name: &'a str,
    before: Vec<&'a str>,
    command: &'a str,
    rows: Vec<Row<'a>>,
    /// An archive has to answer it: the story of that archive holds the table.
    is_left_out: bool,
}

impl<'a> Section<'a> {
    fn read(text: &'a str) -> Self {
        let name = text.lines().next().unwrap();
        let (_, words, mut held) = fences(text).into_iter().next().unwrap();
        let rows: Vec<Row<'a>> = text
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split("` |").next())
            .map(Row::read)
            .collect();
        let command = held.pop().unwrap();
        assert!(!rows.is_empty() && command.contains("--json"), "{name}");
        Self {
            name,
            before: held,
            command,
            rows,
            is_left_out: words.contains("not-run="),
        }
    }
}

fn sections(text: &str) -> impl Iterator<Item = Section<'_>> {
    text.split("\n## ").skip(1).map(Section::read)
}

/// Holds what a story's archive had the node print to the table of that command.
pub fn is_as_documented(verb: &str, printed: &[Value]) {
    let text = read(NODE);
    let section = sections(&text).find(|section| section.name == verb).unwrap();
    let printed: Vec<String> = printed.iter().map(Value::to_string).collect();
    let faults = faults(&section.rows, &printed.join("\n"));
    assert!(faults.is_empty(), "{NODE}: {verb}: {}", faults.join("\n"));
}

const NODE: &str = "hospital-node/docs/json.md";
const AGGREGATOR: &str = "aggregator/docs/json.md";
/// They go on until they are asked to end.
const SERVICES: [&str; 3] = ["serve", "dashboard", "receive"];

/// What stands ready when the pages begin, typed as a page is: a study that can be released, an aggregator that serves, two requests that
/// wait, and a policy that permits all of it.
const READY: &str = r#"
```sh
cp -r $SNOWBALL/policies/practice practice
sed -i '/release create/d' practice/consortium.sh
sh practice/consortium.sh 7443
sed -i -e 's/"groups"]/"groups", "outlines", "drawings"]/' -e 's/"site_age_group"]/"site_age_group", "site_bone"]/' north.toml
printf '\n[dashboard]\nlisten = "127.0.0.1:9464"\n' >> consortium/aggregator.toml
(aggregator --home consortium serve > serve.log 2>&1 &)
until grep -q 'listening on' serve.log; do sleep 0.1; done
for site in stranger late; do hospital-node --home $site init --site $site; done
aggregator --home consortium invite --site stranger
```
```sh exit=1
hospital-node --home stranger enroll INVITATION --wait-seconds 1
```
```sh
aggregator --home consortium invite --site late
```
```sh exit=1
hospital-node --home late enroll INVITATION --wait-seconds 1
```
"#;

/// Masks of 240 radiographs that `phantoms` draws with this seed, as `masks import` wants them.
pub fn outlines(folder: &Path, seed: u64) {
    std::fs::create_dir(folder).unwrap();
    let drawn = snowball_phantoms::Consortium {
        seed,
        hospitals: 1,
        images_per_hospital: 240,
        ..Default::default()
    };
    for bones in snowball_phantoms::bones(&drawn, 0) {
        let picture = image::GrayImage::from_raw(bones.columns, bones.rows, bones.values).unwrap();
        picture.save(folder.join(format!("{}.png", bones.instance))).unwrap();
    }
}

/// What the section's command prints on standard output. How it ends is for other tests: doctor may find something.
fn printed(walk: &Walk, section: &Section<'_>) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let folder = walk.programs.node.parent().unwrap();
    let mut child = Command::new("bash")
        // In its stead, so that a service gets the signal.
        .args(["-c", &format!("exec {}", walk.filled(section.command))])
        .current_dir(walk.folder.path())
        .env("PATH", format!("{}:{path}", folder.display()))
        .env("SNOWBALL", root())
        .env_remove("SNOWBALL_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = String::new();
    if SERVICES.contains(&section.name) {
        let mut screen = BufReader::new(child.stdout.take().unwrap());
        screen.read_line(&mut lines).unwrap();
        kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        screen.read_to_string(&mut lines).unwrap();
    }
    let output = child.wait_with_output().unwrap();
    lines += &String::from_utf8(output.stdout).unwrap();
    assert!(
        !lines.is_empty(),
        "{}: {}",
        section.name,
        String::from_utf8_lossy(&output.stderr)
    );
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_of_json_has_its_line_and_every_line_its_field() {
    let mut walk = Walk::begin("the consortium to practise with", programs().await);
    let programs = walk.programs.node.parent().unwrap().display().to_string();
    for line in [
        format!("export SNOWBALL={}", root().display()),
        format!("export PATH={programs}:$PATH"),
    ] {
        walk.type_in(&Block::of(&line));
    }
    for block in blocks(READY) {
        walk.type_in(&block);
    }
    outlines(&walk.folder.path().join("outlines"), 3);
    let mut wrong = Vec::new();
    for page in [AGGREGATOR, NODE] {
        walk.page = page;
        let text = read(page);
        for section in sections(&text).filter(|section| !section.is_left_out) {
            for line in &section.before {
                walk.type_in(&Block::of(line));
            }
            let faults = faults(&section.rows, &printed(&walk, &section));
            wrong.extend(
                faults
                    .into_iter()
                    .map(|fault| format!("{page}: {}: {fault}", section.name)),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every verb that does something by itself, as the help lists them.
fn verbs(program: &Path, words: &str, found: &mut BTreeSet<String>) {
    let output = Command::new(program)
        .args(words.split_whitespace())
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let usage = help.split("Usage:").nth(1).unwrap_or_default();
    let listed = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let listed = listed.lines().take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| {
        line.strip_prefix("  ")?
            .split_whitespace()
            .next()
            .filter(|_| !line.starts_with("   "))
    });
    let names: Vec<&str> = names.filter(|name| *name != "help").collect();
    // One that does something without a further word, as dashboard.
    if !words.is_empty() && !usage.lines().next().unwrap_or_default().ends_with("<COMMAND>") {
        found.insert(words.to_owned());
    }
    for name in names {
        verbs(program, format!("{words} {name}").trim_start(), found);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_verb_stands_on_its_page_of_json() {
    let programs = programs().await;
    for (page, program, least) in [(NODE, &programs.node, 60), (AGGREGATOR, &programs.aggregator, 35)] {
        let mut due = BTreeSet::new();
        verbs(program, "", &mut due);
        let text = read(page);
        let there: BTreeSet<String> = sections(&text).map(|section| section.name.to_owned()).collect();
        assert!(due.len() >= least, "{due:?}");
        assert_eq!(there, due, "{page}");
        // What is run and what is not, both by name.
        let left_out: Vec<&str> = sections(&text)
            .filter(|section| section.is_left_out)
            .map(|section| section.name)
            .collect();
        let expected: &[&str] = if page == NODE { &["retrieve", "pull"] } else { &[] };
        assert_eq!(left_out, expected, "{page}");
    }
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
