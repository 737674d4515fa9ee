//! Sessions: in memory, few, and not for long.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use snowball_crypto::{CryptoError, random_token};
use snowball_protocol::Sha256Digest;
use snowball_web::{FormToken, Html};
use tokio::sync::watch;

use crate::{Role, account::Account, tickets::Grant};

/// A session ends after this long without a request of a person; a page that renews itself is none.
pub const SILENCE_MAX: Duration = Duration::from_secs(30 * 60);
/// A session ends after this long whatever happens.
pub const LIFE_MAX: Duration = Duration::from_secs(8 * 60 * 60);
/// Sessions at once; a new one ends the one that was silent longest.
const SESSIONS_MAX: usize = 64;

/// Somebody who is signed in.
pub struct Session {
    /// As what.
    pub role: Role,
    /// Who, where the ticket was made for somebody.
    pub holder: Option<String>,
    /// What its forms carry.
    pub token: FormToken,
    key: Key,
}

/// A cookie's digest: what is compared is no secret, so no time tells anything of one.
type Key = Sha256Digest;

struct Kept {
    session: Arc<Session>,
    account: Account,
    began: Instant,
    heard: Instant,
    told: Option<Html>,
    /// Dropped with the session: whoever waits at its other end hears that it is over.
    alive: watch::Sender<()>,
}

/// All sessions.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<Key, Kept>>);

impl Sessions {
    /// Begins a session of `account`; gives the cookie's value.
    pub fn begin(&self, grant: Grant, account: Account, now: Instant) -> Result<String, CryptoError> {
        let cookie = random_token()?;
        let key = Sha256Digest::of(cookie.as_bytes());
        let session = Session {
            role: grant.role,
            holder: grant.holder,
            token: FormToken::new(random_token()?),
            key,
        };
        let mut kept = self.kept();
        kept.retain(|_, session| session.holds(now));
        if kept.len() >= SESSIONS_MAX
            && let Some(silent) = kept.iter().min_by_key(|(_, kept)| kept.heard).map(|(key, _)| *key)
        {
            kept.remove(&silent);
        }
        kept.insert(
            key,
            Kept {
                session: Arc::new(session),
                account,
                began: now,
                heard: now,
                told: None,
                alive: watch::Sender::new(()),
            },
        );
        Ok(cookie)
    }

    /// The session of a cookie, for the account that began it. One that a person asks with lasts longer for it; one whose cookie another
    /// account has ends, for it is no secret any more.
    pub fn find(&self, cookie: &str, account: Account, now: Instant, is_person: bool) -> Option<Arc<Session>> {
        let key = Sha256Digest::of(cookie.as_bytes());
        let mut all = self.kept();
        let kept = all.get_mut(&key)?;
        if !kept.holds(now) {
            all.remove(&key);
            return None;
        }
        if kept.account != account {
            if let (Account(Some(_)), Account(Some(other))) = (kept.account, account) {
                tracing::warn!(
                    account = other,
                    "a session of the dashboard ended: another account of this machine had its cookie"
                );
                all.remove(&key);
            }
            return None;
        }
        if is_person {
            kept.heard = now;
        }
        Some(Arc::clone(&kept.session))
    }

    /// Whether a session still holds.
    pub fn holds(&self, session: &Session, now: Instant) -> bool {
        self.kept().get(&session.key).is_some_and(|kept| kept.holds(now))
    }

    /// Ends a session.
    pub fn end(&self, session: &Session) {
        self.kept().remove(&session.key);
    }

    /// What is to be told on the session's next page.
    pub fn tell(&self, session: &Session, what: Html) {
        if let Some(kept) = self.kept().get_mut(&session.key) {
            kept.told = Some(what);
        }
    }

    /// What is to be told, once.
    pub fn take_told(&self, session: &Session) -> Option<Html> {
        self.kept().get_mut(&session.key)?.told.take()
    }

