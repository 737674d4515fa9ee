//! The studies that this node was shown: which ask for the board's approval, what each would mean, and a person's no.

use anyhow::Result;
use snowball_dashboard::plan_facts;
use snowball_egress::Budget;
use snowball_ledger::{Entry, Record};
use snowball_policy::SignedPolicy;
use snowball_protocol::{Sha256Digest, StudyPlan, ids::UnixSeconds, session::PhaseName};
use snowball_web::{Column, Confirmation, FormToken, Html, Language, Page, Route, Table, messages};

use super::{
    desk::Desk,
    plan::{self, differences},
    policy::install_route,
    quarantine::decider,
    tell::with_digests,
};
use crate::{
    now::course,
    plans,
    preview::{self, Answer, Standing, french},
    withheld,
};

messages! {
    TITLE = "Studies", "Études";
    LEAD = "A study is a document without code. The ethics board approves it by its digest, in a policy that it signs; the node takes part in that plan to the letter, or not at all.", "Une étude est un document sans code. Le comité d’éthique l’approuve par son empreinte, dans une politique qu’il signe ; le nœud participe à ce plan à la lettre, ou pas du tout.";
    NONE = "This node was shown no study yet. Plans come once the node runs and the coordinator starts a study.", "Aucune étude n’a encore été présentée à ce nœud. Les plans arrivent quand le nœud tourne et que le coordinateur démarre une étude.";
    ASK = "Ask for approval", "Demandent une approbation";
    ASK_NONE = "No study asks for approval.", "Aucune étude ne demande d’approbation.";
    OTHERS = "Others", "Les autres";
    STUDY = "study", "étude";
    SUBJECT = "title", "titre";
    STATE = "state", "état";
    PLAN = "plan", "plan";
    TAKES_PART = "takes part since {day}", "participe depuis le {day}";
    PERMITTED = "permitted; joins when the node runs", "permise ; le nœud la rejoint quand il tourne";
    ASKS = "not permitted, by `{clause}`", "non permise, selon `{clause}`";
    WITHHELD = "declined here by {reviewer} on {day}: {reason}", "refusée ici par {reviewer} le {day} : {reason}";
    WITHHELD_BY_NOBODY = "declined here", "refusée ici";
    OVER = "over", "terminée";

    IN_WORDS = "What it would do", "Ce qu’elle ferait";
    WHOLE = "The whole document", "Le document entier";
    COMPARED = "Difference to {study}, which this site joined on {day}", "Différence avec {study}, rejointe par ce site le {day}";
    COMPARED_SAME = "No field differs.", "Aucun champ ne diffère.";
    COMPARED_NONE = "This site has joined no other plan yet, so there is nothing to compare with.", "Ce site n’a encore rejoint aucun autre plan ; il n’y a rien à comparer.";
    ANSWERS = "What the policy in force says to it", "Ce que la politique en vigueur en dit";
    QUESTION = "may this node", "ce nœud peut-il";
    ANSWER = "answer", "réponse";
    YES = "yes", "oui";
    NO = "no: {reason}", "non : {reason}";
    REMEDY = "what to do", "que faire";
    ANSWERS_SAY = "As if there were patients enough; how many there are is asked when it joins.", "Comme si les patients étaient assez nombreux ; leur nombre est vérifié au moment de rejoindre.";
    PREVIEW = "To see the very bytes that would leave, on made-up radiographs: `hospital-node study preview --study {study} --out FOLDER`.", "Pour voir les octets exacts qui sortiraient, sur des radiographies inventées : `hospital-node study preview --study {study} --out DOSSIER`.";
    DECIDE = "Decide", "Décider";
    APPROVE = "Approve: install the policy in which the board approves this digest", "Approuver : installer la politique dans laquelle le comité approuve cette empreinte";
    APPROVE_SAYS = "The board reads the plan, writes its digest into the policy and signs it. Only that signature approves a study; this page checks it, shows what changes, and puts it in force.", "Le comité lit le plan, inscrit son empreinte dans la politique et la signe. Seule cette signature approuve une étude ; cette page la vérifie, montre ce qui change et la met en vigueur.";
    DECLINE = "Decline: keep this site out of it", "Refuser : tenir ce site à l’écart";
    DECLINE_SAYS = "Whatever the policy permits, until somebody reconsiders. What has left has left; nothing more does.", "Quoi que permette la politique, jusqu’à ce que quelqu’un revienne sur sa décision. Ce qui est sorti est sorti ; rien de plus ne sort.";
    RECONSIDER = "Reconsider: let this site take part as far as the policy permits", "Reconsidérer : laisser ce site participer dans les limites de la politique";
    READER = "You may read this and change nothing. An operator decides.", "Vous pouvez lire cette page sans rien modifier. Un opérateur décide.";
    BACK = "Back to all studies", "Retour à toutes les études";

    CONFIRM_DECLINE = "Keep this site out of {study}?", "Tenir ce site à l’écart de {study} ?";
    CONFIRM_RECONSIDER = "Let this site take part in {study} again?", "Laisser ce site participer de nouveau à {study} ?";
    WILL_TELL = "The coordinator hears that a person at this site decided so, and neither who nor why.", "Le coordinateur apprend qu’une personne de ce site en a décidé ainsi, sans savoir qui ni pourquoi.";
    WILL_RECORD = "Your name, your words and the decision go into this hospital’s ledger, which nobody can change.", "Votre nom, vos mots et la décision sont inscrits au registre de cet hôpital, que personne ne peut modifier.";
    WILL_ASK = "The policy is asked again, and the site joins only if it permits this plan.", "La politique est de nouveau consultée, et le site ne participe que si elle permet ce plan.";
    DECLINE_BUTTON = "Decline the study", "Refuser l’étude";
    RECONSIDER_BUTTON = "Reconsider it", "Reconsidérer";
    DONE_DECLINED = "This site stays out of {study}.", "Ce site reste à l’écart de {study}.";
    DONE_RECONSIDERED = "This site takes part in {study} as far as the policy permits.", "Ce site participe à {study} dans les limites de la politique.";
}

