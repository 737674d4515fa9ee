//! Packs: large files that pixels are appended to and read from by position.
//!
//! Which bytes of a pack count is said by the database alone; whatever lies beyond is left from a crash and is cut off
//! by the next append.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use crate::StoreError;

/// A pack is closed before it grows beyond this.
pub(crate) const PACK_BYTES_MAX: u64 = 4 << 30;
/// Packs kept open at once.
const OPEN_MAX: usize = 64;
static ZEROS: [u8; 65536] = [0; 65536];

/// Where something lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Extent {
    pub pack: u32,
    pub offset: u64,
    pub bytes: u32,
}

pub(crate) struct Packs {
    folder: PathBuf,
    open: Mutex<BTreeMap<u32, Arc<File>>>,
    /// Packs whose name is known to be on disk.
    named: Mutex<BTreeSet<u32>>,
}

impl Packs {
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            open: Mutex::default(),
            named: Mutex::default(),
        }
    }

    /// Whether the newest pack still has the `bytes` that the database counts on.
    pub fn check_last(&self, last: Option<(u32, u64)>) -> Result<(), StoreError> {
        let Some((pack, bytes)) = last else { return Ok(()) };
        let path = self.path(pack);
        let length = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => 0,
            Err(fault) => return Err(StoreError::at(&path)(fault)),
        };
        if length < bytes {
            return Err(StoreError::Damaged {
                what: format!("pack {pack} has {length} bytes where {bytes} are due"),
            });
        }
        Ok(())
    }

    pub fn read(&self, extent: Extent) -> Result<Vec<u8>, StoreError> {
        let mut content = vec![0; extent.bytes as usize];
        self.file(extent.pack)?
            .read_exact_at(&mut content, extent.offset)
            .map_err(self.at(extent.pack))?;
        Ok(content)
    }

    /// Cuts off what lies beyond `end`, so that nothing unacknowledged stays on disk.
    pub fn trim(&self, pack: u32, end: u64) -> Result<(), StoreError> {
        let file = self.file(pack)?;
        if file.metadata().map_err(self.at(pack))?.len() > end {
            file.set_len(end).map_err(self.at(pack))?;
        }
        Ok(())
    }

    pub fn write(&self, pack: u32, offset: u64, content: &[u8]) -> Result<(), StoreError> {
        self.file(pack)?.write_all_at(content, offset).map_err(self.at(pack))
    }

    /// Overwrites with zeros.
    pub fn erase(&self, extent: Extent) -> Result<(), StoreError> {
        let mut left = u64::from(extent.bytes);
        while left > 0 {
            let piece = left.min(ZEROS.len() as u64);
            self.write(
                extent.pack,
                extent.offset + u64::from(extent.bytes) - left,
                &ZEROS[..piece as usize],
            )?;
            left -= piece;
        }
        Ok(())
    }

    /// Returns when everything written to `pack` is on disk, its name included.
    pub fn sync(&self, pack: u32) -> Result<(), StoreError> {
        self.file(pack)?.sync_data().map_err(self.at(pack))?;
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if !named.contains(&pack) {
            sync_folder(&self.folder)?;
            named.insert(pack);
        }
        Ok(())
    }

    fn file(&self, pack: u32) -> Result<Arc<File>, StoreError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(&pack) {
            return Ok(Arc::clone(file));
        }
        if open.len() >= OPEN_MAX {
            open.clear();
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.path(pack));
        let file = Arc::new(file.map_err(self.at(pack))?);
        open.insert(pack, Arc::clone(&file));
        Ok(file)
    }

    fn path(&self, pack: u32) -> PathBuf {
        self.folder.join(format!("{pack:06}.pack"))
    }

    fn at(&self, pack: u32) -> impl Fn(io::Error) -> StoreError + use<> {
        StoreError::at(&self.path(pack))
    }
}

/// Returns when the files and their names are on disk. Written together, they cost little more than one of them.
pub(crate) fn sync_all(files: &[PathBuf]) -> Result<(), StoreError> {
    let mut folders = BTreeSet::new();
    for path in files {
        File::open(path)
            .and_then(|file| file.sync_all())
            .map_err(StoreError::at(path))?;
        folders.extend(path.parent());
    }
    folders.into_iter().try_for_each(sync_folder)
}

fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder)
        .and_then(|opened| opened.sync_all())
        .map_err(StoreError::at(folder))
}

/// Writes `content` to `path`, for its owner alone.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beyond_the_end_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let packs = Packs::new(folder.path().to_owned());
        packs.write(1, 0, b"kept-torn").unwrap();
        packs.trim(1, 4).unwrap();
        packs.write(1, 4, b"!").unwrap();
        assert_eq!(
            packs
                .read(Extent {
                    pack: 1,
                    offset: 0,
                    bytes: 5
                })
                .unwrap(),
            b"kept!"
        );
        assert!(
            packs
                .read(Extent {
                    pack: 1,
                    offset: 0,
                    bytes: 6
                })
                .is_err()
        );
        packs.check_last(Some((1, 5))).unwrap();
        assert!(matches!(
            packs.check_last(Some((1, 6))),
            Err(StoreError::Damaged { .. })
        ));
        assert!(matches!(
            packs.check_last(Some((2, 1))),
            Err(StoreError::Damaged { .. })
        ));
    }

    #[test]
    fn erasing_writes_zeros_and_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let packs = Packs::new(folder.path().to_owned());
        let length = ZEROS.len() as u32 + 3;
        packs.write(1, 0, &vec![7; length as usize + 2]).unwrap();
        packs
            .erase(Extent {
                pack: 1,
                offset: 1,
                bytes: length,
            })
            .unwrap();
        let content = packs
            .read(Extent {
                pack: 1,
                offset: 0,
                bytes: length + 2,
            })
            .unwrap();
        assert_eq!((content[0], content[length as usize + 1]), (7, 7));
        assert!(content[1..=length as usize].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn many_packs_stay_within_the_limit_of_open_files() {
        let folder = tempfile::tempdir().unwrap();
        let packs = Packs::new(folder.path().to_owned());
        for pack in 0..OPEN_MAX as u32 * 2 {
            packs.write(pack, 0, &pack.to_le_bytes()).unwrap();
            assert!(packs.open.lock().unwrap().len() <= OPEN_MAX);
        }
        assert_eq!(
            packs
                .read(Extent {
                    pack: 3,
                    offset: 0,
                    bytes: 4
                })
                .unwrap(),
            3u32.to_le_bytes()
        );
    }
}
