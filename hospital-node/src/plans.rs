//! The plans that this node was shown, as it keeps them.

use std::fs;

use anyhow::{Context as _, Result, bail, ensure};
use snowball_protocol::{Sha256Digest, StudyPlan, limits::JSON_BYTES_MAX};
use snowball_service::files;

use crate::home::Home;

/// The plan with this digest.
///
/// # Errors
/// When this node was never shown it, or its file is not what was kept.
pub fn read(home: &Home, digest: &Sha256Digest) -> Result<StudyPlan> {
    let path = home.plan(digest);
    if !path.exists() {
        bail!(
            "this node was never shown a plan {digest}; the aggregator shows it once the study is started and the node runs"
        );
    }
    let bytes =
        files::read_bounded(&path, JSON_BYTES_MAX).with_context(|| format!("cannot read {}", path.display()))?;
    let plan: StudyPlan =
        serde_json::from_slice(&bytes).with_context(|| format!("{} does not parse", path.display()))?;
    ensure!(
        plan.digest() == *digest,
        "{} is not the plan that was kept",
        path.display()
    );
    Ok(plan)
}

/// All of them that can be read, in no order.
pub fn all(home: &Home) -> Vec<StudyPlan> {
    let files = fs::read_dir(home.plans()).into_iter().flatten().flatten();
    let digests = files.filter_map(|file| {
        let name = file.file_name();
        let digits = name.to_str()?.strip_suffix(".json")?;
        format!("sha256:{digits}").parse::<Sha256Digest>().ok()
    });
    digests.filter_map(|digest| read(home, &digest).ok()).collect()
}
