//! What the recipes of augmentation do: one table, by which pictures are varied and which cards and pages print.

use super::Augmentation;

/// One way in which a recipe varies a picture, with its range. No operation mirrors; one that did would have to say so in
/// [`keeps_side`](Self::keeps_side).
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Operation {
    /// Turned about its centre.
    Rotate {
        /// At most, either way.
        degrees: f32,
    },
    /// Moved along both sides.
    Shift {
        /// At most, as a share of the side.
        share: f32,
    },
    /// Made smaller or larger.
    Scale {
        /// At least.
        from: f32,
        /// At most.
        to: f32,
    },
    /// Slanted.
    Shear {
        /// At most, either way.
        degrees: f32,
    },
    /// A square part of it, spread over the whole.
    Crop {
        /// Share of the area that is kept at least.
        area_min: f32,
    },
    /// Bent smoothly, as soft tissue is.
    Elastic {
        /// How often.
        probability: f32,
        /// How far a point moves at most, as a share of the side.
        share: f32,
    },
    /// Tones raised to a power.
    Gamma {
        /// At least.
        from: f32,
        /// At most.
        to: f32,
    },
    /// Tones spread about the middle.
    Contrast {
        /// At least.
        from: f32,
        /// At most.
        to: f32,
    },
    /// A random curve from black to white that never falls.
    Curve {
        /// How much steeper or flatter each eighth of the tones becomes at most.
        reach: f32,
    },
    /// Black for white.
    Invert {
        /// How often.
        probability: f32,
    },
    /// Made less sharp.
    Blur {
        /// How often.
        probability: f32,
        /// Deviation at most, as a share of the side.
        share: f32,
    },
    /// Noise on each pixel.
    Noise {
        /// Deviation at most, of a range of tones from 0 to 1.
        deviation: f32,
    },
    /// A dark border, as behind a collimator.
    Border {
        /// How often, on each side.
        probability: f32,
        /// Width at most, as a share of the side.
        share: f32,
    },
    /// A grey rectangle over a part of it.
    Cutout {
        /// Share of the area at most.
        area_max: f32,
    },
    /// The four corners of the radiograph covered, where letters of lead stand.
    Markers {
        /// How often.
        probability: f32,
    },
    /// Another radiograph shines through, and its labels count as much as it does (Zhang et al. 2018).
    Mixup {
        /// Both parameters of the beta distribution of its share; the share is the smaller of the two, at most a half.
        alpha: f32,
    },
}

impl Operation {
    /// What it is, in one word or two.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rotate { .. } => "rotation",
            Self::Shift { .. } => "shift",
            Self::Scale { .. } => "scale",
            Self::Shear { .. } => "shear",
            Self::Crop { .. } => "crop",
            Self::Elastic { .. } => "elastic",
            Self::Gamma { .. } => "gamma",
            Self::Contrast { .. } => "contrast",
            Self::Curve { .. } => "tone curve",
            Self::Invert { .. } => "inversion",
            Self::Blur { .. } => "blur",
            Self::Noise { .. } => "noise",
            Self::Border { .. } => "dark border",
            Self::Cutout { .. } => "cutout",
            Self::Markers { .. } => "corners covered",
            Self::Mixup { .. } => "mixup",
        }
    }

    /// Its range, for people.
    #[must_use]
    pub fn range(self) -> String {
        let percent = |share: f32| format!("{:.0} %", share * 100.0);
        match self {
            Self::Rotate { degrees } | Self::Shear { degrees } => format!("up to {degrees} degrees either way"),
            Self::Shift { share } => format!("up to {} of the side", percent(share)),
            Self::Scale { from, to } | Self::Gamma { from, to } | Self::Contrast { from, to } => {
                format!("{from} to {to}")
            }
            Self::Crop { area_min } => format!("a square of {} to 100 % of the area", percent(area_min)),
            Self::Elastic { probability, share } => {
                format!(
                    "{} of pictures, points move up to {} of the side",
                    percent(probability),
                    percent(share)
                )
            }
            Self::Curve { reach } => format!(
                "rising; each eighth of the tones {:.1} to {:.1} times as steep",
                1.0 - reach,
                1.0 + reach
            ),
            Self::Invert { probability } => format!("{} of pictures", percent(probability)),
            Self::Blur { probability, share } => {
                format!(
                    "{} of pictures, deviation up to {} of the side",
                    percent(probability),
                    percent(share)
                )
            }
            Self::Noise { deviation } => format!("deviation up to {deviation} of the range of tones"),
            Self::Border { probability, share } => {
                format!(
                    "{} of pictures on each side, up to {} wide",
                    percent(probability),
                    percent(share)
                )
            }
            Self::Cutout { area_max } => format!("one rectangle of up to {} of the area", percent(area_max)),
            Self::Markers { probability } => {
                format!("{} of pictures, where letters of lead stand", percent(probability))
            }
            Self::Mixup { alpha } => {
                format!("with another of the batch, share from beta({alpha}, {alpha}), at most half")
            }
        }
    }

    /// Whether left is still left and upright still upright.
    #[must_use]
    pub const fn keeps_side(self) -> bool {
        match self {
            Self::Rotate { degrees } => degrees < 45.0,
            Self::Shift { .. }
            | Self::Scale { .. }
            | Self::Shear { .. }
            | Self::Crop { .. }
            | Self::Elastic { .. }
            | Self::Gamma { .. }
            | Self::Contrast { .. }
            | Self::Curve { .. }
            | Self::Invert { .. }
            | Self::Blur { .. }
            | Self::Noise { .. }
            | Self::Border { .. }
            | Self::Cutout { .. }
            | Self::Markers { .. }
            | Self::Mixup { .. } => true,
        }
    }
}

