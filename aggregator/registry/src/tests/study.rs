//! A study from its first to its last round.

use snowball_protocol::{
    Problem, ProblemCode, Sha256Digest, evaluation::Evaluation, record::RoundRecord, session::Decline,
    update::FinalEvaluation,
};
use snowball_rounds::{Event, Phase};

use super::{Home, header, plan, round, site};
use crate::{Answer, RegistryError, Release, UploadState};

fn code<T: std::fmt::Debug>(outcome: Result<T, RegistryError>) -> ProblemCode {
    outcome.unwrap_err().problem().unwrap().code
}

fn record(number: u32) -> RoundRecord {
    RoundRecord {
        study: plan().study,
        round: round(number),
        opened: 0,
        closed: 0,
        model_in: Sha256Digest::of(b"in"),
        model_out: Sha256Digest::of(b"out"),
        server_state: None,
        control: None,
        contributions: vec![],
        refusals: vec![],
        silent: vec![],
        evaluation: None,
    }
}

#[tokio::test]
async fn a_study_runs_to_its_release_over_restarts_at_every_step() {
    let mut home = Home::new().await;
    home.collecting(&["north", "south"], 0).await;
    for number in 1..=2 {
        for name in ["north", "south"] {
            home = home.restarted().await;
            let receipt = home.contribute(name, 0, &[f32::from(number == 1), 2.0], 20).await;
            home = home.restarted().await;
            let replayed = home
                .registry
                .find_upload(&site(name), &plan().study, round(number), super::Attempt(0))
                .await;
            let state = replayed.unwrap().unwrap().state;
            assert!(matches!(state, UploadState::Admitted { receipt: kept, .. } if kept == receipt));
        }
        let study = home.study().await;
        assert!(matches!(study.phase, Phase::Aggregating(_)));
        assert_eq!(
            home.registry
                .admitted(&study.plan.study, round(number))
                .await
                .unwrap()
                .len(),
            2
        );
        let event = Event::Aggregated {
            round: round(number),
            model: Sha256Digest::of(&[number as u8]),
            control: None,
        };
        let step = study.phase.handle(event, 30, &study.plan).unwrap();
        let name = &study.plan.study;
        home.registry
            .close_round(name, study.version, &step, &record(number), 30)
            .await
            .unwrap();
    }
    let rounds = home.registry.rounds(&plan().study).await.unwrap();
    assert_eq!(rounds.len(), 2);
    assert!(
        rounds
            .iter()
            .all(|round| round.closed == Some(20) && round.record.is_some())
    );
    assert_eq!(rounds[1].model_in, Sha256Digest::of(&[1]));

    for name in ["north", "south"] {
        let study = home.study().await;
        let model_digest = study.phase.model().unwrap().digest;
        let evaluation = Some(Evaluation {
            model_digest,
            images: 3,
            heads: vec![],
            reconstruction: None,
            contrast: None,
        });
        let step = study
            .phase
            .handle(Event::Evaluated { site: site(name) }, 40, &study.plan)
            .unwrap();
        let answer = FinalEvaluation { evaluation, own: None };
        let (study, version) = (&study.plan.study, study.version);
        home.registry
            .save_evaluation(study, version, &step, &site(name), &answer, 40)
            .await
            .unwrap();
    }
    let all = home.registry.evaluations(&plan().study).await.unwrap();
    assert_eq!(all.len(), 2);
    for (name, told) in &all {
        let one = home.registry.evaluation(&plan().study, name).await.unwrap();
        assert_eq!(one.as_ref(), Some(told));
    }
    let nobody = home.registry.evaluation(&plan().study, &site("nowhere")).await;
    assert_eq!(nobody.unwrap(), None);

    let study = home.study().await;
    let release = Release {
        study: plan().study,
        digest: Sha256Digest::of(b"file"),
        model: study.phase.model().unwrap().digest,
        file: "releases/body-parts.safetensors".to_owned(),
        document: serde_json::json!({"card": "for radiographs"}),
        released: 50,
    };
    let step = study
        .phase
        .handle(
            Event::ReleaseSigned {
                release: release.digest,
            },
            50,
            &study.plan,
        )
        .unwrap();
    home.registry
        .add_release(&plan().study, study.version, &step, &release, 50)
        .await
        .unwrap();
    assert_eq!(home.registry.releases().await.unwrap(), [release]);
    assert!(matches!(home.restarted().await.study().await.phase, Phase::Released(_)));
}

