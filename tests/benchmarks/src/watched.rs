//! Programs run as children, with what they cost: time, processor time, memory. Linux tells it in `/proc` (proc(5)).

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::{
    sys::wait::{Id, WaitPidFlag, WaitStatus, waitid},
    unistd::Pid,
};
use serde::Serialize;

/// How often a running program is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// The unit of times in `/proc/PID/stat`: Linux shows programs 100 of them a second on every machine.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a run of one or several programs cost.
#[derive(Clone, Copy, Default, Debug, Serialize)]
pub struct Cost {
    /// From the start of the first to the end of the last.
    pub seconds: f64,
    /// Of all processors, in the programs and in the system for them.
    pub processor_seconds: f64,
    /// Highest resident memory, summed over programs that run beside each other.
    pub memory_bytes_max: u64,
}

/// Makes the command run on `cores` processors only, where `taskset` is there; else on all.
pub fn on_cores(command: &Command, cores: usize) -> Command {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    let mut bound = if cores < all && has_taskset() {
        let mut bound = Command::new("taskset");
        bound
            .arg("-c")
            .arg(format!("0-{}", cores - 1))
            .arg(command.get_program());
        bound
    } else {
        Command::new(command.get_program())
    };
    bound.args(command.get_args());
    bound.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    bound
}

/// Whether this machine has `taskset`, which binds a program to processors.
pub fn has_taskset() -> bool {
    Command::new("taskset")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs programs beside each other, each to its end; what they say goes to `log`. `is_fine` judges how one ended.
///
/// # Errors
/// When one cannot be started, or ended otherwise than `is_fine` allows: then its last words are in the error.
pub fn run(commands: Vec<Command>, log: &Path, is_fine: impl Fn(&ExitStatus) -> bool) -> Result<Cost> {
    // What earlier runs wrote is not this one's burden.
    nix::unistd::sync();
    let begun = Instant::now();
    let mut children = Vec::new();
    for mut command in commands {
        let said = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        children.push(Watched { child, memory: 0 });
    }
    let mut cost = Cost::default();
    while !children.is_empty() {
        let mut at = 0;
        while at < children.len() {
            let Some(processor_seconds) = children[at].look()? else {
                at += 1;
                continue;
            };
            let mut ended = children.swap_remove(at);
            let status = ended.child.wait()?;
            cost.processor_seconds += processor_seconds;
            cost.memory_bytes_max += ended.memory;
            if !is_fine(&status) {
                bail!("a program ended with {status}: {}", last_words(log));
            }
        }
        std::thread::sleep(LOOK);
    }
    cost.seconds = begun.elapsed().as_secs_f64();
    Ok(cost)
}

/// The end of what programs said.
pub fn last_words(log: &Path) -> String {
    let said = fs::read_to_string(log).unwrap_or_default();
    let mut last: Vec<&str> = said.lines().rev().take(3).collect();
    last.reverse();
    last.join(" | ")
}

/// Runs a program to its end and gives what it wrote to standard output.
///
/// # Errors
/// When it cannot be started or fails.
pub fn ask(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    ensure!(
        output.status.success(),
        "{} ended with {}: {}",
        command.get_program().display(),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

struct Watched {
    child: Child,
    memory: u64,
}

impl Watched {
    /// Looks at the program; its processor time once it has ended and before it is gone.
    fn look(&mut self) -> Result<Option<f64>> {
        let id = self.child.id();
        // A shell is small; the program that it runs counts.
        let family = std::iter::once(id).chain(children(id));
        let memory = family.filter_map(|id| memory_bytes(id, "VmHWM:")).max();
        self.memory = self.memory.max(memory.unwrap_or(0));
        let pid = Pid::from_raw(i32::try_from(id)?);
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(pid), flags)? {
            WaitStatus::StillAlive => Ok(None),
            _ => Ok(Some(processor_seconds(id).unwrap_or(0.0))),
        }
    }
}

/// A line of `/proc/PID/status` in bytes: `VmRSS:` for now, `VmHWM:` for the most so far.
pub fn memory_bytes(id: u32, line: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let kilobytes = status.lines().find_map(|found| found.strip_prefix(line))?;
    kilobytes
        .trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()
        .map(|kilobytes| kilobytes * 1024)
}

/// The programs that a program runs now.
fn children(id: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// User and system time of a program and of those that it ran to their end; also after its own end, until it is waited for.
pub fn processor_seconds(id: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The program's name stands in brackets and may hold blanks.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks: f64 = (0..4).filter_map(|_| fields.next()?.parse::<f64>().ok()).sum();
    Some(ticks / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_costs_time_and_memory_and_its_failure_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        let busy = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
        let cost = run(vec![shell(busy), shell(busy)], &log, ExitStatus::success).unwrap();
        assert!(cost.seconds > 0.0 && cost.processor_seconds > 0.0, "{cost:?}");
        assert!((100_000..1_000_000_000).contains(&cost.memory_bytes_max), "{cost:?}");
        let fault = run(vec![shell("echo no room >&2; exit 3")], &log, ExitStatus::success).unwrap_err();
        assert!(fault.to_string().contains("no room"), "{fault}");
        assert!(run(vec![shell("exit 3")], &log, |_| true).is_ok());
    }

    #[test]
    fn words_of_a_program_are_answers_or_faults() {
        assert_eq!(ask(Command::new("echo").arg("here")).unwrap(), "here\n");
        assert!(ask(Command::new("ls").arg("/nowhere/at/all")).is_err());
    }
}
