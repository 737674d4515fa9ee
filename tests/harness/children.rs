//! Long-running programs as children: their lines are heard, their end is noticed, and none outlives the demo.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::mpsc,
};

use crate::bound;

const GRACE: Duration = Duration::from_secs(8);

/// Lines of its log that a program which ended badly is told with.
const LAST_LINES: usize = 12;

/// A running program.
pub struct Running {
    name: String,
    log: PathBuf,
    child: Child,
}

/// A line of JSON that a program said.
pub struct Said {
    /// Which program, by the name that it was started under.
    pub who: String,
    /// What it said.
    pub what: Value,
}

impl Running {
    /// Starts `program`; every JSON line of its standard output goes to `hear`, its log to the end of `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        name: &str,
        program: &Path,
        home: &Path,
        arguments: &[&str],
        log: &Path,
        hear: mpsc::Sender<Said>,
    ) -> Result<Self> {
        let log_file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new(program);
        bound::end_with_a_single_thread(command.as_std_mut());
        let mut child = command
            .arg("--home")
            .arg(home)
            .arg("--json")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log_file)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let output = child.stdout.take().context("no pipe from the program")?;
        let who = name.to_owned();
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(what) = serde_json::from_str(&line)
                    && hear.send(Said { who: who.clone(), what }).await.is_err()
                {
                    break;
                }
            }
        });
        Ok(Self {
            name: name.to_owned(),
            log: log.to_owned(),
            child,
        })
    }

    /// Fails if the program ended by itself in a bad way.
    ///
    /// # Errors
    /// When it did.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) if !status.success() => bail!(self.told(&status)),
            _ => Ok(()),
        }
    }

    /// How the program ended, with the last lines of its log: the log itself is gone with the folder of a failed story.
    fn told(&self, status: &ExitStatus) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
        format!("{} ended with {status}; the end of its log:\n{last}", self.name)
    }

    /// Whether the program has ended.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Ends the program with SIGKILL, as a power cut would.
    ///
    /// # Errors
    /// When it is gone already.
    pub async fn kill(mut self) -> Result<()> {
        self.child
            .kill()
            .await
            .with_context(|| format!("{} could not be killed", self.name))
    }

    /// The process's id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Asks the program to end and waits for it.
    ///
    /// # Errors
    /// When it does not end well within eight seconds.
    pub async fn end(mut self) -> Result<()> {
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        }
        match tokio::time::timeout(GRACE, self.child.wait()).await {
            Ok(status) => {
                let status = status?;
                if status.success() {
                    Ok(())
                } else {
                    bail!(self.told(&status))
                }
            }
            Err(_) => {
                self.child.kill().await?;
                bail!("{} did not end when asked", self.name)
            }
        }
    }
}
