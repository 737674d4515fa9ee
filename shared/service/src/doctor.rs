//! What `doctor` says on both sides: findings with a number each, what is to be done, and one line that sums them up.
//!
//! A check's number never changes and is never given to another check: it stands in tickets, alerts and in the page that has an
//! entry for each.

pub mod disk;

use std::fmt::Display;

use serde::Serialize;

const NAME_WIDTH: usize = 15;

/// One thing that is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Check {
    /// Its number, such as `N101`.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
}

/// How it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Good,
    /// Works now; somebody should look at it by daylight.
    Look,
    /// Does not work, or must not go on.
    Bad,
}

/// What one check found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// The check's number.
    pub code: &'static str,
    /// The check's name.
    pub check: &'static str,
    /// How it is.
    pub state: State,
    /// What was found.
    pub says: String,
    /// What to do; absent where it is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// All findings, in the order of the checks.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// One for each check that was made.
    pub findings: Vec<Finding>,
    /// How many are good.
    pub good: usize,
    /// How many somebody should look at.
    pub look: usize,
    /// How many are bad.
    pub bad: usize,
    /// Where each number is explained.
    pub page: &'static str,
}

/// What is wrong, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What is wrong.
    pub says: String,
    /// What to do.
    pub remedy: String,
}

impl Fault {
    /// A fault in words.
    pub fn new(says: impl Display, remedy: impl Display) -> Self {
        Self {
            says: says.to_string(),
            remedy: remedy.to_string(),
        }
    }
}

impl Check {
    /// A check with its number.
    #[must_use]
    pub const fn new(code: &'static str, name: &'static str) -> Self {
        Self { code, name }
    }

    /// It is well.
    pub fn good(self, says: impl Display) -> Finding {
        self.found(State::Good, says, None)
    }

    /// It works, and somebody should look at it.
    pub fn look(self, says: impl Display, remedy: impl Display) -> Finding {
        self.found(State::Look, says, Some(remedy.to_string()))
    }

    /// It does not work.
    pub fn bad(self, says: impl Display, remedy: impl Display) -> Finding {
        self.found(State::Bad, says, Some(remedy.to_string()))
    }

    /// Good or bad.
    pub fn of(self, outcome: Result<String, Fault>) -> Finding {
        match outcome {
            Ok(says) => self.good(says),
            Err(fault) => self.bad(fault.says, fault.remedy),
        }
    }

    fn found(self, state: State, says: impl Display, remedy: Option<String>) -> Finding {
        Finding {
            code: self.code,
            check: self.name,
            state,
            says: says.to_string(),
            remedy,
        }
    }
}

impl Report {
    /// Sums up; `page` is where each number has its entry.
    #[must_use]
    pub fn of(findings: Vec<Finding>, page: &'static str) -> Self {
        let count = |state| findings.iter().filter(|finding| finding.state == state).count();
        let (good, look, bad) = (count(State::Good), count(State::Look), count(State::Bad));
        Self {
            findings,
            good,
            look,
            bad,
            page,
        }
    }

    /// For people: a line for each finding, the remedy below it, and a summary.
    #[must_use]
    pub fn text(&self, colours: bool) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let mark = mark(finding.state, colours);
            let Finding { code, check, says, .. } = finding;
            text += &format!("{mark}  {code}  {check:<NAME_WIDTH$} {says}\n");
            if let Some(remedy) = &finding.remedy {
                text += &format!("            {:<NAME_WIDTH$} do: {remedy}\n", "");
            }
        }
        text + "\n" + &self.summary()
    }

    /// One line: how many of each, and which numbers to look up.
    #[must_use]
    pub fn summary(&self) -> String {
        let numbers = |state| {
            let of: Vec<_> = self.findings.iter().filter(|finding| finding.state == state).collect();
            match of.iter().map(|finding| finding.code).collect::<Vec<_>>().join(", ") {
                codes if codes.is_empty() => codes,
                codes => format!(" ({codes})"),
            }
        };
        let counted = format!(
            "{} good, {} to look at{}, {} bad{}",
            self.good,
            self.look,
            numbers(State::Look),
            self.bad,
            numbers(State::Bad)
        );
        if self.look + self.bad == 0 {
            counted
        } else {
            format!("{counted}; each number is explained in {}", self.page)
        }
    }
}

/// Four letters, so that the columns stand below each other without a terminal as well.
fn mark(state: State, colours: bool) -> String {
    let (word, colour) = match state {
        State::Good => ("good", 32),
        State::Look => ("look", 33),
        State::Bad => ("BAD ", 31),
    };
    if colours {
        format!("\u{1b}[{colour}m{word}\u{1b}[0m")
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: Check = Check::new("N102", "keys");
    const DISK: Check = Check::new("N108", "disk");

    #[test]
    fn the_text_names_number_state_and_remedy_and_sums_up() {
        let bad = KEYS.of(Err(Fault::new("tls.pem can be read by others", "chmod 600 tls.pem")));
        let report = Report::of(vec![bad, DISK.good("40 GiB free")], "docs/doctor.md");
        let text = report.text(false);
        assert!(
            text.contains("BAD   N102  keys            tls.pem can be read by others\n"),
            "{text}"
        );
        assert!(text.contains("do: chmod 600 tls.pem\n"), "{text}");
        assert!(text.ends_with("1 good, 0 to look at, 1 bad (N102); each number is explained in docs/doctor.md"));
        assert!(!text.contains('\u{1b}') && report.text(true).contains("\u{1b}[31mBAD \u{1b}[0m"));
        let well = Report::of(vec![DISK.good("40 GiB free")], "docs/doctor.md");
        assert!(well.text(false).ends_with("1 good, 0 to look at, 0 bad"));
    }

    #[test]
    fn programs_read_the_same_without_a_remedy_where_none_is_needed() {
        let findings = vec![
            DISK.good("40 GiB free"),
            KEYS.look("some are in the clear", "protect them"),
        ];
        let report = serde_json::to_value(Report::of(findings, "page")).unwrap();
        assert_eq!(report["good"], 1);
        assert_eq!(report["look"], 1);
        assert_eq!(report["findings"][0]["state"], "good");
        assert!(report["findings"][0].get("remedy").is_none());
        assert_eq!(report["findings"][1]["remedy"], "protect them");
        assert_eq!(report["findings"][1]["code"], "N102");
    }
}
