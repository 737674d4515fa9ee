//! The first page: whether the node is well, and what waits for a person.

use anyhow::Result;
use snowball_policy::PolicyFault;
use snowball_protocol::{ids::UnixSeconds, small};
use snowball_service::{files, tls::Life};
use snowball_web::{Html, Language, Page, Route, ago, messages, size};

use super::{
    desk::Desk,
    studies,
    tell::{counted, days, plural, unless},
};
use crate::{cli::review, now::course, renewal};

/// Days before its end at which a policy is said to end: boards take weeks.
const POLICY_DAYS_WARN: i64 = 30;

messages! {
    TITLE = "Overview", "Aperçu";
    LEAD = "The node of {site}. Everything on these pages stays in the hospital.", "Le nœud de {site}. Tout ce qui figure sur ces pages reste à l’hôpital.";
    STATE = "How the node is", "État du nœud";
    WAITING = "What waits for a person", "Ce qui attend une personne";
    NOTHING_WAITS = "Nothing waits for anybody.", "Rien n’attend personne.";

    RUN = "service", "service";
    RUNS = "follows the aggregator’s studies since {when}", "suit les études de l’agrégateur depuis {when}";
    RUNS_NOT = "not running: no study is followed; `hospital-node run`", "arrêté : aucune étude n’est suivie ; `hospital-node run`";
    AGGREGATOR = "aggregator", "agrégateur";
    AGGREGATOR_NONE = "this node is not enrolled yet: ask the coordinator for an invitation", "ce nœud n’est pas encore enrôlé : demandez une invitation au coordinateur";
    REACHED = "{address}, answered {when}", "{address}, a répondu {when}";
    REACHED_NEVER = "{address}, not reached since the service began", "{address}, pas encore joint depuis le démarrage du service";
    BROKEN = "{address}: no connection ({reason}); it is tried again by itself", "{address} : pas de connexion ({reason}) ; nouvelle tentative automatique";
    POLICY = "policy", "politique";
    POLICY_HOLDS = "version {version} of {board}, until before {day} ({count} days)", "version {version} de {board}, jusqu’au {day} exclu ({count} jours)";
    POLICY_OVER = "version {version} ended on {day}: nothing runs and nothing leaves", "la version {version} a pris fin le {day} : rien ne s’exécute et rien ne sort";
    POLICY_LATER = "version {version} begins on {day}: nothing runs before", "la version {version} commence le {day} : rien ne s’exécute avant";
    POLICY_NONE = "none in force: {fault}. Nothing runs and nothing leaves", "aucune en vigueur : {fault}. Rien ne s’exécute et rien ne sort";
    CERTIFICATE = "certificate", "certificat";
    CERTIFICATE_HOLDS = "{count} days left; it is renewed by itself", "encore {count} jours ; il se renouvelle de lui-même";
    CERTIFICATE_OVERDUE = "{count} days left, and it was not renewed: see that the service runs", "encore {count} jours, et il n’a pas été renouvelé : vérifiez que le service tourne";
    CERTIFICATE_OVER = "it has expired: ask the coordinator for an invitation and enrol again", "il a expiré : demandez une invitation au coordinateur et enrôlez à nouveau le nœud";
    CERTIFICATE_NONE = "none yet", "aucun pour l’instant";
    LEDGER = "ledger", "registre";
    LEDGER_SOUND = "sound, {count} entries; checked {when}", "intact, {count} inscriptions ; vérifié {when}";
    LEDGER_BROKEN = "does not verify: {fault}. Stop the node, keep a copy for the auditor, and tell the board", "vérification échouée : {fault}. Arrêtez le nœud, gardez une copie pour l’auditeur et prévenez le comité";
    DISK = "disk", "disque";
    DISK_FREE = "{free} free; nothing more is taken in below {floor}", "{free} libres ; plus rien n’est importé en dessous de {floor}";
    DISK_LOW = "{free} free, below the {floor} that are kept free: nothing more is taken in", "{free} libres, en dessous des {floor} réservés : plus rien n’est importé";
    DEVICE = "computes on", "calcule sur";

    TILE_STORE = "radiographs in the store", "radiographies dans la base";
    TILE_WAITING = "files wait in the quarantine", "fichiers attendent en quarantaine";
    TILE_ASKING = "studies ask for approval", "études demandent une approbation";
    TILE_POLICY = "days until the policy ends", "jours avant la fin de la politique";

    WAITS_FILE = "{count} file waits in the quarantine", "{count} fichier attend en quarantaine";
    WAITS_FILES = "{count} files wait in the quarantine", "{count} fichiers attendent en quarantaine";
    WAITS_STUDY = "{count} study asks for the board’s approval", "{count} étude demande l’approbation du comité";
    WAITS_STUDIES = "{count} studies ask for the board’s approval", "{count} études demandent l’approbation du comité";
    WAITS_POLICY = "the policy ends in {count} days: ask the board for the next version now", "la politique prend fin dans {count} jours : demandez dès maintenant la version suivante au comité";
    WAITS_POLICY_NONE = "a policy that the ethics board signed must be installed", "une politique signée par le comité d’éthique doit être installée";
    WAITS_SAMPLE = "a sample of pictures was drawn and nobody has looked at it yet: `hospital-node review record`", "un échantillon d’images a été tiré et personne ne l’a encore regardé : `hospital-node review record`";
}

