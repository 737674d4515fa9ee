//! `GET` and `POST /studies/{study}/{act}`: start, pause, resume, abort. The first asks, the second does it, as the command does.

use std::str::FromStr;

use anyhow::Result;
use axum::extract::{Path, State};
use snowball_dashboard::{Actor, Done, Reader, View};
use snowball_protocol::StudyName;
use snowball_registry::Study;
use snowball_web::{Confirmation, Html, Message};

use super::{done, reason, voice};
use crate::{
    cli::{Abort, Answer, Pause, Resume, Start},
    dashboard::{
        Board,
        pages::{study_act, study_route},
        words::acts as text,
    },
    report::Voice,
};

/// What is done to a study.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    Start,
    Pause,
    Resume,
    Abort,
}

/// A path that names no act.
struct NoAct;

impl FromStr for Act {
    type Err = NoAct;

    fn from_str(word: &str) -> Result<Self, NoAct> {
        let known = [Self::Start, Self::Pause, Self::Resume, Self::Abort];
        known.into_iter().find(|act| act.word() == word).ok_or(NoAct)
    }
}

impl Act {
    const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Abort => "abort",
        }
    }

    /// The question, the button, and what is told when it is done.
    const fn words(self) -> [Message; 3] {
        match self {
            Self::Start => [text::START, text::START_BUTTON, text::STARTED],
            Self::Pause => [text::PAUSE, text::PAUSE_BUTTON, text::PAUSED],
            Self::Resume => [text::RESUME, text::RESUME_BUTTON, text::RESUMED],
            Self::Abort => [text::ABORT, text::ABORT_BUTTON, text::ABORTED],
        }
    }

    /// Where the ledger keeps a reason.
    const fn asks_reason(self) -> bool {
        matches!(self, Self::Pause | Self::Abort)
    }

    fn will_happen(self, study: &Study, voice: Voice) -> Vec<Html> {
        match self {
            Self::Start => {
                let seconds = voice.number(study.plan.rounds.recruit_seconds.max.into());
                let digest = Html::code(&study.plan_digest.to_string());
                vec![
                    voice.say(text::START_CALLS, &[("seconds", seconds)]),
                    voice.say(text::START_FIXED, &[("digest", digest)]),
                ]
            }
            Self::Pause => vec![voice.word(text::PAUSE_RESTS), voice.word(text::PAUSE_NOTHING_LOST)],
            Self::Resume => vec![voice.word(text::RESUME_SAYS)],
            Self::Abort => vec![voice.word(text::ABORT_FINAL).bad(), voice.word(text::ABORT_KEPT)],
        }
    }
}

pub async fn ask(State(board): State<Board>, Path((study, act)): Path<(String, String)>, reader: Reader) -> View {
    let (Ok(name), Ok(act), Some(token)) = (study.parse::<StudyName>(), act.parse::<Act>(), reader.may_act()) else {
        return reader.missing();
    };
    let study = match board.app.core.registry.study(&name).await {
        Ok(Some(study)) => study,
        Ok(None) => return reader.missing(),
        Err(error) => return reader.failed(&error),
    };
    let (voice, named) = (voice(&reader), [("study", Html::text(name.as_str()))]);
    let [question, button, _] = act.words();
    let mut page = reader.page(voice.say(question, &named));
    page.confirmation(
        token,
        Confirmation {
            will_happen: act.will_happen(&study, voice),
            route: study_act(name.as_str(), act.word()),
            hidden: &[],
            asks_line: None,
            asks_reason: act.asks_reason(),
            button: voice.word(button),
            back: study_route(name.as_str()),
        },
    );
    reader.show(page)
}

pub async fn perform(
    State(board): State<Board>,
    Path((study, act)): Path<(String, String)>,
    actor: Actor,
) -> Result<Done, View> {
    let voice = Voice {
        language: actor.language(),
    };
    let (Ok(study), Ok(act)) = (study.parse::<StudyName>(), act.parse::<Act>()) else {
        return Err(actor.refused(voice.word(text::NO_SUCH)));
    };
    let answer: Result<Answer> = {
        let (home, study) = (&board.app.home, study.clone());
        match act {
            Act::Start => Start { study }.run(home).await,
            Act::Resume => Resume { study }.run(home).await,
            Act::Pause => {
                let reason = reason(&actor)?;
                Pause { study, reason }.run(home).await
            }
            Act::Abort => {
                let reason = reason(&actor)?;
                Abort { study, reason }.run(home).await
            }
        }
    };
    done(&actor, act.word(), answer)?;
    let [.., told] = act.words();
    let told = voice.say(told, &[("study", Html::text(study.as_str()))]);
    Ok(actor.done(&study_route(study.as_str()), told))
}
