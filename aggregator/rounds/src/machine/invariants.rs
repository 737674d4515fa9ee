//! What the machine must hold under any sequence of events, at any times.

use std::collections::BTreeSet;

use proptest::prelude::*;
use snowball_protocol::{
    RoundNumber, Sha256Digest, SiteName, StudyPlan,
    ids::UnixSeconds,
    plan::{Late, Span},
};

use super::{Addition, Effect, Event, Phase, Step};
use crate::testing::{self, site};

/// One operation, with the seconds that pass before it. Clocks may also jump back.
#[derive(Clone, Debug)]
struct Operation {
    seconds: i64,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Start,
    Join(usize),
    Leave(usize),
    /// A site, and how far its round is from the one under way.
    Contribute(usize, i32),
    /// A site, and from the model of how many rounds ago.
    ContributeLate(usize, u32),
    Tick,
    TickWhenDue,
    Aggregate,
    Evaluate(usize),
    Sign,
    Pause,
    Resume,
    Abort,
}

fn operation() -> impl Strategy<Value = Operation> {
    let what = prop_oneof![
        2 => Just(What::Start),
        8 => (0_usize..7).prop_map(What::Join),
        2 => (0_usize..7).prop_map(What::Leave),
        20 => ((0_usize..7), prop_oneof![8 => Just(0), 1 => -1..=1]).prop_map(|(site, away)| What::Contribute(site, away)),
        8 => ((0_usize..7), 1_u32..4).prop_map(|(site, behind)| What::ContributeLate(site, behind)),
        4 => Just(What::Tick),
        4 => Just(What::TickWhenDue),
        8 => Just(What::Aggregate),
        4 => (0_usize..7).prop_map(What::Evaluate),
        1 => Just(What::Sign),
        1 => Just(What::Pause),
        3 => Just(What::Resume),
        1 => prop::bool::weighted(0.1).prop_map(|abort| if abort { What::Abort } else { What::Tick }),
    ];
    (prop_oneof![8 => 0_i64..5, 1 => 0_i64..200, 1 => -20_i64..0], what)
        .prop_map(|(seconds, what)| Operation { seconds, what })
}

fn plans() -> impl Strategy<Value = StudyPlan> {
    let span = |min: u32, max: u32| (min..=max, 0..=max).prop_map(|(min, more)| Span { min, max: min + more });
    (
        1_u32..4,
        span(1, 4),
        span(0, 20),
        span(1, 4),
        span(1, 30),
        0_u32..30,
        0_u32..3,
    )
        .prop_map(
            |(count, sites, recruit_seconds, mut updates, collect_seconds, review_seconds_max, late)| {
                updates.min = updates.min.min(sites.max);
                updates.max = updates.max.max(updates.min);
                let mut plan = testing::plan();
                plan.rounds.count = count;
                plan.rounds.sites = sites;
                plan.rounds.recruit_seconds = recruit_seconds;
                plan.rounds.updates = updates;
                plan.rounds.collect_seconds = collect_seconds;
                plan.rounds.review_seconds_max = review_seconds_max;
                if late > 0 {
                    plan.rounds.late = Late::Fold { rounds: late };
                }
                assert_eq!(plan.faults(), vec![]);
                plan
            },
        )
}

fn event_of(what: &What, phase: &Phase) -> Event {
    let RoundNumber(round) = phase.round();
    match what {
        What::Start => Event::Started {
            model: Sha256Digest::of(b"initial"),
        },
        What::Join(number) => Event::Joined { site: site(*number) },
        What::Leave(number) => Event::Left { site: site(*number) },
        What::Contribute(number, away) => Event::UpdateAdmitted {
            site: site(*number),
            round: RoundNumber(round.saturating_add_signed(*away)),
            examples: *number as u64 + 1,
            behind: 0,
        },
        What::ContributeLate(number, behind) => Event::UpdateAdmitted {
            site: site(*number),
            round: RoundNumber(round),
            examples: *number as u64 + 1,
            behind: *behind,
        },
        What::Tick | What::TickWhenDue => Event::Tick,
        What::Aggregate => Event::Aggregated {
            round: RoundNumber(round),
            model: Sha256Digest::of(&round.to_le_bytes()),
            control: None,
        },
        What::Evaluate(number) => Event::Evaluated { site: site(*number) },
        What::Sign => Event::ReleaseSigned {
            release: Sha256Digest::of(b"release"),
        },
        What::Pause => Event::Paused {
            reason: "something is wrong".to_owned(),
        },
        What::Resume => Event::Resumed,
        What::Abort => Event::Aborted {
            reason: "the coordinator says so".to_owned(),
        },
    }
}

