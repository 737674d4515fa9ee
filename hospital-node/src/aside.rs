//! Decodes one file that a stranger made, aside: on a thread of its own that keeps neither the network nor the node's keys on disk, for a
//! process that lives long and holds more than one file's worth. A decoder that breaks off or never ends costs one answer.

use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::{
    cli::{Refused, decoding::Keeps},
    config::NodeConfig,
    home::Home,
};

/// The longest that anybody waits for one file; the largest that is taken in takes some seconds.
const WAIT: Duration = Duration::from_secs(90);
/// Decoders at a time, those counted in that will never end: a thread cannot be stopped from outside.
const MAX: usize = 4;

static AT_WORK: AtomicUsize = AtomicUsize::new(0);

/// One of the [`MAX`].
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(at_work: &'a AtomicUsize) -> Option<Self> {
        let more = |count| (count < MAX).then_some(count + 1);
        at_work.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Self(at_work))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Runs `decode` aside, with all that it needs opened before.
///
/// # Errors
/// A refusal where it broke off, takes too long, or where too many others are at work.
pub fn decode<T: Send + 'static>(
    home: &Home,
    config: &NodeConfig,
    decode: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let keeps = Keeps::of(home, &config.text, None, None);
    within(&AT_WORK, WAIT, move || keeps.confine_thread(), decode)
}

fn within<T: Send + 'static>(
    at_work: &'static AtomicUsize,
    wait: Duration,
    confine: impl Fn() + Send + Sync + 'static,
    decode: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let refused = |why: &str| Refused(why.to_owned());
    let place = Place::take(at_work).ok_or_else(|| {
        refused("too many files are being decoded at once: try again in a minute; start the dashboard again if that stays so")
    })?;
    // A pool of one: what a decoder shares out stays with a thread that is confined as well.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .start_handler(move |_| confine())
        .panic_handler(|_| tracing::warn!("a decoder broke off over a file of the quarantine"))
        .build()
        .context("no thread for a decoder")?;
    let (sender, receiver) = mpsc::sync_channel(1);
    pool.spawn(move || {
        let _place = place;
        // Nobody may be waiting any more.
        let _ = sender.send(decode());
    });
    match receiver.recv_timeout(wait) {
        Ok(decoded) => Ok(decoded),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Err(refused("the decoder broke off over this file: discard it, or send it again from the archive").into())
        }
        Err(mpsc::RecvTimeoutError::Timeout) => Err(refused(
            "the decoder did not end in time over this file: discard it, or send it again from the archive",
        )
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(200);

    #[test]
    fn a_decoder_that_breaks_off_or_never_ends_costs_one_answer() {
        static HERE: AtomicUsize = AtomicUsize::new(0);
        let broken = within(&HERE, WAIT, || {}, || -> u8 { panic!("a hostile file") });
        assert!(
            broken
                .unwrap_err()
                .downcast_ref::<Refused>()
                .unwrap()
                .0
                .contains("broke off")
        );
        let (end, ended) = mpsc::channel::<()>();
        let endless = within(&HERE, SOON, || {}, move || ended.recv().is_ok());
        assert!(
            endless
                .unwrap_err()
                .downcast_ref::<Refused>()
                .unwrap()
                .0
                .contains("in time")
        );
        assert_eq!(within(&HERE, WAIT, || {}, || 7).unwrap(), 7);
        drop(end);
    }

    #[test]
    fn those_that_never_end_have_a_bound() {
        static HERE: AtomicUsize = AtomicUsize::new(0);
        let (end, ended) = mpsc::channel::<()>();
        let ended = std::sync::Arc::new(std::sync::Mutex::new(ended));
        for _ in 0..MAX {
            let ended = std::sync::Arc::clone(&ended);
            let hangs = move || ended.lock().map(|ended| ended.recv().is_ok()).is_ok();
            within(&HERE, SOON, || {}, hangs).unwrap_err();
        }
        let more = within(&HERE, WAIT, || {}, || 7);
        assert!(
            more.unwrap_err()
                .downcast_ref::<Refused>()
                .unwrap()
                .0
                .contains("too many")
        );
        drop(end);
    }

    #[test]
    fn what_decodes_is_confined_and_the_rest_of_the_process_is_not() {
        static HERE: AtomicUsize = AtomicUsize::new(0);
        let root = tempfile::tempdir().unwrap();
        let home = crate::dashboard::testing::node(root.path());
        let config = home.config().unwrap();
        let key = home.ledger_public_key();
        let (keeps, read) = (Keeps::of(&home, &config.text, None, None), key.clone());
        let aside = within(
            &HERE,
            WAIT,
            move || keeps.confine_thread(),
            move || std::fs::read(read).is_ok(),
        );
        let is_enforced = std::fs::read_to_string("/sys/kernel/security/lsm").is_ok_and(|all| all.contains("landlock"));
        assert!(!is_enforced || !aside.unwrap(), "a decoder reads the node's own files");
        assert!(std::fs::read(key).is_ok());
    }
}
