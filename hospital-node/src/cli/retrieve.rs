//! `retrieve`: ask the archive day by day (C-FIND), have it send what is new (C-MOVE or C-GET).

mod errand;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;
use snowball_pacs::{
    PacsError,
    query::{Archive, Archived, Series},
    spool::Spool,
};

use super::{
    Context,
    batch::Batches,
    decoding::{Decoder, Keeps},
    receive::{is_in_use, listen, open_spool},
    spooled::{Bell, Desk, Span, beside, client_tls},
    stop::Stop,
};
use crate::{
    config::pacs::{Method, RetrieveConfig},
    now::intake::Way,
};
use errand::Errand;

/// So many series one after another without success: the archive is not well, and is left alone.
const FAILURES_MAX: u32 = 10;

/// Query the archive for radiographs of some days and have it send what was not taken in before. Run again, it goes on.
#[derive(Args)]
#[command(after_help = "Example: hospital-node retrieve --from 2026-01-01 --to 2026-03-31 --modality CR,DX")]
pub struct Retrieve {
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
    series: u64,
    /// Dealt with by an earlier run.
    known: u64,
    /// Objects that the archive says it sent.
    objects: u64,
    /// Series of which something failed; another run tries them again.
    failed: u64,
}

impl Retrieve {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let config = home.config()?;
        let Some(retrieve) = &config.retrieve else {
            bail!("node.toml has no [retrieve]: name the archive and the AE titles there");
        };
        let (days, modalities) = (self.span.days()?, self.span.modalities()?);
        let stop = Stop::listen()?;
        let archive = archive(retrieve, &stop)?;
        let way = if retrieve.method == Method::Move {
            "receive"
        } else {
            "fetch"
        };
        let keeps = Keeps::of(&home, &config.text, Some(&home.spool(way)), None);
        let batches =
            Batches::open(&home, &config, self.threads, (Decoder::Threads, keeps))?.noting(&home, Way::Retrieved);
        let work = |bell: &Bell, spool: Option<&Spool>| {
            let errand = Errand {
                archive: &archive,
                config: retrieve,
                known: batches.known(),
                spool: spool.map(|spool| (spool, config.spool.object_bytes_max)),
                bell,
                stop: &stop,
            };
            let work = Work { context, errand };
            let mut total = Tally::default();
            for day in &days {
                if archive.stop.load(Ordering::SeqCst) {
                    break;
                }
                let series = work.errand.asked(|| Ok(archive.series_of(*day, &modalities)))??;
                let tally = work.day(&day.to_string(), &series)?;
                total.series += tally.series;
                total.known += tally.known;
                total.objects += tally.objects;
                total.failed += tally.failed;
            }
            Ok(total)
        };
        let (bell, heard) = Bell::new();
        let total = match open_spool(&home, &config, way) {
            Ok(spool) => {
                let receiver = match (&config.receive, retrieve.method) {
                    (Some(receive), Method::Move) => Some(listen(receive, &config, &spool, bell.clone())?),
                    _ => None,
                };
                let held: &Spool = &spool;
                let desk = Desk {
                    context,
                    batches: &batches,
                    spool: held,
                    from: "the archive",
                    stop: stop.flag(),
                };
                beside(&desk, &heard, move || {
                    let total = work(&bell, Some(held));
                    // All bells go: the desk takes one last look and ends.
                    drop((receiver, bell));
                    total
                })?
            }
            Err(fault) if way == "receive" && is_in_use(&fault) => {
                tracing::info!("the receive service of this node is running: objects go there");
                work(&bell, None)?
            }
            Err(fault) => return Err(fault),
        };
        context.print(&total, || line("all days", &total))?;
        if total.failed > 0 {
            bail!("{} series did not come whole; run it again", total.failed);
        }
        Ok(())
    }
}

/// The archive as configured.
pub(super) fn archive(retrieve: &RetrieveConfig, stop: &Stop) -> Result<Archive> {
    Ok(Archive {
        address: retrieve.archive.clone(),
        called: retrieve.archive_title.clone(),
        calling: retrieve.title.clone(),
        idle: Duration::from_secs(retrieve.idle_seconds),
        tls: retrieve.tls.as_ref().map(client_tls).transpose()?.map(Arc::new),
        stop: stop.flag(),
    })
}

/// One day.
struct Work<'a> {
    context: &'a Context,
    errand: Errand<'a>,
}

impl Work<'_> {
    fn day(&self, day: &str, series: &[Series]) -> Result<Tally> {
        let errand = &self.errand;
        let mut tally = Tally {
            day: Some(day.to_owned()),
            series: series.len() as u64,
            ..Tally::default()
        };
        let (mut line_up, mut failures) = (None, 0);
        for one in series {
            if errand.stop.is_requested() {
                break;
            }
            let key = errand.key(one);
            if errand.known.is_known(&key)? {
                tally.known += 1;
                continue;
            }
            match errand.series(&mut line_up, one)? {
                Ok(came) => {
                    tally.objects += u64::from(came.objects);
                    if came.is_whole {
                        failures = 0;
                        errand.known.remember(&key)?;
                    } else {
                        failures += 1;
                        tally.failed += 1;
                    }
                }
                // Nothing will come of the other series either.
                Err(fault @ (PacsError::Status { .. } | PacsError::Rejected { .. } | PacsError::NotOffered { .. })) => {
                    return Err(fault.into());
                }
                Err(PacsError::Stopped) => break,
                Err(fault) => {
                    tracing::warn!("a series did not come: {fault}");
                    failures += 1;
                    tally.failed += 1;
                }
            }
            if failures >= FAILURES_MAX {
                bail!("{failures} series one after another did not come; look at the archive, then run it again");
            }
        }
        if let Some(open) = line_up {
            // All its answers are here: how it ends changes nothing.
            let _ = Archived::end(open);
        }
        if tally.series > 0 {
            self.context.print(&tally, || line(day, &tally))?;
        }
        Ok(tally)
    }
}

fn line(when: &str, tally: &Tally) -> String {
    format!(
        "{when}: {} series, {} known, {} objects sent, {} series failed",
        tally.series, tally.known, tally.objects, tally.failed
    )
}
