//! The pages: from what was gathered to HTML. Pure; each takes whether its reader may act, and then shows the ways to do so.

pub mod ledger;
pub mod overview;
pub mod plan;
pub mod quality;
pub mod release;
pub mod releases;
pub mod rounds;
pub mod sites;
pub mod study;

use snowball_protocol::{SiteName, ids::UnixSeconds};
use snowball_registry::Study;
use snowball_web::{Html, Route};

use super::{
    presence::{Doing, Member},
    words,
};
use crate::report::{Voice, words as report_words};

/// The page of a study.
pub fn study_route(study: &str) -> Route {
    Route::of(["studies", study])
}

/// The page that asks before something is done to a study.
pub fn study_act(study: &str, act: &str) -> Route {
    Route::of(["studies", study, act])
}

/// The page that asks before something is done to a site.
pub fn site_act(site: &SiteName, act: &str) -> Route {
    Route::of(["sites", site.as_str(), act])
}

/// How long ago something was.
pub fn ago(voice: Voice, now: UnixSeconds, time: UnixSeconds) -> Html {
    snowball_web::ago(time, now, voice.language)
}

/// How much time is left.
pub fn left(voice: Voice, now: UnixSeconds, deadline: UnixSeconds) -> Html {
    match u64::try_from(deadline.saturating_sub(now)) {
        Err(_) | Ok(0) => voice.word(words::TIME_OVER).bad(),
        Ok(seconds) => snowball_web::left(seconds, voice.language),
    }
}

/// Whether a site is here, and else since when not.
pub fn presence(voice: Voice, now: UnixSeconds, seen: Option<UnixSeconds>, is_here: bool) -> Html {
    match seen {
        _ if is_here => voice.word(words::HERE).good(),
        Some(seen) => ago(voice, now, seen),
        None => voice.word(words::NEVER).soft(),
    }
}

/// Where a study stands.
pub fn phase(voice: Voice, study: &Study) -> Html {
    let told = match &study.phase {
        snowball_rounds::Phase::Abandoned(over) => {
            let reason = [("reason", Html::text(&over.reason))];
            voice.say(report_words::PHASE_ABANDONED, &reason)
        }
        phase => voice.word(report_words::phase(phase.name())),
    };
    match study.phase.paused() {
        Some(_) => told.and(", ").and(voice.word(words::PAUSED).bad()),
        None => told,
    }
}

/// What a site does in a study, and whether it is late.
pub fn doing(voice: Voice, member: &Member) -> Html {
    let told = match member.doing {
        Doing::Waits => voice.word(words::WAITS),
        Doing::Trains => voice.word(words::TRAINS),
        Doing::Sends { bytes, of } => {
            let percent = u128::from(bytes) * 100 / u128::from(of.max(1));
            let percent = u64::try_from(percent).unwrap_or(100).min(100);
            voice.say(words::SENDS, &[("percent", voice.number(percent))])
        }
        Doing::Sent { .. } => voice.word(words::SENT).good(),
        Doing::Evaluates => voice.word(words::EVALUATES),
        Doing::Evaluated => voice.word(words::EVALUATED).good(),
        Doing::Rests => voice.word(words::RESTS),
        Doing::Left => voice.word(words::LEFT).soft(),
        Doing::Declined => voice.word(words::DECLINED).soft(),
        Doing::Done => voice.word(words::DONE).soft(),
    };
    if member.is_late {
        told.and(", ").and(voice.word(words::LATE).bad())
    } else {
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use snowball_web::Language;

    const ENGLISH: Voice = Voice {
        language: Language::English,
    };

    #[test]
    fn what_is_over_has_no_time_left() {
        assert!(left(ENGLISH, 100, 400).as_str().contains("5</data> min left"));
        assert!(left(ENGLISH, 100, 100).as_str().contains("time over"));
    }

    #[test]
    fn an_upload_is_told_in_percent_whatever_it_claims() {
        let member = |bytes, of| Member {
            site: "north".parse().unwrap(),
            seen: None,
            is_here: false,
            doing: Doing::Sends { bytes, of },
            is_late: true,
            examples: None,
            declined: None,
        };
        let told = |bytes, of| doing(ENGLISH, &member(bytes, of)).as_str().to_owned();
        assert!(told(1, 3).contains("\"33\"") && told(1, 3).contains("late"));
        assert!(told(0, 0).contains("\"0\"") && told(u64::MAX, 1).contains("\"100\""));
    }
}
