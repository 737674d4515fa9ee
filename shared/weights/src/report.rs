//! What became of a file's tensors, for people and programs.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use snowball_protocol::labels::LabelName;

/// Names that are told one by one; of the others their number.
const NAMES_TOLD: usize = 6;

/// What became of a file's tensors.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Report {
    /// Tensors of the trunk that the file filled.
    pub filled: usize,
    /// Those among them that were folded from three colours to grey.
    pub folded: usize,
    /// Tensors of the trunk that stay as they began, and why.
    pub kept: BTreeMap<String, Reason>,
    /// Tensors of the trunk that were not asked for: they stay as they began too.
    pub not_asked: usize,
    /// Tensors of the file that have no place here: heads, running means and variances.
    pub unused: Vec<String>,
}

impl Report {
    /// Leaves the heads out of what was not used, because they were taken.
    pub fn without_heads(&mut self, taken: &[LabelName]) {
        let is_taken = |tensor: &str| {
            let mut taken = taken.iter();
            taken.any(|label| tensor.starts_with(&format!("heads.{}.", label.code())))
        };
        self.unused.retain(|tensor| !is_taken(tensor));
    }
}

/// Why a tensor stays as it began.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The file has none for it.
    Absent,
    /// The file's has this shape.
    OtherShape(Vec<usize>),
    /// The file's is not all finite numbers.
    NotFinite,
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => formatter.write_str("not in the file"),
            Self::OtherShape(shape) => write!(formatter, "{shape:?} in the file"),
            Self::NotFinite => formatter.write_str("not finite in the file"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trunk = self.filled + self.kept.len() + self.not_asked;
        write!(
            formatter,
            "{} of the trunk's {trunk} tensors are the file's",
            self.filled
        )?;
        if self.folded > 0 {
            write!(formatter, ", {} of them folded from three colours to grey", self.folded)?;
        }
        if self.not_asked > 0 {
            write!(formatter, ", {} were not asked for", self.not_asked)?;
        }
        let kept: Vec<String> = self
            .kept
            .iter()
            .map(|(name, reason)| format!("{name} ({reason})"))
            .collect();
        told(formatter, "stay as they begin", &kept)?;
        told(formatter, "not used", &self.unused)
    }
}

fn told(formatter: &mut fmt::Formatter<'_>, what: &str, names: &[String]) -> fmt::Result {
    let Some((told, more)) = names
        .split_at_checked(NAMES_TOLD.min(names.len()))
        .filter(|_| !names.is_empty())
    else {
        return Ok(());
    };
    write!(formatter, "\n{what}: {}", told.join(", "))?;
    if more.is_empty() {
        Ok(())
    } else {
        write!(formatter, " and {} more", more.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_a_few_and_counts_the_rest() {
        let mut report = Report {
            filled: 60,
            folded: 1,
            ..Report::default()
        };
        assert_eq!(
            report.to_string(),
            "60 of the trunk's 60 tensors are the file's, 1 of them folded from three colours to grey"
        );
        report.kept.insert("trunk.a".to_owned(), Reason::OtherShape(vec![8, 3]));
        report.unused = (0..9).map(|number| format!("bn{number}.running_mean")).collect();
        let text = report.to_string();
        assert!(
            text.contains("\nstay as they begin: trunk.a ([8, 3] in the file)\n"),
            "{text}"
        );
        assert!(text.ends_with("bn5.running_mean and 3 more"), "{text}");
    }
}
