//! A terminal: a shell that is typed into line by line, and everything that it shows.

use std::{
    io::{Read as _, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

/// What is shown between two commands, with a number and how the one before ended; no page shows it.
const MARK: &str = "@@typed";
/// How long one command may take: a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);
const GRACE: Duration = Duration::from_secs(6);

pub struct Terminal {
    shell: Child,
    keys: ChildStdin,
    shown: Arc<Mutex<String>>,
    typed: usize,
}

impl Terminal {
    /// Opens one in `folder`.
    pub fn open(folder: &Path) -> Self {
        let mut shell = Command::new("bash")
            .args(["--noprofile", "--norc"])
            .current_dir(folder)
            // What a person's shell has, and nothing that this test was started with.
            .env_remove("SNOWBALL_LOG")
            .env_remove("SNOWBALL_NODE_HOME")
            .env_remove("SNOWBALL_AGGREGATOR_HOME")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let keys = shell.stdin.take().unwrap();
        let mut screen = shell.stdout.take().unwrap();
        let shown = Arc::new(Mutex::new(String::new()));
        let lines = Arc::clone(&shown);
        std::thread::spawn(move || {
            let (mut block, mut rest) = ([0; 4096], Vec::new());
            while let Ok(count @ 1..) = screen.read(&mut block) {
                rest.extend_from_slice(&block[..count]);
                // A letter of several bytes may come in two pieces.
                let whole = rest
                    .iter()
                    .rposition(|byte| byte.is_ascii())
                    .map_or(0, |place| place + 1);
                let text: Vec<u8> = rest.drain(..whole).collect();
                lines.lock().unwrap().push_str(&String::from_utf8_lossy(&text));
            }
        });
        Self {
            shell,
            keys,
            shown,
            typed: 0,
        }
    }

    /// Everything that was shown so far.
    pub fn shown(&self) -> String {
        self.shown.lock().unwrap().clone()
    }

    /// Types a command. The one before may still be at work: then the shell takes it up afterwards, as it would for a person.
    pub fn type_in(&mut self, command: &str) {
        self.typed += 1;
        // The command must not read what is typed after it.
        let line = format!(
            "{{ {command}\n}} < /dev/null 2>&1\nprintf '\\n{MARK} %s %s\\n' {} $?\n",
            self.typed
        );
        self.keys.write_all(line.as_bytes()).unwrap();
    }

    /// Waits until the last command has ended; gives its exit code, or what is on the screen where it does not end.
    pub fn ended(&self) -> Result<i32, String> {
        if self.typed == 0 {
            return Ok(0);
        }
        let mark = format!("{MARK} {} ", self.typed);
        let shown = self.wait_for(&mark)?;
        let (_, behind) = shown.rsplit_once(&mark).unwrap();
        let code = behind.lines().next().unwrap_or_default();
        code.parse().map_err(|_| format!("the shell says {code:?}"))
    }

    /// Waits until `words` were shown behind `place`.
    pub fn shows(&self, place: usize, words: &str) -> Result<(), String> {
        self.wait(|shown| shown[place..].contains(words))
            .map(drop)
            .map_err(|shown| format!("it never showed {words:?}:\n{}", &shown[place..]))
    }

    fn wait_for(&self, mark: &str) -> Result<String, String> {
        // With the end of its line, so that the number is whole.
        let is_there = |shown: &str| shown.rsplit_once(mark).is_some_and(|(_, behind)| behind.contains('\n'));
        self.wait(is_there)
            .map_err(|shown| format!("it does not end:\n{shown}"))
    }

    fn wait(&self, holds: impl Fn(&str) -> bool) -> Result<String, String> {
        let begun = Instant::now();
        loop {
            let shown = self.shown();
            if holds(&shown) {
                return Ok(shown);
            }
            if begun.elapsed() > PATIENCE {
                return Err(shown);
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }
}

impl Drop for Terminal {
    /// Whatever still runs in it ends.
    fn drop(&mut self) {
        let Ok(group) = i32::try_from(self.shell.id()).map(Pid::from_raw) else {
            return;
        };
        let _ = killpg(group, Signal::SIGTERM);
        let begun = Instant::now();
        while killpg(group, None).is_ok() && begun.elapsed() < GRACE {
            let _ = self.shell.try_wait();
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.shell.wait();
    }
}
