//! The end of a round, a stretch of parameters at a time: the updates become one, and the model moves by it.

use snowball_protocol::{
    StudyPlan,
    plan::{Combination, ServerOptimiser},
};

use super::{
    Gram, RunningMean, SquareSum, StrategyFault, columns::Columns, distances, scaffold::ControlStep, server,
    weight::Weighing,
};
use crate::intake::AdmittedUpdate;

/// Sums that go on beside each other: one alone would wait for each of its additions.
const LANES: usize = 8;

/// What the updates have been looked at for before their round ends.
pub enum Looked {
    /// They were added as they came.
    Running(RunningMean),
    /// Their distances are known.
    Distances(Gram),
    /// Not yet: each coordinate is decided by itself.
    NotYet,
}

/// The end of a round, under way.
pub struct RoundEnd<'a> {
    updates: &'a [AdmittedUpdate],
    server: ServerOptimiser,
    control: Option<ControlStep>,
    how: How,
    shortenings: Vec<f64>,
    offset: usize,
    /// Of each update, to be compared with what the intake saw.
    squares: Vec<SquareSum>,
    /// Of each update with the combined one, over lanes by the place of a number, so that the cuts do not matter.
    dots: Vec<[f64; LANES]>,
    combined_square: f64,
    combined: Vec<f64>,
    column: Vec<f64>,
}

enum How {
    Running(RunningMean),
    Columns(Columns),
    Mixture(Vec<f64>),
}

/// Whether the plan's rule needs [`Looked::Distances`].
#[must_use]
pub const fn needs_distances(combination: &Combination) -> bool {
    matches!(
        combination,
        Combination::Krum { .. } | Combination::MultiKrum { .. } | Combination::GeometricMedian
    )
}

impl<'a> RoundEnd<'a> {
    /// Begins. `updates` are those that count, in the order of their sites' names, in which their numbers follow; whatever was
    /// looked at before was of the same ones.
    ///
    /// # Errors
    /// When there are none, or what was looked at is not what the plan's rule needs.
    pub fn new(plan: &StudyPlan, updates: &'a [AdmittedUpdate], looked: Looked) -> Result<Self, StrategyFault> {
        if updates.is_empty() {
            return Err(StrategyFault::Empty);
        }
        let weighing = Weighing::of(plan);
        let shortenings: Vec<f64> = updates.iter().map(|update| weighing.shortening(update)).collect();
        let combination = &plan.strategy.combine;
        let how = match looked {
            Looked::Running(sum) if combination.is_running() && sum.is_of(updates.iter().map(AdmittedUpdate::site)) => {
                How::Running(sum)
            }
            Looked::Distances(gram) if gram.updates() == updates.len() => {
                let examples: Vec<u64> = updates.iter().map(AdmittedUpdate::examples).collect();
                distances::mixture(combination, &gram, &shortenings, &examples)
                    .map(How::Mixture)
                    .ok_or(StrategyFault::NotLookedAt)?
            }
            _ => Columns::of(combination)
                .map(How::Columns)
                .ok_or(StrategyFault::NotLookedAt)?,
        };
        Ok(Self {
            updates,
            server: plan.strategy.server.clone(),
            control: None,
            how,
            offset: 0,
            squares: vec![SquareSum::default(); updates.len()],
            dots: vec![[0.0; LANES]; updates.len()],
            combined_square: 0.0,
            combined: Vec::new(),
            column: vec![0.0; updates.len()],
            shortenings,
        })
    }

    /// The same where a control variate moves as well: it is the last vector of the state.
    #[must_use]
    pub const fn with_control(mut self, control: Option<ControlStep>) -> Self {
        self.control = control;
        self
    }

