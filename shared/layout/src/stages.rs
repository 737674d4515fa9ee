//! A trunk from the picture to the heads, in the stages that its tensors' names tell.

use crate::{Layout, Tensor};

/// What the names of a trunk's tensors begin with.
const TRUNK: &str = "trunk.";

/// A stage of the trunk, such as `stem` or `stage1`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Its tensors, by position in the layout.
    pub tensors: Vec<usize>,
}

impl Tensor {
    /// The stage of the trunk that it belongs to; `None` for what lies behind the trunk.
    #[must_use]
    pub fn stage(&self) -> Option<&str> {
        self.name.strip_prefix(TRUNK)?.split('.').next()
    }
}

impl Layout {
    /// The stages of the trunk, that next to the picture first.
    #[must_use]
    pub fn stages(&self) -> Vec<Stage> {
        let mut stages: Vec<Stage> = Vec::new();
        for (position, tensor) in self.tensors.iter().enumerate() {
            let Some(name) = tensor.stage() else { continue };
            match stages.iter_mut().find(|stage| stage.name == name) {
                Some(stage) => stage.tensors.push(position),
                None => stages.push(Stage {
                    name: name.to_owned(),
                    tensors: vec![position],
                }),
            }
        }
        stages
    }
}

#[cfg(test)]
mod tests {
    use snowball_protocol::plan::Architecture;

    use super::*;
    use crate::tests::plan;

    fn names(architecture: Architecture) -> Vec<String> {
        let plan = plan(architecture, architecture.width_step());
        let layout = Layout::of(&plan);
        let stages = layout.stages();
        let of_stages: usize = stages.iter().map(|stage| stage.tensors.len()).sum();
        let of_heads = layout.tensors.iter().filter(|tensor| tensor.stage().is_none()).count();
        assert_eq!(
            of_stages + of_heads,
            layout.tensors.len(),
            "each tensor lies in one place"
        );
        assert_eq!(of_heads, 2 * plan.heads.len());
        stages.into_iter().map(|stage| stage.name).collect()
    }

    #[test]
    fn stages_come_from_the_picture_to_the_heads() {
        assert_eq!(names(Architecture::Small), ["stage1", "stage2", "stage3", "stage4"]);
        assert_eq!(
            names(Architecture::ResNet50),
            ["stem", "stage1", "stage2", "stage3", "stage4"]
        );
        let dense = names(Architecture::DenseNet121);
        assert_eq!(dense[..3], ["stem", "block1", "transition1"]);
        for architecture in Architecture::ALL {
            assert!(names(architecture).len() >= 4, "{}", architecture.code());
        }
    }
}
