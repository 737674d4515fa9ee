//! The table as it works out for one class under one profile.

use std::collections::BTreeMap;

use crate::{Action, Class, Decision, Profile, Tag, Target, class, classes, name, rows};

/// One line of an effective table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EffectiveRow {
    /// The tag as table E.1-1 writes it.
    pub tag: String,
    /// Its keyword.
    pub keyword: &'static str,
    /// What becomes of it and why.
    pub decision: Decision,
    /// Whether table E.1-1 has a row for it.
    pub in_table: bool,
}

impl Profile {
    /// All rows of table E.1-1 and all that the class lists at its top level, by tag, with what becomes of each. A class
    /// that is not known lists nothing, and its compound codes stay on the safe side.
    #[must_use]
    pub fn table(&self, sop_class: &str) -> Vec<EffectiveRow> {
        let class = class(sop_class);
        let mut table: BTreeMap<String, EffectiveRow> = BTreeMap::new();
        for row in rows() {
            let (tag, vr) = match row.target {
                Target::Exact(tag) => (tag, name(tag).map_or("UN", |name| name.vr)),
                Target::Curves => (Tag(0x5000, 0x3000), "OW"),
                Target::Overlay(element) => (Tag(0x6000, element), "OW"),
                Target::Private => (Tag(0x0009, 0x1000), "UN"),
            };
            let line = EffectiveRow {
                tag: row.tag_text(),
                keyword: row.keyword,
                decision: self.decide_in(class, &[], tag, vr),
                in_table: true,
            };
            table.insert(line.tag.clone(), line);
        }
        for (tag, _) in class.map(|class| class.listed(&[])).unwrap_or_default() {
            table.entry(tag.to_string()).or_insert_with(|| {
                let name = name(tag);
                EffectiveRow {
                    tag: tag.to_string(),
                    keyword: name.map_or("", |name| name.keyword),
                    decision: self.decide_in(class, &[], tag, name.map_or("UN", |name| name.vr)),
                    in_table: false,
                }
            });
        }
        table.into_values().collect()
    }
}

/// How many attributes change from one action to another between two profiles, each counted once over all image
/// classes: with the class in which the change is largest for it not told apart.
#[must_use]
pub fn changed(old: &Profile, new: &Profile) -> BTreeMap<(Action, Action), usize> {
    let mut seen: BTreeMap<(String, Action, Action), ()> = BTreeMap::new();
    for Class { uid, .. } in classes() {
        for (before, after) in old.table(uid).into_iter().zip(new.table(uid)) {
            if before.decision.action != after.decision.action {
                seen.insert((before.tag, before.decision.action, after.decision.action), ());
            }
        }
    }
    let mut counts = BTreeMap::new();
    for (_, before, after) in seen.into_keys() {
        *counts.entry((before, after)).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ProfileOption;

    const DX: &str = "1.2.840.10008.5.1.4.1.1.1.1";

    #[test]
    fn a_table_holds_every_row_and_the_class_beside_them() {
        for uid in classes().iter().map(|class| class.uid).chain(["1.2.3"]) {
            let table = Profile::default().table(uid);
            assert_eq!(table.iter().filter(|row| row.in_table).count(), 621);
        }
        let table = Profile::default().table(DX);
        let rows = table.iter().find(|row| row.keyword == "Rows").unwrap();
        assert_eq!((rows.decision.action, rows.in_table), (Action::Keep, false));
        assert!(table.iter().all(|row| !row.keyword.is_empty()));
    }

    #[test]
    fn a_change_of_options_is_counted_by_action() {
        let strict = Profile::default();
        assert_eq!(changed(&strict, &strict), BTreeMap::new());
        let wider = Profile::new([ProfileOption::RetainInstitutionIdentity], [], []);
        let counts = changed(&strict, &wider);
        assert!(counts.keys().all(|(_, after)| *after == Action::Keep), "{counts:?}");
        assert!(counts.values().sum::<usize>() >= 4, "{counts:?}");
    }
}
