//! The part of a policy that says how DICOM is de-identified, as the profile that is applied.

use snowball_confidentiality::{EffectiveRow, KeepRule, Profile, ProfileOption, Tag, by_keyword, name};

use crate::{
    document::{Deidentification, Keep},
    policy::Policy,
    rules::{BrokenRule, is_line, unless},
};

/// Attributes that one policy may keep, and values of each.
const KEEP_MAX: usize = 1000;

impl Policy {
    /// The profile for de-identified DICOM: PS3.15 annex E with the policy's options and local rules.
    #[must_use]
    pub fn confidentiality(&self) -> Profile {
        let document = &self.0.deidentification;
        // Every name was read when the policy was: `first_broken` refuses one that does not.
        let remove = document.remove.iter().filter_map(|text| tag(text));
        let keep = document
            .keep
            .iter()
            .filter_map(|rule| Some((tag(&rule.attribute)?, keep_rule(rule))));
        Profile::new(
            document.options.iter().map(|option| option.profile_option()),
            remove,
            keep,
        )
    }

    /// What becomes of every attribute of table E.1-1, and of all that the SOP class `sop_class` lists.
    #[must_use]
    pub fn confidentiality_table(&self, sop_class: &str) -> Vec<EffectiveRow> {
        self.confidentiality().table(sop_class)
    }
}

/// An attribute by its keyword or as `(gggg,eeee)`.
fn tag(text: &str) -> Option<Tag> {
    text.parse().ok().or_else(|| by_keyword(text))
}

fn keep_rule(keep: &Keep) -> KeepRule {
    KeepRule {
        values: keep.values.iter().map(|value| value.trim().to_lowercase()).collect(),
        creator: keep.creator.clone(),
    }
}

/// The first rule that the section breaks.
pub(crate) fn first_broken(section: &Deidentification) -> Option<BrokenRule> {
    let has = |option| section.options.iter().any(|one| one.profile_option() == option);
    let both = has(ProfileOption::RetainLongitudinalFullDates) && has(ProfileOption::RetainLongitudinalModifiedDates);
    unless(
        !both,
        "deidentification.options",
        "must not name full dates and modified dates: dates stay as they are or move",
    )
    .or_else(|| section.remove.iter().find_map(|text| about_removal(text)))
    .or_else(|| {
        unless(
            section.keep.len() <= KEEP_MAX,
            "deidentification.keep",
            "must have at most 1000 entries",
        )
    })
    .or_else(|| {
        section
            .keep
            .iter()
            .find_map(|keep| about_keeping(keep, has(ProfileOption::RetainSafePrivate)))
    })
}

fn about_removal(text: &str) -> Option<BrokenRule> {
    let field = "deidentification.remove";
    let Some(tag) = tag(text) else {
        return unless(false, field, "must name attributes by keyword or as (gggg,eeee)");
    };
    unless(
        !Profile::is_essential(tag),
        field,
        "must not name what makes an object what it is: its class, UIDs, patient and pixels are replaced, not removed",
    )
}

fn about_keeping(keep: &Keep, private_is_on: bool) -> Option<BrokenRule> {
    let field = "deidentification.keep";
    let Some(tag) = tag(&keep.attribute) else {
        return unless(false, field, "must name each attribute by keyword or as (gggg,eeee)");
    };
    let vr = name(tag).map_or("UN", |name| name.vr);
    let nameable = !matches!(vr, "PN" | "UI" | "SQ" | "OB" | "OW") && !Profile::is_essential(tag);
    unless(
        nameable,
        field,
        "must not name persons, UIDs, sequences or what makes an object what it is",
    )
    .or_else(|| {
        unless(
            tag.is_private() == keep.creator.is_some(),
            field,
            "must give a creator with each private attribute, and with no other",
        )
    })
    .or_else(|| {
        unless(
            !tag.is_private() || (private_is_on && tag.1 & 0xFF00 == 0x1000),
            field,
            "must write a private attribute as (gggg,10ee), under the option retain-safe-private",
        )
    })
    .or_else(|| {
        let listed = (1..=KEEP_MAX).contains(&keep.values.len()) && keep.values.iter().all(|value| is_line(value));
        unless(
            listed,
            field,
            "must give 1 to 1000 values, each one line of 1 to 200 characters",
        )
    })
}

