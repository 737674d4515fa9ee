//! Each check of an update, failed once; and admitted updates for the tests of the strategies.

use std::ops::Range;

use proptest::prelude::*;
use snowball_protocol::{
    Attempt, ProblemCode, RoundNumber, Sha256Digest, StudyPlan,
    evaluation::Evaluation,
    plan::{Late, UpdateEncoding},
    update::{Encoding, UpdateHeader},
};

use super::*;
use crate::{
    machine::Event,
    testing::{self, Study, site},
};

/// A stretch of the second number alone.
const SECOND: [std::ops::Range<usize>; 1] = [std::ops::Range { start: 1, end: 2 }];
const VALUES: [f32; 3] = [1.0, -2.0, 2.0];

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn inspected(plan: &StudyPlan, parameters: usize, bytes: &[u8]) -> Inspected {
    inspected_keeping((plan, parameters), bytes, &[])
}

fn inspected_keeping((plan, parameters): (&StudyPlan, usize), bytes: &[u8], kept: &[Range<usize>]) -> Inspected {
    let mut inspection = Inspection::of(plan, parameters).keeping(kept.into());
    bytes.chunks(3).for_each(|piece| inspection.bytes(piece));
    inspection.finish()
}

fn header(plan: &StudyPlan, examples: u64, values: &[f32]) -> UpdateHeader {
    let bytes = bytes_of(values);
    UpdateHeader {
        study: plan.study.clone(),
        round: RoundNumber(1),
        attempt: Attempt(1),
        plan_digest: plan.digest(),
        policy_digest: Sha256Digest::of(b"policy"),
        model_in: Sha256Digest::of(b"initial"),
        layout_digest: Sha256Digest::of(b"layout"),
        encoding: Encoding::DeltaF32,
        bytes: bytes.len() as u64,
        digest: Sha256Digest::of(&bytes),
        examples,
        local_steps: plan.local.steps,
        control_from: None,
        training_loss: 0.5,
        evaluation: None,
        ledger_index: 3,
        ledger_head: Sha256Digest::of(b"head"),
    }
}

/// An admitted update of site `number`, for the tests of the strategies.
pub(crate) fn admitted(plan: &StudyPlan, number: usize, examples: u64, values: &[f32]) -> AdmittedUpdate {
    admitted_after(plan, number, (examples, plan.local.steps), values)
}

/// The same after so many local steps.
pub(crate) fn admitted_after(
    plan: &StudyPlan,
    number: usize,
    (examples, local_steps): (u64, u32),
    values: &[f32],
) -> AdmittedUpdate {
    admitted_late(plan, number, (examples, local_steps, 0), values)
}

/// The same from the model of so many rounds before.
pub(crate) fn admitted_late(
    plan: &StudyPlan,
    number: usize,
    (examples, local_steps, behind): (u64, u32, u32),
    values: &[f32],
) -> AdmittedUpdate {
    let mut header = header(plan, examples, values);
    header.local_steps = local_steps;
    admitted_with(plan, number, (&header, behind), values)
}

/// An admitted update of this round, whose site's control variate is of that one.
pub(crate) fn admitted_from(
    plan: &StudyPlan,
    number: usize,
    (examples, round, control_from): (u64, RoundNumber, Option<RoundNumber>),
    values: &[f32],
) -> AdmittedUpdate {
    let mut header = header(plan, examples, values);
    (header.round, header.control_from) = (round, control_from);
    admitted_with(plan, number, (&header, 0), values)
}

fn admitted_with(
    plan: &StudyPlan,
    number: usize,
    (header, behind): (&UpdateHeader, u32),
    values: &[f32],
) -> AdmittedUpdate {
    let site = site(number);
    let study = Study::collecting(1);
    let facts = Facts {
        site: &site,
        is_revoked: false,
        plan,
        plan_digest: header.plan_digest,
        layout_digest: header.layout_digest,
        parameters: values.len(),
        phase: &study.phase,
        header,
    };
    AdmittedUpdate::new(&facts, &inspected(plan, values.len(), &bytes_of(values)), behind)
}

