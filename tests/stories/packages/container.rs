//! The container files, as far as they can be checked where nothing builds them: every line is one that is known, what they copy is in the
//! package, and what they run is a command line that the program takes. Where buildah is there, `image` builds and runs them.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use serde_json::Value;

use super::{made_packages, make};
use crate::stage::programs;

const WORDS: [&str; 11] = [
    "FROM",
    "COPY",
    "RUN",
    "USER",
    "ENV",
    "VOLUME",
    "EXPOSE",
    "STOPSIGNAL",
    "HEALTHCHECK",
    "ENTRYPOINT",
    "CMD",
];

#[tokio::test]
async fn container_files_hold_to_their_packages() {
    let folder = tempfile::tempdir().unwrap();
    let built = programs().await;
    if !super::is_there("dpkg-shlibdeps") {
        println!("skipped: dpkg-shlibdeps is not installed");
        return;
    }
    let packages = made_packages(&make(built.node.parent().unwrap(), folder.path(), "0.1.0"));
    for (place, program, package) in [
        ("hospital-node", &built.node, &packages[0]),
        ("aggregator", &built.aggregator, &packages[1]),
    ] {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../{place}/deploy/Containerfile"));
        let text = fs::read_to_string(file).unwrap();
        let lines: Vec<(&str, &str)> = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| line.split_once(' ').unwrap())
            .collect();
        for (word, _) in &lines {
            assert!(WORDS.contains(word), "{place}: {word}");
        }
        let of = |word: &'static str| lines.iter().filter(move |line| line.0 == word).map(|line| line.1);
        let contents = contents(package);
        for copied in
            of("COPY").filter_map(|rest| rest.split_whitespace().find_map(|part| part.strip_prefix("/image/")))
        {
            assert!(contents.contains(copied), "{place}: {copied} is not in the package");
        }
        let user = of("USER").next().unwrap();
        assert!(
            user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id != 0)),
            "{place}: {user}"
        );
        // The form of a list: no shell is needed to run it, and none is in the image.
        let list = |text: &str| -> Vec<String> {
            let list: Value = serde_json::from_str(text).unwrap();
            serde_json::from_value(list).unwrap()
        };
        let entry = list(of("ENTRYPOINT").next().unwrap());
        let health = list(of("HEALTHCHECK").next().unwrap().split_once("CMD ").unwrap().1);
        assert!(contents.contains(entry[0].trim_start_matches('/')) && health[0] == entry[0]);
        for arguments in [list(of("CMD").next().unwrap()), health[1..].to_vec()] {
            let help = Command::new(program).args(&arguments).arg("--help").output().unwrap();
            assert!(help.status.success(), "{place}: {arguments:?}");
        }
    }
}

/// The names of what a package installs, without the dot and the slash before them.
fn contents(package: &PathBuf) -> BTreeSet<String> {
    let listed = Command::new("dpkg-deb")
        .arg("--contents")
        .arg(package)
        .output()
        .unwrap();
    String::from_utf8(listed.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| line.split_once(" ./").map(|(_, name)| name))
        .map(|name| name.split(" -> ").next().unwrap().trim_end_matches('/').to_owned())
        .collect()
}
