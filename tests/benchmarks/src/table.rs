//! The figures, as text and as rows for programs.

use std::fmt::Write as _;

use serde::Serialize;

use crate::{
    corpus::Corpus,
    deidentification::{Contestant, Kind, Outcome, Set, Skipped},
};

/// Whose speed the others are told in, where it is there; else the first of the header path.
const BASELINE: &str = "dcmodify, a process a core";

/// One program over one set of files.
#[derive(Clone, Serialize)]
pub struct Row {
    pub program: String,
    pub kind: Kind,
    /// Files of the set through the median time; `_min` and `_max` of the slowest and the fastest run.
    pub files_per_second: f64,
    pub files_per_second_min: f64,
    pub files_per_second_max: f64,
    /// 10^6 bytes of the files that went in.
    pub megabytes_per_second: f64,
    /// For all files, in the median.
    pub processor_seconds: f64,
    pub memory_bytes_max: u64,
    pub written: u64,
    /// Speed relative to the baseline's.
    pub times_baseline: Option<f64>,
}

/// A row for each program, the floors first.
pub fn rows(corpus: &Corpus, contestants: &[Contestant<'_>], runs: &[Vec<Outcome>]) -> Vec<Row> {
    let mut rows: Vec<Row> = contestants
        .iter()
        .zip(runs)
        .map(|(contestant, runs)| row(corpus, contestant, runs))
        .collect();
    let baseline = rows
        .iter()
        .find(|row| row.program == BASELINE)
        .or_else(|| rows.iter().find(|row| row.kind == Kind::Header))
        .map(|row| row.files_per_second);
    for row in &mut rows {
        row.times_baseline = baseline.map(|baseline| row.files_per_second / baseline);
    }
    rows.sort_by_key(|row| row.kind);
    rows
}

fn row(corpus: &Corpus, contestant: &Contestant<'_>, runs: &[Outcome]) -> Row {
    let sorted = |figure: fn(&Outcome) -> f64| {
        let mut figures: Vec<f64> = runs.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures
    };
    let seconds = sorted(|run| run.cost.seconds);
    let rate = |seconds: f64| corpus.files as f64 / seconds.max(1e-9);
    let median = median(&seconds);
    Row {
        program: contestant.name.clone(),
        kind: contestant.kind,
        files_per_second: rate(median),
        files_per_second_min: rate(seconds.last().copied().unwrap_or(f64::NAN)),
        files_per_second_max: rate(seconds.first().copied().unwrap_or(f64::NAN)),
        megabytes_per_second: corpus.bytes as f64 / 1e6 / median.max(1e-9),
        processor_seconds: self::median(&sorted(|run| run.cost.processor_seconds)),
        memory_bytes_max: runs.iter().map(|run| run.cost.memory_bytes_max).max().unwrap_or(0),
        written: runs.iter().map(|run| run.written).min().unwrap_or(0),
        times_baseline: None,
    }
}

/// The middle of sorted figures; of two middle ones their mean.
fn median(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => (sorted[count / 2 - 1] + sorted[count / 2]) / 2.0,
    }
}

/// The table of one set.
pub fn of(set: &Set<'_>) -> String {
    let corpus = set.corpus;
    let mut text = format!(
        "{}: {} files, {:.1} MB\n",
        corpus.name,
        corpus.files,
        corpus.bytes as f64 / 1e6
    );
    let _ = writeln!(
        text,
        "{:<42} {:>8} {:>15} {:>8} {:>11} {:>8} {:>8} {:>10}",
        "program", "files/s", "slowest-fastest", "MB/s", "cpu ms/file", "peak MB", "written", "x baseline"
    );
    let mut kind = None;
    for row in &set.rows {
        if kind.replace(row.kind) != Some(row.kind) {
            let title = match row.kind {
                Kind::Floor => "floors",
                Kind::Header => "headers; pixels not looked at",
                Kind::Full => "headers and pixels",
            };
            let _ = writeln!(text, "-- {title}");
        }
        let span = format!("{:.0}-{:.0}", row.files_per_second_min, row.files_per_second_max);
        let _ = writeln!(
            text,
            "{:<42} {:>8.1} {span:>15} {:>8.1} {:>11.2} {:>8.0} {:>8} {:>10}",
            row.program,
            row.files_per_second,
            row.megabytes_per_second,
            row.processor_seconds * 1e3 / corpus.files.max(1) as f64,
            row.memory_bytes_max as f64 / 1e6,
            row.written,
            row.times_baseline
                .map_or_else(|| "-".to_owned(), |times| format!("{times:.2}")),
        );
    }
    text
}

/// What each program does and does not do, and which are not there.
pub fn remarks(contestants: &[Contestant<'_>], skipped: &[Skipped]) -> String {
    let mut text = String::new();
    let mut said = Vec::new();
    for contestant in contestants {
        if !said.contains(&contestant.remark) {
            said.push(contestant.remark);
            let name = contestant.name.trim_end_matches(", one process");
            let _ = writeln!(text, "{name}: {}", contestant.remark);
        }
    }
    let _ = writeln!(
        text,
        "baseline: {BASELINE}, or the first header row where it is missing"
    );
    for skipped in skipped {
        let _ = writeln!(text, "skipped: {}; {}", skipped.program, skipped.remedy);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watched::Cost;

    fn contestant(name: &str, kind: Kind) -> Contestant<'static> {
        Contestant {
            name: name.to_owned(),
            kind,
            remark: "",
            run: Box::new(|_| anyhow::bail!("not run")),
        }
    }

    fn runs(seconds: &[f64]) -> Vec<Outcome> {
        let outcome = |seconds: &f64| Outcome {
            cost: Cost {
                seconds: *seconds,
                processor_seconds: 2.0 * seconds,
                memory_bytes_max: (seconds * 1e6) as u64,
            },
            written: 100,
        };
        seconds.iter().map(outcome).collect()
    }

    #[test]
    fn medians_count_and_ratios_are_those_of_the_baseline() {
        let folder = tempfile::tempdir().unwrap();
        let mut corpus = Corpus::phantoms(folder.path(), 4, 64).unwrap();
        (corpus.files, corpus.bytes) = (100, 5_000_000);
        let contestants = [
            contestant("ours", Kind::Full),
            contestant(BASELINE, Kind::Header),
            contestant("copy", Kind::Floor),
        ];
        let rows = rows(
            &corpus,
            &contestants,
            &[runs(&[4.0, 1.0, 2.0]), runs(&[1.0, 1.0]), runs(&[0.5])],
        );
        let names: Vec<&str> = rows.iter().map(|row| row.program.as_str()).collect();
        assert_eq!(names, ["copy", BASELINE, "ours"]);
        let ours = &rows[2];
        assert_eq!((ours.files_per_second, ours.megabytes_per_second), (50.0, 2.5));
        assert_eq!((ours.files_per_second_min, ours.files_per_second_max), (25.0, 100.0));
        assert_eq!((ours.times_baseline, ours.memory_bytes_max), (Some(0.5), 4_000_000));
        let text = of(&Set { corpus: &corpus, rows });
        assert!(text.contains("0.50") && text.contains("-- floors"), "{text}");
    }
}
