//! What updates left over, on disk: sealed, for the next update.
//!
//! A study has up to two files. `STUDY.settled` is what the last update that the aggregator counted left over; it is added to the next
//! update. `STUDY.proposed` is what would stay if the update that is under way counted. It is durable before that update's record, and
//! takes the place of the settled one by one rename when the receipt for that very update is kept in the ledger. So at every moment, and
//! after a crash at any point, the settled residual is that of exactly the updates that counted:
//!
//! - refused, not permitted, never sent: the proposed one is dropped and the settled one goes with the next update, neither lost nor
//!   doubled; the training of that round is lost, as that of any update that does not count;
//! - sent and the answer lost: the fate is asked for, by announcing the same update again, before another one is encoded;
//! - trained anew for the same round after a crash: the new proposal replaces the old one, which no record names.
//!
//! What cannot be opened (another key, a changed bit, another plan) is as if it were not there: that costs exactness and nothing else.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use snowball_crypto::{SEAL_BYTES, SealingKey};
use snowball_protocol::{RoundNumber, Sha256Digest, StudyName, StudyPlan};
use snowball_service::files;

use crate::error::EgressError;

const CONTEXT: &[u8] = b"snowball residual v1\0";
/// Numbers that are sealed at a time.
const PIECE: usize = 256 * 1024;
const WIDTH: usize = size_of::<f32>();
/// Round, digest of the update, count of the numbers.
const TAG_BYTES: usize = 4 + 32 + 8;
const SETTLED: &str = "settled";
const PROPOSED: &str = "proposed";

/// The folder of what updates left over.
pub struct Residuals {
    folder: PathBuf,
    key: SealingKey,
}

/// Which update left it over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Tag {
    round: RoundNumber,
    update: Sha256Digest,
    numbers: u64,
}

