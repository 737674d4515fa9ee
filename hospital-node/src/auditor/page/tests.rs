use std::collections::BTreeMap;

use snowball_ledger::Entry;
use snowball_protocol::RoundNumber;
use snowball_store::{Cell, Census, Redactions};
use snowball_web::{fault, numbers};

use super::*;
use crate::{
    auditor::{
        Approvals, Period,
        testing::{TYPED, history, made_up},
    },
    evidence::{Counted, Evidence, LedgerTold, SmallCells},
};

fn audit(period: Period) -> Audit {
    let evidence = Evidence {
        site: "north".to_owned(),
        made_at: 1_795_000_000,
        program_version: "0.2.0".to_owned(),
        edition: "2026c".to_owned(),
        cell_min: 5,
        rules: Err(TYPED.to_owned()),
        files: Counted::default(),
        attributes: Vec::new(),
        kept: Vec::new(),
        redactions: Redactions {
            radiographs: 1_234,
            redacted: 2,
            areas: 3,
            markers: 4,
        },
        card: Vec::new(),
        selftest: None,
        reviews: Vec::new(),
        census: Census {
            total: Cell::Hidden { below: 5 },
            tables: BTreeMap::new(),
        },
        small_cells: SmallCells {
            combinations: 30,
            small: 2,
            patients: Cell::Hidden { below: 5 },
        },
        ledger: LedgerTold {
            verified: true,
            fault: None,
            entries: 40,
            head: Some(Sha256Digest::of(b"head")),
            public_key: "key".to_owned(),
        },
    };
    let approval = Approval {
        board: TYPED.to_owned(),
        reference: TYPED.to_owned(),
        begins: 0,
        expires: 86_400,
    };
    Audit {
        period,
        history: history(&made_up(), period).told(None, 5),
        approvals: Approvals(BTreeMap::from([(Sha256Digest::of(b"policy 2"), approval)])),
        explanation: Some(format!("Policy\n\nHeading\n- {TYPED}\n\nEnd\n")),
        aggregator: None,
        certificate: None,
        ledger_key_fingerprint: None,
        evidence,
    }
}

#[test]
fn the_page_is_well_formed_in_both_languages_and_what_people_typed_stays_text() {
    for language in Language::ALL {
        let html = page(&audit(Period::default()), language);
        assert_eq!(fault(&html), None);
        assert!(!html.contains("<script"), "{language}");
        assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)"), "{language}");
        // A value that was left out would stand in braces; what people typed stands there as they typed it.
        let body = html.split_once("<body>").unwrap().1.replace("`{bytes}`", "");
        assert!(!body.contains('{') && !body.contains('`'), "{language}");
        assert!(html.contains(&format!("<html lang=\"{language}\">")));
    }
}

#[test]
fn every_sum_on_the_page_is_that_of_the_ledger() {
    let records = made_up();
    let (mut updates, mut requests, mut update_count, mut request_count, mut denied) = (0, 0, 0, 0, 0);
    for record in &records {
        match &record.entry {
            Entry::UpdateApproved { bytes, .. } => {
                updates += bytes;
                update_count += 1;
            }
            Entry::DisclosureSent { bytes, .. } => {
                requests += bytes;
                request_count += 1;
            }
            Entry::DecisionMade { permitted: false, .. } => denied += 1,
            _ => {}
        }
    }
    for language in Language::ALL {
        let html = page(&audit(Period::default()), language);
        let total = words::TOTAL.html(language);
        let row = html.split(&format!("<tr><td>{}</td>", total.as_str())).nth(1).unwrap();
        let row = row.split_once("</tr>").unwrap().0;
        assert_eq!(
            numbers(row),
            [update_count, updates, request_count, requests, updates + requests]
        );
        let tiles = html.split_once("class=\"tiles\"").unwrap().1;
        let tiles = tiles.split_once("<h2>").unwrap().0;
        assert_eq!(numbers(tiles), [updates + requests, 3, 1, denied, 40]);
        let months = html.split_once("<tbody>").unwrap().1;
        assert!(numbers(months).contains(&updates));
    }
}

/// Three files of 73 are too few to be told; the 12 beside them are hidden because the 3 could be had from them.
#[test]
fn small_counts_are_not_on_the_page() {
    let html = page(&audit(Period::default()), Language::English);
    let not_dicom = words::reason(snowball_protocol::intake::IntakeReason::NotDicom).html(Language::English);
    let row = html.split(&format!("<td>{}</td>", not_dicom.as_str())).nth(1).unwrap();
    assert!(row.split_once("</tr>").unwrap().0.contains("fewer than 5"));
    let excluded = html.split_once("What was kept out").unwrap().1;
    let excluded = numbers(excluded.split_once("What the policy decided").unwrap().0);
    assert!(
        excluded.contains(&1_234) && excluded.contains(&73) && excluded.contains(&58),
        "{excluded:?}"
    );
    assert!(!excluded.contains(&3) && !excluded.contains(&12), "{excluded:?}");
    // One patient withdrew: neither that it was one nor how much they had is told.
    assert!(!numbers(&html).contains(&4_242));
}

#[test]
fn a_broken_ledger_is_said_to_be_broken() {
    let mut audit = audit(Period::default());
    audit.evidence.ledger.fault = Some("record 3 was altered".to_owned());
    audit.evidence.ledger.verified = false;
    let html = page(&audit, Language::French);
    assert!(html.contains("Ne vous fiez pas à cette page") && html.contains("record 3 was altered"));
}

#[test]
fn an_aggregator_that_contradicted_itself_is_told() {
    let html = page(&audit(Period::default()), Language::English);
    assert!(html.contains("heads of the aggregator that contradicted an earlier one"));
}

#[test]
fn a_node_that_did_nothing_has_a_page_too() {
    let mut audit = audit(Period::default());
    audit.history = history(&[], Period::default()).told(None, 5);
    for language in Language::ALL {
        let html = page(&audit, language);
        assert_eq!(fault(&html), None);
        assert!(html.contains(words::LEFT_NOTHING.html(language).as_str()));
    }
}

/// The aggregator had none when it was asked after the end: that is no receipt that may still come.
#[test]
fn a_receipt_that_can_no_longer_be_had_is_said_in_both_languages() {
    let mut told = audit(Period::default());
    let round = |number| RoundNumber(number);
    let study = told.history.studies.get_mut(&"spines".parse().unwrap()).unwrap();
    study.rounds.entry(round(4)).or_default().update = Some(Sha256Digest::of(b"never answered"));
    for language in Language::ALL {
        let waits = page(&told, language);
        let (yet, never) = (
            words::RECEIPT_MISSING.html(language),
            words::RECEIPT_NOT_HAD.html(language),
        );
        assert!(
            waits.contains(yet.as_str()) && !waits.contains(never.as_str()),
            "{language}"
        );
    }
    let mut records = made_up();
    let mut last = records.last().unwrap().clone();
    last.entry = Entry::ReceiptNotHad {
        study: "spines".parse().unwrap(),
        round: round(4),
        update_digest: Sha256Digest::of(b"never answered"),
    };
    records.push(last);
    told.history = history(&records, Period::default()).told(None, 5);
    for language in Language::ALL {
        let over = page(&told, language);
        assert!(
            over.contains(words::RECEIPT_NOT_HAD.html(language).as_str()),
            "{language}"
        );
    }
}
