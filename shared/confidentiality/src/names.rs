//! Keywords and value representations (PS3.6 chapter 6) of the attributes that the tables speak of.

use std::{collections::HashMap, sync::LazyLock};

use crate::{Tag, rows::data_lines};

/// What PS3.6 says of an attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Name {
    /// The tag.
    pub tag: Tag,
    /// Its value representation; the first of several.
    pub vr: &'static str,
    /// Its keyword.
    pub keyword: &'static str,
}

struct Names {
    by_tag: HashMap<Tag, Name>,
    by_keyword: HashMap<&'static str, Tag>,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let names: Vec<Name> = data_lines(include_str!("../data/names.tsv"))
        .filter_map(parse)
        .collect();
    Names {
        by_tag: names.iter().map(|name| (name.tag, *name)).collect(),
        by_keyword: names.iter().map(|name| (name.keyword, name.tag)).collect(),
    }
});

/// Repeating groups have no one tag: they are passed over.
fn parse(line: &'static str) -> Option<Name> {
    let mut columns = line.split('\t');
    Some(Name {
        tag: Tag::from_digits(columns.next()?)?,
        vr: columns.next()?,
        keyword: columns.next()?,
    })
}

/// What PS3.6 says of `tag`, if a table speaks of it.
#[must_use]
pub fn name(tag: Tag) -> Option<Name> {
    NAMES.by_tag.get(&tag).copied()
}

/// The tag with this keyword, if a table speaks of it.
#[must_use]
pub fn by_keyword(keyword: &str) -> Option<Tag> {
    NAMES.by_keyword.get(keyword).copied()
}

/// In the order of tags.
#[cfg(test)]
pub(crate) fn tags() -> impl Iterator<Item = Tag> {
    let mut tags: Vec<Tag> = NAMES.by_tag.keys().copied().collect();
    tags.sort_unstable();
    tags.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyword_and_tag_are_inverse() {
        assert_eq!(by_keyword("PatientName"), Some(Tag(0x10, 0x10)));
        assert_eq!(name(Tag(0x10, 0x10)).unwrap().vr, "PN");
        for tag in tags() {
            assert_eq!(by_keyword(name(tag).unwrap().keyword), Some(tag));
        }
        assert_eq!(by_keyword("NoSuchThing"), None);
    }

    #[test]
    fn every_row_of_one_attribute_has_a_name() {
        for row in crate::rows() {
            if let crate::Target::Exact(tag) = row.target {
                assert!(name(tag).is_some(), "{tag}");
            }
        }
    }
}
