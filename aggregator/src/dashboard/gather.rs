//! Reads what the pages tell out of the registry and the folder, as the commands do; changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use snowball_protocol::{RoundNumber, SiteName, StudyName, ids::UnixSeconds, record::Refusal};
use snowball_registry::{
    Certificate, Contest, Decision, Enrolment, Participant, Registry, RegistryError, Round, Site, Study,
};
use snowball_rounds::Phase;
use snowball_service::{files, tls::Life};

use super::{
    attention::{self, Matter, SILENT_SECONDS},
    presence::{self, Doing, Member},
};
use crate::{config::Config, home::Home, identity, report::StudyTold};

/// A study with who takes part.
pub struct Known {
    pub study: Study,
    pub members: Vec<Member>,
    /// Of the round under way, and of the one before.
    pub refusals: Vec<(u32, Refusal)>,
}

/// What the first page tells.
pub struct Overview {
    pub now: UnixSeconds,
    pub consortium: String,
    /// Oldest first.
    pub studies: Vec<Known>,
    pub sites: Vec<Site>,
    /// The worst first.
    pub matters: Vec<Matter>,
}

/// What the page of a study tells.
pub struct StudyView {
    pub now: UnixSeconds,
    pub known: Known,
    pub rounds: Vec<Round>,
    /// Of every round, with its number.
    pub refusals: Vec<(u32, Refusal)>,
    pub told: StudyTold,
}

/// What the page of the sites tells.
pub struct SitesView {
    pub now: UnixSeconds,
    pub sites: Vec<(Site, Option<Life>)>,
    pub waiting: Vec<Enrolment>,
    pub contests: Vec<Contest>,
    /// For whom an invitation is open.
    pub invited: Vec<SiteName>,
}

/// Whether a study is neither a draft nor over.
pub const fn is_open(phase: &Phase) -> bool {
    !matches!(phase, Phase::Draft(_) | Phase::Released(_) | Phase::Abandoned(_))
}

/// The first page. `ledger` is what was last found wrong with the ledger.
pub async fn overview(
    (registry, home, config): (&Registry, &Home, &Config),
    ledger: Option<String>,
    now: UnixSeconds,
) -> Result<Overview> {
    let consortium = registry.consortium().await?;
    let consortium = consortium.context("the database names no consortium; run aggregator doctor")?;
    let sites = registry.sites().await?;
    let mut studies = Vec::new();
    for study in registry.studies().await? {
        studies.push(known(registry, study, &sites, now).await?);
    }
    let mut matters: Vec<Matter> = ledger.map(|fault| Matter::LedgerBroken { fault }).into_iter().collect();
    matters.extend(attention::disk(
        files::free_bytes(home.dir())?,
        config.disk_free_bytes_min(),
    ));
    matters.extend(
        identity::endings(home, now)?
            .into_iter()
            .map(|ending| Matter::OwnCertificate {
                what: ending.what,
                days_left: ending.days_left,
                remedy: ending.remedy,
            }),
    );
    let view = sites_of(registry, &sites, now).await?;
    matters.extend(of_sites(&view));
    matters.extend(studies.iter().flat_map(|known| of_study(known, now)));
    Ok(Overview {
        now,
        consortium: consortium.name,
        studies,
        sites,
        matters: attention::sorted(matters),
    })
}

/// The page of `name`, if there is such a study.
pub async fn study(registry: &Registry, name: &StudyName, now: UnixSeconds) -> Result<Option<StudyView>> {
    let Some(study) = registry.study(name).await? else {
        return Ok(None);
    };
    let sites = registry.sites().await?;
    let rounds = registry.rounds(name).await?;
    let told = StudyTold::with(registry, &study, &rounds).await?;
    let refusals = registry.refusals_of_study(name).await?;
    let refusals = refusals.into_iter().map(|(round, refusal)| (round.0, refusal));
    Ok(Some(StudyView {
        now,
        known: known(registry, study, &sites, now).await?,
        rounds,
        refusals: refusals.collect(),
        told,
    }))
}

/// The page of the sites.
pub async fn sites(registry: &Registry, now: UnixSeconds) -> Result<SitesView> {
    sites_of(registry, &registry.sites().await?, now).await
}

async fn sites_of(registry: &Registry, sites: &[Site], now: UnixSeconds) -> Result<SitesView> {
    // The newest of a site comes last.
    let newest: BTreeMap<SiteName, Certificate> = registry.live_certificates(now).await?.into_iter().collect();
    let life = |site: &Site| Life::read_pem(&newest.get(&site.name)?.pem).ok();
    let mut waiting = registry.enrolments().await?;
    waiting.retain(|enrolment| matches!(enrolment.decision, Decision::Pending));
    Ok(SitesView {
        now,
        sites: sites.iter().map(|site| (site.clone(), life(site))).collect(),
        waiting,
        contests: registry.contests().await?,
        invited: registry.open_invitations(now).await?,
    })
}

async fn known(registry: &Registry, study: Study, sites: &[Site], now: UnixSeconds) -> Result<Known, RegistryError> {
    let (name, round) = (&study.plan.study, study.phase.round());
    let participants: Vec<Participant> = registry.participants(name).await?;
    let (mut under_way, mut refusals) = (BTreeMap::new(), Vec::new());
    if is_open(&study.phase) {
        for upload in registry.under_way(name, round).await? {
            under_way.insert(upload.site, (upload.offset, upload.header.bytes));
        }
        for number in [round.0.saturating_sub(1), round.0] {
            let of_round = registry.refusals(name, RoundNumber(number)).await?;
            refusals.extend(of_round.into_iter().map(|refusal| (number, refusal)));
        }
    }
    let members = presence::members(&study.phase, &participants, sites, &under_way, now);
    Ok(Known {
        study,
        members,
        refusals,
    })
}

