//! `POST /v1/heads`: a site's signed head for the aggregator's, each kept by the other side.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Json, extract::State};
use snowball_crypto::VerifyingKey;
use snowball_ledger::{AGGREGATOR, Course, Entry, SignedHead};
use snowball_protocol::{
    Problem, ProblemCode, SiteName,
    heads::{HeadsAnswer, HeadsOffer},
    ids::UnixSeconds,
};
use snowball_registry::{KeptHead, Site as Enrolled};
use snowball_service::clock;
use tokio::sync::OwnedMutexGuard;

use super::{
    document::Document,
    guard::Site,
    refusal::{Answer, Refusal},
};
use crate::state::{App, Shared};

/// One turn for each site: two heads of one site must not both be compared with the same one before. Other sites go on meanwhile,
/// and share the ledger's syncs. A site is here from its first head on: there are as many as were ever enrolled.
#[derive(Default)]
pub struct Heads(Mutex<HashMap<SiteName, Arc<tokio::sync::Mutex<()>>>>);

impl Heads {
    async fn turn(&self, site: &SiteName) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(site.clone()).or_default())
        };
        turn.lock_owned().await
    }
}

/// Keeps the site's head, countersigned, in the ledger before it answers.
pub async fn exchange(
    State(app): State<Shared>,
    Site(site): Site,
    Document(offer): Document<HeadsOffer>,
) -> Answer<Json<HeadsAnswer>> {
    let _turn = app.heads.turn(&site).await;
    let enrolled = app.core.registry.site(&site).await.map_err(Problem::from)?;
    let enrolled = enrolled.ok_or_else(|| Refusal::new(ProblemCode::NotFound, "this site is not enrolled"))?;
    let shown = read(&site, &enrolled, &offer.site_head)?;
    let now = clock::now();
    let kept = match &enrolled.head {
        Some(kept) => Some((kept, verified(&enrolled, &kept.note)?)),
        None => None,
    };
    match kept.as_ref().map(|(_, before)| shown.head.course(&before.head)) {
        Some(Course::Same) => {}
        Some(course) if course.refusal().is_some() => {
            let before = kept.map_or(0, |(_, before)| before.head.entries);
            return Err(refuse(&app, &site, &enrolled, &shown, course, before, now).await);
        }
        _ => return keep(&app, &site, &shown, now).await.map(Json),
    }
    // The same head again, after an answer that was lost: nothing new to write down.
    let note = kept.map_or(offer.site_head, |(kept, _)| kept.note.clone());
    answer(&app, note, now, Vec::new()).await.map(Json)
}

/// The ledger first, then the database, which takes it from there after a crash in between.
async fn keep(app: &App, site: &SiteName, shown: &SignedHead, now: UnixSeconds) -> Answer<HeadsAnswer> {
    let note = shown.cosigned(AGGREGATOR, &app.core.key, now).note;
    let entry = Entry::SiteHeadKept {
        site: site.clone(),
        head: note.clone(),
    };
    let answered = answer(app, note.clone(), now, vec![entry]).await?;
    let kept = KeptHead {
        entries: shown.head.entries,
        hash: shown.head.hash,
        note,
    };
    app.core.registry.keep_head(site, &kept).await.map_err(Problem::from)?;
    Ok(answered)
}

async fn answer(app: &App, site_head: String, now: UnixSeconds, entries: Vec<Entry>) -> Answer<HeadsAnswer> {
    let own = app.core.journal.write_for_head(now, entries).await;
    let own = own.map_err(|fault| Refusal::internal("writing the ledger", &fault))?;
    Ok(HeadsAnswer {
        site_head,
        aggregator_head: own.note,
    })
}

/// The refusal, recorded with its evidence once, however often the same head comes again.
async fn refuse(
    app: &App,
    site: &SiteName,
    enrolled: &Enrolled,
    shown: &SignedHead,
    course: Course,
    before: u64,
    now: UnixSeconds,
) -> Refusal {
    let code = course.refusal().unwrap_or(ProblemCode::LedgerForked);
    let reason = match course {
        Course::Rewound => format!(
            "the ledger of {site} has {} records, and a signed head of {before} was kept",
            shown.head.entries
        ),
        _ => format!("the ledger of {site} has {before} records as the head that was kept, and another last one"),
    };
    if enrolled.head_refused != Some(shown.head.hash) {
        let entry = Entry::HeadRefused {
            owner: site.to_string(),
            head: shown.note.clone(),
            code,
        };
        app.core.record(now, vec![entry]).await;
        tracing::error!(%site, reason, "a site's ledger contradicts the head that was kept");
        if let Err(error) = app.core.registry.note_refused_head(site, shown.head.hash).await {
            tracing::error!(%error, "a refused head could not be noted");
        }
    }
    Refusal::new(code, reason)
}

/// What the site shows, once its enrolled key signed it for its own ledger.
fn read(site: &SiteName, enrolled: &Enrolled, note: &str) -> Answer<SignedHead> {
    let malformed = |reason: String| {
        Refusal(
            Problem::new(ProblemCode::Malformed, reason)
                .with_remedy("enrol again if the ledger's key was made anew; else report this"),
        )
    };
    let shown = SignedHead::read(note, &key(enrolled)?).map_err(|fault| malformed(fault.to_string()))?;
    if shown.head.owner != site.as_str() {
        return Err(malformed(format!("the head is not of the ledger of {site}")));
    }
    Ok(shown)
}

fn verified(enrolled: &Enrolled, note: &str) -> Answer<SignedHead> {
    SignedHead::read(note, &key(enrolled)?).map_err(|fault| Refusal::internal("reading the head that was kept", &fault))
}

fn key(enrolled: &Enrolled) -> Answer<VerifyingKey> {
    enrolled
        .ledger_key
        .parse()
        .map_err(|_| Refusal::new(ProblemCode::Internal, "the site's ledger key does not parse"))
}
