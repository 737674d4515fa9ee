//! The decision over one attribute.

use crate::{
    Action, AttributeType, BasicCode, Class, Decision, OptionCode, Profile, ProfileOption, Row, Rule, Tag, class, row,
};

const PATIENT_NAME: Tag = Tag(0x0010, 0x0010);
const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
const ACCESSION_NUMBER: Tag = Tag(0x0008, 0x0050);
/// Whose dummy is a keyed pseudonym, so that what belongs together stays together.
const KEYED: [Tag; 3] = [PATIENT_NAME, PATIENT_ID, ACCESSION_NUMBER];

impl Profile {
    /// What becomes of `tag` with the value representation `vr`, inside the sequences `path` (outermost first) of an
    /// object of the SOP class `sop_class`. Total: there is an answer for everything, and where the tables know
    /// nothing it is removal.
    ///
    /// The order is that of strength: local removal, structure, what no rule may keep, local keeping, the class's list,
    /// options that clean, options that retain, the row.
    #[must_use]
    pub fn decide(&self, sop_class: &str, path: &[Tag], tag: Tag, vr: &str) -> Decision {
        self.decide_in(class(sop_class), path, tag, vr)
    }

    /// As [`decide`](Self::decide), for a class that was looked up before.
    #[must_use]
    pub fn decide_in(&self, class: Option<&Class>, path: &[Tag], tag: Tag, vr: &str) -> Decision {
        if let Some(decision) = self.before_the_table(path, tag) {
            return decision;
        }
        let demand = class.and_then(|class| class.demand(path, tag));
        match (class, demand, row(tag)) {
            (Some(_), None, _) => decision(Action::Remove, Rule::NotListed),
            (None, _, None) => decision(Action::Remove, Rule::UnknownClass),
            (_, demand, Some(row)) => self.by_option(row, vr).unwrap_or_else(|| by_row(row, tag, demand)),
            (Some(_), Some(demand), None) => self.by_representation(vr, demand),
        }
    }

    /// Local rules, and what no row or option may keep.
    fn before_the_table(&self, path: &[Tag], tag: Tag) -> Option<Decision> {
        if self.remove.contains(&tag) {
            return Some(decision(Action::Remove, Rule::LocalRemove));
        }
        if tag.is_group_length() || tag.0 <= 0x0007 {
            return Some(decision(Action::Remove, Rule::Structure));
        }
        if tag.is_private() {
            return Some(decision(Action::Remove, Rule::Private));
        }
        if tag.is_repeating(0x5000) || tag.is_repeating(0x6000) {
            return Some(decision(Action::Remove, Rule::Drawing));
        }
        (path.is_empty() && self.keep.contains_key(&tag)).then(|| decision(Action::KeepListed, Rule::LocalKeep))
    }

    /// The options that speak of the row: one that cleans goes before one that retains.
    fn by_option(&self, row: &Row, vr: &str) -> Option<Decision> {
        let found = |code| self.options().find(|option| row.option(*option) == Some(code));
        if let Some(option) = found(OptionCode::C) {
            let action = match option {
                ProfileOption::RetainLongitudinalModifiedDates => Action::ShiftDate,
                // A drawing cannot be cleaned by a program that does not read it.
                ProfileOption::CleanGraphics => Action::Remove,
                _ => Action::Clean,
            };
            return Some(decision(action, Rule::Option(option)));
        }
        let option = found(OptionCode::K)?;
        let action = if vr == "AS" { Action::CapAge } else { Action::Keep };
        Some(decision(action, Rule::Option(option)))
    }

    /// No row speaks of it: the value representation says whether it can hold a name, a date or a UID.
    fn by_representation(&self, vr: &str, demand: AttributeType) -> Decision {
        let action = match vr {
            "UI" if self.has(ProfileOption::RetainUids) => Action::Keep,
            "UI" => Action::MapUid,
            "AS" => Action::CapAge,
            "DA" | "DT" if self.has(ProfileOption::RetainLongitudinalModifiedDates) => Action::ShiftDate,
            "DA" | "DT" if self.has(ProfileOption::RetainLongitudinalFullDates) => Action::Keep,
            "DA" | "DT" | "PN" | "UR" => without(demand),
            _ => return decision(Action::Keep, Rule::Listed),
        };
        decision(action, Rule::ByRepresentation)
    }
}

