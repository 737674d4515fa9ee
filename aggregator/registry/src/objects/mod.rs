//! Models and updates as files: whole or not at all, and durable before anything is acknowledged.
//!
//! Everything here blocks; within a runtime it belongs on a thread of its own.

mod name;

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom, Write},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

pub use name::{MalformedObjectName, ObjectName};

/// Where files are written before they get their name. No object's name can begin with a dot.
const PARTS: &str = ".parts";

/// A folder of objects. Several processes may use it at once.
#[derive(Clone, Debug)]
pub struct ObjectFolder {
    root: PathBuf,
}

/// Why an object could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// There is no such object.
    #[error("there is no object {name}")]
    Missing {
        /// Which.
        name: ObjectName,
    },
    /// The file holds less than was acknowledged: somebody else has touched it.
    #[error("object {name} has {held} bytes where {offset} were acknowledged")]
    Short {
        /// Which.
        name: ObjectName,
        /// What it holds.
        held: u64,
        /// What it should hold at least.
        offset: u64,
    },
    /// The file system failed.
    #[error("cannot {action} in the objects' folder")]
    Io {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl ObjectFolder {
    /// Opens the folder `dir`, makes it where needed, and clears what a crash has left half written.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(dir: &Path) -> Result<Self, ObjectError> {
        let parts = dir.join(PARTS);
        fs::create_dir_all(&parts).map_err(failed("make a folder"))?;
        sync_folder(dir)?;
        clear(&parts)?;
        Ok(Self { root: dir.to_owned() })
    }

    /// Keeps `content` under `name`, in place of what was there.
    ///
    /// # Errors
    /// When the file system fails; what was there before stays then.
    pub fn put(&self, name: &ObjectName, content: &[u8]) -> Result<(), ObjectError> {
        self.put_with(name, |file| file.write_all(content))
    }

    /// Keeps what `write` writes under `name`, in place of what was there.
    ///
    /// # Errors
    /// When `write` or the file system fails; what was there before stays then.
    pub fn put_with(
        &self,
        name: &ObjectName,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), ObjectError> {
        static PART: AtomicU64 = AtomicU64::new(0);
        let number = PART.fetch_add(1, Ordering::Relaxed);
        let part = self.root.join(PARTS).join(format!("{}-{number}", std::process::id()));
        let written = self.write_part(&part, name, write);
        if written.is_err() {
            // It holds nothing that anybody was promised; if it stays, the next start clears it.
            let _ = fs::remove_file(&part);
        }
        written
    }

    /// The object's whole content.
    ///
    /// # Errors
    /// When there is no such object, or the file system fails.
    pub fn read(&self, name: &ObjectName) -> Result<Vec<u8>, ObjectError> {
        let mut content = Vec::new();
        self.reader(name)?
            .read_to_end(&mut content)
            .map_err(failed("read an object"))?;
        Ok(content)
    }

    /// The object's file, to read from.
    ///
    /// # Errors
    /// When there is no such object, or the file system fails.
    pub fn reader(&self, name: &ObjectName) -> Result<File, ObjectError> {
        match File::open(self.path(name)) {
            Ok(file) => Ok(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ObjectError::Missing { name: name.clone() }),
            Err(error) => Err(failed("open an object")(error)),
        }
    }

    /// Fills `bytes` with what stands from `offset` on, as far as the object goes, and gives how much that is.
    ///
    /// # Errors
    /// When there is no such object, or the file system fails.
    pub fn read_at(&self, name: &ObjectName, offset: u64, bytes: &mut [u8]) -> Result<usize, ObjectError> {
        let (file, mut filled) = (self.reader(name)?, 0);
        while filled < bytes.len() {
            match file.read_at(&mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed("read an object")(error)),
            }
        }
        Ok(filled)
    }

    /// Reads the object piece by piece, each of at most `chunk_bytes` bytes, in order.
    ///
    /// # Errors
    /// When there is no such object, the file system fails, or `each` does.
    pub fn read_chunks<E: From<ObjectError>>(
        &self,
        name: &ObjectName,
        chunk_bytes: usize,
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut file = self.reader(name)?;
        let mut buffer = vec![0; chunk_bytes.max(1)];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => each(&buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed("read an object")(error).into()),
            }
        }
    }

    /// Writes `chunk` at `offset`, the end of what was acknowledged, and gives the new length. What lies beyond
    /// `offset` came before a crash, was never acknowledged, and is cut off. Durable when this returns.
    ///
    /// # Errors
    /// When the object is shorter than `offset`, or the file system fails.
    pub fn append(&self, name: &ObjectName, offset: u64, chunk: &[u8]) -> Result<u64, ObjectError> {
        const ACTION: &str = "append to an object";
        let path = self.path(name);
        if offset == 0 {
            self.make_parents(&path)?;
        }
        let is_new = !path.exists();
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(offset == 0)
            .truncate(false)
            .open(&path)
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => ObjectError::Short {
                    name: name.clone(),
                    held: 0,
                    offset,
                },
                _ => failed(ACTION)(error),
            })?;
        let held = file.metadata().map_err(failed(ACTION))?.len();
        if held < offset {
            return Err(ObjectError::Short {
                name: name.clone(),
                held,
                offset,
            });
        }
        if held > offset {
            file.set_len(offset).map_err(failed(ACTION))?;
        }
        file.seek(SeekFrom::Start(offset)).map_err(failed(ACTION))?;
        file.write_all(chunk).map_err(failed(ACTION))?;
        file.sync_data().map_err(failed(ACTION))?;
        if is_new {
            sync_parent(&path)?;
        }
        Ok(offset + chunk.len() as u64)
    }

    /// How many bytes the object has; `None` if there is none.
    ///
    /// # Errors
    /// When the file system fails.
    pub fn size(&self, name: &ObjectName) -> Result<Option<u64>, ObjectError> {
        match fs::metadata(self.path(name)) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("look at an object")(error)),
        }
    }

    /// Deletes the object. One that is not there is fine.
    ///
    /// # Errors
    /// When the file system fails.
    pub fn delete(&self, name: &ObjectName) -> Result<(), ObjectError> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("delete an object")(error)),
            _ => Ok(()),
        }
    }

    /// Where the object's file is, or would be.
    #[must_use]
    pub fn path(&self, name: &ObjectName) -> PathBuf {
        name.segments()
            .fold(self.root.clone(), |path, segment| path.join(segment))
    }

    fn write_part(
        &self,
        part: &Path,
        name: &ObjectName,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), ObjectError> {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .open(part)
            .map_err(failed("begin an object"))?;
        // The lock ends with this process: what is locked is not left over from a crash.
        file.lock().map_err(failed("lock an object"))?;
        write(&mut file).map_err(failed("write an object"))?;
        file.sync_all().map_err(failed("sync an object"))?;
        let path = self.path(name);
        self.make_parents(&path)?;
        fs::rename(part, &path).map_err(failed("name an object"))?;
        sync_parent(&path)
    }

    /// Makes the folders above `path`, durably.
    fn make_parents(&self, path: &Path) -> Result<(), ObjectError> {
        let Some(parent) = path.parent().filter(|parent| !parent.is_dir()) else {
            return Ok(());
        };
        fs::create_dir_all(parent).map_err(failed("make a folder"))?;
        for folder in parent
            .ancestors()
            .skip(1)
            .take_while(|folder| folder.starts_with(&self.root))
        {
            sync_folder(folder)?;
        }
        Ok(())
    }
}

