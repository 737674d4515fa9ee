//! What this site keeps for itself from round to round: parameters (`local.keep` of a plan) and, under SCAFFOLD, its control variate. They
//! never leave.
//!
//! A study has two files at most, each whole or absent, 0600. `pending` belongs to an update that was trained and of which the
//! site has no receipt yet, `settled` to the last one that it has a receipt for: a rename makes the one the other. A round is
//! trained from `settled`, so a training that a crash cut off, or whose update never counted, leaves no trace in the next.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use snowball_layout::Layout;
use snowball_protocol::{RoundNumber, Sha256Digest, StudyName, StudyPlan, digest::RunningDigest, plan::canonical_json};
use snowball_service::files;

use crate::home::Home;

/// Longest first line of a file.
const HEAD_BYTES_MAX: usize = 1024;
/// Numbers that are hashed at a time.
const BLOCK: usize = 16 * 1024;

/// What one study keeps at this site.
pub struct KeptParameters {
    folder: PathBuf,
    plan_digest: Sha256Digest,
    /// That stay here.
    parameters: usize,
    /// Numbers of the control variate, which follow them.
    control: usize,
}

/// What the last update that counted left at the site.
#[derive(Clone, PartialEq, Debug)]
pub struct Settled {
    /// The round that it was trained for.
    pub round: RoundNumber,
    /// In the order of [`Kept::values`](snowball_layout::Kept::values).
    pub parameters: Vec<f32>,
    /// The site's control variate, in the layout's order; empty without SCAFFOLD.
    pub control: Vec<f32>,
}

/// To which update kept parameters belong: the first line of a file. Little-endian f32 follow.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Belongs {
    plan_digest: Sha256Digest,
    pub round: RoundNumber,
    pub model_in: Sha256Digest,
    values_digest: Sha256Digest,
}

impl KeptParameters {
    /// Those of `plan`, whose layout it is. Touches no file.
    pub fn of(home: &Home, plan: &StudyPlan, layout: &Layout) -> Self {
        Self {
            folder: home.kept_parameters_of(&plan.study),
            plan_digest: plan.digest(),
            parameters: layout.kept(plan).parameters(),
            control: if plan.is_scaffold() { layout.parameters() } else { 0 },
        }
    }

    /// Whether the plan leaves nothing here.
    pub const fn is_empty(&self) -> bool {
        self.numbers() == 0
    }

    const fn numbers(&self) -> usize {
        self.parameters + self.control
    }

    /// What the last update that counted left here; nothing before the first.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn settled(&self) -> Result<Option<Settled>> {
        let split = |(belongs, mut parameters): (Belongs, Vec<f32>)| Settled {
            round: belongs.round,
            control: parameters.split_off(self.parameters),
            parameters,
        };
        Ok(self.read(&self.path("settled"))?.map(split))
    }

    /// To which update the pending parameters belong, if there are any.
    ///
    /// # Errors
    /// As [`settled`](Self::settled).
    pub fn pending(&self) -> Result<Option<Belongs>> {
        Ok(self.read(&self.path("pending"))?.map(|(belongs, _)| belongs))
    }

    /// Keeps what a training gave, before anything is said of its update. Durable when it returns.
    ///
    /// # Errors
    /// When the disk refuses; then the round is trained again.
    pub fn keep(&self, round: RoundNumber, model_in: Sha256Digest, parameters: &[f32], control: &[f32]) -> Result<()> {
        ensure!(
            (parameters.len(), control.len()) == (self.parameters, self.control),
            "what a training left here does not fit the plan; report this"
        );
        let path = self.path("pending");
        files::create_home(&self.folder).with_context(|| format!("cannot make {}", self.folder.display()))?;
        let blocks = || {
            parameters
                .chunks(BLOCK)
                .chain(control.chunks(BLOCK))
                .map(snowball_layout::to_le_bytes)
        };
        let mut digest = RunningDigest::default();
        blocks().for_each(|block| digest.update(&block));
        let mut content = canonical_json(&Belongs {
            plan_digest: self.plan_digest,
            round,
            model_in,
            values_digest: digest.finish(),
        });
        content.reserve_exact(1 + self.numbers() * size_of::<f32>());
        content.push(b'\n');
        blocks().for_each(|block| content.extend(block));
        files::write_private(&path, &content).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The update that was trained from this model counts, in whatever round; a site's counts once from each model: what was kept for it is what the next round begins with. Nothing happens
    /// where the pending parameters belong to another one.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn settle(&self, model_in: &Sha256Digest) -> Result<()> {
        let is_this = |belongs: &Belongs| belongs.model_in == *model_in;
        if !self.pending()?.as_ref().is_some_and(is_this) {
            return Ok(());
        }
        files::move_durable(&self.path("pending"), &self.path("settled"))
            .with_context(|| format!("cannot settle what is kept in {}", self.folder.display()))
    }

    /// Forgets the pending parameters: their update never counts.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn drop_pending(&self) -> Result<()> {
        let path = self.path("pending");
        absent(std::fs::remove_file(&path)).with_context(|| format!("cannot remove {}", path.display()))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn read(&self, path: &Path) -> Result<Option<(Belongs, Vec<f32>)>> {
        if !path.exists() {
            return Ok(None);
        }
        let limit = HEAD_BYTES_MAX + self.numbers() * size_of::<f32>();
        let content = files::read_bounded(path, limit).with_context(|| format!("cannot read {}", path.display()))?;
        match parse(&content) {
            // Another study that had the same name.
            Some((belongs, _)) if belongs.plan_digest != self.plan_digest => Ok(None),
            Some((belongs, values)) if values.len() == self.numbers() => Ok(Some((belongs, values))),
            _ => bail!(
                "{} is damaged; remove it, then this site begins anew with what all sites began with",
                path.display()
            ),
        }
    }
}

