//! What more than counts a plan may ask for.

use super::Faults;
use crate::{
    limits::CONFUSION_CELLS_MAX,
    plan::{Head, HeadKind, Sent, StudyPlan},
};

impl StudyPlan {
    pub(super) fn check_details(&self, faults: &mut Faults) {
        if !self.send.contains(&Sent::DetailedMetrics) {
            return;
        }
        faults.unless(
            self.send.contains(&Sent::Metrics),
            "send",
            "must contain \"metrics\" beside \"detailed_metrics\", which go along with them",
        );
        let of_classes = |head: &Head| matches!(head.kind, HeadKind::Classes(_)).then(|| head.outputs());
        let classes: Vec<usize> = self.heads.iter().filter_map(of_classes).collect();
        faults.unless(
            !classes.is_empty(),
            "send",
            "must not contain \"detailed_metrics\" without a head of classes: there would be none",
        );
        faults.unless(
            classes.iter().map(|classes| classes * classes).sum::<usize>() <= CONFUSION_CELLS_MAX,
            "send",
            "must not contain \"detailed_metrics\" where the heads' confusion matrices have more than 10000 cells: a head of 100 classes \
             has so many",
        );
    }
}
