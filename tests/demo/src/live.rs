//! What people see while the study runs: a bar a site and a line on quality; plain lines where there is no terminal.

use std::{collections::BTreeMap, io::IsTerminal, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;
use snowball_protocol::record::RoundRecord;
use snowball_service::{output::OutputError, say};
use snowball_tests::Said;

use crate::results::Quality;

/// The live view.
pub struct Live {
    is_terminal: bool,
    all: MultiProgress,
    head: ProgressBar,
    sites: BTreeMap<String, ProgressBar>,
    rounds_said: usize,
}

impl Live {
    pub fn new(sites: &[String], rounds: u32) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let all = MultiProgress::new();
        let head = all.add(ProgressBar::new(u64::from(rounds)));
        style(&head, "  {spinner} round {pos}/{len} {bar:24} {msg}");
        head.enable_steady_tick(Duration::from_millis(120));
        let sites = sites
            .iter()
            .map(|site| {
                let bar = all.add(ProgressBar::new(1));
                style(&bar, "    {prefix:10} {bar:24} {msg}");
                bar.set_prefix(site.clone());
                (site.clone(), bar)
            })
            .collect();
        Self {
            is_terminal,
            all,
            head,
            sites,
            rounds_said: 0,
        }
    }

    /// Shows what a node said.
    ///
    /// # Errors
    /// When nobody reads on.
    pub fn hear(&self, said: &Said) -> Result<(), OutputError> {
        let Some(bar) = self.sites.get(&said.who) else {
            return Ok(());
        };
        let what = &said.what;
        match what["event"].as_str() {
            Some("training") => {
                bar.set_length(what["steps"].as_u64().unwrap_or(1));
                bar.set_position(what["step"].as_u64().unwrap_or(0));
                bar.set_message(format!("loss {:.3}", what["loss"].as_f64().unwrap_or(f64::NAN)));
            }
            Some("contributed") => bar.set_message(format!("contributed to round {}", what["round"])),
            Some("disconnected") => bar.set_message("no connection, trying again"),
            Some("not_contributed" | "not_joined") => {
                let line = format!("  {}: {}", said.who, what["reason"].as_str().unwrap_or_default());
                self.say(&line)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Shows where the study stands.
    ///
    /// # Errors
    /// When nobody reads on.
    pub fn status(&mut self, status: &Value, records: &[RoundRecord]) -> Result<(), OutputError> {
        self.head.set_position(records.len() as u64);
        for record in &records[self.rounds_said.min(records.len())..] {
            let quality = record.evaluation.as_ref().map(Quality::of).unwrap_or_default();
            let line = format!(
                "  round {:>2}: {} sites, before it: {}",
                record.round.0,
                record.contributions.len(),
                sentence(&quality)
            );
            if self.is_terminal {
                self.head.set_message(sentence(&quality));
            } else {
                say!("{line}")?;
            }
        }
        self.rounds_said = records.len();
        if status["phase"] == "reviewing" {
            self.head.set_message("the sites evaluate the final model");
        }
        Ok(())
    }

    fn say(&self, line: &str) -> Result<(), OutputError> {
        if self.is_terminal {
            let _ = self.all.println(line);
            Ok(())
        } else {
            say!("{line}")
        }
    }

    pub fn finish(&self) {
        let _ = self.all.clear();
    }
}

/// One line on quality.
pub fn sentence(quality: &Quality) -> String {
    let percent = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{:.1} %", value * 100.0));
    let years = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
    format!(
        "body part {}, view {}, age off by {} years (constant {})",
        percent(quality.body_part),
        percent(quality.view),
        years(quality.age),
        years(quality.age_constant)
    )
}

fn style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}
