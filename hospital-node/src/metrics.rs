//! The numbers that a monitoring system reads of a node that runs: a closed list of families. Nothing of a patient is among them, not
//! even a count.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use snowball_egress::{EgressError, SharedLedger};
use snowball_protocol::{
    PROTOCOL_VERSION, ProblemCode,
    ids::UnixSeconds,
    session::{PhaseName, StudySummary},
};
use snowball_service::{
    clock, files,
    metrics::{self, Family, PHASES, Page, Readiness, counter, gauge},
    tls::{self, Life},
};
use tokio::net::TcpListener;

use crate::{authorities, home::Home, policy, renewal};

const BUILD: Family = gauge(
    "snowball_build_info",
    "1; the labels say which program runs, in which version.",
);
const CERTIFICATE: Family = gauge(
    "snowball_certificate_seconds_left",
    "Seconds until a certificate ends, by kind (node, ca); below zero: it has ended.",
);
const POLICY: Family = gauge(
    "snowball_policy_seconds_left",
    "Seconds until the policy in force expires; absent: none is in force.",
);
const CONTACT: Family = gauge(
    "snowball_aggregator_silent_seconds",
    "Seconds since the aggregator last answered; absent: not since the start.",
);
const STUDIES: Family = gauge("snowball_studies", "Studies that the aggregator lists, by phase.");
const ROUND: Family = gauge(
    "snowball_study_round",
    "The round under way of a study that this site joined.",
);
const CONTRIBUTED: Family = counter(
    "snowball_updates_contributed_total",
    "Updates that counted, since the start.",
);
const REFUSED: Family = counter(
    "snowball_updates_refused_total",
    "Updates that came to nothing since the start, by the aggregator's code, or policy_denied, or fault.",
);
const ENTRIES: Family = gauge("snowball_ledger_entries", "Entries of the ledger.");
const FREE: Family = gauge(
    "snowball_disk_free_bytes",
    "Bytes that may still be written to the disk of the node's home.",
);

/// A node asks every few seconds; one that heard nothing for so long is not ready.
const SILENT_SECONDS_MAX: i64 = 60;

/// This hospital's own policy kept an update.
const DENIED: &str = "policy_denied";
/// Something broke here.
const FAULT: &str = "fault";

/// What the driver notes as it works.
#[derive(Default)]
pub struct Vitals(Mutex<Noted>);

struct Noted {
    heard: Option<UnixSeconds>,
    studies: Vec<StudySummary>,
    contributed: u64,
    refused: BTreeMap<String, u64>,
}

impl Default for Noted {
    /// Every code stands at nought from the start: to a monitoring system a number that appears with its first refusal did not grow.
    fn default() -> Self {
        let own = [DENIED, FAULT].map(str::to_owned);
        let refused = ProblemCode::ALL.iter().map(|code| code.name()).chain(own);
        Self {
            heard: None,
            studies: Vec::new(),
            contributed: 0,
            refused: refused.map(|code| (code, 0)).collect(),
        }
    }
}

impl Vitals {
    /// The aggregator said which studies there are.
    pub fn heard(&self, studies: &[StudySummary], now: UnixSeconds) {
        self.note(|noted| {
            noted.heard = Some(now);
            noted.studies = studies.to_vec();
        });
    }

    /// An update counted.
    pub fn contributed(&self) {
        self.note(|noted| noted.contributed += 1);
    }

    /// An update came to nothing.
    pub fn refused(&self, fault: &anyhow::Error) {
        self.note(|noted| *noted.refused.entry(code(fault)).or_default() += 1);
    }

    /// Whether this node follows studies: the aggregator took it, and answered not long ago.
    fn readiness(&self, now: UnixSeconds) -> Readiness {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match noted.heard {
            None => Err("the aggregator has not answered yet"),
            Some(heard) if now.saturating_sub(heard) > SILENT_SECONDS_MAX => Err("the aggregator does not answer"),
            Some(_) => Ok(()),
        }
    }

