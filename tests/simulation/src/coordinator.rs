//! The coordinator's commands: another process than the server, on the same store.

use std::fmt;

use snowball_protocol::{RoundNumber, Sha256Digest, SiteName, ids::UnixSeconds};
use snowball_rounds::{Event, Phase};

use crate::{aggregator::store::Store, fact::Fact, ledger::Entry, study::Study, study::bytes_of};

/// One command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// `aggregator study start`
    Start,
    /// `aggregator revoke`
    Revoke(SiteName),
    /// `aggregator study pause`
    Pause,
    /// `aggregator study resume`
    Resume,
    /// `aggregator study abort`
    Abort,
    /// `aggregator release create`
    Release,
}

impl Command {
    /// Carries it out. What the machine refuses changes nothing.
    pub fn perform(&self, store: &mut Store, study: &Study, now: UnixSeconds) {
        match self {
            Self::Start => {
                let bytes = bytes_of(vec![0.0; study.parameters()]);
                let model = Sha256Digest::of(&bytes);
                store.models.insert(RoundNumber(0), bytes);
                store.outbox.push(Entry::Study("started"));
                advance(store, study, now, Event::Started { model });
            }
            Self::Revoke(site) => {
                if store.is_revoked(site) {
                    return;
                }
                store.outbox.push(Entry::SiteRevoked(site.clone()));
                if let Some(enrolled) = store.sites.get_mut(site) {
                    enrolled.is_revoked = true;
                }
                store.facts.push(Fact::Revoked { site: site.clone() });
                store.writes += 1;
            }
            Self::Pause => {
                let reason = "the coordinator says so".to_owned();
                advance(store, study, now, Event::Paused { reason });
            }
            Self::Resume => advance(store, study, now, Event::Resumed),
            Self::Abort => {
                if matches!(store.phase, Phase::Released(_) | Phase::Abandoned(_)) {
                    return;
                }
                store.outbox.push(Entry::Study("aborted"));
                let reason = "the coordinator says so".to_owned();
                advance(store, study, now, Event::Aborted { reason });
            }
            Self::Release => {
                let release = Sha256Digest::of(b"release");
                advance(store, study, now, Event::ReleaseSigned { release });
            }
        }
    }
}

fn advance(store: &mut Store, study: &Study, now: UnixSeconds, event: Event) {
    if let Ok(step) = store.phase.handle(event, now, &study.plan) {
        store.advance_by_command(&step, now);
    }
}

impl fmt::Display for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => formatter.write_str("starts the study"),
            Self::Revoke(site) => write!(formatter, "revokes {site}"),
            Self::Pause => formatter.write_str("has the study rest"),
            Self::Resume => formatter.write_str("has the study go on"),
            Self::Abort => formatter.write_str("aborts the study"),
            Self::Release => formatter.write_str("signs the release"),
        }
    }
}