/// What the page shows.
pub struct Model {
    pub site: String,
    pub now: UnixSeconds,
    pub run: Option<course::Course>,
    pub address: Option<String>,
    pub policy: Result<PolicyTold, PolicyFault>,
    pub certificate: Option<Life>,
    /// Entries and when they were checked, or what is wrong.
    pub ledger: Result<(u64, UnixSeconds), String>,
    pub disk_free: u64,
    pub disk_floor: u64,
    pub radiographs: u64,
    /// Below how many radiographs their number is not told.
    pub cell_min: u64,
    pub waiting_files: u64,
    pub asking_studies: u64,
    pub unseen_samples: u64,
}

/// The policy, as far as this page goes.
pub struct PolicyTold {
    pub version: u32,
    pub board: String,
    pub begins: UnixSeconds,
    pub expires: UnixSeconds,
}

impl Model {
    pub fn read(desk: &Desk, now: UnixSeconds) -> Result<Self> {
        let seen = course::look(&desk.home).filter(|seen| seen.is_live);
        let ledger = desk.ledger();
        let samples = review::all(&desk.home)?;
        Ok(Self {
            site: desk.config.site.to_string(),
            now,
            run: seen.map(|seen| seen.page),
            address: desk.home.aggregator().ok().map(|aggregator| aggregator.address),
            policy: desk.policy().map(|signed| PolicyTold {
                version: signed.policy.version(),
                board: signed.policy.board().to_owned(),
                begins: signed.policy.begins(),
                expires: signed.policy.expires(),
            }),
            certificate: renewal::current(&desk.home).ok().map(|certificate| certificate.life()),
            ledger: match &ledger.verified {
                Ok((entries, _)) => Ok((*entries, ledger.verified_at)),
                Err(fault) => Err(fault.clone()),
            },
            disk_free: files::free_bytes(desk.home.root())?,
            disk_floor: desk.config.spool.disk_free_bytes_min,
            radiographs: desk.store.count()?,
            cell_min: desk.cell_min(),
            waiting_files: desk.waiting()?.len() as u64,
            asking_studies: studies::asking(desk, now)?,
            unseen_samples: samples.iter().filter(|(_, drawn)| drawn.records.is_empty()).count() as u64,
        })
    }
}

/// Fills the page.
pub fn fill(page: &mut Page, model: &Model) {
    let language = page.language();
    page.lead(LEAD.say(language, &[("site", Html::text(&model.site))]));
    page.live("overview", |page| {
        let number = |count| Html::number(count, language);
        let policy_days = model
            .policy
            .as_ref()
            .map_or(0, |policy| days(policy.expires, model.now).max(0));
        let is_small = small::is_small(model.radiographs, model.cell_min);
        page.tiles([
            (unless(is_small, model.radiographs, language), TILE_STORE.html(language)),
            // Whoever may look at this page finds each of these files on a line of its own, which names nobody.
            (number(model.waiting_files), TILE_WAITING.html(language)),
            (number(model.asking_studies), TILE_ASKING.html(language)),
            (number(policy_days.unsigned_abs()), TILE_POLICY.html(language)),
        ]);
        page.section(WAITING.html(language));
        let waits = waits(model, language);
        if waits.is_empty() {
            page.say(NOTHING_WAITS.html(language).good());
        } else {
            page.list(waits);
        }
        page.section(STATE.html(language));
        page.facts(state(model, language));
    });
}