struct Case {
    study: Study,
    site: SiteName,
    is_revoked: bool,
    header: UpdateHeader,
    bytes: Vec<u8>,
}

impl Case {
    fn sound() -> Self {
        let study = Study::collecting(2);
        let header = header(&study.plan, 10, &VALUES);
        Self {
            study,
            site: site(0),
            is_revoked: false,
            header,
            bytes: bytes_of(&VALUES),
        }
    }

    fn with_values(values: &[f32]) -> Self {
        let mut case = Self::sound();
        case.header = header(&case.study.plan, 10, values);
        case.bytes = bytes_of(values);
        case
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            site: &self.site,
            is_revoked: self.is_revoked,
            plan: &self.study.plan,
            plan_digest: self.study.plan.digest(),
            layout_digest: Sha256Digest::of(b"layout"),
            parameters: VALUES.len(),
            phase: &self.study.phase,
            header: &self.header,
        }
    }

    fn admit(&self) -> Result<AdmittedUpdate, Problem> {
        let inspected = inspected(&self.study.plan, VALUES.len(), &self.bytes);
        admit(&self.facts(), &inspected)
    }

    fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut case = Self::sound();
        change(&mut case);
        case
    }
}

#[test]
fn a_sound_update_is_admitted_with_its_capped_weight() {
    let update = Case::sound().admit().unwrap();
    assert_eq!((update.norm(), update.examples(), update.bytes()), (3.0, 10, 12));
    assert_eq!(
        update.event(),
        Event::UpdateAdmitted {
            site: site(0),
            round: RoundNumber(1),
            examples: 10,
            behind: 0,
        }
    );
    let heavy = Case::with(|case| case.header.examples = 5000).admit().unwrap();
    assert_eq!(heavy.examples(), 1000);
}

#[test]
fn an_update_from_an_older_model_is_admitted_where_the_plan_takes_late_ones() {
    let mut case = Case::sound();
    case.study.plan.rounds.late = Late::Fold { rounds: 1 };
    case.study.contribute(1, 1);
    case.study.contribute(0, 1);
    case.study.aggregate(2);
    case.header.round = RoundNumber(2);
    case.header.plan_digest = case.study.plan.digest();
    // Site 0 has given an update from the initial model in round 1.
    assert_eq!(case.admit().unwrap_err().code, ProblemCode::AlreadyContributed);
    case.site = site(2);
    case.study.join(2, 3);
    case.study.tick(100);
    let update = case.admit().unwrap();
    assert_eq!((update.round(), update.behind()), (RoundNumber(2), 1));
    case.header.model_in = Sha256Digest::of(b"no model");
    assert_eq!(case.admit().unwrap_err().code, ProblemCode::DigestMismatch);
}