/// Where a plan stands at this site.
pub enum State {
    Over,
    TakesPart {
        since: UnixSeconds,
    },
    /// Who keeps the site out, and why.
    Withheld(Option<(String, String, UnixSeconds)>),
    Permitted,
    /// The policy does not permit it, by this clause.
    Asks {
        clause: String,
    },
}

/// One plan, and where it stands.
pub struct Known {
    pub plan: StudyPlan,
    pub state: State,
    pub standing: Standing,
}

/// Every plan that this node keeps, those that ask first.
pub fn known(desk: &Desk, now: UnixSeconds) -> Result<Vec<Known>> {
    let ledger = desk.ledger();
    let policy = desk.policy();
    let course = course::look(&desk.home).map(|seen| seen.page).unwrap_or_default();
    let mut known: Vec<Known> = plans::all(&desk.home)
        .into_iter()
        .map(|plan| {
            let standing = ask(desk, &plan, policy.as_ref(), &ledger.records, now);
            let phase = course.studies.get(&plan.study).and_then(|study| study.phase);
            let is_withheld = withheld::is(&desk.home, &plan.digest());
            let state = state(&ledger.records, &plan.digest(), phase, is_withheld, &standing);
            Known { plan, state, standing }
        })
        .collect();
    known.sort_by(|one, other| {
        one.plan
            .study
            .cmp(&other.plan.study)
            .then_with(|| one.plan.digest().cmp(&other.plan.digest()))
    });
    Ok(known)
}

/// How many ask for approval.
pub fn asking(desk: &Desk, now: UnixSeconds) -> Result<u64> {
    let known = known(desk, now)?;
    let asks = |one: &&Known| matches!(one.state, State::Asks { .. });
    Ok(known.iter().filter(asks).count() as u64)
}

/// What the policy says to a plan.
pub fn ask(
    desk: &Desk,
    plan: &StudyPlan,
    policy: Result<&SignedPolicy, &snowball_policy::PolicyFault>,
    records: &[Record],
    now: UnixSeconds,
) -> Standing {
    let spent = Budget::of(records).spent(&plan.study, None, None, now);
    // Whether the kernel holds the trainer is the doctor's question, and asked again before anything is trained.
    Standing::ask(
        policy,
        &desk.config.site,
        plan,
        preview::update_bytes(plan),
        spent,
        true,
        now,
    )
}

