use snowball_ledger::{Entry, Record};
use snowball_protocol::{
    Attempt, ProblemCode, RoundNumber, Sha256Digest, SiteName,
    evaluation::{ClassCount, Evaluation, HeadEvaluation},
    labels::LabelName,
    plan::Origin,
    record::RoundRecord,
    session::PhaseName,
    update::FinalEvaluation,
};
use snowball_web::{fault, numbers};

use super::*;
use crate::{
    fixture,
    report::{History, LedgerTold, SiteTold, StudyTold},
};

/// What people typed, where they were free to.
const TYPED: &str = "<script>alert('x')</script> & `{day}`";
const FIRST: i64 = 1_792_454_400;

fn digest(text: &str) -> Sha256Digest {
    Sha256Digest::of(text.as_bytes())
}

fn site(name: &str) -> SiteName {
    name.parse().unwrap()
}

fn made_up() -> Vec<Record> {
    let plan = fixture::plan("spines");
    let study = plan.study.clone();
    let mut entries = vec![
        Entry::AggregatorInitialised {
            consortium: TYPED.to_owned(),
            program_version: "0.1.0".to_owned(),
        },
        Entry::InvitationMade { site: site("north") },
        Entry::EnrolmentApproved {
            site: site("north"),
            key_fingerprint: digest("key"),
            certificate_serial: "0a0b".to_owned(),
            reason: TYPED.to_owned(),
        },
        Entry::StudyCreated {
            study: study.clone(),
            plan_digest: plan.digest(),
        },
        Entry::AuthorityAdded {
            authority: digest("second ca"),
            number: 2,
            reason: TYPED.to_owned(),
        },
        Entry::HeadRefused {
            owner: "north".to_owned(),
            head: TYPED.to_owned(),
            code: ProblemCode::LedgerForked,
        },
        Entry::StudyStarted { study: study.clone() },
        Entry::StudyDeclined {
            study: study.clone(),
            site: Some(site("west")),
            plan_digest: plan.digest(),
            clause: "purposes.allowed".to_owned(),
        },
        Entry::RoundOpened {
            study: study.clone(),
            round: RoundNumber(1),
            model_in: digest("in"),
        },
    ];
    for name in ["north", "south"] {
        entries.push(Entry::UpdateAdmitted {
            site: site(name),
            study: study.clone(),
            round: RoundNumber(1),
            attempt: Attempt(1),
            update_digest: digest(name),
            examples: 10,
            site_ledger_head: digest(&format!("head of {name}")),
        });
    }
    for code in [ProblemCode::NotFinite, ProblemCode::NotFinite, ProblemCode::RoundClosed] {
        entries.push(Entry::UpdateRefused {
            site: site("east"),
            study: study.clone(),
            round: RoundNumber(1),
            code,
        });
    }
    entries.push(Entry::RoundFinished {
        study: study.clone(),
        round: RoundNumber(1),
        model_in: digest("in"),
        model_out: digest("out"),
        control: None,
        contributions: 2,
    });
    entries.push(Entry::StudyAborted {
        study,
        reason: TYPED.to_owned(),
    });
    let record = |(index, entry)| Record {
        index: index as u64,
        time: FIRST + index as i64,
        previous: digest("before"),
        entry,
        hash: digest("this"),
    };
    entries.into_iter().enumerate().map(record).collect()
}

/// What a site says at the end: of 20 radiographs the shared model tells so many, its own so many.
fn final_of(name: &str, record: &RoundRecord, shared: u64, own: u64) -> (SiteName, FinalEvaluation) {
    let of = |correct| {
        let mut evaluation = record.evaluation.clone()?;
        let HeadEvaluation::Classes { classes, .. } = &mut evaluation.heads[0] else {
            return None;
        };
        (classes[0].images, classes[0].correct) = (20, correct);
        Some(evaluation)
    };
    let done = FinalEvaluation {
        evaluation: of(shared),
        own: of(own),
    };
    (site(name), done)
}

fn report() -> Report {
    let plan = fixture::plan("spines");
    let mut record: RoundRecord = fixture::record(&plan, 1, digest("in"), digest("out"));
    record.contributions[0].bytes = 1_234_567;
    record.evaluation = Some(Evaluation {
        model_digest: digest("in"),
        images: 10,
        heads: vec![HeadEvaluation::Classes {
            label: LabelName::BodyPart,
            loss_sum: 5.0,
            images: 10,
            classes: vec![ClassCount {
                class: "CHEST".to_owned(),
                images: 10,
                correct: 9,
                detail: None,
            }],
        }],
        reconstruction: None,
        contrast: None,
    });
    let mut history = History::default();
    made_up().iter().for_each(|record| history.add(record));
    Report {
        consortium: TYPED.to_owned(),
        address: "https://localhost:7443".to_owned(),
        ca_fingerprint: digest("ca"),
        founded: FIRST,
        made_at: FIRST,
        program_version: "0.1.0".to_owned(),
        sites: vec![SiteTold {
            name: site("north"),
            enrolled: FIRST,
            revoked: None,
            last_seen: Some(FIRST),
            program_version: Some(TYPED.to_owned()),
            policy: Some(digest("policy")),
            certificates: vec!["0a0b".to_owned()],
            ledger_key: "key".to_owned(),
            head: Some((77, digest("head of north"))),
            head_refused: None,
        }],
        studies: vec![StudyTold {
            name: plan.study.clone(),
            title: TYPED.to_owned(),
            plan_digest: plan.digest(),
            parents: parents(),
            phase: PhaseName::Abandoned,
            rounds_planned: 2,
            heads: plan.heads.clone(),
            finals: vec![final_of("north", &record, 19, 12), final_of("south", &record, 6, 17)],
            records: vec![record],
        }],
        history,
        ledger: LedgerTold {
            fault: None,
            entries: 14,
            head: Some(digest("head")),
            public_key: "key".to_owned(),
            fingerprint: Some(digest("key")),
        },
    }
}

