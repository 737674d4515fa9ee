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

    /// Returns when stopping is asked for.
    pub async fn asked(&mut self) {
        // The guard inside must not live on in whoever waits: hence no value comes back.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}
