//! What the model drew on one radiograph, as a DICOM Segmentation object under this node's pseudonyms.

use std::{collections::HashMap, path::Path};

use anyhow::{Context as _, Result};
use snowball_crypto::{Pseudonym, PseudonymKey};
use snowball_imaging::{
    segmentation::{Algorithm, Names, Segment, Segmentation},
    standard,
};
use snowball_protocol::{
    Sha256Digest, StudyPlan,
    ids::UnixSeconds,
    plan::{Head, HeadKind},
};
use snowball_service::files;
use snowball_store::Source;

use crate::config::segments::SegmentsConfig;

/// Writes the objects of one call.
pub(super) struct Objects {
    key: PseudonymKey,
    algorithm: Algorithm,
    segments: Vec<Segment>,
    /// What tells this call's objects from those of any other: an object is never written anew under its name.
    call: String,
    date: String,
    time: String,
    /// How many of each series there are.
    written: HashMap<String, u32>,
}

impl Objects {
    /// For what the model with this digest draws by `plan`, whose mask is `head`'s, now.
    pub(super) fn new(
        key: PseudonymKey,
        codes: &SegmentsConfig,
        plan: &StudyPlan,
        head: &Head,
        model: &Sha256Digest,
        now: UnixSeconds,
    ) -> Result<Self> {
        let moment = jiff::Timestamp::from_second(now).context("this machine's clock shows no time")?;
        let digest = model.to_string();
        let digest = digest.strip_prefix("sha256:").unwrap_or(&digest);
        let segments = match &head.kind {
            HeadKind::Mask { classes } => classes.iter().map(|class| codes.segment(class)).collect(),
            _ => Vec::new(),
        };
        Ok(Self {
            key,
            algorithm: Algorithm {
                name: format!("{}, {}", plan.study, plan.network.architecture.code()),
                version: digest.to_owned(),
            },
            segments,
            call: format!("{digest} {now}"),
            date: moment.strftime("%Y%m%d").to_string(),
            time: moment.strftime("%H%M%S").to_string(),
            written: HashMap::new(),
        })
    }

    /// Writes `values`, the mask in the size of `radiograph` as it came.
    pub(super) fn write(
        &mut self,
        folder: &Path,
        radiograph: &Pseudonym,
        source: &Source,
        values: &[u8],
    ) -> Result<()> {
        let names = names(&self.key, radiograph, source, &self.call);
        let number = self.written.entry(names.series.clone()).or_default();
        *number += 1;
        let side = |pixels: u32| u16::try_from(pixels).context("a radiograph is larger than DICOM can say");
        let object = Segmentation {
            names: &names,
            algorithm: &self.algorithm,
            number: *number,
            source_class: source.class,
            source_lossy: source.lossy.as_deref(),
            rows: side(source.rows)?,
            columns: side(source.columns)?,
            values,
            segments: &self.segments,
            date: &self.date,
            time: &self.time,
        };
        let bytes = object.file().context("a mask cannot be written as DICOM")?;
        let path = folder.join(format!("{radiograph}.dcm"));
        files::write_private(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Keyed names: of patient, study, series and radiograph always the same, of what was drawn in each call other ones.
///
/// The store holds no UID of the hospital's, so these come from its pseudonyms, each kind with a word of its own before it.
fn names(key: &PseudonymKey, radiograph: &Pseudonym, source: &Source, call: &str) -> Names {
    Names {
        patient: standard::patient_id_of(&source.patient),
        study: key.uid(&format!("study {}", source.study)),
        source_series: key.uid(&format!("series {}", source.series)),
        source: key.uid(&format!("instance {radiograph}")),
        series: key.uid(&format!("segmentation series {} {call}", source.study)),
        instance: key.uid(&format!("segmentation {radiograph} {call}")),
        dimensions: key.uid(&format!("segmentation dimensions {radiograph} {call}")),
        device: key.uid("segmentation device"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use snowball_crypto::SiteSecret;
    use snowball_imaging::ObjectClass;

    use super::*;

    #[test]
    fn what_was_drawn_anew_has_a_new_name_and_what_it_was_drawn_on_keeps_its_own() {
        let key = SiteSecret::from_hex(&"07".repeat(32)).unwrap().project("snowball");
        let pseudonym = |number| Pseudonym::from_bytes([number; 32]);
        let source = |study, series| Source {
            patient: pseudonym(1),
            study: pseudonym(study),
            series: pseudonym(series),
            rows: 3,
            columns: 5,
            class: ObjectClass::DigitalPresentation,
            lossy: None,
        };
        let first = names(&key, &pseudonym(4), &source(2, 3), "model 1");
        let again = names(&key, &pseudonym(4), &source(2, 3), "model 2");
        assert_eq!((&first.study, &first.source), (&again.study, &again.source));
        assert!(first.series != again.series && first.instance != again.instance);
        assert_eq!(first.patient, pseudonym(1).to_string()[..20]);
        // One pseudonym in two places gives two names.
        let alike = names(&key, &pseudonym(2), &source(2, 2), "model 1");
        let all = [
            alike.study,
            alike.source_series,
            alike.source,
            alike.series,
            alike.instance,
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 5);
    }
}
