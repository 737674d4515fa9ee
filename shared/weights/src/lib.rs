//! Weights from elsewhere for a network of ours: an earlier release, or a network of PyTorch's, as a safetensors file.
//!
//! The trunk is taken, and a head only where its classes are known to be this plan's. What does not fit stays as it was and is told. A first
//! layer for three colours is folded to grey. A file from outside is read by a parser that checks every length, and nothing in it is run:
//! PyTorch's own pickles are not read.
//!
//! Start at [`Weights::read`] and [`lay`]; [`begin()`] makes the model that a study begins with, [`Release`] is what it may begin from.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod begin;
mod published;
mod release;
mod report;

pub use begin::{BeginError, Begun, Found, Wish, begin, first_model, lay_alike_heads};
pub use release::{Release, ReleaseError};
pub use report::{Reason, Report};

use std::collections::{BTreeMap, BTreeSet};

use safetensors::{Dtype, SafeTensors};
use snowball_layout::{Layout, Tensor};
use snowball_protocol::{StudyPlan, labels::LabelName, plan::Architecture};

/// Why a file of weights was not used.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// It is no safetensors file.
    #[error(
        "this is no safetensors file ({0}); PyTorch writes one with `safetensors.torch.save_file(model.state_dict(), \"model.safetensors\")`"
    )]
    Malformed(String),
    /// Nothing in it has a place in the network.
    #[error("no tensor of the file fits the network {architecture}; it has {tensors} tensors, such as {example:?}")]
    Foreign {
        /// The plan's network.
        architecture: &'static str,
        /// How many tensors the file has.
        tensors: usize,
        /// The first of their names.
        example: String,
    },
}

/// The tensors of a file by name.
#[derive(Debug, Default)]
pub struct Weights {
    tensors: BTreeMap<String, Numbers>,
}

#[derive(Debug)]
struct Numbers {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Weights {
    /// Reads a safetensors file: numbers in binary32, binary16 or bfloat16; others are left out.
    ///
    /// # Errors
    /// [`WeightsError::Malformed`].
    pub fn read(file: &[u8]) -> Result<Self, WeightsError> {
        let read = SafeTensors::deserialize(file).map_err(|fault| WeightsError::Malformed(fault.to_string()))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in read.iter() {
            let bytes = view.data();
            let half = |of: fn(u16) -> f32| {
                let words = bytes.as_chunks::<2>().0.iter();
                words.map(|word| of(u16::from_le_bytes(*word))).collect()
            };
            let values = match view.dtype() {
                Dtype::F32 => snowball_layout::from_le_bytes(bytes).unwrap_or_default(),
                Dtype::F16 => half(|bits| half::f16::from_bits(bits).to_f32()),
                Dtype::BF16 => half(|bits| half::bf16::from_bits(bits).to_f32()),
                _ => continue,
            };
            let shape = view.shape().to_vec();
            tensors.insert(name.to_owned(), Numbers { shape, values });
        }
        Ok(Self { tensors })
    }

