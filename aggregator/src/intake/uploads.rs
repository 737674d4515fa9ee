//! Uploads under way in this process: one writer each, and the running inspection so that bytes are read once.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
};

use snowball_protocol::ids::UploadId;
use snowball_rounds::Inspection;
use tokio::sync::{Mutex, watch};

/// How many idle entries are kept before they are swept out.
const IDLE_MAX: usize = 1024;

/// One upload's place. A site that lost its line comes back on a new one while the old request still waits for bytes: the
/// newest request always has the turn, the older one ends with what it wrote.
#[derive(Default)]
pub struct Place {
    turns: watch::Sender<u64>,
    /// Who holds this takes in the upload's bytes.
    pub progress: Mutex<Progress>,
    /// Who holds this writes the upload's file; a thread may hold it a little longer than the request that began to write.
    pub file: Arc<Mutex<()>>,
}

/// What is known of the bytes that went by.
#[derive(Default)]
pub struct Progress {
    /// The inspection of the first `.1` bytes, if this process saw them all go by.
    pub inspection: Option<(Inspection, u64)>,
}

/// A request's right to write.
pub struct Turn {
    number: u64,
    turns: watch::Receiver<u64>,
}

impl Place {
    /// Takes the turn from whoever has it.
    pub fn take_turn(&self) -> Turn {
        let mut number = 0;
        self.turns.send_modify(|turn| {
            *turn += 1;
            number = *turn;
        });
        Turn {
            number,
            turns: self.turns.subscribe(),
        }
    }
}

impl Turn {
    /// Returns when a newer request has taken the turn.
    pub async fn lost(&mut self) {
        let number = self.number;
        if self.turns.wait_for(|turn| *turn > number).await.is_err() {
            // The place is gone and with it everyone who could take the turn.
            std::future::pending::<()>().await;
        }
    }
}

/// The places by upload.
#[derive(Default)]
pub struct Uploads(std::sync::Mutex<HashMap<UploadId, Arc<Place>>>);

impl Uploads {
    /// The place of `upload`.
    pub fn place(&self, upload: &UploadId) -> Arc<Place> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() > IDLE_MAX {
            places.retain(|_, place| Arc::strong_count(place) > 1);
        }
        Arc::clone(places.entry(upload.clone()).or_default())
    }

    /// Gives up the place of an upload that is over.
    pub fn release(&self, upload: &UploadId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(upload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{Duration, timeout};

    #[tokio::test]
    async fn the_newest_request_has_the_turn() {
        let place = Uploads::default().place(&UploadId("a".to_owned()));
        let mut old = place.take_turn();
        assert!(timeout(Duration::from_millis(5), old.lost()).await.is_err());
        let mut new = place.take_turn();
        timeout(Duration::from_secs(5), old.lost()).await.unwrap();
        assert!(timeout(Duration::from_millis(5), new.lost()).await.is_err());
    }
}
