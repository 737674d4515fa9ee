//! What a running node does for each study: where it stands, the loss, what it sends, as it moves.

use anyhow::Result;
use snowball_protocol::{
    StudyName,
    ids::UnixSeconds,
    session::PhaseName,
    small::{self, Balance, Shown},
};
use snowball_web::{Column, Curves, Html, Language, Message, Page, Table, ago, decimal, left, messages, size};

use super::{desk::Desk, tell::unless};
use crate::now::course::{self, Course, Doing, StudyCourse};

messages! {
    TITLE = "Training", "Entraînement";
    LEAD = "What this node does for each study, as it goes on.", "Ce que fait ce nœud pour chaque étude, en direct.";
    NEVER = "`hospital-node run` has not worked on this node yet.", "`hospital-node run` n’a pas encore fonctionné sur ce nœud.";
    ENDED = "`hospital-node run` is not running. Below is where it stood when it ended.", "`hospital-node run` est arrêté. Ci-dessous, son état au moment de l’arrêt.";
    NO_STUDY = "The aggregator lists no study.", "L’agrégateur n’annonce aucune étude.";
    STUDIES = "All studies", "Toutes les études";
    STUDY = "study", "étude";
    PHASE = "phase", "phase";
    ROUND = "round", "tour";
    DOES = "what this node does", "ce que fait ce nœud";
    SINCE = "since", "depuis";
    DRAFT = "being drafted", "en préparation";
    RECRUITING = "sites join", "les sites rejoignent";
    COLLECTING = "updates come in", "les mises à jour arrivent";
    AGGREGATING = "the next model is made", "calcul du modèle suivant";
    REVIEWING = "evaluation and review", "évaluation et relecture";
    RELEASED = "released", "publiée";
    ABANDONED = "ended without a release", "terminée sans publication";
    JOINED = "takes part; waits for a round", "participe ; attend un tour";
    NOT_JOINED = "does not take part: {reason}", "ne participe pas : {reason}";
    WAITING = "waits for the hours that the policy names", "attend les heures que la politique prévoit";
    TRAINING = "trains: step {step} of {steps}, loss {loss}", "entraîne : pas {step} sur {steps}, perte {loss}";
    SENDING = "sends its update: {bytes} of {all}", "envoie sa mise à jour : {bytes} sur {all}";
    FETCHING = "fetches the model: {bytes} of {all}", "reçoit le modèle : {bytes} sur {all}";
    CONTRIBUTED = "its update counts: {examples} radiographs, {size}", "sa mise à jour compte : {examples} radiographies, {size}";
    NOT_CONTRIBUTED = "nothing was sent: {reason}", "rien n’a été envoyé : {reason}";
    EVALUATED = "the final model was evaluated here", "le modèle final a été évalué ici";
    NOT_EVALUATED = "the final model was not evaluated here: {reason}", "le modèle final n’a pas été évalué ici : {reason}";
    FINISHED = "over", "terminée";
    NOTHING_YET = "nothing yet", "rien pour l’instant";
    RADIOGRAPHS = "{training} radiographs to train on, {validation} to validate, {testing} to test", "{training} radiographies pour entraîner, {validation} pour valider, {testing} pour tester";
    THIS_ROUND = "Loss in round {round}, step by step", "Perte au tour {round}, pas à pas";
    ALL_ROUNDS = "Loss at the end of each round", "Perte à la fin de chaque tour";
    LOSS = "loss", "perte";
    PLOT_SAYS = "{label}: from {first} to {last}.", "{label} : de {first} à {last}.";
}

/// What the page shows.
pub struct Model {
    pub now: UnixSeconds,
    /// Below how many radiographs their number is not told.
    pub cell_min: u64,
    /// Whether it goes on.
    pub course: Option<(bool, Course)>,
}

impl Model {
    pub fn read(desk: &Desk, now: UnixSeconds) -> Result<Self> {
        Ok(Self {
            now,
            cell_min: desk.cell_min(),
            course: course::look(&desk.home).map(|seen| (seen.is_live, seen.page)),
        })
    }
}

/// Fills the page.
pub fn fill(page: &mut Page, model: &Model) {
    let language = page.language();
    page.lead(LEAD.html(language));
    page.live("training", |page| {
        let Some((is_live, course)) = &model.course else {
            page.say(NEVER.html(language));
            return;
        };
        if !is_live {
            page.say(ENDED.html(language).bad());
        }
        if course.studies.is_empty() {
            page.say(NO_STUDY.html(language));
        }
        page.table(&table(model, course, language));
        for (study, course) in &course.studies {
            part(page, study, course, model.cell_min);
        }
    });
}