#[tokio::test]
async fn whoever_comes_second_with_the_same_version_is_told_and_leaves_no_trace() {
    let home = Home::new().await;
    let study = home.collecting(&["north", "south"], 0).await;
    let name = &study.plan.study;
    let tick = study.phase.handle(Event::Tick, 60, &study.plan).unwrap();
    assert!(tick.changed);
    let version = home.registry.save_phase(name, study.version, &tick, 60).await.unwrap();
    assert_eq!(version, study.version + 1);
    let stale = home.registry.save_phase(name, study.version, &tick, 61).await;
    assert!(matches!(stale, Err(RegistryError::Stale { .. })));

    let upload = home.announce("north", 0, &[1.0]).await.unwrap();
    home.registry.advance_upload(&upload.id, 0, 4, 70).await.unwrap();
    let (read, step, admitted, receipt) = home.checked(&upload, &[1.0], 70).await;
    home.send(Event::Tick, 200).await;
    let stale = home
        .registry
        .admit_update(&upload.id, read.version, &step, &admitted, &receipt, 70)
        .await;
    assert!(matches!(stale, Err(RegistryError::Stale { .. })));
    let kept = home.registry.upload(&upload.id).await.unwrap().unwrap();
    assert_eq!(kept.state, UploadState::Uploading);
    assert!(!home.study().await.phase.has_contributed(&site("north")));
    assert_eq!(
        home.registry.site(&site("north")).await.unwrap().unwrap().ledger_head,
        None
    );

    let unknown = home.registry.save_phase(&"other".parse().unwrap(), 1, &tick, 60).await;
    assert_eq!(code(unknown), ProblemCode::NotFound);
    assert_eq!(
        code(home.registry.create_study(&plan(), 0).await),
        ProblemCode::Malformed
    );
}

#[tokio::test]
async fn an_upload_goes_on_where_it_stands_and_never_past_its_size() {
    let home = Home::new().await;
    home.collecting(&["north", "south"], 0).await;
    let values = [1.0, 2.0];
    let upload = home.announce("north", 0, &values).await.unwrap();
    home.registry.advance_upload(&upload.id, 0, 5, 11).await.unwrap();
    let home = home.restarted().await;
    let resumed = home.announce("north", 0, &values).await.unwrap();
    assert_eq!(
        (resumed.id.clone(), resumed.offset, resumed.moved),
        (upload.id.clone(), 5, 11)
    );
    for (from, to) in [(0, 5), (6, 8), (5, 4)] {
        let gap = home.registry.advance_upload(&upload.id, from, to, 12).await;
        assert_eq!(code(gap), ProblemCode::OffsetMismatch);
    }
    assert_eq!(
        code(home.registry.advance_upload(&upload.id, 5, 9, 12).await),
        ProblemCode::TooLarge
    );
    assert_eq!(
        code(home.announce("north", 0, &[1.0, 3.0]).await),
        ProblemCode::DigestMismatch
    );
    let (study, step, admitted, receipt) = home.checked(&upload, &values, 12).await;
    let early = home
        .registry
        .admit_update(&upload.id, study.version, &step, &admitted, &receipt, 12)
        .await;
    assert_eq!(code(early), ProblemCode::DigestMismatch, "three bytes are missing");
}

#[tokio::test]
async fn an_update_counts_once_whatever_is_sent_again() {
    let home = Home::new().await;
    home.collecting(&["north", "south", "east"], 0).await;
    home.contribute("north", 1, &[1.0], 20).await;
    let again = home.announce("north", 1, &[1.0]).await.unwrap();
    assert!(matches!(again.state, UploadState::Admitted { .. }));
    assert_eq!(
        code(home.registry.advance_upload(&again.id, 4, 4, 21).await),
        ProblemCode::AlreadyContributed
    );
    assert_eq!(
        code(home.announce("north", 2, &[1.0]).await),
        ProblemCode::AlreadyContributed
    );
    let problem = Problem::new(ProblemCode::NotFinite, "too late to refuse");
    assert_eq!(
        code(home.registry.refuse_update(&again.id, &problem, 21).await),
        ProblemCode::AlreadyContributed
    );
    let north = home.registry.site(&site("north")).await.unwrap().unwrap();
    assert_eq!(
        (north.ledger_index, north.ledger_head),
        (Some(6), Some(Sha256Digest::of(&1_u32.to_le_bytes())))
    );
}

