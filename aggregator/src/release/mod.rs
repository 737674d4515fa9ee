//! A release: the model as PyTorch and ONNX runtimes read it, a card for people, and a signed lineage that ties all of it to the plan
//! and the rounds.

mod card;
mod create;
mod lineage;
mod network;
mod tensors;
mod verify;

pub use create::{ReleaseRequest, create};
pub use lineage::Lineage;
pub use verify::verify;

/// The parameters, in the safetensors format.
pub const MODEL_FILE: &str = "model.safetensors";
/// The network and its parameters, in the ONNX format.
pub const ONNX_FILE: &str = "model.onnx";
/// The network's steps, for `model.py` and other programs.
pub const NETWORK_FILE: &str = "network.json";
/// Opens the release in PyTorch.
pub const SCRIPT_FILE: &str = "model.py";
/// What the model is, for people.
pub const CARD_FILE: &str = "model-card.md";
/// Where it comes from, for programs and auditors.
pub const LINEAGE_FILE: &str = "lineage.json";
/// Ed25519 over the lineage.
pub const SIGNATURE_FILE: &str = "lineage.json.sig";