    /// The tensors of a flat vector in the order of `layout`; what `values` is too short for is left out.
    #[must_use]
    pub fn of(layout: &Layout, values: &[f32]) -> Self {
        let tensors = layout.tensors.iter().filter_map(|tensor| {
            let found = Numbers {
                shape: tensor.shape.clone(),
                values: values.get(tensor.offset..tensor.offset + tensor.values())?.to_vec(),
            };
            Some((tensor.name.clone(), found))
        });
        Self {
            tensors: tensors.collect(),
        }
    }
}

/// Lays the trunk of `weights` over `parameters`, which are in the order of `plan`'s layout, and says what fitted.
///
/// # Errors
/// [`WeightsError::Foreign`] where nothing does; the parameters are then as they were.
pub fn lay(weights: &Weights, plan: &StudyPlan, parameters: &mut [f32]) -> Result<Report, WeightsError> {
    lay_where(weights, plan, parameters, |_| true)
}

/// As [`lay`], of the trunk's tensors only those that `is_asked` for.
///
/// # Errors
/// [`WeightsError::Foreign`] where none of them fits.
pub fn lay_where(
    weights: &Weights,
    plan: &StudyPlan,
    parameters: &mut [f32],
    is_asked: impl Fn(&Tensor) -> bool,
) -> Result<Report, WeightsError> {
    let (layout, architecture) = (Layout::of(plan), plan.network.architecture);
    let mut report = Report::default();
    let mut used = BTreeSet::new();
    for tensor in layout.tensors.iter().filter(|tensor| tensor.name.starts_with("trunk.")) {
        if !is_asked(tensor) {
            report.not_asked += 1;
            if let Some((name, _)) = find(weights, architecture, &tensor.name) {
                used.insert(name);
            }
            continue;
        }
        let place = &mut parameters[tensor.offset..tensor.offset + tensor.values()];
        let Some((name, found)) = find(weights, architecture, &tensor.name) else {
            report.kept.insert(tensor.name.clone(), Reason::Absent);
            continue;
        };
        used.insert(name);
        if !found.values.iter().all(|value| value.is_finite()) {
            report.kept.insert(tensor.name.clone(), Reason::NotFinite);
        } else if found.shape == tensor.shape {
            place.copy_from_slice(&found.values);
            report.filled += 1;
        } else if let Some(grey) = folded(found, &tensor.shape) {
            place.copy_from_slice(&grey);
            report.filled += 1;
            report.folded += 1;
        } else {
            let reason = Reason::OtherShape(found.shape.clone());
            report.kept.insert(tensor.name.clone(), reason);
        }
    }
    if report.filled == 0 {
        return Err(WeightsError::Foreign {
            architecture: architecture.code(),
            tensors: weights.tensors.len(),
            example: weights.tensors.keys().next().cloned().unwrap_or_default(),
        });
    }
    let names = weights.tensors.keys();
    report.unused = names.filter(|name| !used.contains(name)).cloned().collect();
    Ok(report)
}

/// Lays the head of `label` over `parameters` where the file's has its shape; whether it has. Only who knows that its outputs mean the
/// same asks for it.
pub fn lay_head(weights: &Weights, plan: &StudyPlan, label: LabelName, parameters: &mut [f32]) -> bool {
    let layout = Layout::of(plan);
    let prefix = format!("heads.{}.", label.code());
    let ours: Vec<&Tensor> = (layout.tensors.iter())
        .filter(|tensor| tensor.name.starts_with(&prefix))
        .collect();
    let theirs: Option<Vec<&Numbers>> = (ours.iter())
        .map(|tensor| {
            let found = weights.tensors.get(&tensor.name)?;
            (found.shape == tensor.shape && found.values.iter().all(|value| value.is_finite())).then_some(found)
        })
        .collect();
    let Some(theirs) = theirs.filter(|theirs| !theirs.is_empty()) else {
        return false;
    };
    for (tensor, found) in ours.iter().zip(theirs) {
        parameters[tensor.offset..tensor.offset + tensor.values()].copy_from_slice(&found.values);
    }
    true
}

/// The file's tensor for one of ours: under our own name, or under the one of the published network.
fn find<'a>(weights: &'a Weights, architecture: Architecture, name: &str) -> Option<(&'a String, &'a Numbers)> {
    let own = weights.tensors.get_key_value(name);
    own.or_else(|| weights.tensors.get_key_value(&published::name(architecture, name)?))
}

/// A convolution on three colours as one on grey: what it gives for grey copied to all three is what the sum of its filters gives.
fn folded(found: &Numbers, shape: &[usize]) -> Option<Vec<f32>> {
    let ([outputs, 1, height, width], [had, 3, rows, columns]) = (shape, found.shape.as_slice()) else {
        return None;
    };
    if [outputs, height, width] != [had, rows, columns] {
        return None;
    }
    let plane = height * width;
    let grey = |(output, place): (usize, usize)| {
        let colour = |colour: usize| f64::from(found.values[(output * 3 + colour) * plane + place]);
        (colour(0) + colour(1) + colour(2)) as f32
    };
    let places = (0..*outputs).flat_map(|output| (0..plane).map(move |place| (output, place)));
    Some(places.map(grey).collect())
}

#[cfg(test)]
mod tests;