impl Residuals {
    /// Opens or makes the folder, whose files `key` seals.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn open(folder: &Path, key: SealingKey) -> Result<Self, EgressError> {
        files::create_home(folder).map_err(at(folder))?;
        Ok(Self {
            folder: folder.to_owned(),
            key,
        })
    }

    /// Keeps what would stay if the update with this digest counted.
    pub(crate) fn propose(
        &self,
        plan: &StudyPlan,
        round: RoundNumber,
        update: Sha256Digest,
        residual: &[f32],
    ) -> Result<(), EgressError> {
        let path = self.path(&plan.study, PROPOSED);
        let tag = Tag {
            round,
            update,
            numbers: residual.len() as u64,
        };
        let written = files::write_private_with(&path, |file| {
            file.write_all(&self.seal(plan, None, 0, &tag.bytes())?)?;
            for (place, piece) in residual.chunks(PIECE).enumerate() {
                let bytes: Vec<u8> = piece.iter().flat_map(|number| number.to_le_bytes()).collect();
                file.write_all(&self.seal(plan, Some(&tag), place, &bytes)?)?;
            }
            Ok(())
        });
        written.map_err(at(&path))
    }

    /// The update with this digest counts: what it left over is what stands. Saying so again changes nothing.
    pub(crate) fn settle(&self, plan: &StudyPlan, update: Sha256Digest) -> Result<(), EgressError> {
        let path = self.path(&plan.study, PROPOSED);
        match self.tag(plan, PROPOSED)? {
            Some((tag, _)) if tag.update == update => {
                files::move_durable(&path, &self.path(&plan.study, SETTLED)).map_err(at(&path))
            }
            _ => Ok(()),
        }
    }

    /// The update with this digest does not count: what it would have left over goes.
    pub(crate) fn reject(&self, plan: &StudyPlan, update: Sha256Digest) -> Result<(), EgressError> {
        match self.tag(plan, PROPOSED)? {
            Some((tag, _)) if tag.update == update => remove(&self.path(&plan.study, PROPOSED)),
            _ => Ok(()),
        }
    }

    /// The update whose fate is not known: the round that it was trained for, and its digest. It may wait to count in a later round.
    pub(crate) fn in_doubt(&self, plan: &StudyPlan) -> Result<Option<(RoundNumber, Sha256Digest)>, EgressError> {
        Ok(self.tag(plan, PROPOSED)?.map(|(tag, _)| (tag.round, tag.update)))
    }

    /// What the updates that counted left over, where it has `numbers` numbers.
    pub(crate) fn settled(&self, plan: &StudyPlan, numbers: usize) -> Result<Option<Vec<f32>>, EgressError> {
        let path = self.path(&plan.study, SETTLED);
        let Some((tag, mut file)) = self.tag(plan, SETTLED)? else {
            return Ok(None);
        };
        if tag.numbers != numbers as u64 {
            return Ok(None);
        }
        let mut residual = Vec::with_capacity(numbers);
        for place in 0..numbers.div_ceil(PIECE) {
            let count = PIECE.min(numbers - place * PIECE);
            let Some(bytes) = self
                .open_piece(&mut file, plan, Some(&tag), place, count * WIDTH)
                .map_err(at(&path))?
            else {
                return Ok(None);
            };
            let words = bytes.as_chunks::<WIDTH>().0;
            residual.extend(words.iter().map(|word| f32::from_le_bytes(*word)));
        }
        Ok(Some(residual))
    }

    /// Forgets all of a study, as when a patient whose radiographs are in it withdraws.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn forget(&self, study: &StudyName) -> Result<(), EgressError> {
        remove(&self.path(study, PROPOSED))?;
        remove(&self.path(study, SETTLED))
    }

    /// Of which update the file is, and the file behind that.
    fn tag(&self, plan: &StudyPlan, name: &str) -> Result<Option<(Tag, File)>, EgressError> {
        let path = self.path(&plan.study, name);
        let mut file = match File::open(&path) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(at(&path))?,
        };
        let piece = self
            .open_piece(&mut file, plan, None, 0, TAG_BYTES)
            .map_err(at(&path))?;
        let tag = piece.and_then(|bytes| Tag::read(&bytes));
        if tag.is_none() {
            tracing::warn!(path = %path.display(), "what an update left over cannot be opened and is let go");
        }
        Ok(tag.map(|tag| (tag, file)))
    }

    fn seal(&self, plan: &StudyPlan, tag: Option<&Tag>, place: usize, content: &[u8]) -> io::Result<Vec<u8>> {
        let sealed = self.key.seal(&additional(plan, tag, place), content);
        sealed.map_err(io::Error::other)
    }

    /// The next piece, which holds so many bytes; none where it does not open.
    fn open_piece(
        &self,
        file: &mut File,
        plan: &StudyPlan,
        tag: Option<&Tag>,
        place: usize,
        bytes: usize,
    ) -> io::Result<Option<Vec<u8>>> {
        let mut sealed = vec![0; bytes + SEAL_BYTES];
        match file.read_exact(&mut sealed) {
            Err(fault) if fault.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        Ok(self.key.open(&additional(plan, tag, place), sealed).ok())
    }

    fn path(&self, study: &StudyName, name: &str) -> PathBuf {
        self.folder.join(format!("{study}.{name}"))
    }
}

impl Tag {
    fn bytes(&self) -> Vec<u8> {
        [
            &self.round.0.to_le_bytes()[..],
            self.update.as_bytes(),
            &self.numbers.to_le_bytes(),
        ]
        .concat()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (round, rest) = bytes.split_first_chunk::<4>()?;
        let (update, rest) = rest.split_first_chunk::<32>()?;
        Some(Self {
            round: RoundNumber(u32::from_le_bytes(*round)),
            update: Sha256Digest::from_bytes(*update),
            numbers: u64::from_le_bytes(rest.try_into().ok()?),
        })
    }
}

/// What a piece is tied to: the plan, the update, and its place.
fn additional(plan: &StudyPlan, tag: Option<&Tag>, place: usize) -> Vec<u8> {
    let tag = tag.map(Tag::bytes).unwrap_or_default();
    [
        CONTEXT,
        plan.digest().as_bytes(),
        &tag[..],
        &(place as u64).to_le_bytes()[..],
    ]
    .concat()
}

