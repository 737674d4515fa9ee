//! What is put on a web server for the world: verified releases, each with a page, and a page that lists them. Nothing in it needs a
//! program, a script or another server.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use snowball_crypto::VerifyingKey;
use snowball_protocol::{Sha256Digest, plan::StudyStage};
use snowball_service::files;

use super::{
    CARD_FILE, LINEAGE_FILE, Lineage, MODEL_FILE, NETWORK_FILE, ONNX_FILE, SCRIPT_FILE, SIGNATURE_FILE, TEXT_BYTES_MAX,
    page, verify,
};

/// The page of a folder.
pub const PAGE_FILE: &str = "index.html";
/// Digests of a release's files, as `sha256sum --check` reads them.
pub const SUMS_FILE: &str = "SHA256SUMS";
/// The public key that the signature is checked with.
pub const KEY_FILE: &str = "aggregator.pub";
/// The files of a release, in the order in which a reader needs them, and what each is.
pub const FILES: [(&str, &str); 7] = [
    (MODEL_FILE, "the numbers, with the names that PyTorch gives them"),
    (SCRIPT_FILE, "the network in PyTorch, and how to load the numbers"),
    (
        NETWORK_FILE,
        "which network it is, and how radiographs are made its input",
    ),
    (ONNX_FILE, "the same network for ONNX runtimes"),
    (
        CARD_FILE,
        "what it is, how good it is, and what it must not be used for",
    ),
    (LINEAGE_FILE, "the plan, the rounds and the digests of these files"),
    (SIGNATURE_FILE, "the consortium's signature over the lineage"),
];

/// A release as it was verified.
pub struct Verified {
    /// Where it lies.
    pub folder: PathBuf,
    /// Its signed lineage.
    pub lineage: Lineage,
}

/// A file of a release as it lies in the bundle.
pub struct Published {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// Its size.
    pub bytes: u64,
    /// Its digest.
    pub digest: Sha256Digest,
}

/// Whether boards of all sites approved that the model goes out into the world.
pub fn is_public(lineage: &Lineage) -> bool {
    lineage.plan.stage == StudyStage::Publication
}

/// Writes the bundle into `out`, which must not exist or be empty, and gives the page of each release. What lies there in the end has been verified there.
///
/// # Errors
/// Where two releases are of one study, a file cannot be copied, or the copy is not what was signed.
pub fn write(out: &Path, releases: &[Verified], key: &VerifyingKey) -> Result<Vec<PathBuf>> {
    super::ensure_empty(out)?;
    let mut pages = Vec::new();
    let mut studies = BTreeSet::new();
    for release in releases {
        let study = &release.lineage.study;
        ensure!(
            studies.insert(study),
            "two of these releases are of {study}; name one of them"
        );
        let folder = out.join(study.to_string());
        let published = copy(&release.folder, &folder, key)?;
        let card = files::read_bounded(&folder.join(CARD_FILE), TEXT_BYTES_MAX)?;
        let card = String::from_utf8(card).context("the model card is no text")?;
        let page = page::model(&release.lineage, &published, &card);
        pages.push(folder.join(PAGE_FILE));
        files::write_durable(&folder.join(PAGE_FILE), page.as_bytes())?;
    }
    let lineages: Vec<&Lineage> = releases.iter().map(|release| &release.lineage).collect();
    let list = page::list(&lineages);
    files::write_durable(&out.join(PAGE_FILE), list.as_bytes())?;
    Ok(pages)
}

fn copy(from: &Path, to: &Path, key: &VerifyingKey) -> Result<Vec<Published>> {
    fs::create_dir(to).with_context(|| format!("cannot make {}", to.display()))?;
    let mut published = Vec::new();
    for (name, what) in FILES {
        let (source, copy) = (from.join(name), to.join(name));
        let bytes = fs::copy(&source, &copy).with_context(|| format!("cannot copy {}", source.display()))?;
        published.push(Published {
            name,
            what,
            bytes,
            digest: snowball_model_files::digest(&copy)?,
        });
    }
    let (_, found) = verify(to, key)?;
    ensure!(
        found.is_empty(),
        "{} is not what was signed: {}; publish nothing of it",
        to.display(),
        found.join("; ")
    );
    let mut sums = String::new();
    for file in &published {
        writeln!(sums, "{}  {}", file.digest.hex(), file.name)?;
    }
    files::write_durable(&to.join(SUMS_FILE), sums.as_bytes())?;
    files::write_durable(&to.join(KEY_FILE), format!("{key}\n").as_bytes())?;
    Ok(published)
}
