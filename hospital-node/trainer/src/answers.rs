//! The one place that writes to standard output: frames for the node.

use std::{
    fs::File,
    io::{self, BufWriter},
    os::fd::AsFd,
    time::{Duration, Instant},
};

use snowball_worker::{
    job::Answer,
    pipe::{self, PipeError},
};

/// Progress is said at most this often.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// Answers on their way to the node.
pub struct Answers<W: io::Write> {
    pipe: W,
    last_progress: Option<Instant>,
}

impl Answers<BufWriter<File>> {
    /// Takes standard output for itself: whatever else in this process prints goes to standard error from now on.
    ///
    /// # Errors
    /// When the system refuses to duplicate it.
    pub fn on_stdout() -> io::Result<Self> {
        let own = io::stdout().as_fd().try_clone_to_owned()?;
        nix::unistd::dup2_stdout(io::stderr().as_fd())?;
        Ok(Self::new(BufWriter::new(File::from(own))))
    }
}

impl<W: io::Write> Answers<W> {
    /// Answers into `pipe`.
    pub fn new(pipe: W) -> Self {
        Self {
            pipe,
            last_progress: None,
        }
    }

    /// Sends one answer.
    ///
    /// # Errors
    /// When the node is gone.
    pub fn send(&mut self, answer: &Answer) -> Result<(), PipeError> {
        pipe::send(&mut self.pipe, answer)
    }

    /// Says how far training is, unless it was said a moment ago; the last step is always said.
    ///
    /// # Errors
    /// When the node is gone.
    pub fn progress(&mut self, step: u32, steps: u32, loss: f64, images_per_second: f64) -> Result<(), PipeError> {
        if step < steps
            && self
                .last_progress
                .is_some_and(|last| last.elapsed() < PROGRESS_INTERVAL)
        {
            return Ok(());
        }
        self.last_progress = Some(Instant::now());
        self.send(&Answer::Progress {
            step,
            steps,
            loss,
            images_per_second,
        })
    }

    /// Ends training, or a drawing: the answer, then the numbers.
    ///
    /// # Errors
    /// When the node is gone.
    pub fn trained(&mut self, answer: &Answer, parameters: &[f32]) -> Result<(), PipeError> {
        self.send(answer)?;
        pipe::send_parameters(&mut self.pipe, parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_rare_and_the_last_step_is_said() {
        let mut answers = Answers::new(Vec::new());
        for step in 1..=1000 {
            answers.progress(step, 1000, 1.0, 1.0).unwrap();
        }
        let bytes = answers.pipe;
        let mut read = bytes.as_slice();
        let mut steps = Vec::new();
        while let Ok(Answer::Progress { step, .. }) = pipe::receive(&mut read) {
            steps.push(step);
        }
        assert_eq!(steps.last(), Some(&1000));
        assert!(steps.len() < 100, "{}", steps.len());
    }
}