fn table(model: &Model, course: &Course, language: Language) -> Table<5> {
    let mut table = Table::new([
        Column::names(STUDY.html(language)),
        Column::words(PHASE.html(language)),
        Column::numbers(ROUND.html(language)),
        Column::words(DOES.html(language)),
        Column::words(SINCE.html(language)),
    ])
    .with_caption(STUDIES.html(language));
    for (study, course) in &course.studies {
        let since = course.doing.as_ref().map(|_| ago(course.since, model.now, language));
        table.row([
            Html::text(study.as_str()),
            course
                .phase
                .map_or_else(Html::default, |known| phase(known).html(language)),
            course
                .round
                .map_or_else(Html::default, |round| Html::number(round.into(), language)),
            course.doing.as_ref().map_or_else(
                || NOTHING_YET.html(language).soft(),
                |doing| {
                    let is_few = |examples| hides_examples(examples, course.radiographs, model.cell_min);
                    does(doing, &is_few, language)
                },
            ),
            since.unwrap_or_default(),
        ]);
    }
    table
}

/// One study's heading and curves; nothing where nothing was trained.
fn part(page: &mut Page, study: &StudyName, course: &StudyCourse, cell_min: u64) {
    let language = page.language();
    if course.radiographs.is_none() && course.steps.is_empty() && course.rounds.is_empty() {
        return;
    }
    page.section(Html::text(study.as_str()));
    if let Some(radiographs) = course.radiographs {
        let is_hidden = hidden(radiographs, cell_min);
        let [training, validation, testing] =
            [0, 1, 2].map(|place: usize| unless(is_hidden[place], radiographs[place], language));
        let values = [("training", training), ("validation", validation), ("testing", testing)];
        page.say(RADIOGRAPHS.say(language, &values));
    }
    if let Some(Doing::Training { round, .. }) = course.doing {
        let round = Html::number(round.into(), language);
        curve(page, THIS_ROUND, &[("round", round)], &course.steps);
    }
    curve(page, ALL_ROUNDS, &[], &course.rounds);
}

/// Which of the three parts are not told. Their sum may be the number of radiographs in the store, which the overview tells.
fn hidden(radiographs: [u64; 3], cell_min: u64) -> Vec<bool> {
    let few = radiographs.map(|count| small::is_small(count, cell_min)).to_vec();
    small::hidden(&radiographs, few, &[Balance::of_all(3)], cell_min, Shown::Alike)
}

/// Whether the radiographs of an update are not told: they are few, or those of a part that is not told.
fn hides_examples(examples: u64, radiographs: Option<[u64; 3]>, cell_min: u64) -> bool {
    small::is_small(examples, cell_min) || radiographs.is_some_and(|parts| hidden(parts, cell_min)[0])
}

fn curve(page: &mut Page, heading: Message, values: &[(&str, Html)], points: &[(u32, f64)]) {
    let language = page.language();
    let (Some((_, first)), Some((_, last))) = (points.first(), points.last()) else {
        return;
    };
    let written = |value: f64| Html::text(&loss(value, language));
    page.part(heading.say(language, values));
    let label = LOSS.text(language);
    let ends = [
        ("label", Html::text(&label)),
        ("first", written(*first)),
        ("last", written(*last)),
    ];
    page.say(PLOT_SAYS.say(language, &ends).soft());
    page.curves(&Curves {
        label: label.clone(),
        lines: vec![(label, points.to_vec())],
        written: match language {
            Language::English => |value| loss(value, Language::English),
            Language::French => |value| loss(value, Language::French),
        },
    });
}

fn loss(value: f64, language: Language) -> String {
    decimal(&format!("{value:.3}"), language)
}

const fn phase(phase: PhaseName) -> Message {
    match phase {
        PhaseName::Draft => DRAFT,
        PhaseName::Recruiting => RECRUITING,
        PhaseName::Collecting => COLLECTING,
        PhaseName::Aggregating => AGGREGATING,
        PhaseName::Reviewing => REVIEWING,
        PhaseName::Released => RELEASED,
        PhaseName::Abandoned => ABANDONED,
    }
}

