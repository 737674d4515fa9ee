//! `pull`: DICOMweb, day by day, instance by instance.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Serialize;
use snowball_pacs::{
    PacsError,
    dicomweb::{Credentials, Fetched, Instance, Web, WebSettings},
    spool::{Name, Spool},
};
use snowball_service::files;

use super::{
    Context,
    batch::{Batches, Known},
    decoding::{Decoder, Keeps},
    receive::open_spool,
    spooled::{Bell, Desk, Span, beside, client_tls, refuse_shared},
    stop::Stop,
};
use crate::{config::pacs::DicomwebConfig, now::intake::Way};

const CREDENTIALS_BYTES_MAX: usize = 16 * 1024;
const PAUSE: Duration = Duration::from_secs(1);
/// Instances between two looks at whether to stop.
const CHUNK: usize = 16;
/// So many failures one after another: the server is not well, and is left alone.
const FAILURES_MAX: u32 = 10;

/// Fetch radiographs of some days by DICOMweb (QIDO-RS, WADO-RS). Run again, it fetches what it has not yet.
#[derive(Args)]
#[command(
    after_help = "Example: hospital-node pull --url https://pacs.hospital.example/dicom-web \\\n    --from 2026-01-01 --to 2026-03-31"
)]
pub struct Pull {
    /// The root of the DICOMweb service. Credentials stand in the file that node.toml names, never here.
    #[arg(long)]
    url: String,
    #[command(flatten)]
    span: Span,
    /// Threads for the intake; 0: as many as cores.
    #[arg(long, default_value_t = 0)]
    threads: usize,
}

/// What became of a day, or of all days.
#[derive(Clone, Debug, Default, Serialize)]
struct Tally {
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<String>,
    instances: u64,
    /// Dealt with by an earlier run.
    known: u64,
    fetched: u64,
    /// Named by the server, but not there.
    gone: u64,
    /// Another run tries them again.
    failed: u64,
}

impl Pull {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let config = home.config()?;
        let (days, modalities) = (self.span.days()?, self.span.modalities()?);
        let web = web(&self.url, &config.dicomweb)?;
        let stop = Stop::listen()?;
        let spool = open_spool(&home, &config, "fetch")?;
        let keeps = Keeps::of(&home, &config.text, Some(spool.folder()), None);
        let batches =
            Batches::open(&home, &config, self.threads, (Decoder::Threads, keeps))?.noting(&home, Way::Pulled);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (bell, heard) = Bell::new();
        let desk = Desk {
            context,
            batches: &batches,
            spool: &spool,
            from: "DICOMweb",
            stop: stop.flag(),
        };
        let errand = Errand {
            web: &web,
            known: batches.known(),
            spool: &spool,
            object_bytes_max: config.spool.object_bytes_max,
            stop: &stop,
            bell,
            failures: 0,
        };
        let total = beside(&desk, &heard, || {
            // Moved in, so that the bell goes when all is fetched.
            let mut errand = errand;
            let mut total = Tally::default();
            for day in days {
                if errand.stop.is_requested() {
                    break;
                }
                let tally = runtime.block_on(errand.day(day, &modalities))?;
                if tally.instances + tally.failed > 0 {
                    context.print(&tally, || line(&day.to_string(), &tally))?;
                }
                total.add(&tally);
            }
            Ok(total)
        })?;
        context.print(&total, || line("all days", &total))?;
        if total.failed > 0 {
            bail!("{} questions or instances failed; run it again", total.failed);
        }
        Ok(())
    }
}

/// A client as configured.
pub(super) fn web(url: &str, config: &DicomwebConfig) -> Result<Web> {
    let credentials = match &config.credentials {
        None => Credentials::None,
        Some(path) => credentials(path)?,
    };
    Ok(Web::new(WebSettings {
        url: url.to_owned(),
        credentials,
        tls: config.tls.as_ref().map(client_tls).transpose()?,
        requests_max: config.requests_max,
        bytes_per_second_max: Some(config.bytes_per_second_max),
        idle: Duration::from_secs(config.idle_seconds),
        tries: config.tries,
        pause: PAUSE,
    })?)
}

/// The credentials file, which must be its owner's alone.
pub(super) fn credentials(path: &Path) -> Result<Credentials> {
    refuse_shared(path)?;
    let bytes =
        files::read_bounded(path, CREDENTIALS_BYTES_MAX).with_context(|| format!("cannot read {}", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("{} is not text", path.display()))?;
    Ok(Credentials::parse(&text)?)
}

/// What it takes to fetch.
struct Errand<'a> {
    web: &'a Web,
    known: &'a Known,
    spool: &'a Arc<Spool>,
    object_bytes_max: u64,
    stop: &'a Stop,
    bell: Bell,
    /// One after another, until something succeeds.
    failures: u32,
}

impl Errand<'_> {
    async fn day(&mut self, day: jiff::civil::Date, modalities: &std::collections::BTreeSet<String>) -> Result<Tally> {
        let mut tally = Tally {
            day: Some(day.to_string()),
            ..Tally::default()
        };
        let series = self.web.series_of(day, modalities).await;
        for series in self.answered(series, &mut tally)? {
            let mut wanted: Vec<(Name, Instance)> = Vec::new();
            let instances = self.web.instances_of(&series).await;
            for instance in self.answered(instances, &mut tally)? {
                tally.instances += 1;
                // The journal: an instance is known by this name in the store as well as in the spool.
                let name = self.known.hide(&format!("instance {}", instance.uid()));
                if self.known.is_known(&name)? || self.spool.holds(name.as_bytes()) {
                    tally.known += 1;
                } else {
                    wanted.push((*name.as_bytes(), instance));
                }
            }
            for chunk in wanted.chunks(CHUNK) {
                if self.stop.is_requested() {
                    return Ok(tally);
                }
                for fetched in self.web.fetch_all(chunk, self.spool, self.object_bytes_max).await? {
                    match fetched {
                        Fetched::Kept => {
                            self.failures = 0;
                            tally.fetched += 1;
                        }
                        Fetched::Gone => tally.gone += 1,
                        Fetched::Failed(fault) => self.failed(&fault, &mut tally)?,
                    }
                }
                self.bell.ring();
            }
        }
        Ok(tally)
    }

    /// The answers to one question; none, and a failure more, where it failed. What refuses us altogether ends the run.
    fn answered<T>(&mut self, answers: Result<Vec<T>, PacsError>, tally: &mut Tally) -> Result<Vec<T>> {
        match answers {
            Ok(answers) => {
                self.failures = 0;
                Ok(answers)
            }
            Err(fault @ (PacsError::Web { .. } | PacsError::TooMany { .. })) => {
                self.failed(&fault, tally)?;
                Ok(Vec::new())
            }
            Err(fault) => Err(fault.into()),
        }
    }

    fn failed(&mut self, fault: &PacsError, tally: &mut Tally) -> Result<()> {
        tracing::warn!("{fault}; going on");
        tally.failed += 1;
        self.failures += 1;
        if self.failures >= FAILURES_MAX {
            bail!(
                "{FAILURES_MAX} failures one after another, the last: {fault}; look at the server, then run it again"
            );
        }
        Ok(())
    }
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.instances += other.instances;
        self.known += other.known;
        self.fetched += other.fetched;
        self.gone += other.gone;
        self.failed += other.failed;
    }
}

fn line(when: &str, tally: &Tally) -> String {
    format!(
        "{when}: {} instances, {} known, {} fetched, {} gone, {} failed",
        tally.instances, tally.known, tally.fetched, tally.gone, tally.failed
    )
}
