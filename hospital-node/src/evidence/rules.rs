//! The policy in force, as counts of what it does.

use std::collections::BTreeMap;

use serde::Serialize;
use snowball_policy::SignedPolicy;
use snowball_protocol::Sha256Digest;

/// The two classes that radiographs of today come in.
const CLASSES: [(&str, &str); 2] = [
    ("computed radiography", "1.2.840.10008.5.1.4.1.1.1"),
    ("digital X-ray, for presentation", "1.2.840.10008.5.1.4.1.1.1.1"),
];

/// The policy in force.
#[derive(Serialize)]
pub struct Rules {
    pub digest: Sha256Digest,
    pub version: u32,
    pub stage: String,
    pub board: String,
    pub reference: String,
    /// Unix seconds.
    pub begins: i64,
    pub expires: i64,
    pub options: Vec<String>,
    /// By class: what becomes of how many attributes, by action and by source.
    pub tables: Vec<RuleTable>,
}

/// One class.
#[derive(Serialize)]
pub struct RuleTable {
    pub class: String,
    /// (action, source) and how many attributes.
    pub counts: Vec<(String, String, u64)>,
}

impl Rules {
    pub fn of(signed: &SignedPolicy) -> Self {
        let policy = &signed.policy;
        let profile = policy.confidentiality();
        let tables = CLASSES.map(|(class, uid)| {
            let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
            for row in profile.table(uid) {
                let rule = row.decision.rule.to_string();
                let source = source_of(&rule).to_owned();
                *counts
                    .entry((row.decision.action.text().to_owned(), source))
                    .or_default() += 1;
            }
            RuleTable {
                class: class.to_owned(),
                counts: counts
                    .into_iter()
                    .map(|((action, source), count)| (action, source, count))
                    .collect(),
            }
        });
        Self {
            digest: signed.digest,
            version: policy.version(),
            stage: format!("{:?}", policy.stage()).to_lowercase(),
            board: policy.board().to_owned(),
            reference: policy.reference().to_owned(),
            begins: policy.begins(),
            expires: policy.expires(),
            options: profile.options().map(|option| option.code().to_owned()).collect(),
            tables: tables.into(),
        }
    }
}

/// The source of a rule without its details: all codes of table E.1-1 are one source.
fn source_of(rule: &str) -> &str {
    if rule.contains("unresolved") {
        "table E.1-1, unresolved, conservative"
    } else if rule.starts_with("E.1-1") {
        "table E.1-1"
    } else {
        rule
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_table_are_one_source() {
        assert_eq!(source_of("E.1-1 X/Z, Type 2"), "table E.1-1");
        assert_eq!(
            source_of("E.1-1 Z/D, unresolved, conservative"),
            "table E.1-1, unresolved, conservative"
        );
        assert_eq!(source_of("not listed by the class"), "not listed by the class");
    }
}
