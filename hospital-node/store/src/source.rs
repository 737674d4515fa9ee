//! What others call a stored radiograph that they refer to, and how large it was when it came.

use rusqlite::{OptionalExtension, params};
use serde::de::DeserializeOwned;
use serde_json::Value;
use snowball_crypto::Pseudonym;
use snowball_imaging::{LossyMethod, LossyStep, ObjectClass, TransferSyntax};

use crate::{
    Store, StoreError,
    fact::{Facts, Making},
};

/// A stored radiograph as the source of something that was made of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// Its patient.
    pub patient: Pseudonym,
    /// Its study.
    pub study: Pseudonym,
    /// Its series.
    pub series: Pseudonym,
    /// Rows of the picture as it came.
    pub rows: u32,
    /// Columns of it.
    pub columns: u32,
    /// Its SOP class.
    pub class: ObjectClass,
    /// The compressions with loss that it went through, as far as they are known; `None` where there surely was none.
    pub lossy: Option<Vec<LossyStep>>,
}

impl Store {
    /// Where `radiograph` belongs; `None` where there is no such radiograph.
    ///
    /// # Errors
    /// When the database cannot be read, or the row is one of a newer version.
    pub fn source_of(&self, radiograph: &Pseudonym) -> Result<Option<Source>, StoreError> {
        self.read(|connection| {
            let found: Option<([u8; 32], Vec<u8>, Vec<u8>)> = connection
                .prepare_cached(
                    "SELECT pseudonym, facts, making FROM radiographs JOIN patients ON patient = number WHERE radiograph = ?1",
                )?
                .query_row(params![radiograph.as_bytes()], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()?;
            let Some((patient, facts, making)) = found else {
                return Ok(None);
            };
            let patient = Pseudonym::from_bytes(patient);
            let facts = Facts::open(&self.keys.facts, radiograph, &patient, facts)?;
            let making = Making::open(&self.keys.facts, radiograph, making)?;
            let class = making.acquisition.get("class").cloned().unwrap_or_default();
            let class = serde_json::from_value(class).map_err(|_| StoreError::Damaged {
                what: "a row of the database names a class of a newer version".to_owned(),
            })?;
            Ok(Some(Source {
                patient,
                study: facts.study,
                series: facts.series,
                rows: facts.rows,
                columns: facts.columns,
                class,
                lossy: lossy(&making.acquisition),
            }))
        })
    }
}

/// The compressions with loss that a row tells of. Rows of schema 5 and earlier have no list: their encoding tells the method alone,
/// where it cannot be one without loss. Where it can be either, whoever wrote the row did not look into the stream: something may be lost, and
/// nobody may say that nothing is.
fn lossy(acquisition: &Value) -> Option<Vec<LossyStep>> {
    let is_lossy = acquisition.get("lossy") == Some(&Value::Bool(true));
    if let Some(steps) = field(acquisition, "lossy_steps") {
        return is_lossy.then_some(steps);
    }
    let syntax = field(acquisition, "transfer_syntax");
    let is_either = matches!(
        syntax,
        Some(TransferSyntax::Jpeg2000 | TransferSyntax::HighThroughput | TransferSyntax::JpegXl)
    );
    if !is_lossy && !is_either {
        return None;
    }
    let method = syntax.and_then(|syntax| match syntax {
        TransferSyntax::JpegBaseline
        | TransferSyntax::JpegExtended
        | TransferSyntax::JpegSpectralSelection
        | TransferSyntax::JpegProgressive => LossyMethod::of(syntax),
        _ => None,
    });
    let step = |method| LossyStep {
        method: Some(method),
        ratio_hundredths: None,
    };
    Some(method.map(step).into_iter().collect())
}

fn field<T: DeserializeOwned>(of: &Value, name: &str) -> Option<T> {
    serde_json::from_value(of.get(name)?.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, keys};
    use serde_json::json;

    #[test]
    fn a_radiograph_is_found_with_what_it_belongs_to() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), keys()).unwrap();
        let (one, other) = (Sample::new(1, 1).radiograph(), Sample::new(2, 2).radiograph());
        store.add_all(&[one.clone(), other.clone()]).unwrap();
        let found = store.source_of(one.id()).unwrap().unwrap();
        let source = Source {
            patient: *one.patient(),
            study: *one.study(),
            series: *one.series(),
            rows: 24,
            columns: 20,
            class: ObjectClass::DigitalPresentation,
            lossy: None,
        };
        assert_eq!(found, source);
        assert_ne!(store.source_of(other.id()).unwrap().unwrap().patient, found.patient);
        assert_eq!(store.source_of(&Pseudonym::from_bytes([0; 32])).unwrap(), None);
    }

    #[test]
    fn a_row_tells_as_much_of_lossy_compression_as_its_version_knew() {
        let step = |method, ratio_hundredths| LossyStep {
            method,
            ratio_hundredths,
        };
        let jpeg = Some(LossyMethod::Jpeg);
        for (row, known) in [
            (json!({ "lossy": false, "transfer_syntax": "explicit_little" }), None),
            (
                json!({ "lossy": true, "lossy_steps": [{ "method": "ISO_10918_1", "ratio_hundredths": 950 }] }),
                Some(vec![step(jpeg, Some(950))]),
            ),
            (
                json!({ "lossy": true, "transfer_syntax": "jpeg_baseline" }),
                Some(vec![step(jpeg, None)]),
            ),
            (
                json!({ "lossy": true, "transfer_syntax": "explicit_little" }),
                Some(vec![]),
            ),
            (
                json!({ "lossy": false, "lossy_steps": [], "transfer_syntax": "jpeg2000" }),
                None,
            ),
            (json!({ "lossy": false, "transfer_syntax": "jpeg2000_lossless" }), None),
        ] {
            assert_eq!(lossy(&row), known, "{row}");
        }
        // Nobody looked whether these streams are reversible.
        for either in ["jpeg2000", "high_throughput", "jpeg_xl"] {
            let row = json!({ "lossy": false, "transfer_syntax": either });
            assert_eq!(lossy(&row), Some(vec![]), "{row}");
        }
    }
}
