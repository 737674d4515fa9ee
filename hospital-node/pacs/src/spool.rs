//! Objects as they came, on disk, between their arrival and their intake.
//!
//! An object is written under `NAME.partial`, synced, renamed to `NAME.dcm`, and the folder is synced: only then may the sender be
//! told that it arrived. Names are 32 random or keyed bytes in hex; nothing that a peer says becomes a path. The folder holds
//! raw identifiable objects: its owner alone may enter, and an object goes away as soon as its intake is durable.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, BufWriter, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use ring::rand::{SecureRandom, SystemRandom};

use crate::{
    PacsError,
    classes::{IMPLEMENTATION, is_uid},
};

const WHOLE: &str = "dcm";
const PARTIAL: &str = "partial";
const LOCK: &str = "lock";
/// How often the free space is asked for while one object is written.
const LOOK_BYTES: u64 = 16 << 20;

/// The name of an object in the spool, by which its intake knows it too.
pub type Name = [u8; 32];

/// The folder, held by this process alone, or by one that works with this one.
pub struct Spool {
    folder: PathBuf,
    free_bytes_min: u64,
    _lock: Option<File>,
}

/// What a search of a spool came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Searched {
    /// Objects that are gone.
    pub removed: u64,
    /// Objects of which nobody could tell whose they are; the intake judges them.
    pub untied: u64,
}

/// An object that waits for its intake.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Spooled {
    /// Its name.
    pub name: Name,
    /// Where it lies.
    pub path: PathBuf,
}

impl Spool {
    /// Opens the spool in `folder`, making it where there is none, and removes what a crash left half-written: nobody was told
    /// that it arrived. Below `free_bytes_min` free bytes on its disk nothing more is taken.
    ///
    /// # Errors
    /// When the folder cannot be used, or another process uses it.
    pub fn open(folder: &Path, free_bytes_min: u64) -> Result<Self, PacsError> {
        let at = |source| PacsError::Spool {
            path: folder.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(at)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(at)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(folder.join(LOCK))
            .map_err(at)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(PacsError::SpoolInUse {
                    path: folder.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(at(source)),
        }
        for entry in fs::read_dir(folder).map_err(at)? {
            let path = entry.map_err(at)?.path();
            if path.extension().is_some_and(|extension| extension == PARTIAL) {
                fs::remove_file(&path).map_err(at)?;
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            free_bytes_min,
            _lock: Some(lock),
        })
    }

    /// The spool in `folder` that another process holds, for the one that takes out of it what waits.
    #[must_use]
    pub fn beside(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            free_bytes_min: 0,
            _lock: None,
        }
    }

    /// Where it lies.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A name that nobody can guess.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn random_name() -> Result<Name, PacsError> {
        let mut name = [0; 32];
        SystemRandom::new().fill(&mut name).map_err(|_| PacsError::Spool {
            path: PathBuf::new(),
            source: io::Error::other("no randomness"),
        })?;
        Ok(name)
    }

    /// Whether there is room for more.
    ///
    /// # Errors
    /// [`PacsError::DiskLow`] where there is not.
    pub fn check_room(&self) -> Result<(), PacsError> {
        let free = snowball_service::files::free_bytes(&self.folder).map_err(|source| self.at(source))?;
        if free < self.free_bytes_min {
            return Err(PacsError::DiskLow {
                floor: self.free_bytes_min,
            });
        }
        Ok(())
    }

    /// Begins an object of at most `bytes_max` bytes. What is written is the whole file, meta information included.
    ///
    /// # Errors
    /// When there is no room, or the disk refuses.
    pub fn begin(&self, name: Name, bytes_max: u64) -> Result<Arriving<'_>, PacsError> {
        self.check_room()?;
        let partial = self.path(&name, PARTIAL);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)
            .map_err(|source| self.at(source))?;
        Ok(Arriving {
            spool: self,
            name,
            partial,
            file: BufWriter::with_capacity(256 * 1024, file),
            bytes: 0,
            bytes_max,
            looked_at: 0,
            is_kept: false,
        })
    }

    /// Objects that wait, at most `most` of them, those of `passed_over` left out.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn waiting(&self, most: usize, passed_over: &dyn Fn(&Name) -> bool) -> Result<Vec<Spooled>, PacsError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(|source| self.at(source))? {
            let path = entry.map_err(|source| self.at(source))?.path();
            let Some(name) = name_of(&path) else { continue };
            if passed_over(&name) {
                continue;
            }
            found.push(Spooled { name, path });
            if found.len() == most {
                break;
            }
        }
        found.sort();
        Ok(found)
    }

    /// Whether an object of this name waits.
    #[must_use]
    pub fn holds(&self, name: &Name) -> bool {
        self.path(name, WHOLE).exists()
    }

    /// Removes an object whose intake is durable.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn remove(&self, object: &Spooled) -> Result<(), PacsError> {
        match fs::remove_file(&object.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(self.at(source)),
            _ => Ok(()),
        }
    }

    fn path(&self, name: &Name, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", hex::encode(name)))
    }

    fn at(&self, source: io::Error) -> PacsError {
        PacsError::Spool {
            path: self.folder.clone(),
            source,
        }
    }
}

