//! One series after another, and of a series that came in part once, only what is missing.

use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use anyhow::Result;
use snowball_pacs::{
    PacsError,
    query::{Archive, Archived, Moved, Series, Wanted},
    spool::Spool,
};
use snowball_protocol::Sha256Digest;

use crate::{
    cli::{
        batch::Known,
        spooled::{Bell, is_decodable},
        stop::Stop,
    },
    config::pacs::{Method, RetrieveConfig},
};

const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// What it takes to have series sent.
pub(super) struct Errand<'a> {
    pub archive: &'a Archive,
    pub config: &'a RetrieveConfig,
    pub known: &'a Known,
    pub spool: Option<(&'a Spool, u64)>,
    pub bell: &'a Bell,
    pub stop: &'a Stop,
}

/// What came of a series.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Came {
    /// Objects that the archive says it sent.
    pub objects: u32,
    /// Nothing of it is missing.
    pub is_whole: bool,
}

/// The inner fault is the archive's, the outer one our own disk's.
type Asked<T> = Result<Result<T, PacsError>>;

impl Errand<'_> {
    /// Asks, and asks again when the line breaks.
    pub fn asked<T>(&self, mut ask: impl FnMut() -> Asked<T>) -> Asked<T> {
        let mut tried = 0;
        loop {
            tried += 1;
            match ask()? {
                Err(PacsError::Line(_) | PacsError::Ended | PacsError::Silent | PacsError::Unreachable { .. })
                    if tried < TRIES =>
                {
                    if self.stop.wait(PAUSE * tried) {
                        return Ok(Err(PacsError::Stopped));
                    }
                }
                other => return Ok(other),
            }
        }
    }

    /// What is still missing of a series, on the association that is open or a new one.
    pub fn series(&self, open: &mut Option<Archived>, series: &Series) -> Asked<Came> {
        self.asked(|| {
            if self.known.is_known(&self.part_key(series))? {
                return self.missing(open, series);
            }
            let wanted = Wanted { series, instance: None };
            let moved = match self.fetch(open, wanted)? {
                Ok(moved) => moved,
                // An archive that gives up at the first object that fails may send the others one by one.
                Err(PacsError::Status {
                    status: 0xc000..=0xcfff,
                    ..
                }) => {
                    self.known.remember(&self.part_key(series))?;
                    return self.missing(open, series);
                }
                Err(fault) => return Ok(Err(fault)),
            };
            let came = came(&moved);
            if !came.is_whole && self.config.method == Method::Move {
                self.remember_others(series, &moved)?;
            }
            Ok(Ok(came))
        })
    }

    /// Instance by instance, what did not come before.
    fn missing(&self, open: &mut Option<Archived>, series: &Series) -> Asked<Came> {
        let instances = match self.archive.instances_of(series) {
            Ok(instances) if !instances.is_empty() => instances,
            // An archive that does not answer at this level sends the whole series again.
            Ok(_) | Err(PacsError::Status { .. } | PacsError::TooMany { .. }) => {
                let moved = self.fetch(open, Wanted { series, instance: None })?;
                return Ok(moved.map(|moved| came(&moved)));
            }
            Err(fault) => return Ok(Err(fault)),
        };
        let mut came = Came {
            objects: 0,
            is_whole: true,
        };
        for uid in &instances {
            let key = self.instance_key(uid);
            if self.known.is_known(&key)? {
                continue;
            }
            if self.stop.is_requested() {
                return Ok(Err(PacsError::Stopped));
            }
            let wanted = Wanted {
                series,
                instance: Some(uid),
            };
            match self.fetch(open, wanted)? {
                Ok(moved) => {
                    came.objects += moved.completed;
                    if moved.failed == 0 && moved.completed > 0 {
                        self.known.remember(&key)?;
                    } else {
                        came.is_whole = false;
                    }
                }
                Err(PacsError::Status { .. }) => came.is_whole = false,
                Err(fault) => return Ok(Err(fault)),
            }
        }
        Ok(Ok(came))
    }

    /// One request. What C-GET brought is remembered whatever becomes of the rest.
    fn fetch(&self, open: &mut Option<Archived>, wanted: Wanted<'_>) -> Asked<Moved> {
        let associated = match open.take() {
            Some(archived) => Ok(archived),
            None if self.config.method == Method::Move => self.archive.for_moves(),
            None => self.archive.for_gets(is_decodable),
        };
        let mut archived = match associated {
            Ok(archived) => archived,
            Err(fault) => return Ok(Err(fault)),
        };
        let kept = RefCell::new(BTreeSet::new());
        let on_kept = |uid: Option<&str>| {
            kept.borrow_mut().extend(uid.map(str::to_owned));
            self.bell.ring();
        };
        let moved = match (self.config.method, self.spool) {
            (Method::Get, Some((spool, object_bytes_max))) => archived.get(wanted, spool, object_bytes_max, &on_kept),
            _ => archived.move_to(&self.config.title, wanted),
        };
        if moved.is_ok() {
            *open = Some(archived);
        }
        self.remember_instances(wanted.series, kept.into_inner().iter())?;
        Ok(moved)
    }

    /// After a C-MOVE that brought a part: what the archive does not name as failed has come.
    fn remember_others(&self, series: &Series, moved: &Moved) -> Result<()> {
        let failed = &moved.failed_instances;
        if moved.completed == 0 || failed.len() as u64 != u64::from(moved.failed) {
            return Ok(());
        }
        let Ok(instances) = self.archive.instances_of(series) else {
            return Ok(());
        };
        // Anything else is a series that changed meanwhile, or an archive that counts otherwise.
        if failed.is_subset(&instances) && instances.len() as u64 == u64::from(moved.completed + moved.failed) {
            self.remember_instances(series, instances.difference(failed))?;
        }
        Ok(())
    }

    fn remember_instances<'u>(&self, series: &Series, uids: impl Iterator<Item = &'u String>) -> Result<()> {
        let mut is_any = false;
        for uid in uids {
            self.known.remember(&self.instance_key(uid))?;
            is_any = true;
        }
        if is_any {
            self.known.remember(&self.part_key(series))?;
        }
        Ok(())
    }

    /// A series with more instances than last time is another one.
    pub fn key(&self, series: &Series) -> Sha256Digest {
        let count = series.instances.map_or(String::new(), |count| count.to_string());
        self.known
            .hide(&format!("retrieved series {} {} {count}", series.study, series.series))
    }

    /// Some of its instances are remembered one by one.
    fn part_key(&self, series: &Series) -> Sha256Digest {
        self.known.hide(&format!(
            "retrieved a part of series {} {}",
            series.study, series.series
        ))
    }

    fn instance_key(&self, uid: &str) -> Sha256Digest {
        self.known.hide(&format!("retrieved instance {uid}"))
    }
}

fn came(moved: &Moved) -> Came {
    Came {
        objects: moved.completed,
        is_whole: moved.failed == 0 && moved.completed > 0,
    }
}
