//! Which page lies where, and what each wish does. Whatever reads the disk does so on a thread of its own.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::{
    Router,
    extract::{Path, Query, State},
    routing::get,
};
use serde::Deserialize;
use snowball_dashboard::{About, Actor, Done, Reader, RoleName, View};
use snowball_protocol::{Sha256Digest, ids::UnixSeconds};
use snowball_service::clock;
use snowball_web::{Html, Language, Message, Page, Route, messages};

use super::{
    census,
    desk::Desk,
    intake, left, overview,
    policy::{self, Pasted},
    quarantine::{self, Decision, Item},
    studies, training,
};
use crate::{
    cli::{Refused, words},
    plans,
    policy::{ethics_key, install::Offered},
    preview::Standing,
    withheld,
};

messages! {
    READER = "reader", "lecture seule";
    OPERATOR = "operator", "opérateur";
    WHO = "Say who decides, in one line.", "Indiquez qui décide, en une ligne.";
    REASON = "Give the reason in one line of up to 400 characters.", "Donnez le motif en une ligne de 400 caractères au plus.";
    NOT_PASTED = "Paste both the policy and its signature.", "Collez la politique et sa signature.";
}

/// What the dashboard is called, and its pages.
pub fn about(site: &str) -> About {
    let page = |name: &str, title: Message| (Route::of([name]), title);
    About {
        name: format!("Snowball · {site}"),
        reads: RoleName {
            word: "reader",
            title: READER,
        },
        acts: RoleName {
            word: "operator",
            title: OPERATOR,
        },
        navigation: vec![
            (Route::root(), overview::TITLE),
            page("intake", intake::TITLE),
            page("quarantine", quarantine::TITLE),
            page("census", census::TITLE),
            page("policy", policy::TITLE),
            page("studies", studies::TITLE),
            page("training", training::TITLE),
            page("left", left::TITLE),
        ],
        ticket_command: "hospital-node dashboard link",
    }
}

type Shared = Arc<Desk>;

/// Every page.
pub fn pages(desk: Shared) -> Router {
    Router::new()
        .route("/", get(show_overview))
        .route("/intake", get(show_intake))
        .route("/quarantine", get(show_quarantine))
        .route("/quarantine/{digest}", get(show_item))
        .route("/quarantine/{digest}/look", get(show_item).post(show_look))
        .route("/quarantine/{digest}/release", get(ask_release).post(release))
        .route("/quarantine/{digest}/discard", get(ask_discard).post(discard))
        .route("/census", get(show_census))
        .route("/policy", get(show_policy))
        .route("/policy/install", get(ask_policy).post(install_policy))
        .route("/policy/check", axum::routing::post(check_policy))
        .route("/studies", get(show_studies))
        .route("/studies/{digest}", get(show_study))
        .route("/studies/{digest}/decline", get(ask_decline).post(decline))
        .route("/studies/{digest}/reconsider", get(ask_reconsider).post(reconsider))
        .route("/training", get(show_training))
        .route("/left", get(show_left))
        .with_state(desk)
}

/// Reads on a thread that may wait for the disk.
async fn read<T: Send + 'static>(desk: Shared, read: impl FnOnce(&Desk) -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(move || read(&desk))
        .await
        .context("reading the node broke off")?
}

/// A page of what `look` finds, written by `fill`.
async fn shown<T: Send + 'static>(
    reader: Reader,
    desk: Shared,
    title: Html,
    look: impl FnOnce(&Desk, UnixSeconds) -> Result<T> + Send + 'static,
    fill: impl FnOnce(&mut Page, &T),
) -> View {
    match read(desk, |desk| look(desk, clock::now())).await {
        Err(fault) => reader.failed(&fault),
        Ok(model) => {
            let mut page = reader.page(title);
            fill(&mut page, &model);
            reader.show(page)
        }
    }
}

