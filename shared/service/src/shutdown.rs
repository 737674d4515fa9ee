//! Being asked to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Resolves when this process is asked to stop by SIGINT or SIGTERM. From the call on, and not only once it is waited for, neither
/// ends the process by itself.
///
/// # Panics
/// Outside a runtime.
pub fn requested() -> impl Future<Output = ()> + Send {
    let handlers = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        let (Ok(mut interrupt), Ok(mut terminate)) = handlers else {
            // Without handlers the signals keep their default: they end the process.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}
