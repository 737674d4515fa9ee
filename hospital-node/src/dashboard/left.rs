//! What left the hospital and when, out of the ledger, in which each thing stood before its first byte left.

use std::collections::BTreeMap;

use anyhow::Result;
use snowball_egress::Budget;
use snowball_ledger::{Entry, Record};
use snowball_policy::PrivacyMechanism;
use snowball_protocol::{RoundNumber, Sha256Digest, StudyName, ids::UnixSeconds};
use snowball_web::{Bar, Bars, Column, Html, Language, Message, Page, Table, ago, messages, size};

use super::desk::{Desk, last};
use crate::auditor::{
    self,
    history::{Left, ReceiptTold, Round},
    words,
};

/// Departures on the page; the ledger has them all.
const ROWS: usize = 200;
/// Months on the plot.
const MONTHS: usize = 24;

messages! {
    TITLE = "What left", "Sorties";
    LEAD = "Each thing that left this hospital stood in the ledger before its first byte was sent. No radiograph and no header is among them.", "Chaque élément sorti de cet hôpital figurait au registre avant l’envoi de son premier octet. Aucune radiographie ni aucun en-tête n’en fait partie.";
    TILE_ALL = "left in all", "sortis en tout";
    TILE_DAY = "left in the last 24 hours", "sortis ces dernières 24 heures";
    TILE_ROUNDS = "rounds of all studies", "tours de toutes les études";
    TILE_DENIED = "times the policy said no", "refus de la politique";
    LEDGER = "The ledger", "Le registre";
    CHAIN = "chain and signatures", "chaîne et signatures";
    SOUND = "sound: {count} entries; checked {when}", "intactes : {count} inscriptions ; vérifiées {when}";
    BROKEN = "do not verify: {fault}", "vérification échouée : {fault}";
    HEAD = "head", "tête";
    KEPT_BY_OTHERS = "head last kept by the aggregator", "tête conservée en dernier par l’agrégateur";
    NEVER = "not yet", "pas encore";
    UNSEEN = "in archives elsewhere", "dans des archives ailleurs";
    ENTRIES = "{count} entries", "{count} inscriptions";
    PRIVACY = "Limits and privacy", "Limites et confidentialité";
    NOISE = "noise added to updates", "bruit ajouté aux mises à jour";
    NOISE_NONE = "none: the policy asks for none, and no privacy budget is spent by it", "aucun : la politique n’en demande pas, et aucun budget de confidentialité n’est dépensé";
    NOISE_ASKED = "the policy asks for it; this version cannot add it, so nothing is trained", "la politique en demande ; cette version ne sait pas l’ajouter, donc rien n’est entraîné";
    SPENT_ROUNDS = "rounds of all studies, ever", "tours de toutes les études, depuis toujours";
    SPENT_DAY = "bytes in 24 hours", "octets en 24 heures";
    OF = "{spent} of {most}", "{spent} sur {most}";
    NO_POLICY = "no policy is in force: nothing leaves", "aucune politique en vigueur : rien ne sort";
    MONTHLY = "Bytes by month", "Octets par mois";
    UPDATES = "updates", "mises à jour";
    REQUESTS = "other requests", "autres requêtes";
    EACH = "Each departure, the newest first", "Chaque sortie, de la plus récente à la plus ancienne";
    EACH_SAYS = "The newest {count}; `hospital-node ledger show` tells them all.", "Les {count} plus récentes ; `hospital-node ledger show` les donne toutes.";
    NOTHING = "Nothing has left this hospital.", "Rien n’est sorti de cet hôpital.";
    WHEN = "when", "quand";
    WHAT = "what", "quoi";
    SIZE = "size", "taille";
    DIGEST = "digest", "empreinte";
    RECEIPT = "receipt", "reçu";
    ENTRY = "entry", "inscription";
    UPDATE_OF = "update of {study}, round {round}", "mise à jour de {study}, tour {round}";
    METRICS_OF = "measurements of {study}, round {round}", "mesures de {study}, tour {round}";
    METRICS_FINAL = "measurements of {study}, the final model", "mesures de {study}, le modèle final";
    WITHIN = "within a request", "dans une requête";
}