fn state(
    records: &[Record],
    digest: &Sha256Digest,
    phase: Option<PhaseName>,
    is_withheld: bool,
    standing: &Standing,
) -> State {
    if is_withheld {
        return State::Withheld(records.iter().rev().find_map(|record| match &record.entry {
            Entry::StudyWithheld {
                plan_digest,
                reviewer,
                reason,
                withheld: true,
                ..
            } if plan_digest == digest => Some((reviewer.clone(), reason.clone(), record.time)),
            _ => None,
        }));
    }
    if matches!(phase, Some(PhaseName::Released | PhaseName::Abandoned)) {
        return State::Over;
    }
    if let Some(answer) = standing.obstacle() {
        return State::Asks {
            clause: answer.clause.clone(),
        };
    }
    joined(records, digest).map_or(State::Permitted, |since| State::TakesPart { since })
}

/// When the site joined a plan, where that was its last word.
fn joined(records: &[Record], digest: &Sha256Digest) -> Option<UnixSeconds> {
    let word = records.iter().rev().find_map(|record| match &record.entry {
        Entry::StudyJoined { plan_digest, .. } if plan_digest == digest => Some(Some(record.time)),
        Entry::StudyDeclined { plan_digest, .. } if plan_digest == digest => Some(None),
        _ => None,
    });
    word.flatten()
}

/// The plan that this site joined last besides this one, of the same study where there is one.
pub fn compared<'a>(records: &[Record], known: &'a [Known], this: &StudyPlan) -> Option<(UnixSeconds, &'a StudyPlan)> {
    let joined = records.iter().rev().filter_map(|record| match &record.entry {
        Entry::StudyJoined { plan_digest, .. } if *plan_digest != this.digest() => {
            let plan = known.iter().find(|one| one.plan.digest() == *plan_digest)?;
            Some((record.time, &plan.plan))
        }
        _ => None,
    });
    let joined: Vec<_> = joined.collect();
    let same = joined.iter().find(|(_, plan)| plan.study == this.study);
    same.or_else(|| joined.first()).copied()
}

/// Fills the list.
pub fn fill(page: &mut Page, known: &[Known]) {
    let language = page.language();
    page.lead(LEAD.html(language));
    if known.is_empty() {
        page.say(NONE.html(language));
        return;
    }
    let asks = |one: &&Known| matches!(one.state, State::Asks { .. });
    page.section(ASK.html(language));
    if !known.iter().any(|one| asks(&one)) {
        page.say(ASK_NONE.html(language).good());
    }
    page.table(&table(ASK.html(language), known.iter().filter(asks), language));
    let others = table(OTHERS.html(language), known.iter().filter(|one| !asks(one)), language);
    if !others.is_empty() {
        page.section(OTHERS.html(language));
    }
    page.table(&others);
}

fn table<'a>(caption: Html, known: impl Iterator<Item = &'a Known>, language: Language) -> Table<4> {
    let mut table = Table::new([
        Column::names(STUDY.html(language)),
        Column::words(SUBJECT.html(language)),
        Column::words(STATE.html(language)),
        Column::words(PLAN.html(language)),
    ])
    .with_caption(caption.unseen());
    for one in known {
        let digest = one.plan.digest();
        table.row([
            Html::route(&route(&digest), Html::text(one.plan.study.as_str())),
            Html::text(&one.plan.title),
            words(&one.state, language),
            Html::code(&digest.short()),
        ]);
    }
    table
}

fn words(state: &State, language: Language) -> Html {
    match state {
        State::Over => OVER.html(language).soft(),
        State::TakesPart { since } => TAKES_PART.say(language, &[("day", Html::day(*since))]).good(),
        State::Permitted => PERMITTED.html(language),
        State::Asks { clause } => ASKS.say(language, &[("clause", Html::text(clause))]).bad(),
        State::Withheld(None) => WITHHELD_BY_NOBODY.html(language),
        State::Withheld(Some((reviewer, reason, when))) => WITHHELD.say(
            language,
            &[
                ("reviewer", Html::text(reviewer)),
                ("day", Html::day(*when)),
                ("reason", Html::text(reason)),
            ],
        ),
    }
}

