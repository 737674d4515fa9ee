//! `review`: a sample for a person to look through, and what it proves.

mod draw;
mod sheets;

use std::fs;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use snowball_ledger::Entry;
use snowball_protocol::Sha256Digest;
use snowball_service::{clock, files};

use super::{Context, words};
use crate::{
    home::Home,
    statistics::{self, Stratum},
};

/// A plan of ten million pictures.
const PLAN_BYTES_MAX: usize = 1 << 30;

/// Have a person look at a sample of the pictures for text that is left, and state what that proves.
#[derive(Subcommand)]
pub enum Review {
    /// Draw a sample and write it as pages to look through. They hold patients' pixels: keep them where they may be.
    #[command(after_help = "Example: hospital-node review plan --out sheets")]
    Plan(draw::Plan),
    /// Note what a person found in the sample, and state the bound.
    #[command(after_help = "Example: hospital-node review record --found 0 --reviewer Curie")]
    Record {
        /// Pictures that showed text which the search should have removed.
        #[arg(long)]
        found: u64,
        /// Who looked; it stays in the ledger.
        #[arg(long)]
        reviewer: String,
        /// Pictures looked at; absent: all that were drawn. Fewer prove less.
        #[arg(long)]
        looked_at: Option<u64>,
        /// Which plan, as `list` names it; absent: the newest.
        #[arg(long)]
        plan: Option<String>,
    },
    /// List plans, and what was found.
    #[command(after_help = "Example: hospital-node review list")]
    List,
}

/// One drawn sample, as it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub struct Drawn {
    /// `store`, or `deidentified`.
    pub source: String,
    /// Chooses the pictures: the same seed over the same pictures, the same sample.
    pub seed: u64,
    /// Wanted: at most this share of the pictures shows text.
    pub bound: f64,
    pub confidence: f64,
    /// Unix seconds.
    pub drawn_at: i64,
    /// Groups by body part and modality, each drawn at the same share.
    pub strata: Vec<Group>,
    /// The pictures by pseudonym, in the order of their numbers on the pages.
    pub pictures: Vec<String>,
    /// The folder that the pages were written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<String>,
    /// The digest that the ledger knows it by, where pictures were struck out since because their patient withdrew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawn_as: Option<Sha256Digest>,
    /// What was found, once somebody looked.
    #[serde(default)]
    pub records: Vec<Looked>,
}

/// A group of pictures.
#[derive(Clone, Serialize, Deserialize)]
pub struct Group {
    pub name: String,
    pub pictures: u64,
    pub drawn: u64,
}

/// What one person found.
#[derive(Clone, Serialize, Deserialize)]
pub struct Looked {
    pub reviewer: String,
    pub looked_at: u64,
    pub found: u64,
    /// Unix seconds.
    pub when: i64,
}

/// What a look proves.
#[derive(Clone, Serialize)]
pub struct Proven {
    /// At most this share of the pictures shows text: Clopper and Pearson, one-sided.
    pub upper_bound: f64,
    /// Where nothing was found in the whole sample: the most pictures of all that can show text, exactly, wherever they lie.
    pub pictures_at_most: Option<u64>,
    /// Where nothing was found: the rule of three, 3/n.
    pub rule_of_three: Option<f64>,
    /// Whether the wanted bound is reached.
    pub is_reached: bool,
}

impl Drawn {
    pub fn total(&self) -> u64 {
        self.strata.iter().map(|group| group.pictures).sum()
    }

    /// Digest of the plan alone, which the ledger names: what was found or struck out later does not change it.
    pub fn digest(&self) -> Result<Sha256Digest> {
        if let Some(digest) = self.drawn_as {
            return Ok(digest);
        }
        let plan = Self {
            records: Vec::new(),
            ..self.clone()
        };
        Ok(Sha256Digest::of(&serde_json::to_vec(&plan)?))
    }

