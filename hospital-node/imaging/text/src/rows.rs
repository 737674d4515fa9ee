//! A network's answer row by row. Each step keeps the few rows that the next one still needs, so that what is computed stays near
//! the processor: whole maps of every step cost more time than the sums.

use pulp::Arch;

use crate::{
    convolve::{Kernel, Run, WINDOW},
    map::{Map, fold},
    network::{Network, Step},
    places::Places,
};

/// What a step made last.
struct Stage<'a> {
    step: Step,
    kernel: Option<&'a Kernel>,
    /// What is computed of it.
    places: &'a Places,
    channels: usize,
    /// Zeros at either end of a row, for the taps of the next step.
    border: usize,
    /// Rows that are kept.
    kept: usize,
    rows: Vec<f32>,
    /// The first row that is not computed yet.
    next: usize,
}

/// Writes the answer to `input` into `lines`, whose first row is `first`. `needed` are the places of each step's outcome; those of
/// the last lie in these lines.
pub(crate) fn answer(network: &Network, input: &Map, needed: &[Places], first: usize, lines: &mut [f32]) {
    assert_eq!(
        network.steps.first(),
        Some(&Step::Fold),
        "the first step folds the picture"
    );
    let mut stages = stages(network, input.channels, needed);
    let Some((last, before)) = stages.split_last_mut() else {
        return;
    };
    let width = last.places.columns * last.channels;
    let arch = Arch::new();
    for (row, to) in (first..last.places.rows.len()).zip(lines.chunks_exact_mut(width.max(1))) {
        if !last.places.rows[row].is_empty() {
            advance(arch, before, input, last.reach(row));
            last.fill(arch, before.last(), input, row, to);
        }
    }
}

fn stages<'a>(network: &'a Network, mut channels: usize, needed: &'a [Places]) -> Vec<Stage<'a>> {
    let mut kernels = network.kernels.iter();
    let mut stages: Vec<Stage<'a>> = Vec::with_capacity(needed.len());
    for (at, (step, places)) in network.steps.iter().zip(needed).enumerate() {
        let kernel = match step {
            Step::Fold => None,
            Step::Stack { .. } => panic!("a network that stacks its rows has one row"),
            _ => kernels.next(),
        };
        channels = kernel.map_or(4 * channels, |kernel| kernel.outputs);
        let (border, kept) = match network.steps.get(at + 1) {
            Some(Step::Fold) => (0, 2),
            Some(Step::Convolve { dilation, .. } | Step::Add { dilation }) => (*dilation, 2 * dilation + 1),
            // The answer itself is kept by the caller.
            next => (0, usize::from(next.is_some())),
        };
        let width = (places.columns + 2 * border + WINDOW) * channels;
        stages.push(Stage {
            step: *step,
            kernel,
            places,
            channels,
            border,
            kept,
            // One row more, which stays zero: what lies above and below the map.
            rows: vec![0.0; (kept + 1) * width],
            next: 0,
        });
    }
    stages
}

/// Computes the rows of the last of `stages` that come before `end`.
fn advance(arch: Arch, stages: &mut [Stage<'_>], input: &Map, end: usize) {
    let Some((last, before)) = stages.split_last_mut() else {
        return;
    };
    let end = end.min(last.places.rows.len());
    for row in last.next..end {
        if !last.places.rows[row].is_empty() {
            advance(arch, before, input, last.reach(row));
            let at = last.at(row);
            let mut rows = std::mem::take(&mut last.rows);
            let to = &mut rows[at.start + last.border * last.channels..at.end];
            last.fill(arch, before.last(), input, row, to);
            last.rows = rows;
        }
    }
    last.next = last.next.max(end);
}

impl Stage<'_> {
    /// The rows of the step before that bear on `row` end here.
    fn reach(&self, row: usize) -> usize {
        match self.kernel {
            None => 2 * row + 2,
            Some(kernel) => row + kernel.border(self.step.dilation()) + 1,
        }
    }

    /// Where a row lies among those that are kept.
    fn at(&self, row: usize) -> std::ops::Range<usize> {
        let width = self.rows.len() / (self.kept + 1);
        let slot = if row < self.places.rows.len() {
            row % self.kept
        } else {
            self.kept
        };
        slot * width..(slot + 1) * width
    }

    /// Computes one row from those of the step before, or from the picture.
    fn fill(&self, arch: Arch, before: Option<&Stage<'_>>, input: &Map, row: usize, to: &mut [f32]) {
        let channels = before.map_or(input.channels, |before| before.channels);
        let line = |row: usize| match before {
            Some(before) => &before.rows[before.at(row)],
            None => &input.values[row * input.columns * channels..][..input.columns * channels],
        };
        for span in &self.places.rows[row] {
            let to = &mut to[span.start * self.channels..span.end * self.channels];
            let Some(kernel) = self.kernel else {
                let pair =
                    [2 * row, 2 * row + 1].map(|row| &line(row)[2 * span.start * channels..2 * span.end * channels]);
                fold(pair, channels, to);
                continue;
            };
            let dilation = self.step.dilation();
            let border = kernel.border(dilation);
            let tap = |tap: usize| {
                let row = (row + tap % kernel.side * dilation).wrapping_sub(border);
                &line(row)[span.start * channels..]
            };
            arch.dispatch(Run {
                kernel,
                dilation,
                end: self.step.end(),
                lines: std::array::from_fn(tap),
                to,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{convolve::BLOCK, detector, proposer, weights};

    #[test]
    fn rows_say_what_whole_maps_say() {
        let networks = weights::built_in().unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        for (network, cell) in [
            (&networks.detector, detector::CELL),
            (&networks.proposer, proposer::CELL),
        ] {
            // Of many rows, so that two threads share them.
            for (rows, columns) in [(150, 14), (9, 31), (1, 1)] {
                let mut seen = Map::zeros(rows * cell, columns * cell, 2);
                for (at, value) in seen.values.iter_mut().enumerate() {
                    *value = ((at * 7919) % 4001) as f32 / 1000.0 - 2.0;
                }
                let whole = network.answer(&seen);
                let sparse = (0..rows * columns).map(|at| at * 7919 % 13 == 0 || (at / 40) % 3 == 1);
                let sparse = Places::marked(&sparse.collect::<Vec<_>>(), columns);
                for places in [Places::all(rows, columns), sparse, Places::none(rows, columns)] {
                    let mut answer = Map::zeros(rows, columns, BLOCK);
                    answer.values.fill(7.5);
                    pool.install(|| network.answer_at(&seen, &places, &mut answer));
                    let cells = answer.values.chunks_exact(BLOCK).zip(whole.values.chunks_exact(BLOCK));
                    for (at, (cell, expected)) in cells.enumerate() {
                        let is_asked = places.holds(at / columns, at % columns);
                        assert_eq!(cell, if is_asked { expected } else { &[7.5; BLOCK] }, "{at}");
                    }
                }
            }
        }
    }
}
