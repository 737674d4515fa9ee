//! A hospital's own table of labels finds its radiographs by accession number; what is missing, doubled or contradictory in
//! it is counted as it was put in.

use std::path::PathBuf;

use serde_json::Value;
use snowball_tests::{Programs, ask, run};

/// Where the shared radiographs lie, if they do.
fn hospital(name: &str) -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let root = std::env::var_os("SNOWBALL_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let found = root.join("radiographs").join(name);
    found.is_dir().then_some(found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_joins_as_its_truth_says() {
    let Some(hospital) = hospital("c") else {
        eprintln!("skipped: no shared radiographs in SNOWBALL_DATA");
        return;
    };
    let node = Programs::prepare(None).await.unwrap().node;
    let home = tempfile::tempdir().unwrap();
    let home = home.path().join("home");
    run(&node, &home, &["init", "--site", "north"]).await.unwrap();
    let folder = hospital.join("dicom");
    let intake = ask(&node, &home, &["ingest", folder.to_str().unwrap()]).await.unwrap();
    let table = hospital.join("site-labels.csv");
    let import = |flags: &'static [&'static str]| {
        let mut arguments = vec!["labels", "import", table.to_str().unwrap(), "--by", "accession"];
        arguments.extend(["--key", "AccessionNumber"]);
        arguments.extend(flags);
        arguments.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };

    // `finding` holds words: it may not come in.
    let words = import(&["--class", "finding"]);
    let refused = run(&node, &home, &words.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(refused.unwrap().status.code(), Some(1));

    let flags = import(&[
        "--class",
        "kl_grade",
        "--class",
        "cast_clinic",
        "--noisy",
        "cast_clinic",
    ]);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let joined = ask(&node, &home, &flags).await.unwrap();
    assert_eq!(
        ask(&node, &home, &flags).await.unwrap(),
        joined,
        "again changes nothing"
    );

    let truth = std::fs::read_to_string(hospital.join("truth.jsonl")).unwrap();
    let files: Vec<Value> = truth.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |row: &str| {
        let rows = files
            .iter()
            .filter(|file| file["disposition"] == "accept" && file["site_row"] == row);
        rows.count() as u64
    };
    let number = |value: &Value| value.as_u64().unwrap();
    let accepted = number(&intake["accepted"]);
    let sound = files.iter().filter(|file| file["disposition"] == "accept").count() as u64;
    // Files that wait for a person (text in their pixels) are not stored; each may take one away from any count.
    let waiting = sound - accepted;
    let expect = |found: u64, put_in: u64, what: &str| {
        assert!(
            (put_in.saturating_sub(waiting)..=put_in).contains(&found),
            "{what}: {found} of {put_in}"
        );
    };
    let matched = number(&joined["radiographs_matched"]);
    assert_eq!(matched + number(&joined["radiographs_without_row"]), accepted);
    expect(
        matched,
        of("ok") + of("duplicate_same") + of("duplicate_conflict"),
        "matched",
    );
    expect(
        number(&joined["contradicted"]["cast_clinic"]),
        of("duplicate_conflict"),
        "contradicted",
    );
    assert_eq!(
        joined["contradicted"].get("kl_grade"),
        None,
        "the truth contradicts itself in the clinic only"
    );

    // Half a table: what it takes away is told before, kept on demand, and gone otherwise.
    let half = home.with_file_name("half.csv");
    let text = std::fs::read_to_string(&table).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    std::fs::write(&half, lines[..lines.len() / 2].join("\n")).unwrap();
    let half = half.to_str().unwrap();
    let import = async |flags: &[&str]| {
        let table = [
            "labels",
            "import",
            half,
            "--by",
            "accession",
            "--key",
            "AccessionNumber",
        ];
        let arguments = [&table[..], &["--class", "kl_grade"], flags].concat();
        ask(&node, &home, &arguments).await.unwrap()
    };
    let dry = import(&["--dry-run"]).await;
    let beside = number(&dry["beside"]["kl_grade"]);
    assert!(beside > 0, "{dry}");
    assert_eq!(
        beside + number(&dry["labelled"]["kl_grade"]),
        number(&joined["labelled"]["kl_grade"])
    );
    import(&["--add"]).await;
    assert_eq!(import(&["--dry-run"]).await, dry, "nothing was lost");

    let census = ask(&node, &home, &["census"]).await.unwrap();
    assert!(census["tables"]["site: kl_grade"]["0"].is_object(), "{census}");
    import(&[]).await;
    assert_eq!(import(&["--dry-run"]).await["beside"].get("kl_grade"), None);
}
