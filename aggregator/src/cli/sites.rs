//! `aggregator sites`: who takes part and who waits.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use snowball_protocol::{SiteName, ids::UnixSeconds};
use snowball_registry::{Certificate, Decision, Site};
use snowball_service::{clock, tls::Life};

use super::{
    Answer, open,
    table::{ago, table},
};
use crate::home::Home;

/// Lists sites, their certificates and the requests that wait for approval.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator sites")]
pub struct Sites {}

impl Sites {
    /// Sites first, then what waits.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let (_, registry) = open(home).await?;
        let now = clock::now();
        let sites = registry.sites().await?;
        // The newest of a site comes last.
        let newest: BTreeMap<SiteName, Certificate> = registry.live_certificates(now).await?.into_iter().collect();
        let life = |site: &Site| {
            newest
                .get(&site.name)
                .and_then(|newest| Life::read_pem(&newest.pem).ok())
        };
        let mut waiting = registry.enrolments().await?;
        waiting.retain(|enrolment| matches!(enrolment.decision, Decision::Pending));
        let contests = registry.contests().await?;
        registry.close().await;

        let mut rows = Vec::new();
        for site in &sites {
            let state = match &site.revoked {
                Some(revocation) => format!("revoked: {}", revocation.reason),
                None => "active".to_owned(),
            };
            let version = site
                .heard
                .as_ref()
                .map_or_else(|| "-".to_owned(), |heard| heard.program_version.clone());
            let policy = site
                .heard
                .as_ref()
                .and_then(|heard| heard.policy_digest)
                .map_or("-".to_owned(), |digest| digest.short());
            let seen = site.last_seen.map_or_else(|| "never".to_owned(), |time| ago(now, time));
            let certificate = life(site).map_or_else(|| "none".to_owned(), |life| certificate_words(life, now));
            rows.push([site.name.to_string(), state, certificate, seen, version, policy]);
        }
        let mut text = if rows.is_empty() {
            "No site has joined yet; invite one: aggregator invite --site NAME\n".to_owned()
        } else {
            table(
                ["site", "state", "certificate", "last seen", "version", "policy"],
                &rows,
            )
        };
        for enrolment in &waiting {
            let (site, fingerprint) = (&enrolment.site, enrolment.key_fingerprint.spoken());
            text += &format!(
                "{site} waits for approval with the fingerprint {fingerprint}: \
                 aggregator approve {site} --fingerprint {fingerprint} --reason TEXT\n"
            );
        }
        for contest in &contests {
            text += &format!(
                "LOOK: a second key, {}, came with an invitation of {} that another key had used ({} times, last {}). The line has \
                 leaked, or the site made its folder anew: compare the fingerprint with them before you approve anything.\n",
                contest.key_fingerprint.spoken(),
                contest.site,
                contest.tries,
                ago(now, contest.last_tried)
            );
        }
        let json = json!({
            "sites": sites.iter().map(|site| json!({
                "site": site.name,
                "enrolled": site.enrolled,
                "revoked": site.revoked.as_ref().map(|revocation| json!({ "at": revocation.at, "reason": revocation.reason })),
                "last_seen": site.last_seen,
                "program_version": site.heard.as_ref().map(|heard| &heard.program_version),
                "policy_digest": site.heard.as_ref().and_then(|heard| heard.policy_digest),
                "ledger_head": site.ledger_head,
                "serials": site.serials,
                "certificate_days_left": life(site).map(|life| life.days_left(now)),
                "certificate_warning": life(site).and_then(|life| life.warning_if_overdue(now)),
                "authorities": site.authorities,
            })).collect::<Vec<_>>(),
            "waiting": waiting.iter().map(|enrolment| json!({
                "enrolment": enrolment.id,
                "site": enrolment.site,
                "key_fingerprint": enrolment.key_fingerprint,
                "requested": enrolment.requested,
            })).collect::<Vec<_>>(),
            "contested": contests.iter().map(|contest| json!({
                "site": contest.site,
                "key_fingerprint": contest.key_fingerprint,
                "tries": contest.tries,
                "last_tried": contest.last_tried,
            })).collect::<Vec<_>>(),
        });
        Ok(Answer::new(text, json))
    }
}

/// How long the newest certificate holds, and whether its node should have renewed it.
fn certificate_words(life: Life, now: UnixSeconds) -> String {
    let days = life.days_left(now);
    match life.warning_if_overdue(now) {
        Some(_) => format!("{days} days, not renewed: is its node running?"),
        None => format!("{days} days"),
    }
}
