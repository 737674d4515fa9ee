//! The wish to stop, as every long-running part hears it.

use tokio::sync::watch;

/// One listener for the wish to stop.
#[derive(Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// A switch and its first listener. A switch that is dropped counts as thrown.
    pub fn switch() -> (watch::Sender<bool>, Self) {
        let (switch, listener) = watch::channel(false);
        (switch, Self(listener))
    }

    /// Whether stopping is asked for.
    pub fn is_asked(&self) -> bool {
        // Without its switch nobody can ask for anything else any more.
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Returns when stopping is asked for.
    pub async fn asked(&mut self) {
        // The guard inside must not live on in whoever waits: hence no value comes back.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}
