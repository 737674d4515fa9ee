//! What the classes of masks are called in DICOM.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use snowball_imaging::segmentation::{Code, Segment};

/// The codes of each class, by its name in plans; a class that is not named is tissue.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SegmentsConfig(BTreeMap<String, SegmentCodes>);

/// What a class is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SegmentCodes {
    /// What kind of thing (CID 7150): tissue, an anatomical structure.
    category: Code,
    /// What (a term of SNOMED CT, for example).
    #[serde(rename = "type")]
    kind: Code,
}

/// What `init` writes of this part, as [`super::pacs::SAMPLE`].
pub(super) const SAMPLE: &str = r##"
# What a class of masks is called in the DICOM objects of segment --dicom, by its name in the plan; absent: tissue.
#[segments.bone]
#category = { value = "85756007", scheme = "SCT", meaning = "Tissue" }
#type = { value = "3138006", scheme = "SCT", meaning = "Bone" }
"##;

impl SegmentsConfig {
    pub(super) fn check(&self) -> Result<()> {
        for (name, codes) in &self.0 {
            for (field, code) in [("category", &codes.category), ("type", &codes.kind)] {
                code.check()
                    .with_context(|| format!("{field} under [segments.{name}]"))?;
            }
        }
        Ok(())
    }

    /// The class `name` as a segment.
    pub fn segment(&self, name: &str) -> Segment {
        let codes = self.0.get(name);
        Segment {
            label: name.to_owned(),
            category: codes.map_or_else(Code::tissue, |codes| codes.category.clone()),
            kind: codes.map_or_else(Code::tissue, |codes| codes.kind.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::NodeConfig;

    #[test]
    fn a_class_has_the_codes_that_are_named_or_is_tissue() {
        let uncommented = SAMPLE.replace("\n#[", "\n[").replace("\n#category", "\ncategory");
        let uncommented = uncommented.replace("\n#type", "\ntype");
        let text = format!("site = \"north\"\n{uncommented}");
        let config = NodeConfig::parse(&text).unwrap().segments;
        assert_eq!(config.segment("bone").kind.meaning, "Bone");
        assert_eq!(config.segment("lung").kind, Code::tissue());
        let page = include_str!("../../docs/research.md");
        let sample: Vec<&str> = page.lines().map(str::trim).collect();
        let begin = sample.iter().position(|line| *line == "[segments.lung]").unwrap();
        let sample = format!("site = \"north\"\n{}", sample[begin..begin + 3].join("\n"));
        let lung = NodeConfig::parse(&sample).unwrap().segments.segment("lung");
        assert_eq!(
            (lung.category.value.as_str(), lung.kind.meaning.as_str()),
            ("91723000", "Lung")
        );
        let long = text.replace("3138006", "12345678901234567");
        let fault = format!("{:#}", NodeConfig::parse(&long).unwrap_err());
        assert!(fault.contains("type under [segments.bone]: value of a code"), "{fault}");
    }
}
