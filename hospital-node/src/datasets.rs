//! The frozen dataset of a study: chosen from the store by the plan, split by patient, counted for the policy.

use std::path::PathBuf;

use anyhow::{Context, Result};
use snowball_ledger::Entry;
use snowball_policy::DatasetFacts;
use snowball_protocol::{StudyPlan, plan::HeadKind};
use snowball_store::{Cell, FreezeRequest, Frozen, Store};
use snowball_worker::key::DatasetSource;

use crate::{home::Home, policy};

/// A dataset on disk and what the policy wants to know of it.
pub struct StudyDataset {
    pub frozen: Frozen,
    pub facts: DatasetFacts,
    /// What the trainer needs to read it.
    pub source: DatasetSource,
    /// Whether it is what the study learns from, and not all that its model is asked about.
    is_learned_from: bool,
}

/// Freezes the dataset of `plan`. Classes smaller than the policy's smallest cell are left out; without a policy in force
/// nothing is left out, and nothing may be done with it either.
pub fn freeze(home: &Home, store: &Store, plan: &StudyPlan) -> Result<StudyDataset> {
    let cell_min = policy::in_force(home).map_or(0, |signed| signed.policy.cell_min());
    freeze_with(home, store, plan, cell_min)
}

/// Freezes every radiograph of the site, labelled or not and without labels, prepared as `plan` says: for what is only asked of a model.
pub fn freeze_whole(home: &Home, store: &Store, plan: &StudyPlan) -> Result<StudyDataset> {
    let folder = home.whole_dataset(&plan.study);
    let unlabelled = StudyPlan {
        heads: Vec::new(),
        ..plan.clone()
    };
    Ok(StudyDataset {
        is_learned_from: false,
        ..freeze_in(folder, store, &unlabelled, 0)?
    })
}

/// As [`freeze`], without classes of fewer than `cell_min` radiographs.
pub fn freeze_with(home: &Home, store: &Store, plan: &StudyPlan, cell_min: u64) -> Result<StudyDataset> {
    freeze_in(home.dataset(&plan.study), store, plan, cell_min)
}

fn freeze_in(folder: PathBuf, store: &Store, plan: &StudyPlan, cell_min: u64) -> Result<StudyDataset> {
    if let Some(parent) = folder.parent() {
        snowball_service::files::create_home(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    let request = FreezeRequest {
        folder,
        side: plan.network.input_side,
        preprocessing: plan.preprocessing,
        heads: &plan.heads,
        cell_min,
    };
    let frozen = store.freeze(&request).context("cannot freeze the dataset")?;
    let facts = DatasetFacts {
        training_patients: frozen.training.patients,
        training_images: frozen.training.radiographs,
        class_cells_min: smallest_class(&frozen, plan),
    };
    let source = store.source(&frozen.folder).context("cannot open the dataset's key")?;
    Ok(StudyDataset {
        frozen,
        facts,
        source,
        is_learned_from: true,
    })
}

/// Training radiographs in the smallest class that a head of the plan is trained on.
fn smallest_class(frozen: &Frozen, plan: &StudyPlan) -> u64 {
    let mut smallest = frozen.training.radiographs;
    for head in &plan.heads {
        let (HeadKind::Classes(classes), Some(table)) = (&head.kind, frozen.cells.get(&head.label)) else {
            continue;
        };
        for cell in table
            .iter()
            .filter(|(class, _)| classes.contains(class))
            .map(|(_, cell)| cell)
        {
            smallest = smallest.min(match cell {
                Cell::Counted { radiographs, .. } => *radiographs,
                Cell::Hidden { .. } => 0,
            });
        }
    }
    smallest
}

impl StudyDataset {
    /// The ledger's entry for this dataset.
    pub fn entry(&self, plan: &StudyPlan) -> Entry {
        let (study, dataset_digest) = (plan.study.clone(), self.frozen.digest);
        let [training, validation, testing] =
            [self.frozen.training, self.frozen.validation, self.frozen.testing].map(|part| part.radiographs);
        if self.is_learned_from {
            Entry::DatasetFrozen {
                study,
                dataset_digest,
                training,
                validation,
                testing,
            }
        } else {
            Entry::DatasetPrepared {
                study,
                dataset_digest,
                radiographs: training + validation + testing,
            }
        }
    }
}
