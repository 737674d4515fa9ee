//! A release: the model as PyTorch reads it, a card for people, and a signed lineage that ties both to the plan and the rounds.

mod card;
mod create;
mod lineage;
mod tensors;
mod verify;

pub use create::{ReleaseRequest, create};
pub use lineage::Lineage;
pub use verify::verify;

/// The parameters, in the safetensors format.
pub const MODEL_FILE: &str = "model.safetensors";
/// What the model is, for people.
pub const CARD_FILE: &str = "model-card.md";
/// Where it comes from, for programs and auditors.
pub const LINEAGE_FILE: &str = "lineage.json";
/// Ed25519 over the lineage.
pub const SIGNATURE_FILE: &str = "lineage.json.sig";