/// An object under way. Dropped before [`keep`](Self::keep), nothing of it stays.
pub struct Arriving<'a> {
    spool: &'a Spool,
    name: Name,
    partial: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
    bytes_max: u64,
    looked_at: u64,
    is_kept: bool,
}

impl Arriving<'_> {
    /// Writes the next bytes.
    ///
    /// # Errors
    /// When the object is too large, the disk is low or refuses.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), PacsError> {
        self.bytes += bytes.len() as u64;
        if self.bytes > self.bytes_max {
            return Err(PacsError::ObjectTooLarge {
                bytes_max: self.bytes_max,
            });
        }
        if self.bytes - self.looked_at >= LOOK_BYTES {
            self.looked_at = self.bytes;
            self.spool.check_room()?;
        }
        self.file.write_all(bytes).map_err(|source| self.spool.at(source))
    }

    /// Makes the object durable under its name.
    ///
    /// # Errors
    /// When the disk refuses; then nothing of it stays.
    pub fn keep(mut self) -> Result<(), PacsError> {
        let done = (|| {
            self.file.flush()?;
            self.file.get_ref().sync_all()?;
            fs::rename(&self.partial, self.spool.path(&self.name, WHOLE))?;
            File::open(&self.spool.folder)?.sync_all()
        })();
        self.is_kept = done.is_ok();
        done.map_err(|source| self.spool.at(source))
    }
}

impl Drop for Arriving<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            // What cannot be removed now goes when the spool is opened again.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

/// Removes from the spool in `folder` what `is_theirs`, given its path, says is somebody's who withdrew. Another process may
/// hold the spool and take objects in meanwhile. What is half written stays in that case: it goes through the intake, which
/// must know by now whom to refuse. Where nobody holds the spool it goes.
///
/// # Errors
/// When the disk refuses.
pub fn withdraw(folder: &Path, mut is_theirs: impl FnMut(&Path) -> Option<bool>) -> Result<Searched, PacsError> {
    let mut searched = Searched::default();
    if !folder.exists() {
        return Ok(searched);
    }
    let _held = match Spool::open(folder, 0) {
        Err(PacsError::SpoolInUse { .. }) => None,
        opened => Some(opened?),
    };
    let at = |source| PacsError::Spool {
        path: folder.to_owned(),
        source,
    };
    for entry in fs::read_dir(folder).map_err(at)? {
        let path = entry.map_err(at)?.path();
        if name_of(&path).is_none() {
            continue;
        }
        match is_theirs(&path) {
            Some(true) => match fs::remove_file(&path) {
                Ok(()) => searched.removed += 1,
                // The intake was faster, and refused it.
                Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
                Err(fault) => return Err(at(fault)),
            },
            Some(false) => {}
            None => searched.untied += u64::from(path.exists()),
        }
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at)?;
    Ok(searched)
}

/// The head of a PS3.10 file around a data set that came without one: preamble and meta information.
pub(crate) fn head(class: &str, instance: Option<&str>, syntax: &str) -> Vec<u8> {
    let mut meta = Vec::new();
    explicit(&mut meta, 0x0001, b"OB", &[0, 1]);
    explicit(&mut meta, 0x0002, b"UI", class.as_bytes());
    explicit(
        &mut meta,
        0x0003,
        b"UI",
        instance.filter(|uid| is_uid(uid)).unwrap_or("").as_bytes(),
    );
    explicit(&mut meta, 0x0010, b"UI", syntax.as_bytes());
    explicit(&mut meta, 0x0012, b"UI", IMPLEMENTATION.as_bytes());
    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM");
    explicit(&mut bytes, 0x0000, b"UL", &(meta.len() as u32).to_le_bytes());
    bytes.extend(meta);
    bytes
}

