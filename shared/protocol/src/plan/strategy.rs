//! How updates become a model, in three steps that any plan may put together: each update is bounded, the updates are combined
//! into one, and the server goes in its direction.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How updates become a model. With `examples_max` and `update_norm_max` alone it is federated averaging.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Strategy {
    /// No site counts with more examples than this.
    pub examples_max: u64,
    /// Updates with a larger Euclidean norm are refused.
    pub update_norm_max: f64,
    /// Updates with a larger Euclidean norm are shortened to it before they are combined (norm bounding, Sun et al. 2019).
    /// Absent: none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// How the updates of a round become one.
    #[serde(default, skip_serializing_if = "Combination::is_mean")]
    pub combine: Combination,
    /// How the server moves the model by the combined update.
    #[serde(default, skip_serializing_if = "ServerOptimiser::is_add")]
    pub server: ServerOptimiser,
}

/// How the updates of a round become one.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Combination {
    /// Federated averaging: the mean, weighted by examples (McMahan et al. 2017).
    #[default]
    Mean,
    /// FedNova: the mean, weighted by examples, of the updates per local step, times the mean number of steps: sites that do more
    /// steps do not pull harder (Wang et al. 2020). For local SGD with momentum the steps count as that paper has it; for AdamW
    /// each counts once.
    FedNova,
    /// The median of each coordinate, each site alike (Yin et al. 2018).
    Median,
    /// The mean of each coordinate without the largest and the smallest values, each site alike (Yin et al. 2018).
    TrimmedMean {
        /// Share of the updates that is left out at either end, from 0 to below 0.5; rounded down to whole updates.
        share: f64,
    },
    /// The one update that lies closest to the others (Blanchard et al. 2017).
    Krum {
        /// How many updates may be hostile; a round needs at least twice as many and three more.
        hostile: u32,
    },
    /// The mean of the updates that lie closest to the others (Blanchard et al. 2017).
    MultiKrum {
        /// How many updates may be hostile; a round needs at least twice as many and three more.
        hostile: u32,
        /// How many updates are averaged: at most those of a smallest round, less the hostile ones.
        kept: u32,
    },
    /// The point with the smallest sum of distances to the updates, weighted by examples (RFA, Pillutla et al. 2022).
    GeometricMedian,
}

/// How the server moves the model by the combined update `d`. The rules with a state begin at rest and keep it from round to
/// round; all are those of Reddi et al. 2021 but the first two.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ServerOptimiser {
    /// The update is added.
    #[default]
    Add,
    /// FedAvgM: a velocity `v = momentum v + d` is added, times the rate (Hsu et al. 2019).
    Momentum {
        /// The server's learning rate.
        learning_rate: f64,
        /// In 0 to 1.
        momentum: f64,
    },
    /// FedAdagrad.
    Adagrad(Adaptive),
    /// FedAdam.
    Adam(Adaptive),
    /// FedYogi.
    Yogi(Adaptive),
}

/// The numbers of an adaptive server optimiser: the model moves by `rate m / (sqrt(v) + adaptivity)`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Adaptive {
    /// The server's learning rate.
    pub learning_rate: f64,
    /// Decay of the first moment `m`, in 0 to 1. Absent: 0.9.
    #[serde(default = "beta_1")]
    pub beta_1: f64,
    /// Decay of the second moment `v`, in 0 to 1; Adagrad has none. Absent: 0.99.
    #[serde(default = "beta_2")]
    pub beta_2: f64,
    /// What keeps the divisor from zero. Absent: 0.001.
    #[serde(default = "adaptivity")]
    pub adaptivity: f64,
}

const fn beta_1() -> f64 {
    0.9
}

const fn beta_2() -> f64 {
    0.99
}

const fn adaptivity() -> f64 {
    1e-3
}

impl Combination {
    const fn is_mean(&self) -> bool {
        matches!(self, Self::Mean)
    }

    /// Whether each update can be added as it comes, so that a round needs no second look at it.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        matches!(self, Self::Mean | Self::FedNova)
    }

    /// The name that the field knows it by.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Mean => "mean weighted by examples",
            Self::FedNova => "FedNova",
            Self::Median => "coordinate median",
            Self::TrimmedMean { .. } => "trimmed mean",
            Self::Krum { .. } => "Krum",
            Self::MultiKrum { .. } => "multi-Krum",
            Self::GeometricMedian => "geometric median",
        }
    }
}

impl ServerOptimiser {
    const fn is_add(&self) -> bool {
        matches!(self, Self::Add)
    }

    /// How many numbers a parameter has in the state that is kept from round to round.
    #[must_use]
    pub const fn state_vectors(&self) -> usize {
        match self {
            Self::Add => 0,
            Self::Momentum { .. } => 1,
            Self::Adagrad(_) | Self::Adam(_) | Self::Yogi(_) => 2,
        }
    }
}

impl Strategy {
    /// Federated averaging.
    #[must_use]
    pub const fn fed_avg(examples_max: u64, update_norm_max: f64) -> Self {
        Self {
            examples_max,
            update_norm_max,
            clip_norm: None,
            combine: Combination::Mean,
            server: ServerOptimiser::Add,
        }
    }