    pub fn proven(&self, looked: &Looked) -> Proven {
        let all: u64 = self.total();
        let is_whole = looked.looked_at == self.pictures.len() as u64;
        let strata: Vec<Stratum> = self
            .strata
            .iter()
            .map(|group| Stratum {
                pictures: group.pictures,
                drawn: group.drawn,
            })
            .collect();
        let nothing = looked.found == 0 && looked.looked_at > 0;
        let pictures_at_most = (nothing && is_whole).then(|| statistics::bad_at_most(&strata, self.confidence));
        let upper_bound = statistics::clopper_pearson_upper(looked.found, looked.looked_at, self.confidence);
        let exact = pictures_at_most.map(|count| count as f64 / all.max(1) as f64);
        Proven {
            upper_bound,
            pictures_at_most,
            rule_of_three: nothing.then(|| (3.0 / looked.looked_at as f64).min(1.0)),
            is_reached: exact.map_or(upper_bound, |exact| exact.min(upper_bound)) <= self.bound,
        }
    }
}

impl Review {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        match self {
            Self::Plan(plan) => plan.run(context, &home),
            Self::Record {
                found,
                reviewer,
                looked_at,
                plan,
            } => record(context, &home, found, &reviewer, looked_at, plan.as_deref()),
            Self::List => list(context, &home),
        }
    }
}

/// Every plan that was drawn, by its short digest, oldest first.
pub fn all(home: &Home) -> Result<Vec<(String, Drawn)>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(home.reviews()) {
        Ok(entries) => entries,
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(fault) => return Err(fault).context("cannot read the reviews"),
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "json")
            && let Some(name) = path.file_stem().and_then(|name| name.to_str())
        {
            let bytes = files::read_bounded(&path, PLAN_BYTES_MAX)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let drawn = serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))?;
            found.push((name.to_owned(), drawn));
        }
    }
    found.sort_by(|(one, first), (other, second): &(String, Drawn)| {
        first.drawn_at.cmp(&second.drawn_at).then_with(|| one.cmp(other))
    });
    Ok(found)
}

/// Keeps a plan, durably.
pub fn keep(home: &Home, name: &str, drawn: &Drawn) -> Result<()> {
    files::create_home(&home.reviews())?;
    let path = home.reviews().join(format!("{name}.json"));
    files::write_private(&path, &serde_json::to_vec(drawn)?).with_context(|| format!("cannot write {}", path.display()))
}

fn append(home: &Home, entry: Entry) -> Result<()> {
    let ledger = home.open_ledger(&home.config()?)?;
    let mut ledger = ledger.lock().map_err(|_| anyhow::anyhow!("the ledger is in use"))?;
    ledger.append(clock::now(), entry)?;
    Ok(())
}

fn record(
    context: &Context,
    home: &Home,
    found: u64,
    reviewer: &str,
    looked_at: Option<u64>,
    plan: Option<&str>,
) -> Result<()> {
    let reviewer = words::checked("the reviewer", reviewer)?;
    let mut plans = all(home)?;
    let place = match plan {
        Some(name) => plans.iter().position(|(known, _)| known == name),
        None => plans.len().checked_sub(1),
    };
    let place = place.context("no such plan; draw one: hospital-node review plan --out FOLDER")?;
    let (name, mut drawn) = plans.swap_remove(place);
    let drawn_pictures = drawn.pictures.len() as u64;
    let looked_at = looked_at.unwrap_or(drawn_pictures);
    if looked_at == 0 || looked_at > drawn_pictures || found > looked_at {
        bail!("{drawn_pictures} pictures were drawn: 1 to so many can be looked at, and no more of them can show text");
    }
    let looked = Looked {
        reviewer,
        looked_at,
        found,
        when: clock::now(),
    };
    append(
        home,
        Entry::ReviewRecorded {
            plan_digest: drawn.digest()?,
            reviewer: looked.reviewer.clone(),
            looked_at,
            found,
        },
    )?;
    let proven = drawn.proven(&looked);
    drawn.records.push(looked);
    keep(home, &name, &drawn)?;
    let document = serde_json::json!({"plan": name, "looked_at": looked_at, "found": found, "proven": proven});
    context.print(&document, || said(&drawn, &proven, looked_at, found))
}

