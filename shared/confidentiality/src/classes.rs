//! The image classes of projection radiography (PS3.4 annex B, PS3.3 annex A) and what each lists, at every level.

use std::{collections::HashMap, sync::LazyLock};

use crate::{Tag, rows::data_lines};

/// What a class demands of an attribute (PS3.5 section 7.4), weakest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AttributeType {
    /// Type 3.
    Optional,
    /// Type 2C, or Type 2 in a module that may be absent: the condition cannot be decided from here.
    ConditionalMaybeEmpty,
    /// Type 2.
    RequiredMaybeEmpty,
    /// Type 1C, or Type 1 in a module that may be absent.
    Conditional,
    /// Type 1.
    Required,
}

impl AttributeType {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "1" => Self::Required,
            "1C" => Self::Conditional,
            "2" => Self::RequiredMaybeEmpty,
            "2C" => Self::ConditionalMaybeEmpty,
            "3" => Self::Optional,
            _ => return None,
        })
    }

    /// As it counts in a module that the object may lack.
    const fn in_absent_module(self) -> Self {
        match self {
            Self::Required => Self::Conditional,
            Self::RequiredMaybeEmpty => Self::ConditionalMaybeEmpty,
            other => other,
        }
    }

    /// As the standard writes it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Required => "1",
            Self::Conditional => "1C",
            Self::RequiredMaybeEmpty => "2",
            Self::ConditionalMaybeEmpty => "2C",
            Self::Optional => "3",
        }
    }
}

/// One level of a class: its attributes, and the levels inside its sequences.
#[derive(Default, Debug)]
struct Level(HashMap<Tag, Listed>);

#[derive(Debug)]
struct Listed {
    demand: AttributeType,
    inside: Level,
}

/// An image class.
#[derive(Debug)]
pub struct Class {
    /// SOP Class UID.
    pub uid: &'static str,
    /// Its name in PS3.4.
    pub name: &'static str,
    top: Level,
}

impl Class {
    /// What the class demands of `tag` inside the sequences `path`, outermost first; `None` if it does not list it.
    #[must_use]
    pub fn demand(&self, path: &[Tag], tag: Tag) -> Option<AttributeType> {
        self.level(path)?.0.get(&tag).map(|listed| listed.demand)
    }

    /// What the class lists inside the sequences `path`, by tag.
    #[must_use]
    pub fn listed(&self, path: &[Tag]) -> Vec<(Tag, AttributeType)> {
        let level = self.level(path).map(|level| &level.0);
        let mut listed: Vec<_> = level
            .into_iter()
            .flatten()
            .map(|(tag, listed)| (*tag, listed.demand))
            .collect();
        listed.sort_unstable();
        listed
    }

    fn level(&self, path: &[Tag]) -> Option<&Level> {
        path.iter()
            .try_fold(&self.top, |level, tag| level.0.get(tag).map(|listed| &listed.inside))
    }
}

static CLASSES: LazyLock<Vec<Class>> = LazyLock::new(|| {
    let modules = modules();
    data_lines(include_str!("../data/classes.tsv"))
        .filter_map(|line| class_of(line, &modules))
        .collect()
});

type Module = Vec<(usize, Tag, AttributeType)>;

fn modules() -> HashMap<&'static str, Module> {
    let mut modules: HashMap<&str, Module> = HashMap::new();
    let mut current = "";
    for line in data_lines(include_str!("../data/modules.tsv")) {
        if let Some(module) = line.strip_prefix('@') {
            current = module;
            continue;
        }
        let body = line.trim_start_matches('.');
        let depth = line.len() - body.len();
        // Repeating groups have no one tag here: no rule keeps them.
        if let Some((tag, demand)) = body.split_once(' ')
            && let (Some(tag), Some(demand)) = (Tag::from_digits(tag), AttributeType::parse(demand))
        {
            modules.entry(current).or_default().push((depth, tag, demand));
        }
    }
    modules
}