    /// The name that the field knows it by, or the names of its parts.
    #[must_use]
    pub fn name(&self) -> String {
        let server = match &self.server {
            ServerOptimiser::Add if self.combine.is_mean() => "FedAvg",
            ServerOptimiser::Add => "",
            ServerOptimiser::Momentum { .. } => "FedAvgM",
            ServerOptimiser::Adagrad(_) => "FedAdagrad",
            ServerOptimiser::Adam(_) => "FedAdam",
            ServerOptimiser::Yogi(_) => "FedYogi",
        };
        let combined = match (server, &self.combine) {
            (server, Combination::Mean) => server.to_owned(),
            ("", combine) => combine.name().to_owned(),
            (server, combine) => format!("{server} over {}", combine.name()),
        };
        match self.clip_norm {
            Some(norm) => format!("{combined}, updates shortened to norm {norm}"),
            None => combined,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Drift, Late, LocalTraining, Optimiser, OptimiserRule, Span};

    #[derive(Deserialize)]
    struct Sample {
        strategy: Strategy,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct SitesSample {
        optimiser: Optimiser,
        local: LocalTraining,
    }

    #[derive(Deserialize)]
    struct RoundsSample {
        rounds: PartOfRounds,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct PartOfRounds {
        updates: Option<Span>,
        collect_seconds: Option<Span>,
        late: Late,
    }

    #[test]
    fn the_samples_of_the_page_about_strategies_are_read() {
        let page = include_str!("../../../../aggregator/docs/strategies.md");
        let blocks: Vec<&str> = page
            .split("```toml\n")
            .skip(1)
            .map(|rest| rest.split("```").next().unwrap())
            .collect();
        let read: Vec<Strategy> = blocks
            .iter()
            .filter(|block| block.starts_with("[strategy]"))
            .map(|block| toml::from_str::<Sample>(block).unwrap().strategy)
            .collect();
        let rounds: Vec<PartOfRounds> = blocks
            .iter()
            .filter(|block| block.starts_with("[rounds]"))
            .map(|block| toml::from_str::<RoundsSample>(block).unwrap().rounds)
            .collect();
        assert_eq!(
            rounds.iter().map(|part| part.late.rounds_max()).collect::<Vec<_>>(),
            [2, 8]
        );
        assert!(rounds[1].updates.is_some() && rounds[1].collect_seconds.is_some());
        let sites: Vec<SitesSample> = blocks
            .iter()
            .filter(|block| block.starts_with("[optimiser]"))
            .map(|block| toml::from_str(block).unwrap())
            .collect();
        assert_eq!(sites[0].local.drift, Some(Drift::Scaffold));
        assert_eq!(sites[0].optimiser.rule, OptimiserRule::Sgd { momentum: 0.0 });
        assert_eq!(read.len() + rounds.len() + sites.len(), blocks.len());
        assert_eq!(read[0], Strategy::fed_avg(100_000, 200.0));
        assert_eq!(
            read[1].name(),
            "FedAdam over trimmed mean, updates shortened to norm 20"
        );
        let mut rows = 0;
        for (field, section) in [("combine", "## Combine"), ("server", "## Server")] {
            let table = page.split(section).nth(1).unwrap().split("\n## ").next().unwrap();
            for cell in table
                .lines()
                .filter_map(|line| line.strip_prefix("| `"))
                .filter_map(|line| line.split('`').next())
            {
                if cell == field {
                    continue;
                }
                let text = format!("[strategy]\nexamples_max = 1\nupdate_norm_max = 1.0\n{field} = {cell}\n");
                toml::from_str::<Sample>(&text).unwrap_or_else(|error| panic!("{cell}: {error}"));
                rows += 1;
            }
        }
        assert_eq!(rows, 10);
    }

    #[test]
    fn a_plan_writes_what_differs_from_federated_averaging_and_nothing_else() {
        let text = |strategy: &Strategy| toml::to_string(strategy).unwrap();
        let plain = Strategy::fed_avg(100, 2.0);
        assert_eq!(text(&plain), "examples_max = 100\nupdate_norm_max = 2.0\n");
        let written = "examples_max = 100\nupdate_norm_max = 2.0\nclip_norm = 1.0\n\
                       combine = { trimmed_mean = { share = 0.2 } }\nserver = { adam = { learning_rate = 0.01 } }\n";
        let read: Strategy = toml::from_str(written).unwrap();
        assert_eq!(read.combine, Combination::TrimmedMean { share: 0.2 });
        let numbers = Adaptive {
            learning_rate: 0.01,
            beta_1: 0.9,
            beta_2: 0.99,
            adaptivity: 0.001,
        };
        assert_eq!(read.server, ServerOptimiser::Adam(numbers));
        assert_eq!(toml::from_str::<Strategy>(&text(&read)).unwrap(), read);
        assert_eq!(plain.name(), "FedAvg");
        assert_eq!(read.name(), "FedAdam over trimmed mean, updates shortened to norm 1");
        assert!(toml::from_str::<Strategy>("examples_max = 1\nupdate_norm_max = 1.0\nrule = \"x\"").is_err());
    }
}
