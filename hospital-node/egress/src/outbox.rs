//! What is recorded and has no receipt yet, on disk, so that a crash never means training twice or a lost update.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use snowball_policy::DatasetFacts;
use snowball_protocol::{
    RoundNumber, Sha256Digest, StudyName,
    limits::{JSON_BYTES_MAX, PARAMETERS_MAX},
    update::UpdateHeader,
};
use snowball_service::files;

use crate::{error::EgressError, filter::Encoded};

/// A folder with one update a study and round: `STUDY-ROUND.update` and `STUDY-ROUND.json`.
pub struct Outbox {
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Pending {
    header: UpdateHeader,
    training_patients: u64,
    training_images: u64,
    class_cells_min: u64,
}

impl Outbox {
    /// Opens or makes the folder.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn open(folder: &Path) -> Result<Self, EgressError> {
        files::create_home(folder).map_err(at(folder))?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    pub(crate) fn keep(&self, study: &StudyName, round: RoundNumber, bytes: &[u8]) -> Result<(), EgressError> {
        let path = self.path(study, round, "update");
        files::write_private(&path, bytes).map_err(at(&path))
    }

    pub(crate) fn keep_header(&self, header: &UpdateHeader, dataset: &DatasetFacts) -> Result<(), EgressError> {
        let path = self.path(&header.study, header.round, "json");
        let pending = Pending {
            header: header.clone(),
            training_patients: dataset.training_patients,
            training_images: dataset.training_images,
            class_cells_min: dataset.class_cells_min,
        };
        files::write_private(&path, &snowball_protocol::plan::canonical_json(&pending)).map_err(at(&path))
    }

    /// What was recorded of this round's update, without a look at its bytes.
    pub(crate) fn header(&self, study: &StudyName, round: RoundNumber) -> Result<Option<UpdateHeader>, EgressError> {
        Ok(self.pending(study, round)?.map(|pending| pending.header))
    }

    fn pending(&self, study: &StudyName, round: RoundNumber) -> Result<Option<Pending>, EgressError> {
        let path = self.path(study, round, "json");
        match files::read_bounded(&path, JSON_BYTES_MAX) {
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => Ok(None),
            read => Ok(serde_json::from_slice(&read.map_err(at(&path))?).ok()),
        }
    }

    /// The update of this round that was recorded and has no receipt, if its bytes are whole.
    pub(crate) fn find(
        &self,
        study: &StudyName,
        round: RoundNumber,
    ) -> Result<Option<(Encoded, UpdateHeader)>, EgressError> {
        let Some(pending) = self.pending(study, round)? else {
            return Ok(None);
        };
        let dataset = DatasetFacts {
            training_patients: pending.training_patients,
            training_images: pending.training_images,
            class_cells_min: pending.class_cells_min,
        };
        let header = pending.header;
        let path = self.path(study, round, "update");
        let limit = usize::try_from(PARAMETERS_MAX * 4).unwrap_or(usize::MAX);
        let bytes = match files::read_bounded(&path, limit) {
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(at(&path))?,
        };
        if Sha256Digest::of(&bytes) != header.digest {
            return Ok(None);
        }
        let encoded = Encoded {
            round: header.round,
            attempt: header.attempt,
            model_in: header.model_in,
            layout_digest: header.layout_digest,
            encoding: header.encoding,
            digest: header.digest,
            bytes: bytes.into(),
            // It lies beside the others that updates left over, from before the record was made.
            residual: None,
            examples: header.examples,
            local_steps: header.local_steps,
            training_loss: header.training_loss,
            evaluation: header.evaluation.clone(),
            dataset,
        };
        Ok(Some((encoded, header)))
    }

    /// The rounds before `round` of which an update was recorded and has no receipt, in order.
    pub(crate) fn earlier(&self, study: &StudyName, round: RoundNumber) -> Result<Vec<RoundNumber>, EgressError> {
        let rounds = self.rounds(study)?.into_iter();
        Ok(rounds.take_while(|earlier| *earlier < round).collect())
    }

