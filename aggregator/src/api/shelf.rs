//! Models as they are fetched: what many sites ask for in the same moment is read once.

use std::{
    collections::{HashMap, VecDeque},
    fs::File,
    io::Result,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use axum::body::Bytes;
use tokio::{
    sync::{OnceCell, OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

/// Read at a time.
const BLOCK_BYTES: u64 = 256 * 1024;
/// Blocks that are held for whoever comes next, of all files together.
const BLOCKS_MAX: usize = 32;

/// The files that are fetched now.
pub struct Shelves {
    /// By device and number: no other file gets them while one of these is open.
    shelves: Mutex<HashMap<(u64, u64), Weak<Shelf>>>,
    room: Arc<Semaphore>,
}

/// One file, and what was read of it last. It is over with whoever fetches it last.
pub struct Shelf {
    file: Arc<File>,
    length: u64,
    blocks: Mutex<VecDeque<Held>>,
    room: Arc<Semaphore>,
}

struct Held {
    index: u64,
    /// Filled by the first who wants it; the others wait for that.
    content: Arc<OnceCell<Bytes>>,
    place: OwnedSemaphorePermit,
}

impl Default for Shelves {
    fn default() -> Self {
        Self {
            shelves: Mutex::default(),
            room: Arc::new(Semaphore::new(BLOCKS_MAX)),
        }
    }
}

impl Shelves {
    /// The shelf of an open file. Blocks.
    pub fn shelf(&self, file: File) -> Result<Arc<Shelf>> {
        let about = file.metadata()?;
        let mut shelves = locked(&self.shelves);
        let key = (about.dev(), about.ino());
        if let Some(shelf) = shelves.get(&key).and_then(Weak::upgrade) {
            return Ok(shelf);
        }
        shelves.retain(|_, shelf| shelf.strong_count() > 0);
        let shelf = Arc::new(Shelf {
            file: Arc::new(file),
            length: about.len(),
            blocks: Mutex::default(),
            room: Arc::clone(&self.room),
        });
        shelves.insert(key, Arc::downgrade(&shelf));
        Ok(shelf)
    }
}

impl Shelf {
    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// What stands from `offset` on: as much as is read at a time, or less. `offset` lies within the file.
    pub async fn from(&self, offset: u64) -> Result<Bytes> {
        let (index, within) = (offset / BLOCK_BYTES, offset % BLOCK_BYTES);
        let content = self.place(index);
        let block = content.get_or_try_init(|| self.read(index)).await?;
        // Fits: it is below the size of a block.
        Ok(block.slice(block.len().min(within as usize)..))
    }

    /// The place of a block. Where no room is left for another, the oldest one of this file makes some; where it has none, nothing is
    /// held.
    fn place(&self, index: u64) -> Arc<OnceCell<Bytes>> {
        let mut blocks = locked(&self.blocks);
        if let Some(held) = blocks.iter().rev().find(|held| held.index == index) {
            return Arc::clone(&held.content);
        }
        let content = Arc::default();
        let free = Arc::clone(&self.room).try_acquire_owned().ok();
        if let Some(place) = free.or_else(|| blocks.pop_front().map(|oldest| oldest.place)) {
            blocks.push_back(Held {
                index,
                content: Arc::clone(&content),
                place,
            });
        }
        content
    }

    async fn read(&self, index: u64) -> Result<Bytes> {
        let (file, offset) = (Arc::clone(&self.file), index * BLOCK_BYTES);
        let length = BLOCK_BYTES.min(self.length.saturating_sub(offset));
        // Made here, where it is freed: of what many threads make and others free, the allocator keeps much. It fits: it is at most the
        // size of a block.
        let mut block = vec![0; length as usize];
        let read = spawn_blocking(move || {
            file.read_exact_at(&mut block, offset)?;
            Ok(block.into())
        });
        read.await?
    }
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::*;

    fn written(bytes: u64) -> File {
        let file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..bytes).map(|place| (place % 251) as u8).collect();
        file.write_all_at(&content, 0).unwrap();
        file
    }

    async fn read(shelf: &Shelf, mut offset: u64) -> Vec<u8> {
        let mut all = Vec::new();
        while offset < shelf.length() {
            let piece = shelf.from(offset).await.unwrap();
            offset += piece.len() as u64;
            all.extend_from_slice(&piece);
        }
        all
    }

    #[tokio::test]
    async fn everybody_gets_the_file_from_wherever_they_begin_and_it_is_read_once() {
        let (shelves, bytes) = (Shelves::default(), 3 * BLOCK_BYTES + 17);
        let file = written(bytes);
        let shelf = shelves.shelf(file.try_clone().unwrap()).unwrap();
        let again = shelves.shelf(file.try_clone().unwrap()).unwrap();
        assert!(Arc::ptr_eq(&shelf, &again));
        let whole = read(&shelf, 0).await;
        assert_eq!(whole.len() as u64, bytes);
        assert!(
            whole
                .iter()
                .enumerate()
                .all(|(place, byte)| *byte == (place % 251) as u8)
        );
        // Were it read again, this would show.
        file.write_all_at(b"x", 0).unwrap();
        assert_eq!(read(&again, 5).await, whole[5..]);
        assert_eq!(read(&again, bytes - 1).await, whole[whole.len() - 1..]);
        assert_eq!(again.from(0).await.unwrap()[..10], whole[..10]);
        drop((shelf, again));
        assert_eq!(shelves.room.available_permits(), BLOCKS_MAX);
        let anew = shelves.shelf(file).unwrap();
        assert_eq!(anew.from(0).await.unwrap()[0], b'x');
    }

    #[tokio::test]
    async fn what_is_held_is_bounded_whatever_is_fetched() {
        let shelves = Shelves::default();
        let large = shelves.shelf(written((BLOCKS_MAX as u64 + 3) * BLOCK_BYTES)).unwrap();
        let small = shelves.shelf(written(10)).unwrap();
        assert_eq!(read(&large, 0).await.len() as u64, large.length());
        assert_eq!(locked(&large.blocks).len(), BLOCKS_MAX);
        assert_eq!(read(&small, 0).await.len(), 10);
        assert!(locked(&small.blocks).is_empty());
        assert_eq!(read(&large, 1).await.len() as u64 + 1, large.length());
        drop(large);
        assert_eq!(read(&small, 3).await.len(), 7);
        assert_eq!(locked(&small.blocks).len(), 1);
    }
}