fn waits(model: &Model, language: Language) -> Vec<Html> {
    let mut waits = Vec::new();
    let mut linked = |count: u64, one, many, page: &str| {
        if count > 0 {
            waits.push(Html::route(&Route::of([page]), plural(one, many, count, language)));
        }
    };
    linked(model.waiting_files, WAITS_FILE, WAITS_FILES, "quarantine");
    linked(model.asking_studies, WAITS_STUDY, WAITS_STUDIES, "studies");
    match &model.policy {
        Err(_) => waits.push(WAITS_POLICY_NONE.html(language)),
        Ok(policy) => {
            let left = days(policy.expires, model.now);
            if left < POLICY_DAYS_WARN {
                waits.push(counted(WAITS_POLICY, left.max(0).unsigned_abs(), language));
            }
        }
    }
    if model.unseen_samples > 0 {
        waits.push(WAITS_SAMPLE.html(language));
    }
    waits
}

fn state(model: &Model, language: Language) -> Vec<(Html, Html)> {
    let now = model.now;
    let when = |then| ("when", ago(then, now, language));
    let run = match &model.run {
        Some(course) => RUNS.say(language, &[("when", Html::minute(course.since))]).good(),
        None => RUNS_NOT.html(language).bad(),
    };
    let mut facts = vec![
        (RUN.html(language), run),
        (AGGREGATOR.html(language), aggregator(model, language)),
    ];
    facts.push((POLICY.html(language), policy(model, language)));
    facts.push((CERTIFICATE.html(language), certificate(model, language)));
    facts.push((
        LEDGER.html(language),
        match &model.ledger {
            Ok((entries, checked)) => LEDGER_SOUND
                .say(language, &[("count", Html::number(*entries, language)), when(*checked)])
                .good(),
            Err(fault) => LEDGER_BROKEN.say(language, &[("fault", Html::text(fault))]).bad(),
        },
    ));
    let values = [
        ("free", size(model.disk_free, language)),
        ("floor", size(model.disk_floor, language)),
    ];
    let disk = if model.disk_free < model.disk_floor {
        DISK_LOW.say(language, &values).bad()
    } else {
        DISK_FREE.say(language, &values)
    };
    facts.push((DISK.html(language), disk));
    if let Some(device) = model.run.as_ref().and_then(|course| course.device.as_deref()) {
        facts.push((DEVICE.html(language), Html::text(device)));
    }
    facts
}

fn aggregator(model: &Model, language: Language) -> Html {
    let Some(address) = &model.address else {
        return AGGREGATOR_NONE.html(language).bad();
    };
    let address = ("address", Html::code(address));
    match &model.run {
        None => address.1,
        Some(course) => match (&course.line.broken, course.line.heard) {
            (Some(reason), _) => BROKEN.say(language, &[address, ("reason", Html::text(reason))]).bad(),
            (None, Some(heard)) => REACHED
                .say(language, &[address, ("when", ago(heard, model.now, language))])
                .good(),
            (None, None) => REACHED_NEVER.say(language, &[address]),
        },
    }
}

fn policy(model: &Model, language: Language) -> Html {
    let told = match &model.policy {
        Ok(told) => told,
        Err(fault) => {
            return POLICY_NONE
                .say(language, &[("fault", fault_words(fault, language))])
                .bad();
        }
    };
    let version = ("version", Html::number(told.version.into(), language));
    let left = days(told.expires, model.now);
    if told.expires <= model.now {
        POLICY_OVER
            .say(language, &[version, ("day", Html::day(told.expires))])
            .bad()
    } else if told.begins > model.now {
        POLICY_LATER
            .say(language, &[version, ("day", Html::day(told.begins))])
            .bad()
    } else {
        let words = POLICY_HOLDS.say(
            language,
            &[
                version,
                ("board", Html::text(&told.board)),
                ("day", Html::day(told.expires)),
                ("count", Html::number(left.unsigned_abs(), language)),
            ],
        );
        if left < POLICY_DAYS_WARN { words } else { words.good() }
    }
}

