//! Writes an update's bytes to its file and inspects them in the same pass, on threads of their own: while one block is
//! written and hashed, the next one comes in.

use std::{
    fs::{File, OpenOptions},
    io::{Result, Seek as _, SeekFrom, Write as _},
};

use axum::body::Bytes;
use snowball_registry::Upload;
use snowball_rounds::Inspection;
use tokio::{
    sync::OwnedMutexGuard,
    task::{JoinHandle, spawn_blocking},
};

use super::uploads::Place;
use crate::state::App;

/// Frames are handed over when they make up this many bytes; twice as much is held for each upload.
const BLOCK_BYTES: usize = 256 * 1024;

/// One upload's file at the end of what was acknowledged.
pub struct Pen {
    at_work: JoinHandle<Result<Sheet>>,
    frames: Vec<Bytes>,
    bytes: usize,
}

/// What moves between the threads.
struct Sheet {
    file: File,
    inspection: Option<Inspection>,
    /// A request may be cut off while its last block is still being written: the next one waits for that.
    _only: OwnedMutexGuard<()>,
}

impl Pen {
    /// Begins to open the file of `upload` in `place`; `inspection` saw everything before, if there is one.
    pub async fn open(app: &App, upload: &Upload, place: &Place, inspection: Option<Inspection>) -> Self {
        let only = place.file.clone().lock_owned().await;
        let (objects, name, offset) = (app.core.objects.clone(), upload.file.clone(), upload.offset);
        let opened = spawn_blocking(move || {
            if offset == 0 {
                // Makes the file and its folders durable.
                objects.append(&name, 0, &[]).map_err(std::io::Error::other)?;
            }
            let mut file = OpenOptions::new().write(true).open(objects.path(&name))?;
            if file.metadata()?.len() < offset {
                return Err(std::io::Error::other("the file is shorter than what was acknowledged"));
            }
            // What lies beyond was never acknowledged.
            file.set_len(offset)?;
            file.seek(SeekFrom::Start(offset))?;
            Ok(Sheet {
                file,
                inspection,
                _only: only,
            })
        });
        Self {
            at_work: opened,
            frames: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes the next bytes; waits where those before are not written yet.
    pub async fn write(&mut self, frame: Bytes) -> Result<()> {
        self.bytes += frame.len();
        self.frames.push(frame);
        if self.bytes >= BLOCK_BYTES {
            self.hand_over().await
        } else {
            Ok(())
        }
    }

    /// Makes everything durable; gives back the inspection.
    pub async fn finish(mut self) -> Result<Option<Inspection>> {
        self.hand_over().await?;
        let sheet = self.at_work.await??;
        spawn_blocking(move || sheet.file.sync_data().map(|()| sheet.inspection)).await?
    }

    async fn hand_over(&mut self) -> Result<()> {
        let mut sheet = (&mut self.at_work).await??;
        let frames = std::mem::take(&mut self.frames);
        self.bytes = 0;
        self.at_work = spawn_blocking(move || {
            for frame in frames {
                sheet.file.write_all(&frame)?;
                if let Some(inspection) = &mut sheet.inspection {
                    inspection.bytes(&frame);
                }
            }
            Ok(sheet)
        });
        Ok(())
    }
}
