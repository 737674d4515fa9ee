//! The model that this site's radiographs alone make by a study's plan: as many rounds of the same training, each from the own
//! model of the round before. The shared model is compared with it, so that a site sees what it has from taking part.
//!
//! It is kept between rounds as `models/STUDY-own-ROUNDS.f32` and never leaves. After a crash it goes on from the last whole round.

use std::path::PathBuf;

use anyhow::{Context, Result};
use snowball_layout::Layout;
use snowball_protocol::{Sha256Digest, StudyName};
use snowball_service::files;

use crate::home::Home;

/// How far the own model of a study is.
pub struct OwnModel {
    folder: PathBuf,
    study: StudyName,
    /// Rounds' worth of training that are in it.
    pub rounds: u32,
}

impl OwnModel {
    /// Looks how far it is.
    pub fn of(home: &Home, study: &StudyName) -> Result<Self> {
        let folder = home.models();
        files::create_home(&folder)?;
        let mut own = Self {
            folder,
            study: study.clone(),
            rounds: 0,
        };
        own.rounds = own.kept()?.into_iter().max().unwrap_or(0);
        Ok(own)
    }

    /// Its bytes, little-endian f32 in the layout's order; none before the first round: it begins with what every site begins with.
    pub fn bytes(&self, layout: &Layout) -> Result<Option<Vec<u8>>> {
        if self.rounds == 0 {
            return Ok(None);
        }
        let path = self.path(self.rounds);
        let limit = usize::try_from(layout.bytes()).unwrap_or(usize::MAX);
        let bytes = files::read_bounded(&path, limit).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Some(bytes))
    }

    /// Keeps it with one round more in it; the one before is removed after that.
    pub fn keep(&mut self, bytes: &[u8]) -> Result<Sha256Digest> {
        let (before, path) = (self.rounds, self.path(self.rounds + 1));
        files::write_private(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        self.rounds += 1;
        if before > 0 {
            let old = self.path(before);
            std::fs::remove_file(&old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
        Ok(Sha256Digest::of(bytes))
    }

    /// How many rounds are in each file of it: two where a crash kept the older one from being removed.
    fn kept(&self) -> Result<Vec<u32>> {
        let prefix = format!("{}-own-", self.study);
        let mut kept = Vec::new();
        for entry in
            std::fs::read_dir(&self.folder).with_context(|| format!("cannot read {}", self.folder.display()))?
        {
            let name = entry?.file_name();
            let rounds: Option<u32> = name
                .to_str()
                .and_then(|name| name.strip_prefix(&prefix)?.strip_suffix(".f32")?.parse().ok());
            kept.extend(rounds);
        }
        Ok(kept)
    }

    fn path(&self, rounds: u32) -> PathBuf {
        self.folder.join(format!("{}-own-{rounds}.f32", self.study))
    }
}

#[cfg(test)]
mod tests {
    use snowball_protocol::StudyPlan;

    use super::*;

    fn plan() -> StudyPlan {
        toml::from_str(include_str!("../../policies/cases/studies/body-parts.toml")).unwrap()
    }

    #[test]
    fn it_begins_with_nothing_of_its_own_and_goes_on_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let (plan, layout) = (plan(), Layout::of(&plan()));
        let mut own = OwnModel::of(&home, &plan.study).unwrap();
        assert_eq!(
            own.bytes(&layout).unwrap(),
            None,
            "the driver begins with the study's first model"
        );
        own.keep(&[1; 8]).unwrap();
        own.keep(&[2; 8]).unwrap();
        let again = OwnModel::of(&home, &plan.study).unwrap();
        assert_eq!((again.rounds, again.bytes(&layout).unwrap()), (2, Some(vec![2; 8])));
        assert!(!own.path(1).exists());
        // A crash between write and removal leaves both.
        std::fs::write(own.path(1), [1; 8]).unwrap();
        assert_eq!(OwnModel::of(&home, &plan.study).unwrap().rounds, 2);
        // Another study whose name begins alike is another study.
        let longer: StudyName = format!("{}-own", plan.study).parse().unwrap();
        assert_eq!(OwnModel::of(&home, &longer).unwrap().rounds, 0);
    }
}