/// Checks one step against what was seen before it.
fn check(before: &Phase, event: &Event, step: &Step, now: UnixSeconds, plan: &StudyPlan) -> Result<(), TestCaseError> {
    let rounds = &plan.rounds;
    let count = |number: usize| u32::try_from(number).unwrap();
    if let Phase::Collecting(phase) = step.phase.within() {
        prop_assert!(count(phase.contributions.len()) <= rounds.updates.max);
        prop_assert!(count(step.phase.members().len()) <= rounds.sites.max);
        prop_assert!(phase.round.0 <= rounds.count);
        let is_complete = phase.sites.iter().all(|site| phase.contributions.contains_key(site));
        prop_assert!(
            count(phase.contributions.len()) < rounds.updates.min || !is_complete,
            "an overdue round is open"
        );
    }
    if let (Phase::Collecting(open), Phase::Aggregating(closed)) = (before.within(), step.phase.within()) {
        // The clock of a paused study stands still.
        let now = before.paused().map_or(now, |paused| paused.since);
        prop_assert!(
            count(closed.contributions.len()) >= rounds.updates.min,
            "closed without a quorum"
        );
        let is_complete = closed.silent.is_empty();
        // A round that was extended has waited, also where the clock was set back since.
        let is_waited = open.extensions > 0 || now - open.opened >= i64::from(rounds.collect_seconds.min);
        prop_assert!(is_complete || is_waited, "the rest was shut out");
        let grown: BTreeSet<&SiteName> = open.contributions.keys().collect();
        prop_assert!(
            grown.iter().all(|site| closed.contributions.contains_key(*site)),
            "a contribution was lost"
        );
    }
    if let (Event::UpdateAdmitted { site, round, .. }, true) = (event, step.changed) {
        prop_assert!(!before.has_contributed(site), "two contributions of one site");
        prop_assert_eq!(*round, before.round());
        prop_assert!(step.phase.has_contributed(site));
    }
    if let (Event::Tick, Some(due)) = (event, before.next_wake(plan)) {
        prop_assert_eq!(step.changed, now >= due, "a tick does something exactly when it is due");
    }
    prop_assert!(step.phase.round() >= before.round(), "rounds only grow");
    prop_assert!(step.changed || step.effects.is_empty(), "an effect without a change");
    let ends = step
        .effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Finish { .. } | Effect::Abandon { .. }))
        .count();
    prop_assert!(ends <= 1);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_events_keeps_the_rules(plan in plans(), operations in prop::collection::vec(operation(), 1..150)) {
        let mut now = 1_000;
        let mut phase = Phase::draft();
        let mut counted = BTreeSet::new();
        for Operation { seconds, what } in operations {
            now += seconds;
            if let (What::TickWhenDue, Some(due)) = (&what, phase.next_wake(&plan)) {
                now = now.max(due);
            }
            let event = event_of(&what, &phase);
            let kept = serde_json::to_string(&phase).unwrap();
            let restarted: Phase = serde_json::from_str(&kept).unwrap();
            prop_assert_eq!(&restarted, &phase, "a restart changes the state");
            let addition = phase.addition(&event, now, &plan);
            match phase.handle(event.clone(), now, &plan) {
                Ok(step) => {
                    if let Some(addition) = &addition {
                        let mut added = phase.clone();
                        prop_assert!(added.add(addition));
                        prop_assert_eq!(&added, &step.phase, "an addition is not what the event does");
                        prop_assert!(step.changed && step.effects.is_empty());
                        let kept: Addition = serde_json::from_str(&serde_json::to_string(addition).unwrap()).unwrap();
                        prop_assert_eq!(&kept, addition);
                        for other in (0..7).map(site).filter(|other| other != addition.site()) {
                            prop_assert_eq!(phase.duty(&other), added.duty(&other), "another site has something else to do");
                        }
                    }
                    prop_assert_eq!(restarted.handle(event.clone(), now, &plan).unwrap(), step.clone());
                    check(&phase, &event, &step, now, &plan)?;
                    if let Event::UpdateAdmitted { site, round, behind, .. } = event {
                        prop_assert!(behind <= plan.rounds.late.rounds_max(), "later than the plan allows");
                        prop_assert!(behind < round.0, "from a model that never was");
                        prop_assert!(counted.insert((site, round.0 - behind)), "two updates of one site from one model");
                    }
                    phase = step.phase;
                }
                Err(problem) => {
                    prop_assert!(!matches!(event, Event::Tick | Event::Left { .. }), "{problem}");
                    prop_assert_eq!(addition, None, "a refused event adds nothing");
                    prop_assert_eq!(restarted.handle(event, now, &plan).unwrap_err(), problem);
                }
            }
        }
    }

    /// Whatever happened so far: when sites do what they are asked to and time passes, a study that was not ended
    /// comes to its release, or is abandoned while recruiting.
    #[test]
    fn every_study_can_end(plan in plans(), operations in prop::collection::vec(operation(), 1..60)) {
        let mut now = 1_000;
        let mut phase = Phase::draft();
        let send = |phase: &mut Phase, what: What, now: UnixSeconds| {
            if let Ok(step) = phase.handle(event_of(&what, phase), now, &plan) {
                *phase = step.phase;
            }
        };
        for Operation { seconds, what } in operations {
            now += seconds;
            send(&mut phase, what, now);
        }
        send(&mut phase, What::Resume, now);
        for _ in 0..40 {
            send(&mut phase, What::Start, now);
            for number in 0..7 {
                send(&mut phase, What::Join(number), now);
                send(&mut phase, What::Contribute(number, 0), now);
                send(&mut phase, What::Evaluate(number), now);
            }
            send(&mut phase, What::Aggregate, now);
            send(&mut phase, What::Sign, now);
            now = phase.next_wake(&plan).map_or(now, |due| due.max(now));
            send(&mut phase, What::Tick, now);
        }
        prop_assert!(matches!(phase, Phase::Released(_) | Phase::Abandoned(_)), "still {:?}", phase.name());
    }
}