async fn show_overview(reader: Reader, State(desk): State<Shared>) -> View {
    let title = overview::TITLE.html(reader.language());
    shown(reader, desk, title, overview::Model::read, overview::fill).await
}

async fn show_intake(reader: Reader, State(desk): State<Shared>) -> View {
    let title = intake::TITLE.html(reader.language());
    shown(reader, desk, title, intake::Model::read, intake::fill).await
}

async fn show_census(reader: Reader, State(desk): State<Shared>) -> View {
    let title = census::TITLE.html(reader.language());
    shown(reader, desk, title, |desk, _| census::Model::read(desk), census::fill).await
}

async fn show_training(reader: Reader, State(desk): State<Shared>) -> View {
    let title = training::TITLE.html(reader.language());
    shown(reader, desk, title, training::Model::read, training::fill).await
}

async fn show_left(reader: Reader, State(desk): State<Shared>) -> View {
    let title = left::TITLE.html(reader.language());
    shown(reader, desk, title, left::Model::read, left::fill).await
}

async fn show_quarantine(reader: Reader, State(desk): State<Shared>) -> View {
    let title = quarantine::TITLE.html(reader.language());
    shown(reader, desk, title, quarantine::Model::read, quarantine::fill).await
}

/// What a page needs of one file, or the answer where there is none.
async fn item(reader: &Reader, desk: &Shared, digest: Sha256Digest) -> Result<Item, View> {
    match read(Arc::clone(desk), move |desk| Item::read(desk, &digest)).await {
        Ok(Some(item)) => Ok(item),
        Ok(None) => Err(reader.missing()),
        Err(fault) => Err(reader.failed(&fault)),
    }
}

async fn show_item(reader: Reader, State(desk): State<Shared>, Path(digest): Path<Sha256Digest>) -> Result<View, View> {
    let item = item(&reader, &desk, digest).await?;
    let mut page = reader.page(quarantine::titled(quarantine::ITEM, &digest, reader.language()));
    quarantine::fill_item(&mut page, &item, reader.may_act());
    Ok(reader.show(page))
}

/// The one page with something of a patient: for whoever may decide, made anew each time, kept nowhere. It is the answer to a button and
/// has no address of its own: no reload, no link of another page and no look ahead of a browser writes down that somebody looked.
async fn show_look(State(desk): State<Shared>, Path(digest): Path<Sha256Digest>, actor: Actor) -> Result<View, View> {
    let account = account(&actor);
    let looked = read(desk, move |desk| {
        let Some(item) = Item::read(desk, &digest)? else {
            return Ok(None);
        };
        let looked = crate::quarantine::picture(&desk.home, &desk.config, &desk.store, &digest, account)?;
        Ok(Some((item, looked)))
    });
    let looked = looked.await.map_err(|fault| not_done(&actor, &fault))?;
    let (item, looked) = looked.ok_or_else(|| actor.refused(quarantine::GONE.html(actor.language())))?;
    let mut page = actor.page(quarantine::titled(quarantine::PICTURE, &digest, actor.language()));
    quarantine::fill_look(&mut page, &item, &looked);
    Ok(actor.show(page))
}

async fn ask_release(reader: Reader, state: State<Shared>, path: Path<Sha256Digest>) -> Result<View, View> {
    ask_decision(reader, state, path, Decision::Release).await
}

async fn ask_discard(reader: Reader, state: State<Shared>, path: Path<Sha256Digest>) -> Result<View, View> {
    ask_decision(reader, state, path, Decision::Discard).await
}

async fn ask_decision(
    reader: Reader,
    State(desk): State<Shared>,
    Path(digest): Path<Sha256Digest>,
    decision: Decision,
) -> Result<View, View> {
    let item = item(&reader, &desk, digest).await?;
    let (Some(token), Some(_)) = (reader.may_act(), item.waits()) else {
        return Err(reader.missing());
    };
    let title = match decision {
        Decision::Release => quarantine::CONFIRM_RELEASE,
        Decision::Discard => quarantine::CONFIRM_DISCARD,
    };
    let mut page = reader.page(quarantine::titled(title, &digest, reader.language()));
    quarantine::fill_confirmation(&mut page, &item, decision, token, &reader.name());
    Ok(reader.show(page))
}