/// One thing that left.
pub struct Departure {
    index: u64,
    time: UnixSeconds,
    what: What,
    digest: Sha256Digest,
    bytes: u64,
}

enum What {
    Update(StudyName, RoundNumber),
    Metrics(StudyName, Option<RoundNumber>),
    Request(String),
}

/// What the policy permits, and what of it is spent.
pub struct Limits {
    noise: bool,
    rounds: (u32, u32),
    day: (u64, u64),
}

/// What the page shows.
pub struct Model {
    now: UnixSeconds,
    ledger: Result<(u64, Sha256Digest), String>,
    verified_at: UnixSeconds,
    unseen: u64,
    heads_kept: Option<UnixSeconds>,
    history: auditor::History<u64>,
    departures: Vec<Departure>,
    limits: Option<Limits>,
    day_bytes: u64,
}

impl Model {
    pub fn read(desk: &Desk, now: UnixSeconds) -> Result<Self> {
        let ledger = desk.ledger();
        let key = desk.home.aggregator().ok().map(|aggregator| aggregator.aggregator_key);
        let mut history = auditor::History::default();
        for record in &ledger.records {
            history.add(record, auditor::Period::default(), &|receipt| {
                auditor::is_signed(receipt, key.as_ref())
            });
        }
        // The bytes of all studies do not depend on which one is asked about.
        let spent =
            ledger_study(&ledger.records).map(|study| Budget::of(&ledger.records).spent(study, None, None, now));
        let spent = spent.unwrap_or_default();
        let limits = desk.policy().ok().map(|signed| Limits {
            noise: !matches!(signed.policy.privacy_mechanism(), PrivacyMechanism::None),
            rounds: (spent.rounds_all_studies, signed.policy.rounds_all_studies_max()),
            day: (spent.bytes_last_day, signed.policy.bytes_per_day_max()),
        });
        Ok(Self {
            now,
            ledger: ledger.verified.clone(),
            verified_at: ledger.verified_at,
            unseen: ledger.unseen,
            heads_kept: last(&ledger.records, |entry| matches!(entry, Entry::HeadsExchanged { .. })),
            history,
            departures: departures(&ledger.records),
            limits,
            day_bytes: spent.bytes_last_day,
        })
    }
}

fn ledger_study(records: &[Record]) -> Option<&StudyName> {
    records.iter().find_map(|record| match &record.entry {
        Entry::UpdateApproved { study, .. } | Entry::MetricsApproved { study, .. } => Some(study),
        _ => None,
    })
}

/// The newest departures, the last one first.
fn departures(records: &[Record]) -> Vec<Departure> {
    let of = |record: &Record| {
        let (what, digest, bytes) = match &record.entry {
            Entry::UpdateApproved {
                study,
                round,
                update_digest,
                bytes,
                ..
            } => (What::Update(study.clone(), *round), *update_digest, *bytes),
            Entry::MetricsApproved {
                study,
                round,
                digest,
                bytes,
                ..
            } => (What::Metrics(study.clone(), *round), *digest, *bytes),
            Entry::DisclosureSent { kind, digest, bytes } => (What::Request(kind.clone()), *digest, *bytes),
            _ => return None,
        };
        Some(Departure {
            index: record.index,
            time: record.time,
            what,
            digest,
            bytes,
        })
    };
    records.iter().rev().filter_map(of).take(ROWS).collect()
}

