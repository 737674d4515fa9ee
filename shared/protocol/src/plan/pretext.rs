//! What a network learns where nobody has labelled anything: a task that the radiographs pose by themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Architecture;

/// A task that needs no label. Every radiograph of a site that passed intake is learned from.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Pretext {
    /// To draw the radiograph again: the loss is the mean squared error of the prepared picture (deviation 0.25 of black to white).
    Reconstruction(Reconstruction),
    /// To find the other radiograph of the same patient among those of a batch: NT-Xent (SimCLR, Chen et al. 2020) on two radiographs of a
    /// patient (MICLe, Azizi et al. 2021).
    Contrastive(Contrastive),
}

/// How two views of one patient are told from those of others.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contrastive {
    /// What likenesses, from -1 to 1, are divided by before they compete: from 0.01 to 1. The smaller, the more the likest strangers count.
    pub temperature: f64,
    /// Numbers that the projection head gives a picture, and that are compared: from 8 to 1024.
    pub dimension: u32,
    /// What the two views are of.
    #[serde(default, skip_serializing_if = "Positives::is_patient")]
    pub positives: Positives,
}

/// What the two views of a pair are of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Positives {
    /// Two radiographs of one patient, drawn anew each time; twice the same where the patient has no other.
    #[default]
    Patient,
    /// Always twice the same radiograph.
    Radiograph,
}

impl Positives {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    const fn is_patient(&self) -> bool {
        matches!(self, Self::Patient)
    }
}

/// How the radiograph is drawn again.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reconstruction {
    /// What draws it from what the encoder makes of it.
    #[serde(default, skip_serializing_if = "Decoder::is_plain")]
    pub decoder: Decoder,
    /// What the network is not shown and must guess. Absent: nothing, an ordinary autoencoder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked: Option<Masked>,
}

/// What draws a picture from what the encoder makes of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Decoder {
    /// Each scale is twice the one before, with one convolution; it sees the encoder's last stage alone.
    #[default]
    Plain,
    /// U-Net (Ronneberger et al. 2015): each scale also sees the encoder's stage of its size, with two convolutions. Only with `masked`:
    /// else it would pass the picture on and learn nothing.
    UNet,
}

impl Decoder {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    const fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }
}

/// Square patches, drawn anew for each picture, that are set to the mean before the network sees it; the loss counts there alone.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Masked {
    /// Side of a patch, in pixels; divides the picture's side.
    pub patch: u32,
    /// Which share of the patches, from 0.05 to 0.95.
    pub share: f64,
}

impl Masked {
    /// How many of `patches` are masked: at least one, and not all.
    #[must_use]
    pub fn of(self, patches: usize) -> usize {
        // A share of a few thousand patches: far below what the cast could cut.
        let count = (patches as f64 * self.share).round() as usize;
        count.clamp(1, patches.saturating_sub(1).max(1))
    }
}

impl Architecture {
    /// Whether it has stages that a decoder can be built on: each half as large as the one before, rounded up.
    #[must_use]
    pub const fn has_stages(self) -> bool {
        matches!(
            self,
            Self::Small | Self::ResNet18 | Self::ResNet18Full | Self::ResNet34 | Self::ResNet50
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Serialize)]
    struct Sample {
        pretext: Pretext,
    }

    #[test]
    fn a_pretext_is_written_in_a_few_lines() {
        let read = |text: &str| toml::from_str::<Sample>(text).map(|sample| sample.pretext);
        assert_eq!(
            read("[pretext.reconstruction]").unwrap(),
            Pretext::Reconstruction(Reconstruction::default())
        );
        let text = "[pretext.reconstruction]\ndecoder = \"u-net\"\nmasked = { patch = 8, share = 0.6 }";
        let pretext = Pretext::Reconstruction(Reconstruction {
            decoder: Decoder::UNet,
            masked: Some(Masked { patch: 8, share: 0.6 }),
        });
        assert_eq!(read(text).unwrap(), pretext);
        let written = toml::to_string(&Sample { pretext }).unwrap();
        assert_eq!(read(&written).unwrap(), pretext);
        assert!(read("[pretext.reconstruction]\nencoder = \"small\"").is_err());
        let pretext = Pretext::Contrastive(Contrastive {
            temperature: 0.1,
            dimension: 64,
            positives: Positives::Radiograph,
        });
        let text = "[pretext.contrastive]\ntemperature = 0.1\ndimension = 64\npositives = \"radiograph\"";
        assert_eq!(read(text).unwrap(), pretext);
        assert_eq!(read(&toml::to_string(&Sample { pretext }).unwrap()).unwrap(), pretext);
    }

    #[test]
    fn the_samples_of_the_page_about_networks_are_read() {
        let page = include_str!("../../../../aggregator/docs/networks.md");
        let blocks = page
            .split("```toml\n")
            .skip(1)
            .filter_map(|rest| rest.split("```").next());
        let samples: Vec<Pretext> = blocks
            .filter(|block| block.starts_with("[pretext"))
            .map(|block| toml::from_str::<Sample>(block).unwrap().pretext)
            .collect();
        let masked = Some(Masked { patch: 8, share: 0.6 });
        let expected = [
            (Decoder::Plain, None),
            (Decoder::Plain, masked),
            (Decoder::UNet, masked),
        ];
        let drawn = expected.map(|(decoder, masked)| Pretext::Reconstruction(Reconstruction { decoder, masked }));
        let paired = Pretext::Contrastive(Contrastive {
            temperature: 0.1,
            dimension: 128,
            positives: Positives::Patient,
        });
        assert_eq!(samples, drawn.into_iter().chain([paired]).collect::<Vec<_>>());
    }

    #[test]
    fn some_patches_are_masked_and_some_are_not() {
        let of = |share, patches| Masked { patch: 8, share }.of(patches);
        assert_eq!(of(0.6, 64), 38);
        assert_eq!([of(0.05, 4), of(0.95, 4), of(0.5, 1)], [1, 3, 1]);
    }
}