/// Removes parts whose writer is gone.
fn clear(parts: &Path) -> Result<(), ObjectError> {
    const ACTION: &str = "clear what was left half written";
    for entry in fs::read_dir(parts).map_err(failed(ACTION))? {
        let path = entry.map_err(failed(ACTION))?.path();
        // Gone meanwhile: it was finished.
        let Ok(file) = File::open(&path) else { continue };
        match file.try_lock() {
            Ok(()) => {
                let _ = fs::remove_file(&path);
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(failed(ACTION)(error)),
        }
    }
    Ok(())
}

fn sync_parent(path: &Path) -> Result<(), ObjectError> {
    path.parent().map_or(Ok(()), sync_folder)
}

/// A name is durable once its folder is.
fn sync_folder(folder: &Path) -> Result<(), ObjectError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed("sync a folder"))
}

fn failed(action: &'static str) -> impl FnOnce(io::Error) -> ObjectError {
    move |source| ObjectError::Io { action, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ObjectName {
        text.parse().unwrap()
    }

    fn folder() -> (tempfile::TempDir, ObjectFolder) {
        let home = tempfile::tempdir().unwrap();
        let folder = ObjectFolder::open(&home.path().join("objects")).unwrap();
        (home, folder)
    }

    #[test]
    fn an_object_is_whole_or_what_it_was_before() {
        let (_home, folder) = folder();
        let model = name("models/study/0.f32");
        assert!(matches!(folder.read(&model), Err(ObjectError::Missing { .. })));
        assert_eq!(folder.size(&model).unwrap(), None);
        folder.put(&model, b"first").unwrap();
        let broken = folder.put_with(&model, |file| {
            file.write_all(b"half of the sec")?;
            Err(io::Error::other("the disk is full"))
        });
        assert!(broken.is_err());
        assert_eq!(folder.read(&model).unwrap(), b"first");
        folder.put(&model, b"second").unwrap();
        assert_eq!(folder.read(&model).unwrap(), b"second");
        assert_eq!(fs::read_dir(folder.root.join(PARTS)).unwrap().count(), 0);
        folder.delete(&model).unwrap();
        folder.delete(&model).unwrap();
        assert_eq!(folder.size(&model).unwrap(), None);
    }

    #[test]
    fn an_append_cuts_off_what_was_never_acknowledged() {
        let (_home, folder) = folder();
        let update = name("updates/study/1/north.0.update");
        assert_eq!(folder.append(&update, 0, b"abc").unwrap(), 3);
        assert_eq!(folder.append(&update, 3, b"lost by a crash").unwrap(), 18);
        assert_eq!(folder.append(&update, 3, b"def").unwrap(), 6);
        assert_eq!(folder.read(&update).unwrap(), b"abcdef");
        assert!(matches!(
            folder.append(&update, 7, b"x"),
            Err(ObjectError::Short { held: 6, offset: 7, .. })
        ));
        assert!(matches!(
            folder.append(&name("other"), 1, b"x"),
            Err(ObjectError::Short { held: 0, .. })
        ));
        assert_eq!(folder.size(&name("other")).unwrap(), None);
        let mut read = Vec::new();
        folder
            .read_chunks(&update, 4, |chunk| {
                read.push(chunk.to_vec());
                Ok::<_, ObjectError>(())
            })
            .unwrap();
        assert_eq!(read.concat(), b"abcdef");
    }

    #[test]
    fn what_a_crash_left_is_cleared_and_what_is_being_written_is_not() {
        let (_home, folder) = folder();
        let left = folder.root.join(PARTS).join("1-0");
        fs::write(&left, b"left over").unwrap();
        folder
            .put_with(&name("model"), |file| {
                file.write_all(b"content")?;
                ObjectFolder::open(&folder.root).map(drop).map_err(io::Error::other)
            })
            .unwrap();
        assert!(!left.exists());
        assert_eq!(folder.read(&name("model")).unwrap(), b"content");
    }
}
