//! The federation holds its invariants under thousands of seeds; planted faults show that the simulation would find one that
//! does not; a seed gives the same run again.

#![allow(clippy::unwrap_used)]
use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use snowball_simulation::{
    Outcome,
    planted::Planted::{self, *},
    run,
    trace::Trace,
};

/// Seconds in CI; `snowball-simulation --seeds 10000` looks at more.
const SEEDS: u64 = 3_000;
/// Each planted fault is found within so many seeds.
const SEEDS_TO_FIND: u64 = 30_000;

/// The first outcome, by seed, of those that `is_wanted` wants.
fn first(seeds: u64, planted: Option<Planted>, is_wanted: impl Fn(&Outcome) -> bool + Sync) -> Option<Outcome> {
    let (next, found) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.min(found.load(Ordering::Relaxed)) {
                        return;
                    }
                    if is_wanted(&run(seed, planted, Trace::default()).unwrap()) {
                        found.fetch_min(seed, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let seed = found.into_inner();
    (seed < seeds).then(|| run(seed, planted, Trace::default()).unwrap())
}

#[test]
fn every_invariant_holds_from_thousands_of_seeds() {
    let failed = first(SEEDS, None, |outcome| outcome.violation.is_some());
    if let Some(Outcome { seed, violation, .. }) = failed {
        panic!("{violation:?}\nsee it again: cargo run --bin snowball-simulation -- --seed {seed} --trace");
    }
}

#[test]
fn every_planted_fault_is_found_and_named() {
    let expected = [
        (ForgetsAdmitted, "no acknowledged update is lost"),
        (AnswersTooEarly, "a receipt is for an admitted update"),
        (CountsReplays, "no update counts twice"),
        (ForgetsWhoUsedAModel, "no update counts twice"),
        (ClosesEarly, "no round closes before its minimum"),
        (SumNotRebuilt, "a model is the mean of its contributors"),
        (AdmitsRevoked, "a revoked site contributes nothing"),
        (ChecksRevocationTooEarly, "a revoked site contributes nothing"),
        (CutsLedger, "ledgers are consistent"),
        (NeverResumes, "the study moves"),
        (ForgetsUnsent, "the study moves"),
        (GivesUpWithoutHead, "the study moves"),
        (KeepsUncounted, "what a site keeps is of updates that count"),
        (DropsUnheard, "what a site keeps is of updates that count"),
        (MovesControlTwice, "the control variate is the mean of the sites' own"),
    ];
    assert_eq!(expected.map(|(planted, _)| planted), Planted::ALL);
    for (planted, invariant) in expected {
        let found = first(SEEDS_TO_FIND, Some(planted), |outcome| outcome.violation.is_some());
        let violation = found.as_ref().and_then(|outcome| outcome.violation.as_ref());
        let seed = found.as_ref().map(|outcome| outcome.seed);
        println!("{planted:?}: seed {seed:?}, {violation:?}");
        assert_eq!(
            violation.map(|violation| violation.invariant),
            Some(invariant),
            "{planted:?}, seed {seed:?}"
        );
    }
}

#[test]
fn a_seed_gives_the_same_run_again() {
    for seed in 0..50 {
        let again = || run(seed, None, Trace::kept()).unwrap();
        let outcome = again();
        assert!(!outcome.trace.is_empty());
        assert_eq!(outcome, again());
        let unseen = run(seed, None, Trace::default()).unwrap();
        assert_eq!(
            (unseen.steps, unseen.seconds, unseen.ending),
            (outcome.steps, outcome.seconds, outcome.ending)
        );
    }
}
