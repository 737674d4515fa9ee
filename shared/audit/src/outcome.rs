//! What an audit says: one line a check, in plain words, with counts; then every finding; then the verdict.

use serde::Serialize;
use snowball_protocol::{RoundNumber, StudyName};

use crate::{
    aggregator::Round,
    finding::{Code, Finding},
};

/// A folder full of nonsense must not fill the memory.
const FINDINGS_MAX: usize = 1000;
const NOTES_MAX: usize = 1000;

macro_rules! areas {
    ($($variant:ident = $name:literal: $words:literal,)+) => {
        /// One part of the check.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        #[allow(missing_docs, reason = "each part has its words as a text, for people")]
        pub enum Area { $($variant),+ }

        impl Area {
            /// Every part, in the order of the answer.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// What is checked, in one sentence.
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self { $(Self::$variant => $words),+ }
            }
        }
    };
}

areas!(
    Folders = "folders": "each folder is whole, listed, and signed with the key that was written down",
    Ledgers = "ledgers": "no record was changed, dropped, moved or added, and the head is signed",
    Heads = "heads": "each head that the other side kept is still in the ledger",
    Policies = "policies": "each policy that was installed is there and signed by the site's ethics board",
    Decisions = "decisions": "each decision is the one that the policy in force at that time gives",
    Permits = "permits": "nothing was joined, trained or let out without a permit just before",
    Plans = "plans": "all name the same plan for a study, and it is there",
    Enrolments = "enrolments": "each site that was let in had asked, with the key that was written down",
    Updates = "updates": "what the aggregator took in is what the site approved, and nothing else",
    Receipts = "receipts": "each receipt is signed by the aggregator and says what both sides recorded",
    Members = "members": "each update came from a site that had joined and was not revoked",
    Rounds = "rounds": "each round counts exactly the updates that were taken in, with their weights",
    Models = "models": "each round starts from the model that the one before made, the first from the one that its plan names or its seed makes, as every site did; under SCAFFOLD so do the control variates",
    Releases = "releases": "each release is signed and is what the last round made",
    Disclosures = "disclosures": "what else the aggregator holds of a site stands in the site's ledger; evaluations came during the review, one of each site that took part",
);

/// How one part of the check went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Checked {
    /// Its name.
    pub check: &'static str,
    /// What is checked.
    pub words: &'static str,
    /// How many things were looked at.
    pub checked: u64,
    /// How many of them do not hold.
    pub findings: u64,
}

/// A round that nobody holds as closed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OpenRound {
    /// Of which study.
    pub study: StudyName,
    /// Which.
    pub round: RoundNumber,
}

/// What an audit found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Outcome {
    /// Whether everything holds.
    pub sound: bool,
    /// One entry a part of the check.
    pub checks: Vec<Checked>,
    /// Everything that does not hold; at most 1,000, the counts are complete.
    pub findings: Vec<Finding>,
    /// Rounds that are under way: what only one side holds of them was not judged.
    pub open: Vec<OpenRound>,
    /// Studies whose review is under way: an evaluation that only the aggregator holds was not judged.
    pub reviews: Vec<StudyName>,
    /// How many updates, receipts, heads and evaluations that were.
    pub not_judged: u64,
    /// What could not be checked from this evidence, and what is unusual without being wrong.
    pub notes: Vec<String>,
}

/// The findings while the check goes on.
pub(crate) struct Audit {
    checks: Vec<Checked>,
    findings: Vec<Finding>,
    open: Vec<OpenRound>,
    reviews: Vec<StudyName>,
    not_judged: u64,
    notes: Vec<String>,
}

impl Audit {
    pub(crate) fn begin() -> Self {
        let checks = Area::ALL.iter().map(|area| Checked {
            check: area.name(),
            words: area.words(),
            checked: 0,
            findings: 0,
        });
        Self {
            checks: checks.collect(),
            findings: Vec::new(),
            open: Vec::new(),
            reviews: Vec::new(),
            not_judged: 0,
            notes: Vec::new(),
        }
    }

