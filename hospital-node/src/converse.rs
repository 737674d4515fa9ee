//! One conversation with a child process: all that it is told, then all that it says, bounded in time and in length. Whoever started the
//! child ends it and waits for it, whatever came of this.

use std::{
    io::{self, Read as _, Write as _},
    process::Child,
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

/// What a conversation may come to.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// From the first byte in to the last one out. One that takes longer is killed.
    pub wait: Duration,
    /// Of what the child says.
    pub bytes_max: u64,
}

/// Why a conversation came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// A pipe.
    #[error("the program's words cannot be read")]
    Pipe(#[from] io::Error),
    /// It was killed for it.
    #[error("the program takes longer than {} seconds", .0.as_secs())]
    TooLong(Duration),
    /// It was killed for it.
    #[error("the program says too much")]
    TooMuch,
}

/// Writes `told` to the child's standard input and reads its standard output to the end; both are pipes.
///
/// # Errors
/// When it says too much or takes too long: it is killed then, and its end frees whoever waits for it here.
pub fn converse(child: &mut Child, told: &[&[u8]], bounds: Bounds) -> Result<Vec<u8>, Broken> {
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Broken::Pipe(io::ErrorKind::NotConnected.into()));
    };
    let (done, ended) = mpsc::channel::<()>();
    let child = &Mutex::new(child);
    let kill = || {
        // One that has ended cannot be killed, which is no fault.
        let _ = child.lock().unwrap_or_else(PoisonError::into_inner).kill();
    };
    thread::scope(|scope| {
        let telling = scope.spawn(move || {
            // One that does not read to the end says so by how it ends.
            let _ = told.iter().try_for_each(|piece| stdin.write_all(piece));
        });
        let watching = scope.spawn(move || {
            let is_late = ended.recv_timeout(bounds.wait) == Err(mpsc::RecvTimeoutError::Timeout);
            if is_late {
                kill();
            }
            is_late
        });
        let mut said = Vec::new();
        let read = stdout.take(bounds.bytes_max + 1).read_to_end(&mut said);
        let is_too_much = said.len() as u64 > bounds.bytes_max;
        if is_too_much {
            // The reading ended first: the telling may still wait for it.
            kill();
        }
        // Only then is it over: one that has said all and never reads the rest is killed in time as well.
        let _ = telling.join();
        drop(done);
        if watching.join().unwrap_or(false) {
            return Err(Broken::TooLong(bounds.wait));
        }
        read?;
        if is_too_much { Err(Broken::TooMuch) } else { Ok(said) }
    })
}

#[cfg(test)]
mod tests {
    use std::{
        process::{Command, Stdio},
        time::Instant,
    };

    use super::*;

    fn shell(script: &str, told: &[&[u8]], wait: Duration) -> Result<Vec<u8>, Broken> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let bounds = Bounds { wait, bytes_max: 1024 };
        let said = converse(&mut child, told, bounds);
        let _ = child.kill();
        child.wait().unwrap();
        said
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_is_told_arrives_whole_and_what_is_said_comes_back() {
        assert_eq!(shell("cat", &[b"one ", b"two"], LONG).unwrap(), b"one two");
        assert_eq!(
            shell("exec 0<&-; echo deaf", &[&[0; 1 << 20]], LONG).unwrap(),
            b"deaf\n"
        );
        let flood = "while echo aaaaaaaaaaaaaaaa; do :; done";
        assert!(matches!(shell(flood, &[&[0; 1 << 20]], LONG), Err(Broken::TooMuch)));
    }

    #[test]
    fn one_that_never_ends_is_killed_also_where_it_has_said_all_or_does_not_read() {
        let begun = Instant::now();
        for endless in ["exec sleep 600", "exec 1>&-; exec sleep 600"] {
            let ended = shell(endless, &[&[0; 1 << 20]], Duration::from_millis(200));
            assert!(matches!(ended, Err(Broken::TooLong(_))), "{endless}");
        }
        assert!(begun.elapsed() < LONG);
    }
}