#[test]
fn every_check_refuses_with_its_own_code() {
    type Change = fn(&mut Case);
    let cases: [(ProblemCode, Change); 15] = [
        (ProblemCode::CertificateRevoked, |case| case.is_revoked = true),
        (ProblemCode::NotJoined, |case| case.site = site(9)),
        (ProblemCode::Malformed, |case| {
            case.header.study = "other".parse().unwrap()
        }),
        (ProblemCode::StudyClosed, |case| {
            drop(case.study.send(
                Event::Aborted {
                    reason: "end".to_owned(),
                },
                1,
            ))
        }),
        (ProblemCode::RoundClosed, |case| case.header.round = RoundNumber(2)),
        (ProblemCode::AlreadyContributed, |case| {
            drop(case.study.contribute(0, 1))
        }),
        (ProblemCode::PlanMismatch, |case| {
            case.header.plan_digest = Sha256Digest::of(b"")
        }),
        (ProblemCode::LayoutMismatch, |case| {
            case.header.layout_digest = Sha256Digest::of(b"")
        }),
        (ProblemCode::PlanMismatch, |case| {
            case.header.encoding = Encoding::DeltaBf16
        }),
        (ProblemCode::LayoutMismatch, |case| case.header.bytes = u64::MAX),
        (ProblemCode::DigestMismatch, |case| {
            case.header.model_in = Sha256Digest::of(b"")
        }),
        (ProblemCode::ExamplesOutOfRange, |case| case.header.examples = 0),
        (ProblemCode::ExamplesOutOfRange, |case| case.header.examples = u64::MAX),
        (ProblemCode::NotFinite, |case| case.header.training_loss = f64::NAN),
        (ProblemCode::Malformed, |case| {
            let heads = vec![];
            let model_digest = case.header.model_in;
            case.header.evaluation = Some(Evaluation {
                model_digest,
                images: u64::MAX,
                heads,
                reconstruction: None,
                contrast: None,
            });
        }),
    ];
    for (number, (code, change)) in cases.into_iter().enumerate() {
        let case = Case::with(change);
        assert_eq!(announce(&case.facts()).unwrap_err().code, code, "case {number}");
        assert_eq!(case.admit().unwrap_err().code, code, "case {number}");
    }
}

#[test]
fn bytes_that_differ_from_the_announcement_are_refused() {
    let short = Case::with(|case| case.bytes.truncate(11));
    assert_eq!(short.admit().unwrap_err().code, ProblemCode::LayoutMismatch);
    let flipped = Case::with(|case| case.bytes[0] ^= 1);
    assert_eq!(flipped.admit().unwrap_err().code, ProblemCode::DigestMismatch);
}

#[test]
fn numbers_that_would_harm_the_model_are_refused() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert_eq!(
            Case::with_values(&[0.0, value, 0.0]).admit().unwrap_err().code,
            ProblemCode::NotFinite
        );
    }
    for value in [100.1, -1e30, f32::MAX] {
        assert_eq!(
            Case::with_values(&[0.0, value, 0.0]).admit().unwrap_err().code,
            ProblemCode::NormExceeded
        );
    }
    assert!(Case::with_values(&[0.0, 100.0, 0.0]).admit().is_ok());
}

#[test]
fn a_change_of_what_stays_at_the_sites_is_refused() {
    let case = Case::with_values(&[0.1, 0.2, 0.3]);
    let refused = |kept: &[Range<usize>]| {
        let outcome = admit(
            &case.facts(),
            &inspected_keeping((&case.study.plan, VALUES.len()), &case.bytes, kept),
        );
        outcome.err().map(|problem| problem.code)
    };
    assert_eq!(refused(&SECOND), Some(ProblemCode::KeptParameters));
    assert_eq!(refused(&[]), None);
    let case = Case::with_values(&[0.1, -0.0, 0.3]);
    assert!(
        admit(
            &case.facts(),
            &inspected_keeping((&case.study.plan, VALUES.len()), &case.bytes, &SECOND)
        )
        .is_ok()
    );
}

proptest! {
    /// However the bytes are cut, what is found is what a look at all the numbers finds.
    #[test]
    fn the_pass_finds_a_kept_number_wherever_it_lies(
        length in 1_usize..3000,
        cut in 1_usize..5000,
        places in prop::collection::btree_set(0_usize..3000, 0..4),
        edges in prop::collection::btree_set(0_usize..3000, 0..8),
    ) {
        let mut values = vec![0.0_f32; length];
        places.iter().filter(|place| **place < length).for_each(|place| values[*place] = 1e-30);
        let edges: Vec<usize> = edges.into_iter().collect();
        let kept: Vec<Range<usize>> = edges.as_chunks::<2>().0.iter().map(|[from, to]| *from..*to).collect();
        let mut inspection = Inspection::of(&testing::plan(), length).keeping(kept.clone().into());
        bytes_of(&values).chunks(cut).for_each(|piece| inspection.bytes(piece));
        let expected = kept.iter().any(|stretch| values.iter().enumerate().any(|(place, value)| stretch.contains(&place) && *value != 0.0));
        prop_assert_eq!(inspection.finish().holds_kept(), expected);
    }
}

