//! The mean of the updates, weighted by examples, as they come: federated averaging (McMahan et al. 2017), and FedNova (Wang et
//! al. 2020), whose weights are the examples per local step.
//!
//! The sum is held in fixed point, so that it is exact: any order of arrival gives the same bits, and so does a run
//! that was broken off and done again. One update adds `round(weight * value * 2^k)` to each parameter, where
//!
//! - `weight <= examples <= E`, the plan's `examples_max`, and `|value| <= B`, its `update_norm_max`, which the intake checked
//!   on the norm and [`Fold`] checks again on each number;
//! - at most `N = updates.max` updates are folded.
//!
//! With `k = min(50, 62 - ceil(log2 N)) - ceil(log2(E * B))` one term is at most 2^50, within the 2^51 up to which
//! the rounding below is exact, and the sum at most N * (2^50 or less) <= 2^62, within i64. Where the
//! weight is the examples, the product `weight * value` has at most 24 + 24 bits and is exact in binary64, and the only error of the
//! mean is the rounding of each term, at most 2^-(k+1) / (mean number of examples): for E = 1000, B = 100 and up to 4096 updates k is 33.
//! At the limits of the protocol, E = 2^24, B = 10^4 and N = 10^4, k is still 10.

use std::collections::BTreeMap;

use snowball_encoding::{Coding, Decoder};
use snowball_protocol::{SiteName, StudyPlan};

use super::{SquareSum, StrategyFault, weight::Weighing};
use crate::intake::AdmittedUpdate;

/// Largest term, as a power of two; rounding is exact below 2^51.
const TERM_BITS: i32 = 50;
/// Largest sum, as a power of two.
const SUM_BITS: i32 = 62;
/// 1.5 * 2^52: what is added to it is rounded to a whole number, ties to even (IEEE 754), in its low bits.
const ROUNDING: f64 = 6_755_399_441_055_744.0;
/// Numbers that are folded at a time, so that they stay in the processor's cache.
const BLOCK: usize = 8192;
/// Room for the rounding of a norm in binary64, when single numbers are compared with its bound.
const BOUND_SLACK: f64 = 1.0 + 1e-6;

/// The running sum of one round: eight bytes a parameter, whatever the number of sites.
pub struct RunningMean {
    sums: Vec<i64>,
    /// 2^k.
    scale: f64,
    value_max: f32,
    weighing: Weighing,
    coding: Coding,
    examples: u64,
    updates_max: u32,
    /// Who is in it, with examples times steps. Added up in the order of the names, so that the order of arrival does not matter.
    sites: BTreeMap<SiteName, f64>,
    is_spoilt: bool,
}

impl RunningMean {
    /// An empty sum for a network with this many parameters.
    #[must_use]
    pub fn new(plan: &StudyPlan, parameters: usize) -> Self {
        let updates_max = plan.rounds.updates.max;
        let value_max = plan.strategy.update_norm_max * BOUND_SLACK;
        Self {
            sums: vec![0; parameters],
            scale: scale(plan.strategy.examples_max, value_max, updates_max),
            // Rounds to nearest; the slack is far wider than that.
            value_max: value_max as f32,
            weighing: Weighing::of(plan),
            coding: Coding::of(plan, parameters),
            examples: 0,
            updates_max,
            sites: BTreeMap::new(),
            is_spoilt: false,
        }
    }

    /// Begins to add `update`. Its numbers follow in order, by [`Fold::chunk`] or [`Fold::bytes`], then
    /// [`Fold::commit`]. A fold that ends in any other way after its first number spoils this sum.
    pub fn fold<'a>(&'a mut self, update: &'a AdmittedUpdate) -> Fold<'a> {
        Fold {
            sum: self,
            update,
            offset: 0,
            decoder: None,
            squares: SquareSum::default(),
            is_done: false,
        }
    }

