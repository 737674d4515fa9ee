//! WADO-RS: one instance from the server to the spool (PS3.18 section 10.4).

use futures_util::{StreamExt as _, stream};
use reqwest::{Response, header};

use super::{
    Instance, Web,
    client::{Refusal, plain},
    multipart::{Event, Fault, Multipart, boundary},
};
use crate::{
    PacsError,
    spool::{Arriving, Name, Spool},
};

/// As it is stored, so that nothing is compressed anew; a server that cannot say so gives what it likes.
const AS_STORED: &str = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";
const ANY: &str = "multipart/related; type=\"application/dicom\"";

/// What became of one instance.
#[derive(Debug)]
pub enum Fetched {
    /// It is durable in the spool.
    Kept,
    /// The server has it no more.
    Gone,
    /// It could not be had; another run tries again.
    Failed(PacsError),
}

impl Web {
    /// Fetches instances into `spool`, some at once, each under its name. One that fails does not stop the others.
    ///
    /// # Errors
    /// When nothing will come of any request: no rights, no room on disk.
    pub async fn fetch_all(
        &self,
        wanted: &[(Name, Instance)],
        spool: &Spool,
        object_bytes_max: u64,
    ) -> Result<Vec<Fetched>, PacsError> {
        let mut outcomes = stream::iter(wanted)
            .map(|(name, instance)| self.fetch(instance, *name, spool, object_bytes_max))
            .buffer_unordered(self.requests_max);
        let mut fetched = Vec::with_capacity(wanted.len());
        while let Some(outcome) = outcomes.next().await {
            fetched.push(outcome?);
        }
        Ok(fetched)
    }

    async fn fetch(
        &self,
        instance: &Instance,
        name: Name,
        spool: &Spool,
        object_bytes_max: u64,
    ) -> Result<Fetched, PacsError> {
        let (mut accept, mut tried) = (AS_STORED, 0);
        loop {
            tried += 1;
            let outcome = match self.get(&instance.path(), accept).await {
                Ok(response) => self.keep(response, name, spool, object_bytes_max).await,
                Err(refusal) => Err(refusal),
            };
            match outcome {
                Ok(()) => return Ok(Fetched::Kept),
                Err(Refusal::Gone) => return Ok(Fetched::Gone),
                Err(Refusal::NotAcceptable) if accept == AS_STORED => accept = ANY,
                Err(Refusal::NotAcceptable) => {
                    let what = "the server does not give DICOM files".to_owned();
                    return Ok(Fetched::Failed(PacsError::Web { what }));
                }
                // What is too large, or a body of the wrong kind, stays so.
                Err(Refusal::Fatal(fault @ (PacsError::ObjectTooLarge { .. } | PacsError::Web { .. }))) => {
                    return Ok(Fetched::Failed(fault));
                }
                Err(Refusal::Fatal(fault)) => return Err(fault),
                Err(Refusal::Later { after, .. }) if self.tries_again(tried, after) => self.pause(tried, after).await,
                Err(Refusal::Later { what, .. }) => return Ok(Fetched::Failed(PacsError::Web { what })),
            }
        }
    }

    async fn keep(
        &self,
        mut response: Response,
        name: Name,
        spool: &Spool,
        object_bytes_max: u64,
    ) -> Result<(), Refusal> {
        let content_type = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let mut body = Body::of(&content_type)?;
        let mut object = spool.begin(name, object_bytes_max).map_err(Refusal::Fatal)?;
        while let Some(piece) = response.chunk().await.map_err(|fault| Refusal::Later {
            what: plain(&fault),
            after: None,
        })? {
            body.feed(&piece, &mut object)?;
            self.throttle.passed(piece.len()).await;
        }
        body.finish()?;
        object.keep().map_err(Refusal::Fatal)
    }
}

/// A body with one object in it: bare, or as the one part of a multipart.
enum Body {
    Bare,
    Parts { multipart: Multipart, parts: u32 },
}

impl Body {
    fn of(content_type: &str) -> Result<Self, Refusal> {
        if let Some(boundary) = boundary(content_type) {
            return Ok(Self::Parts {
                multipart: Multipart::new(&boundary),
                parts: 0,
            });
        }
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/dicom") {
            return Ok(Self::Bare);
        }
        Err(web("the body is neither multipart/related nor application/dicom"))
    }

    fn feed(&mut self, piece: &[u8], object: &mut Arriving<'_>) -> Result<(), Refusal> {
        match self {
            Self::Bare => object.write(piece).map_err(Refusal::Fatal),
            Self::Parts { multipart, parts } => multipart.feed(piece, &mut |event| match event {
                Event::Part => {
                    *parts += 1;
                    if *parts > 1 {
                        return Err(web("more than one object came for one instance"));
                    }
                    Ok(())
                }
                Event::Data(bytes) => object.write(bytes).map_err(Refusal::Fatal),
                Event::End => Ok(()),
            }),
        }
    }

    fn finish(&self) -> Result<(), Refusal> {
        match self {
            Self::Bare => Ok(()),
            Self::Parts { multipart, parts } => {
                multipart.finish()?;
                if *parts == 0 {
                    return Err(web("the body holds no object"));
                }
                Ok(())
            }
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::HeaderTooLong => web("a part's header is longer than 8 KiB"),
            Fault::Cut => Self::Later {
                what: "the body ends before its last boundary".to_owned(),
                after: None,
            },
        }
    }
}

fn web(what: &str) -> Refusal {
    Refusal::Fatal(PacsError::Web { what: what.to_owned() })
}
