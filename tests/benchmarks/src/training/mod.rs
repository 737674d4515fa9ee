//! How many pictures a second the trainer learns from, beside PyTorch on the same network, and whether reading and varying them holds
//! it up.

mod case;
mod dataset;
mod loader;
mod torch;
mod trainer;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use snowball_protocol::plan::Augmentation;

pub use case::Case;

use crate::Common;

/// Measure training on this machine's processors: the trainer with and without varying the pictures, reading and varying alone, and
/// PyTorch, in turn.
#[derive(clap::Args)]
#[command(
    after_help = "Example: snowball-benchmark training --cases small:64:16:32 resnet-18-full:128:64:16 --python /tmp/peers-venv/bin/python"
)]
pub struct Training {
    #[command(flatten)]
    common: Common,
    /// What to train, each as architecture:side:width:batch.
    #[arg(long, num_args = 1.., default_values = ["small:64:16:32", "small:128:32:32", "resnet-18:64:32:32", "resnet-18-full:128:64:32"])]
    cases: Vec<Case>,
    /// A Python with torch and safetensors; without it, or where they are missing, PyTorch is skipped.
    #[arg(long, value_name = "PATH", default_value = "python3")]
    python: PathBuf,
    /// Pictures of the made-up dataset. Each takes side * side * 2 bytes of disk.
    #[arg(long, default_value_t = 4096)]
    pictures: u64,
    /// Seconds of each run, after its first steps.
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// Runs of each; the median counts.
    #[arg(long, default_value_t = 3)]
    repeats: usize,
}

/// Pictures a second of one program.
#[derive(Clone, Copy, Serialize)]
struct Rate {
    median: f64,
    min: f64,
    max: f64,
}

#[derive(Serialize)]
struct Row {
    case: String,
    parameters: usize,
    /// Steps on pictures as they are.
    trainer: Rate,
    /// The same with the recipe `xr-light-v1`.
    trainer_varied: Rate,
    /// From the start of the program to its first step, the opening of the dataset included.
    first_step_seconds: f64,
    /// Highest resident memory of the trainer.
    memory_bytes_max: u64,
    /// Reading, opening and varying pictures, and nothing else.
    loader: Rate,
    torch: Option<Rate>,
    /// Steps of the trainer beside those of PyTorch.
    times_torch: Option<f64>,
    /// Pictures of the trainer and of PyTorch for each second of one processor, which a busy machine does not change as much.
    processor: Rate,
    torch_processor: Option<Rate>,
    times_torch_processor: Option<f64>,
}

