//! What the tests of this crate share: a sound plan, sites by number, and a study that is driven by hand.

use snowball_protocol::{
    Problem, RoundNumber, Sha256Digest, SiteName, StudyPlan,
    ids::UnixSeconds,
    labels::LabelName,
    plan::{
        Architecture, Augmentation, Head, HeadKind, LocalTraining, Network, Optimiser, OptimiserRule, Preprocessing,
        Rounds, Schedule, Sent, Span, Strategy, Transfer,
    },
};

use crate::machine::{Effect, Event, Phase, Step};

pub(crate) fn site(number: usize) -> SiteName {
    format!("site-{number}").parse().unwrap()
}

pub(crate) fn plan() -> StudyPlan {
    let plan = StudyPlan {
        format: 1,
        study: "body-parts".parse().unwrap(),
        title: "Body parts".to_owned(),
        purpose: "pretraining".parse().unwrap(),
        stage: snowball_protocol::plan::StudyStage::default(),
        seed: 7,
        start: None,
        network: Network {
            architecture: Architecture::Small,
            input_side: 64,
            width: 16,
        },
        heads: vec![Head {
            label: LabelName::BodyPart,
            kind: HeadKind::Classes(vec!["CHEST".to_owned(), "HAND".to_owned()]),
            weight: 1.0,
        }],
        pretext: None,
        preprocessing: Preprocessing::LetterboxV1,
        augmentation: Augmentation::XrLightV1,
        optimiser: Optimiser {
            rule: OptimiserRule::Adamw,
            learning_rate: 1e-3,
            weight_decay: 0.01,
            schedule: Schedule::Constant,
            gradient_norm_max: None,
        },
        local: LocalTraining {
            steps: 10,
            batch_size: 32,
            epochs: None,
            proximal: None,
            drift: None,
            keep: Vec::new(),
        },
        strategy: Strategy::fed_avg(1000, 100.0),
        transfer: Transfer::default(),
        rounds: Rounds {
            count: 10,
            sites: Span { min: 2, max: 4 },
            recruit_seconds: Span { min: 10, max: 100 },
            updates: Span { min: 2, max: 4 },
            collect_seconds: Span { min: 5, max: 60 },
            review_seconds_max: 20,
            late: snowball_protocol::plan::Late::Drop,
        },
        send: vec![Sent::Update, Sent::Metrics],
        comparison: snowball_protocol::plan::Comparison::default(),
    };
    assert_eq!(plan.faults(), vec![]);
    plan
}

/// A study that is driven by hand; sites go by numbers.
pub(crate) struct Study {
    pub(crate) plan: StudyPlan,
    pub(crate) phase: Phase,
}

impl Study {
    pub(crate) fn recruiting() -> Self {
        let mut study = Self {
            plan: plan(),
            phase: Phase::draft(),
        };
        study.send(
            Event::Started {
                model: Sha256Digest::of(b"initial"),
            },
            0,
        );
        study
    }

    /// Round 1 is open since time 0, with the sites 0 to `sites` - 1.
    pub(crate) fn collecting(sites: usize) -> Self {
        let mut study = Self::recruiting();
        let asked = study.plan.rounds.clone();
        study.plan.rounds.recruit_seconds.min = 0;
        study.plan.rounds.sites.min = u32::try_from(sites).unwrap();
        (0..sites).for_each(|number| drop(study.join(number, 0)));
        study.plan.rounds = asked;
        assert!(matches!(study.phase, Phase::Collecting(_)));
        study
    }

    pub(crate) fn send(&mut self, event: Event, now: UnixSeconds) -> Vec<Effect> {
        self.try_send(event, now).unwrap()
    }

    pub(crate) fn tick(&mut self, now: UnixSeconds) -> Vec<Effect> {
        self.send(Event::Tick, now)
    }

    pub(crate) fn join(&mut self, number: usize, now: UnixSeconds) -> Vec<Effect> {
        self.try_join(number, now).unwrap()
    }

    pub(crate) fn try_join(&mut self, number: usize, now: UnixSeconds) -> Result<Vec<Effect>, Problem> {
        self.try_send(Event::Joined { site: site(number) }, now)
    }

    pub(crate) fn leave(&mut self, number: usize, now: UnixSeconds) -> Vec<Effect> {
        self.send(Event::Left { site: site(number) }, now)
    }

    pub(crate) fn contribute(&mut self, number: usize, now: UnixSeconds) -> Vec<Effect> {
        self.try_contribute(number, now).unwrap()
    }

    pub(crate) fn try_contribute(&mut self, number: usize, now: UnixSeconds) -> Result<Vec<Effect>, Problem> {
        self.try_contribute_late(number, 0, now)
    }

    pub(crate) fn try_contribute_late(
        &mut self,
        number: usize,
        behind: u32,
        now: UnixSeconds,
    ) -> Result<Vec<Effect>, Problem> {
        let round = self.phase.round();
        self.try_send(
            Event::UpdateAdmitted {
                site: site(number),
                round,
                examples: 10,
                behind,
            },
            now,
        )
    }

    pub(crate) fn aggregate(&mut self, now: UnixSeconds) -> Vec<Effect> {
        let RoundNumber(number) = self.phase.round();
        let model = Sha256Digest::of(&number.to_le_bytes());
        self.send(
            Event::Aggregated {
                round: RoundNumber(number),
                model,
                control: None,
            },
            now,
        )
    }

    pub(crate) fn evaluate(&mut self, number: usize, now: UnixSeconds) -> Vec<Effect> {
        self.send(Event::Evaluated { site: site(number) }, now)
    }

    fn try_send(&mut self, event: Event, now: UnixSeconds) -> Result<Vec<Effect>, Problem> {
        let Step {
            phase,
            effects,
            changed,
        } = self.phase.handle(event, now, &self.plan)?;
        assert_eq!(changed, phase != self.phase);
        self.phase = phase;
        Ok(effects)
    }
}
