//! What the policy that is in force says to a plan: asked as the node would ask, and written down nowhere.

use serde::Serialize;
use snowball_confidentiality::Language;
use snowball_policy::{Action, DatasetFacts, Decision, PolicyFault, Request, SignedPolicy, Spent};
use snowball_protocol::{Sha256Digest, SiteName, StudyPlan, ids::UnixSeconds, plan::Sent};

/// As if the site had as many patients as any policy may ask for: how many there are is asked when the study is joined.
const PLENTY: DatasetFacts = DatasetFacts {
    training_patients: u64::MAX,
    training_images: u64::MAX,
    class_cells_min: u64::MAX,
};

/// The policy's answers.
#[derive(Clone, Serialize)]
pub struct Standing {
    /// The policy in force, if there is one.
    pub policy: Option<InForce>,
    /// What is wrong, where there is none.
    pub fault: Option<String>,
    #[serde(skip)]
    pub fault_in_french: Option<String>,
    pub answers: Vec<Answer>,
}

/// A policy, by what it calls itself.
#[derive(Clone, Serialize)]
pub struct InForce {
    pub digest: Sha256Digest,
    pub version: u32,
    pub stage: String,
    /// Smallest class or count that may be shown.
    pub cell_min: u64,
}

/// One question and its answer.
#[derive(Clone, Serialize)]
pub struct Answer {
    pub question: &'static str,
    pub permitted: bool,
    pub clause: String,
    pub reason: Option<String>,
    pub remedy: Option<String>,
    /// Both in French.
    #[serde(skip)]
    pub why_in_french: Option<(String, String)>,
    /// What others would be told.
    #[serde(skip)]
    pub public_words: String,
}

impl Standing {
    /// Asks about all that a study does; its update has `update_bytes`, and the kernel holds the trainer or does not.
    pub fn ask(
        policy: Result<&SignedPolicy, &PolicyFault>,
        site: &SiteName,
        plan: &StudyPlan,
        update_bytes: u64,
        spent: Spent,
        is_confined: bool,
        now: UnixSeconds,
    ) -> Self {
        let send = |kind, bytes| Action::Send { kind, bytes };
        let mut questions = vec![
            ("take part in the study", Action::Join),
            ("train for it", Action::Train),
            ("send updates", send(Sent::Update, update_bytes)),
            ("send measurements", send(Sent::Metrics, 0)),
        ];
        if plan.send.contains(&Sent::DetailedMetrics) {
            questions.push(("send detailed measurements", send(Sent::DetailedMetrics, 0)));
        }
        let answers = questions.into_iter().map(|(question, action)| {
            let request = Request {
                site,
                plan,
                action,
                dataset: PLENTY,
                spent,
                is_confined,
                now,
            };
            let in_french = snowball_policy::decide_in(policy, &request, Language::French);
            Answer::of(question, &snowball_policy::decide(policy, &request), &in_french)
        });
        Self {
            policy: policy.ok().map(|signed| InForce {
                digest: signed.digest,
                version: signed.policy.version(),
                stage: signed.policy.stage().to_string(),
                cell_min: signed.policy.cell_min(),
            }),
            fault: policy.err().map(ToString::to_string),
            fault_in_french: policy.err().map(|fault| fault.reason_in(Language::French)),
            answers: answers.collect(),
        }
    }

    /// The first answer that keeps the site out; measurements may stay, and hours come by themselves.
    pub fn obstacle(&self) -> Option<&Answer> {
        let mut answers = self.answers.iter().take(3);
        answers.find(|answer| !answer.permitted && !answer.clause.starts_with("hours."))
    }

    /// Whether measurements may leave, and the detailed ones where the plan asks for them.
    fn measurements(&self) -> (bool, bool) {
        let may = |answer: &Answer| answer.permitted;
        (
            self.answers.get(3).is_some_and(may),
            self.answers.get(4).is_none_or(may),
        )
    }

    /// What would happen if the study began now.
    pub fn in_words(&self) -> String {
        if self.policy.is_none() {
            return "Without a policy nothing runs: the hospital would decline and nothing else would leave."
                .to_owned();
        }
        match (self.obstacle(), self.measurements()) {
            (Some(answer), _) => format!(
                "The policy in force does not permit it, by {}: the hospital would decline and nothing else would leave.",
                answer.clause
            ),
            (None, (true, true)) => {
                "The policy in force permits it with measurements: everything below would leave.".to_owned()
            }
            (None, (true, false)) => {
                "The policy in force permits it with measurements, without detailed ones: what is marked as \
                 detailed below would stay."
                    .to_owned()
            }
            _ => "The policy in force permits it without measurements: what is marked below would stay.".to_owned(),
        }
    }
}

impl Standing {
    /// The same in French.
    pub fn in_french(&self) -> String {
        if self.policy.is_none() {
            return "Sans politique, rien ne s'exécute : l'hôpital déclinerait et rien d'autre ne sortirait."
                .to_owned();
        }
        match (self.obstacle(), self.measurements()) {
            (Some(answer), _) => format!(
                "La politique en vigueur ne le permet pas, selon {} : l'hôpital déclinerait et rien d'autre ne sortirait.",
                answer.clause
            ),
            (None, (true, true)) => {
                "La politique en vigueur le permet avec les mesures : tout ce qui suit sortirait.".to_owned()
            }
            (None, (true, false)) => {
                "La politique en vigueur le permet avec les mesures, sans les détaillées : ce qui est marqué comme \
                 détaillé ci-dessous resterait."
                    .to_owned()
            }
            _ => "La politique en vigueur le permet sans les mesures : ce qui est marqué ci-dessous resterait."
                .to_owned(),
        }
    }
}

impl Answer {
    fn of(question: &'static str, decision: &Decision, in_french: &Decision) -> Self {
        let why_in_french = match in_french {
            Decision::Deny { reason, remedy, .. } => Some((reason.clone(), remedy.clone())),
            Decision::Permit { .. } => None,
        };
        let (reason, remedy) = match decision {
            Decision::Deny { reason, remedy, .. } => (Some(reason.clone()), Some(remedy.clone())),
            Decision::Permit { .. } => (None, None),
        };
        Self {
            question,
            permitted: decision.is_permitted(),
            clause: decision.clause().to_string(),
            reason,
            remedy,
            why_in_french,
            public_words: decision.public_words(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_policy_the_site_would_decline_and_the_clause_is_named() {
        let text = include_str!("../../../policies/cases/studies/body-parts.toml");
        let mut plan: StudyPlan = toml::from_str(text).unwrap();
        plan.send.push(Sent::DetailedMetrics);
        let site = "north".parse().unwrap();
        let standing = Standing::ask(Err(&PolicyFault::Missing), &site, &plan, 10, Spent::default(), true, 0);
        assert_eq!(standing.obstacle().map(|answer| answer.clause.as_str()), Some("policy"));
        assert!(standing.policy.is_none() && standing.fault.is_some());
        assert!(standing.answers.len() == 5 && standing.answers.iter().all(|answer| !answer.permitted));
        assert!(standing.in_words().contains("would decline"), "{}", standing.in_words());
        assert!(standing.in_french().contains("déclinerait"), "{}", standing.in_french());
        assert!(standing.answers.iter().all(|answer| {
            let french = super::super::french(answer.question).is_some();
            french && answer.why_in_french.is_some()
        }));
    }
}
