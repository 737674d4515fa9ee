//! The figures of a model on one part: per head, and per group of radiographs. Pure.
//!
//! Groups, heads in a group and classes of fewer patients than the policy's smallest cell are not shown, and of a table of groups as many
//! further ones as it takes that the hidden counts cannot be had by subtraction, as in the census.

mod words;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use anyhow::Result;
use rayon::prelude::*;
use serde::Serialize;
use snowball_metrics::{
    Agreement, ClassFigures, ClassRow, Figure, NumberFigures, NumberRow, Resampling, of_classes, of_numbers,
};
use snowball_protocol::{
    labels::LabelName,
    plan::{Head, HeadKind},
};
use snowball_store::{Cell, Table, age_band, hide_small};
use snowball_worker::shard::ShardRecord;

use crate::outputs::Told;

pub use words::text;

/// The figures of one model on one part.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// How the intervals were made.
    pub interval: Interval,
    /// Per head of the plan; one without enough patients is left out.
    pub figures: Vec<HeadFigures>,
    /// By kind of group (`sex`, `age_band`, `view`, `body_part`, `laterality`, `site: NAME`), then by term.
    pub groups: BTreeMap<String, BTreeMap<String, Group>>,
}

/// How intervals were made.
#[derive(Debug, Serialize)]
pub struct Interval {
    pub level: f64,
    pub method: &'static str,
    #[serde(flatten)]
    pub resampling: Resampling,
}

/// One head's figures.
#[derive(Debug, Serialize)]
pub struct HeadFigures {
    pub label: LabelName,
    #[serde(flatten)]
    pub of: Kind,
}

/// By what the head tells.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    Classes(ClassFigures),
    Regression(NumberFigures),
}

/// A group's figures, or that it is too small to say.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Group {
    Shown {
        radiographs: u64,
        patients: u64,
        heads: Vec<GroupHead>,
    },
    Hidden {
        below: u64,
    },
}

/// The main figures of one head in one group.
#[derive(Debug, Serialize)]
pub struct GroupHead {
    pub label: LabelName,
    pub radiographs: u64,
    pub patients: u64,
    /// `balanced_accuracy` and `auroc`, or `mean_absolute_error`, `constant_error` and `bias`.
    pub figures: BTreeMap<&'static str, Figure>,
}

/// What figures are made of.
pub struct Material<'a> {
    pub heads: &'a [Head],
    pub told: &'a [Told],
    /// Terms of the hospital's own labels, a map a radiograph of `told`.
    pub own: &'a [BTreeMap<String, String>],
    /// For each head, the median of its numbers in the training part.
    pub constants: &'a [Option<f64>],
    /// The policy's smallest cell, in patients.
    pub cell_min: u64,
    pub resampling: Resampling,
}

/// The median of each head's number over the training part's records; `None` for classes, and where there is none.
pub fn constants<'a>(heads: &[Head], training: impl Iterator<Item = &'a ShardRecord> + Clone) -> Vec<Option<f64>> {
    let of = |head: &Head| {
        let mut numbers: Vec<f64> = training
            .clone()
            .filter_map(|record| head.number(&record.labels).map(f64::from))
            .collect();
        numbers.sort_unstable_by(f64::total_cmp);
        let middle = numbers.len() / 2;
        match numbers.len() {
            0 => None,
            odd if odd % 2 == 1 => Some(numbers[middle]),
            _ => Some(f64::midpoint(numbers[middle - 1], numbers[middle])),
        }
    };
    heads.iter().map(of).collect()
}