fn does(doing: &Doing, is_few: &dyn Fn(u64) -> bool, language: Language) -> Html {
    let number = |count: u64| Html::number(count, language);
    let because = |message: Message, reason: &str| message.say(language, &[("reason", Html::text(reason))]).bad();
    match doing {
        Doing::Joined => JOINED.html(language),
        Doing::NotJoined { reason } => because(NOT_JOINED, reason),
        Doing::Waiting => WAITING.html(language),
        Doing::Training {
            step, steps, loss: now, ..
        } => TRAINING
            .say(
                language,
                &[
                    ("step", number((*step).into())),
                    ("steps", number((*steps).into())),
                    ("loss", Html::text(&loss(*now, language))),
                ],
            )
            .good(),
        Doing::Transferring {
            is_sending,
            bytes,
            bytes_total,
            seconds_left,
            ..
        } => {
            let message = if *is_sending { SENDING } else { FETCHING };
            let values = [("bytes", size(*bytes, language)), ("all", size(*bytes_total, language))];
            let told = message.say(language, &values).good();
            match seconds_left {
                Some(seconds) => told.and(", ").and(left(seconds.clamp(0.0, 1e9) as u64, language)),
                None => told,
            }
        }
        Doing::Contributed { examples, bytes, .. } => CONTRIBUTED.say(
            language,
            &[
                ("examples", unless(is_few(*examples), *examples, language)),
                ("size", size(*bytes, language)),
            ],
        ),
        Doing::NotContributed { reason, .. } => because(NOT_CONTRIBUTED, reason),
        Doing::Evaluated => EVALUATED.html(language),
        Doing::NotEvaluated { reason } => because(NOT_EVALUATED, reason),
        Doing::Finished { .. } => FINISHED.html(language),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::dashboard::testing;

    fn shown(course: Option<(bool, Course)>, language: Language) -> String {
        let model = Model {
            now: 100,
            cell_min: 5,
            course,
        };
        testing::shown(TITLE, language, |page| fill(page, &model))
    }

    #[test]
    fn a_training_is_shown_with_its_step_its_loss_and_its_curves() {
        let study = StudyCourse {
            phase: Some(PhaseName::Collecting),
            round: Some(3),
            joined: true,
            doing: Some(Doing::Training {
                round: 3,
                step: 41,
                steps: 97,
                loss: 0.5,
            }),
            since: 90,
            radiographs: Some([701, 102, 103]),
            rounds: vec![(1, 1.5), (2, 0.75)],
            steps: vec![(1, 0.9), (41, 0.5)],
        };
        let course = Course {
            studies: BTreeMap::from([("spines".parse().unwrap(), study)]),
            ..Course::default()
        };
        for language in Language::ALL {
            let html = shown(Some((true, course.clone())), language);
            let numbers = snowball_web::numbers(&html);
            for number in [3, 41, 97, 701, 102, 103] {
                assert!(numbers.contains(&number), "{number} in {numbers:?}");
            }
            assert_eq!(html.matches("<svg").count(), 2);
            assert!(html.contains(&loss(0.75, language)), "{html}");
            assert!(!html.contains("class=\"bad\""));
        }
        let html = shown(Some((false, course)), Language::English);
        assert!(html.contains("is not running"), "{html}");
    }

    #[test]
    fn a_part_of_few_radiographs_is_hidden_and_so_is_what_gives_it_back() {
        assert_eq!(hidden([701, 102, 103], 5), [false; 3]);
        assert_eq!(hidden([701, 102, 0], 5), [false; 3], "nobody is no patient");
        let few = hidden([701, 4, 103], 5);
        assert!(
            few[1] && few.iter().filter(|is_hidden| **is_hidden).count() > 1,
            "{few:?}"
        );
        assert!(hides_examples(4, None, 5) && !hides_examples(701, Some([701, 102, 103]), 5));
        assert!(hides_examples(4, Some([4, 102, 103]), 5) && hides_examples(7, Some([7, 3, 103]), 5));
        let study = StudyCourse {
            radiographs: Some([701, 3, 103]),
            ..StudyCourse::default()
        };
        let course = Course {
            studies: BTreeMap::from([("spines".parse().unwrap(), study)]),
            ..Course::default()
        };
        let html = shown(Some((true, course)), Language::English);
        assert!(
            !snowball_web::numbers(&html).contains(&3) && html.contains("(hidden)"),
            "{html}"
        );
    }

    #[test]
    fn a_node_that_never_ran_and_every_other_thing_it_does_have_words() {
        assert!(shown(None, Language::English).contains("has not worked"));
        let reason = "by <the> policy".to_owned();
        let all = [
            Doing::Joined,
            Doing::NotJoined { reason: reason.clone() },
            Doing::Waiting,
            Doing::Transferring {
                round: 1,
                is_sending: true,
                bytes: 10,
                bytes_total: 2_000,
                seconds_left: Some(3.0),
            },
            Doing::Contributed {
                round: 1,
                examples: 10,
                bytes: 20,
            },
            Doing::NotContributed {
                round: 1,
                reason: reason.clone(),
            },
            Doing::Evaluated,
            Doing::NotEvaluated { reason },
            Doing::Finished {
                phase: "released".to_owned(),
            },
        ];
        let mut told: Vec<String> = all
            .iter()
            .map(|doing| does(doing, &|_| false, Language::French).as_str().to_owned())
            .collect();
        assert!(
            told.iter()
                .all(|words| !words.contains('{') && !words.contains("<the>")),
            "{told:?}"
        );
        told.sort();
        told.dedup();
        assert_eq!(told.len(), all.len());
    }
}
