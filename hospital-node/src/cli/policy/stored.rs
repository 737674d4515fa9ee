//! What a change of policy would do to the training that the store permits: for each label, how many radiographs may be
//! learned from.

use std::collections::BTreeSet;

use anyhow::Result;
use serde::Serialize;
use snowball_confidentiality::Language;
use snowball_policy::Policy;
use snowball_protocol::labels::LabelName;
use snowball_store::{Cell, Census, Table};

/// A label of which more or fewer radiographs may be learned.
#[derive(PartialEq, Eq, Debug, Serialize)]
pub(super) struct LabelChange {
    label: String,
    /// Radiographs that may be learned from under the policy in force.
    from: u64,
    /// Under the one that is proposed.
    to: u64,
}

/// The labels whose number of radiographs changes.
pub(super) fn compare(old: &Policy, new: &Policy, census: &Census) -> Vec<LabelChange> {
    let known = [
        LabelName::BodyPart,
        LabelName::View,
        LabelName::Laterality,
        LabelName::Sex,
        LabelName::Age,
    ];
    let own = [old, new].into_iter().flat_map(Policy::labels);
    let own: BTreeSet<LabelName> = own.filter(|label| !known.contains(label)).copied().collect();
    let changes = known.into_iter().chain(own).map(|label| {
        let table = census.tables.get(&match label {
            LabelName::Age => "age_band".to_owned(),
            LabelName::Site(name) => format!("site: {}", name.name()),
            _ => label.code().to_owned(),
        });
        let count = |policy| table.map_or(0, |table| learnable(policy, label, table));
        LabelChange {
            label: label.code().to_owned(),
            from: count(old),
            to: count(new),
        }
    });
    changes.filter(|change| change.from != change.to).collect()
}

/// Radiographs with a known label that the policy permits. Of classes it wants a least number each; ages are no classes.
fn learnable(policy: &Policy, label: LabelName, table: &Table) -> u64 {
    if !policy.labels().contains(&label) || !policy.allows_label(label) {
        return 0;
    }
    let least = if label == LabelName::Age { 0 } else { policy.cell_min() };
    let known = table.iter().filter(|(term, _)| *term != "unknown");
    let counted = known.filter_map(|(_, cell)| match cell {
        Cell::Counted { radiographs, .. } => Some(*radiographs),
        Cell::Hidden { .. } => None,
    });
    counted.filter(|radiographs| *radiographs >= least).sum()
}

/// For people.
pub(super) fn lines(changes: &[LabelChange], radiographs: u64, language: Language) -> Vec<String> {
    let (first, none) = match language {
        Language::English => (
            format!("Of {radiographs} radiographs in the store:"),
            "No label may be learned from more or fewer of them.",
        ),
        Language::French => (
            format!("Sur {radiographs} radiographies conservées :"),
            "Aucune étiquette ne peut être apprise de plus ou de moins d'entre elles.",
        ),
    };
    let mut lines = vec![first];
    if changes.is_empty() {
        lines.push(none.to_owned());
    }
    let learned = match language {
        Language::English => "may be learned from for",
        Language::French => "peuvent servir à apprendre",
    };
    lines.extend(
        changes
            .iter()
            .map(|change| format!("{:>8}  -> {} {learned} {}", change.from, change.to, change.label)),
    );
    lines
}

/// All radiographs of a census.
pub(super) const fn radiographs(census: &Census) -> u64 {
    match census.total {
        Cell::Counted { radiographs, .. } => radiographs,
        Cell::Hidden { .. } => 0,
    }
}

/// The census of a node's store.
pub(super) fn census(home: &crate::home::Home) -> Result<Census> {
    Ok(home.open_store(&home.config()?)?.census()?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_label_that_is_let_in_and_a_larger_cell_are_counted() {
        let text = include_str!("../../../../policies/collaboration.toml");
        let old = snowball_policy::parse(text).unwrap();
        let swap = |from: &str, to: &str| {
            assert!(text.contains(from));
            snowball_policy::parse(&text.replacen(from, to, 1)).unwrap()
        };
        let cell = |radiographs| Cell::Counted {
            radiographs,
            patients: 1,
        };
        let table = |terms: &[(&str, u64)]| -> Table {
            terms
                .iter()
                .map(|(term, count)| ((*term).to_owned(), cell(*count)))
                .collect()
        };
        let census = Census {
            total: cell(30),
            tables: BTreeMap::from([
                ("view".to_owned(), table(&[("ap", 20), ("lateral", 7), ("unknown", 3)])),
                ("age_band".to_owned(), table(&[("0-9", 2), ("90+", 9)])),
            ]),
        };
        assert_eq!(compare(&old, &old, &census), []);
        let fewer = compare(&old, &swap("cell_min = 5", "cell_min = 10"), &census);
        assert_eq!(
            fewer,
            [LabelChange {
                label: "view".to_owned(),
                from: 27,
                to: 20
            }]
        );
        assert_eq!(
            lines(&fewer, 30, Language::French),
            [
                "Sur 30 radiographies conservées :",
                "      27  -> 20 peuvent servir à apprendre view"
            ]
        );
        let none = compare(&old, &swap("[\"retain-patient-characteristics\"]", "[]"), &census);
        assert_eq!(
            none,
            [LabelChange {
                label: "age".to_owned(),
                from: 11,
                to: 0
            }]
        );
    }
}
