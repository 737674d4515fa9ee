//! How much is logged, changed while they run, for services that decode what strangers made: they have given up every file of the node's home,
//! its configuration too. A child that decodes nothing keeps it, and says what `log` is whenever it is asked.
//!
//! It is asked by a byte and answers by a line; it ends when its standard input does.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use snowball_confine::Hold;
use snowball_service::{
    output,
    telemetry::{self, Hangups},
};

use super::Context;
use crate::home::Home;

/// An answer is shorter.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// What the configuration says now.
#[derive(Serialize, Deserialize)]
enum Answer {
    /// The levels, where some are named.
    Levels(Option<String>),
    /// Why it cannot be read.
    Fault(String),
}

/// The child, as the service asks it.
pub(super) struct Levels {
    asked: ChildStdin,
    said: BufReader<ChildStdout>,
}

impl Levels {
    /// Starts it: this program again, for the same home. Later the service may start nothing any more.
    pub fn start(context: &Context) -> Result<Self> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(program);
        command.arg("--home").arg(&context.root);
        if context.json {
            command.arg("--json");
        }
        let mut child = command
            .args(["receive", "--levels"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the process that reads what is to be logged")?;
        Ok(Self {
            asked: child.stdin.take().context("it cannot be asked")?,
            said: BufReader::new(child.stdout.take().context("it cannot be heard")?),
        })
    }

    /// From now on, at each hangup, this process logs what the configuration says, and `also` hears of it. Called once this process has given
    /// up what it does not need, so that the thread which waits is held as well.
    pub fn follow(self, hangups: Hangups, also: impl Fn(Option<&str>) + Send + 'static) -> Result<()> {
        let asked = Mutex::new(self);
        let read = move || {
            let levels = asked.lock().unwrap_or_else(PoisonError::into_inner).ask()?;
            also(levels.as_deref());
            Ok::<_, anyhow::Error>(levels)
        };
        hangups.follow(read).context("cannot listen for a hangup")
    }

    fn ask(&mut self) -> Result<Option<String>> {
        self.asked
            .write_all(b"?")
            .context("the process that reads it has ended")?;
        let mut line = String::new();
        self.said.by_ref().take(LINE_BYTES_MAX).read_line(&mut line)?;
        ensure!(!line.is_empty(), "the process that reads it has ended");
        match serde_json::from_str(&line)? {
            Answer::Levels(levels) => Ok(levels),
            Answer::Fault(fault) => bail!(fault),
        }
    }
}

/// What the child does.
pub(super) fn answer(home: &Home) -> Result<()> {
    // A hangup of the terminal reaches every process at it, and none is to end by it.
    let configured = home.clone();
    telemetry::follow(move || Ok::<_, anyhow::Error>(configured.config()?.log))?;
    if let Hold::Partly(why) | Hold::Nothing(why) = snowball_confine::without_network(false) {
        tracing::debug!(%why, "a process that needs no network could reach it");
    }
    let mut asked = std::io::stdin();
    while asked.read(&mut [0])? > 0 {
        let answer = match home.config() {
            Ok(config) => Answer::Levels(config.log),
            Err(fault) => Answer::Fault(format!("{fault:#}")),
        };
        output::line(serde_json::to_string(&answer)?)?;
    }
    Ok(())
}