/// What of the sites wants attention.
fn of_sites(view: &SitesView) -> Vec<Matter> {
    let mut matters = Vec::new();
    for (site, life) in &view.sites {
        let name = || site.name.clone();
        if site.head_refused.is_some() {
            matters.push(Matter::HeadRefused { site: name() });
        }
        if site.revoked.is_some() {
            continue;
        }
        match life {
            None => matters.push(Matter::NoCertificate { site: name() }),
            Some(life) if life.warning_if_overdue(view.now).is_some() => matters.push(Matter::SiteCertificate {
                site: name(),
                days_left: life.days_left(view.now),
            }),
            Some(_) => {}
        }
    }
    matters.extend(view.contests.iter().map(|contest| Matter::Contested {
        site: contest.site.clone(),
        tries: contest.tries,
    }));
    let waiting: BTreeSet<&SiteName> = view.waiting.iter().map(|enrolment| &enrolment.site).collect();
    matters.extend(waiting.into_iter().map(|site| Matter::Waiting { site: site.clone() }));
    matters
}

/// What of a study wants attention.
fn of_study(known: &Known, now: UnixSeconds) -> Vec<Matter> {
    let study = known.study.plan.study.clone();
    let mut matters = Vec::new();
    match &known.study.phase {
        Phase::Collecting(open) if open.extensions > 0 => matters.push(Matter::NoQuorum {
            study: study.clone(),
            round: open.round.0,
            extensions: open.extensions,
        }),
        Phase::Paused(paused) => matters.push(Matter::Paused {
            study: study.clone(),
            reason: paused.reason.clone(),
        }),
        Phase::Reviewing(review) if review.is_ready() => matters.push(Matter::Releasable { study: study.clone() }),
        _ => {}
    }
    for member in &known.members {
        let awaited = matches!(member.doing, Doing::Trains | Doing::Sends { .. } | Doing::Evaluates);
        if let Some(since) = member.seen.filter(|_| awaited)
            && now.abs_diff(since) > SILENT_SECONDS
        {
            matters.push(Matter::Silent {
                study: study.clone(),
                site: member.site.clone(),
                since,
            });
        }
    }
    matters.extend(known.refusals.iter().map(|(round, refusal)| Matter::Refused {
        study: study.clone(),
        round: *round,
        site: refusal.site.clone(),
        code: refusal.code,
    }));
    matters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use snowball_protocol::{ProblemCode, Sha256Digest};
    use snowball_rounds::Event;

    /// A study in its first round, with `north` and `south`.
    fn collecting(now: UnixSeconds) -> Study {
        let plan = fixture::plan("spines");
        let started = Event::Started {
            model: Sha256Digest::of(b"m"),
        };
        let joined = ["north", "south"].map(|site| Event::Joined {
            site: site.parse().unwrap(),
        });
        let mut phase = Phase::draft();
        for event in [started].into_iter().chain(joined) {
            phase = phase.handle(event, now, &plan).unwrap().phase;
        }
        Study {
            plan_digest: plan.digest(),
            plan,
            phase,
            version: 1,
            created: 0,
            moved: 0,
        }
    }

    fn known(study: Study, seen: [UnixSeconds; 2]) -> Known {
        let member = |(site, seen): (&str, UnixSeconds)| Member {
            site: site.parse().unwrap(),
            seen: Some(seen),
            is_here: true,
            doing: Doing::Trains,
            is_late: false,
            examples: Some(10),
            declined: None,
        };
        Known {
            study,
            members: ["north", "south"].into_iter().zip(seen).map(member).collect(),
            refusals: Vec::new(),
        }
    }

    #[test]
    fn a_round_in_order_is_no_matter_and_one_that_was_made_longer_or_rests_is() {
        let now = 10_000;
        let mut study = collecting(now);
        assert_eq!(of_study(&known(study.clone(), [now, now]), now), []);
        let longer = study.phase.handle(Event::Tick, now + 601, &study.plan).unwrap();
        let mut late = study.clone();
        late.phase = longer.phase;
        let matters = of_study(&known(late, [now + 601; 2]), now + 601);
        assert!(
            matches!(
                &matters[..],
                [Matter::NoQuorum {
                    round: 1,
                    extensions: 1,
                    ..
                }]
            ),
            "{matters:?}"
        );
        let reason = "films".to_owned();
        study.phase = study
            .phase
            .handle(Event::Paused { reason }, now, &study.plan)
            .unwrap()
            .phase;
        let matters = of_study(&known(study, [now, now]), now);
        assert!(
            matches!(&matters[..], [Matter::Paused { reason, .. }] if reason == "films"),
            "{matters:?}"
        );
    }

    #[test]
    fn a_site_that_is_awaited_and_silent_is_told_and_so_is_a_refusal() {
        let now = 10_000;
        let silent = now - i64::try_from(SILENT_SECONDS).unwrap() - 1;
        let mut known = known(collecting(now), [silent, silent + 1]);
        known.refusals = vec![(
            1,
            Refusal {
                site: "south".parse().unwrap(),
                code: ProblemCode::NormExceeded,
                reason: "too large".to_owned(),
            },
        )];
        let matters = of_study(&known, now);
        assert_eq!(matters.len(), 2, "{matters:?}");
        assert!(
            matches!(&matters[0], Matter::Silent { site, since, .. } if site.as_str() == "north" && *since == silent)
        );
        assert!(matches!(
            &matters[1],
            Matter::Refused {
                code: ProblemCode::NormExceeded,
                ..
            }
        ));
        known.members[0].doing = Doing::Sent { at: now };
        assert_eq!(of_study(&known, now).len(), 1, "nobody waits for it");
    }
}