/// Fills the page.
pub fn fill(page: &mut Page, model: &Model) {
    let language = page.language();
    page.lead(LEAD.html(language));
    let left = model.history.left();
    let rounds = model
        .history
        .studies
        .values()
        .map(|study| study.rounds.len() as u64)
        .sum();
    let decisions = model.history.decisions.values().flat_map(BTreeMap::values);
    let denied = decisions.map(|answers| answers.denied).sum();
    page.tiles([
        (size(left.bytes(), language), TILE_ALL.html(language)),
        (size(model.day_bytes, language), TILE_DAY.html(language)),
        (Html::number(rounds, language), TILE_ROUNDS.html(language)),
        (Html::number(denied, language), TILE_DENIED.html(language)),
    ]);
    page.section(LEDGER.html(language));
    page.facts(ledger(model, language));
    page.section(PRIVACY.html(language));
    match &model.limits {
        None => page.say(NO_POLICY.html(language).bad()),
        Some(limits) => page.facts(privacy(limits, language)),
    }
    months(page, &model.history.months);
    page.section(EACH.html(language));
    if model.departures.is_empty() {
        page.say(NOTHING.html(language));
    } else if model.departures.len() == ROWS {
        let count = Html::number(ROWS as u64, language);
        page.say(EACH_SAYS.say(language, &[("count", count)]).soft());
    }
    page.table(&table(model, language));
}

fn ledger(model: &Model, language: Language) -> Vec<(Html, Html)> {
    let mut facts = Vec::new();
    match &model.ledger {
        Err(fault) => {
            let fault = BROKEN.say(language, &[("fault", Html::text(fault))]).bad();
            facts.push((CHAIN.html(language), fault));
        }
        Ok((entries, head)) => {
            let values = [
                ("count", Html::number(*entries, language)),
                ("when", ago(model.verified_at, model.now, language)),
            ];
            facts.push((CHAIN.html(language), SOUND.say(language, &values).good()));
            facts.push((HEAD.html(language), Html::code(&head.to_string())));
        }
    }
    if model.unseen > 0 {
        let count = Html::number(model.unseen, language);
        facts.push((UNSEEN.html(language), ENTRIES.say(language, &[("count", count)])));
    }
    let kept = model.heads_kept.map_or_else(|| NEVER.html(language), Html::minute);
    facts.push((KEPT_BY_OTHERS.html(language), kept));
    facts
}

fn privacy(limits: &Limits, language: Language) -> [(Html, Html); 3] {
    let noise = if limits.noise { NOISE_ASKED } else { NOISE_NONE };
    let number = |count: u32| Html::number(count.into(), language);
    let of = |spent, most| OF.say(language, &[("spent", spent), ("most", most)]);
    [
        (NOISE.html(language), noise.html(language)),
        (
            SPENT_ROUNDS.html(language),
            of(number(limits.rounds.0), number(limits.rounds.1)),
        ),
        (
            SPENT_DAY.html(language),
            of(size(limits.day.0, language), size(limits.day.1, language)),
        ),
    ]
}

fn months(page: &mut Page, months: &BTreeMap<String, Left>) {
    let language = page.language();
    if months.is_empty() {
        return;
    }
    page.section(MONTHLY.html(language));
    let skipped = months.len().saturating_sub(MONTHS);
    page.bars(&Bars {
        label: MONTHLY.text(language),
        legend: [UPDATES, REQUESTS].map(|legend| legend.text(language)),
        bars: months
            .iter()
            .skip(skipped)
            .map(|(month, left)| Bar {
                name: month.clone(),
                parts: [left.updates.bytes, left.requests.bytes],
                told: language.number(left.bytes()),
            })
            .collect(),
    });
}

fn table(model: &Model, language: Language) -> Table<6> {
    let heading = |message: Message| Column::words(message.html(language));
    let mut table = Table::new([
        heading(WHEN),
        Column::names(WHAT.html(language)),
        Column::numbers(SIZE.html(language)),
        heading(DIGEST),
        heading(RECEIPT),
        Column::numbers(ENTRY.html(language)),
    ])
    .with_caption(EACH.html(language).unseen());
    for one in &model.departures {
        table.row([
            Html::minute(one.time),
            what(&one.what, language),
            size(one.bytes, language),
            Html::code(&one.digest.short()),
            receipt(model, one, language),
            Html::number(one.index, language),
        ]);
    }
    table
}

