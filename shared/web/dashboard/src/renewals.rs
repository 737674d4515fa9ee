//! Pages that somebody watches: each is made anew every little while, once for all who may see the same of it, and not at all where
//! nobody watches.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{http::Uri, middleware::Next};
use tokio::{
    sync::watch::{Receiver, Sender},
    time::{sleep, timeout},
};

use crate::{Role, dashboard::stopped, guard::Visit, view::Parts};

/// Between two looks at a page.
const EVERY: Duration = Duration::from_secs(2);
/// How long a page may take to be made.
const PAGE_MAX: Duration = Duration::from_secs(20);

/// What came of a look at a page.
#[derive(Clone)]
pub(crate) enum Found {
    /// Its live parts.
    Parts(Parts),
    /// No page, or one without live parts.
    Nothing,
    /// It could not be made, or not in time.
    Fault,
}

/// Who sees the same: a live part holds no form, so it tells nothing of the session that it is made for but its role.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Same {
    page: String,
    role: Role,
    language: &'static str,
}

/// What was found last; `None` until the first look.
type Latest = Sender<Option<Found>>;

/// The pages that somebody watches. There are no more of them than streams.
#[derive(Default)]
pub struct Renewals(Mutex<HashMap<Same, Arc<Latest>>>);

impl Renewals {
    /// Hears of the page from now on; it is made for as long as anybody does.
    pub(crate) fn watch(visit: &Visit, uri: &Uri, next: &Next) -> Receiver<Option<Found>> {
        let same = Same {
            page: visit.here.as_str().to_owned(),
            role: visit.session.role,
            language: visit.language.code(),
        };
        let mut watched = visit.dashboard.0.renewals.watched();
        if let Some(latest) = watched.get(&same) {
            return latest.subscribe();
        }
        let (latest, receiver) = tokio::sync::watch::channel(None);
        let latest = Arc::new(latest);
        watched.insert(same.clone(), Arc::clone(&latest));
        drop(watched);
        let watch = Watch {
            visit: visit.clone(),
            same,
            latest,
        };
        tokio::spawn(watch.renew(uri.clone(), next.clone()));
        receiver
    }

    /// Whether nobody watches any page, so that none is made.
    #[cfg(test)]
    pub(crate) fn is_at_rest(&self) -> bool {
        self.watched().is_empty()
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<Same, Arc<Latest>>> {
        // Nothing is left half done where a holder panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One page that somebody watches.
struct Watch {
    /// That of the first who asked; others see the same.
    visit: Visit,
    same: Same,
    latest: Arc<Latest>,
}

impl Watch {
    async fn renew(self, uri: Uri, next: Next) {
        let mut stopping = self.visit.dashboard.0.stopping.subscribe();
        loop {
            let found = look(&self.visit, &uri, &next).await;
            if !matches!(found, Found::Parts(_)) {
                // Whoever asks after this has it made anew.
                self.forget();
                self.latest.send_replace(Some(found));
                return;
            }
            self.latest.send_replace(Some(found));
            tokio::select! {
                () = sleep(EVERY) => {}
                () = self.latest.closed() => {}
                () = stopped(&mut stopping) => return,
            }
            if self.is_over() {
                return;
            }
        }
    }

    /// Whether nobody watches; whoever begins to after that begins anew.
    fn is_over(&self) -> bool {
        let mut watched = self.visit.dashboard.0.renewals.watched();
        let is_over = self.latest.receiver_count() == 0;
        if is_over {
            watched.remove(&self.same);
        }
        is_over
    }

    fn forget(&self) {
        let mut watched = self.visit.dashboard.0.renewals.watched();
        if watched
            .get(&self.same)
            .is_some_and(|latest| Arc::ptr_eq(latest, &self.latest))
        {
            watched.remove(&self.same);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Also where making the page broke off: nobody waits at what is no longer made.
        self.forget();
    }
}

async fn look(visit: &Visit, uri: &Uri, next: &Next) -> Found {
    let page = next.clone().run(visit.again(uri));
    let Ok(response) = timeout(PAGE_MAX, page).await else {
        return Found::Fault;
    };
    if response.status().is_server_error() {
        return Found::Fault;
    }
    let parts = response.extensions().get::<Parts>().cloned();
    match parts.filter(|Parts(parts)| response.status().is_success() && !parts.is_empty()) {
        Some(parts) => Found::Parts(parts),
        None => Found::Nothing,
    }
}