    /// One more thing is looked at.
    pub(crate) fn looked(&mut self, area: Area) {
        self.checks[area as usize].checked += 1;
    }

    /// One thing that does not hold.
    pub(crate) fn find(&mut self, area: Area, code: Code, place: impl Into<String>, detail: impl Into<String>) {
        self.checks[area as usize].findings += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding {
                code,
                place: place.into(),
                detail: detail.into(),
            });
        }
    }

    /// Looks at one thing, which should hold.
    pub(crate) fn expect(&mut self, holds: bool, area: Area, code: Code, place: &str, detail: impl FnOnce() -> String) {
        self.looked(area);
        if !holds {
            self.find(area, code, place, detail());
        }
    }

    /// Rounds that are under way.
    pub(crate) fn leave_open<'a>(&mut self, rounds: impl Iterator<Item = &'a Round>) {
        let open = |(study, round): &Round| OpenRound {
            study: study.clone(),
            round: *round,
        };
        self.open.extend(rounds.map(open));
    }

    /// Studies whose review is under way.
    pub(crate) fn leave_in_review(&mut self, studies: impl Iterator<Item = StudyName>) {
        self.reviews.extend(studies);
    }

    /// So many things of a round that is under way stand on one side alone.
    pub(crate) fn pass_over(&mut self, count: usize) {
        self.not_judged += count as u64;
    }

    pub(crate) fn note(&mut self, text: impl Into<String>) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(text.into());
        }
    }

    pub(crate) fn finish(self) -> Outcome {
        Outcome {
            sound: self.checks.iter().all(|check| check.findings == 0),
            checks: self.checks,
            findings: self.findings,
            open: self.open,
            reviews: self.reviews,
            not_judged: self.not_judged,
            notes: self.notes,
        }
    }
}

impl Outcome {
    /// The answer for people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.checks.iter().map(line).collect();
        for finding in &self.findings {
            lines.push(String::new());
            lines.push(format!("FINDING {} at {}", finding.code.code(), finding.place));
            lines.push(format!("  {}", finding.detail));
            lines.push(format!("  it means: {}", finding.code.meaning()));
        }
        if !self.open.is_empty() || !self.reviews.is_empty() || !self.notes.is_empty() {
            lines.push(String::new());
            lines.extend(self.open.iter().map(|OpenRound { study, round }| {
                format!("open: round {round} of {study} is under way; what only one side holds of it was not judged")
            }));
            lines.extend(self.reviews.iter().map(|study| {
                format!("open: the review of {study} is under way; an evaluation that only the aggregator holds was not judged")
            }));
            lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        }
        let (looked, found): (u64, u64) = self
            .checks
            .iter()
            .fold((0, 0), |sum, check| (sum.0 + check.checked, sum.1 + check.findings));
        lines.push(String::new());
        lines.push(if self.sound {
            let rest = match (self.open.len(), self.reviews.len()) {
                (0, 0) => String::new(),
                (open, reviews) => format!(
                    " {} updates, receipts, heads and evaluations of {open} rounds and {reviews} reviews under way were not judged: \
                     audit again once they are closed.",
                    self.not_judged
                ),
            };
            format!("SOUND: {looked} things were checked and all hold.{rest}")
        } else {
            format!("NOT SOUND: {found} of {looked} things that were checked do not hold.")
        });
        lines
    }
}

fn line(check: &Checked) -> String {
    let verdict = match (check.findings, check.checked) {
        (0, 0) => "none",
        (0, _) => "ok",
        _ => "WRONG",
    };
    let counts = if check.findings == 0 {
        check.checked.to_string()
    } else {
        format!("{} of {}", check.findings, check.checked)
    };
    format!("{verdict:<6} {:<12} {counts:>12}  {}", check.check, check.words)
}
