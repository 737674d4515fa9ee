//! A profile: the basic profile with a site's options and local rules.

use std::collections::{BTreeMap, BTreeSet};

use crate::{ProfileOption, Tag};

/// A local rule that keeps an attribute.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeepRule {
    /// The values that may stay; another value goes. Compared without case and without blanks around.
    pub values: BTreeSet<String>,
    /// For private attributes: the creator that must have reserved the block (PS3.5 section 7.8.1); the element's last
    /// two digits count, whichever block it reserved.
    pub creator: Option<String>,
}

/// The basic profile with options and local rules. Without any, it is the strictest.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Profile {
    pub(crate) options: BTreeSet<ProfileOption>,
    pub(crate) remove: BTreeSet<Tag>,
    pub(crate) keep: BTreeMap<Tag, KeepRule>,
}

impl Profile {
    /// The basic profile with `options`, without `remove`, and with `keep` for values on a list. Removal wins.
    #[must_use]
    pub fn new(
        options: impl IntoIterator<Item = ProfileOption>,
        remove: impl IntoIterator<Item = Tag>,
        keep: impl IntoIterator<Item = (Tag, KeepRule)>,
    ) -> Self {
        Self {
            options: options.into_iter().collect(),
            remove: remove.into_iter().collect(),
            keep: keep.into_iter().collect(),
        }
    }

    /// Whether `option` is on.
    #[must_use]
    pub fn has(&self, option: ProfileOption) -> bool {
        self.options.contains(&option)
    }

    /// The options that are on.
    pub fn options(&self) -> impl Iterator<Item = ProfileOption> + '_ {
        self.options.iter().copied()
    }

    /// The local rule that keeps `tag`.
    #[must_use]
    pub fn keep_rule(&self, tag: Tag) -> Option<&KeepRule> {
        self.keep.get(&tag)
    }

    /// The local rule that keeps a private attribute: the block's creator and the element's last two digits must match.
    #[must_use]
    pub fn private_rule(&self, tag: Tag, creator: &str) -> Option<&KeepRule> {
        if !self.has(ProfileOption::RetainSafePrivate) || tag.1 < 0x1000 || self.remove.contains(&in_block(tag)) {
            return None;
        }
        self.keep.get(&in_block(tag)).filter(|rule| {
            rule.creator
                .as_deref()
                .is_some_and(|wanted| wanted.trim() == creator.trim())
        })
    }

    /// Attributes that make the object what it is; a policy cannot remove them.
    #[must_use]
    pub fn is_essential(tag: Tag) -> bool {
        matches!(
            (tag.0, tag.1),
            (0x0008, 0x0005 | 0x0016 | 0x0018)
                | (0x0010, 0x0010 | 0x0020)
                | (0x0020, 0x000D | 0x000E)
                | (0x0028, 0x0002 | 0x0004 | 0x0010 | 0x0011 | 0x0100..=0x0103)
                | (0x7FE0, 0x0010)
        )
    }
}

/// A private element written as policies write it: in the first block, `(gggg,10ee)`.
fn in_block(tag: Tag) -> Tag {
    Tag(tag.0, 0x1000 | (tag.1 & 0xFF))
}