fn explicit(bytes: &mut Vec<u8>, element: u16, vr: &[u8; 2], value: &[u8]) {
    let length = value.len() + value.len() % 2;
    bytes.extend([2, 0]);
    bytes.extend(element.to_le_bytes());
    bytes.extend(vr);
    if vr == b"OB" {
        bytes.extend([0, 0]);
        bytes.extend((length as u32).to_le_bytes());
    } else {
        bytes.extend((length as u16).to_le_bytes());
    }
    bytes.extend(value);
    bytes.resize(bytes.len() + value.len() % 2, 0);
}

fn name_of(path: &Path) -> Option<Name> {
    if path.extension()? != WHOLE {
        return None;
    }
    let mut name = [0; 32];
    hex::decode_to_slice(path.file_stem()?.to_str()?, &mut name).ok()?;
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &Name) -> bool {
        false
    }

    #[test]
    fn an_object_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        let spool = Spool::open(&path, 0).unwrap();
        let mut object = spool.begin([1; 32], 100).unwrap();
        object.write(b"one").unwrap();
        assert!(spool.waiting(10, &none).unwrap().is_empty(), "not yet");
        object.keep().unwrap();
        let waiting = spool.waiting(10, &none).unwrap();
        assert_eq!(waiting.len(), 1);
        assert_eq!(waiting[0].name, [1; 32]);
        assert_eq!(fs::read(&waiting[0].path).unwrap(), b"one");
        assert_eq!(
            fs::metadata(&waiting[0].path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        drop(spool.begin([2; 32], 100).unwrap());
        assert_eq!(fs::read_dir(&path).unwrap().count(), 2, "the object and the lock");
        spool.remove(&waiting[0]).unwrap();
        assert!(!spool.holds(&[1; 32]));
    }

    #[test]
    fn limits_hold_and_a_crash_leaves_no_half() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(format!("{}.{PARTIAL}", "ab".repeat(32))), b"half").unwrap();
        fs::write(folder.path().join(format!("{}.{WHOLE}", "cd".repeat(32))), b"whole").unwrap();
        let spool = Spool::open(folder.path(), 0).unwrap();
        assert_eq!(spool.waiting(10, &none).unwrap().len(), 1);
        assert!(spool.waiting(10, &|name| name == &[0xcd; 32]).unwrap().is_empty());
        let mut object = spool.begin([1; 32], 3).unwrap();
        object.write(b"abc").unwrap();
        assert!(matches!(
            object.write(b"d"),
            Err(PacsError::ObjectTooLarge { bytes_max: 3 })
        ));
        drop(object);
        assert!(matches!(
            Spool::open(folder.path(), 0),
            Err(PacsError::SpoolInUse { .. })
        ));
        drop(spool);
        let full = Spool::open(folder.path(), u64::MAX).unwrap();
        assert!(matches!(full.begin([1; 32], 3), Err(PacsError::DiskLow { .. })));
    }

    #[test]
    fn what_is_somebodys_goes_whether_or_not_the_spool_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        assert_eq!(withdraw(&path, |_| Some(true)).unwrap(), Searched::default());
        assert!(!path.exists(), "a search makes nothing");
        for is_held in [false, true] {
            let spool = Spool::open(&path, 0).unwrap();
            for (name, content) in [([1; 32], "theirs"), ([2; 32], "another's"), ([3; 32], "nobody's")] {
                let mut object = spool.begin(name, 100).unwrap();
                object.write(content.as_bytes()).unwrap();
                object.keep().unwrap();
            }
            fs::write(path.join("notes.txt"), "theirs").unwrap();
            fs::write(path.join(format!("{}.{PARTIAL}", "ab".repeat(32))), "theirs").unwrap();
            let _held = is_held.then_some(spool);
            let searched = withdraw(&path, |path| match fs::read_to_string(path).unwrap().as_str() {
                "theirs" => Some(true),
                "another's" => Some(false),
                _ => None,
            });
            let expected = Searched { removed: 1, untied: 1 };
            assert_eq!(searched.unwrap(), expected, "held: {is_held}");
            let left = fs::read_dir(&path).unwrap().count();
            assert_eq!(
                left,
                if is_held { 5 } else { 4 },
                "two objects, lock, notes, and the half one if held"
            );
        }
    }

    #[test]
    fn the_head_is_even_and_its_length_is_right() {
        let bytes = head("1.2.3", Some("not a uid"), "1.2.840.10008.1.2.1");
        assert_eq!(&bytes[128..132], b"DICM");
        let length = u32::from_le_bytes(bytes[140..144].try_into().unwrap()) as usize;
        assert_eq!(bytes.len(), 144 + length);
        assert_eq!(bytes.len() % 2, 0);
        assert!(!bytes.windows(5).any(|window| window == b"not a"));
    }
}