/// Table E.1-1 with compound codes resolved by Type (PS3.15 section E.1.1).
fn by_row(row: &Row, tag: Tag, demand: Option<AttributeType>) -> Decision {
    use AttributeType::{Conditional, ConditionalMaybeEmpty, Optional, Required, RequiredMaybeEmpty};
    let code = row.basic;
    if KEYED.contains(&tag) {
        return decision(Action::Pseudonym, Rule::Keyed(code));
    }
    let simple = |action| decision(action, Rule::Row(code));
    let Some(demand) = demand else {
        // The class is not known: the strongest demand that the code foresees keeps the object valid in any class.
        let action = match code {
            BasicCode::X => return simple(Action::Remove),
            BasicCode::D => return simple(Action::Dummy),
            BasicCode::U => return simple(Action::MapUid),
            BasicCode::Z => return simple(Action::Empty),
            BasicCode::XD | BasicCode::XZD | BasicCode::ZD => Action::Dummy,
            BasicCode::XZ => Action::Empty,
            BasicCode::XZU => Action::Keep,
        };
        return decision(action, Rule::Conservative(code));
    };
    let resolved = |action| decision(action, Rule::Resolved(code, demand));
    let conservative = |action| decision(action, Rule::Conservative(code));
    match (code, demand) {
        (BasicCode::X, _) => simple(Action::Remove),
        (BasicCode::D, _) => simple(Action::Dummy),
        (BasicCode::U, _) => simple(Action::MapUid),
        // Z permits a dummy as well as an empty value; where the class forbids the empty one, it is the dummy.
        (BasicCode::Z, Required) => resolved(Action::Dummy),
        (BasicCode::Z, Conditional) => conservative(Action::Dummy),
        (BasicCode::Z, _) => simple(Action::Empty),
        (BasicCode::ZD | BasicCode::XD | BasicCode::XZD, Required) => resolved(Action::Dummy),
        (BasicCode::ZD | BasicCode::XD | BasicCode::XZD, Conditional) => conservative(Action::Dummy),
        (BasicCode::ZD, _) => resolved(Action::Empty),
        // X/D foresees no empty value: where the class wants the attribute, a dummy is valid and says nothing.
        (BasicCode::XD, RequiredMaybeEmpty | ConditionalMaybeEmpty) => conservative(Action::Empty),
        (BasicCode::XZ | BasicCode::XZD, RequiredMaybeEmpty) => resolved(Action::Empty),
        (BasicCode::XZ | BasicCode::XZD, ConditionalMaybeEmpty) => conservative(Action::Empty),
        // X/Z foresees no Type 1; where the class asks for it, a dummy keeps the object valid.
        (BasicCode::XZ, Required | Conditional) => conservative(Action::Dummy),
        (BasicCode::XZU, Required) => resolved(Action::Keep),
        (BasicCode::XZU, Conditional) => conservative(Action::Keep),
        (BasicCode::XZU, RequiredMaybeEmpty) => resolved(Action::Empty),
        (BasicCode::XZU, ConditionalMaybeEmpty) => conservative(Action::Empty),
        (BasicCode::XD | BasicCode::XZ | BasicCode::XZD | BasicCode::XZU, Optional) => resolved(Action::Remove),
    }
}

/// What takes away a value that the class may demand.
const fn without(demand: AttributeType) -> Action {
    match demand {
        AttributeType::Required | AttributeType::Conditional => Action::Dummy,
        AttributeType::RequiredMaybeEmpty | AttributeType::ConditionalMaybeEmpty => Action::Empty,
        AttributeType::Optional => Action::Remove,
    }
}

