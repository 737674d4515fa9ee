//! Whether a connection is used: one that asks nothing for long is closed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// The requests of one connection.
#[derive(Clone)]
pub struct Activity(Arc<Mutex<State>>);

struct State {
    open: usize,
    /// When the last one ended, or the connection began.
    last: Instant,
}

/// One request, from its head to the end of its answer. Whoever makes an answer bit by bit keeps it until then.
#[derive(Clone)]
pub struct Underway(#[expect(dead_code, reason = "it is kept for what its end does")] Arc<Mark>);

struct Mark(Activity);

impl Activity {
    /// A connection on which nothing was asked yet.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            open: 0,
            last: Instant::now(),
        })))
    }

    /// Counts a request for as long as what is returned lives.
    pub fn begin(&self) -> Underway {
        self.change(|state| state.open += 1);
        Underway(Arc::new(Mark(self.clone())))
    }

    /// Returns when no request was under way for `silence`.
    pub async fn over(&self, silence: Duration) {
        loop {
            let now = Instant::now();
            let end = self.change(|state| if state.open > 0 { now } else { state.last } + silence);
            if end <= now {
                return;
            }
            sleep_until(end).await;
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.0.change(|state| {
            state.open -= 1;
            state.last = Instant::now();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_is_over_after_its_silence_and_never_while_it_is_asked_something() {
        let (activity, silence) = (Activity::new(), Duration::from_millis(40));
        let request = activity.begin();
        let (kept, watch) = (request.clone(), activity.clone());
        drop(request);
        let over = tokio::spawn(async move { watch.over(silence).await });
        tokio::time::sleep(3 * silence).await;
        assert!(!over.is_finished(), "its answer still goes out");
        let ended = Instant::now();
        drop(kept);
        over.await.unwrap();
        assert!(ended.elapsed() >= silence);
    }
}
