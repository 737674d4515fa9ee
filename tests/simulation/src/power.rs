//! A machine that may lose its power before any durable write.

/// The process died: nothing that it had not written is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Crash;

/// The power of one machine.
#[derive(Clone, Debug, Default)]
pub struct Power {
    writes_left: Option<u32>,
}

impl Power {
    /// Lets the machine make `writes` more durable writes; it dies before the next one.
    pub const fn fails_after(&mut self, writes: u32) {
        self.writes_left = Some(writes);
    }

    /// The machine has power again.
    pub const fn returns(&mut self) {
        self.writes_left = None;
    }

    /// Asks for one durable write.
    ///
    /// # Errors
    /// When the power goes before it.
    pub const fn write(&mut self) -> Result<(), Crash> {
        match self.writes_left {
            Some(0) => Err(Crash),
            Some(left) => {
                self.writes_left = Some(left - 1);
                Ok(())
            }
            None => Ok(()),
        }
    }
}
