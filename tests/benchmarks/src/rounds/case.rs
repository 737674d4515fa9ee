//! One case: so many sites, so many numbers, several rounds, everything fresh.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use snowball_layout::Layout;

use super::{
    consortium::Consortium,
    plan::plan,
    probe::{Floor, Probe},
};
use crate::watched;

/// What is measured together.
#[derive(Clone, Copy)]
pub struct Case {
    pub sites: u32,
    /// The number that was asked for; that of the network is near it.
    pub parameters: f64,
    /// Rounds that count; one before them does not.
    pub repeats: u32,
}

/// What a case took.
#[derive(Clone, Serialize)]
pub struct Measured {
    pub sites: u32,
    pub parameters: u64,
    /// Wall time of each round that counts: from every site with its update ready to every site with the next model.
    pub round_seconds: Vec<f64>,
    /// The floor's, without digests.
    pub floor: FloorMeasured,
    /// The floor's, with them.
    pub hashed_floor: FloorMeasured,
    /// The server's, a round.
    pub server_processor_seconds: f64,
    /// All sites', a round.
    pub sites_processor_seconds: f64,
    /// Highest resident memory of the server over the whole case.
    pub server_memory_bytes_max: u64,
    /// The same of one site that has a process of its own.
    pub site_memory_bytes_max: u64,
}

/// What a floor took.
#[derive(Clone, Serialize)]
pub struct FloorMeasured {
    /// Wall time of each round, as many as count.
    pub seconds: Vec<f64>,
    /// Processor time of both ends, a round.
    pub processor_seconds: f64,
}

impl Case {
    /// Bytes of one model.
    ///
    /// # Errors
    /// When no plan can be made.
    pub fn model_bytes(&self) -> Result<u64> {
        Ok(Layout::of(&plan(self.parameters, self.sites, 1)?).bytes())
    }

    /// Runs the case in `folder`, which is empty before and removed afterwards.
    ///
    /// # Errors
    /// When a program fails.
    pub fn run(&self, aggregator: &Path, folder: &Path) -> Result<Measured> {
        let rounds = self.repeats.max(1) + 1;
        let plan = plan(self.parameters, self.sites, rounds)?;
        let parameters = Layout::of(&plan).parameters();
        let consortium = Consortium::found(aggregator, folder, self.sites)?;
        consortium.start_study(&plan)?;
        let probe = Probe::of(folder)?;
        let counted = f64::from(rounds - 1);
        let measured = |floor| self.floor(&probe, parameters, floor);
        let (floor, hashed_floor) = (measured(Floor::Bare)?, measured(Floor::Hashed)?);
        let server = consortium.serve()?;
        // One alone, so that a site's memory can be told; the others together.
        let mut groups = vec![Group::start(folder, 0, 1, rounds)?];
        if self.sites > 1 {
            groups.push(Group::start(folder, 1, self.sites - 1, rounds)?);
        }
        let spent = |groups: &[Group]| {
            let sites = groups
                .iter()
                .filter_map(|group| watched::processor_seconds(group.child.id()));
            (
                watched::processor_seconds(server.id()).unwrap_or(0.0),
                sites.sum::<f64>(),
            )
        };
        let (mut round_seconds, mut server_seconds, mut sites_seconds) = (Vec::new(), 0.0, 0.0);
        for round in 0..rounds {
            groups.iter_mut().try_for_each(|group| group.expect("ready"))?;
            let (before, begun) = (spent(&groups), Instant::now());
            groups.iter_mut().try_for_each(Group::go)?;
            groups.iter_mut().try_for_each(|group| group.expect("done"))?;
            let (seconds, after) = (begun.elapsed().as_secs_f64(), spent(&groups));
            if round > 0 {
                round_seconds.push(seconds);
                server_seconds += after.0 - before.0;
                sites_seconds += after.1 - before.1;
            }
        }
        let measured = Measured {
            sites: self.sites,
            parameters: parameters as u64,
            round_seconds,
            floor,
            hashed_floor,
            server_processor_seconds: server_seconds / counted,
            sites_processor_seconds: sites_seconds / counted,
            server_memory_bytes_max: watched::memory_bytes(server.id(), "VmHWM:").unwrap_or(0),
            site_memory_bytes_max: watched::memory_bytes(groups[0].child.id(), "VmHWM:").unwrap_or(0),
        };
        drop((groups, server));
        fs::remove_dir_all(folder)?;
        Ok(measured)
    }

    fn floor(&self, probe: &Probe, parameters: usize, floor: Floor) -> Result<FloorMeasured> {
        let own = || watched::processor_seconds(std::process::id()).unwrap_or(0.0);
        let (rounds, before) = (self.repeats.max(1), own());
        let seconds = (0..rounds)
            .map(|_| probe.round(self.sites as usize, parameters, floor))
            .collect::<Result<_>>()?;
        Ok(FloorMeasured {
            seconds,
            processor_seconds: (own() - before) / f64::from(rounds),
        })
    }
}

/// A process of sites.
pub struct Group {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    log: PathBuf,
}

impl Group {
    /// Starts the sites `first` and following.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn start(folder: &Path, first: u32, count: u32, rounds: u32) -> Result<Self> {
        let own = std::env::current_exe().context("cannot tell where this program lies")?;
        let log = folder.join(format!("sites-{first}.log"));
        let mut child = Command::new(own)
            .arg("sites")
            .arg("--folder")
            .arg(folder)
            .args(["--first", &first.to_string(), "--count", &count.to_string()])
            .args(["--rounds", &rounds.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()
            .context("cannot start the sites")?;
        Ok(Self {
            input: child.stdin.take().context("no pipe to the sites")?,
            output: BufReader::new(child.stdout.take().context("no pipe from the sites")?),
            child,
            log,
        })
    }

    /// Waits for the sites' next word.
    ///
    /// # Errors
    /// When it is another, or they ended.
    pub fn expect(&mut self, word: &str) -> Result<()> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.trim_end() == word {
            return Ok(());
        }
        bail!(
            "the sites said {line:?} instead of {word}: {}",
            watched::last_words(&self.log)
        )
    }

    /// Fails where the sites have ended.
    ///
    /// # Errors
    /// When they have.
    pub fn is_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the sites ended with {status}: {}", watched::last_words(&self.log)),
        }
    }

    fn go(&mut self) -> Result<()> {
        self.input.write_all(b"go\n")?;
        Ok(self.input.flush()?)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
