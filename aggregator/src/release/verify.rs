//! Verifying a release offline, with the aggregator's public key alone.

use std::path::Path;

use anyhow::{Context as _, Result};
use snowball_crypto::VerifyingKey;
use snowball_protocol::Sha256Digest;
use snowball_service::files;

use super::{
    CARD_FILE, LINEAGE_BYTES_MAX, LINEAGE_FILE, Lineage, MODEL_FILE, NETWORK_FILE, ONNX_FILE, SCRIPT_FILE,
    SIGNATURE_FILE, TEXT_BYTES_MAX,
};

const SIGNATURE_BYTES_MAX: usize = 1024;

/// The lineage and everything that does not hold; an empty list means that the release is what its signer made.
pub fn verify(dir: &Path, key: &VerifyingKey) -> Result<(Lineage, Vec<String>)> {
    let document = read(dir, LINEAGE_FILE, LINEAGE_BYTES_MAX)?;
    let signature = read(dir, SIGNATURE_FILE, SIGNATURE_BYTES_MAX)?;
    let lineage: Lineage = serde_json::from_slice(&document).context("the lineage does not parse")?;
    let mut found = Vec::new();
    if !snowball_audit::is_lineage_signed(&document, &signature, key) {
        found.push("the signature of the lineage is not of this key".to_owned());
    }
    found.extend(lineage.contradictions());
    for (name, digest) in [
        (CARD_FILE, lineage.card_digest),
        (NETWORK_FILE, lineage.network_digest),
        (SCRIPT_FILE, lineage.script_digest),
    ] {
        if Sha256Digest::of(&read(dir, name, TEXT_BYTES_MAX)?) != digest {
            found.push(format!("{name} was changed"));
        }
    }
    let onnx = dir.join(ONNX_FILE);
    let digest = snowball_model_files::digest(&onnx).with_context(|| format!("cannot read {}", onnx.display()))?;
    if digest != lineage.onnx_file_digest {
        found.push(format!("{ONNX_FILE} was changed"));
    }
    match snowball_model_files::read(&dir.join(MODEL_FILE)) {
        Ok((digests, metadata)) => {
            if digests.file != lineage.model_file_digest {
                found.push(format!("{MODEL_FILE} was changed"));
            }
            if digests.numbers != lineage.model_digest {
                found.push(format!("the numbers in {MODEL_FILE} are not the final model"));
            }
            if metadata.get("plan_digest").map(String::as_str) != Some(&lineage.plan_digest.to_string()) {
                found.push(format!("{MODEL_FILE} names another plan"));
            }
        }
        Err(error) => found.push(format!("{MODEL_FILE} cannot be read: {error:#}")),
    }
    Ok((lineage, found))
}

fn read(dir: &Path, name: &str, bytes_max: usize) -> Result<Vec<u8>> {
    let path = dir.join(name);
    files::read_bounded(&path, bytes_max).with_context(|| format!("cannot read {}", path.display()))
}
