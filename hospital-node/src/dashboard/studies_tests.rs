use snowball_policy::{PolicyFault, Spent};
use snowball_protocol::StudyName;

use super::*;
use crate::dashboard::testing;

fn plan() -> StudyPlan {
    toml::from_str(include_str!("../../../policies/cases/studies/body-parts.toml")).unwrap()
}

fn standing(plan: &StudyPlan) -> Standing {
    let site = "north".parse().unwrap();
    Standing::ask(Err(&PolicyFault::Missing), &site, plan, 10, Spent::default(), true, 0)
}

fn record(index: u64, entry: Entry) -> Record {
    let link = Sha256Digest::of(b"");
    Record {
        index,
        time: 1_792_454_400 + i64::try_from(index).unwrap() * 86_400,
        entry,
        previous: link,
        hash: link,
    }
}

fn join(plan: &StudyPlan) -> Entry {
    Entry::StudyJoined {
        study: plan.study.clone(),
        site: None,
        plan_digest: plan.digest(),
        policy_digest: Sha256Digest::of(b"policy"),
    }
}

fn shown(language: Language, fill: impl FnOnce(&mut Page)) -> String {
    testing::shown(TITLE, language, fill)
}

fn asks(plan: StudyPlan) -> Known {
    let standing = standing(&plan);
    Known {
        state: state(&[], &plan.digest(), None, false, &standing),
        plan,
        standing,
    }
}

#[test]
fn what_the_policy_does_not_permit_asks_and_its_page_shows_the_digest_and_why() {
    let one = asks(plan());
    let digest = one.plan.digest().to_string();
    let token = FormToken::new("token".to_owned());
    for language in Language::ALL {
        let list = shown(language, |page| fill(page, std::slice::from_ref(&one)));
        assert!(
            list.contains("class=\"bad\"") && list.contains(route(&one.plan.digest()).as_str()),
            "{list}"
        );
        let html = shown(language, |page| fill_item(page, &one, None, Some(&token)));
        for told in [
            &*digest,
            "/policy/install?plan=",
            "/decline\"",
            "<pre>",
            &COMPARED_NONE.text(language),
        ] {
            assert!(html.contains(told), "{told} in {html}");
        }
        let html = shown(language, |page| fill_item(page, &one, None, None));
        assert!(
            !html.contains("/policy/install") && !html.contains("/decline\""),
            "a reader decides nothing"
        );
    }
}

#[test]
fn a_person_s_no_comes_first_and_names_who_and_why() {
    let plan = plan();
    let entry = Entry::StudyWithheld {
        study: plan.study.clone(),
        plan_digest: plan.digest(),
        withheld: true,
        reviewer: "Curie".to_owned(),
        reason: "too few spines".to_owned(),
        account: "anna".to_owned(),
    };
    let records = [record(0, join(&plan)), record(1, entry)];
    let standing = standing(&plan);
    let state = state(&records, &plan.digest(), Some(PhaseName::Collecting), true, &standing);
    let told = words(&state, Language::English);
    assert!(
        told.as_str().contains("Curie") && told.as_str().contains("too few spines"),
        "{}",
        told.as_str()
    );
}

#[test]
fn the_last_word_about_a_plan_counts_and_a_study_that_is_over_asks_nothing() {
    let plan = plan();
    let declined = Entry::StudyDeclined {
        study: plan.study.clone(),
        site: None,
        plan_digest: plan.digest(),
        clause: "policy".to_owned(),
    };
    let records = [record(0, declined.clone()), record(1, join(&plan))];
    assert_eq!(joined(&records, &plan.digest()), Some(records[1].time));
    let records = [record(0, join(&plan)), record(1, declined)];
    assert_eq!(joined(&records, &plan.digest()), None);
    let over = state(
        &records,
        &plan.digest(),
        Some(PhaseName::Released),
        false,
        &standing(&plan),
    );
    assert!(matches!(over, State::Over));
}

#[test]
fn a_plan_is_compared_with_the_last_one_of_the_same_study_that_was_joined() {
    let with = |rounds: u32, name: &str| {
        let mut plan = plan();
        plan.rounds.count = rounds;
        plan.study = name.parse::<StudyName>().unwrap();
        plan
    };
    let (first, other, this) = (with(3, "bones"), with(4, "hips"), with(9, "bones"));
    let known: Vec<Known> = [first.clone(), other.clone(), this.clone()].map(asks).into();
    let records = [record(0, join(&first)), record(1, join(&other)), record(2, join(&this))];
    let (when, plan) = compared(&records, &known, &this).unwrap();
    assert_eq!((when, plan.digest()), (records[0].time, first.digest()));
    let (_, plan) = compared(&records[1..], &known, &this).unwrap();
    assert_eq!(plan.digest(), other.digest());
    assert!(compared(&records[2..], &known, &this).is_none());
    let html = shown(Language::English, |page| {
        fill_item(page, &known[2], compared(&records, &known, &this), None);
    });
    assert!(html.contains("rounds.count"), "{html}");
}

#[test]
fn a_confirmation_says_what_will_happen_and_asks_who_and_why() {
    let token = FormToken::new("token".to_owned());
    for withheld in [true, false] {
        let html = shown(Language::French, |page| {
            fill_confirmation(page, &plan(), withheld, &token, "Curie")
        });
        for field in ["name=\"reviewer\"", "value=\"Curie\"", "name=\"reason\""] {
            assert!(html.contains(field), "{field} in {html}");
        }
        assert_eq!(html.contains("/decline\""), withheld);
    }
}
