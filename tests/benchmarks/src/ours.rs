//! `hospital-node` over a folder: the two verbs that take files, each in a home of its own.

use std::{fs, path::Path, process::ExitStatus};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{
    deidentification::{Contestant, Kind, Outcome, Place},
    home::Home,
    watched,
};

pub fn contestants(node: &Path) -> Vec<Contestant<'_>> {
    let verb = |name: &str, remark, arguments: fn(&Place<'_>) -> Vec<String>, written: &'static str| Contestant {
        name: format!("hospital-node {name}"),
        kind: Kind::Full,
        remark,
        run: Box::new(move |place| run(node, place, &arguments(place), written)),
    };
    vec![
        verb(
            "deidentify",
            "PS3.15 profile at every depth, text searched for in every picture, a second pass over what was written, every decision \
             on record; pictures with text that is not dealt with are quarantined, so it may write fewer files",
            |place| {
                let output = place.folder.join("out").display().to_string();
                vec![
                    "deidentify".to_owned(),
                    place.corpus.folder.display().to_string(),
                    output,
                ]
            },
            "written",
        ),
        verb(
            "ingest",
            "no DICOM comes out: pixels searched for text, compressed, sealed and stored with closed labels, durable",
            |place| vec!["ingest".to_owned(), place.corpus.folder.display().to_string()],
            "accepted",
        ),
    ]
}

fn run(node: &Path, place: &Place<'_>, arguments: &[String], written: &str) -> Result<Outcome> {
    let home = Home::make(node, &place.folder.join("home"))?;
    let threads = place.cores.to_string();
    let mut words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    words.extend(["--threads", &threads]);
    let command = watched::on_cores(&home.command(&words), place.cores);
    let cost = watched::run(vec![command], &place.log(), ExitStatus::success)?;
    let summary = summary(&place.log())?;
    Ok(Outcome {
        cost,
        written: summary[written].as_u64().unwrap_or(0),
    })
}

/// The answer of a verb among what it said: the last line that is a document with its duration.
///
/// # Errors
/// When there is none.
pub fn summary(log: &Path) -> Result<Value> {
    let said = fs::read_to_string(log)?;
    said.lines()
        .rev()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|document| document["seconds"].is_number())
        .with_context(|| format!("no answer; it said: {}", watched::last_words(log)))
}
