//! A Debian machine of its own inside of this one: a root file system made by mmdebstrap, booted by systemd-nspawn. Its units run under a
//! real systemd, with all that they take from themselves.

use std::{
    fs::{self, File},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use tempfile::TempDir;

/// What such a machine takes, beside root's rights.
const TOOLS: [&str; 5] = ["mmdebstrap", "systemd-nspawn", "nsenter", "dpkg-shlibdeps", "tar"];
/// What the container's own filter of calls would keep from the node, which takes rights from its trainer by them.
const CALLS: &str = "--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self";

/// A running machine; it ends when this is dropped.
pub struct Machine {
    folder: TempDir,
    container: Child,
    first: u32,
}

impl Machine {
    /// Boots a machine with `binds` (a folder here, where it lies there); or says why not.
    pub fn boot(binds: &[(&Path, &str)]) -> Result<Self, String> {
        let archive = root_archive()?;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir(&root).unwrap();
        let unpacked = Command::new("tar")
            .arg("-xf")
            .arg(&archive)
            .arg("-C")
            .arg(&root)
            .status();
        assert!(unpacked.unwrap().success(), "{} does not unpack", archive.display());
        // Such a root knows no name at all, not even its own.
        fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n").unwrap();
        let console = File::create(folder.path().join("console")).unwrap();
        let mut container = Command::new("systemd-nspawn");
        container.args([
            "--quiet",
            "--register=no",
            "--keep-unit",
            "--private-network",
            "--boot",
            CALLS,
        ]);
        container.arg("--directory").arg(&root);
        for (here, there) in binds {
            container.arg(format!("--bind={}:{there}", here.display()));
        }
        let container = container
            .stdin(Stdio::null())
            .stdout(console.try_clone().unwrap())
            .stderr(console)
            .spawn()
            .unwrap();
        let mut machine = Self {
            folder,
            container,
            first: 0,
        };
        for _ in 0..200 {
            thread::sleep(Duration::from_millis(100));
            if let Some(first) = machine.first_process() {
                machine.first = first;
                let state = machine.run(&["systemctl", "is-system-running"]);
                if ["running", "degraded"].contains(&said(&state).trim()) {
                    return Ok(machine);
                }
            }
            if machine.container.try_wait().unwrap().is_some() {
                break;
            }
        }
        let console = fs::read_to_string(machine.folder.path().join("console")).unwrap_or_default();
        Err(format!("no system boots under systemd-nspawn here: {}", console.trim()))
    }

    /// Where its file system lies.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Runs a command in it, as root.
    pub fn run(&self, words: &[&str]) -> Output {
        Command::new("nsenter")
            .args(self.entrance())
            .args(words)
            .stdin(Stdio::null())
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
            .unwrap()
    }

    /// The same, which must succeed; gives what it said.
    pub fn did(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(
            output.status.success(),
            "{words:?}: {}{}",
            said(&output),
            String::from_utf8_lossy(&output.stderr)
        );
        said(&output)
    }

    /// A program here that runs `program` there as `user`, whatever home it is told: its own is `home`.
    pub fn doorway(&self, program: &str, user: &str, home: &str) -> PathBuf {
        let path = self.folder.path().join(program);
        let entrance = self.entrance().join(" ");
        let text = format!(
            "#!/bin/sh\nshift 2\nexec nsenter {entrance} runuser -u {user} -- /usr/bin/{program} --home {home} \"$@\"\n"
        );
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn entrance(&self) -> Vec<String> {
        vec![
            "--target".to_owned(),
            self.first.to_string(),
            "--all".to_owned(),
            "--".to_owned(),
        ]
    }

    /// The machine's first process, by its number here.
    fn first_process(&self) -> Option<u32> {
        let container = self.container.id();
        let children = fs::read_to_string(format!("/proc/{container}/task/{container}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // With its first process a machine ends whole, and the container then puts away what it made.
        if let Some(first) = self.first_process().and_then(|first| i32::try_from(first).ok()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(first), nix::sys::signal::Signal::SIGKILL);
        }
        // Not without end: a test that has its answer must not hang on a machine that does not go.
        for _ in 0..100 {
            if !matches!(self.container.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        let _ = self.container.kill();
        for _ in 0..50 {
            if !matches!(self.container.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        eprintln!(
            "a machine under systemd-nspawn does not end: process {}",
            self.container.id()
        );
    }
}

/// What a command said.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether a program is on the path.
pub fn is_there(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(tool).is_file())
}

/// A small Debian with systemd, of the release that the programs here were built on.
pub fn root_archive() -> Result<PathBuf, String> {
    if let Some(missing) = TOOLS.iter().find(|tool| !is_there(tool)) {
        return Err(format!("{missing} is not installed"));
    }
    let packages = "--include=systemd,libgcc-s1,init-system-helpers";
    archive("", &["--variant=apt", packages])
}

/// What a program of that release needs and nothing else: no shell, no package manager.
pub fn bare_archive() -> Result<PathBuf, String> {
    let packages = "--include=base-files,ca-certificates,libc6,libgcc-s1,libstdc++6,netbase,tzdata";
    archive("-bare", &["--variant=extract", packages])
}

/// An archive of files that mmdebstrap makes, kept beside what cargo builds, since making it takes half a minute and the network.
fn archive(which: &str, words: &[&str]) -> Result<PathBuf, String> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _held = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if fs::metadata("/proc/self").map_or(1, |about| about.uid()) != 0 {
        return Err("a machine of its own takes root's rights".to_owned());
    }
    if !is_there("mmdebstrap") {
        return Err("mmdebstrap is not installed".to_owned());
    }
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let of = |name: &str| {
        release
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_default()
            .to_owned()
    };
    if of("ID=") != "debian" {
        return Err("programs that were built elsewhere need not run on Debian".to_owned());
    }
    let suite = of("VERSION_CODENAME=");
    let folder = own_target().join("machines");
    let archive = folder.join(format!("{suite}{which}.tar"));
    if archive.exists() {
        return Ok(archive);
    }
    fs::create_dir_all(&folder).unwrap();
    let partial = folder.join(format!("{suite}{which}-{}.tar", std::process::id()));
    let made = Command::new("mmdebstrap")
        .arg("--quiet")
        .args(words)
        .arg(&suite)
        .arg(&partial)
        .output()
        .unwrap();
    if !made.status.success() {
        let _ = fs::remove_file(&partial);
        return Err(format!(
            "mmdebstrap makes no Debian: {}",
            String::from_utf8_lossy(&made.stderr).trim()
        ));
    }
    fs::rename(&partial, &archive).unwrap();
    Ok(archive)
}

/// The folder that cargo builds into.
fn own_target() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.ancestors().nth(3).unwrap().to_owned()
}
