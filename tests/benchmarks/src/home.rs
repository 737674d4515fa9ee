//! A node's home for one measurement, made by the commands that a hospital would type.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::watched;

const SITE: &str = "benchmark";

/// A node of its own.
pub struct Home {
    node: PathBuf,
    pub folder: PathBuf,
}

impl Home {
    /// Makes a node in `folder` with a policy in force.
    ///
    /// # Errors
    /// When a command refuses.
    pub fn make(node: &Path, folder: &Path) -> Result<Self> {
        Self::with_policy(node, folder, &policy()?, None)
    }

    /// Makes a node in `folder` with this policy in force, and with this secret instead of a random one.
    ///
    /// # Errors
    /// When a command refuses.
    pub fn with_policy(node: &Path, folder: &Path, policy: &str, secret: Option<&str>) -> Result<Self> {
        let home = Self::at(node, folder);
        home.ask(&["init", "--site", SITE])?;
        if let Some(secret) = secret {
            snowball_service::files::write_private(&folder.join("keys/site.secret"), secret.as_bytes())?;
        }
        let (key, file) = (folder.join("board.pem"), folder.join("board.toml"));
        fs::write(&file, policy)?;
        let (key_text, file_text) = (key.display().to_string(), file.display().to_string());
        home.ask(&["policy", "key", "--out", &key_text])?;
        home.ask(&["policy", "sign", "--key", &key_text, &file_text])?;
        let public = key.with_extension("pub").display().to_string();
        home.ask(&["policy", "install", &file_text, "--ethics-key", &public])?;
        Ok(home)
    }

    /// A node that was made in `folder` before.
    pub fn at(node: &Path, folder: &Path) -> Self {
        Self {
            node: node.to_owned(),
            folder: folder.to_owned(),
        }
    }

    /// The command with these arguments, to be read by a program.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.plain(&["--json"]);
        command.args(arguments);
        command
    }

    /// The command with these arguments, to be read by people.
    pub fn plain(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.node);
        command.arg("--home").arg(&self.folder).args(arguments);
        command
    }

    /// Runs a command to its end and gives its answer.
    ///
    /// # Errors
    /// When it fails or does not answer in JSON.
    pub fn ask(&self, arguments: &[&str]) -> Result<Value> {
        let said = watched::ask(&mut self.command(arguments))?;
        let verb = arguments.first().copied().unwrap_or_default();
        serde_json::from_str(said.trim()).with_context(|| format!("{verb} did not answer in JSON"))
    }
}

/// The annotated policy of stage 1 as a board would sign it today for this site: nothing is retained, nothing leaves.
///
/// # Errors
/// When the clock is no clock.
pub fn policy() -> Result<String> {
    let day = |days: i64| -> Result<String> {
        let now = jiff::Timestamp::now().as_second() + days * 86_400;
        Ok(jiff::Timestamp::from_second(now)?.strftime("%Y-%m-%d").to_string())
    };
    let mine = [
        ("site = ", format!("site = {SITE:?}")),
        ("approved_on = ", format!("approved_on = {}", day(-1)?)),
        ("expires_on = ", format!("expires_on = {}", day(30)?)),
    ];
    let line = |line: &str| {
        let found = mine.iter().find(|(start, _)| line.starts_with(start));
        found.map_or_else(|| line.to_owned(), |(_, mine)| mine.clone())
    };
    let text = include_str!("../../../policies/local.toml");
    Ok(text.lines().map(line).collect::<Vec<_>>().join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_policy_is_of_this_site_and_of_today() {
        let policy = snowball_policy::parse(&super::policy().unwrap()).unwrap();
        assert_eq!(policy.site().as_str(), super::SITE);
        let now = jiff::Timestamp::now().as_second();
        assert!(policy.begins() <= now && now < policy.expires());
    }
}
