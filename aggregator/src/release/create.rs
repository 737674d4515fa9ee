//! Making a release: everything is written into a new folder; the signature is the last file.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use snowball_crypto::SigningKey;
use snowball_layout::Layout;
use snowball_protocol::{
    Sha256Digest, SiteName, StudyPlan, evaluation::Evaluation, gain::Gain, ids::UnixSeconds, plan::canonical_json,
    record::RoundRecord,
};
use snowball_service::files;

use super::{CARD_FILE, LINEAGE_FILE, Lineage, SIGNATURE_FILE, card};

/// What a release is made from.
pub struct ReleaseRequest<'a> {
    /// The consortium's name.
    pub consortium: &'a str,
    /// The study's plan.
    pub plan: &'a StudyPlan,
    /// Every finished round, in order.
    pub rounds: &'a [RoundRecord],
    /// The file of the final model: little-endian f32 in the layout's order.
    pub parameters: &'a Path,
    /// The final model's quality, per site that let metrics leave.
    pub evaluations: &'a [(SiteName, Evaluation)],
    /// The final model beside each site's own, where the plan compares them.
    pub gains: &'a [Gain],
    /// Who approved the release.
    pub approved_by: Option<&'a str>,
    /// The present time.
    pub now: UnixSeconds,
}

/// Writes the release into `dir`, which must not exist or be empty, and returns its lineage and the lineage's digest.
pub fn create(dir: &Path, request: &ReleaseRequest<'_>, key: &SigningKey) -> Result<(Lineage, Sha256Digest)> {
    ensure_empty(dir)?;
    let layout = Layout::of(request.plan);
    let last = request.rounds.last().context("the study has no finished round")?;
    let plan_digest = request.plan.digest();
    let properties = [
        ("study", request.plan.study.to_string()),
        ("plan_digest", plan_digest.to_string()),
        ("layout_digest", layout.digest().to_string()),
        ("round", last.round.to_string()),
    ];
    let written = snowball_model_files::write(dir, request.plan, request.parameters, &properties)
        .with_context(|| format!("cannot write the model into {}", dir.display()))?;
    ensure!(
        written.numbers == last.model_out,
        "the final model's file is not what the last round made; do not release it"
    );

    let card = card::card(request, &layout, &written.model);
    files::write_durable(&dir.join(CARD_FILE), card.as_bytes())?;
    let lineage = Lineage {
        format: 1,
        consortium: request.consortium.to_owned(),
        study: request.plan.study.clone(),
        released: request.now,
        approved_by: request.approved_by.map(str::to_owned),
        plan_digest,
        plan: request.plan.clone(),
        layout_digest: layout.digest(),
        parameters: layout.parameters() as u64,
        model_digest: written.numbers,
        model_file_digest: written.model,
        onnx_file_digest: written.onnx,
        network_digest: written.network,
        script_digest: written.script,
        card_digest: Sha256Digest::of(card.as_bytes()),
        rounds: request.rounds.iter().map(Into::into).collect(),
        evaluation: Evaluation::pooled(request.evaluations.iter().map(|(_, evaluation)| evaluation)),
        aggregator_key: key.verifying_key(),
    };
    let faults = lineage.contradictions();
    ensure!(
        faults.is_empty(),
        "the records do not fit together: {}",
        faults.join("; ")
    );
    let document = canonical_json(&lineage);
    files::write_durable(&dir.join(LINEAGE_FILE), &document)?;
    let signature = key.sign(&Lineage::signed_bytes(&document)).to_string();
    files::write_durable(&dir.join(SIGNATURE_FILE), format!("{signature}\n").as_bytes())?;
    Ok((lineage, Sha256Digest::of(&document)))
}

pub(super) fn ensure_empty(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let found: Vec<PathBuf> = fs::read_dir(dir)?
        .take(1)
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    ensure!(found.is_empty(), "{} is not empty; name a new folder", dir.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture,
        release::{MODEL_FILE, NETWORK_FILE, ONNX_FILE, SCRIPT_FILE, verify},
    };

    #[test]
    fn a_release_verifies_and_every_changed_file_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::generate().unwrap();
        let plan = fixture::plan("spines");
        let layout = Layout::of(&plan);
        let bytes = snowball_layout::to_le_bytes(&layout.initial_parameters(1));
        let parameters = folder.path().join("model.f32");
        fs::write(&parameters, &bytes).unwrap();
        let rounds = [fixture::record(
            &plan,
            1,
            Sha256Digest::of(b"0"),
            Sha256Digest::of(&bytes),
        )];
        let request = ReleaseRequest {
            consortium: "Test",
            plan: &plan,
            rounds: &rounds,
            parameters: &parameters,
            evaluations: &[],
            gains: &[],
            approved_by: Some("Dr Example"),
            now: 1_800_000_000,
        };
        let dir = folder.path().join("release");
        let (lineage, _) = create(&dir, &request, &key).unwrap();
        assert!(
            create(&dir, &request, &key).is_err(),
            "a folder that holds something is never written over"
        );
        assert_eq!(verify(&dir, &key.verifying_key()).unwrap(), (lineage.clone(), vec![]));
        assert_eq!(
            verify(&dir, &SigningKey::generate().unwrap().verifying_key())
                .unwrap()
                .1
                .len(),
            1
        );

        for name in [MODEL_FILE, ONNX_FILE, NETWORK_FILE, SCRIPT_FILE, CARD_FILE] {
            let path = dir.join(name);
            let sound = fs::read(&path).unwrap();
            let mut changed = sound.clone();
            let last = changed.len() - 1;
            changed[last] ^= 1;
            fs::write(&path, &changed).unwrap();
            assert!(!verify(&dir, &key.verifying_key()).unwrap().1.is_empty(), "{name}");
            fs::write(&path, sound).unwrap();
        }
        let mut begun = lineage.clone();
        begun.plan.start = Some(fixture::start(Sha256Digest::of(b"0")));
        begun.plan_digest = begun.plan.digest();
        assert_eq!(begun.contradictions(), [""; 0]);
        assert_eq!(begun.plan.parents().len(), 2);
        begun.rounds[0].model_in = Sha256Digest::of(b"exchanged");
        assert_eq!(begun.contradictions().len(), 1);

        let path = dir.join(LINEAGE_FILE);
        let text = fs::read_to_string(&path).unwrap().replace("Dr Example", "Dr Exemple");
        fs::write(&path, text).unwrap();
        assert_eq!(verify(&dir, &key.verifying_key()).unwrap().1.len(), 1);
    }
}
