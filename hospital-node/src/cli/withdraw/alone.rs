//! Models that this site trained alone: which of them may have learned from a patient, themselves or by what they began with.

use std::{collections::BTreeSet, fs, io, path::PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;
use snowball_protocol::{Sha256Digest, StudyName};

use crate::{home::Home, local_model::LocalModel};

/// A model in `models/`.
#[derive(Serialize, PartialEq, Eq, Debug)]
pub struct AloneTouched {
    /// Its study.
    pub study: StudyName,
    /// Where it lies.
    pub path: PathBuf,
    /// How it may have learned from the patient.
    pub how: How,
}

/// How a model may have learned from a patient.
#[derive(Clone, Copy, Serialize, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It was trained on a dataset that held them.
    Trained,
    /// It began with a model that was.
    BeganWith,
    /// What lies beside it cannot be read: nobody can tell.
    Unknown,
}

/// The models that have to do with any of `studies`, whose datasets held the patient.
pub fn touched(home: &Home, studies: &BTreeSet<StudyName>) -> Result<Vec<AloneTouched>> {
    let (mut touched, mut records) = (Vec::new(), Vec::new());
    for study in trained(home)? {
        match LocalModel::read(home, &study) {
            Ok(Some(record)) => records.push((study, record)),
            Ok(None) => {}
            Err(_) => touched.push(found(home, study, How::Unknown)),
        }
    }
    let mut models: BTreeSet<Sha256Digest> = BTreeSet::new();
    // What began with what began with one: until nothing new is found.
    loop {
        let place = records.iter().position(|(study, record)| {
            studies.contains(study)
                || record.parents.iter().any(|parent| {
                    parent.study.as_ref().is_some_and(|study| studies.contains(study))
                        || models.contains(&parent.digest)
                        || parent.model.is_some_and(|model| models.contains(&model))
                })
        });
        let Some(place) = place else { break };
        let (study, record) = records.remove(place);
        models.insert(record.model);
        let how = if studies.contains(&study) {
            How::Trained
        } else {
            How::BeganWith
        };
        touched.push(found(home, study, how));
    }
    touched.sort_by(|one, other| one.study.cmp(&other.study));
    Ok(touched)
}

fn found(home: &Home, study: StudyName, how: How) -> AloneTouched {
    AloneTouched {
        path: home.model(&study, "local"),
        study,
        how,
    }
}

/// The studies of which a local model lies here.
fn trained(home: &Home) -> Result<BTreeSet<StudyName>> {
    let entries = match fs::read_dir(home.models()) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries.context("cannot read the folder of models")?,
    };
    let mut studies = BTreeSet::new();
    for entry in entries {
        let name = entry.context("cannot read the folder of models")?.file_name();
        let study = name.to_str().and_then(|name| name.strip_suffix("-local.json"));
        studies.extend(study.and_then(|study| study.parse::<StudyName>().ok()));
    }
    Ok(studies)
}

impl AloneTouched {
    pub fn text(&self) -> String {
        let how = match self.how {
            How::Trained => "was trained here on a dataset that held the patient",
            How::BeganWith => "began with a model that had learned from the patient",
            How::Unknown => "has a record that cannot be read: nobody can tell what it learned from",
        };
        format!(
            "{} {how}; that stays learned until it is deleted or trained anew",
            self.path.display()
        )
    }
}

#[cfg(test)]
mod tests {
    use snowball_protocol::StudyPlan;
    use snowball_service::files;

    use super::*;
    use crate::local_model::{Parent, SignatureCheck};

    fn keep(home: &Home, study: &str, parent: Option<(&str, Sha256Digest)>) -> Sha256Digest {
        let mut plan: StudyPlan =
            toml::from_str(include_str!("../../../../policies/cases/studies/body-parts.toml")).unwrap();
        plan.study = study.parse().unwrap();
        let model = Sha256Digest::of(study.as_bytes());
        let record = LocalModel {
            format: 1,
            model,
            plan,
            made: 0,
            steps: 1,
            best_step: None,
            pace: None,
            draw: None,
            parents: parent
                .map(|(from, digest)| Parent {
                    from: from.to_owned(),
                    study: None,
                    digest,
                    model: None,
                    signature: SignatureCheck::None,
                })
                .into_iter()
                .collect(),
        };
        record.write(home).unwrap();
        model
    }

    #[test]
    fn a_model_is_named_where_it_or_what_it_began_with_had_the_patient() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let of = |study: &str| BTreeSet::from([study.parse::<StudyName>().unwrap()]);
        assert!(touched(&home, &of("spines")).unwrap().is_empty(), "no model at all");
        files::create_home(&home.models()).unwrap();
        let spines = keep(&home, "spines", None);
        let knees = keep(&home, "knees", Some(("spines", spines)));
        keep(&home, "ages", Some(("knees", knees)));
        keep(&home, "hands", Some(("a file", Sha256Digest::of(b"of somebody"))));
        fs::write(home.models().join("skulls-local.json"), b"{\"cut").unwrap();
        let told: Vec<(String, How)> = touched(&home, &of("spines"))
            .unwrap()
            .into_iter()
            .map(|one| (one.study.to_string(), one.how))
            .collect();
        let expected = [
            ("ages", How::BeganWith),
            ("knees", How::BeganWith),
            ("skulls", How::Unknown),
            ("spines", How::Trained),
        ];
        assert_eq!(told, expected.map(|(study, how)| (study.to_owned(), how)));
        let told = touched(&home, &of("hands")).unwrap();
        assert_eq!(told.len(), 2, "that one, and the one that nobody can tell of: {told:?}");
    }
}
