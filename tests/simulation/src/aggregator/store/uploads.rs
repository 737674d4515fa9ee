//! Updates on their way: announced, uploaded in pieces, then admitted, refused or superseded.

use snowball_protocol::{
    Problem, ProblemCode, SiteName,
    ids::{UnixSeconds, UploadId},
    receipt::SignedReceipt,
    update::UpdateHeader,
};
use snowball_rounds::AdmittedUpdate;

use super::{Broken, Change, Store, Upload, UploadPhase};
use crate::{fact::Fact, planted::Planted, study::Study};

impl Store {
    /// Begins an upload; a newer try supersedes the unfinished one before it.
    ///
    /// # Errors
    /// When the site has contributed, has begun a newer try, or the power goes.
    pub fn begin_upload(
        &mut self,
        study: &Study,
        site: &SiteName,
        header: &UpdateHeader,
        now: UnixSeconds,
    ) -> Result<Upload, Broken> {
        self.begin(study, now)?;
        let round = header.round;
        for upload in self
            .uploads
            .values_mut()
            .filter(|upload| upload.site == *site && upload.header.round == round)
        {
            match upload.phase {
                UploadPhase::Admitted(_) => {
                    let reason = format!("{site} has already contributed to round {round}");
                    return Err(Problem::new(ProblemCode::AlreadyContributed, reason).into());
                }
                _ if upload.header.attempt > header.attempt => {
                    return Err(Problem::new(ProblemCode::RoundClosed, "a newer try was announced").into());
                }
                UploadPhase::Uploading => upload.phase = UploadPhase::Superseded,
                _ => {}
            }
        }
        let upload = Upload {
            id: UploadId(format!("{round}-{site}-{}", header.attempt.0)),
            site: site.clone(),
            header: header.clone(),
            offset: 0,
            phase: UploadPhase::Uploading,
        };
        self.uploads
            .insert((round, site.clone(), header.attempt), upload.clone());
        Ok(upload)
    }

    /// Writes bytes behind the acknowledged ones; what lay beyond was never acknowledged.
    ///
    /// # Errors
    /// When the power goes.
    pub fn append_file(&mut self, upload: &Upload, bytes: &[u8]) -> Result<(), Broken> {
        self.power.write()?;
        let file = self.files.entry(upload.id.0.clone()).or_default();
        file.truncate(usize::try_from(upload.offset).unwrap_or(usize::MAX));
        file.extend(bytes);
        Ok(())
    }

    /// Acknowledges the bytes of an upload up to `to`.
    ///
    /// # Errors
    /// When it does not stand at `from`, takes no more bytes, or the power goes.
    pub fn advance_upload(
        &mut self,
        study: &Study,
        id: &UploadId,
        from: u64,
        to: u64,
        now: UnixSeconds,
    ) -> Result<(), Broken> {
        self.begin(study, now)?;
        let upload = self.expect_uploading(id)?;
        if upload.offset != from {
            return Err(Problem::new(ProblemCode::OffsetMismatch, "the upload stands elsewhere").into());
        }
        upload.offset = to;
        Ok(())
    }

    /// Counts an update: its state, its receipt and the phase, all or nothing.
    ///
    /// # Errors
    /// When the study has moved, the upload is not whole or was decided, its site is revoked, or the power goes.
    pub fn admit_update(
        &mut self,
        study: &Study,
        id: &UploadId,
        version: u64,
        change: Change<'_>,
        admitted: (&AdmittedUpdate, &SignedReceipt),
        now: UnixSeconds,
    ) -> Result<u64, Broken> {
        self.begin(study, now)?;
        self.expect_version(version)?;
        if self.planted != Some(Planted::ChecksRevocationTooEarly) {
            self.expect_good_standing(admitted.0.site())?;
        }
        let before = (self.phase.clone(), self.version);
        let upload = self.expect_uploading(id)?;
        if upload.offset != upload.header.bytes {
            return Err(Problem::new(ProblemCode::DigestMismatch, "the update is not whole").into());
        }
        let was = upload.clone();
        upload.phase = UploadPhase::Admitted(Box::new((admitted.0.clone(), admitted.1.clone())));
        self.facts.push(Fact::Admitted {
            site: admitted.0.site().clone(),
            round: admitted.0.round(),
            attempt: admitted.0.attempt(),
        });
        let version = self.advance(change, now);
        self.forgotten = Some(Box::new((before.0, before.1, was)));
        Ok(version)
    }

    /// Turns an update down.
    ///
    /// # Errors
    /// When it was decided otherwise, or the power goes.
    pub fn refuse_update(
        &mut self,
        study: &Study,
        id: &UploadId,
        problem: &Problem,
        now: UnixSeconds,
    ) -> Result<(), Broken> {
        self.begin(study, now)?;
        self.expect_uploading(id)?.phase = UploadPhase::Refused(problem.clone());
        Ok(())
    }

    fn expect_uploading(&mut self, id: &UploadId) -> Result<&mut Upload, Broken> {
        let missing = || Problem::new(ProblemCode::NotFound, "there is no such upload");
        let upload = self
            .uploads
            .values_mut()
            .find(|upload| upload.id == *id)
            .ok_or_else(missing)?;
        match &upload.phase {
            UploadPhase::Uploading => Ok(upload),
            UploadPhase::Refused(problem) => Err(problem.clone().into()),
            UploadPhase::Superseded => Err(Problem::new(ProblemCode::RoundClosed, "a newer try was announced").into()),
            UploadPhase::Admitted(_) => {
                Err(Problem::new(ProblemCode::AlreadyContributed, "this update counts already").into())
            }
        }
    }
}