fn said(drawn: &Drawn, proven: &Proven, looked_at: u64, found: u64) -> String {
    let percent = |share: f64| format!("{:.3} %", share * 100.0);
    let confidence = drawn.confidence * 100.0;
    let mut lines = vec![format!(
        "{found} of {looked_at} pictures showed text: with {confidence} % confidence at most {} of all {} do (Clopper-Pearson)",
        percent(proven.upper_bound),
        drawn.total()
    )];
    if let Some(count) = proven.pictures_at_most {
        lines.push(format!(
            "exactly, for this many pictures drawn without return: at most {count} of {}",
            drawn.total()
        ));
    }
    if let Some(rule) = proven.rule_of_three {
        lines.push(format!("rule of three: 3/{looked_at} = {}", percent(rule)));
    }
    lines.push(format!(
        "the wanted bound of {} is {}",
        percent(drawn.bound),
        if proven.is_reached { "reached" } else { "NOT reached" }
    ));
    lines.join("\n")
}

fn list(context: &Context, home: &Home) -> Result<()> {
    let plans = all(home)?;
    let document: Vec<_> = plans
        .iter()
        .map(|(name, drawn)| {
            let records: Vec<_> = drawn
                .records
                .iter()
                .map(|one| serde_json::json!({"record": one, "proven": drawn.proven(one)}))
                .collect();
            serde_json::json!({"plan": name, "source": drawn.source, "seed": drawn.seed, "bound": drawn.bound,
                "confidence": drawn.confidence, "pictures": drawn.total(), "drawn": drawn.pictures.len(),
                "drawn_at": drawn.drawn_at, "records": records})
        })
        .collect();
    context.print(&document, || {
        if plans.is_empty() {
            return "nothing was drawn yet; see: hospital-node review plan --help".to_owned();
        }
        let lines = plans.iter().map(|(name, drawn)| {
            let found: Vec<String> = drawn
                .records
                .iter()
                .map(|one| format!("{} found {} in {}", one.reviewer, one.found, one.looked_at))
                .collect();
            let found = if found.is_empty() {
                "nobody has looked yet".to_owned()
            } else {
                found.join("; ")
            };
            format!(
                "{name}  {} of {} pictures ({}); {found}",
                drawn.pictures.len(),
                drawn.total(),
                drawn.source
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(pictures: u64, drawn: u64) -> Drawn {
        Drawn {
            source: "store".to_owned(),
            seed: 1,
            bound: 0.005,
            confidence: 0.95,
            drawn_at: 0,
            strata: vec![Group {
                name: "CHEST".to_owned(),
                pictures,
                drawn,
            }],
            pictures: (0..drawn).map(|number| number.to_string()).collect(),
            pages: None,
            drawn_as: None,
            records: Vec::new(),
        }
    }

    fn looked(looked_at: u64, found: u64) -> Looked {
        Looked {
            reviewer: "Curie".to_owned(),
            looked_at,
            found,
            when: 0,
        }
    }

    #[test]
    fn nothing_in_598_proves_half_a_percent_and_one_does_not() {
        let plan = drawn(1_000_000, 598);
        let proven = plan.proven(&looked(598, 0));
        assert!(proven.is_reached && proven.upper_bound < 0.005 && proven.upper_bound > 0.0049);
        assert!(proven.pictures_at_most.unwrap() <= 5000);
        assert!((proven.rule_of_three.unwrap() - 3.0 / 598.0).abs() < 1e-12);
        assert!(!plan.proven(&looked(598, 1)).is_reached);
        let fewer = plan.proven(&looked(500, 0));
        assert!(!fewer.is_reached && fewer.pictures_at_most.is_none());
    }

    #[test]
    fn all_of_few_pictures_prove_everything() {
        let proven = drawn(40, 40).proven(&looked(40, 0));
        assert_eq!(proven.pictures_at_most, Some(0));
        assert!(proven.is_reached);
    }

    #[test]
    fn what_was_found_does_not_change_a_plan_s_digest() {
        let mut plan = drawn(10, 3);
        let before = plan.digest().unwrap();
        plan.records.push(looked(3, 0));
        assert_eq!(plan.digest().unwrap(), before);
    }
}
