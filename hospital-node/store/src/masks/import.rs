//! Many masks with few commits.

use snowball_crypto::Pseudonym;

use super::{Mask, MaskKept};
use crate::{Store, StoreError};

/// Keeps many masks of one name.
///
/// An answer is durable once [`flush`](Self::flush) returned, or some hundred masks or two seconds later. A mask that was replaced
/// is overwritten after that: whatever ends the process, the old one or the new one is there. Done again, the same masks are
/// [`MaskKept::Same`]. Only one mask is in memory at a time.
pub struct MaskImporter<'a> {
    store: &'a Store,
    name: &'a str,
}

impl Store {
    /// A writer for many masks called `name`, which commits as it goes.
    #[must_use]
    pub const fn mask_importer<'a>(&'a self, name: &'a str) -> MaskImporter<'a> {
        MaskImporter { store: self, name }
    }
}

impl MaskImporter<'_> {
    /// As [`Store::keep_mask`].
    ///
    /// # Errors
    /// When a label has that name already or the disk refuses; then everything since the last commit is undone, and the import
    /// should end.
    pub fn keep(&self, radiograph: &Pseudonym, mask: &Mask) -> Result<MaskKept, StoreError> {
        let mut writer = self.store.lock();
        let kept = writer.change(&self.store.packs, |connection, tail| {
            self.store.put_mask(connection, tail, radiograph, self.name, mask)
        })?;
        let is_due = writer.is_due();
        drop(writer);
        if is_due {
            self.flush()?;
        }
        Ok(kept)
    }

    /// As [`Store::weigh_mask`]: what [`keep`](Self::keep) would answer.
    ///
    /// # Errors
    /// As [`keep`](Self::keep); nothing is changed or undone.
    pub fn weigh(&self, radiograph: &Pseudonym, mask: &Mask) -> Result<MaskKept, StoreError> {
        self.store.weigh_mask(radiograph, self.name, mask)
    }

    /// Makes every answer given so far durable, and overwrites what was replaced.
    ///
    /// # Errors
    /// When the disk refuses; then everything since the last commit is undone.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.store.lock().commit(&self.store.packs)?;
        self.store.finish_erasures()
    }
}

impl Drop for MaskImporter<'_> {
    fn drop(&mut self) {
        // Nobody was told that these are durable; without this they would only be done again.
        let _ = self.flush();
    }
}
