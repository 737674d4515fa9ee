//! What stays in de-identified files: with a closed list, its terms and how many; without one, that there is none, because
//! that is what an auditor must look at.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use anyhow::{Context as _, Result};
use serde::Serialize;
use snowball_confidentiality::Tag;
use snowball_imaging::{Limits, standard::vocabulary};
use snowball_service::files;
use snowball_store::{Cell, Table, hide_small};

use super::Attribute;

/// What leaves nothing of the value.
const GONE: [&str; 3] = ["remove", "empty", "dummy"];
/// What no list of the standard holds.
const OTHER: &str = "(not on the list)";

/// One attribute that stays in some form.
#[derive(Serialize)]
pub struct Kept {
    pub tag: String,
    pub keyword: String,
    pub vr: String,
    /// What is done to it, by which rule, how often.
    pub rules: Vec<(String, String, u64)>,
    /// Whether its values come from a closed list of the standard.
    pub is_closed: bool,
    /// The terms in the folders that were looked at, small counts hidden.
    pub terms: Table,
}

/// Of each attribute that stays: its rules, and the terms in the files below `outputs`.
pub fn of(attributes: &[Attribute], outputs: &[PathBuf], cell_min: u64) -> Result<Vec<Kept>> {
    let mut terms = terms(outputs, cell_min)?;
    let stays = attributes.iter().filter_map(|attribute| {
        let rules: Vec<_> = attribute
            .rules
            .iter()
            .filter(|(action, _)| !GONE.contains(&action.as_str()))
            .flat_map(|(action, rules)| {
                rules
                    .iter()
                    .map(move |(rule, count)| (action.clone(), rule.clone(), *count))
            })
            .collect();
        let tag: Tag = attribute.tag.parse().ok()?;
        (!rules.is_empty()).then(|| Kept {
            tag: attribute.tag.clone(),
            keyword: attribute.keyword.clone(),
            vr: attribute.vr.clone(),
            rules,
            is_closed: vocabulary::is_closed(tag),
            terms: terms.remove(&tag).unwrap_or_default(),
        })
    });
    Ok(stays.collect())
}

/// The terms of closed lists, counted by files and by patients: the folder of a file is its patient's.
fn terms(outputs: &[PathBuf], cell_min: u64) -> Result<BTreeMap<Tag, Table>> {
    let mut counts: BTreeMap<Tag, BTreeMap<&'static str, (u64, BTreeSet<PathBuf>)>> = BTreeMap::new();
    let bytes_max = usize::try_from(Limits::default().file_bytes_max)?;
    for output in outputs {
        let (paths, _) = snowball_imaging::walk(output, snowball_imaging::FILES_MAX)
            .with_context(|| format!("cannot read {}", output.display()))?;
        for path in paths
            .iter()
            .filter(|path| path.extension().is_some_and(|end| end == "dcm"))
        {
            let bytes =
                files::read_bounded(path, bytes_max).with_context(|| format!("cannot read {}", path.display()))?;
            let patient = path.parent().unwrap_or(output).to_owned();
            for (tag, values) in vocabulary::closed_terms(&bytes).unwrap_or_default() {
                let distinct: BTreeSet<_> = values.into_iter().map(|term| term.unwrap_or(OTHER)).collect();
                for term in distinct {
                    let count = counts.entry(tag).or_default().entry(term).or_default();
                    count.0 += 1;
                    count.1.insert(patient.clone());
                }
            }
        }
    }
    let table = |cells: BTreeMap<&'static str, (u64, BTreeSet<PathBuf>)>| -> Table {
        let counted = cells.into_iter().map(|(term, (radiographs, patients))| {
            let patients = patients.len() as u64;
            (term.to_owned(), Cell::Counted { radiographs, patients })
        });
        hide_small(&counted.collect(), cell_min)
    };
    Ok(counts.into_iter().map(|(tag, cells)| (tag, table(cells))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_is_not_kept_and_what_has_no_list_says_so() {
        let attribute = |tag: &str, action: &str| Attribute {
            tag: tag.to_owned(),
            keyword: String::new(),
            vr: "LO".to_owned(),
            actions: BTreeMap::from([(action.to_owned(), 1)]),
            rules: BTreeMap::from([(action.to_owned(), BTreeMap::from([("rule".to_owned(), 1)]))]),
        };
        let all = [
            attribute("(0008,0060)", "keep"),
            attribute("(0008,0070)", "keep"),
            attribute("(0010,0010)", "remove"),
            attribute("(0009,xxxx)", "remove"),
        ];
        let kept = of(&all, &[], 5).unwrap();
        let told: Vec<_> = kept.iter().map(|one| (one.tag.as_str(), one.is_closed)).collect();
        assert_eq!(told, [("(0008,0060)", true), ("(0008,0070)", false)]);
    }
}
