//! One pass over an update's bytes, as they arrive or from its file: their number and digest, whether they decode, and of the numbers
//! that they decode to the norm, whether each is finite, and whether those that stay at the sites are zero.

use std::{ops::Range, sync::Arc};

use snowball_encoding::{Coding, DecodeFault, Decoder};
use snowball_protocol::{Sha256Digest, StudyPlan, digest::RunningDigest};

use crate::strategy::SquareSum;

/// A pass that is under way. Pieces may be cut anywhere, also within a number.
#[derive(Clone)]
pub struct Inspection {
    length: u64,
    digest: RunningDigest,
    /// Until it meets what it cannot read: then nothing that follows means anything.
    decoder: Result<Decoder, DecodeFault>,
    squares: SquareSum,
    kept: KeptBack,
}

/// Looks at the numbers of some stretches while all of them go by.
#[derive(Clone, Default)]
struct KeptBack {
    stretches: Arc<[Range<usize>]>,
    /// The first stretch that does not lie behind.
    next: usize,
    /// Numbers that went by.
    offset: usize,
    is_broken: bool,
}

/// What a pass over an update's bytes found.
#[derive(Clone, PartialEq, Debug)]
pub struct Inspected {
    /// How many bytes there were.
    pub bytes: u64,
    /// SHA-256 of them.
    pub digest: Sha256Digest,
    /// Why they are no update of the study, if they are not.
    pub fault: Option<DecodeFault>,
    square_sum: f64,
    holds_kept: bool,
}

impl Inspection {
    /// Begins a pass over an update for `plan`, whose network has so many parameters.
    #[must_use]
    pub fn of(plan: &StudyPlan, parameters: usize) -> Self {
        Self {
            length: 0,
            digest: RunningDigest::default(),
            decoder: Ok(Coding::of(plan, parameters).decoder()),
            squares: SquareSum::default(),
            kept: KeptBack::default(),
        }
    }

    /// The same where the numbers in the stretches `kept`, which are in order and apart, stay at the sites.
    #[must_use]
    pub fn keeping(mut self, kept: Arc<[Range<usize>]>) -> Self {
        self.kept.stretches = kept;
        self
    }

    /// Takes in the next bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.digest.update(bytes);
        let Ok(decoder) = &mut self.decoder else { return };
        let (squares, kept) = (&mut self.squares, &mut self.kept);
        let read = decoder.read(bytes, |values| {
            squares.add(values);
            kept.look(values);
            Ok(())
        });
        if let Err(fault) = read {
            self.decoder = Err(fault);
        }
    }

    /// What was found. What does not decode counts in the length and the digest alone.
    #[must_use]
    pub fn finish(self) -> Inspected {
        Inspected {
            bytes: self.length,
            digest: self.digest.finish(),
            fault: self.decoder.and_then(|decoder| decoder.finish()).err(),
            square_sum: self.squares.total(),
            holds_kept: self.kept.is_broken,
        }
    }
}

impl KeptBack {
    /// Looks at the next numbers.
    fn look(&mut self, values: &[f32]) {
        let end = self.offset + values.len();
        while let Some(stretch) = self.stretches.get(self.next).filter(|stretch| stretch.start < end) {
            let from = stretch.start.max(self.offset) - self.offset;
            let to = stretch.end.min(end) - self.offset;
            // Not a number differs from zero, too.
            self.is_broken |= values[from..to].iter().any(|value| *value != 0.0);
            if stretch.end > end {
                break;
            }
            self.next += 1;
        }
        self.offset = end;
    }
}

impl Inspected {
    /// Euclidean norm of the update; NaN or infinite if one of its numbers is.
    #[must_use]
    pub fn norm(&self) -> f64 {
        self.square_sum.sqrt()
    }

    /// Whether every number is finite. The squares of finite binary32 numbers cannot overflow binary64, so their sum
    /// is finite exactly when all of them are.
    #[must_use]
    pub const fn is_finite(&self) -> bool {
        self.square_sum.is_finite()
    }

    /// Whether a number that stays at the sites is not zero.
    #[must_use]
    pub const fn holds_kept(&self) -> bool {
        self.holds_kept
    }

    pub(super) const fn square_sum(&self) -> f64 {
        self.square_sum
    }
}
