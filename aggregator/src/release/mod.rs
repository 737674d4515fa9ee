//! A release: the model as PyTorch and ONNX runtimes read it, a card for people, and a signed lineage that ties all of it to the plan
//! and the rounds.

pub mod bundle;
mod card;
mod create;
mod lineage;
mod listed;
mod page;
mod verify;

use create::ensure_empty;
pub use create::{ReleaseRequest, create};
pub use lineage::Lineage;
pub use listed::{Folder, Listed};
pub use snowball_model_files::{MODEL_FILE, NETWORK_FILE, ONNX_FILE, SCRIPT_FILE};
pub use verify::verify;

/// What the model is, for people.
pub const CARD_FILE: &str = "model-card.md";
/// Where it comes from, for programs and auditors.
pub const LINEAGE_FILE: &str = "lineage.json";
/// No lineage is read that is longer: a thousand rounds of a thousand sites fit.
pub const LINEAGE_BYTES_MAX: usize = 256 << 20;
/// No other text of a release is read that is longer.
const TEXT_BYTES_MAX: usize = 64 << 20;
/// Ed25519 over the lineage.
pub const SIGNATURE_FILE: &str = "lineage.json.sig";
