//! Draws a sample: the same share of each group, by a seed that is kept.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use rayon::prelude::*;
use snowball_imaging::Limits;
use snowball_ledger::Entry;
use snowball_protocol::Sha256Digest;
use snowball_service::{clock, files};

use super::{Drawn, Group, append, keep, sheets};
use crate::{
    cli::{Context, words},
    home::Home,
    statistics,
};

/// How to draw.
#[derive(Args)]
pub struct Plan {
    /// The folder for the pages; made if it is not there, for its owner alone.
    #[arg(long)]
    out: PathBuf,
    /// An output folder of `deidentify` instead of what was taken in for training.
    #[arg(long)]
    deidentified: Option<PathBuf>,
    /// Wanted: at most this share of the pictures shows text.
    #[arg(long, default_value_t = 0.005)]
    bound: f64,
    /// With which confidence.
    #[arg(long, default_value_t = 0.95)]
    confidence: f64,
    /// Chooses the pictures; absent: drawn by chance, and kept.
    #[arg(long)]
    seed: Option<u64>,
    /// Longest side of a picture on the pages, in pixels.
    #[arg(long, default_value_t = 640, value_parser = clap::value_parser!(u32).range(64..=1024))]
    side: u32,
}

impl Plan {
    pub(super) fn run(self, context: &Context, home: &Home) -> Result<()> {
        if !(1e-6..0.5).contains(&self.bound) || !(0.5..1.0).contains(&self.confidence) {
            bail!("a bound lies between 0.000001 and 0.5, a confidence between 0.5 and 1");
        }
        let seed = self.seed.map_or_else(random_seed, Ok)?;
        let groups = match &self.deidentified {
            None => stored(home)?,
            Some(folder) => written(home, folder)?,
        };
        if groups.is_empty() {
            bail!("there is no picture to draw from");
        }
        let sizes: Vec<u64> = groups.values().map(|names| names.len() as u64).collect();
        let strata = statistics::draw(&sizes, self.bound, self.confidence);
        let mut drawn = Drawn {
            source: if self.deidentified.is_some() {
                "deidentified"
            } else {
                "store"
            }
            .to_owned(),
            seed,
            bound: self.bound,
            confidence: self.confidence,
            drawn_at: clock::now(),
            strata: Vec::new(),
            pictures: Vec::new(),
            pages: Some(std::path::absolute(&self.out)?.to_string_lossy().into_owned()),
            drawn_as: None,
            records: Vec::new(),
        };
        for ((name, names), stratum) in groups.into_iter().zip(strata) {
            let count = usize::try_from(stratum.drawn)?;
            drawn.pictures.extend(choose(names, count, seed));
            drawn.strata.push(Group {
                name,
                pictures: stratum.pictures,
                drawn: stratum.drawn,
            });
        }
        let digest = drawn.digest()?;
        // Who may see patients' pixels is on record before there is anything to see.
        append(
            home,
            Entry::ReviewPlanned {
                plan_digest: digest,
                pictures: drawn.total(),
                drawn: drawn.pictures.len() as u64,
                account: words::account(),
            },
        )?;
        keep(home, &digest.short(), &drawn)?;
        let pages = sheets::write(home, &drawn, self.deidentified.as_deref(), &self.out, self.side)?;
        let document = serde_json::json!({"plan": digest.short(), "plan_digest": digest, "seed": seed,
            "pictures": drawn.total(), "drawn": drawn.pictures.len(), "bound": self.bound, "confidence": self.confidence,
            "strata": drawn.strata, "pages": pages, "out": self.out});
        context.print(&document, || {
            format!(
                "{} of {} pictures drawn by seed {seed}, in {} groups, on {pages} pages in {}\nlook at each for text that \
                 should be gone, then: hospital-node review record --found COUNT --reviewer NAME --plan {}\nthe pages hold \
                 patients' pixels: delete them afterwards",
                drawn.pictures.len(),
                drawn.total(),
                drawn.strata.len(),
                self.out.display(),
                digest.short()
            )
        })
    }
}

/// Six bytes of randomness, so that a seed is short enough to be read out.
fn random_seed() -> Result<u64> {
    let fresh = snowball_crypto::SiteSecret::generate().context("no randomness for a seed")?;
    let digest = Sha256Digest::of(fresh.to_hex().as_bytes()).to_string();
    let digits = digest.get(7..19).context("a digest is shorter than it was")?;
    Ok(u64::from_str_radix(digits, 16)?)
}

/// `count` of `names` in an order that only the seed decides.
fn choose(mut names: Vec<String>, count: usize, seed: u64) -> Vec<String> {
    names.sort_by_cached_key(|name| Sha256Digest::of(format!("{seed} {name}").as_bytes()).to_string());
    names.truncate(count);
    names
}

type Groups = BTreeMap<String, Vec<String>>;

/// What was taken in, by body part and modality.
fn stored(home: &Home) -> Result<Groups> {
    let mut groups = Groups::new();
    for one in home.open_store(&home.config()?)?.reviewables()? {
        let part = one.body_part.map_or("unknown", |part| part.code());
        let name = format!("{part}, {}", one.modality.as_deref().unwrap_or("unknown"));
        groups.entry(name).or_default().push(one.radiograph.to_string());
    }
    Ok(groups)
}

/// What was written as DICOM, by body part and modality.
fn written(home: &Home, folder: &Path) -> Result<Groups> {
    let reader = home.reader(&home.config()?)?;
    let root = fs::canonicalize(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let (paths, _) = snowball_imaging::walk(&root, snowball_imaging::FILES_MAX)?;
    let bytes_max = usize::try_from(Limits::default().file_bytes_max)?;
    let named: Vec<(String, String)> = paths
        .par_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "dcm"))
        .map(|path| {
            let bytes =
                files::read_bounded(path, bytes_max).with_context(|| format!("cannot read {}", path.display()))?;
            let (part, modality) = reader
                .kind_of(&bytes)
                .with_context(|| format!("{} is no radiograph; was it written by deidentify?", path.display()))?;
            let part = part.map_or("unknown", |part| part.code());
            let modality = serde_json::to_value(modality)?;
            let name = path.strip_prefix(&root).unwrap_or(path).to_string_lossy().into_owned();
            anyhow::Ok((format!("{part}, {}", modality.as_str().unwrap_or("unknown")), name))
        })
        .collect::<Result<_>>()?;
    let mut groups = Groups::new();
    for (group, name) in named {
        groups.entry(group).or_default().push(name);
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_whatever_the_order_of_names() {
        let names: Vec<String> = (0..50).map(|number| number.to_string()).collect();
        let turned: Vec<String> = names.iter().rev().cloned().collect();
        assert_eq!(choose(names.clone(), 10, 7), choose(turned, 10, 7));
        assert_ne!(choose(names.clone(), 10, 7), choose(names, 10, 8));
    }
}
