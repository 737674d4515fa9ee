//! What axe-core finds wrong with a page for those who hear it, or use it by the keyboard, or see little contrast.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::{Look, Tab};

/// axe-core, where it is on this machine.
pub struct Axe(String);

impl Axe {
    /// Reads it from where `SNOWBALL_AXE` says. `None`: it is not there, which is said aloud.
    ///
    /// # Errors
    /// When it is named and cannot be read.
    pub fn find() -> Result<Option<Self>> {
        let Some(path) = std::env::var_os("SNOWBALL_AXE").map(PathBuf::from) else {
            eprintln!(
                "SKIPPED: SNOWBALL_AXE names no axe.min.js; whether everybody can use the pages was not looked at"
            );
            return Ok(None);
        };
        let source = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Some(Self(source)))
    }

    /// What is wrong with the page in a tab, in light and in dark, a line each.
    ///
    /// # Errors
    /// When it cannot be run.
    pub async fn violations(&self, tab: &Tab) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        for look in Look::ALL {
            tab.look(look).await?;
            tab.evaluate(&format!("{}; true", self.0)).await?;
            let found = tab
                .evaluate(
                    "axe.run(document).then((result) => ({rules: result.passes.length,
                       found: result.violations.flatMap((rule) => rule.nodes.map((node) =>
                         `${rule.id}: ${rule.help}: ${node.target.join(' ')}: ${node.failureSummary}`))}))",
                )
                .await?;
            // A page that nothing was looked for on has no faults either.
            ensure!(found["rules"].as_u64() > Some(5), "axe-core looked at nothing: {found}");
            let lines_of_look = found["found"].as_array().context("axe-core found no list")?;
            let address = tab.address().await?;
            lines.extend(lines_of_look.iter().map(|line| {
                format!(
                    "{address}, {}: {}",
                    look.word(),
                    line.as_str().unwrap_or_default().replace('\n', " ")
                )
            }));
        }
        tab.look(Look::Light).await?;
        Ok(lines)
    }
}