/// Fills the page of one study.
pub fn fill_item(page: &mut Page, one: &Known, compared: Option<(UnixSeconds, &StudyPlan)>, token: Option<&FormToken>) {
    let language = page.language();
    page.lead(Html::text(&one.plan.title));
    page.say(words(&one.state, language));
    page.section(IN_WORDS.html(language));
    page.facts(plan_facts(&one.plan, language));
    let study = ("study", Html::text(one.plan.study.as_str()));
    page.say(PREVIEW.say(language, &[study]).soft());
    match compared {
        None => page.say(COMPARED_NONE.html(language)),
        Some((when, other)) => {
            let values = [("study", Html::text(other.study.as_str())), ("day", Html::day(when))];
            let heading = COMPARED.say(language, &values);
            page.section(heading.clone());
            let found = differences(other, &one.plan);
            if found.is_empty() {
                page.say(COMPARED_SAME.html(language));
            }
            plan::table(page, heading.unseen(), &found);
        }
    }
    answers(page, &one.standing);
    page.folded(WHOLE.html(language), |page| {
        let document = toml::to_string_pretty(&one.plan).unwrap_or_default();
        page.verbatim(&document);
    });
    page.section(DECIDE.html(language));
    match token {
        None => page.say(READER.html(language)),
        Some(_) => ways_to_decide(page, one),
    }
    page.say(Html::route(&Route::of(["studies"]), BACK.html(language)));
}

/// Questions with the same answer share a row.
fn answers(page: &mut Page, standing: &Standing) {
    let language = page.language();
    page.section(ANSWERS.html(language));
    page.say(ANSWERS_SAY.html(language).soft());
    let [answer, remedy] = [ANSWER, REMEDY].map(|heading| Column::words(heading.html(language)));
    let mut table = Table::new([Column::names(QUESTION.html(language)), answer, remedy])
        .with_caption(ANSWERS.html(language).unseen());
    let is_alike = |one: &Answer, other: &Answer| one.clause == other.clause && one.reason == other.reason;
    for alike in standing.answers.chunk_by(is_alike) {
        let questions = alike.iter().map(|answer| match language {
            Language::English => Html::text(answer.question),
            Language::French => Html::text(french(answer.question).unwrap_or(answer.question)),
        });
        let [answer, ..] = alike else { continue };
        let (reason, remedy) = match (language, &answer.why_in_french) {
            (Language::French, Some((reason, remedy))) => (reason.as_str(), remedy.as_str()),
            _ => (
                answer.reason.as_deref().unwrap_or_default(),
                answer.remedy.as_deref().unwrap_or_default(),
            ),
        };
        let says = if answer.permitted {
            YES.html(language).good()
        } else {
            NO.say(language, &[("reason", with_digests(reason))]).bad()
        };
        let says = Html::below([says, Html::code(&answer.clause)]);
        table.row([Html::below(questions), says, with_digests(remedy)]);
    }
    page.table(&table);
}

fn ways_to_decide(page: &mut Page, one: &Known) {
    let language = page.language();
    let digest = one.plan.digest();
    let below = |part: &str| Route::of(["studies", &digest.to_string(), part]);
    if let State::Asks { .. } = one.state {
        page.part(Html::route(&install_route(Some(&digest)), APPROVE.html(language)));
        page.say(APPROVE_SAYS.html(language));
    }
    match one.state {
        State::Withheld(_) => page.part(Html::route(&below("reconsider"), RECONSIDER.html(language))),
        _ => {
            page.part(Html::route(&below("decline"), DECLINE.html(language)));
            page.say(DECLINE_SAYS.html(language));
        }
    }
}

/// Fills the page that asks once more.
pub fn fill_confirmation(page: &mut Page, plan: &StudyPlan, withheld: bool, token: &FormToken, name: &str) {
    let language = page.language();
    let digest = plan.digest();
    let (first, part, button) = if withheld {
        (DECLINE_SAYS, "decline", DECLINE_BUTTON)
    } else {
        (WILL_ASK, "reconsider", RECONSIDER_BUTTON)
    };
    page.lead(Html::text(&plan.title).and(" ").and(Html::code(&digest.to_string())));
    page.confirmation(
        token,
        Confirmation {
            will_happen: [first, WILL_TELL, WILL_RECORD].map(|will| will.html(language)).to_vec(),
            route: Route::of(["studies", &digest.to_string(), part]),
            hidden: &[],
            asks_line: Some(decider(name, language)),
            asks_reason: true,
            button: button.html(language),
            back: route(&digest),
        },
    );
}

/// Where the page of a plan is.
pub fn route(digest: &Sha256Digest) -> Route {
    Route::of(["studies", &digest.to_string()])
}

#[cfg(test)]
#[path = "studies_tests.rs"]
mod tests;
