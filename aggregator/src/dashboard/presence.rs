//! Who is here at this moment, and what each site does in a study: out of its phase, the uploads under way and the sites' signs of
//! life. Pure.

use std::collections::{BTreeMap, BTreeSet};

use snowball_protocol::{SiteName, ids::UnixSeconds};
use snowball_registry::{Answer, Participant, Site};
use snowball_rounds::{Duty, Phase};

use crate::metrics::SEEN_SECONDS;

/// What a site does in a study.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doing {
    /// It joined, and nothing is asked of it yet.
    Waits,
    /// It has the model and its update has not begun to come.
    Trains,
    /// Its update is on the way: bytes that are here, and of how many.
    Sends { bytes: u64, of: u64 },
    /// Its update of the round counts.
    Sent { at: UnixSeconds },
    /// It is to evaluate the final model.
    Evaluates,
    /// It has said how good the final model is.
    Evaluated,
    /// The coordinator has the study rest.
    Rests,
    /// It joined, and takes part no more.
    Left,
    /// Its policy does not permit the study.
    Declined,
    /// The study is over.
    Done,
}

/// One site's part in a study.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    pub site: SiteName,
    /// Its last sign of life.
    pub seen: Option<UnixSeconds>,
    pub is_here: bool,
    pub doing: Doing,
    /// The round's deadline has passed and its update is not in.
    pub is_late: bool,
    /// Training radiographs, as it said when it joined.
    pub examples: Option<u64>,
    /// The clause of its policy that forbids the study, and its words.
    pub declined: Option<(String, String)>,
}

/// Whether a site with this last sign of life is here.
pub fn is_here(seen: Option<UnixSeconds>, now: UnixSeconds) -> bool {
    seen.is_some_and(|seen| now.abs_diff(seen) <= SEEN_SECONDS)
}

/// Everybody who has answered a study, by name. `under_way` has the bytes of each upload of the round.
pub fn members(
    phase: &Phase,
    participants: &[Participant],
    sites: &[Site],
    under_way: &BTreeMap<SiteName, (u64, u64)>,
    now: UnixSeconds,
) -> Vec<Member> {
    let revoked: BTreeSet<&SiteName> = sites
        .iter()
        .filter(|site| site.revoked.is_some())
        .map(|site| &site.name)
        .collect();
    let member = |participant: &Participant| {
        let site = &participant.site;
        let seen = sites.iter().find(|known| known.name == *site)?.last_seen;
        let (doing, examples, declined) = match &participant.answer {
            Answer::Declined(decline) => (
                Doing::Declined,
                None,
                Some((decline.clause.clone(), decline.reason.clone())),
            ),
            Answer::Joined(request) => (
                doing(phase, site, under_way.get(site).copied()),
                Some(request.training_examples),
                None,
            ),
        };
        Some(Member {
            seen,
            is_here: is_here(seen, now) && !revoked.contains(site),
            is_late: matches!(doing, Doing::Trains | Doing::Sends { .. }) && is_late(phase, now),
            doing,
            examples,
            declined,
            site: site.clone(),
        })
    };
    participants.iter().filter_map(member).collect()
}

/// What a site that has joined does. `upload`: the bytes of its update that are here, and of how many.
fn doing(phase: &Phase, site: &SiteName, upload: Option<(u64, u64)>) -> Doing {
    if matches!(phase, Phase::Released(_) | Phase::Abandoned(_)) {
        return Doing::Done;
    }
    if !phase.is_member(site) {
        return Doing::Left;
    }
    if let Some(weight) = phase.contributions().get(site) {
        return Doing::Sent { at: weight.received };
    }
    if phase.paused().is_some() {
        return Doing::Rests;
    }
    match (phase.duty(site), upload) {
        (Duty::Train { .. }, Some((bytes, of))) => Doing::Sends { bytes, of },
        (Duty::Train { .. }, None) => Doing::Trains,
        (Duty::Evaluate { .. }, _) => Doing::Evaluates,
        (Duty::Done { .. }, _) => Doing::Evaluated,
        (Duty::Wait, _) => Doing::Waits,
    }
}

/// Whether a round has been open for longer than the plan meant it to.
fn is_late(phase: &Phase, now: UnixSeconds) -> bool {
    matches!(phase, Phase::Collecting(open) if open.extensions > 0 || now > open.deadline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use snowball_protocol::{RoundNumber, Sha256Digest};
    use snowball_rounds::{Event, Step};

    fn name(site: &str) -> SiteName {
        site.parse().unwrap()
    }

    fn next(phase: &Phase, event: Event, now: UnixSeconds) -> Phase {
        let Step { phase, .. } = phase.handle(event, now, &fixture::plan("spines")).unwrap();
        phase
    }

    fn collecting() -> Phase {
        let model = Sha256Digest::of(b"m");
        let mut phase = next(&Phase::draft(), Event::Started { model }, 0);
        for site in ["north", "south"] {
            phase = next(&phase, Event::Joined { site: name(site) }, 1);
        }
        assert!(matches!(phase, Phase::Collecting(_)), "{phase:?}");
        phase
    }

    #[test]
    fn what_a_site_does_follows_from_its_duty_its_upload_and_its_update() {
        let phase = collecting();
        assert_eq!(doing(&phase, &name("north"), None), Doing::Trains);
        let half = Doing::Sends { bytes: 5, of: 10 };
        assert_eq!(doing(&phase, &name("north"), Some((5, 10))), half);
        let admitted = Event::UpdateAdmitted {
            site: name("north"),
            round: RoundNumber(1),
            examples: 10,
            behind: 0,
        };
        let phase = next(&phase, admitted, 7);
        assert_eq!(doing(&phase, &name("north"), None), Doing::Sent { at: 7 });
        let reason = "upside-down films".to_owned();
        let paused = next(&phase, Event::Paused { reason }, 8);
        assert_eq!(doing(&paused, &name("south"), None), Doing::Rests);
        assert_eq!(doing(&paused, &name("north"), None), Doing::Sent { at: 7 });
        let left = next(&phase, Event::Left { site: name("south") }, 9);
        assert_eq!(doing(&left, &name("south"), None), Doing::Left);
        let reason = "wrong labels".to_owned();
        let over = next(&phase, Event::Aborted { reason }, 9);
        assert_eq!(doing(&over, &name("north"), None), Doing::Done);
    }

    #[test]
    fn a_site_is_late_when_the_deadline_is_over_and_here_while_it_gives_signs_of_life() {
        let phase = collecting();
        assert!(!is_late(&phase, 601) && is_late(&phase, 602));
        let longer = next(&phase, Event::Tick, 700);
        assert!(
            is_late(&longer, 700),
            "it was given more time, and is late all the same"
        );
        assert!(is_here(Some(100), 120) && !is_here(Some(100), 121) && !is_here(None, 0));
    }
}
