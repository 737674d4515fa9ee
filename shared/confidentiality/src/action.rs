//! What becomes of an attribute, and by which rule.

use std::fmt;

use serde::Serialize;

use crate::{AttributeType, BasicCode, ProfileOption};

/// What becomes of an attribute.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It stays; a sequence stays and its items are decided one attribute at a time.
    Keep,
    /// It stays if its value is one of the policy's words, else it is removed.
    KeepListed,
    /// It goes, with all that it holds.
    Remove,
    /// Its value becomes empty.
    Empty,
    /// Its value becomes a fixed one that its value representation permits.
    Dummy,
    /// Words that are not of a closed vocabulary go; a sequence stays and its items are decided.
    Clean,
    /// Each UID becomes another, the same each time.
    MapUid,
    /// Dates move by the patient's whole days; times stay.
    ShiftDate,
    /// An age above 89 years becomes 90 years.
    CapAge,
    /// Its value becomes a keyed pseudonym.
    Pseudonym,
}

impl Action {
    /// The action in a word or two, for people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::KeepListed => "keep listed words",
            Self::Remove => "remove",
            Self::Empty => "empty",
            Self::Dummy => "dummy",
            Self::Clean => "clean",
            Self::MapUid => "map UID",
            Self::ShiftDate => "shift date",
            Self::CapAge => "cap age",
            Self::Pseudonym => "pseudonym",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}

/// Where a decision comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rule {
    /// A simple code of table E.1-1.
    Row(BasicCode),
    /// A compound code, resolved by the attribute's Type in the class.
    Resolved(BasicCode, AttributeType),
    /// A compound code whose condition cannot be decided: the safest side that is still valid.
    Conservative(BasicCode),
    /// An option of the profile.
    Option(ProfileOption),
    /// The class lists it and the table has no row.
    Listed,
    /// The class lists it, the table has no row, and its value representation holds names, dates or UIDs.
    ByRepresentation,
    /// The class does not list it.
    NotListed,
    /// The class is not known, so nothing is on its list.
    UnknownClass,
    /// A keyed pseudonym as the dummy that the row permits.
    Keyed(BasicCode),
    /// The policy names it as removed.
    LocalRemove,
    /// The policy names it as kept, with its words.
    LocalKeep,
    /// Group lengths, and what stands in the file meta information.
    Structure,
    /// Overlays and curves, which may hold drawn text.
    Drawing,
    /// Private attributes.
    Private,
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(code) => write!(formatter, "E.1-1 {}", code.text()),
            Self::Resolved(code, demand) => write!(formatter, "E.1-1 {}, Type {}", code.text(), demand.text()),
            Self::Conservative(code) => write!(formatter, "E.1-1 {}, unresolved, conservative", code.text()),
            Self::Option(option) => write!(formatter, "option {}", option.code()),
            Self::Listed => formatter.write_str("listed by the class"),
            Self::ByRepresentation => formatter.write_str("listed by the class, value representation"),
            Self::NotListed => formatter.write_str("not listed by the class"),
            Self::UnknownClass => formatter.write_str("class not known"),
            Self::Keyed(code) => write!(formatter, "E.1-1 {}, keyed", code.text()),
            Self::LocalRemove => formatter.write_str("policy: remove"),
            Self::LocalKeep => formatter.write_str("policy: keep"),
            Self::Structure => formatter.write_str("structure of the file"),
            Self::Drawing => formatter.write_str("overlays and curves"),
            Self::Private => formatter.write_str("private attribute"),
        }
    }
}

/// What becomes of one attribute, and why.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Decision {
    /// What becomes of it.
    pub action: Action,
    /// Why.
    pub rule: Rule,
}