/// Who decides and why, for the record; the command line takes the same.
fn decided(actor: &Actor) -> Result<(String, String), View> {
    let who = actor.fields().text(quarantine::REVIEWER_FIELD_NAME).unwrap_or_default();
    let who = words::checked("", who).map_err(|_| actor.refused(WHO.html(actor.language())))?;
    let why = actor.reason()?.split_whitespace().collect::<Vec<_>>().join(" ");
    let why = words::checked("", &why).map_err(|_| actor.refused(REASON.html(actor.language())))?;
    Ok((who, why))
}

/// The account for the record: who signed in, and as whom the program works.
fn account(actor: &Actor) -> String {
    format!("{} ({})", actor.name(), words::account())
}

/// What was refused for a reason that the reader may act on.
fn refusal(fault: &anyhow::Error) -> Option<String> {
    fault.downcast_ref::<Refused>().map(|refused| refused.0.clone())
}

/// The answer to a wish that was not fulfilled.
fn not_done(actor: &Actor, fault: &anyhow::Error) -> View {
    match refusal(fault) {
        Some(why) => actor.refused(Html::text(&why)),
        None => actor.failed(fault),
    }
}

async fn release(State(desk): State<Shared>, Path(digest): Path<Sha256Digest>, actor: Actor) -> Result<Done, View> {
    let (who, why) = decided(&actor)?;
    let account = account(&actor);
    let done = read(desk, move |desk| {
        crate::quarantine::release(&desk.home, &desk.config, &desk.store, &digest, account, (who, why))
    });
    done.await.map_err(|fault| not_done(&actor, &fault))?;
    let told = quarantine::titled(quarantine::DONE_RELEASED, &digest, actor.language());
    Ok(actor.done(&Route::of(["quarantine"]), told))
}

async fn discard(State(desk): State<Shared>, Path(digest): Path<Sha256Digest>, actor: Actor) -> Result<Done, View> {
    let (who, why) = decided(&actor)?;
    let account = account(&actor);
    let done = read(desk, move |desk| {
        let words = crate::quarantine::Words {
            reviewer: Some(who),
            reason: Some(why),
        };
        crate::quarantine::discard(&desk.home, &desk.config, &desk.store, &digest, account, words)
    });
    done.await.map_err(|fault| not_done(&actor, &fault))?;
    let told = quarantine::titled(quarantine::DONE_DISCARDED, &digest, actor.language());
    Ok(actor.done(&Route::of(["quarantine"]), told))
}

async fn show_policy(reader: Reader, State(desk): State<Shared>) -> View {
    let title = policy::TITLE.html(reader.language());
    let token = reader.may_act().cloned();
    let look = |desk: &Desk, now| Ok(policy::Model::read(desk, now));
    shown(reader, desk, title, look, |page, model| {
        policy::fill(page, model, token.as_ref())
    })
    .await
}

#[derive(Deserialize)]
struct Asked {
    plan: Option<Sha256Digest>,
}

async fn ask_policy(reader: Reader, State(desk): State<Shared>, Query(asked): Query<Asked>) -> Result<View, View> {
    let Some(token) = reader.may_act() else {
        return Err(reader.missing());
    };
    let mut page = reader.page(policy::INSTALL.html(reader.language()));
    policy::fill_install(&mut page, token, asked.plan.as_ref(), ethics_key(&desk.home).is_none());
    Ok(reader.show(page))
}