impl Training {
    pub fn run(self) -> Result<bool> {
        ensure!(
            self.repeats > 0 && self.seconds > 0.0 && self.pictures >= 64 && self.common.cores > 0,
            "name a repeat, seconds, 64 pictures and a core at least"
        );
        let node = self.common.node()?;
        let program = node.with_file_name("snowball-trainer");
        let work = self.common.folder()?;
        let torch = match torch::version(&self.python) {
            Ok(version) => Some(version),
            Err(fault) => {
                eprintln!("PyTorch is skipped: {fault:#}");
                None
            }
        };
        if !self.common.json {
            self.print_heading();
        }
        let mut rows = Vec::new();
        for (number, case) in self.cases.iter().enumerate() {
            let folder = work.path().join(number.to_string());
            let row = self.measure(case, &program, torch.is_some(), &folder)?;
            if !self.common.json {
                row.print();
            }
            rows.push(row);
            fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        if self.common.json {
            println!("{}", serde_json::to_string_pretty(&rows)?);
        } else if let Some(version) = torch {
            println!(
                "\nPyTorch {version}, eager, on numbers that lie in memory; the trainer reads and opens each picture."
            );
        }
        Ok(true)
    }

    fn measure(&self, case: &Case, program: &Path, with_torch: bool, folder: &Path) -> Result<Row> {
        fs::create_dir(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let (plain, varied) = (case.plan(Augmentation::None)?, case.plan(Augmentation::XrLightV1)?);
        eprintln!("{case}: {} pictures are made", self.pictures);
        let dataset = dataset::make(&folder.join("set"), case.side, self.pictures)?;
        if with_torch {
            torch::files(&plain, &folder.join("model"))?;
        }
        let (mut steps, mut varied_steps, mut read, mut torch_steps) = (vec![], vec![], vec![], vec![]);
        let (mut processor, mut torch_processor) = (vec![], vec![]);
        let (mut first_step_seconds, mut memory_bytes_max) = (f64::INFINITY, 0);
        let cores = self.common.cores;
        for repeat in 1..=self.repeats {
            eprintln!("{case}: run {repeat} of {}", self.repeats);
            // In turn, so that whatever else the machine does falls on all of them.
            for (plan, rates, worked) in [
                (&plain, &mut steps, Some(&mut processor)),
                (&varied, &mut varied_steps, None),
            ] {
                let run = trainer::run(program, plan, &dataset, cores, self.seconds)?;
                rates.push(run.pictures_per_second);
                if let Some(worked) = worked {
                    worked.push(run.pictures_per_processor_second);
                }
                first_step_seconds = run.first_step_seconds.min(first_step_seconds);
                memory_bytes_max = run.memory_bytes_max.max(memory_bytes_max);
            }
            read.push(loader::rate(&dataset, Augmentation::XrLightV1, cores, self.seconds)?);
            if with_torch {
                let said = torch::rate(&self.python, &folder.join("model"), &plain, cores, self.seconds)?;
                torch_steps.push(said.pictures_per_second);
                torch_processor.push(said.pictures_per_processor_second);
            }
        }
        let trainer = Rate::of(steps).context("no run")?;
        let processor = Rate::of(processor).context("no run")?;
        let (torch, torch_processor) = (Rate::of(torch_steps), Rate::of(torch_processor));
        Ok(Row {
            case: case.to_string(),
            parameters: snowball_layout::Layout::of(&plain).parameters(),
            trainer,
            trainer_varied: Rate::of(varied_steps).context("no run")?,
            first_step_seconds,
            memory_bytes_max,
            loader: Rate::of(read).context("no run")?,
            torch,
            times_torch: torch.map(|torch| trainer.median / torch.median),
            processor,
            torch_processor,
            times_torch_processor: torch_processor.map(|torch| processor.median / torch.median),
        })
    }

    fn print_heading(&self) {
        println!(
            "{} cores, {} pictures; pictures a second, median of {} (slowest-fastest)\n",
            self.common.cores, self.pictures, self.repeats
        );
        println!(
            "{:<26} {:>11} {:>22} {:>22} {:>24} {:>22} {:>9} {:>8} {:>7} {:>22} {:>22} {:>9}",
            "case",
            "parameters",
            "trainer",
            "with xr-light-v1",
            "reading, varying alone",
            "PyTorch",
            "x PyTorch",
            "first, s",
            "MiB",
            "a processor-second",
            "PyTorch",
            "x PyTorch"
        );
    }
}

impl Row {
    fn print(&self) {
        let [torch, torch_processor] =
            [self.torch, self.torch_processor].map(|rate| rate.map_or_else(|| "-".to_owned(), Rate::told));
        let [times, times_processor] = [self.times_torch, self.times_torch_processor]
            .map(|times| times.map_or_else(|| "-".to_owned(), |times| format!("{times:.2}")));
        println!(
            "{:<26} {:>11} {:>22} {:>22} {:>24} {torch:>22} {times:>9} {:>8.2} {:>7} {:>22} \
             {torch_processor:>22} {times_processor:>9}",
            self.case,
            self.parameters,
            self.trainer.told(),
            self.trainer_varied.told(),
            self.loader.told(),
            self.first_step_seconds,
            self.memory_bytes_max >> 20,
            self.processor.told(),
        );
    }
}

impl Rate {
    fn of(mut runs: Vec<f64>) -> Option<Self> {
        runs.sort_by(f64::total_cmp);
        Some(Self {
            median: *runs.get(runs.len() / 2)?,
            min: *runs.first()?,
            max: *runs.last()?,
        })
    }

    fn told(self) -> String {
        format!("{:.1} ({:.1}-{:.1})", self.median, self.min, self.max)
    }
}