#[tokio::test]
async fn a_newer_try_supersedes_and_tries_are_bounded() {
    let home = Home::new().await;
    home.collecting(&["north", "south"], 0).await;
    let first = home.announce("north", 0, &[1.0]).await.unwrap();
    let second = home.announce("north", 3, &[2.0]).await.unwrap();
    assert_ne!(first.id, second.id);
    assert_eq!(code(home.announce("north", 0, &[1.0]).await), ProblemCode::RoundClosed);
    assert_eq!(code(home.announce("north", 2, &[1.0]).await), ProblemCode::RoundClosed);
    assert_eq!(
        code(home.registry.advance_upload(&first.id, 0, 4, 20).await),
        ProblemCode::RoundClosed
    );

    let problem = Problem::new(ProblemCode::NormExceeded, "the update's norm is too large");
    home.registry.refuse_update(&second.id, &problem, 20).await.unwrap();
    assert_eq!(code(home.announce("north", 3, &[2.0]).await), ProblemCode::NormExceeded);
    assert_eq!(
        home.registry.refusals(&plan().study, round(1)).await.unwrap()[0].code,
        ProblemCode::NormExceeded
    );

    let spent = home.registry.spent_files().await.unwrap();
    assert_eq!(spent.len(), 2);
    home.registry
        .forget_files(std::slice::from_ref(&first.id))
        .await
        .unwrap();
    assert_eq!(home.registry.spent_files().await.unwrap().len(), 1);

    for attempt in 4..66 {
        home.announce("north", attempt, &[1.0]).await.unwrap();
    }
    assert_eq!(code(home.announce("north", 66, &[1.0]).await), ProblemCode::RoundClosed);
    home.announce("south", 66, &[1.0]).await.unwrap();
}

#[tokio::test]
async fn what_is_not_whole_when_the_round_closes_is_late_and_in_the_record() {
    let home = Home::new().await;
    home.collecting(&["north", "south", "east"], 0).await;
    home.contribute("north", 0, &[1.0], 20).await;
    let late = home.announce("east", 0, &[1.0]).await.unwrap();
    home.registry.advance_upload(&late.id, 0, 2, 30).await.unwrap();
    home.contribute("south", 0, &[1.0], 40).await;
    let study = home.send(Event::Tick, 60).await;
    assert!(matches!(study.phase, Phase::Aggregating(_)));
    assert_eq!(
        code(home.registry.advance_upload(&late.id, 2, 4, 61).await),
        ProblemCode::RoundClosed
    );
    let refusals = home.registry.refusals(&study.plan.study, round(1)).await.unwrap();
    assert_eq!(refusals.len(), 1);
    assert_eq!(
        (&refusals[0].site, refusals[0].code),
        (&site("east"), ProblemCode::RoundClosed)
    );
    assert_eq!(
        home.registry.spent_files().await.unwrap().len(),
        1,
        "the counted ones are still needed"
    );
}

#[tokio::test]
async fn an_update_of_a_site_that_is_revoked_between_check_and_count_does_not_count() {
    let home = Home::new().await;
    home.collecting(&["north", "south"], 0).await;
    let upload = home.announce("north", 0, &[1.0]).await.unwrap();
    home.registry.advance_upload(&upload.id, 0, 4, 20).await.unwrap();
    let (study, step, admitted, receipt) = home.checked(&upload, &[1.0], 20).await;
    home.registry.revoke_site(&site("north"), "key seen", 20).await.unwrap();
    let outcome = home
        .registry
        .admit_update(&upload.id, study.version, &step, &admitted, &receipt, 20)
        .await;
    assert_eq!(code(outcome), ProblemCode::CertificateRevoked);
    assert!(!home.study().await.phase.has_contributed(&site("north")));
}

#[tokio::test]
async fn refusals_do_not_pile_up() {
    let home = Home::new().await;
    let study = home.collecting(&["north", "south"], 0).await;
    let name = &study.plan.study;
    for now in 0..50 {
        let problem = Problem::new(ProblemCode::LayoutMismatch, format!("time {now}"));
        home.registry
            .note_refusal(name, round(1), &site("north"), &problem, now)
            .await
            .unwrap();
        home.registry
            .note_refusal(name, round(900), &site("north"), &problem, now)
            .await
            .unwrap();
    }
    let refusals = home.registry.refusals(name, round(1)).await.unwrap();
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals[0].reason, "time 49");
    home.contribute("south", 0, &[1.0], 60).await;
    let totals = home.registry.totals().await.unwrap();
    assert_eq!(totals.admitted, 1);
    assert_eq!(
        totals.refused.into_iter().collect::<Vec<_>>(),
        [("layout_mismatch".to_owned(), 1)]
    );
    assert!(home.registry.refusals(name, round(900)).await.unwrap().is_empty());
}