const XR_LIGHT_V1: &[Operation] = &[
    Operation::Rotate { degrees: 10.0 },
    Operation::Shift { share: 0.06 },
    Operation::Scale { from: 0.9, to: 1.1 },
    Operation::Gamma { from: 0.8, to: 1.25 },
    Operation::Contrast { from: 0.85, to: 1.15 },
    Operation::Border {
        probability: 0.25,
        share: 0.04,
    },
    Operation::Noise { deviation: 0.02 },
];

const XR_STRONG_V1: &[Operation] = &[
    Operation::Rotate { degrees: 25.0 },
    Operation::Scale { from: 0.75, to: 1.3 },
    Operation::Shear { degrees: 8.0 },
    Operation::Elastic {
        probability: 0.3,
        share: 0.05,
    },
    Operation::Curve { reach: 0.6 },
    Operation::Invert { probability: 0.1 },
    Operation::Markers { probability: 0.3 },
    Operation::Cutout { area_max: 0.1 },
    Operation::Mixup { alpha: 0.2 },
];

const XR_SSL_V1: &[Operation] = &[
    Operation::Crop { area_min: 0.5 },
    Operation::Curve { reach: 0.6 },
    Operation::Blur {
        probability: 0.5,
        share: 0.01,
    },
    Operation::Markers { probability: 0.3 },
];

impl Augmentation {
    /// Every recipe.
    pub const ALL: &'static [Self] = &[Self::None, Self::XrLightV1, Self::XrStrongV1, Self::XrSslV1];

    /// The name as written in plans.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::XrLightV1 => "xr-light-v1",
            Self::XrStrongV1 => "xr-strong-v1",
            Self::XrSslV1 => "xr-ssl-v1",
        }
    }

    /// What it does, in order.
    #[must_use]
    pub const fn operations(self) -> &'static [Operation] {
        match self {
            Self::None => &[],
            Self::XrLightV1 => XR_LIGHT_V1,
            Self::XrStrongV1 => XR_STRONG_V1,
            Self::XrSslV1 => XR_SSL_V1,
        }
    }

    /// Both parameters of the distribution by which pictures are mixed; none where they are not.
    #[must_use]
    pub fn mixup_alpha(self) -> Option<f32> {
        self.operations().iter().find_map(|operation| match operation {
            Operation::Mixup { alpha } => Some(*alpha),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_has_its_name_keeps_the_side_and_says_its_ranges() {
        for recipe in Augmentation::ALL {
            assert_eq!(serde_json::to_value(recipe).unwrap(), recipe.code());
            for operation in recipe.operations() {
                assert!(operation.keeps_side(), "{recipe:?} {operation:?}");
                assert!(
                    operation.range().contains(|letter: char| letter.is_ascii_digit()),
                    "{operation:?}"
                );
            }
        }
        assert!(!Operation::Rotate { degrees: 90.0 }.keeps_side());
        assert_eq!(
            Operation::Cutout { area_max: 0.1 }.range(),
            "one rectangle of up to 10 % of the area"
        );
        assert_eq!(Augmentation::XrStrongV1.mixup_alpha(), Some(0.2));
        assert_eq!(Augmentation::XrSslV1.mixup_alpha(), None);
    }
}
