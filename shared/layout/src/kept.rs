//! Which stretches of the flat vector stay at each site: by a tensor's role, and nowhere else.

use std::ops::Range;

use snowball_protocol::plan::{KeptRole, StudyPlan};

use crate::{Layout, Role};

/// The stretches of the flat vector that a plan leaves at the sites, in order; neighbours are one stretch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Kept {
    stretches: Vec<Range<usize>>,
}

impl Role {
    /// Whether parameters of this role stay at the site where a plan keeps `kept`.
    #[must_use]
    pub const fn is(self, kept: KeptRole) -> bool {
        match kept {
            KeptRole::Normalisation => matches!(self, Self::NormAffine | Self::NormStatistic),
        }
    }
}

impl Kept {
    pub(crate) fn of(layout: &Layout, plan: &StudyPlan) -> Self {
        let mut stretches: Vec<Range<usize>> = Vec::new();
        for tensor in &layout.tensors {
            if !plan.local.keep.iter().any(|kept| tensor.role.is(*kept)) {
                continue;
            }
            let end = tensor.offset + tensor.values();
            match stretches.last_mut() {
                Some(last) if last.end == tensor.offset => last.end = end,
                _ => stretches.push(tensor.offset..end),
            }
        }
        Self { stretches }
    }

    /// Whether everything is shared.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.stretches.is_empty()
    }

    /// How many parameters stay.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.stretches.iter().map(ExactSizeIterator::len).sum()
    }

    /// From where to where each stretch goes, in numbers.
    #[must_use]
    pub fn stretches(&self) -> &[Range<usize>] {
        &self.stretches
    }

    /// What `flat`, a vector of the whole layout, holds in the stretches, one after the other.
    #[must_use]
    pub fn values(&self, flat: &[f32]) -> Vec<f32> {
        let stretches = self.stretches.iter().filter_map(|stretch| flat.get(stretch.clone()));
        stretches.flatten().copied().collect()
    }

    /// Lays `values`, as [`values`](Self::values) gives them, over those of `flat`.
    pub fn lay_over(&self, values: &[f32], flat: &mut [f32]) {
        let mut values = values.iter();
        for place in self.stretches.iter().flat_map(Clone::clone) {
            if let (Some(slot), Some(value)) = (flat.get_mut(place), values.next()) {
                *slot = *value;
            }
        }
    }

    /// Sets them to zero: so they stand in what leaves.
    pub fn clear(&self, flat: &mut [f32]) {
        for stretch in &self.stretches {
            if let Some(values) = flat.get_mut(stretch.clone()) {
                values.fill(0.0);
            }
        }
    }

    /// Whether all of them are zero in `flat`, negative zero included.
    #[must_use]
    pub fn are_zero(&self, flat: &[f32]) -> bool {
        let mut stretches = self.stretches.iter();
        stretches.all(|stretch| {
            flat.get(stretch.clone())
                .is_none_or(|values| values.iter().all(|value| *value == 0.0))
        })
    }
}