/// A release, and the file that it began from, whose name somebody typed.
fn parents() -> Vec<Origin> {
    let mut parents = crate::fixture::start(digest("first model")).parents;
    parents[1] = Origin::File {
        name: TYPED.to_owned(),
        digest: digest("weights"),
    };
    parents
}

#[test]
fn the_page_says_what_a_study_began_from() {
    let html = page(&report(), Language::English);
    for part in [digest("weights").to_string().as_str(), "of ages", "nobody signed"] {
        assert!(html.contains(part), "{part} is missing");
    }
}

#[test]
fn the_page_is_well_formed_in_both_languages_and_what_people_typed_stays_text() {
    for language in Language::ALL {
        let html = page(&report(), language);
        assert_eq!(fault(&html), None);
        assert!(!html.contains("<script"), "{language}");
        assert!(html.matches("&lt;script&gt;").count() >= 5, "{language}");
        let body = html.split_once("<body>").unwrap().1.replace("`{day}`", "");
        assert!(!body.contains('{') && !body.contains('`'), "{language}");
    }
}

#[test]
fn every_number_is_that_of_the_ledger_or_of_the_rounds_record() {
    for language in Language::ALL {
        let html = page(&report(), language);
        let tiles = html
            .split_once("class=\"tiles\"")
            .unwrap()
            .1
            .split_once("<h2>")
            .unwrap()
            .0;
        assert_eq!(numbers(tiles), [1, 0, 2, 3, 14]);
        let rounds = html.split_once(words::LOSS.html(language).as_str()).unwrap().1;
        let row = rounds.split_once("<tbody>").unwrap().1.split_once("</tr>").unwrap().0;
        // Round, updates, radiographs, bytes, refused, silent.
        assert_eq!(numbers(row), [1, 2, 20, 1_234_571, 3, 0]);
        let refused = html.split_once(words::REFUSALS_SAY.html(language).as_str()).unwrap().1;
        let refused = refused.split_once("</table>").unwrap().0;
        assert_eq!(numbers(refused), [2, 1]);
        assert!(numbers(&html).contains(&77));
    }
}

#[test]
fn gain_and_harm_are_told_by_site_with_the_one_that_is_worst_off() {
    let html = page(&report(), Language::English);
    assert!(html.contains("a gain</span>") && html.contains("harm</span>"));
    let worst = html.split_once("Least well off for").unwrap().1;
    assert!(worst.split_once("</p>").unwrap().0.contains("south, -55.0"), "{worst}");
    assert_eq!(html.matches("<circle class=\"part0\"").count(), 2, "a row each");
    assert!(html.matches("<polyline").count() >= 4);
}

#[test]
fn detailed_metrics_are_told_by_hospital_and_over_all_where_they_left() {
    let plain = page(&report(), Language::English);
    assert!(!plain.contains("AUROC"));
    let mut told = report();
    let detailed = |evaluation: &mut Option<Evaluation>| {
        if let HeadEvaluation::Classes { classes, .. } = &mut evaluation.as_mut().unwrap().heads[0] {
            *classes = crate::quality::tests::classes();
        }
    };
    detailed(&mut told.studies[0].records[0].evaluation);
    detailed(&mut told.studies[0].finals[0].1.evaluation);
    let html = page(&told, Language::English);
    assert!(html.contains("classes weighing the same (AUROC 0.800)"), "{html}");
    let table = html
        .split_once("kappa (95 %)")
        .unwrap()
        .1
        .split_once("</table>")
        .unwrap()
        .0;
    assert_eq!(table.matches("0.800 (0.6").count(), 2, "{table}");
    assert!(
        table.contains("north") && table.contains("all") && !table.contains("south"),
        "{table}"
    );
    assert!(table.contains("0.500 (0.2") && table.contains("0.300"), "{table}");
    let french = page(&told, Language::French);
    assert!(
        french.contains("0,800 (0,6") && french.contains("patients au sein de chaque"),
        "{french}"
    );
}

#[test]
fn a_database_that_says_otherwise_than_the_ledger_is_found_out() {
    let agrees = |report: &Report| {
        let html = page(report, Language::English);
        (html.contains("agrees</span>"), html.contains("differs</span>"))
    };
    assert_eq!(agrees(&report()), (true, false));
    let changes: [fn(&mut RoundRecord); 4] = [
        |record| record.contributions[0].examples += 1,
        |record| drop(record.contributions.pop()),
        |record| record.contributions[0].site = site("west"),
        |record| record.model_out = digest("another"),
    ];
    for change in changes {
        let mut changed = report();
        change(&mut changed.studies[0].records[0]);
        assert_eq!(agrees(&changed), (false, true));
    }
}

#[test]
fn a_ledger_that_contradicts_itself_is_told() {
    let mut forked = report();
    forked.sites[0].head_refused = Some(digest("another history"));
    let html = page(&forked, Language::English);
    assert!(html.contains("its ledger contradicted itself") && html.contains("another head was refused since"));
}

#[test]
fn a_consortium_that_did_nothing_has_a_page_too() {
    let mut nothing = report();
    nothing.history = History::default();
    nothing.sites.clear();
    nothing.studies.clear();
    nothing.ledger.fault = Some("record 3 was altered".to_owned());
    for language in Language::ALL {
        let html = page(&nothing, language);
        assert_eq!(fault(&html), None);
        assert!(html.contains("record 3 was altered"));
    }
}