const fn decision(action: Action, rule: Rule) -> Decision {
    Decision { action, rule }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{KeepRule, Target, classes, rows};

    const CR: &str = "1.2.840.10008.5.1.4.1.1.1";
    const DX: &str = "1.2.840.10008.5.1.4.1.1.1.1";

    fn with(options: &[ProfileOption]) -> Profile {
        Profile::new(options.iter().copied(), [], [])
    }

    fn of(profile: &Profile, class: &str, keyword: &str) -> (Action, String) {
        let name = crate::name(crate::by_keyword(keyword).unwrap()).unwrap();
        let decision = profile.decide(class, &[], name.tag, name.vr);
        (decision.action, decision.rule.to_string())
    }

    #[test]
    fn compound_codes_follow_the_type_in_the_class() {
        let strict = Profile::default();
        for (class, keyword, action, rule) in [
            (CR, "PatientID", Action::Pseudonym, "E.1-1 Z/D, keyed"),
            (CR, "StudyDate", Action::Empty, "E.1-1 Z"),
            (CR, "PatientAge", Action::Remove, "E.1-1 X"),
            (CR, "SeriesDate", Action::Remove, "E.1-1 X/D, Type 3"),
            (CR, "InstitutionName", Action::Remove, "E.1-1 X/Z/D, Type 3"),
            (CR, "ContentDate", Action::Empty, "E.1-1 Z/D, Type 2C"),
            (DX, "AcquisitionContextSequence", Action::Empty, "E.1-1 X/Z, Type 2"),
            (CR, "SOPInstanceUID", Action::MapUid, "E.1-1 U"),
            (
                CR,
                "SOPClassUID",
                Action::MapUid,
                "listed by the class, value representation",
            ),
            (CR, "Rows", Action::Keep, "listed by the class"),
            (
                "1.2.3",
                "StationName",
                Action::Dummy,
                "E.1-1 X/Z/D, unresolved, conservative",
            ),
            ("1.2.3", "Rows", Action::Remove, "class not known"),
            (CR, "DetectorID", Action::Remove, "not listed by the class"),
        ] {
            assert_eq!(of(&strict, class, keyword), (action, rule.to_owned()), "{keyword}");
        }
    }

    #[test]
    fn options_act_on_their_rows_and_cleaning_goes_before_retaining() {
        use ProfileOption::*;
        for (option, keyword, action) in [
            (RetainUids, "SOPInstanceUID", Action::Keep),
            (RetainDeviceIdentity, "StationName", Action::Keep),
            (RetainInstitutionIdentity, "InstitutionName", Action::Keep),
            (RetainPatientCharacteristics, "PatientSex", Action::Keep),
            (RetainPatientCharacteristics, "PatientAge", Action::CapAge),
            (RetainLongitudinalFullDates, "StudyDate", Action::Keep),
            (RetainLongitudinalModifiedDates, "StudyDate", Action::ShiftDate),
            (CleanDescriptors, "StudyDescription", Action::Clean),
            (CleanStructuredContent, "AcquisitionContextSequence", Action::Clean),
        ] {
            assert_eq!(of(&with(&[option]), DX, keyword).0, action, "{keyword}");
            assert_eq!(
                of(&with(&[option]), DX, "PatientName").0,
                Action::Pseudonym,
                "no option keeps a name"
            );
        }
        let both = with(&[RetainLongitudinalFullDates, RetainLongitudinalModifiedDates]);
        assert_eq!(of(&both, DX, "StudyDate").0, Action::ShiftDate);
    }

    #[test]
    fn nothing_of_a_vendor_and_nothing_drawn_is_kept_under_any_option() {
        let all = with(&ProfileOption::ALL);
        for tag in [
            Tag(0x0009, 0x0010),
            Tag(0x0009, 0x1010),
            Tag(0x5000, 0x3000),
            Tag(0x6002, 0x3000),
            Tag(0x6000, 0x0010),
            Tag(0x0008, 0x0000),
            Tag(0x0002, 0x0016),
        ] {
            assert_eq!(all.decide(DX, &[], tag, "LO").action, Action::Remove, "{tag}");
        }
    }

    #[test]
    fn inside_a_sequence_its_own_list_holds() {
        let strict = Profile::default();
        let region = Tag(0x0008, 0x2218);
        let code = Tag(0x0008, 0x0100);
        assert_eq!(strict.decide(DX, &[region], code, "SH").action, Action::Keep);
        assert_eq!(strict.decide(DX, &[region], PATIENT_ID, "LO").action, Action::Remove);
        assert_eq!(
            strict.decide(DX, &[Tag(0x0009, 0x1010)], code, "SH").action,
            Action::Remove
        );
    }

    /// One by one: in every class that lists it, each row of the basic profile ends in an action that its code permits.
    #[test]
    fn every_row_ends_in_an_action_that_its_code_permits() {
        let strict = Profile::default();
        let mut looked_at = 0;
        for row in rows() {
            let Target::Exact(tag) = row.target else { continue };
            if tag.0 <= 7 {
                continue;
            }
            let vr = crate::name(tag).unwrap().vr;
            for class in classes().iter().map(|class| class.uid).chain(["1.2.3"]) {
                let decision = strict.decide(class, &[], tag, vr);
                let permitted: &[Action] = match row.basic {
                    BasicCode::X => &[],
                    BasicCode::D => &[Action::Dummy],
                    BasicCode::U => &[Action::MapUid],
                    BasicCode::Z => &[Action::Empty, Action::Dummy, Action::Pseudonym],
                    BasicCode::XD | BasicCode::XZ | BasicCode::XZD => &[Action::Dummy, Action::Empty],
                    BasicCode::ZD => &[Action::Dummy, Action::Empty, Action::Pseudonym],
                    BasicCode::XZU => &[Action::Keep, Action::Empty],
                };
                assert!(
                    decision.action == Action::Remove || permitted.contains(&decision.action),
                    "{tag} {} in {class}: {}",
                    row.basic.text(),
                    decision.action
                );
                looked_at += 1;
            }
        }
        assert!(looked_at > 9000, "{looked_at}");
    }

    /// Each option changes exactly the rows of its column, where the class lists them.
    #[test]
    fn every_option_changes_its_own_rows_only() {
        for option in ProfileOption::ALL {
            let profile = with(&[option]);
            for row in rows() {
                let Target::Exact(tag) = row.target else { continue };
                let vr = crate::name(tag).unwrap().vr;
                for class in classes() {
                    let (before, after) = (
                        Profile::default().decide(class.uid, &[], tag, vr),
                        profile.decide(class.uid, &[], tag, vr),
                    );
                    if row.option(option).is_none() {
                        assert_eq!(before, after, "{tag} {option:?}");
                    } else if after.rule != Rule::NotListed && tag.0 > 7 {
                        assert_eq!(after.rule, Rule::Option(option), "{tag}");
                    }
                }
            }
        }
    }

    fn any_tag() -> impl Strategy<Value = Tag> {
        let known: Vec<Tag> = crate::names::tags().collect();
        prop_oneof![
            (any::<u16>(), any::<u16>()).prop_map(|(group, element)| Tag(group, element)),
            proptest::sample::select(known),
        ]
    }

    fn any_profile() -> impl Strategy<Value = Profile> {
        let options = proptest::collection::vec(proptest::sample::select(ProfileOption::ALL.to_vec()), 0..10);
        let tags = || proptest::collection::vec(any_tag(), 0..6);
        (options, tags(), tags()).prop_map(|(options, remove, keep)| {
            Profile::new(options, remove, keep.into_iter().map(|tag| (tag, KeepRule::default())))
        })
    }

    proptest! {
        #[test]
        fn there_is_an_answer_for_everything_and_removal_wins(
            profile in any_profile(),
            path in proptest::collection::vec(any_tag(), 0..5),
            tag in any_tag(),
            vr in "[A-Z]{2}|.{0,4}",
            class in proptest::sample::select(vec![CR, DX, "", "1.2.840.10008.5.1.4.1.1.12.1"]),
        ) {
            let decision = profile.decide(class, &path, tag, &vr);
            prop_assert!(!decision.rule.to_string().is_empty());
            if profile.remove.contains(&tag) {
                prop_assert_eq!(decision.action, Action::Remove);
            }
            if tag.is_private() || tag.is_group_length() {
                prop_assert_eq!(decision.action, Action::Remove);
            }
            let listed = crate::class(class).is_some_and(|class| class.demand(&path, tag).is_some());
            if !listed && decision.action != Action::Remove && !(path.is_empty() && profile.keep.contains_key(&tag)) {
                prop_assert!(crate::class(class).is_none() && row(tag).is_some());
            }
        }

        #[test]
        fn what_removal_names_is_removed_at_every_level(tag in any_tag(), path in proptest::collection::vec(any_tag(), 0..4)) {
            let profile = Profile::new(ProfileOption::ALL, [tag], [(tag, KeepRule::default())]);
            for vr in ["LO", "UI", "DA", "SQ"] {
                prop_assert_eq!(profile.decide(DX, &path, tag, vr).action, Action::Remove);
            }
        }
    }
}