#[test]
fn an_update_is_judged_by_the_numbers_that_its_bytes_decode_to() {
    let coded = |encoding, values: &[f32], spoil: fn(&mut Vec<u8>)| {
        let mut case = Case::sound();
        case.study.plan.transfer.encoding = encoding;
        let coding = Coding::of(&case.study.plan, VALUES.len());
        case.bytes = coding.encode(values);
        spoil(&mut case.bytes);
        case.header = header(&case.study.plan, 10, values);
        case.header.encoding = coding.of_header();
        (case.header.bytes, case.header.digest) = (case.bytes.len() as u64, Sha256Digest::of(&case.bytes));
        case.admit()
    };
    let (int8, top_k) = (UpdateEncoding::Int8, UpdateEncoding::TopK { share: 0.25 });
    for encoding in [UpdateEncoding::F32, UpdateEncoding::Bf16] {
        assert_eq!(coded(encoding, &VALUES, |_| {}).unwrap().norm(), 3.0, "{encoding:?}");
    }
    let update = coded(int8, &[127.0, -3.4, 0.0].map(|value| value / 2.0), |_| {}).unwrap();
    assert_eq!((update.norm(), update.bytes()), (f64::hypot(63.5, 1.5), 7));
    let update = coded(top_k, &VALUES, |_| {}).unwrap();
    assert_eq!(
        (update.norm(), update.bytes()),
        (2.0, 3),
        "the first of the two largest alone"
    );

    let refused = |encoding, values: &[f32], spoil| coded(encoding, values, spoil).unwrap_err().code;
    assert_eq!(refused(int8, &[0.0, 101.0, 0.0], |_| {}), ProblemCode::NormExceeded);
    assert_eq!(refused(top_k, &[0.0, 101.0, 0.0], |_| {}), ProblemCode::NormExceeded);
    assert_eq!(refused(int8, &VALUES, |bytes| bytes[3] |= 0x80), ProblemCode::Malformed);
    assert_eq!(refused(int8, &VALUES, |bytes| bytes[3] = 0x7f), ProblemCode::NotFinite);
    assert_eq!(
        refused(int8, &VALUES, |bytes| bytes.push(0)),
        ProblemCode::LayoutMismatch
    );
    assert_eq!(
        refused(top_k, &VALUES, |bytes| bytes[0] = 3),
        ProblemCode::LayoutMismatch
    );
    assert_eq!(
        refused(top_k, &VALUES, |bytes| bytes[1..].copy_from_slice(&[0x80, 0xff])),
        ProblemCode::NotFinite
    );
    assert_eq!(
        refused(UpdateEncoding::Bf16, &VALUES, |bytes| bytes.truncate(5)),
        ProblemCode::LayoutMismatch
    );
}

#[test]
fn an_update_survives_being_kept() {
    let update = Case::with_values(&[0.1, 0.2, 0.3]).admit().unwrap();
    let kept = serde_json::to_string(&update).unwrap();
    assert_eq!(serde_json::from_str::<AdmittedUpdate>(&kept).unwrap(), update);
}

#[test]
fn a_late_update_is_refused_and_a_late_joiner_waits() {
    let mut case = Case::sound();
    case.study.join(3, 1);
    case.site = site(3);
    assert_eq!(announce(&case.facts()).unwrap_err().code, ProblemCode::RoundClosed);
    case.study.contribute(0, 2);
    case.study.contribute(1, 2);
    assert_eq!(announce(&case.facts()).unwrap_err().code, ProblemCode::RoundClosed);
    case.site = site(0);
    assert_eq!(
        announce(&case.facts()).unwrap_err().code,
        ProblemCode::AlreadyContributed
    );
}