#[cfg(test)]
mod tests {
    use snowball_confidentiality::Action;

    use crate::{PolicyFault, parse, testing::COLLABORATION};

    const DX: &str = "1.2.840.10008.5.1.4.1.1.1.1";

    fn with(lines: &str) -> Result<crate::Policy, PolicyFault> {
        let from = "options = [\"retain-patient-characteristics\"]";
        assert!(COLLABORATION.contains(from));
        parse(&COLLABORATION.replacen(from, lines, 1))
    }

    fn action(policy: &crate::Policy, keyword: &str) -> Action {
        let table = policy.confidentiality_table(DX);
        table.iter().find(|row| row.keyword == keyword).unwrap().decision.action
    }

    #[test]
    fn a_policy_that_says_nothing_has_the_strictest_profile() {
        let policy = with("").unwrap();
        assert_eq!(policy.confidentiality(), snowball_confidentiality::Profile::default());
        assert_eq!(action(&policy, "PatientAge"), Action::Remove);
        assert_eq!(action(&parse(COLLABORATION).unwrap(), "PatientAge"), Action::CapAge);
    }

    #[test]
    fn options_and_local_rules_reach_the_profile() {
        let policy = with(
            "options = [\"clean-descriptors\", \"retain-longitudinal-modified-dates\"]\n\
             remove = [\"SeriesDescription\", \"(0018,0015)\"]\n\
             keep = [{ attribute = \"StationName\", values = [\"Room 1\"] }]",
        )
        .unwrap();
        for (keyword, expected) in [
            ("StudyDescription", Action::Clean),
            ("SeriesDescription", Action::Remove),
            ("BodyPartExamined", Action::Remove),
            ("StudyDate", Action::ShiftDate),
            ("StationName", Action::KeepListed),
        ] {
            assert_eq!(action(&policy, keyword), expected, "{keyword}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (lines, field) in [
            ("remove = [\"NoSuchThing\"]", "deidentification.remove"),
            ("remove = [\"PixelData\"]", "deidentification.remove"),
            ("remove = [\"StationName\", \"StationName\"]", "deidentification.remove"),
            (
                "options = [\"retain-longitudinal-full-dates\", \"retain-longitudinal-modified-dates\"]",
                "deidentification.options",
            ),
            (
                "keep = [{ attribute = \"PatientName\", values = [\"A\"] }]",
                "deidentification.keep",
            ),
            (
                "keep = [{ attribute = \"ReferringPhysicianName\", values = [\"A\"] }]",
                "deidentification.keep",
            ),
            (
                "keep = [{ attribute = \"PatientID\", values = [\"A\"] }]",
                "deidentification.keep",
            ),
            (
                "keep = [{ attribute = \"StationName\", values = [] }]",
                "deidentification.keep",
            ),
            (
                "keep = [{ attribute = \"(0019,1010)\", values = [\"A\"] }]",
                "deidentification.keep",
            ),
            (
                "keep = [{ attribute = \"(0019,1010)\", values = [\"A\"], creator = \"ACME\" }]",
                "deidentification.keep",
            ),
            (
                "keep = [{ attribute = \"StationName\", values = [\"A\"], colour = 1 }]",
                "colour",
            ),
        ] {
            match with(lines) {
                Err(PolicyFault::Malformed { field: Some(found), .. }) => assert_eq!(found, field, "{lines}"),
                other => panic!("{lines}: {other:?}"),
            }
        }
        with(
            "options = [\"retain-safe-private\"]\n\
             keep = [{ attribute = \"(0019,1010)\", values = [\"A\"], creator = \"ACME\" }]",
        )
        .unwrap();
    }
}
