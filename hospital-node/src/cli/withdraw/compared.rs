//! What comparisons hold of a patient who withdraws: what each network said of each radiograph, and the networks themselves.

use std::{
    fs::{self, File},
    path::PathBuf,
};

use anyhow::{Context as _, Result};
use serde::Serialize;
use snowball_store::Touched;

use crate::comparisons::{Begun, Noted, RUNS};

/// A folder of `compare` whose networks learned from radiographs of the patient or were judged on them.
#[derive(Serialize, PartialEq, Eq, Debug)]
pub struct Compared {
    pub folder: PathBuf,
    /// Whether the folder was there to be looked into: it may have been moved, or its disk is not mounted.
    pub there: bool,
    /// Whether `runs.jsonl` was deleted now: it held what each network said of each radiograph.
    pub outputs_removed: bool,
    /// Networks that were trained for the comparison to begin from, and are still there. What they learned stays learned.
    pub networks: u64,
    /// Whether the report and its figures are still there. They hold sums over all patients.
    pub report: bool,
}

/// Looks through the folders that had to do with any dataset that held the patient. Nothing is deleted but what a comparison wrote,
/// which is known by its first line; with the patient's dataset gone it could not be gone on with.
pub fn forget(noted: &[Noted], touched: &[Touched]) -> Result<Vec<Compared>> {
    let held = |one: &&Noted| {
        one.datasets
            .iter()
            .any(|dataset| touched.iter().any(|touched| touched.digest == *dataset))
    };
    noted.iter().filter(held).map(forget_in).collect()
}

fn forget_in(noted: &Noted) -> Result<Compared> {
    let runs = noted.folder.join(RUNS);
    let begun = Begun::read(&runs).with_context(|| {
        format!(
            "cannot read {}: it may hold what networks said of the patient; mend that, and withdraw again",
            runs.display()
        )
    })?;
    let is_ours = begun.is_some_and(|begun| begun.digest == noted.digest);
    if is_ours {
        fs::remove_file(&runs).with_context(|| format!("cannot delete {}", runs.display()))?;
        File::open(&noted.folder)
            .and_then(|folder| folder.sync_all())
            .with_context(|| format!("cannot sync {}", noted.folder.display()))?;
    }
    let there = |name: &str| noted.folder.join(name).is_file();
    Ok(Compared {
        there: noted.folder.is_dir(),
        outputs_removed: is_ours,
        networks: (0..)
            .take_while(|place| there(&format!("pretrained-{place}.f32")))
            .count() as u64,
        report: there("report.html") || there("figures.json"),
        folder: noted.folder.clone(),
    })
}

impl Compared {
    pub fn text(&self) -> String {
        if !self.there {
            return format!(
                "compare had the patient among its radiographs in {}, which is not there: moved, deleted, or on a disk that is not mounted; \
                 where it still is, delete runs.jsonl in it",
                self.folder.display()
            );
        }
        let outputs = if self.outputs_removed {
            "what each network said of each radiograph (runs.jsonl) is deleted now"
        } else {
            "what each network said of each radiograph (runs.jsonl) is no longer there"
        };
        let mut parts = vec![outputs.to_owned()];
        if self.networks > 0 {
            parts.push(format!(
                "{} network(s) still lie there: what they learned stays learned until they are deleted",
                self.networks
            ));
        }
        if self.report {
            parts.push("the report, which holds sums alone, still lies there".to_owned());
        }
        format!(
            "compare had the patient among its radiographs in {}: {}; copies that were handed on are with whoever got them",
            self.folder.display(),
            parts.join("; ")
        )
    }
}

#[cfg(test)]
mod tests {
    use snowball_protocol::Sha256Digest;

    use super::*;

    #[test]
    fn what_was_said_of_the_patient_goes_and_what_is_somebody_elses_stays() {
        let folder = tempfile::tempdir().unwrap();
        let digest = Sha256Digest::of;
        let head = |of: &[u8]| {
            let begun = Begun {
                format: 1,
                digest: digest(of),
            };
            serde_json::to_string(&begun).unwrap() + "\n{\"arm\":0}\n"
        };
        // With the patient; without; with, but another file now lies under the name; with, and gone since.
        for (name, dataset, runs) in [
            ("with", "spines", Some(head(b"with"))),
            ("without", "hands", Some(head(b"without"))),
            ("written over", "spines", Some(head(b"another"))),
            ("gone", "spines", None),
        ] {
            let place = folder.path().join(name);
            if let Some(runs) = runs {
                fs::create_dir(&place).unwrap();
                fs::write(place.join(RUNS), runs).unwrap();
                fs::write(place.join("report.html"), b"sums").unwrap();
                fs::write(place.join("pretrained-0.f32"), b"weights").unwrap();
            }
            let noted = Noted {
                format: 1,
                folder: place,
                digest: digest(name.as_bytes()),
                datasets: vec![digest(b"what an arm began from"), digest(dataset.as_bytes())],
            };
            noted.write(&crate::home::Home::at(folder.path())).unwrap();
        }
        let noted = Noted::all(&crate::home::Home::at(folder.path())).unwrap();
        let touched = [Touched {
            digest: digest(b"spines"),
            folder: PathBuf::from("spines"),
        }];
        let found = |name: &str, outputs_removed, networks, report| Compared {
            there: name != "gone",
            folder: folder.path().join(name),
            outputs_removed,
            networks,
            report,
        };
        assert_eq!(
            forget(&noted, &touched).unwrap(),
            [
                found("gone", false, 0, false),
                found("with", true, 1, true),
                found("written over", false, 1, true)
            ]
        );
        let left = ["with", "without", "written over"].map(|name| folder.path().join(name).join(RUNS).exists());
        assert_eq!(left, [false, true, true]);
        // Asked again it names the same folders.
        let again = forget(&noted, &touched).unwrap();
        assert_eq!(again[1], found("with", false, 1, true));
        assert!(again[1].text().contains("no longer there") && again[1].text().contains("1 network(s)"));
        assert!(again[0].text().contains("not mounted"));
        assert_eq!(forget(&noted, &[]).unwrap(), []);
        // A file that cannot be read is not gone.
        let unreadable = folder.path().join("with").join(RUNS);
        fs::create_dir(&unreadable).unwrap();
        assert!(
            forget(&noted, &touched)
                .unwrap_err()
                .to_string()
                .contains("withdraw again")
        );
    }
}