fn pasted(actor: &Actor) -> Result<Pasted, View> {
    let fields = actor.fields();
    let (Some(file), Some(signature)) = (
        fields.lines(policy::FILE_FIELD).filter(|file| !file.trim().is_empty()),
        fields
            .lines(policy::SIGNATURE_FIELD)
            .filter(|signature| !signature.trim().is_empty()),
    ) else {
        return Err(actor.refused(NOT_PASTED.html(actor.language())));
    };
    Ok(Pasted {
        file,
        signature: signature.trim().to_owned(),
        key: fields.text(policy::KEY_FIELD).map(str::to_owned),
        plan: fields.text(policy::PLAN_FIELD).and_then(|plan| plan.parse().ok()),
    })
}

/// The policy that was pasted, looked at: nothing is changed.
fn offered(desk: &Desk, pasted: &Pasted) -> Result<Offered> {
    let key = pasted.verifying_key().map_err(|fault| Refused(fault.to_string()))?;
    let look = |file: &str| {
        let signature = format!("{}\n", pasted.signature);
        Offered::look(
            &desk.home,
            &desk.config,
            file.as_bytes().to_vec(),
            Some(signature),
            key,
            None,
        )
    };
    // Whoever copies a file in a window may lose the end of its last line, or bring one.
    let file = pasted.file.trim_end_matches('\n');
    look(&pasted.file).or_else(|first| look(&format!("{file}\n")).or_else(|_| look(file)).map_err(|_| first))
}

async fn check_policy(State(desk): State<Shared>, actor: Actor) -> Result<View, View> {
    let pasted = Arc::new(pasted(&actor)?);
    let (language, given) = (actor.language(), Arc::clone(&pasted));
    let looked = read(desk, move |desk| {
        let signed = offered(desk, &given)?.signed().clone();
        desk.keep_pasted(signed.digest, Arc::clone(&given));
        let plan = given.plan.and_then(|digest| plans::read(&desk.home, &digest).ok());
        let records = &desk.ledger().records;
        let plan = plan.map(|plan| {
            let standing = studies::ask(desk, &plan, Ok(&signed), records, clock::now());
            let answer = obstacle(&standing, language);
            (plan, answer)
        });
        let key = match ethics_key(&desk.home) {
            Some(key) => Some(key),
            None => given.verifying_key()?,
        };
        Ok((signed, desk.policy().ok(), key, plan))
    });
    let (signed, before, key, plan) = looked.await.map_err(|fault| not_done(&actor, &fault))?;
    let mut page = actor.page(policy::CHECKED.html(language));
    let checked = policy::Checked {
        signed: &signed,
        before: before.as_ref(),
        key: key.as_ref(),
        plan,
    };
    policy::fill_checked(&mut page, &checked, actor.token());
    Ok(actor.show(page))
}

fn obstacle(standing: &Standing, language: Language) -> Result<(), String> {
    let Some(answer) = standing.obstacle() else {
        return Ok(());
    };
    Err(match (language, &answer.why_in_french) {
        (Language::French, Some((reason, _))) => reason.clone(),
        _ => answer.reason.clone().unwrap_or_default(),
    })
}

async fn install_policy(State(desk): State<Shared>, actor: Actor) -> Result<Done, View> {
    let offer = actor
        .fields()
        .text(policy::OFFER_FIELD)
        .and_then(|digest| digest.parse().ok());
    let pasted = offer.and_then(|digest| desk.pasted(&digest));
    let pasted = pasted.ok_or_else(|| actor.refused(policy::GONE.html(actor.language())))?;
    let typed = actor.fields().text(policy::DIGEST_FIELD).unwrap_or_default().to_owned();
    let plan = pasted.plan;
    let installed = read(desk, move |desk| {
        let offered = offered(desk, &pasted)?;
        if !policy::is_typed(&typed, &offered.signed().digest) {
            return Ok(None);
        }
        Ok(Some(offered.put_in_force(&desk.home, &desk.config)?.digest))
    });
    match installed.await.map_err(|fault| not_done(&actor, &fault))? {
        None => Err(actor.refused(policy::WRONG_DIGEST.html(actor.language()))),
        Some(digest) => {
            let there = plan.map_or_else(|| Route::of(["policy"]), |plan| studies::route(&plan));
            let digest = Html::code(&digest.short());
            Ok(actor.done(&there, policy::DONE.say(actor.language(), &[("digest", digest)])))
        }
    }
}

