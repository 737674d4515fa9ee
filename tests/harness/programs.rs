//! The three programs of the project: built here, used by their command lines.

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::bound;

/// Where the programs lie.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `aggregator`.
    pub aggregator: PathBuf,
    /// `hospital-node`; its trainer lies beside it.
    pub node: PathBuf,
}

impl Programs {
    /// Builds them where this program itself was built, or takes those of `folder`.
    ///
    /// # Errors
    /// When they do not build or are not there.
    pub async fn prepare(folder: Option<&Path>) -> Result<Self> {
        let folder = match folder {
            Some(folder) => folder.to_owned(),
            None => {
                build().await?;
                let own = std::env::current_exe().context("cannot tell where this program lies")?;
                let beside = own.parent().context("this program lies nowhere")?;
                // Test programs lie one folder deeper.
                if beside.ends_with("deps") {
                    beside.parent().unwrap_or(beside).to_owned()
                } else {
                    beside.to_owned()
                }
            }
        };
        let programs = Self {
            aggregator: folder.join("aggregator"),
            node: folder.join("hospital-node"),
        };
        for path in [&programs.aggregator, &programs.node, &folder.join("snowball-trainer")] {
            ensure!(
                path.exists(),
                "{} is missing; run cargo build --workspace --bins",
                path.display()
            );
        }
        Ok(programs)
    }
}

async fn build() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--workspace", "--bins"]);
    // What cargo tells a program that it runs is not for another cargo: ring's build script watches some of these, and
    // everything above it would be compiled anew at each change between a nested and a plain build.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&name);
        }
    }
    let status = build
        .status()
        .await
        .context("cannot run cargo; build first and name the folder with --programs")?;
    ensure!(status.success(), "the programs do not build");
    Ok(())
}

/// Runs a command to its end: exit code, standard output, standard error.
///
/// # Errors
/// When it cannot be started.
pub async fn run(program: &Path, home: &Path, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(program);
    command
        .arg("--home")
        .arg(home)
        .arg("--json")
        .args(arguments)
        .kill_on_drop(true);
    bound::end_with_a_single_thread(command.as_std_mut());
    command
        .output()
        .await
        .with_context(|| format!("cannot start {}", program.display()))
}

/// Runs a command to its end and gives its JSON answer.
///
/// # Errors
/// When the program refuses; its last words are in the error.
pub async fn ask(program: &Path, home: &Path, arguments: &[&str]) -> Result<Value> {
    let words = arguments.first().copied().unwrap_or_default();
    let output = run(program, home, arguments).await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = said.lines().rev().take(4).collect();
        bail!(
            "{} {words} failed: {}",
            program.display(),
            last.into_iter().rev().collect::<Vec<_>>().join(" | ")
        );
    }
    let answer = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(answer.trim()).with_context(|| format!("{words} did not answer with JSON"))
}
