//! The numbers that a monitoring system reads: a closed list of families, each with labels of which there is a bounded number.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use anyhow::Result;
use snowball_protocol::{
    PROTOCOL_VERSION, ProblemCode, SiteName, ids::UnixSeconds, limits::HEARTBEAT_SECONDS, session::PhaseName,
};
use snowball_registry::{Certificate, Site};
use snowball_service::{
    clock, files,
    metrics::{self, Family, PHASES, Page, counter, gauge},
    tls::{self, Life},
};
use tokio::net::TcpListener;

use crate::{authorities, server_certificate::ServerCertificate, state::Shared, stop::Stop};

/// A sign of life is written down at most every ten seconds.
pub const SEEN_SECONDS: u64 = HEARTBEAT_SECONDS + 10;

const BUILD: Family = gauge(
    "snowball_build_info",
    "1; the labels say which program runs, in which version.",
);
const CERTIFICATE: Family = gauge(
    "snowball_certificate_seconds_left",
    "Seconds until a certificate ends, by kind (server, ca, site); below zero: it has ended. Of a site also those before the newest, \
     while they hold.",
);
const SITES: Family = gauge("snowball_sites", "Sites by standing (enrolled, revoked).");
const SEEN: Family = gauge(
    "snowball_sites_seen",
    "Enrolled sites with a sign of life within the last heartbeat.",
);
const SILENT: Family = gauge(
    "snowball_site_silent_seconds",
    "Seconds since the last sign of life of an enrolled site.",
);
const STUDIES: Family = gauge(
    "snowball_studies",
    "Studies by phase; drafts are nobody's business yet.",
);
const PAUSED: Family = gauge("snowball_studies_paused", "Studies that the coordinator has rest.");
const ROUND: Family = gauge(
    "snowball_study_round",
    "The round under way of a study that is not over; 0: sites join.",
);
const ROUNDS: Family = gauge("snowball_study_rounds", "How many rounds that study has.");
const ADMITTED: Family = counter("snowball_updates_admitted_total", "Updates that count.");
const REFUSED: Family = counter(
    "snowball_updates_refused_total",
    "Refused updates by code; again and again for the same in one round of one site is one.",
);
const ENTRIES: Family = gauge("snowball_ledger_entries", "Entries of the ledger.");
const FREE: Family = gauge(
    "snowball_disk_free_bytes",
    "Bytes that may still be written to the disk of the aggregator's folder.",
);

/// Gives the page to whoever asks, until it is dropped.
///
/// It listens while everything is still being opened, so that whoever asks hears that the aggregator lives and is not ready yet.
pub async fn serve(listener: TcpListener, opened: Arc<OnceLock<Shared>>, stop: Stop) {
    let app = Arc::clone(&opened);
    let write = move || {
        let app = app.get().map(Shared::clone);
        async move {
            page(&app?, clock::now())
                .await
                .inspect_err(|error| tracing::warn!(error = format!("{error:#}"), "metrics could not be written"))
                .ok()
        }
    };
    let ready = move || match opened.get() {
        _ if stop.is_asked() => Err("stopping"),
        None => Err("starting"),
        Some(_) => Ok(()),
    };
    metrics::serve(listener, write, ready).await;
}

async fn page(app: &Shared, now: UnixSeconds) -> Result<String> {
    let mut page = Page::default();
    let (version, protocol) = (env!("CARGO_PKG_VERSION"), PROTOCOL_VERSION.to_string());
    let labels = [
        ("program", "aggregator"),
        ("version", version),
        ("protocol", &*protocol),
    ];
    page.family(&BUILD, [(labels, 1)]);
    certificates(&mut page, app, now).await?;
    sites(&mut page, &app.core.registry.sites().await?, now);
    studies(&mut page, app);
    let totals = app.core.registry.totals().await?;
    page.number(&ADMITTED, totals.admitted);
    refusals(&mut page, totals.refused);
    let head = app.core.journal.write_for_head(now, Vec::new()).await?.head;
    page.number(&ENTRIES, head.entries);
    page.number(&FREE, files::free_bytes(app.home.dir())?);
    Ok(page.text())
}

/// Every code stands at nought from the start: to a monitoring system a number that appears with its first refusal did not grow.
fn refusals(page: &mut Page, counted: BTreeMap<String, u64>) {
    let mut refused: BTreeMap<String, u64> = ProblemCode::ALL.iter().map(|code| (code.name(), 0)).collect();
    refused.extend(counted);
    page.family(
        &REFUSED,
        refused.iter().map(|(code, count)| ([("code", &**code)], *count)),
    );
}

async fn certificates(page: &mut Page, app: &Shared, now: UnixSeconds) -> Result<()> {
    let mut ends: Vec<(&str, String, String, UnixSeconds)> = Vec::new();
    let server = ServerCertificate::read(&app.home)?;
    ends.push(("server", String::new(), server.serial, server.life.not_after));
    for pem in &authorities::trusted(&app.home)?.certificates_pem {
        ends.push((
            "ca",
            String::new(),
            tls::certificate_serial(pem)?,
            Life::read_pem(pem)?.not_after,
        ));
    }
    let issued = app.core.registry.live_certificates(UnixSeconds::MIN).await?;
    for (site, certificate) in worth_watching(issued, now) {
        ends.push(("site", site.to_string(), certificate.serial, certificate.expires));
    }
    let number = |(kind, site, serial, end): &(&'static str, String, String, UnixSeconds)| {
        (*kind, site.clone(), serial.clone(), end.saturating_sub(now))
    };
    let numbers: Vec<_> = ends.iter().map(number).collect();
    page.family(
        &CERTIFICATE,
        numbers
            .iter()
            .map(|(kind, site, serial, left)| ([("kind", *kind), ("site", &**site), ("serial", &**serial)], *left)),
    );
    Ok(())
}

