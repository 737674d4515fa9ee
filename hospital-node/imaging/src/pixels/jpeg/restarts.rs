//! Restart markers, which let a decoder start anew in the middle of a scan.

use super::{bits::Bits, markers::code};

/// Counts blocks, or samples without loss, up to the next restart marker (T.81 section E.2.4).
pub(super) struct Restarts {
    interval: u32,
    left: u32,
    number: u8,
}

impl Restarts {
    pub(super) const fn new(interval: u32) -> Self {
        Self {
            interval,
            left: interval,
            number: 0,
        }
    }

    /// From one marker to the next; 0 is none.
    pub(super) const fn interval(&self) -> u32 {
        self.interval
    }

    /// Before each of them: `Some(true)` if a restart marker was due and there, `None` if it was due and another or none
    /// was there.
    #[inline]
    pub(super) fn due(&mut self, bits: &mut Bits<'_>) -> Option<bool> {
        if self.interval == 0 {
            return Some(false);
        }
        self.due_after(bits, 1)
    }

    /// The same before `count` of them that no marker may part.
    pub(super) fn due_after(&mut self, bits: &mut Bits<'_>, count: u32) -> Option<bool> {
        if self.interval == 0 {
            return Some(false);
        }
        if self.left >= count {
            self.left -= count;
            return Some(false);
        }
        bits.restart(code::RESTART_FIRST + self.number)?;
        self.number = (self.number + 1) % 8;
        self.left = self.interval.checked_sub(count)?;
        Some(true)
    }
}