    /// Adds `update` with all its numbers at once.
    ///
    /// # Errors
    /// As [`Fold::chunk`] and [`Fold::commit`].
    pub fn fold_all(&mut self, update: &AdmittedUpdate, values: &[f32]) -> Result<(), StrategyFault> {
        let mut fold = self.fold(update);
        values.chunks(BLOCK).try_for_each(|block| fold.chunk(block))?;
        fold.commit()
    }

    /// How many updates are in the sum.
    #[must_use]
    pub fn updates(&self) -> u32 {
        u32::try_from(self.sites.len()).unwrap_or(u32::MAX)
    }

    /// How many examples are behind them.
    #[must_use]
    pub const fn examples(&self) -> u64 {
        self.examples
    }

    /// Whether the update of `site` is in the sum.
    #[must_use]
    pub fn contains(&self, site: &SiteName) -> bool {
        self.sites.contains_key(site)
    }

    /// Whether the updates of exactly these sites, each named once, are in the sum.
    #[must_use]
    pub fn is_of<'a>(&self, sites: impl IntoIterator<Item = &'a SiteName, IntoIter: ExactSizeIterator>) -> bool {
        let mut sites = sites.into_iter();
        sites.len() == self.sites.len() && sites.all(|site| self.contains(site))
    }

    /// The model after this round: `global` and the weighted mean of the updates.
    ///
    /// # Errors
    /// When nothing was folded, a fold was broken off, or `global` has another length.
    pub fn finish(&self, global: &[f32]) -> Result<Vec<f32>, StrategyFault> {
        let mut next = global.to_vec();
        self.finish_into(&mut next)?;
        Ok(next)
    }

    /// The same as [`finish`](Self::finish) in place.
    ///
    /// # Errors
    /// As there; `global` is unchanged then.
    pub fn finish_into(&self, global: &mut [f32]) -> Result<(), StrategyFault> {
        let divisor = self.divisor()?;
        if global.len() != self.sums.len() {
            return Err(StrategyFault::WrongLength);
        }
        for (parameter, sum) in global.iter_mut().zip(&self.sums) {
            *parameter = (f64::from(*parameter) + *sum as f64 / divisor) as f32;
        }
        Ok(())
    }

    /// The mean's numbers from `offset` on.
    ///
    /// # Errors
    /// When there is no mean, or it has fewer numbers.
    pub(super) fn mean(&self, offset: usize, mean: &mut [f64]) -> Result<(), StrategyFault> {
        let divisor = self.divisor()?;
        let sums = offset
            .checked_add(mean.len())
            .and_then(|end| self.sums.get(offset..end));
        for (mean, sum) in mean.iter_mut().zip(sums.ok_or(StrategyFault::WrongLength)?) {
            *mean = *sum as f64 / divisor;
        }
        Ok(())
    }

    /// What turns the sum into the mean.
    fn divisor(&self) -> Result<f64, StrategyFault> {
        if self.is_spoilt {
            return Err(StrategyFault::Spoilt);
        }
        if self.sites.is_empty() {
            return Err(StrategyFault::Empty);
        }
        // At most 2^24 * 10^4 examples: exact.
        let examples = self.examples as f64;
        if !self.weighing.is_per_step() {
            return Ok(examples * self.scale);
        }
        // FedNova: the mean number of steps times the mean of the updates per step.
        let steps = self.sites.values().sum::<f64>() / examples;
        Ok(examples / steps * self.scale)
    }
}

/// One update on its way into the sum.
pub struct Fold<'a> {
    sum: &'a mut RunningMean,
    update: &'a AdmittedUpdate,
    offset: usize,
    /// Where the update comes as bytes.
    decoder: Option<Decoder>,
    squares: SquareSum,
    is_done: bool,
}

