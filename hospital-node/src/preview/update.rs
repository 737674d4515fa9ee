//! What an update is made of: tensor by tensor, and how its numbers are spread. Pure.

use anyhow::{Context as _, Result};
use serde::Serialize;
use snowball_encoding::{Coding, DecodeFault};
use snowball_layout::{Layout, Role};
use snowball_protocol::StudyPlan;

/// Bars of the histogram; odd, so that the middle one is around zero.
const BARS: usize = 21;

/// One update, told.
#[derive(Clone, Serialize)]
pub struct Update {
    pub parameters: u64,
    /// How the numbers are written.
    pub encoding: String,
    pub bytes: u64,
    /// Whether what is not sent stays at the site for the next update.
    pub feeds_back: bool,
    /// The fingerprint of names, shapes and roles.
    pub layout_digest: String,
    pub tensors: Vec<Tensor>,
    pub spread: Spread,
}

/// One tensor of the update.
#[derive(Clone, Serialize)]
pub struct Tensor {
    pub name: String,
    pub shape: String,
    pub role: &'static str,
    /// Whether it stays at the site: in the update it is zero.
    pub stays: bool,
    pub values: u64,
    /// Euclidean norm of its change in this run.
    pub norm: f64,
}

/// How the numbers are spread.
#[derive(Clone, Serialize)]
pub struct Spread {
    pub smallest: f32,
    pub largest: f32,
    pub norm: f64,
    /// Numbers that did not change, or whose change is not sent.
    pub zeros: u64,
    /// From `-reach` to `reach` in equal steps.
    pub reach: f32,
    pub bars: Vec<u64>,
}

impl Update {
    /// What the aggregator will read out of the `sent` bytes.
    ///
    /// # Errors
    /// When they are no update of the plan.
    pub fn of(plan: &StudyPlan, layout: &Layout, sent: &[u8]) -> Result<Self> {
        let coding = Coding::of(plan, layout.parameters());
        let (mut decoder, mut numbers) = (coding.decoder(), Vec::with_capacity(layout.parameters()));
        let read = decoder.read(sent, |block| {
            numbers.extend_from_slice(block);
            Ok::<(), DecodeFault>(())
        });
        read.and_then(|()| decoder.finish())
            .context("the update that would leave cannot be read back")?;
        let delta = &numbers[..];
        let tensors = layout.tensors.iter().map(|tensor| {
            let values = delta.get(tensor.offset..tensor.offset + tensor.values()).unwrap_or(&[]);
            let shape: Vec<String> = tensor.shape.iter().map(ToString::to_string).collect();
            Tensor {
                name: tensor.name.clone(),
                shape: shape.join(" x "),
                role: role(tensor.role),
                stays: plan.local.keep.iter().any(|kept| tensor.role.is(*kept)),
                values: tensor.values() as u64,
                norm: norm(values),
            }
        });
        Ok(Self {
            parameters: layout.parameters() as u64,
            encoding: plan.transfer.encoding.name(),
            bytes: sent.len() as u64,
            feeds_back: coding.feeds_back(),
            layout_digest: layout.digest().to_string(),
            tensors: tensors.collect(),
            spread: Spread::of(delta),
        })
    }
}

impl Spread {
    fn of(delta: &[f32]) -> Self {
        let fold = |start: f32, pick: fn(f32, f32) -> f32| delta.iter().copied().fold(start, pick);
        let (smallest, largest) = (fold(0.0, f32::min), fold(0.0, f32::max));
        let reach = largest.max(-smallest);
        let mut bars = vec![0; BARS];
        for value in delta {
            let share = if reach > 0.0 { (value / reach + 1.0) / 2.0 } else { 0.5 };
            // In 0 to BARS - 1: a float turned into an index saturates.
            bars[((share * BARS as f32) as usize).min(BARS - 1)] += 1;
        }
        Self {
            smallest,
            largest,
            norm: norm(delta),
            zeros: delta.iter().filter(|value| **value == 0.0).count() as u64,
            reach,
            bars,
        }
    }

    /// The middle of each bar and its height, from 0 to 1 of the highest.
    pub fn heights(&self) -> Vec<(f32, u64, f64)> {
        let highest = self.bars.iter().copied().max().unwrap_or(0).max(1) as f64;
        let middle = |place: usize| self.reach * ((2 * place + 1) as f32 / BARS as f32 - 1.0);
        let of = |(place, count): (usize, &u64)| (middle(place), *count, *count as f64 / highest);
        self.bars.iter().enumerate().map(of).collect()
    }
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::Weight => "weights",
        Role::NormAffine => "scale or shift of a normalisation",
        Role::NormStatistic => "running statistic of a normalisation",
        Role::Counter => "count of steps",
        Role::Local => "stays at the site",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_what_would_be_read_and_how_many_bytes_that_takes() {
        let text = include_str!("../../../policies/cases/studies/body-parts.toml");
        let mut plan: StudyPlan = toml::from_str(text).unwrap();
        plan.transfer.encoding = snowball_protocol::plan::UpdateEncoding::TopK { share: 0.01 };
        let layout = Layout::of(&plan);
        let mut delta = vec![0.001; layout.parameters()];
        delta[0] = 2.0;
        let sent = Coding::of(&plan, delta.len()).encode(&delta);
        let update = Update::of(&plan, &layout, &sent).unwrap();
        let kept = layout.parameters().div_ceil(100);
        assert_eq!(update.bytes, sent.len() as u64);
        assert!(update.bytes < layout.bytes() / 50 && update.feeds_back);
        assert_eq!(
            (update.spread.largest, update.spread.zeros),
            (2.0, (delta.len() - kept) as u64)
        );
        assert!(Update::of(&plan, &layout, &sent[1..]).is_err());
    }

    #[test]
    fn every_role_has_its_french() {
        use Role::{Counter, Local, NormAffine, NormStatistic, Weight};
        for one in [Weight, NormAffine, NormStatistic, Counter, Local] {
            assert!(crate::preview::french(role(one)).is_some(), "{}", role(one));
        }
    }

    #[test]
    fn every_number_is_in_one_bar_and_zero_in_the_middle_one() {
        let spread = Spread::of(&[-2.0, -0.01, 0.0, 0.01, 1.0, 2.0]);
        assert_eq!(spread.bars.iter().sum::<u64>(), 6);
        assert_eq!(
            (spread.bars[0], spread.bars[BARS / 2], spread.bars[BARS - 1]),
            (1, 3, 1)
        );
        assert_eq!((spread.smallest, spread.largest, spread.zeros), (-2.0, 2.0, 1));
        assert!((spread.heights()[BARS / 2].0).abs() < 1e-6);
        assert_eq!(Spread::of(&[0.0, 0.0]).bars[BARS / 2], 2);
    }
}