    /// Moves the next parameters of the model. `rows` are the same stretch of each update, one after the other; `state` that of each
    /// vector of the server's state.
    ///
    /// # Errors
    /// When the lengths do not fit each other.
    pub fn block(&mut self, rows: &[f32], model: &mut [f32], state: &mut [Vec<f32>]) -> Result<(), StrategyFault> {
        let (updates, width) = (self.updates.len(), model.len());
        if rows.len() != updates * width
            || state.len() != self.server.state_vectors() + usize::from(self.control.is_some())
            || state.iter().any(|vector| vector.len() != width)
        {
            return Err(StrategyFault::WrongLength);
        }
        if width == 0 {
            return Ok(());
        }
        self.combine(rows, width)?;
        for (index, row) in rows.chunks_exact(width).enumerate() {
            self.squares[index].add(row);
            multiply(&mut self.dots[index], self.offset, row, &self.combined);
        }
        self.combined_square = self
            .combined
            .iter()
            .fold(self.combined_square, |sum, value| sum + value * value);
        let (state, control) = state.split_at_mut(self.server.state_vectors());
        for (control, step) in control.iter_mut().zip(&self.control) {
            step.take(&self.combined, control);
        }
        server::step(&self.server, &self.combined, model, state);
        self.offset += width;
        Ok(())
    }

    /// Ends it: how far each update points where the combined one points, as a cosine in -1 to 1; 0 where either is zero.
    ///
    /// # Errors
    /// When the numbers of an update are not those that the intake saw; then what was made of them is worth nothing.
    pub fn finish(self) -> Result<Vec<f64>, StrategyFault> {
        for (update, squares) in self.updates.iter().zip(&self.squares) {
            if squares.total().to_bits() != update.square_sum().to_bits() {
                return Err(StrategyFault::ChangedOnDisk);
            }
        }
        let length = self.combined_square.sqrt();
        let cosine = |(update, dot): (&AdmittedUpdate, &[f64; LANES])| {
            let dot = dot.iter().sum::<f64>();
            let norms = length * update.norm();
            if norms > 0.0 {
                (dot / norms).clamp(-1.0, 1.0)
            } else {
                0.0
            }
        };
        Ok(self.updates.iter().zip(&self.dots).map(cosine).collect())
    }

    fn combine(&mut self, rows: &[f32], width: usize) -> Result<(), StrategyFault> {
        self.combined.clear();
        self.combined.resize(width, 0.0);
        match &self.how {
            How::Running(sum) => sum.mean(self.offset, &mut self.combined)?,
            How::Columns(columns) => {
                for (place, combined) in self.combined.iter_mut().enumerate() {
                    let values = rows.iter().skip(place).step_by(width);
                    for ((slot, value), shortening) in self.column.iter_mut().zip(values).zip(&self.shortenings) {
                        *slot = f64::from(*value) * shortening;
                    }
                    *combined = columns.of_column(&mut self.column);
                }
            }
            How::Mixture(weights) => {
                let rows = rows.chunks_exact(width).zip(weights).zip(&self.shortenings);
                for ((row, weight), shortening) in rows.filter(|((_, weight), _)| **weight != 0.0) {
                    let factor = weight * shortening;
                    for (combined, value) in self.combined.iter_mut().zip(row) {
                        *combined += f64::from(*value) * factor;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Adds the products of two stretches that begin at `offset` to the lanes.
fn multiply(lanes: &mut [f64; LANES], offset: usize, row: &[f32], combined: &[f64]) {
    if !offset.is_multiple_of(LANES) {
        for (place, (value, combined)) in row.iter().zip(combined).enumerate() {
            lanes[(offset + place) % LANES] += f64::from(*value) * combined;
        }
        return;
    }
    let (row, row_end) = row.as_chunks::<LANES>();
    let (combined, combined_end) = combined.as_chunks::<LANES>();
    for (row, combined) in row.iter().zip(combined) {
        // Made anew, not added to in place: so the lanes stay in registers, which is five times as fast in our own profile.
        *lanes = std::array::from_fn(|lane| lanes[lane] + f64::from(row[lane]) * combined[lane]);
    }
    for ((lane, value), combined) in lanes.iter_mut().zip(row_end).zip(combined_end) {
        *lane += f64::from(*value) * combined;
    }
}