    /// The rounds of `study` whose updates were recorded and have no receipt, by number.
    pub(crate) fn rounds(&self, study: &StudyName) -> Result<BTreeSet<RoundNumber>, EgressError> {
        let entries = std::fs::read_dir(&self.folder).map_err(at(&self.folder))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let rounds = names.filter_map(|name| {
            let round = name
                .strip_suffix(".json")?
                .strip_prefix(study.as_str())?
                .strip_prefix('-')?;
            round.parse().ok().map(RoundNumber)
        });
        Ok(rounds.collect())
    }

    /// Forgets an update that has its receipt or that its round no longer takes.
    pub(crate) fn forget(&self, study: &StudyName, round: RoundNumber) -> Result<(), EgressError> {
        for extension in ["json", "update"] {
            let path = self.path(study, round, extension);
            match std::fs::remove_file(&path) {
                Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => return Err(at(&path)(fault)),
                _ => {}
            }
        }
        Ok(())
    }

    fn path(&self, study: &StudyName, round: RoundNumber, extension: &str) -> PathBuf {
        self.folder.join(format!("{study}-{round}.{extension}"))
    }
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> EgressError {
    let path = path.to_owned();
    move |source| EgressError::Outbox {
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use snowball_protocol::ids::{Attempt, RoundNumber};

    use super::*;
    use crate::{
        filter::filter,
        testing::{candidate, plan},
    };

    #[test]
    fn an_update_outlives_a_crash_and_a_torn_one_is_not_found() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(&folder.path().join("outbox")).unwrap();
        let (plan, round) = (plan(), RoundNumber(3));
        let encoded = filter(&plan, candidate(vec![1.0, 2.0]), None).unwrap();
        let header = UpdateHeader {
            study: plan.study.clone(),
            round,
            attempt: Attempt(1),
            plan_digest: plan.digest(),
            policy_digest: plan.digest(),
            model_in: encoded.model_in,
            layout_digest: encoded.layout_digest,
            encoding: encoded.encoding,
            bytes: 8,
            digest: encoded.digest,
            examples: encoded.examples,
            local_steps: encoded.local_steps,
            training_loss: encoded.training_loss,
            evaluation: encoded.evaluation.clone(),
            ledger_index: 7,
            ledger_head: plan.digest(),
        };
        outbox.keep(&plan.study, round, &encoded.bytes).unwrap();
        assert!(
            outbox.find(&plan.study, round).unwrap().is_none(),
            "bytes without their record were never approved"
        );
        outbox.keep_header(&header, &encoded.dataset).unwrap();
        let earlier = |study: &StudyName, round| outbox.earlier(study, RoundNumber(round)).unwrap();
        assert_eq!(
            (earlier(&plan.study, 3), earlier(&plan.study, 4)),
            (vec![], vec![round])
        );
        // A study whose name goes on with a number is another study.
        let longer: StudyName = format!("{}-3", plan.study).parse().unwrap();
        let other = UpdateHeader {
            study: longer.clone(),
            round: RoundNumber(1),
            ..header.clone()
        };
        outbox.keep_header(&other, &encoded.dataset).unwrap();
        assert_eq!(
            (earlier(&plan.study, 9), earlier(&longer, 9)),
            (vec![round], vec![RoundNumber(1)])
        );
        let (found, kept) = outbox.find(&plan.study, round).unwrap().unwrap();
        assert_eq!(
            (found.bytes, found.dataset, kept),
            (encoded.bytes, encoded.dataset, header)
        );
        // A study whose name begins like this one's, and one that ends in a number.
        for other in ["body-parts-2", "body", "body-parts-and-age"] {
            std::fs::write(outbox.folder.join(format!("{other}-9.json")), b"").unwrap();
        }
        assert_eq!(outbox.rounds(&plan.study).unwrap(), [round].into(), "{}", plan.study);
        let bytes = outbox.path(&plan.study, round, "update");
        std::fs::rename(&bytes, bytes.with_extension("f32")).unwrap();
        assert!(
            outbox.find(&plan.study, round).unwrap().is_none(),
            "a record without its bytes"
        );
        std::fs::write(&bytes, b"torn").unwrap();
        assert!(outbox.find(&plan.study, round).unwrap().is_none());
        assert!(outbox.header(&plan.study, round).unwrap().is_some());
        outbox.forget(&plan.study, round).unwrap();
        assert!(outbox.find(&plan.study, round).unwrap().is_none());
        assert!(outbox.header(&plan.study, round).unwrap().is_none());
    }
}
