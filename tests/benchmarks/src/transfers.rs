//! What each encoding of updates takes in bytes and costs in quality: the demo once with each, on the same radiographs, from the same
//! seed, with real trainers, and the final models on the same held-out patients.

use std::{fmt::Write as _, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use snowball_protocol::{evaluation::Evaluation, labels::LabelName};
use snowball_tests::Programs;

use crate::Common;

/// As a plan writes them; the first is the one that the others are compared with.
const ENCODINGS: [&str; 5] = [
    "f32",
    "bf16",
    "int8",
    "{ top_k = { share = 0.05 } }",
    "{ top_k = { share = 0.01 } }",
];
/// The sites' held-out patients are few: a difference of so much says nothing.
const FEW_RADIOGRAPHS: u64 = 400;

/// Run the demo once with each encoding of updates, and set bytes and quality beside each other.
#[derive(clap::Args)]
#[command(after_help = "Example: snowball-benchmark transfers --seeds 7,8,9")]
pub struct Transfers {
    #[command(flatten)]
    common: Common,
    /// The usual demo, and not the quick one: about ten times as long.
    #[arg(long)]
    usual: bool,
    /// Another number of rounds.
    #[arg(long)]
    rounds: Option<u32>,
    /// Seeds of radiographs and study; the table has means over them.
    #[arg(long, value_delimiter = ',', default_value = "7")]
    seeds: Vec<u64>,
}

/// One row.
#[derive(Serialize)]
struct Row {
    encoding: &'static str,
    /// Of one update, mean over all.
    update_bytes: f64,
    /// On the held-out patients of all sites, mean over the seeds.
    quality: Quality,
}

/// How good a model is.
#[derive(Clone, Copy, Default, Serialize)]
struct Quality {
    loss: Option<f64>,
    body_part: Option<f64>,
    view: Option<f64>,
    sex: Option<f64>,
    age: Option<f64>,
}

/// What `results.json` of the demo says, as far as it matters here.
#[derive(Deserialize)]
struct Results {
    rounds: Vec<Round>,
    sites: Vec<Site>,
}

#[derive(Deserialize)]
struct Site {
    /// The final model on the site's held-out patients.
    federated: Option<Evaluation>,
}

#[derive(Deserialize)]
struct Round {
    contributions: Vec<Contribution>,
}

#[derive(Deserialize)]
struct Contribution {
    bytes: u64,
}

impl Transfers {
    /// Runs everything and prints the table.
    pub fn run(&self) -> Result<bool> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let programs = runtime.block_on(Programs::prepare(self.common.programs.as_deref()))?;
        let beside = programs.node.parent().context("the programs lie nowhere")?;
        let work = self.common.folder()?;
        let (mut rows, mut images) = (Vec::new(), 0);
        for encoding in ENCODINGS {
            let mut runs = Vec::new();
            for seed in &self.seeds {
                let out = work.path().join(format!("{}-{seed}", rows.len()));
                runs.push(self.demo(beside, encoding, *seed, &out)?);
            }
            images = runs
                .iter()
                .filter_map(Results::tested)
                .map(|tested| tested.images)
                .sum();
            rows.push(Row::of(encoding, &runs));
        }
        if self.common.json {
            println!("{}", serde_json::to_string_pretty(&rows)?);
        } else {
            print!("{}", table(&rows)?);
            if images < FEW_RADIOGRAPHS {
                println!("Tested on {images} radiographs: too few to tell small differences; name more seeds.");
            }
        }
        Ok(true)
    }

    fn demo(&self, programs: &Path, encoding: &str, seed: u64, out: &Path) -> Result<Results> {
        let mut demo = Command::new(programs.join("snowball-demo"));
        demo.arg("--programs").arg(programs).arg("--out").arg(out);
        demo.arg("--seed").arg(seed.to_string()).arg("--encoding").arg(encoding);
        if !self.usual {
            demo.arg("--quick");
        }
        if let Some(rounds) = self.rounds {
            demo.arg("--rounds").arg(rounds.to_string());
        }
        let output = demo
            .output()
            .context("cannot start snowball-demo beside the other programs")?;
        let results = out.join("results.json");
        // The demo also fails where the model is worse than it should be; what it measured is there all the same.
        ensure!(
            results.exists(),
            "the demo with encoding = {encoding} broke off: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        eprintln!("encoding = {encoding}, seed {seed}: done");
        let text = std::fs::read(&results).with_context(|| format!("cannot read {}", results.display()))?;
        serde_json::from_slice(&text).context("results.json is not what this benchmark knows")
    }
}

impl Row {
    fn of(encoding: &'static str, runs: &[Results]) -> Self {
        let sizes: Vec<f64> = runs
            .iter()
            .flat_map(|run| &run.rounds)
            .flat_map(|round| &round.contributions)
            .map(|part| part.bytes as f64)
            .collect();
        let of = |pick: fn(&Quality) -> Option<f64>| {
            let tested = runs.iter().filter_map(Results::tested);
            mean(
                &tested
                    .filter_map(|tested| pick(&Quality::of(&tested)))
                    .collect::<Vec<_>>(),
            )
        };
        Self {
            encoding,
            update_bytes: mean(&sizes).unwrap_or(0.0),
            quality: Quality {
                loss: of(|quality| quality.loss),
                body_part: of(|quality| quality.body_part),
                view: of(|quality| quality.view),
                sex: of(|quality| quality.sex),
                age: of(|quality| quality.age),
            },
        }
    }
}

impl Results {
    /// On the held-out patients of all sites together.
    fn tested(&self) -> Option<Evaluation> {
        Evaluation::pooled(self.sites.iter().filter_map(|site| site.federated.as_ref()))
    }
}

impl Quality {
    fn of(evaluation: &Evaluation) -> Self {
        let accuracy = |label| evaluation.head(label).and_then(|head| head.balanced_accuracy());
        let age = evaluation.head(LabelName::Age);
        Self {
            loss: evaluation.mean_loss(),
            body_part: accuracy(LabelName::BodyPart),
            view: accuracy(LabelName::View),
            sex: accuracy(LabelName::Sex),
            age: age.and_then(|head| head.mean_absolute_errors()).map(|errors| errors.0),
        }
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn table(rows: &[Row]) -> Result<String> {
    let mut text = String::new();
    writeln!(
        text,
        "| `encoding` | bytes an update | of exact | loss | body part | view | sex | age, years off |\n|---|---|---|---|---|---|---|---|"
    )?;
    let exact = rows.first().map_or(1.0, |row| row.update_bytes);
    let cell = |value: Option<f64>, places: usize, times: f64| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{:.places$}", value * times))
    };
    for Row {
        encoding,
        update_bytes,
        quality,
    } in rows
    {
        writeln!(
            text,
            "| `{encoding}` | {update_bytes:.0} | {:.1} % | {} | {} % | {} % | {} % | {} |",
            update_bytes / exact * 100.0,
            cell(quality.loss, 3, 1.0),
            cell(quality.body_part, 1, 100.0),
            cell(quality.view, 1, 100.0),
            cell(quality.sex, 1, 100.0),
            cell(quality.age, 1, 1.0),
        )?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use snowball_protocol::{
        Sha256Digest,
        evaluation::{ClassCount, HeadEvaluation},
    };

    use super::*;

    fn run(bytes: [u64; 2], correct: [u64; 2]) -> Results {
        let contributions = bytes.map(|bytes| Contribution { bytes }).into();
        let site = |correct| Site {
            federated: Some(Evaluation {
                model_digest: Sha256Digest::of(b"model"),
                images: 10,
                heads: vec![HeadEvaluation::Classes {
                    label: LabelName::View,
                    loss_sum: 12.0,
                    images: 10,
                    classes: vec![ClassCount {
                        class: "AP".to_owned(),
                        images: 10,
                        correct,
                        detail: None,
                    }],
                }],
                reconstruction: None,
                contrast: None,
            }),
        };
        Results {
            rounds: vec![Round { contributions }],
            sites: correct.map(site).into(),
        }
    }

    #[test]
    fn a_row_has_the_means_over_updates_and_seeds() {
        let rows = [
            Row::of("f32", &[run([400, 400], [9, 9])]),
            Row::of("int8", &[run([100, 102], [2, 3]), run([100, 102], [5, 5])]),
        ];
        let table = table(&rows).unwrap();
        let last = table.lines().last().unwrap();
        assert_eq!(last, "| `int8` | 101 | 25.2 % | 1.200 | - % | 37.5 % | - % | - |");
    }
}
