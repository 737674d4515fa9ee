//! The consortium's CAs as this node knows them. At each heartbeat it asks for the list and takes over what the aggregator's
//! key, kept since the enrolment, has signed; the next CA is so trusted here before the one before is retired.

use std::time::Duration;

use anyhow::{Context as _, Result};
use snowball_egress::{Door, EgressError};
use snowball_ledger::Entry;
use snowball_protocol::{authorities::TrustedAuthorities, ids::UnixSeconds, limits::HEARTBEAT_SECONDS};
use snowball_service::{
    clock, files,
    tls::{self, Life},
};

use crate::{
    events::{Event, Voice},
    home::Home,
    renewal,
};

/// The list that this node trusts.
pub fn trusted(home: &Home) -> Result<TrustedAuthorities> {
    tls::read_trust(&home.read_text(&home.authority())?).context("certs/ca.pem holds no list of CAs; enrol again")
}

/// Whether the node's certificate is of another CA than the newest, which signs the sites: then the next is asked for at once,
/// so that the older CA can be retired.
pub fn is_superseded(home: &Home) -> Result<bool> {
    let certificate = home.read_text(&home.certificate())?;
    match trusted(home)?.certificates_pem.last() {
        Some(newest) => Ok(!tls::is_issued_by(&certificate, newest)?),
        None => Ok(false),
    }
}

/// The warning for the CA that ends first: its name for people, the days of the warning, the days left.
pub fn warning(trusted: &TrustedAuthorities, now: UnixSeconds) -> Option<(String, i64, i64)> {
    let life = |pem: &String| {
        Some((
            tls::certificate_fingerprint(pem).ok()?.short(),
            Life::read_pem(pem).ok()?,
        ))
    };
    let (name, life) = trusted
        .certificates_pem
        .iter()
        .filter_map(life)
        .min_by_key(|(_, life)| life.not_after)?;
    Some((name, life.warning(now)?, life.days_left(now)))
}

/// Keeps the list up to date as long as the node runs.
pub async fn watch(home: &Home, door: &Door, voice: &Voice) {
    let (mut said, mut warned) = (None, None);
    loop {
        let fault = match beat(home, door, voice).await {
            Ok(()) => None,
            // A broken line is said by whoever follows the studies; an aggregator of an earlier version has no list.
            Err(error) => error
                .downcast_ref::<EgressError>()
                .is_none_or(|fault| matches!(fault, EgressError::Answer { .. }))
                .then(|| format!("{error:#}")),
        };
        say_once(&mut said, fault, |fault| {
            tracing::warn!(
                fault,
                "the consortium's list of CAs cannot be taken over; the one before stays"
            );
        });
        let ending = trusted(home).ok().and_then(|trusted| warning(&trusted, clock::now()));
        say_once(
            &mut warned,
            ending.map(|(name, days, _)| (name, days)),
            |(name, days)| {
                tracing::warn!(
                    "the CA {name} ends in less than {days} days: ask the coordinator for aggregator ca rotate"
                );
            },
        );
        tokio::time::sleep(Duration::from_secs(HEARTBEAT_SECONDS)).await;
    }
}

/// Says what is new, and nothing again.
fn say_once<T: PartialEq>(said: &mut Option<T>, now: Option<T>, say: impl FnOnce(&T)) {
    if let Some(words) = now.as_ref().filter(|words| said.as_ref() != Some(words)) {
        say(words);
    }
    *said = now;
}

async fn beat(home: &Home, door: &Door, voice: &Voice) -> Result<()> {
    let answer = door.authorities().await?;
    let mut kept = trusted(home)?;
    if answer.authorities.number > kept.number {
        kept = take(home, door, answer.authorities)?;
        voice.say(&Event::AuthoritiesTaken {
            number: kept.number,
            authorities: kept.certificates_pem.len(),
        });
    }
    let fingerprints = tls::authority_fingerprints(&kept)?;
    if answer.confirmed != fingerprints {
        door.confirm_authorities(fingerprints).await?;
    }
    Ok(())
}

/// Trusts `next` from now on: recorded, then kept, then used for the next connection.
fn take(home: &Home, door: &Door, next: TrustedAuthorities) -> Result<TrustedAuthorities> {
    let authorities = tls::authority_fingerprints(&next).context("the list holds something that is no CA")?;
    door.record(Entry::AuthoritiesTaken {
        number: next.number,
        authorities,
    })?;
    files::write_durable(&home.authority(), tls::trust_text(&next).as_bytes())
        .with_context(|| format!("cannot write {}", home.authority().display()))?;
    renewal::take_up(home, door)?;
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_and_a_change_again() {
        let (mut said, mut heard) = (None, Vec::new());
        for now in [None, Some(30), Some(30), Some(14), None, Some(14)] {
            say_once(&mut said, now, |days| heard.push(*days));
        }
        assert_eq!(heard, [30, 14, 14]);
    }
}