#[tokio::test]
async fn answers_to_a_study_are_kept_and_a_revoked_site_gives_none() {
    let home = Home::new().await;
    let study = home.collecting(&["north", "south"], 0).await;
    home.enrol("east", 0).await;
    let decline = Decline {
        plan_digest: study.plan_digest,
        clause: "studies.allowed".to_owned(),
        reason: "no".to_owned(),
    };
    home.registry
        .decline(&study.plan.study, &site("east"), &decline, 1)
        .await
        .unwrap();
    let participants = home.registry.participants(&study.plan.study).await.unwrap();
    let clauses: Vec<_> = participants
        .iter()
        .map(|participant| match &participant.answer {
            Answer::Joined(_) => "joined",
            Answer::Declined(decline) => decline.clause.as_str(),
        })
        .collect();
    assert_eq!(clauses, ["studies.allowed", "joined", "joined"]);

    home.registry.revoke_site(&site("east"), "", 2).await.unwrap();
    let revoked = home
        .registry
        .decline(&study.plan.study, &site("east"), &decline, 3)
        .await;
    assert_eq!(code(revoked), ProblemCode::CertificateRevoked);
    let step = study
        .phase
        .handle(Event::Joined { site: site("east") }, 3, &study.plan)
        .unwrap();
    let name = &study.plan.study;
    let join = home
        .registry
        .join(name, study.version, &step, &site("east"), &super::join_request(), 3)
        .await;
    assert_eq!(code(join), ProblemCode::CertificateRevoked);
    assert!(!home.study().await.phase.is_member(&site("east")));
    let unknown = home
        .registry
        .decline(&"other".parse().unwrap(), &site("north"), &decline, 3)
        .await;
    assert_eq!(code(unknown), ProblemCode::NotFound);
}

#[tokio::test]
async fn a_round_that_never_was_takes_no_upload() {
    let home = Home::new().await;
    let study = home.collecting(&["north", "south"], 0).await;
    let mut header = header(&study, 0, &[1.0]);
    header.round = round(7);
    assert!(home.registry.begin_upload(&site("north"), &header, 1).await.is_err());
    header.round = round(1);
    header.bytes = u64::MAX;
    let huge = home.registry.begin_upload(&site("north"), &header, 1).await;
    assert!(matches!(huge, Err(RegistryError::TooLarge { .. })));
}

#[tokio::test]
async fn what_one_site_adds_is_one_row_until_the_phase_becomes_another_one() {
    let home = Home::new().await;
    let opened = home.collecting(&["north", "south", "east"], 0).await;
    let kept = async || {
        let phase: String = sqlx::query_scalar("SELECT phase FROM phases")
            .fetch_one(&home.registry.readers)
            .await
            .unwrap();
        let additions: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM additions")
            .fetch_one(&home.registry.readers)
            .await
            .unwrap();
        (phase, additions)
    };
    let (whole, additions) = kept().await;
    assert_eq!(additions, 0, "the last joining opened the round");
    home.contribute("north", 0, &[1.0], 20).await;
    assert_eq!(kept().await, (whole.clone(), 1));
    home.contribute("south", 0, &[1.0], 21).await;
    assert_eq!(kept().await, (whole.clone(), 2));

    let study = home.study().await;
    assert_eq!(study.version, opened.version + 2);
    assert!(study.phase.has_contributed(&site("north")) && study.phase.has_contributed(&site("south")));
    assert_eq!(home.registry.studies().await.unwrap(), [study]);

    let upload = home.announce("east", 0, &[1.0]).await.unwrap();
    home.registry.advance_upload(&upload.id, 0, 4, 22).await.unwrap();
    let (_, _, admitted, receipt) = home.checked(&upload, &[1.0], 22).await;
    let addition = opened.phase.addition(&admitted.event(), 22, &opened.plan).unwrap();
    let stale = home
        .registry
        .admit_update(&upload.id, opened.version, &addition, &admitted, &receipt, 22)
        .await;
    assert!(matches!(stale, Err(RegistryError::Stale { .. })));
    assert_eq!(
        kept().await,
        (whole.clone(), 2),
        "nothing of what came too late is kept"
    );

    home.contribute("east", 1, &[1.0], 23).await;
    let (closed, additions) = kept().await;
    assert_eq!(additions, 0);
    assert_ne!(closed, whole);
    assert_eq!(home.study().await.phase.contributions().len(), 3);
}
