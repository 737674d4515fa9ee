//! What happened, in lines that people read.

/// The lines of one run, or nothing where nobody reads them.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    lines: Option<Vec<String>>,
}

impl Trace {
    /// A trace that keeps its lines.
    #[must_use]
    pub const fn kept() -> Self {
        Self {
            lines: Some(Vec::new()),
        }
    }

    /// Keeps a line, made only where somebody reads it.
    pub fn say(&mut self, milliseconds: i64, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>10.3} s  {}", milliseconds as f64 / 1_000.0, line()));
        }
    }

    /// The lines.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }
}