/// What is wrong with a policy, in the reader's language.
pub fn fault_words(fault: &PolicyFault, language: Language) -> Html {
    Html::text(&fault.reason_in(super::policy_language(language)))
}

fn certificate(model: &Model, language: Language) -> Html {
    let Some(life) = model.certificate else {
        return CERTIFICATE_NONE.html(language);
    };
    let left = life.days_left(model.now);
    if left < 0 {
        CERTIFICATE_OVER.html(language).bad()
    } else if life.warning_if_overdue(model.now).is_some() {
        counted(CERTIFICATE_OVERDUE, left.unsigned_abs(), language).bad()
    } else {
        counted(CERTIFICATE_HOLDS, left.unsigned_abs(), language).good()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = 1_792_454_400;
    const DAY: i64 = 86_400;

    fn model() -> Model {
        Model {
            site: "north".to_owned(),
            now: NOW,
            run: Some(course::Course {
                since: NOW - 3_600,
                line: course::Line {
                    heard: Some(NOW - 5),
                    ..course::Line::default()
                },
                ..course::Course::default()
            }),
            address: Some("https://aggregator.example:7443".to_owned()),
            policy: Ok(PolicyTold {
                version: 3,
                board: "Board of the North".to_owned(),
                begins: NOW - DAY,
                expires: NOW + 100 * DAY,
            }),
            certificate: Some(Life {
                not_before: NOW - DAY,
                not_after: NOW + 80 * DAY,
            }),
            ledger: Ok((1_234, NOW)),
            disk_free: 300 << 30,
            disk_floor: 2 << 30,
            radiographs: 5_000,
            cell_min: 5,
            waiting_files: 0,
            asking_studies: 0,
            unseen_samples: 0,
        }
    }

    fn shown(model: &Model, language: Language) -> String {
        crate::dashboard::testing::shown(TITLE, language, |page| fill(page, model))
    }

    #[test]
    fn a_node_that_is_well_has_nothing_red_and_nothing_that_waits() {
        for language in Language::ALL {
            let html = shown(&model(), language);
            assert!(!html.contains("class=\"bad\""), "{html}");
            assert!(html.contains(&NOTHING_WAITS.text(language)), "{html}");
        }
    }

    #[test]
    fn a_store_of_few_radiographs_does_not_say_how_many() {
        let few = Model {
            radiographs: 4,
            ..model()
        };
        let html = shown(&few, Language::English);
        assert!(html.contains("(hidden)"), "{html}");
        assert!(!shown(&model(), Language::English).contains("(hidden)"));
    }

    #[test]
    fn whatever_is_wrong_is_red_and_whatever_waits_has_a_link() {
        let ill = Model {
            run: None,
            address: None,
            policy: Err(PolicyFault::Missing),
            certificate: Some(Life {
                not_before: NOW - 90 * DAY,
                not_after: NOW - DAY,
            }),
            ledger: Err("record 7 does not follow".to_owned()),
            disk_free: 1,
            waiting_files: 3,
            asking_studies: 1,
            unseen_samples: 1,
            ..model()
        };
        for language in Language::ALL {
            let html = shown(&ill, language);
            assert_eq!(html.matches("class=\"bad\"").count(), 6, "{html}");
            for route in ["href=\"/quarantine\"", "href=\"/studies\""] {
                assert!(html.contains(route), "{html}");
            }
            assert_eq!(html.matches("<li>").count(), 4, "{html}");
        }
    }

    #[test]
    fn a_policy_that_has_ended_or_not_begun_is_told_from_one_that_ends_soon() {
        let with = |begins, expires| {
            let told = PolicyTold {
                version: 1,
                board: String::new(),
                begins,
                expires,
            };
            let model = Model {
                policy: Ok(told),
                ..model()
            };
            shown(&model, Language::English)
        };
        assert!(with(NOW - DAY, NOW).contains("ended on"));
        assert!(with(NOW + DAY, NOW + 90 * DAY).contains("begins on"));
        assert!(with(NOW - DAY, NOW + 5 * DAY).contains("ask the board for the next version"));
    }
}
