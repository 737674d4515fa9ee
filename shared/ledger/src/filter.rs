//! Which records somebody wants to see.

use serde_json::Value;
use snowball_protocol::{StudyName, ids::UnixSeconds};

use crate::{Entry, Record};

/// What `ledger show` leaves out; the default leaves out nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Records of this time and later, by the owner's clock.
    pub since: Option<UnixSeconds>,
    /// Records of these kinds, as the file names them; empty: of all.
    pub kinds: Vec<String>,
    /// Records about this study.
    pub study: Option<StudyName>,
}

impl Filter {
    /// Whether the record is one of them.
    #[must_use]
    pub fn takes(&self, record: &Record) -> bool {
        self.since.is_none_or(|since| record.time >= since)
            && (self.kinds.is_empty() || self.kinds.iter().any(|kind| kind == record.kind()))
            && self.study.as_ref().is_none_or(|study| record.entry.is_about(study))
    }
}

impl Entry {
    /// Whether it names this study.
    #[must_use]
    pub fn is_about(&self, study: &StudyName) -> bool {
        // By the names of the fields, so that a kind that is added is found too.
        let Ok(entry) = serde_json::to_value(self) else {
            return false;
        };
        let is = |value: Option<&Value>| value.and_then(Value::as_str) == Some(study.as_str());
        is(entry.get("study"))
            || is(entry.pointer("/receipt/receipt/study"))
            || entry
                .get("studies")
                .and_then(Value::as_array)
                .is_some_and(|studies| studies.iter().any(|name| is(Some(name))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Head;

    #[test]
    fn time_kind_and_study_must_all_fit() {
        let study: StudyName = "body-parts".parse().unwrap();
        let entry = Entry::StudyStarted { study: study.clone() };
        let record = Record::after(&Head::beginning("north"), 100, entry);
        let filter = |since, kinds: &[&str], study: Option<&str>| Filter {
            since,
            kinds: kinds.iter().map(ToString::to_string).collect(),
            study: study.map(|study| study.parse().unwrap()),
        };
        for (filter, takes) in [
            (Filter::default(), true),
            (
                filter(Some(100), &["program_started", "study_started"], Some("body-parts")),
                true,
            ),
            (filter(Some(101), &[], None), false),
            (filter(None, &["program_started"], None), false),
            (filter(None, &[], Some("other")), false),
        ] {
            assert_eq!(filter.takes(&record), takes, "{filter:?}");
        }
        let withdrawn = Entry::PatientWithdrawn {
            subject: snowball_protocol::Sha256Digest::of(b"mark"),
            radiographs: 1,
            datasets: 0,
            quarantined: 0,
            links: 0,
            studies: vec!["other".parse().unwrap(), study.clone()],
        };
        assert!(withdrawn.is_about(&study));
    }
}