fn remove(path: &Path) -> Result<(), EgressError> {
    match std::fs::remove_file(path) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(at(path)(fault)),
        _ => Ok(()),
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> EgressError {
    let path = path.to_owned();
    move |source| EgressError::Outbox {
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::testing::plan;

    const NUMBERS: usize = PIECE + 3;

    fn open(folder: &Path, key: u8) -> Residuals {
        Residuals::open(folder, SealingKey::new(&[key; 32])).unwrap()
    }

    fn residual(start: f32) -> Vec<f32> {
        (0..NUMBERS).map(|place| start + place as f32).collect()
    }

    #[test]
    fn what_an_update_left_over_stands_when_that_very_update_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (residuals, plan) = (open(folder.path(), 7), plan());
        let (first, second) = (Sha256Digest::of(b"first"), Sha256Digest::of(b"second"));
        let standing = || open(folder.path(), 7).settled(&plan, NUMBERS).unwrap();
        assert_eq!(standing(), None);

        residuals.propose(&plan, RoundNumber(1), first, &residual(0.5)).unwrap();
        assert_eq!(standing(), None, "nobody has said that it counts");
        assert_eq!(residuals.in_doubt(&plan).unwrap(), Some((RoundNumber(1), first)));
        residuals.settle(&plan, second).unwrap();
        assert_eq!(standing(), None, "another update of the round counts");
        residuals.settle(&plan, first).unwrap();
        assert_eq!(
            (standing(), residuals.in_doubt(&plan).unwrap()),
            (Some(residual(0.5)), None)
        );

        residuals
            .propose(&plan, RoundNumber(2), second, &residual(9.0))
            .unwrap();
        residuals.settle(&plan, first).unwrap();
        assert_eq!(standing(), Some(residual(0.5)), "saying it again changes nothing");
        residuals.reject(&plan, first).unwrap();
        assert_eq!(
            residuals.in_doubt(&plan).unwrap(),
            Some((RoundNumber(2), second)),
            "that of another update stays"
        );
        residuals.reject(&plan, second).unwrap();
        residuals.settle(&plan, second).unwrap();
        assert_eq!(standing(), Some(residual(0.5)), "what was refused changes nothing");

        residuals.forget(&plan.study).unwrap();
        assert_eq!(standing(), None);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn it_lies_sealed_and_private_and_what_was_changed_or_is_of_another_plan_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let (residuals, plan) = (open(folder.path(), 7), plan());
        let (round, digest) = (RoundNumber(1), Sha256Digest::of(b"update"));
        residuals.propose(&plan, round, digest, &vec![1.0; NUMBERS]).unwrap();
        residuals.settle(&plan, digest).unwrap();
        let path = residuals.path(&plan.study, SETTLED);
        let sealed = std::fs::read(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(
            !sealed
                .windows(8)
                .any(|window| window == [0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x3f])
        );

        let other = {
            let mut other = plan.clone();
            other.seed += 1;
            other
        };
        assert_eq!(residuals.settled(&other, NUMBERS).unwrap(), None);
        assert_eq!(residuals.settled(&plan, NUMBERS - 1).unwrap(), None);
        assert_eq!(open(folder.path(), 8).settled(&plan, NUMBERS).unwrap(), None);
        for place in [3, TAG_BYTES + SEAL_BYTES + 20, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            assert_eq!(residuals.settled(&plan, NUMBERS).unwrap(), None, "{place}");
        }
        std::fs::write(&path, &sealed[..sealed.len() - 1]).unwrap();
        assert_eq!(residuals.settled(&plan, NUMBERS).unwrap(), None);
        std::fs::write(&path, &sealed).unwrap();
        assert_eq!(residuals.settled(&plan, NUMBERS).unwrap(), Some(vec![1.0; NUMBERS]));
    }
}