async fn show_studies(reader: Reader, State(desk): State<Shared>) -> View {
    let title = studies::TITLE.html(reader.language());
    shown(reader, desk, title, studies::known, |page, known| {
        studies::fill(page, known)
    })
    .await
}

async fn show_study(
    reader: Reader,
    State(desk): State<Shared>,
    Path(digest): Path<Sha256Digest>,
) -> Result<View, View> {
    let looked = read(desk, |desk| Ok((studies::known(desk, clock::now())?, desk.ledger())));
    let (known, ledger) = looked.await.map_err(|fault| reader.failed(&fault))?;
    let one = known
        .iter()
        .find(|one| one.plan.digest() == digest)
        .ok_or_else(|| reader.missing())?;
    let mut page = reader.page(Html::text(one.plan.study.as_str()));
    let compared = studies::compared(&ledger.records, &known, &one.plan);
    studies::fill_item(&mut page, one, compared, reader.may_act());
    Ok(reader.show(page))
}

async fn ask_decline(reader: Reader, state: State<Shared>, path: Path<Sha256Digest>) -> Result<View, View> {
    ask_withheld(reader, state, path, true).await
}

async fn ask_reconsider(reader: Reader, state: State<Shared>, path: Path<Sha256Digest>) -> Result<View, View> {
    ask_withheld(reader, state, path, false).await
}

async fn ask_withheld(
    reader: Reader,
    State(desk): State<Shared>,
    Path(digest): Path<Sha256Digest>,
    withheld: bool,
) -> Result<View, View> {
    let plan = read(desk, move |desk| {
        let is_so = withheld::is(&desk.home, &digest) == withheld;
        Ok((!is_so).then(|| plans::read(&desk.home, &digest).ok()).flatten())
    });
    let plan = plan.await.map_err(|fault| reader.failed(&fault))?;
    let (Some(token), Some(plan)) = (reader.may_act(), plan) else {
        return Err(reader.missing());
    };
    let title = if withheld {
        studies::CONFIRM_DECLINE
    } else {
        studies::CONFIRM_RECONSIDER
    };
    let study = Html::text(plan.study.as_str());
    let mut page = reader.page(title.say(reader.language(), &[("study", study)]));
    studies::fill_confirmation(&mut page, &plan, withheld, token, &reader.name());
    Ok(reader.show(page))
}

async fn decline(state: State<Shared>, path: Path<Sha256Digest>, actor: Actor) -> Result<Done, View> {
    withhold(actor, state, path, true).await
}

async fn reconsider(state: State<Shared>, path: Path<Sha256Digest>, actor: Actor) -> Result<Done, View> {
    withhold(actor, state, path, false).await
}

async fn withhold(
    actor: Actor,
    State(desk): State<Shared>,
    Path(digest): Path<Sha256Digest>,
    withheld: bool,
) -> Result<Done, View> {
    let (who, why) = decided(&actor)?;
    let account = account(&actor);
    let study = read(desk, move |desk| {
        let plan = plans::read(&desk.home, &digest)?;
        withheld::decide(&desk.home, &desk.config, &plan, withheld, (who, why, account))?;
        Ok(plan.study)
    });
    let study = study.await.map_err(|fault| not_done(&actor, &fault))?;
    let done = if withheld {
        studies::DONE_DECLINED
    } else {
        studies::DONE_RECONSIDERED
    };
    let told = done.say(actor.language(), &[("study", Html::text(study.as_str()))]);
    Ok(actor.done(&studies::route(&digest), told))
}
