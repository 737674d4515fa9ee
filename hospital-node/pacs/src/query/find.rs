//! C-FIND: which series of radiographs a day has.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::connect::{Archive, Archived, Proposal};
use crate::{
    PacsError,
    classes::{STUDY_ROOT_FIND, is_uid},
    command::{Command, field},
    identifier::{
        INSTANCE, INSTANCES_IN_SERIES, Identifier, MODALITIES_IN_STUDY, MODALITY, QUERY_LEVEL, SERIES, STUDY,
        STUDY_DATE,
    },
};

/// Answers to one query: a large hospital has some thousands of studies a day.
const ANSWERS_MAX: usize = 20_000;
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A series that the archive has.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Series {
    /// Study Instance UID.
    pub study: String,
    /// Series Instance UID.
    pub series: String,
    /// How many instances the archive says that it has, where it says.
    pub instances: Option<u32>,
}

impl Archive {
    /// The series of `modalities` in studies of `date`.
    ///
    /// # Errors
    /// When the archive refuses, fails or has more answers than fit.
    pub fn series_of(&self, date: Date, modalities: &BTreeSet<String>) -> Result<Vec<Series>, PacsError> {
        let mut archived = self.connect(&[Proposal::user(STUDY_ROOT_FIND)])?;
        let context = archived.context(STUDY_ROOT_FIND, "queries at the study root (C-FIND)")?;
        let day = date.strftime("%Y%m%d").to_string();
        let mut studies = BTreeSet::new();
        // One query for each modality: an archive that matches lists here is rare. One that ignores the key gives all
        // studies of the day each time, which the second step sorts out.
        for modality in modalities {
            let wanted = Identifier::default()
                .with(QUERY_LEVEL, "STUDY")
                .with(STUDY_DATE, &day)
                .with(MODALITIES_IN_STUDY, modality)
                .with(STUDY, "");
            let found = archived.find(context, &wanted)?;
            studies.extend(found.iter().filter_map(|answer| uid(answer.text(STUDY))));
        }
        let mut series = Vec::new();
        for study in studies {
            let wanted = Identifier::default()
                .with(QUERY_LEVEL, "SERIES")
                .with(STUDY, &study)
                .with(SERIES, "")
                .with(MODALITY, "")
                .with(INSTANCES_IN_SERIES, "");
            for answer in archived.find(context, &wanted)? {
                let is_wanted = answer
                    .text(MODALITY)
                    .is_some_and(|modality| modalities.contains(modality));
                if let (true, Some(found)) = (is_wanted, uid(answer.text(SERIES))) {
                    series.push(Series {
                        study: study.clone(),
                        series: found,
                        instances: answer.text(INSTANCES_IN_SERIES).and_then(|count| count.parse().ok()),
                    });
                }
            }
        }
        archived.end()?;
        series.sort();
        series.dedup();
        Ok(series)
    }

    /// The SOP Instance UIDs of a series: identifiers, to be hidden before they are kept anywhere.
    ///
    /// # Errors
    /// When the archive refuses, fails or has more answers than fit.
    pub fn instances_of(&self, series: &Series) -> Result<BTreeSet<String>, PacsError> {
        let mut archived = self.connect(&[Proposal::user(STUDY_ROOT_FIND)])?;
        let context = archived.context(STUDY_ROOT_FIND, "queries at the study root (C-FIND)")?;
        let wanted = Identifier::default()
            .with(QUERY_LEVEL, "IMAGE")
            .with(STUDY, &series.study)
            .with(SERIES, &series.series)
            .with(INSTANCE, "");
        let found = archived.find(context, &wanted)?;
        archived.end()?;
        Ok(found.iter().filter_map(|answer| uid(answer.text(INSTANCE))).collect())
    }
}

impl Archived {
    fn find(&mut self, context: u8, wanted: &Identifier) -> Result<Vec<Identifier>, PacsError> {
        let association = &mut self.association;
        let request = Command::request(field::FIND, association.next_message(), STUDY_ROOT_FIND, true);
        association.send(context, &request, Some(&wanted.encode()))?;
        let mut answers = Vec::new();
        loop {
            let (id, answer) = association.next_command()?.ok_or(PacsError::Ended)?;
            if answer.field() != field::FIND | field::RESPONSE {
                return Err(PacsError::Message {
                    what: "no answer to a C-FIND",
                });
            }
            let data = if answer.has_data() {
                Some(association.whole_data(id, ANSWER_BYTES_MAX)?)
            } else {
                None
            };
            match answer.status().unwrap_or(u16::MAX) {
                0x0000 => return Ok(answers),
                0xff00 | 0xff01 => {
                    if answers.len() >= ANSWERS_MAX {
                        return Err(PacsError::TooMany { most: ANSWERS_MAX });
                    }
                    answers.push(Identifier::decode(&data.unwrap_or_default())?);
                }
                status => {
                    return Err(PacsError::Status {
                        service: "C-FIND",
                        status,
                        meaning: meaning(status),
                    });
                }
            }
        }
    }
}

fn uid(text: Option<&str>) -> Option<String> {
    text.filter(|text| is_uid(text)).map(str::to_owned)
}

/// PS3.4 tables C.4-1 to C.4-3.
pub(super) fn meaning(status: u16) -> &'static str {
    match status {
        0xa700..=0xa702 => "it is out of resources; try again later",
        0xa801 => "it does not know our AE title as a destination; its administrator must add title, host and port",
        0xa900 => "our question does not fit its model",
        0xb000 => "some objects failed",
        0xfe00 => "it was cancelled",
        0x0122 => "it does not support the SOP class",
        0x0124 => "it is not permitted to us",
        _ => "see the archive's conformance statement",
    }
}
