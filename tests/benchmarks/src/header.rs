//! The header path alone, as a child: read, decide every attribute, write; no search of pixels, nothing sealed or noted. It is
//! what the other programs do, and less than what `hospital-node deidentify` does.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, Result};
use clap::Args;
use rayon::prelude::*;
use snowball_crypto::SiteSecret;
use snowball_imaging::{
    Limits,
    standard::{Pixels, Standard},
};
use snowball_protocol::Sha256Digest;

use crate::{
    corpus,
    deidentification::{Contestant, Kind, Outcome, Place},
    home, watched,
};

pub fn contestants(own: &Path) -> Vec<Contestant<'_>> {
    let path = |name: &str, verify: bool, remark| Contestant {
        name: name.to_owned(),
        kind: Kind::Header,
        remark,
        run: Box::new(move |place: &Place<'_>| {
            let (list, output) = (place.corpus.lists(&place.folder, 1)?, place.new_folder("out")?);
            let mut command = Command::new(own);
            command.args(["header", "--threads", &place.cores.to_string(), "--list"]);
            command.arg(&list[0]).arg("--output").arg(&output);
            if verify {
                command.arg("--verify");
            }
            let command = watched::on_cores(&command, place.cores);
            let cost = watched::run(vec![command], &place.log(), ExitStatus::success)?;
            let written = fs::read_to_string(place.log())?.trim().parse().unwrap_or(0);
            Ok(Outcome { cost, written })
        }),
    };
    vec![
        path(
            "snowball, header only",
            false,
            "PS3.15 profile at every depth, as a library; no second pass, no record, pixels not looked at",
        ),
        path(
            "snowball, header and second pass",
            true,
            "the same, each file read back and looked at again by another parser",
        ),
    ]
}

/// De-identifies the headers of the files of a list.
#[derive(Args)]
pub struct Header {
    #[arg(long)]
    list: PathBuf,
    #[arg(long)]
    output: PathBuf,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Read each file back and look at it again.
    #[arg(long)]
    verify: bool,
}

impl Header {
    pub fn run(&self) -> Result<()> {
        let paths = corpus::listed(&self.list)?;
        let policy = home::policy()?;
        let profile = snowball_policy::parse(&policy)
            .map_err(|fault| anyhow::anyhow!("the policy does not parse: {}", fault.reason()))?
            .confidentiality();
        let key = SiteSecret::generate()
            .context("no randomness for a secret")?
            .project("dicom benchmark");
        let standard = Standard::new(profile, Sha256Digest::of(policy.as_bytes()), key, Limits::default());
        let written = AtomicU64::new(0);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build()?;
        pool.install(|| {
            paths.par_iter().with_max_len(1).try_for_each(|path| {
                if self.one(&standard, path)? {
                    written.fetch_add(1, Ordering::Relaxed);
                }
                anyhow::Ok(())
            })
        })?;
        println!("{}", written.into_inner());
        Ok(())
    }

    /// Whether the file was written, and may stay where it is looked at again.
    fn one(&self, standard: &Standard, path: &Path) -> Result<bool> {
        let content = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let Ok(made) = standard.deidentify(&content, Pixels::NotVerified) else {
            return Ok(false);
        };
        let to = self.output.join(format!("{}.dcm", made.instance));
        fs::write(&to, &made.bytes).with_context(|| format!("cannot write {}", to.display()))?;
        if !self.verify {
            return Ok(true);
        }
        let written = fs::read(&to).with_context(|| format!("cannot read {}", to.display()))?;
        Ok(standard.verify(&written, &made.seen).is_empty())
    }
}
