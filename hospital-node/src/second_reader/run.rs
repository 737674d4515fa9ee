//! One run of a program that nobody trusts with more than its input: bounded in time, memory and output, without files to write
//! and without network.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use snowball_confine::{Hold, Reach, confine_starter};

use crate::converse::{Bounds, converse};

/// A table of ten thousand words.
const OUTPUT_BYTES_MAX: u64 = 1 << 20;
const SECONDS_MAX: u64 = 60;
const BOUNDS: Bounds = Bounds {
    wait: Duration::from_secs(SECONDS_MAX),
    bytes_max: OUTPUT_BYTES_MAX,
};
/// Kilobytes of address space.
const MEMORY_KILOBYTES_MAX: u64 = 1 << 20;

/// What a program said.
pub struct Ran {
    pub output: Vec<u8>,
    /// What the kernel does not take from it, in words.
    pub open: Option<String>,
}

/// Runs `program` with `input` on its standard input.
///
/// # Errors
/// If it does not start, ends badly, says too much or takes too long.
pub fn run(program: &Path, arguments: &[&str], input: &[u8]) -> Result<Ran> {
    thread::scope(|scope| {
        // A thread of its own: what is taken from it never comes back.
        let ran = scope.spawn(|| confined(program, arguments, input)).join();
        ran.unwrap_or_else(|_| bail!("the thread that ran the program broke off"))
    })
}

fn confined(program: &Path, arguments: &[&str], input: &[u8]) -> Result<Ran> {
    let folders = ["/usr", "/lib", "/lib64", "/bin", "/opt"].map(PathBuf::from);
    let holds = confine_starter(&Reach {
        read: vec!["/etc/ld.so.cache".into()],
        write: vec!["/dev/null".into()],
        run: folders
            .into_iter()
            .chain(program.parent().map(Path::to_owned))
            .collect(),
        local_sockets: false,
    });
    let mut child = start(program, arguments)?;
    let ended = converse(&mut child, &[input], BOUNDS);
    // Whatever came of it, nothing of it stays; one that has ended cannot be killed, which is no fault.
    let _ = child.kill();
    let status = child.wait().context("the program cannot be waited for")?;
    let output = ended?;
    ensure!(status.success(), "the program ended with {status}");
    Ok(Ran {
        output,
        open: open(&holds),
    })
}

/// The limits are the shell's: they hold before the program begins.
fn start(program: &Path, arguments: &[&str]) -> Result<Child> {
    let script = format!(
        "ulimit -v {MEMORY_KILOBYTES_MAX} && ulimit -t {SECONDS_MAX} && ulimit -f 0 && ulimit -c 0 && exec \"$0\" \"$@\""
    );
    Command::new("/bin/sh")
        .args(["-c", &script])
        .arg(program)
        .args(arguments)
        .env_clear()
        // Its threads are slower than one on pictures of this size, and the intake has threads of its own.
        .env("OMP_THREAD_LIMIT", "1")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // What it complains of may quote what it read.
        .stderr(Stdio::null())
        .spawn()
        .context("the program does not start")
}

fn open(holds: &[Hold; 2]) -> Option<String> {
    let what = ["other files", "network"].into_iter().zip(holds);
    let open: Vec<String> = what
        .filter_map(|(what, hold)| match hold {
            Hold::Whole => None,
            Hold::Partly(why) | Hold::Nothing(why) => Some(format!("{what} NOT closed ({why})")),
        })
        .collect();
    (!open.is_empty()).then(|| open.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, input: &[u8]) -> Result<Ran> {
        run(Path::new("/bin/sh"), &["-c", script], input)
    }

    #[test]
    fn what_goes_in_comes_out_and_nothing_else_is_reached() {
        let ran = shell("cat", b"a picture").unwrap();
        assert_eq!(ran.output, b"a picture");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        let script = format!("echo secret > {}; env; echo ended", path.display());
        let said = String::from_utf8(shell(&script, b"").unwrap().output).unwrap();
        assert!(said.contains("ended") && !said.contains("CARGO"), "{said}");
        // Landlock or the limit of file sizes: either way nothing is on disk.
        assert!(std::fs::metadata(&path).map_or(0, |facts| facts.len()) == 0);
    }

    #[test]
    fn a_program_that_fails_or_talks_too_much_or_does_not_read_is_an_error() {
        assert!(shell("exit 3", b"").is_err());
        assert!(
            shell(
                "while echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; do :; done",
                &[0; 1 << 20]
            )
            .is_err()
        );
        assert!(shell("exec 0<&-; exit 0", &[0; 1 << 20]).is_ok());
        assert!(run(Path::new("/nowhere/tesseract"), &[], b"").is_err());
    }
}
