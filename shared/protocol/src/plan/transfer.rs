//! How updates travel: how many bytes a number takes, and what that costs in exactness.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::update::Encoding;

/// How updates travel. What a plan leaves out is exact.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// How the numbers of an update are written. Absent: `f32`.
    #[serde(default, skip_serializing_if = "UpdateEncoding::is_f32")]
    pub encoding: UpdateEncoding,
}

/// How the numbers of an update are written. `snowball-encoding` writes and reads them.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum UpdateEncoding {
    /// As they are: IEEE 754 binary32, four bytes a number.
    #[default]
    F32,
    /// bfloat16, the upper half of binary32, rounded to nearest, ties to even: two bytes a number.
    Bf16,
    /// A signed byte a number, and a binary32 scale for each 1024 of them. What is rounded away stays at the site and goes with its next
    /// update (error feedback, Karimireddy et al. 2019).
    Int8,
    /// The largest numbers alone, as bfloat16 with their places. What is not sent stays at the site and goes with its next update
    /// (Stich et al. 2018).
    TopK {
        /// Share of the numbers that are sent, rounded up to whole numbers.
        share: f64,
    },
}

impl Transfer {
    pub(super) const fn is_exact(&self) -> bool {
        self.encoding.is_f32()
    }
}

impl UpdateEncoding {
    const fn is_f32(&self) -> bool {
        matches!(self, Self::F32)
    }

    /// What an update's header says of it.
    #[must_use]
    pub const fn of_header(self) -> Encoding {
        match self {
            Self::F32 => Encoding::DeltaF32,
            Self::Bf16 => Encoding::DeltaBf16,
            Self::Int8 => Encoding::DeltaInt8,
            Self::TopK { .. } => Encoding::DeltaTopK,
        }
    }

    /// Whether what was not sent stays at the site and goes with its next update.
    #[must_use]
    pub const fn feeds_back(self) -> bool {
        matches!(self, Self::Int8 | Self::TopK { .. })
    }

    /// In words, for model cards and terminals.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::F32 => "32-bit floating point, exact".to_owned(),
            Self::Bf16 => "bfloat16".to_owned(),
            Self::Int8 => "8-bit integers with a scale for each 1024 numbers, with error feedback".to_owned(),
            Self::TopK { share } => {
                format!(
                    "the largest {} % of the numbers as bfloat16, with error feedback",
                    share * 100.0
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Sample {
        transfer: Transfer,
    }

    #[test]
    fn the_samples_of_the_page_about_transfers_are_read() {
        let page = include_str!("../../../../aggregator/docs/transfers.md");
        let blocks: Vec<&str> = page
            .split("```toml\n")
            .skip(1)
            .map(|rest| rest.split("```").next().unwrap())
            .collect();
        assert_eq!(blocks.len(), 1);
        assert_eq!(
            toml::from_str::<Sample>(blocks[0]).unwrap().transfer.encoding,
            UpdateEncoding::Bf16
        );
        let table = page
            .split("## Encodings")
            .nth(1)
            .unwrap()
            .split("\n## ")
            .next()
            .unwrap();
        let mut read = Vec::new();
        for cell in table
            .lines()
            .filter_map(|line| line.strip_prefix("| `"))
            .filter_map(|line| line.split('`').next())
            .filter(|cell| *cell != "encoding")
        {
            let text = format!("[transfer]\nencoding = {cell}\n");
            read.push(
                toml::from_str::<Sample>(&text)
                    .unwrap_or_else(|error| panic!("{cell}: {error}"))
                    .transfer
                    .encoding,
            );
        }
        let top_k = UpdateEncoding::TopK { share: 0.01 };
        assert_eq!(
            read,
            [UpdateEncoding::F32, UpdateEncoding::Bf16, UpdateEncoding::Int8, top_k]
        );
    }

    #[test]
    fn what_is_said_and_what_is_left_out_are_written_alike() {
        let said: Transfer = toml::from_str("encoding = \"f32\"").unwrap();
        assert!(said.is_exact() && said == Transfer::default());
        assert_eq!(toml::to_string(&said).unwrap(), "");
        assert!(toml::from_str::<Transfer>("encoding = \"f16\"").is_err());
        assert!(toml::from_str::<Transfer>("encoding = { top_k = { share = 0.1, signed = true } }").is_err());
    }
}
