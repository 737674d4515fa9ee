//! Being asked to stop, for verbs that work on plain threads.

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use snowball_service::shutdown;
use tokio::signal::unix::{SignalKind, signal};

/// Rings once, when this process is asked to end by SIGINT or SIGTERM.
pub(super) struct Stop {
    flag: Arc<AtomicBool>,
    bell: Arc<(Mutex<()>, Condvar)>,
}

impl Stop {
    /// The same for a service: a hangup, at which services read again what they log, neither rings nor ends it.
    pub fn of_a_service() -> Result<Self> {
        Self::listening(true)
    }

    /// Listens from now on.
    pub fn listen() -> Result<Self> {
        Self::listening(false)
    }

    fn listening(outlives_hangups: bool) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot listen for signals")?;
        let (flag, bell) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new((Mutex::new(()), Condvar::new())),
        );
        let (raised, rung) = (Arc::clone(&flag), Arc::clone(&bell));
        std::thread::spawn(move || {
            runtime.block_on(async {
                // Heard by nobody; with a handler it no longer ends the process.
                let _hangups = outlives_hangups.then(|| signal(SignalKind::hangup()));
                shutdown::requested().await;
            });
            let _held = rung.0.lock().unwrap_or_else(PoisonError::into_inner);
            raised.store(true, Ordering::SeqCst);
            rung.1.notify_all();
        });
        Ok(Self { flag, bell })
    }

    /// Waits for `time`, or less when asked to stop: then it returns true.
    pub fn wait(&self, time: Duration) -> bool {
        let held = self.bell.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Waiting until the flag is up; a poisoned lock guards nothing.
        drop(self.bell.1.wait_timeout_while(held, time, |()| !self.is_requested()));
        self.is_requested()
    }

    /// Whether it was asked for.
    pub fn is_requested(&self) -> bool {
        self.flag.load(Ordering::SeqCst)
    }

    /// The same for other threads.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }
}
