//! Tesseract as a second reader of pictures, where `node.toml` asks for it: a program of its own for each look, which gets the
//! picture through a pipe and has no file to write, no network, a minute and a gigabyte.
//!
//! What it reads is judged by `snowball_imaging` and dropped: it may name a patient.

mod page;
mod run;
mod table;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use snowball_imaging::{SecondReader, Word};

use crate::config::{SecondReaderWish, TextConfig};

/// Tesseract, found on this host.
pub struct Tesseract {
    program: PathBuf,
    /// What it says of itself: `tesseract 5.3.0`.
    pub version: String,
    /// What the kernel takes from it, in words; nothing if that is all that was asked.
    pub open: Option<String>,
}

/// The second reader that `config` asks for, if any.
///
/// # Errors
/// If it asks for one that does not run: pictures must not go unread by what the site relies on.
pub fn wished(config: &TextConfig) -> Result<Option<Arc<dyn SecondReader>>> {
    Ok(match config.second_reader {
        SecondReaderWish::None => None,
        SecondReaderWish::Tesseract => Some(Arc::new(Tesseract::find()?)),
    })
}

impl Tesseract {
    /// Looks for the program in `PATH` and has it say its version, which shows that it runs under its bounds.
    pub fn find() -> Result<Self> {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let program = std::env::split_paths(&folders)
            .map(|folder| folder.join("tesseract"))
            .find(|path| path.is_file())
            .context(
                "node.toml asks for tesseract as second reader and it is not installed; install the package tesseract-ocr with \
                 English, or set second_reader = \"none\"",
            )?;
        Self::at(&program)
    }

    fn at(program: &Path) -> Result<Self> {
        let ran = run::run(program, &["--version"], &[]);
        let ran = ran.with_context(|| format!("{} does not run; install it again", program.display()))?;
        let said = String::from_utf8_lossy(&ran.output);
        let version = said.lines().next().unwrap_or_default().trim().to_owned();
        Ok(Self {
            program: program.to_owned(),
            version,
            open: ran.open,
        })
    }
}

impl SecondReader for Tesseract {
    fn words(&self, rows: usize, columns: usize, pixels: &[u16]) -> Option<Vec<Word>> {
        let page = page::Page::of(rows, columns, pixels)?;
        let mut words = Vec::new();
        // It finds little in writing that does not stand upright.
        for turns in 0..4 {
            let turned = page.turned(turns);
            let ran = run::run(&self.program, &ARGUMENTS, &turned.portable_greymap());
            words.extend(table::words(&ran.ok()?.output));
        }
        Some(words)
    }
}

/// Picture in, table of words out, text scattered over the picture.
const ARGUMENTS: [&str; 7] = ["stdin", "stdout", "-l", "eng", "--psm", "11", "tsv"];
