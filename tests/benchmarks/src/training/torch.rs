//! PyTorch on the same network, from the files that a release has.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use snowball_layout::Layout;
use snowball_protocol::{StudyPlan, plan::Head};

const SCRIPT: &str = include_str!("../../peers/train.py");

/// Which PyTorch it is.
pub fn version(python: &Path) -> Result<String> {
    let output = Command::new(python)
        .args(["-c", "import safetensors, torch; print(torch.__version__)"])
        .stderr(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", python.display()))?;
    ensure!(
        output.status.success(),
        "{} has no torch or no safetensors; install both with: {} -m pip install torch safetensors",
        python.display(),
        python.display()
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Writes the network of `plan` with its first weights as PyTorch opens it.
pub fn files(plan: &StudyPlan, folder: &Path) -> Result<()> {
    fs::create_dir(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let parameters = folder.join("parameters.f32");
    let numbers = Layout::of(plan).initial_parameters(plan.seed);
    fs::write(&parameters, snowball_layout::to_le_bytes(&numbers))?;
    snowball_model_files::write(folder, plan, &parameters, &[])?;
    fs::write(folder.join("train.py"), SCRIPT)?;
    Ok(())
}

/// What it said of its train steps.
#[derive(Deserialize)]
pub struct Said {
    pub pictures_per_second: f64,
    /// A second of one processor, whatever else the machine did.
    pub pictures_per_processor_second: f64,
}

/// Pictures a second of its train steps by `plan`.
pub fn rate(python: &Path, folder: &Path, plan: &StudyPlan, cores: usize, seconds: f64) -> Result<Said> {
    let classes = plan.heads.iter().map(Head::outputs).sum::<usize>();
    let (side, batch) = (plan.network.input_side as usize, plan.local.batch_size as usize);
    let output = Command::new(python)
        .arg(folder.join("train.py"))
        .arg(folder)
        .args([classes, side, batch, cores].map(|number| number.to_string()))
        .arg(seconds.to_string())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", python.display()))?;
    ensure!(output.status.success(), "PyTorch failed");
    serde_json::from_slice(&output.stdout).context("PyTorch did not answer in JSON")
}
