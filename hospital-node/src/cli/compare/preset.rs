//! Questions that are asked often, as documents that can be written out and changed.

use std::path::Path;

use anyhow::{Context as _, Result};
use clap::ValueEnum;

/// A question with its plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Preset {
    /// Does learning body parts help to tell age? With a control that learns from exchanged labels.
    BodyPartsForAge,
    /// Is the bench sound? A control that learns from exchanged labels, beside one that learns from the right ones.
    ShuffledLabels,
}

impl Preset {
    /// The documents by name: the comparison, the plan, and the plans that the comparison names.
    pub fn texts(self) -> Vec<(String, String)> {
        let texts: &[(&str, &str)] = match self {
            Self::BodyPartsForAge => &[
                ("comparison.toml", include_str!("presets/body-parts-for-age.toml")),
                ("plan.toml", include_str!("presets/age.toml")),
                ("body-parts.toml", include_str!("presets/body-parts.toml")),
            ],
            Self::ShuffledLabels => &[
                ("comparison.toml", include_str!("presets/shuffled-labels.toml")),
                ("plan.toml", include_str!("presets/age.toml")),
            ],
        };
        texts
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    /// Writes them into a new folder.
    pub fn write(self, folder: &Path) -> Result<()> {
        std::fs::create_dir(folder).with_context(|| format!("cannot make {}; name a new folder", folder.display()))?;
        for (name, text) in self.texts() {
            let path = folder.join(name);
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Question, *};

    #[test]
    fn every_preset_keeps_the_rules() {
        for preset in Preset::value_variants() {
            let question = Question::read(&preset.texts()).unwrap();
            assert!(question.comparison.runs() > 0);
            assert!(
                question.comparison.arms.iter().any(|arm| arm.shuffled),
                "each has its control"
            );
        }
    }

    #[test]
    fn what_is_written_out_is_read_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("question");
        Preset::BodyPartsForAge.write(&folder).unwrap();
        let read = Question::open(&folder.join("comparison.toml"), &folder.join("plan.toml")).unwrap();
        assert_eq!(
            read.digest(),
            Question::read(&Preset::BodyPartsForAge.texts()).unwrap().digest()
        );
        assert!(
            Preset::BodyPartsForAge.write(&folder).is_err(),
            "nothing is written over"
        );
    }
}
