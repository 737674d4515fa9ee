//! C-MOVE and C-GET: one series at a time, or one instance of it where some came before, so that a failure costs no more
//! than that.

use std::collections::BTreeSet;

use super::{
    connect::{Archive, Archived, Proposal},
    find::{Series, meaning},
};
use crate::{
    AeTitle, PacsError, RADIOGRAPHS, TRANSFER_SYNTAXES,
    classes::{EXPLICIT_LITTLE, IMPLICIT_LITTLE, STUDY_ROOT_GET, STUDY_ROOT_MOVE, is_uid},
    command::{Command, element, field},
    identifier::{FAILED_INSTANCES, INSTANCE, Identifier, QUERY_LEVEL, SERIES, STUDY},
    receive::{Storing, store},
    spool::Spool,
};

const FAILED_LIST_BYTES_MAX: usize = 1 << 20;

/// What the archive says of a retrieval: numbers of sub-operations.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Moved {
    /// Objects sent and acknowledged.
    pub completed: u32,
    /// Objects that could not be sent.
    pub failed: u32,
    /// Which these are, where the archive says so.
    pub failed_instances: BTreeSet<String>,
}

/// A series, or one instance of it.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// The series.
    pub series: &'a Series,
    /// The SOP Instance UID; none: all of the series.
    pub instance: Option<&'a str>,
}

impl Archive {
    /// An association for C-MOVE.
    ///
    /// # Errors
    /// When the archive cannot be reached or refuses.
    pub fn for_moves(&self) -> Result<Archived, PacsError> {
        let archived = self.connect(&[Proposal::user(STUDY_ROOT_MOVE)])?;
        archived.context(STUDY_ROOT_MOVE, "retrieval by C-MOVE")?;
        Ok(archived)
    }

    /// An association for C-GET, on which radiographs come in the syntaxes that `is_decodable` names.
    ///
    /// # Errors
    /// When the archive cannot be reached or refuses.
    pub fn for_gets(&self, is_decodable: fn(&str) -> bool) -> Result<Archived, PacsError> {
        let plain = [EXPLICIT_LITTLE, IMPLICIT_LITTLE];
        let provide = |class, syntaxes| Proposal {
            class,
            syntaxes,
            is_provider: true,
        };
        let mut proposals = vec![Proposal::user(STUDY_ROOT_GET)];
        proposals.extend(RADIOGRAPHS.map(|class| provide(class, plain.to_vec())));
        // An archive sends an object in the syntax that it holds it in, if that one was agreed: so each compressed one has
        // a context of its own, for each class, and the plain ones are the way out.
        for syntax in TRANSFER_SYNTAXES {
            if !plain.contains(&syntax) && is_decodable(syntax) {
                proposals.extend(RADIOGRAPHS.map(|class| provide(class, vec![syntax])));
            }
        }
        // PS3.8 section 9.3.2.2: odd identifiers below 256. The rarest syntaxes come last.
        proposals.truncate(128);
        let archived = self.connect(&proposals)?;
        archived.context(STUDY_ROOT_GET, "retrieval by C-GET")?;
        Ok(archived)
    }
}

impl Archived {
    /// Has the archive send what is wanted to `destination`, a title that it knows.
    ///
    /// # Errors
    /// When the archive refuses or fails.
    pub fn move_to(&mut self, destination: &AeTitle, wanted: Wanted<'_>) -> Result<Moved, PacsError> {
        let context = self.context(STUDY_ROOT_MOVE, "retrieval by C-MOVE")?;
        let request = Command::request(field::MOVE, self.association.next_message(), STUDY_ROOT_MOVE, true)
            .text(element::DESTINATION, destination.as_str());
        self.association.send(context, &request, Some(&wanted.encode()))?;
        loop {
            let (id, answer) = self.association.next_command()?.ok_or(PacsError::Ended)?;
            if let Some(moved) = self.progress(id, &answer, "C-MOVE", field::MOVE)? {
                return Ok(moved);
            }
        }
    }

    /// Gets what is wanted on this association into `spool`. `on_kept` is called after each object that is durable there,
    /// with the SOP Instance UID that the archive gave it, where it gave one.
    ///
    /// # Errors
    /// When the archive refuses or fails, or ours does.
    pub fn get(
        &mut self,
        wanted: Wanted<'_>,
        spool: &Spool,
        object_bytes_max: u64,
        on_kept: &dyn Fn(Option<&str>),
    ) -> Result<Moved, PacsError> {
        let context = self.context(STUDY_ROOT_GET, "retrieval by C-GET")?;
        let request = Command::request(field::GET, self.association.next_message(), STUDY_ROOT_GET, true);
        self.association.send(context, &request, Some(&wanted.encode()))?;
        let storing = Storing {
            spool,
            object_bytes_max,
        };
        loop {
            let (id, command) = self.association.next_command()?.ok_or(PacsError::Ended)?;
            if command.field() == field::STORE {
                if store(&mut self.association, id, &command, &storing)? {
                    on_kept(command.string(element::AFFECTED_INSTANCE).filter(|uid| is_uid(uid)));
                }
            } else if let Some(moved) = self.progress(id, &command, "C-GET", field::GET)? {
                return Ok(moved);
            }
        }
    }

    /// Reads an answer: `None` while it goes on.
    fn progress(
        &mut self,
        id: u8,
        answer: &Command,
        service: &'static str,
        asked: u16,
    ) -> Result<Option<Moved>, PacsError> {
        if answer.field() != asked | field::RESPONSE {
            return Err(PacsError::Message {
                what: "no answer to a retrieval",
            });
        }
        let mut failed_instances = BTreeSet::new();
        if answer.has_data() {
            let data = self.association.whole_data(id, FAILED_LIST_BYTES_MAX)?;
            // The counts are what is relied on; a list that does not parse is none.
            let list = Identifier::decode(&data).unwrap_or_default();
            let uids = list.text(FAILED_INSTANCES).unwrap_or_default().split('\\');
            failed_instances.extend(uids.filter(|uid| is_uid(uid)).map(str::to_owned));
        }
        let count = |element| answer.number(element).map_or(0, u32::from);
        let moved = Moved {
            completed: count(element::COMPLETED) + count(element::WARNING),
            failed: count(element::FAILED) + count(element::REMAINING),
            failed_instances,
        };
        match answer.status().unwrap_or(u16::MAX) {
            0xff00 | 0xff01 => Ok(None),
            0x0000 | 0xb000 => Ok(Some(moved)),
            // All failed one by one (PS3.4 table C.4-2): the archive said so of each, which is no fault of the whole.
            0xa702 if moved.failed > 0 => Ok(Some(moved)),
            status => Err(PacsError::Status {
                service,
                status,
                meaning: meaning(status),
            }),
        }
    }
}

impl Wanted<'_> {
    fn encode(&self) -> Vec<u8> {
        let level = if self.instance.is_some() { "IMAGE" } else { "SERIES" };
        let identifier = Identifier::default()
            .with(QUERY_LEVEL, level)
            .with(STUDY, &self.series.study)
            .with(SERIES, &self.series.series);
        match self.instance {
            Some(uid) => identifier.with(INSTANCE, uid).encode(),
            None => identifier.encode(),
        }
    }
}