impl Fold<'_> {
    /// Adds the next numbers.
    ///
    /// # Errors
    /// When the update may not be added, or the numbers are not those that the intake saw. None of `values` is added
    /// then.
    pub fn chunk(&mut self, values: &[f32]) -> Result<(), StrategyFault> {
        if self.offset == 0 {
            self.may_begin()?;
        }
        let end = self.offset.saturating_add(values.len());
        let bound = self.sum.value_max;
        let sums = self
            .sum
            .sums
            .get_mut(self.offset..end)
            .ok_or(StrategyFault::WrongLength)?;
        // Not a number fails the comparison too.
        if !values.iter().fold(true, |all, value| all & (value.abs() <= bound)) {
            return Err(StrategyFault::OutOfBounds);
        }
        let factor = self.sum.weighing.weight(self.update) * self.sum.scale;
        // By eights: in our own profile a loop over single numbers costs half as much again.
        let ((sums, sums_end), (eights, values_end)) = (sums.as_chunks_mut::<8>(), values.as_chunks::<8>());
        for (sums, values) in sums.iter_mut().zip(eights) {
            add(sums, values, factor);
        }
        add(sums_end, values_end, factor);
        self.squares.add(values);
        self.offset = end;
        Ok(())
    }

    /// Adds the next numbers as the bytes that travelled, cut anywhere.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk), and when they do not decode.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), StrategyFault> {
        let mut decoder = self.decoder.take().unwrap_or_else(|| self.sum.coding.decoder());
        let outcome = decoder.read(bytes, |values| self.chunk(values));
        self.decoder = Some(decoder);
        outcome
    }

    /// Ends the fold: the update is in the sum.
    ///
    /// # Errors
    /// When numbers are missing or are not those that the intake saw.
    pub fn commit(mut self) -> Result<(), StrategyFault> {
        if self.offset == 0 {
            self.may_begin()?;
        }
        if self.offset != self.sum.sums.len() {
            return Err(StrategyFault::WrongLength);
        }
        if let Some(decoder) = &self.decoder {
            decoder.finish()?;
        }
        if self.squares.total().to_bits() != self.update.square_sum().to_bits() {
            return Err(StrategyFault::ChangedOnDisk);
        }
        self.sum.examples += self.update.examples();
        let steps = self.sum.weighing.steps(self.update);
        let examples_steps = self.update.examples() as f64 * steps;
        self.sum.sites.insert(self.update.site().clone(), examples_steps);
        self.is_done = true;
        Ok(())
    }

    fn may_begin(&self) -> Result<(), StrategyFault> {
        let site = self.update.site();
        if self.sum.is_spoilt {
            Err(StrategyFault::Spoilt)
        } else if self.sum.contains(site) {
            Err(StrategyFault::CountedTwice { site: site.clone() })
        } else if self.sum.updates() >= self.sum.updates_max {
            Err(StrategyFault::Full)
        } else if self.update.examples() > self.sum.weighing.examples_max() {
            Err(StrategyFault::OutOfBounds)
        } else {
            Ok(())
        }
    }
}

impl Drop for Fold<'_> {
    fn drop(&mut self) {
        if self.offset > 0 && !self.is_done {
            self.sum.is_spoilt = true;
        }
    }
}

/// 2^k of the module's documentation.
fn scale(examples_max: u64, value_max: f64, updates_max: u32) -> f64 {
    let term = (examples_max as f64 * value_max).log2().ceil() as i32;
    let updates = f64::from(updates_max).log2().ceil() as i32;
    2_f64.powi(TERM_BITS.min(SUM_BITS - updates) - term)
}

#[inline(always)]
fn add(sums: &mut [i64], values: &[f32], factor: f64) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += rounded(f64::from(*value) * factor);
    }
}

/// `value` as the nearest whole number, ties to even; exact for |value| < 2^51.
///
/// A cast after `f64::round` costs several times as much where the processor's baseline has no such instruction.
pub(super) fn rounded(value: f64) -> i64 {
    ((value + ROUNDING).to_bits() as i64).wrapping_sub(ROUNDING.to_bits() as i64)
}
