//! Being asked to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Resolves when this process is asked to stop by SIGINT or SIGTERM.
pub async fn requested() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the signals keep their default: they end the process.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