    fn note(&self, change: impl FnOnce(&mut Noted)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn write(&self, page: &mut Page, now: UnixSeconds) {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        page.family(&CONTACT, noted.heard.map(|heard| ([], now.saturating_sub(heard))));
        page.family(
            &STUDIES,
            PHASES.map(|(phase, name)| {
                let count = noted.studies.iter().filter(|study| study.phase == phase).count();
                ([("phase", name)], count as u64)
            }),
        );
        let joined = noted.studies.iter().filter(|study| {
            let is_over = matches!(study.phase, PhaseName::Released | PhaseName::Abandoned);
            study.joined && !is_over
        });
        page.family(
            &ROUND,
            joined.map(|study| ([("study", study.study.as_str())], study.round.0)),
        );
        page.number(&CONTRIBUTED, noted.contributed);
        page.family(
            &REFUSED,
            noted.refused.iter().map(|(code, count)| ([("code", &**code)], *count)),
        );
    }
}

/// The aggregator's code, of which there is a closed list, or one of two of our own.
fn code(fault: &anyhow::Error) -> String {
    match fault.downcast_ref() {
        Some(EgressError::Refused(problem)) => problem.code.name(),
        Some(EgressError::Denied { .. }) => DENIED.to_owned(),
        _ => FAULT.to_owned(),
    }
}

/// Gives the page to whoever asks, until it is dropped.
pub async fn serve(listener: TcpListener, home: Home, ledger: SharedLedger, vitals: Arc<Vitals>) {
    let ready = {
        let vitals = Arc::clone(&vitals);
        move || vitals.readiness(clock::now())
    };
    let write = move || {
        let (home, ledger, vitals) = (home.clone(), Arc::clone(&ledger), Arc::clone(&vitals));
        async move {
            // Files are read and the ledger's lock is waited for.
            let written = tokio::task::spawn_blocking(move || page(&home, &ledger, &vitals, clock::now())).await;
            let written = written.map_err(anyhow::Error::from).flatten();
            written
                .inspect_err(|fault| tracing::warn!(fault = format!("{fault:#}"), "metrics could not be written"))
                .ok()
        }
    };
    metrics::serve(listener, write, ready).await;
}

fn page(home: &Home, ledger: &SharedLedger, vitals: &Vitals, now: UnixSeconds) -> Result<String> {
    let mut page = Page::default();
    let (version, protocol) = (env!("CARGO_PKG_VERSION"), PROTOCOL_VERSION.to_string());
    let labels = [
        ("program", "hospital-node"),
        ("version", version),
        ("protocol", &*protocol),
    ];
    page.family(&BUILD, [(labels, 1)]);
    let own = renewal::current(home)?;
    let mut ends = vec![("node", own.serial, own.not_after)];
    for pem in &authorities::trusted(home)?.certificates_pem {
        ends.push(("ca", tls::certificate_serial(pem)?, Life::read_pem(pem)?.not_after));
    }
    page.family(
        &CERTIFICATE,
        ends.iter()
            .map(|(kind, serial, end)| ([("kind", *kind), ("serial", &**serial)], end.saturating_sub(now))),
    );
    let expires = policy::in_force(home).ok().map(|signed| signed.policy.expires());
    page.family(&POLICY, expires.map(|expires| ([], expires.saturating_sub(now))));
    vitals.write(&mut page, now);
    let head = ledger.lock().unwrap_or_else(PoisonError::into_inner).head();
    page.number(&ENTRIES, head.entries);
    page.number(&FREE, files::free_bytes(home.root())?);
    Ok(page.text())
}

#[cfg(test)]
mod tests {
    use snowball_protocol::{Problem, RoundNumber, Sha256Digest};

    use super::*;

    #[test]
    fn the_page_says_where_studies_stand_and_what_was_refused() {
        let study = |name: &str, phase, joined| StudySummary {
            study: name.parse().unwrap(),
            plan_digest: Sha256Digest::of(b"plan"),
            phase,
            round: RoundNumber(3),
            joined,
            paused: false,
        };
        let vitals = Vitals::default();
        let studies = [
            study("ours", PhaseName::Collecting, true),
            study("theirs", PhaseName::Collecting, false),
            study("past", PhaseName::Released, true),
        ];
        assert_eq!(vitals.readiness(90), Err("the aggregator has not answered yet"));
        vitals.heard(&studies, 90);
        assert_eq!(vitals.readiness(90 + SILENT_SECONDS_MAX), Ok(()));
        assert_eq!(
            vitals.readiness(91 + SILENT_SECONDS_MAX),
            Err("the aggregator does not answer")
        );
        vitals.contributed();
        let refused = EgressError::Refused(Problem::new(
            ProblemCode::NormExceeded,
            "words that nobody else may read",
        ));
        vitals.refused(&anyhow::Error::new(refused).context("more words"));
        vitals.refused(&anyhow::anyhow!("the trainer broke off"));
        let mut page = Page::default();
        vitals.write(&mut page, 100);
        let text = page.text();
        for line in [
            "snowball_aggregator_silent_seconds 10",
            "snowball_studies{phase=\"collecting\"} 2",
            "snowball_studies{phase=\"released\"} 1",
            "snowball_study_round{study=\"ours\"} 3",
            "snowball_updates_contributed_total 1",
            "snowball_updates_refused_total{code=\"norm_exceeded\"} 1",
            "snowball_updates_refused_total{code=\"fault\"} 1",
            // Not yet, and yet there: the first one of a code is seen to come.
            "snowball_updates_refused_total{code=\"policy_denied\"} 0",
            "snowball_updates_refused_total{code=\"round_closed\"} 0",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
        }
        assert!(!text.contains("theirs") && !text.contains("past") && !text.contains("words"));
    }
}