fn class_of(line: &'static str, modules: &HashMap<&'static str, Module>) -> Option<Class> {
    let mut columns = line.split('\t');
    let (uid, name, used) = (columns.next()?, columns.next()?, columns.next()?);
    let mut top = Level::default();
    for used in used.split(' ') {
        let (module, usage) = used.split_once(':')?;
        let mut path: Vec<Tag> = Vec::new();
        for (depth, tag, demand) in modules.get(module).into_iter().flatten() {
            path.truncate(*depth);
            // Inside an item the module is there; only at the top it may be absent.
            let demand = if usage == "M" || *depth > 0 {
                *demand
            } else {
                demand.in_absent_module()
            };
            put(&mut top, &path, *tag, demand);
            path.push(*tag);
        }
    }
    Some(Class { uid, name, top })
}

/// Several modules may list one attribute: the strongest demand counts.
fn put(top: &mut Level, path: &[Tag], tag: Tag, demand: AttributeType) {
    let level = path.iter().fold(top, |level, tag| {
        &mut level.0.entry(*tag).or_insert_with(optional).inside
    });
    let listed = level.0.entry(tag).or_insert_with(optional);
    listed.demand = listed.demand.max(demand);
}

fn optional() -> Listed {
    Listed {
        demand: AttributeType::Optional,
        inside: Level::default(),
    }
}

/// Every class that is known.
#[must_use]
pub fn classes() -> &'static [Class] {
    &CLASSES
}

/// The class with this UID; `None` if it is not one of projection radiography.
#[must_use]
pub fn class(uid: &str) -> Option<&'static Class> {
    CLASSES.iter().find(|class| class.uid == uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CR: &str = "1.2.840.10008.5.1.4.1.1.1";
    const DX: &str = "1.2.840.10008.5.1.4.1.1.1.1";

    #[test]
    fn all_fourteen_classes_are_there_and_list_hundreds_of_attributes() {
        assert_eq!(classes().len(), 14);
        for class in classes() {
            assert!(
                class.listed(&[]).len() > 250,
                "{} {}",
                class.name,
                class.listed(&[]).len()
            );
            for (tag, demand) in [
                (Tag(0x08, 0x16), AttributeType::Required),
                (Tag(0x08, 0x18), AttributeType::Required),
                (Tag(0x10, 0x20), AttributeType::RequiredMaybeEmpty),
                (Tag(0x20, 0x0D), AttributeType::Required),
                (Tag(0x28, 0x10), AttributeType::Required),
            ] {
                assert_eq!(class.demand(&[], tag), Some(demand), "{} {tag}", class.name);
            }
        }
    }

    /// Facts of PS3.3 read by eye: A.2 and C.8.1 (CR), A.26 and C.8.11 (DX).
    #[test]
    fn types_differ_between_classes_as_the_standard_says() {
        let (cr, dx) = (class(CR).unwrap(), class(DX).unwrap());
        let body_part = Tag(0x18, 0x15);
        assert_eq!(cr.demand(&[], body_part), Some(AttributeType::RequiredMaybeEmpty));
        let intent = Tag(0x08, 0x68);
        assert_eq!(
            (cr.demand(&[], intent), dx.demand(&[], intent)),
            (None, Some(AttributeType::Required))
        );
        let region = Tag(0x08, 0x2218);
        assert_eq!(dx.demand(&[region], Tag(0x08, 0x0104)), Some(AttributeType::Required));
        assert_eq!(
            dx.demand(&[], Tag(0x08, 0x0104)),
            None,
            "code meaning is listed inside sequences only"
        );
    }

    #[test]
    fn what_is_unknown_is_not_listed() {
        assert!(class("1.2.3").is_none());
        assert_eq!(class(DX).unwrap().demand(&[Tag(0x10, 0x10)], Tag(0x10, 0x20)), None);
        assert_eq!(class(DX).unwrap().demand(&[], Tag(0x0009, 0x1010)), None);
    }
}