    /// Fails to change when the session is over.
    pub fn watch(&self, session: &Session) -> Option<watch::Receiver<()>> {
        Some(self.kept().get(&session.key)?.alive.subscribe())
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Key, Kept>> {
        // Nothing is left half done where a holder panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn holds(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) < SILENCE_MAX && now.saturating_duration_since(self.began) < LIFE_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINE: Account = Account(Some(1000));

    fn grant(role: Role) -> Grant {
        Grant { role, holder: None }
    }

    fn begun(sessions: &Sessions, now: Instant) -> String {
        sessions.begin(grant(Role::Reads), MINE, now).unwrap()
    }

    #[test]
    fn a_session_ends_after_silence_and_a_page_that_renews_itself_does_not_break_it() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let (cookie, other) = (begun(&sessions, start), begun(&sessions, start));
        let late = start + SILENCE_MAX - Duration::from_secs(1);
        assert!(sessions.find(&cookie, MINE, late, true).is_some());
        assert!(sessions.find(&other, MINE, late, false).is_some());
        let later = start + SILENCE_MAX;
        assert!(sessions.find(&cookie, MINE, later, true).is_some());
        assert!(sessions.find(&other, MINE, later, true).is_none());
        // Nor does it come back.
        assert!(sessions.find(&other, MINE, start, true).is_none());
    }

    #[test]
    fn a_session_ends_after_its_longest_life_however_busy_it_is() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let cookie = begun(&sessions, start);
        let mut now = start;
        while now < start + LIFE_MAX {
            assert!(sessions.find(&cookie, MINE, now, true).is_some());
            now += SILENCE_MAX / 2;
        }
        assert!(sessions.find(&cookie, MINE, now, true).is_none());
    }

    #[test]
    fn sessions_are_few_and_a_new_one_ends_the_one_that_was_silent_longest() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let cookies: Vec<String> = (0..SESSIONS_MAX).map(|_| begun(&sessions, start)).collect();
        let now = start + Duration::from_secs(60);
        for cookie in cookies.iter().filter(|cookie| **cookie != cookies[7]) {
            assert!(sessions.find(cookie, MINE, now, true).is_some());
        }
        let newest = begun(&sessions, now);
        assert!(sessions.find(&newest, MINE, now, true).is_some());
        assert!(sessions.find(&cookies[7], MINE, now, true).is_none());
        assert_eq!(sessions.kept().len(), SESSIONS_MAX);
    }

    #[tokio::test]
    async fn whoever_waits_at_a_session_hears_its_end() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let cookie = begun(&sessions, now);
        let session = sessions.find(&cookie, MINE, now, true).unwrap();
        let mut alive = sessions.watch(&session).unwrap();
        sessions.end(&session);
        assert!(alive.changed().await.is_err());
        assert!(!sessions.holds(&session, now) && sessions.watch(&session).is_none());
        assert!(sessions.find(&cookie, MINE, now, true).is_none());
    }

    #[test]
    fn cookies_and_form_tokens_are_each_sessions_own_and_what_is_told_is_told_once() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let [one, two] = [(); 2].map(|()| sessions.find(&begun(&sessions, now), MINE, now, true).unwrap());
        assert_ne!(one.token.as_str(), two.token.as_str());
        sessions.tell(&one, Html::text("done"));
        assert_eq!(sessions.take_told(&two), None);
        assert_eq!(sessions.take_told(&one), Some(Html::text("done")));
        assert_eq!(sessions.take_told(&one), None);
        assert!(sessions.find(one.token.as_str(), MINE, now, true).is_none());
    }

    #[test]
    fn a_cookie_serves_the_account_that_signed_in_and_ends_where_another_one_has_it() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let cookie = begun(&sessions, now);
        // Of one that the kernel does not tell it is not known who it is: refused, and no more.
        assert!(sessions.find(&cookie, Account(None), now, true).is_none());
        assert!(sessions.find(&cookie, MINE, now, true).is_some());
        assert!(sessions.find(&cookie, Account(Some(1001)), now, true).is_none());
        assert!(sessions.find(&cookie, MINE, now, true).is_none());
    }
}