impl Material<'_> {
    /// All figures.
    pub fn figures(&self) -> Result<Figures> {
        let patients = numbered(self.told);
        let all: Vec<usize> = (0..self.told.len()).collect();
        let places: Vec<usize> = (0..self.heads.len()).collect();
        let heads: Vec<HeadFigures> = places
            .par_iter()
            .map(|head| self.head(*head, &all, &patients))
            .collect::<Result<_>>()?;
        let cell_min = self.cell_min;
        let shown = heads.into_iter().filter(|head| head.of.patients() >= cell_min.max(1));
        let figures = shown.map(|head| head.without_small_classes(cell_min)).collect();
        let groups: BTreeMap<String, BTreeMap<String, Group>> = self
            .terms()
            .into_par_iter()
            .map(|(name, terms)| self.groups(&terms, &patients).map(|groups| (name, groups)))
            .collect::<Result<_>>()?;
        Ok(Figures {
            interval: Interval {
                level: 0.95,
                method: "percentile bootstrap over patients",
                resampling: self.resampling,
            },
            figures,
            groups,
        })
    }

    fn head(&self, place: usize, rows: &[usize], patients: &[usize]) -> Result<HeadFigures> {
        let head = &self.heads[place];
        let begin: usize = self.heads[..place].iter().map(Head::outputs).sum();
        let outputs = |row: usize| &self.told[row].outputs[begin..begin + head.outputs()];
        let labels = |row: usize| &self.told[row].record.labels;
        let of = match &head.kind {
            HeadKind::Classes(classes) => {
                let known = rows.iter().filter_map(|row| {
                    Some(ClassRow {
                        patient: patients[*row],
                        truth: head.class(labels(*row))?,
                        probabilities: outputs(*row).to_vec(),
                    })
                });
                let rows: Vec<ClassRow> = known.collect();
                Kind::Classes(of_classes(classes, Agreement::of(classes), &rows, self.resampling)?)
            }
            // Material holds no masks; what comes here has no figures.
            HeadKind::Mask { .. } => Kind::Regression(of_numbers(&[], None, self.resampling)?),
            HeadKind::Regression { .. } => {
                let known = rows.iter().filter_map(|row| {
                    Some(NumberRow {
                        patient: patients[*row],
                        truth: f64::from(head.number(labels(*row))?),
                        said: f64::from(outputs(*row)[0]),
                    })
                });
                let rows: Vec<NumberRow> = known.collect();
                Kind::Regression(of_numbers(&rows, self.constants[place], self.resampling)?)
            }
        };
        Ok(HeadFigures { label: head.label, of })
    }

    /// The term of every radiograph, by kind of group.
    fn terms(&self) -> BTreeMap<String, Vec<Option<String>>> {
        let of = |term: &dyn Fn(&ShardRecord) -> Option<String>| -> Vec<Option<String>> {
            let records = self.told.iter().map(|told| &told.record);
            records.map(term).collect()
        };
        let mut terms = BTreeMap::new();
        for label in [
            LabelName::BodyPart,
            LabelName::View,
            LabelName::Laterality,
            LabelName::Sex,
        ] {
            terms.insert(
                label.code().to_owned(),
                of(&|record| record.labels.class(label).map(Cow::into_owned)),
            );
        }
        let band = of(&|record| record.labels.age_years.and_then(age_band).map(str::to_owned));
        terms.insert("age_band".to_owned(), band);
        let names: BTreeSet<&String> = self.own.iter().flat_map(BTreeMap::keys).collect();
        for name in names {
            let own = self.own.iter().map(|own| own.get(name).cloned()).collect();
            terms.insert(format!("site: {name}"), own);
        }
        terms.retain(|_, terms| terms.iter().any(Option::is_some));
        terms
    }

    fn groups(&self, terms: &[Option<String>], patients: &[usize]) -> Result<BTreeMap<String, Group>> {
        let mut members: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (row, term) in terms.iter().enumerate() {
            let term = term.clone().unwrap_or_else(|| "unknown".to_owned());
            members.entry(term).or_default().push(row);
        }
        let counted = |rows: &Vec<usize>| Cell::Counted {
            radiographs: rows.len() as u64,
            patients: rows.iter().map(|row| patients[*row]).collect::<BTreeSet<_>>().len() as u64,
        };
        let table: Table = members
            .iter()
            .map(|(term, rows)| (term.clone(), counted(rows)))
            .collect();
        let group = |(term, cell): (String, Cell)| -> Result<(String, Group)> {
            let group = match cell {
                Cell::Hidden { below } => Group::Hidden { below },
                Cell::Counted {
                    radiographs,
                    patients: of,
                } => Group::Shown {
                    radiographs,
                    patients: of,
                    heads: self.group_heads(&members[&term], patients)?,
                },
            };
            Ok((term, group))
        };
        hide_small(&table, self.cell_min).into_iter().map(group).collect()
    }

    fn group_heads(&self, rows: &[usize], patients: &[usize]) -> Result<Vec<GroupHead>> {
        let mut heads = Vec::new();
        for place in 0..self.heads.len() {
            let head = self.head(place, rows, patients)?;
            if head.of.patients() >= self.cell_min.max(1) {
                heads.push(GroupHead {
                    label: head.label,
                    radiographs: head.of.radiographs(),
                    patients: head.of.patients(),
                    figures: head.of.main(),
                });
            }
        }
        Ok(heads)
    }
}

/// A number for each radiograph's patient.
fn numbered(told: &[Told]) -> Vec<usize> {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    told.iter()
        .map(|told| {
            let next = numbers.len();
            *numbers.entry(&told.record.patient).or_insert(next)
        })
        .collect()
}

impl HeadFigures {
    /// Without what is said of classes of fewer patients than `cell_min`, nor the table in which they stand.
    fn without_small_classes(mut self, cell_min: u64) -> Self {
        if let Kind::Classes(figures) = &mut self.of {
            let all = figures.classes.len();
            figures.classes.retain(|class| class.patients >= cell_min);
            if figures.classes.len() < all {
                figures.confusion.clear();
            }
        }
        self
    }
}

impl Kind {
    const fn patients(&self) -> u64 {
        match self {
            Self::Classes(figures) => figures.patients,
            Self::Regression(figures) => figures.patients,
        }
    }

    const fn radiographs(&self) -> u64 {
        match self {
            Self::Classes(figures) => figures.radiographs,
            Self::Regression(figures) => figures.radiographs,
        }
    }

    fn main(&self) -> BTreeMap<&'static str, Figure> {
        let figures = match self {
            Self::Classes(of) => vec![("balanced_accuracy", of.balanced_accuracy), ("auroc", of.auroc)],
            Self::Regression(of) => vec![
                ("mean_absolute_error", of.mean_absolute_error),
                ("constant_error", of.constant_error),
                ("bias", of.bias),
            ],
        };
        let known = figures.into_iter();
        known.filter_map(|(name, figure)| Some((name, figure?))).collect()
    }
}

#[cfg(test)]
mod tests;
