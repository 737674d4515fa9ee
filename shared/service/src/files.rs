//! Files that are whole or absent, and private where they hold a secret.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Makes a folder that only its owner may enter (0700), and its parents.
///
/// # Errors
/// When the system refuses.
pub fn create_home(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Bytes that an ordinary user may still write to the disk below `folder`.
///
/// # Errors
/// When the system cannot tell.
pub fn free_bytes(folder: &Path) -> io::Result<u64> {
    room(folder).map(|room| room.bytes_free)
}

/// What may still be written to a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// Bytes that an ordinary user may still write.
    pub bytes_free: u64,
    /// Files that may still be made.
    pub files_free: u64,
    /// Whether nothing may be written at all.
    pub is_read_only: bool,
}

/// What may still be written to the disk below `folder`.
///
/// # Errors
/// When the system cannot tell.
pub fn room(folder: &Path) -> io::Result<Room> {
    let about = nix::sys::statvfs::statvfs(folder)?;
    Ok(Room {
        bytes_free: about.blocks_available().saturating_mul(about.fragment_size()),
        // Some file systems count none at all, and have no end of them.
        files_free: if about.files() == 0 {
            u64::MAX
        } else {
            about.files_available()
        },
        is_read_only: about.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY),
    })
}

/// Replaces a file by one that only its owner may read (0600): whole and durable when this returns.
///
/// # Errors
/// When the system refuses; the old content is then still there.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    write_private_with(path, |file| file.write_all(content))
}

/// The same with what `write` writes.
///
/// # Errors
/// When the system or `write` refuses; the old content is then still there.
pub fn write_private_with(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    replace(path, 0o600, write)
}

/// Replaces a file (0644): whole and durable when this returns.
///
/// # Errors
/// When the system refuses; the old content is then still there.
pub fn write_durable(path: &Path, content: &[u8]) -> io::Result<()> {
    replace(path, 0o644, |file| file.write_all(content))
}

/// Moves a file over another on the same disk, durable when this returns.
///
/// # Errors
/// When the system refuses.
pub fn move_durable(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder(to)?;
    sync_folder(from)
}

/// Reads a file of at most `bytes_max`.
///
/// # Errors
/// When the system refuses or the file is larger.
pub fn read_bounded(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut content)?;
    if content.len() > bytes_max {
        let reason = format!("{} is larger than the limit of {bytes_max} bytes", path.display());
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(content)
}

fn replace(path: &Path, mode: u32, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let partial = partial_name(path);
    // A leftover of a crash may have another mode; a fresh file has ours from its first byte.
    match fs::remove_file(&partial) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&partial)?;
    write(&mut file)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    sync_folder(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

fn partial_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_private_file_is_private_also_when_it_replaces_an_open_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_durable(&path, b"old").unwrap();
        fs::write(partial_name(&path), b"left by a crash").unwrap();
        write_private(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_beyond_the_bound_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        fs::write(&path, [0; 11]).unwrap();
        assert!(read_bounded(&path, 10).is_err());
        assert_eq!(read_bounded(&path, 11).unwrap().len(), 11);
    }
}
