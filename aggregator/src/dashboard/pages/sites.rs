//! The page of the sites: who asks to be let in, who takes part, and, for whom may act, how to invite one.

use snowball_registry::{Enrolment, Site};
use snowball_service::tls::Life;
use snowball_web::{Column, Form, FormToken, Html, Page, Route, Table};

use super::{ago, presence, site_act};
use crate::{
    dashboard::{
        gather::SitesView,
        presence::is_here,
        words::{self, sites as text},
    },
    report::Voice,
};

/// Under which name the form for an invitation has its site.
pub const SITE_FIELD: &str = "site";
/// And for how long it holds.
pub const HOURS_FIELD: &str = "hours";
/// Under which name the way to refuse a request has the fingerprint of its key.
pub const FINGERPRINT_QUERY: &str = "fingerprint";
/// For how long an invitation holds unless something else is asked, as on the command line.
const HOURS: &str = "72";

/// The page. `token` is for the forms of whoever may act; others see none.
pub fn page(view: &SitesView, voice: Voice, token: Option<&FormToken>) -> Page {
    let mut page = Page::new(voice.language, voice.word(text::TITLE));
    let may_act = token.is_some();
    page.section(voice.word(text::WAITING));
    page.live("waiting", |page| waiting(page, view, voice, may_act));
    page.section(voice.word(text::ALL_SITES));
    page.live("sites", |page| sites(page, view, voice, may_act));
    if let Some(token) = token {
        page.section(voice.word(text::INVITE));
        page.say(voice.word(text::INVITE_SAYS));
        page.form(
            Form::new(token, &Route::of(["invitations"]))
                .line(
                    SITE_FIELD,
                    voice.word(text::INVITE_SITE),
                    Some(voice.word(text::INVITE_SITE_HINT)),
                    "",
                )
                .line(HOURS_FIELD, voice.word(text::INVITE_HOURS), None, HOURS)
                .button(voice.word(text::INVITE_BUTTON)),
        );
    }
    page
}

/// What tells of an invitation: it stands on the next page alone, so that loading that again neither shows nor makes one.
pub fn invitation(site: &str, line: &str, expires: i64, voice: Voice) -> Html {
    let title = voice.say(text::INVITATION, &[("site", site.into())]);
    Html::below([
        title.and(". ").and(voice.word(text::INVITATION_ONCE)),
        Html::code(line),
        voice.say(text::INVITATION_UNTIL, &[("time", Html::minute(expires))]),
        voice.word(text::INVITATION_NEXT),
    ])
}

fn waiting(page: &mut Page, view: &SitesView, voice: Voice, may_act: bool) {
    for contest in &view.contests {
        let values = [
            ("fingerprint", Html::code(&contest.key_fingerprint.spoken())),
            ("site", contest.site.as_str().into()),
            ("tries", voice.number(contest.tries)),
            ("last", ago(voice, view.now, contest.last_tried)),
        ];
        page.say(voice.say(text::CONTESTED, &values).bad());
    }
    let mut table = Table::new([
        Column::names(voice.word(words::SITE)),
        voice.words(text::FINGERPRINT),
        voice.words(text::ASKED),
        voice.words(text::DECIDE),
    ])
    .with_caption(voice.word(text::WAITING_TABLE));
    for enrolment in &view.waiting {
        let decide = if may_act {
            decisions(enrolment, voice)
        } else {
            Html::default()
        };
        table.row([
            Html::text(enrolment.site.as_str()),
            Html::code(&enrolment.key_fingerprint.spoken()),
            ago(voice, view.now, enrolment.requested),
            decide,
        ]);
    }
    if table.is_empty() {
        page.say(voice.word(text::WAITING_NONE).soft());
    }
    page.table(&table);
    if !view.invited.is_empty() {
        let sites = [("sites", voice.names(&view.invited))];
        page.say(voice.say(text::INVITED, &sites).soft());
    }
}

fn decisions(enrolment: &Enrolment, voice: Voice) -> Html {
    let site = &enrolment.site;
    // Several may wait under one name; what is refused is the one of this row. What is approved is told by what the hospital reads out.
    let refuse = site_act(site, "refuse").with(FINGERPRINT_QUERY, &enrolment.key_fingerprint.hex());
    let links = [
        Html::route(&site_act(site, "approve"), voice.word(text::APPROVE)),
        Html::route(&refuse, voice.word(text::REFUSE)),
    ];
    Html::join(links, " · ")
}

fn sites(page: &mut Page, view: &SitesView, voice: Voice, may_act: bool) {
    let mut table = Table::new([
        Column::names(voice.word(words::SITE)),
        voice.words(text::STATE),
        voice.words(text::SEEN),
        voice.words(text::CERTIFICATE),
        voice.words(text::VERSION),
        voice.words(text::POLICY),
        voice.words(text::ENROLLED),
        voice.words(text::ACT),
    ])
    .with_caption(voice.word(text::SITES_TABLE));
    for (site, life) in &view.sites {
        table.row(row(view, site, life.as_ref(), voice, may_act));
    }
    if table.is_empty() {
        page.say(voice.word(text::SITES_NONE).soft());
    }
    page.table(&table);
}

fn row(view: &SitesView, site: &Site, life: Option<&Life>, voice: Voice, may_act: bool) -> [Html; 8] {
    let state = match &site.revoked {
        None => voice.word(text::ACTIVE).good(),
        Some(revoked) => {
            let values = [
                ("day", Html::day(revoked.at)),
                ("reason", revoked.reason.as_str().into()),
            ];
            voice.say(text::REVOKED, &values).bad()
        }
    };
    let certificate = match (life, &site.revoked) {
        (None, _) => voice.word(text::CERTIFICATE_NONE).soft(),
        (Some(life), _) => {
            let days = [("days", life.days_left(view.now).to_string().into())];
            match life.warning_if_overdue(view.now) {
                Some(_) => voice.say(text::CERTIFICATE_OVERDUE, &days).bad(),
                None => voice.say(text::CERTIFICATE_DAYS, &days),
            }
        }
    };
    let heard = site.heard.as_ref();
    let policy = heard.and_then(|heard| heard.policy_digest);
    let act = if may_act && site.revoked.is_none() {
        Html::route(&site_act(&site.name, "revoke"), voice.word(text::REVOKE))
    } else {
        Html::default()
    };
    let is_here = site.revoked.is_none() && is_here(site.last_seen, view.now);
    [
        Html::text(site.name.as_str()),
        state,
        presence(voice, view.now, site.last_seen, is_here),
        certificate,
        Html::text(heard.map_or("", |heard| heard.program_version.as_str())),
        policy.map_or_else(|| voice.word(words::NONE).soft(), |digest| Html::code(&digest.short())),
        Html::day(site.enrolled),
        act,
    ]
}
