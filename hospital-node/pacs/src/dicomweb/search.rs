//! QIDO-RS: what of a day the server has (PS3.18 section 10.6).

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Web,
    client::{Refusal, plain},
};
use crate::{PacsError, classes::is_uid};

const PAGE: usize = 200;
/// Answers to one question.
const ANSWERS_MAX: usize = 100_000;
const PAGE_BYTES_MAX: usize = 32 << 20;
const JSON: &str = "application/dicom+json";

/// A series that the server has.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct WebSeries {
    study: String,
    series: String,
}

/// An instance that the server has.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Instance {
    series: WebSeries,
    uid: String,
}

impl Instance {
    /// Its SOP Instance UID: an identifier, to be hidden before it is kept anywhere.
    #[must_use]
    pub fn uid(&self) -> &str {
        &self.uid
    }

    pub(super) fn path(&self) -> String {
        format!(
            "/studies/{}/series/{}/instances/{}",
            self.series.study, self.series.series, self.uid
        )
    }
}

/// One answer in the JSON model (PS3.18 annex F), as far as it is used here.
type Answer = BTreeMap<String, Attribute>;

#[derive(Deserialize)]
struct Attribute {
    #[serde(rename = "Value", default)]
    value: Vec<Value>,
}

impl Web {
    /// The series of `modalities` in studies of `date`.
    ///
    /// # Errors
    /// When the server refuses, fails or has more answers than fit.
    pub async fn series_of(&self, date: Date, modalities: &BTreeSet<String>) -> Result<Vec<WebSeries>, PacsError> {
        let day = date.strftime("%Y%m%d");
        let mut studies = BTreeSet::new();
        // As with C-FIND: one question a modality, and what a server passes through is sorted out by series.
        for modality in modalities {
            let question = format!("/studies?StudyDate={day}&ModalitiesInStudy={modality}");
            self.answers(&question, "0020000D", |_, uid| {
                studies.insert(uid);
            })
            .await?;
        }
        let mut series = BTreeSet::new();
        for study in studies {
            let question = format!("/studies/{study}/series?includefield=00080060");
            self.answers(&question, "0020000E", |answer, uid| {
                if text(answer, "00080060").is_some_and(|modality| modalities.contains(modality)) {
                    series.insert(WebSeries {
                        study: study.clone(),
                        series: uid,
                    });
                }
            })
            .await?;
        }
        Ok(series.into_iter().collect())
    }

    /// The instances of a series.
    ///
    /// # Errors
    /// As [`series_of`](Self::series_of).
    pub async fn instances_of(&self, series: &WebSeries) -> Result<Vec<Instance>, PacsError> {
        let question = format!(
            "/studies/{}/series/{}/instances?includefield=00080018",
            series.study, series.series
        );
        let mut instances = Vec::new();
        self.answers(&question, "00080018", |_, uid| {
            instances.push(Instance {
                series: series.clone(),
                uid,
            });
        })
        .await?;
        Ok(instances)
    }

    /// Every answer to `question`, page by page, each once by the UID that it has under `key`.
    async fn answers(
        &self,
        question: &str,
        key: &str,
        mut found: impl FnMut(&Answer, String),
    ) -> Result<(), PacsError> {
        let mut seen = BTreeSet::new();
        let mut offset = 0;
        loop {
            let page = self.page(&format!("{question}&limit={PAGE}&offset={offset}")).await?;
            let mut is_news = false;
            for answer in &page {
                let Some(uid) = text(answer, key).filter(|uid| is_uid(uid)) else {
                    continue;
                };
                if seen.insert(uid.to_owned()) {
                    is_news = true;
                    found(answer, uid.to_owned());
                }
            }
            if seen.len() > ANSWERS_MAX {
                return Err(PacsError::TooMany { most: ANSWERS_MAX });
            }
            // A short page need not be the last: servers have limits of their own. One without news is, also on a
            // server that knows no pages and gives everything each time.
            if page.is_empty() || !is_news {
                return Ok(());
            }
            offset += page.len();
        }
    }

    async fn page(&self, path: &str) -> Result<Vec<Answer>, PacsError> {
        let mut tried = 0;
        loop {
            tried += 1;
            let refusal = match self.page_once(path).await {
                Ok(page) => return Ok(page),
                Err(refusal) => refusal,
            };
            let what = match refusal {
                // Some servers answer a question without answers so.
                Refusal::Gone if path.starts_with("/studies/") => return Ok(Vec::new()),
                Refusal::Gone => "there is no QIDO-RS below --url; the root of the service is needed".to_owned(),
                Refusal::NotAcceptable => "the server does not understand our query".to_owned(),
                Refusal::Fatal(fault) => return Err(fault),
                Refusal::Later { after, .. } if self.tries_again(tried, after) => {
                    self.pause(tried, after).await;
                    continue;
                }
                Refusal::Later { what, .. } => what,
            };
            return Err(PacsError::Web { what });
        }
    }

    async fn page_once(&self, path: &str) -> Result<Vec<Answer>, Refusal> {
        let mut response = self.get(path, JSON).await?;
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|fault| Refusal::Later {
            what: plain(&fault),
            after: None,
        })? {
            if body.len() + piece.len() > PAGE_BYTES_MAX {
                return Err(Refusal::Fatal(PacsError::Web {
                    what: "a page of answers is longer than 32 MiB".to_owned(),
                }));
            }
            body.extend_from_slice(&piece);
            self.throttle.passed(piece.len()).await;
        }
        // No content: no answers.
        if body.is_empty() {
            return Ok(Vec::new());
        }
        serde_json::from_slice(&body).map_err(|_| {
            Refusal::Fatal(PacsError::Web {
                what: "an answer is not DICOM JSON".to_owned(),
            })
        })
    }
}

fn text<'a>(answer: &'a Answer, tag: &str) -> Option<&'a str> {
    answer.get(tag)?.value.first()?.as_str().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read() {
        let page: Vec<Answer> = serde_json::from_str(
            r#"[{"00080060":{"vr":"CS","Value":["DX"]},"0020000E":{"vr":"UI","Value":["1.2"]},"00100010":{"vr":"PN"},
                "00201209":{"vr":"IS","Value":[3]}}]"#,
        )
        .unwrap();
        assert_eq!(text(&page[0], "00080060"), Some("DX"));
        assert_eq!(text(&page[0], "00100010"), None);
        assert_eq!(text(&page[0], "00201209"), None, "a number is no text");
    }
}
