//! The rules of a plan that learns without labels.

use super::{Faults, is_within};
use crate::{
    limits::CONTRASTED_MAX,
    plan::{Decoder, Positives, Preprocessing, StudyPlan},
};

impl StudyPlan {
    /// A patch does not show what is known of its radiograph.
    pub(super) fn check_patches(&self, faults: &mut Faults) {
        if self.preprocessing != Preprocessing::PatchesV1 {
            return;
        }
        faults.unless(
            self.heads.iter().all(|head| head.label.is_made()),
            "preprocessing",
            "\"patches-v1\" is for learning without labels: a patch of a hand may show no hand; take \"letterbox-v1\"",
        );
        let pairs = self.contrastive().map(|asked| asked.positives);
        faults.unless(
            pairs != Some(Positives::Patient),
            "pretext.contrastive.positives",
            "must be \"radiograph\" with \"patches-v1\": patches of one radiograph show different things",
        );
    }

    pub(super) fn check_pretext(&self, faults: &mut Faults) {
        let Some(reconstruction) = self.reconstruction() else {
            return;
        };
        faults.unless(
            self.heads.is_empty(),
            "heads",
            "must be absent beside pretext.reconstruction: no label is learned",
        );
        let network = &self.network;
        faults.unless(
            network.architecture.has_stages(),
            "network.architecture",
            "must be small or a ResNet beside pretext.reconstruction: no decoder is built on the others",
        );
        faults.unless(
            !self.comparison.own_model,
            "comparison.own_model",
            "must be absent beside pretext.reconstruction: only what heads tell is compared",
        );
        let Some(masked) = reconstruction.masked else {
            faults.unless(
                reconstruction.decoder == Decoder::Plain,
                "pretext.reconstruction.decoder",
                "\"u-net\" needs pretext.reconstruction.masked: it sees the whole picture and would pass it on",
            );
            return;
        };
        faults.unless(
            (2..=network.input_side / 2).contains(&masked.patch) && network.input_side.is_multiple_of(masked.patch),
            "pretext.reconstruction.masked.patch",
            "must be from 2 to half of network.input_side and divide it",
        );
        faults.unless(
            is_within(masked.share, 0.05, 0.95),
            "pretext.reconstruction.masked.share",
            "must be from 0.05 to 0.95",
        );
    }

    pub(super) fn check_contrast(&self, faults: &mut Faults) {
        let Some(contrastive) = self.contrastive() else {
            return;
        };
        faults.unless(
            self.heads.is_empty(),
            "heads",
            "must be absent beside pretext.contrastive: no label is learned",
        );
        faults.unless(
            is_within(contrastive.temperature, 0.01, 1.0),
            "pretext.contrastive.temperature",
            "must be from 0.01 to 1",
        );
        faults.unless(
            (8..=1024).contains(&contrastive.dimension),
            "pretext.contrastive.dimension",
            "must be from 8 to 1024",
        );
        faults.unless(
            (2..=CONTRASTED_MAX).contains(&self.local.batch_size),
            "local.batch_size",
            "must be from 2 to 1024 beside pretext.contrastive: a pair alone has nobody to be told from, and each is compared with all",
        );
        faults.unless(
            !self.augmentation.operations().is_empty() && self.augmentation.mixup_alpha().is_none(),
            "augmentation",
            "must vary pictures and mix none beside pretext.contrastive, as \"xr-ssl-v1\": two views of one radiograph must differ, and \
             patients must not shine through each other",
        );
        faults.unless(
            !self.comparison.own_model,
            "comparison.own_model",
            "must be absent beside pretext.contrastive: only what heads tell is compared",
        );
    }
}
