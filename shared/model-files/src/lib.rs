//! A model as files that other programs open: PyTorch by safetensors and a small script, any ONNX runtime by one file.
//!
//! A release of the consortium and a model that a hospital trained alone are written by the same function, so that a script which opens
//! the one opens the other. The parameters go from file to file without being held.
//!
//! Start at [`write()`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod network;
mod tensors;
#[cfg(test)]
mod testing;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Write as _},
    path::Path,
};

use snowball_layout::Layout;
use snowball_protocol::{Sha256Digest, StudyPlan, plan::canonical_json};

pub use tensors::{Written, digest, read};

/// The parameters, in the safetensors format.
pub const MODEL_FILE: &str = "model.safetensors";
/// The network and its parameters, in the ONNX format.
pub const ONNX_FILE: &str = "model.onnx";
/// The network's steps, for `model.py` and other programs.
pub const NETWORK_FILE: &str = "network.json";
/// Opens the folder in PyTorch.
pub const SCRIPT_FILE: &str = "model.py";

const SCRIPT: &[u8] = include_bytes!("model.py");

/// What was written.
pub struct ModelFiles {
    /// Of the parameters alone: as rounds and receipts name a model.
    pub numbers: Sha256Digest,
    /// Of [`MODEL_FILE`].
    pub model: Sha256Digest,
    /// Of [`ONNX_FILE`].
    pub onnx: Sha256Digest,
    /// Of [`NETWORK_FILE`].
    pub network: Sha256Digest,
    /// Of [`SCRIPT_FILE`].
    pub script: Sha256Digest,
}

/// Writes the four files of the network of `plan` into `dir`, which exists, each whole and durable when this returns. `parameters` is a
/// file of little-endian f32 in the layout's order; `properties` go into the two files that hold numbers.
///
/// # Errors
/// When the system refuses, or `parameters` does not have the layout's size.
pub fn write(dir: &Path, plan: &StudyPlan, parameters: &Path, properties: &[(&str, String)]) -> io::Result<ModelFiles> {
    let layout = Layout::of(plan);
    let mut metadata: BTreeMap<&str, String> = properties.iter().cloned().collect();
    metadata.insert("format", "pt".to_owned());
    let written = tensors::write(&dir.join(MODEL_FILE), &layout, parameters, &metadata)?;
    let onnx = tensors::durably(&dir.join(ONNX_FILE), |out| {
        snowball_onnx::write(plan, BufReader::new(File::open(parameters)?), properties, out)
    })?;
    let network = canonical_json(&network::document(plan));
    let text = |name: &str, content: &[u8]| tensors::durably(&dir.join(name), |out| out.write_all(content));
    Ok(ModelFiles {
        numbers: written.numbers,
        model: written.file,
        onnx,
        network: text(NETWORK_FILE, &network)?,
        script: text(SCRIPT_FILE, SCRIPT)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_four_files_and_their_digests() {
        let folder = tempfile::tempdir().unwrap();
        let plan = testing::plan();
        let numbers = snowball_layout::to_le_bytes(&Layout::of(&plan).initial_parameters(plan.seed));
        let source = folder.path().join("0.f32");
        std::fs::write(&source, &numbers).unwrap();
        let dir = folder.path().join("model");
        std::fs::create_dir(&dir).unwrap();
        let written = write(&dir, &plan, &source, &[("study", plan.study.to_string())]).unwrap();
        assert_eq!(written.numbers, Sha256Digest::of(&numbers));
        for (name, is) in [
            (MODEL_FILE, written.model),
            (ONNX_FILE, written.onnx),
            (NETWORK_FILE, written.network),
            (SCRIPT_FILE, written.script),
        ] {
            assert_eq!(digest(&dir.join(name)).unwrap(), is, "{name}");
        }
        let (digests, metadata) = read(&dir.join(MODEL_FILE)).unwrap();
        assert_eq!(digests.numbers, written.numbers);
        assert_eq!(metadata["study"], plan.study.to_string());

        std::fs::write(&source, &numbers[4..]).unwrap();
        assert!(write(&dir, &plan, &source, &[]).is_err(), "a parameter too few");
    }

    #[test]
    fn what_is_no_safetensors_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(MODEL_FILE);
        for (bytes, why) in [
            (b"short".to_vec(), "no header"),
            (u64::MAX.to_le_bytes().to_vec(), "larger"),
            (9_u64.to_le_bytes().to_vec(), "cut off"),
            ([&2_u64.to_le_bytes()[..], b"no"].concat(), "no JSON"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let refused = read(&path).err().unwrap().to_string();
            assert!(refused.contains(why), "{why}: {refused}");
        }
    }
}