/// Removes what this site kept of a study; gives whether there was anything.
///
/// # Errors
/// When the disk refuses.
pub fn forget(home: &Home, study: &StudyName) -> Result<bool> {
    let folder = home.kept_parameters_of(study);
    ensure!(
        folder.starts_with(home.kept_parameters()),
        "a study's name leads out of its folder"
    );
    let is_there = folder.exists();
    absent(std::fs::remove_dir_all(&folder)).with_context(|| format!("cannot remove {}", folder.display()))?;
    Ok(is_there)
}

fn parse(content: &[u8]) -> Option<(Belongs, Vec<f32>)> {
    let end = content.iter().take(HEAD_BYTES_MAX).position(|byte| *byte == b'\n')?;
    let (head, numbers) = (&content[..end], &content[end + 1..]);
    let belongs: Belongs = serde_json::from_slice(head).ok()?;
    (Sha256Digest::of(numbers) == belongs.values_digest)
        .then(|| snowball_layout::from_le_bytes(numbers))
        .flatten()
        .map(|values| (belongs, values))
}

fn absent(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use snowball_protocol::plan::{Drift, KeptRole, OptimiserRule};

    use super::*;

    fn plan() -> StudyPlan {
        let text = include_str!("../../policies/cases/studies/body-parts.toml");
        let mut plan: StudyPlan = toml::from_str(text).unwrap();
        plan.local.keep = vec![KeptRole::Normalisation];
        plan
    }

    fn own(home: &Home, plan: &StudyPlan) -> KeptParameters {
        KeptParameters::of(home, plan, &Layout::of(plan))
    }

    fn settled(own: &KeptParameters) -> Option<Vec<f32>> {
        own.settled().unwrap().map(|settled| settled.parameters)
    }

    #[test]
    fn only_what_belongs_to_an_update_that_counted_is_begun_with() {
        let folder = tempfile::tempdir().unwrap();
        let (home, plan) = (Home::at(folder.path()), plan());
        let own = own(&home, &plan);
        let values = |value: f32| vec![value; own.parameters];
        assert_eq!((own.settled().unwrap(), own.pending().unwrap()), (None, None));
        let updates = ["first", "second", "third"].map(|update| Sha256Digest::of(update.as_bytes()));

        own.keep(RoundNumber(1), updates[0], &values(1.0), &[]).unwrap();
        assert_eq!(own.settled().unwrap(), None, "a training alone settles nothing");
        own.settle(&updates[0]).unwrap();
        assert_eq!(settled(&own), Some(values(1.0)));
        assert_eq!(own.pending().unwrap(), None);
        own.settle(&updates[0]).unwrap();

        // The second update is refused.
        own.keep(RoundNumber(2), updates[1], &values(2.0), &[]).unwrap();
        own.settle(&updates[0]).unwrap();
        let belongs = own.pending().unwrap().unwrap();
        assert_eq!((belongs.round, belongs.model_in), (RoundNumber(2), updates[1]));
        own.drop_pending().unwrap();
        own.drop_pending().unwrap();
        own.settle(&updates[1]).unwrap();
        assert_eq!(settled(&own), Some(values(1.0)));

        // The third is trained twice, since a crash came after the first time.
        own.keep(RoundNumber(3), updates[1], &values(8.0), &[]).unwrap();
        own.keep(RoundNumber(3), updates[2], &values(3.0), &[]).unwrap();
        own.settle(&updates[2]).unwrap();
        assert_eq!(settled(&own), Some(values(3.0)));
        let mode = fs::metadata(own.path("settled")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        assert!(forget(&home, &plan.study).unwrap());
        assert!(!forget(&home, &plan.study).unwrap());
        assert_eq!(own.settled().unwrap(), None);
    }

    /// A kill at any point of a write leaves the old file, or the new one, and beside it at most a part of a file by another name.
    #[test]
    fn a_write_that_was_cut_off_is_not_read_and_a_damaged_file_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let (home, plan) = (Home::at(folder.path()), plan());
        let own = own(&home, &plan);
        let (update, values) = (Sha256Digest::of(b"update"), vec![1.5; own.parameters]);
        own.keep(RoundNumber(1), update, &values, &[]).unwrap();
        own.settle(&update).unwrap();
        let whole = fs::read(own.path("settled")).unwrap();
        fs::write(own.path("pending.partial"), &whole[..whole.len() / 2]).unwrap();
        assert_eq!((settled(&own), own.pending().unwrap()), (Some(values.clone()), None));
        own.keep(RoundNumber(2), update, &values, &[]).unwrap();
        own.settle(&update).unwrap();
        assert_eq!(settled(&own), Some(values));

        for content in [&whole[..whole.len() - 4], &whole[..10], b""] {
            fs::write(own.path("settled"), content).unwrap();
            let fault = own.settled().unwrap_err().to_string();
            assert!(fault.contains("remove it"), "{fault}");
        }
    }

    #[test]
    fn a_later_study_of_the_same_name_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (home, plan) = (Home::at(folder.path()), plan());
        let update = Sha256Digest::of(b"update");
        let first = own(&home, &plan);
        first
            .keep(RoundNumber(1), update, &vec![1.0; first.parameters], &[])
            .unwrap();
        first.settle(&update).unwrap();
        let mut other = plan;
        other.seed += 1;
        assert_eq!(own(&home, &other).settled().unwrap(), None);
        assert!(first.settled().unwrap().is_some());
    }

    /// One file holds both, so that no crash can part them.
    #[test]
    fn a_control_variate_settles_together_with_the_parameters_and_says_of_which_round_it_is() {
        let mut plan = plan();
        plan.local.drift = Some(Drift::Scaffold);
        plan.optimiser.rule = OptimiserRule::Sgd { momentum: 0.0 };
        assert_eq!(plan.faults(), []);
        for keep in [vec![KeptRole::Normalisation], Vec::new()] {
            plan.local.keep = keep;
            let folder = tempfile::tempdir().unwrap();
            let home = Home::at(folder.path());
            let (own, update) = (own(&home, &plan), Sha256Digest::of(b"update"));
            let expected = Settled {
                round: RoundNumber(4),
                parameters: vec![1.0; own.parameters],
                control: vec![-2.0; Layout::of(&plan).parameters()],
            };
            assert!(own.keep(RoundNumber(4), update, &expected.parameters, &[]).is_err());
            own.keep(RoundNumber(4), update, &expected.parameters, &expected.control)
                .unwrap();
            assert_eq!(own.settled().unwrap(), None, "no receipt yet");
            own.settle(&update).unwrap();
            assert_eq!(own.settled().unwrap(), Some(expected));
            let mode = fs::metadata(own.path("settled")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        plan.local.drift = None;
        assert!(own(&Home::at(Path::new("home")), &plan).is_empty());
    }
}