fn what(what: &What, language: Language) -> Html {
    let of = |message: Message, study: &StudyName, round: Option<&RoundNumber>| {
        let round = round.map_or_else(Html::default, |round| Html::number(round.0.into(), language));
        message.say(language, &[("study", Html::text(study.as_str())), ("round", round)])
    };
    match what {
        What::Update(study, round) => of(UPDATE_OF, study, Some(round)),
        What::Metrics(study, Some(round)) => of(METRICS_OF, study, Some(round)),
        What::Metrics(study, None) => of(METRICS_FINAL, study, None),
        What::Request(kind) => words::kind(kind).map_or_else(|| Html::code(kind), |known| known.html(language)),
    }
}

fn receipt(model: &Model, one: &Departure, language: Language) -> Html {
    let (study, round) = match &one.what {
        What::Update(study, round) => (study, round),
        What::Metrics(..) => return WITHIN.html(language).soft(),
        What::Request(_) => return Html::default(),
    };
    let round: Option<&Round<u64>> = model
        .history
        .studies
        .get(study)
        .and_then(|study| study.rounds.get(round));
    let Some(round) = round else { return Html::default() };
    match &round.receipt {
        None if round.is_not_had => words::RECEIPT_NOT_HAD.html(language).bad(),
        None => words::RECEIPT_MISSING.html(language).soft(),
        Some(ReceiptTold { is_signed: false, .. }) => words::RECEIPT_NOT_SIGNED.html(language).bad(),
        Some(ReceiptTold {
            is_of_update: false, ..
        }) => words::RECEIPT_OTHER.html(language).bad(),
        Some(_) => words::RECEIPT_HOLDS.html(language).good(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auditor::testing;

    fn model(records: &[Record]) -> Model {
        Model {
            now: testing::FIRST,
            ledger: Ok((records.len() as u64, Sha256Digest::of(b"head"))),
            verified_at: testing::FIRST,
            unseen: 0,
            heads_kept: None,
            history: testing::history(records, auditor::Period::default()),
            departures: departures(records),
            limits: Some(Limits {
                noise: false,
                rounds: (3, 500),
                day: (7, 1 << 30),
            }),
            day_bytes: 7,
        }
    }

    fn shown(model: &Model, language: Language) -> String {
        crate::dashboard::testing::shown(TITLE, language, |page| fill(page, model))
    }

    #[test]
    fn each_departure_stands_on_the_page_the_newest_first() {
        let records = testing::made_up();
        let model = model(&records);
        assert!(model.departures.is_sorted_by_key(|one| std::cmp::Reverse(one.index)));
        let leaves = |record: &&Record| {
            matches!(
                record.entry,
                Entry::UpdateApproved { .. } | Entry::MetricsApproved { .. } | Entry::DisclosureSent { .. }
            )
        };
        assert_eq!(model.departures.len(), records.iter().filter(leaves).count());
        for language in Language::ALL {
            let html = shown(&model, language);
            for one in &model.departures {
                assert!(html.contains(&one.digest.short()), "{}", one.index);
            }
            for state in [words::RECEIPT_HOLDS, words::RECEIPT_NOT_SIGNED] {
                assert!(html.contains(state.html(language).as_str()), "{html}");
            }
            assert!(!html.contains(testing::TYPED) && html.contains("<svg"), "{html}");
        }
    }

    #[test]
    fn a_ledger_that_does_not_verify_is_said_and_one_without_departures_too() {
        let broken = Model {
            ledger: Err("record 7 does not follow".to_owned()),
            limits: None,
            ..model(&[])
        };
        let html = shown(&broken, Language::English);
        for told in ["record 7 does not follow", "Nothing has left", "no policy is in force"] {
            assert!(html.contains(told), "{told} in {html}");
        }
    }
}