/// What holds, and the newest of each site whether it does or not: a site that has run out must not vanish from the page.
fn worth_watching(issued: Vec<(SiteName, Certificate)>, now: UnixSeconds) -> Vec<(SiteName, Certificate)> {
    let newest: BTreeMap<SiteName, String> = issued
        .iter()
        .map(|(site, certificate)| (site.clone(), certificate.serial.clone()))
        .collect();
    issued
        .into_iter()
        .filter(|(site, one)| one.expires >= now || newest.get(site) == Some(&one.serial))
        .collect()
}

fn sites(page: &mut Page, sites: &[Site], now: UnixSeconds) {
    let enrolled: Vec<&Site> = sites.iter().filter(|site| site.revoked.is_none()).collect();
    let revoked = sites.len() - enrolled.len();
    page.family(
        &SITES,
        [("enrolled", enrolled.len()), ("revoked", revoked)]
            .map(|(standing, count)| ([("standing", standing)], count as u64)),
    );
    let silent = |site: &&Site| Some((site.name.to_string(), now.abs_diff(site.last_seen?)));
    let silent: Vec<_> = enrolled.iter().filter_map(silent).collect();
    let seen = silent.iter().filter(|(_, seconds)| *seconds <= SEEN_SECONDS).count();
    page.number(&SEEN, seen as u64);
    page.family(
        &SILENT,
        silent.iter().map(|(site, seconds)| ([("site", &**site)], *seconds)),
    );
}

fn studies(page: &mut Page, app: &Shared) {
    let desks: Vec<_> = app
        .studies
        .all()
        .into_iter()
        .map(|desk| {
            let seen = desk.look(|phase| (phase.name(), phase.paused().is_some(), phase.round().0));
            (seen, desk)
        })
        .collect();
    page.family(
        &STUDIES,
        PHASES.map(|(phase, name)| {
            let count = desks.iter().filter(|((now, ..), _)| *now == phase).count();
            ([("phase", name)], count as u64)
        }),
    );
    let paused = desks.iter().filter(|((_, is_paused, _), _)| *is_paused).count();
    page.number(&PAUSED, paused as u64);
    let open = || {
        desks
            .iter()
            .filter(|((phase, ..), _)| !matches!(phase, PhaseName::Released | PhaseName::Abandoned))
    };
    page.family(
        &ROUND,
        open().map(|((.., round), desk)| ([("study", desk.plan().study.as_str())], *round)),
    );
    page.family(
        &ROUNDS,
        open().map(|(_, desk)| ([("study", desk.plan().study.as_str())], desk.plan().rounds.count)),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_called_as_everywhere() {
        for (phase, name) in PHASES {
            assert_eq!(serde_json::to_value(phase).unwrap(), name);
        }
    }

    #[test]
    fn a_certificate_that_ended_stays_on_the_page_until_a_newer_one_takes_its_place() {
        let issued = |all: &[(&str, &str, UnixSeconds)]| -> Vec<_> {
            all.iter()
                .map(|(site, serial, expires)| {
                    let certificate = Certificate {
                        serial: (*serial).to_owned(),
                        pem: String::new(),
                        expires: *expires,
                    };
                    (site.parse().unwrap(), certificate)
                })
                .collect()
        };
        let all = issued(&[
            ("north", "1", 50),
            ("north", "2", 120),
            ("north", "3", 90),
            ("south", "4", 60),
        ]);
        let watched = worth_watching(all, 100).into_iter().map(|(_, one)| one.serial);
        assert_eq!(watched.collect::<Vec<_>>(), ["2", "3", "4"]);
    }

    #[test]
    fn a_code_that_nobody_met_yet_stands_at_nought() {
        let mut page = Page::default();
        refusals(&mut page, BTreeMap::from([("norm_exceeded".to_owned(), 2)]));
        let text = page.text();
        for line in [
            "snowball_updates_refused_total{code=\"norm_exceeded\"} 2",
            "snowball_updates_refused_total{code=\"round_closed\"} 0",
        ] {
            assert_eq!(text.lines().filter(|one| *one == line).count(), 1, "{line} in\n{text}");
        }
        let lines = text
            .lines()
            .filter(|line| line.starts_with("snowball_updates_refused_total{"));
        assert_eq!(lines.count(), ProblemCode::ALL.len());
    }

    #[test]
    fn who_was_seen_is_told_from_who_is_silent_or_shut_out() {
        let site = |name: &str, seen: Option<UnixSeconds>, is_revoked: bool| Site {
            name: name.parse().unwrap(),
            ledger_key: String::new(),
            enrolled: 0,
            revoked: is_revoked.then(|| snowball_registry::Revocation {
                at: 1,
                reason: "a reason".to_owned(),
            }),
            last_seen: seen,
            heard: None,
            ledger_index: None,
            ledger_head: None,
            head: None,
            head_refused: None,
            serials: Vec::new(),
            authorities: Vec::new(),
        };
        let all = [
            site("north", Some(990), false),
            site("south", Some(500), false),
            site("east", None, false),
            site("west", Some(999), true),
        ];
        let mut page = Page::default();
        sites(&mut page, &all, 1000);
        let text = page.text();
        for line in [
            "snowball_sites{standing=\"enrolled\"} 3",
            "snowball_sites{standing=\"revoked\"} 1",
            "snowball_sites_seen 1",
            "snowball_site_silent_seconds{site=\"south\"} 500",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
        }
        assert!(!text.contains("west") && !text.contains("a reason"));
    }
}
