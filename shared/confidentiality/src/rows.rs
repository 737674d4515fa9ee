//! Table E.1-1 of PS3.15.

use std::{collections::HashMap, sync::LazyLock};

use crate::{ProfileOption, Tag};

/// What the basic profile does with an attribute.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum BasicCode {
    /// Remove.
    X,
    /// Replace with a dummy.
    D,
    /// Replace with a mapped UID.
    U,
    /// Empty, or a dummy.
    Z,
    /// Remove, unless Type 1 asks for a dummy.
    XD,
    /// Remove, unless Type 2 asks for an empty value.
    XZ,
    /// Remove, empty or a dummy, by Type.
    XZD,
    /// Empty, unless Type 1 asks for a dummy.
    ZD,
    /// Remove or empty, unless the sequence is required: then the UIDs inside are mapped.
    XZU,
}

impl BasicCode {
    /// As the table writes it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::X => "X",
            Self::D => "D",
            Self::U => "U",
            Self::Z => "Z",
            Self::XD => "X/D",
            Self::XZ => "X/Z",
            Self::XZD => "X/Z/D",
            Self::ZD => "Z/D",
            Self::XZU => "X/Z/U*",
        }
    }

    const ALL: [Self; 9] = [
        Self::X,
        Self::D,
        Self::U,
        Self::Z,
        Self::XD,
        Self::XZ,
        Self::XZD,
        Self::ZD,
        Self::XZU,
    ];
}

/// What an option does with an attribute.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OptionCode {
    /// Keep.
    K,
    /// Clean.
    C,
}

/// Which attributes a row speaks of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// One.
    Exact(Tag),
    /// All of the groups 50xx.
    Curves,
    /// One element of the groups 60xx.
    Overlay(u16),
    /// All of odd groups.
    Private,
}

/// One row of table E.1-1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Which attributes.
    pub target: Target,
    /// Its keyword.
    pub keyword: &'static str,
    /// Whether a standard composite object lists it.
    pub in_iods: bool,
    /// The basic profile.
    pub basic: BasicCode,
    options: [Option<OptionCode>; 10],
}

impl Row {
    /// What `option` says of it.
    #[must_use]
    pub fn option(&self, option: ProfileOption) -> Option<OptionCode> {
        let place = ProfileOption::ALL.iter().position(|other| *other == option)?;
        self.options.get(place).copied().flatten()
    }

    /// The tag as the table writes it: `(0010,0020)`, `(60XX,3000)`.
    #[must_use]
    pub fn tag_text(&self) -> String {
        match self.target {
            Target::Exact(tag) => tag.to_string(),
            Target::Curves => "(50XX,XXXX)".to_owned(),
            Target::Overlay(element) => format!("(60XX,{element:04X})"),
            Target::Private => "(odd group)".to_owned(),
        }
    }
}

struct Table {
    rows: Vec<Row>,
    exact: HashMap<Tag, usize>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let rows: Vec<Row> = data_lines(include_str!("../data/profile.tsv"))
        .map(|line| parse(line).expect("the compiled-in table holds 14 columns a row; a test reads each"))
        .collect();
    let exact = rows.iter().enumerate().filter_map(|(place, row)| match row.target {
        Target::Exact(tag) => Some((tag, place)),
        _ => None,
    });
    Table {
        exact: exact.collect(),
        rows,
    }
});

/// The lines of one of our tables that are not comments.
pub(crate) fn data_lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

fn parse(line: &'static str) -> Option<Row> {
    let columns: Vec<&'static str> = line.split('\t').collect();
    let [tag, keyword, in_iods, basic, options @ ..] = columns.as_slice() else {
        return None;
    };
    let target = match *tag {
        "ODD" => Target::Private,
        "50XXXXXX" => Target::Curves,
        overlay if overlay.starts_with("60XX") => Target::Overlay(u16::from_str_radix(overlay.get(4..)?, 16).ok()?),
        exact => Target::Exact(Tag::from_digits(exact)?),
    };
    let basic = BasicCode::ALL.into_iter().find(|code| code.text() == *basic)?;
    let mut parsed = [None; 10];
    if options.len() != parsed.len() {
        return None;
    }
    for (slot, text) in parsed.iter_mut().zip(options) {
        *slot = match *text {
            "-" => None,
            "K" => Some(OptionCode::K),
            "C" => Some(OptionCode::C),
            _ => return None,
        };
    }
    Some(Row {
        target,
        keyword,
        in_iods: *in_iods == "Y",
        basic,
        options: parsed,
    })
}

/// All rows, by tag.
#[must_use]
pub fn rows() -> &'static [Row] {
    &TABLE.rows
}

/// The row that speaks of `tag`.
#[must_use]
pub fn row(tag: Tag) -> Option<&'static Row> {
    let target = if tag.is_private() {
        Target::Private
    } else if tag.is_repeating(0x5000) {
        Target::Curves
    } else if tag.is_repeating(0x6000) {
        Target::Overlay(tag.1)
    } else {
        return TABLE.exact.get(&tag).and_then(|place| TABLE.rows.get(*place));
    };
    TABLE.rows.iter().find(|row| row.target == target)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The counts of edition 2024e, taken from the published table by another program.
    #[test]
    fn the_table_has_the_counts_of_its_edition() {
        let mut codes = BTreeMap::new();
        for row in rows() {
            *codes.entry(row.basic.text()).or_insert(0) += 1;
        }
        let expected = [
            ("X", 384),
            ("D", 92),
            ("U", 54),
            ("Z", 42),
            ("X/D", 22),
            ("X/Z", 11),
            ("X/Z/D", 8),
            ("Z/D", 6),
            ("X/Z/U*", 2),
        ];
        assert_eq!(codes, BTreeMap::from(expected));
        assert_eq!(rows().len(), 621);
        let count = |option, code| rows().iter().filter(|row| row.option(option) == Some(code)).count();
        use OptionCode::{C, K};
        use ProfileOption::*;
        for (option, kept, cleaned) in [
            (RetainSafePrivate, 0, 1),
            (RetainUids, 59, 0),
            (RetainDeviceIdentity, 46, 11),
            (RetainInstitutionIdentity, 10, 0),
            (RetainPatientCharacteristics, 9, 4),
            (RetainLongitudinalFullDates, 165, 0),
            (RetainLongitudinalModifiedDates, 0, 165),
            (CleanDescriptors, 0, 125),
            (CleanStructuredContent, 0, 3),
            (CleanGraphics, 0, 4),
        ] {
            assert_eq!((count(option, K), count(option, C)), (kept, cleaned), "{option:?}");
        }
    }

    #[test]
    fn every_row_is_found_by_its_tag() {
        for wanted in rows() {
            let tag = match wanted.target {
                Target::Exact(tag) => tag,
                Target::Curves => Tag(0x5004, 0x3000),
                Target::Overlay(element) => Tag(0x601E, element),
                Target::Private => Tag(0x0009, 0x1010),
            };
            assert_eq!(row(tag), Some(wanted), "{tag}");
        }
        assert_eq!(row(Tag(0x0028, 0x0010)), None);
        assert_eq!(row(Tag(0x6000, 0x0010)), None);
    }
}
