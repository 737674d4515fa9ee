//! From an invitation to a certificate, and out again.

use snowball_protocol::{ProblemCode, Sha256Digest};

use super::{Home, certificate, request, site};
use crate::{Consortium, Decision, Heard, Redeemed, RegistryError, SUPERSEDED, Standing};

fn code<T: std::fmt::Debug>(outcome: Result<T, RegistryError>) -> ProblemCode {
    outcome.unwrap_err().problem().unwrap().code
}

#[tokio::test]
async fn an_invitation_is_redeemed_once_by_one_key_in_its_time() {
    let home = Home::new().await;
    let registry = &home.registry;
    let key = Sha256Digest::of(b"key");
    registry.invite(&site("north"), "secret", 100, 0).await.unwrap();

    let unknown = registry.redeem_invitation(&request("north", "guess"), key, 1).await;
    assert_eq!(code(unknown), ProblemCode::InvitationInvalid);
    let other = registry.redeem_invitation(&request("south", "secret"), key, 1).await;
    assert_eq!(code(other), ProblemCode::InvitationInvalid);
    let late = registry.redeem_invitation(&request("north", "secret"), key, 101).await;
    assert_eq!(code(late), ProblemCode::InvitationInvalid);

    let redeemed = registry.redeem_invitation(&request("north", "secret"), key, 100).await;
    let Redeemed::New(id) = redeemed.unwrap() else {
        panic!("the first use is new")
    };
    let replayed = registry.redeem_invitation(&request("north", "secret"), key, 200).await;
    assert_eq!(replayed.unwrap(), Redeemed::Again(id.clone()));
    assert_eq!(registry.enrolments().await.unwrap().len(), 1);

    let status = registry.enrolment_status(&id, "secret").await.unwrap();
    assert_eq!(status.decision, Decision::Pending);
    assert_eq!(
        code(registry.enrolment_status(&id, "guess").await),
        ProblemCode::NotFound
    );
}

#[tokio::test]
async fn a_new_invitation_ends_the_unused_one_before_it() {
    let home = Home::new().await;
    home.registry.invite(&site("north"), "first", 100, 0).await.unwrap();
    home.registry.invite(&site("north"), "second", 100, 1).await.unwrap();
    let key = Sha256Digest::of(b"key");
    let first = home
        .registry
        .redeem_invitation(&request("north", "first"), key, 2)
        .await;
    assert_eq!(code(first), ProblemCode::InvitationInvalid);
    home.registry
        .redeem_invitation(&request("north", "second"), key, 2)
        .await
        .unwrap();
}

#[tokio::test]
async fn another_key_gets_nothing_and_the_coordinator_sees_it() {
    let home = Home::new().await;
    let registry = &home.registry;
    registry.invite(&site("north"), "secret", 100, 0).await.unwrap();
    let ours = Sha256Digest::of(b"ours");
    let redeemed = registry.redeem_invitation(&request("north", "secret"), ours, 1).await;
    assert!(matches!(redeemed, Ok(Redeemed::New(_))));
    let mut stolen = request("north", "secret");
    stolen.csr_pem.push_str(" of a thief");
    let thief = Sha256Digest::of(b"thief");
    for (time, is_new) in [(2, true), (3, false), (300, false)] {
        let answer = registry.redeem_invitation(&stolen, thief, time).await.unwrap();
        assert_eq!(answer, Redeemed::Contested { is_new });
    }
    // However many keys they make.
    for number in 0..20u8 {
        let key = Sha256Digest::of(&[number]);
        registry.redeem_invitation(&stolen, key, 4).await.unwrap();
    }
    let contests = registry.contests().await.unwrap();
    assert_eq!(contests.len(), 8);
    assert_eq!(
        (contests[0].key_fingerprint, contests[0].tries, contests[0].last_tried),
        (thief, 3, 300)
    );
    assert_eq!(registry.enrolments().await.unwrap().len(), 1);
    let pending = registry.pending_enrolments(&site("north")).await.unwrap().remove(0);
    assert_eq!(pending.key_fingerprint, ours);
    registry.refuse(&pending.id, "the line leaked", 400).await.unwrap();
    assert_eq!(
        code(registry.redeem_invitation(&stolen, thief, 401).await),
        ProblemCode::EnrolmentRefused
    );
}

#[tokio::test]
async fn each_refusal_of_an_invitation_has_its_own_words() {
    let home = Home::new().await;
    let registry = &home.registry;
    let key = Sha256Digest::of(b"key");
    registry.invite(&site("north"), "secret", 100, 0).await.unwrap();
    let mut said = Vec::new();
    for (name, token, time) in [
        ("north", "guess", 1),
        ("south", "secret", 1),
        ("north", "secret", 100 + 3 * 3600),
    ] {
        let refused = registry.redeem_invitation(&request(name, token), key, time).await;
        said.push(refused.unwrap_err().problem().unwrap().to_string());
    }
    assert!(said[0].contains("altered") && said[1].contains("another site") && said[2].contains("expired 3 hours ago"));
    assert!(said.iter().all(|words| words.contains("coordinator")), "{said:?}");
    assert_eq!(registry.enrolments().await.unwrap(), []);
}

#[tokio::test]
async fn the_approval_of_one_request_refuses_the_others_of_its_site() {
    let home = Home::new().await;
    let registry = &home.registry;
    let mut ids = Vec::new();
    for (time, token) in (1..).zip(["first", "second"]) {
        registry.invite(&site("north"), token, 100, time).await.unwrap();
        let key = Sha256Digest::of(token.as_bytes());
        match registry
            .redeem_invitation(&request("north", token), key, time)
            .await
            .unwrap()
        {
            Redeemed::New(id) => ids.push(id),
            other => panic!("{other:?}"),
        }
    }
    let pending = registry.pending_enrolments(&site("north")).await.unwrap();
    assert_eq!(
        pending.iter().map(|one| &one.id).collect::<Vec<_>>(),
        [&ids[1], &ids[0]]
    );
    registry
        .approve(&ids[0], &certificate("1"), "compared", 5)
        .await
        .unwrap();
    assert_eq!(registry.pending_enrolments(&site("north")).await.unwrap(), []);
    let decision = registry.enrolment_status(&ids[1], "second").await.unwrap().decision;
    assert!(matches!(decision, Decision::Refused { reason, .. } if reason == SUPERSEDED));
    assert_eq!(
        code(registry.approve(&ids[1], &certificate("2"), "too late", 6).await),
        ProblemCode::RequestInvalid
    );
}

#[tokio::test]
async fn no_token_is_in_the_files() {
    let home = Home::new().await;
    home.registry
        .invite(&site("north"), "a-token-to-look-for", 100, 0)
        .await
        .unwrap();
    let holds_it = |path: std::path::PathBuf| {
        let content = std::fs::read(path).unwrap();
        content.windows(19).any(|window| window == b"a-token-to-look-for")
    };
    let files: Vec<_> = std::fs::read_dir(home.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(files.len() > 1, "the log of the database is there too");
    assert!(!files.into_iter().any(holds_it));
}

#[tokio::test]
async fn a_decision_is_made_once() {
    let home = Home::new().await;
    let registry = &home.registry;
    registry.invite(&site("north"), "secret", 100, 0).await.unwrap();
    let key = Sha256Digest::of(b"key");
    let redeemed = registry.redeem_invitation(&request("north", "secret"), key, 1).await;
    let Redeemed::New(id) = redeemed.unwrap() else {
        panic!("the first use is new")
    };
    let pending = registry.pending_enrolments(&site("north")).await.unwrap();
    assert_eq!(
        pending.into_iter().map(|one| one.id).collect::<Vec<_>>(),
        std::slice::from_ref(&id)
    );
    registry.refuse(&id, "nobody knows them", 2).await.unwrap();
    registry.refuse(&id, "again", 3).await.unwrap();
    assert_eq!(
        code(registry.approve(&id, &certificate("1"), "after all", 4).await),
        ProblemCode::RequestInvalid
    );
    let decision = registry.enrolment(&id).await.unwrap().decision;
    assert_eq!(
        decision,
        Decision::Refused {
            reason: "nobody knows them".to_owned(),
            decided: 2
        }
    );
    assert_eq!(registry.pending_enrolments(&site("north")).await.unwrap(), []);
    assert_eq!(registry.sites().await.unwrap(), []);
}

#[tokio::test]
async fn certificates_overlap_and_end_with_their_site() {
    let home = Home::new().await;
    let registry = &home.registry;
    let first = home.enrol("north", 0).await;
    registry
        .add_certificate(&site("north"), &certificate("2"), 1)
        .await
        .unwrap();
    let known = Standing::Known { site: site("north") };
    assert_eq!(registry.standing(&first.serial).await.unwrap(), known);
    assert_eq!(registry.standing("2").await.unwrap(), known);
    assert_eq!(registry.standing("3").await.unwrap(), Standing::Unknown);

    registry.revoke_serial("2", "lost", 2).await.unwrap();
    assert!(matches!(registry.standing("2").await.unwrap(), Standing::Revoked { reason, .. } if reason == "lost"));
    assert_eq!(registry.standing(&first.serial).await.unwrap(), known);

    registry.invite(&site("north"), "unused", 100, 3).await.unwrap();
    registry
        .revoke_site(&site("north"), "left the consortium", 3)
        .await
        .unwrap();
    registry.revoke_site(&site("north"), "again", 4).await.unwrap();
    let standing = registry.standing(&first.serial).await.unwrap();
    assert!(matches!(standing, Standing::Revoked { reason, .. } if reason == "left the consortium"));
    let renewal = registry.add_certificate(&site("north"), &certificate("4"), 5).await;
    assert_eq!(code(renewal), ProblemCode::CertificateRevoked);
    let key = Sha256Digest::of(b"key");
    let invitation = registry.redeem_invitation(&request("north", "unused"), key, 5).await;
    assert_eq!(code(invitation), ProblemCode::InvitationInvalid);
    assert_eq!(registry.revoked_serials().await.unwrap().len(), 2);
    assert_eq!(
        code(registry.revoke_site(&site("south"), "", 5).await),
        ProblemCode::NotFound
    );
    assert_eq!(code(registry.revoke_serial("9", "", 5).await), ProblemCode::NotFound);

    let second = home.enrol("north", 6).await;
    assert_eq!(registry.standing(&second.serial).await.unwrap(), known);
    assert!(matches!(
        registry.standing(&first.serial).await.unwrap(),
        Standing::Revoked { .. }
    ));
    assert_eq!(
        registry.site(&site("north")).await.unwrap().unwrap().serials,
        [second.serial]
    );
}

#[tokio::test]
async fn signs_of_life_are_kept_but_wake_nobody() {
    let home = Home::new().await;
    let registry = &home.registry;
    let first = home.enrol("north", 0).await;
    assert!(registry.used_serials().await.unwrap().is_empty());
    let counter = registry.changed_since(0).await.unwrap().unwrap();
    let heard = Heard {
        program_version: "0.1.0".to_owned(),
        protocol: 1,
        policy_digest: Some(Sha256Digest::of(b"p")),
    };
    registry.seen(&site("north"), &heard, 10).await.unwrap();
    registry.touch(&site("nobody"), &first.serial, 15).await.unwrap();
    assert!(
        registry.used_serials().await.unwrap().is_empty(),
        "another's certificate"
    );
    registry.touch(&site("north"), &first.serial, 15).await.unwrap();
    let used: Vec<_> = registry.used_serials().await.unwrap().into_iter().collect();
    assert_eq!(used, std::slice::from_ref(&first.serial));
    registry.touch(&site("north"), &first.serial, 24).await.unwrap();
    assert_eq!(
        registry.site(&site("north")).await.unwrap().unwrap().last_seen,
        Some(15)
    );
    registry.touch(&site("north"), &first.serial, 25).await.unwrap();
    let site = registry.sites().await.unwrap().remove(0);
    assert_eq!((site.last_seen, site.heard), (Some(25), Some(heard)));
    assert_eq!(registry.changed_since(counter).await.unwrap(), None);
}

#[tokio::test]
async fn what_a_retirement_asks_for_is_known() {
    let home = Home::new().await;
    let registry = &home.registry;
    let first = home.enrol("north", 0).await;
    assert!(
        registry
            .site(&site("north"))
            .await
            .unwrap()
            .unwrap()
            .authorities
            .is_empty()
    );
    let trusted = [Sha256Digest::of(b"old"), Sha256Digest::of(b"new")];
    registry.keep_authorities(&site("north"), &trusted).await.unwrap();
    assert_eq!(
        registry.site(&site("north")).await.unwrap().unwrap().authorities,
        trusted
    );
    let serials = async |now| -> Vec<String> {
        let live = registry.live_certificates(now).await.unwrap();
        live.into_iter().map(|(_, certificate)| certificate.serial).collect()
    };
    assert_eq!(serials(1).await, std::slice::from_ref(&first.serial));
    assert!(serials(i64::MAX).await.is_empty());
    registry.revoke_serial(&first.serial, "seen", 1).await.unwrap();
    assert!(serials(1).await.is_empty());

    registry.invite(&site("south"), "token", 100, 1).await.unwrap();
    assert_eq!(registry.open_invitations(100).await.unwrap(), [site("south")]);
    assert!(registry.open_invitations(101).await.unwrap().is_empty());
    // Whoever is let in again may have another list than before.
    home.enrol("north", 2).await;
    assert!(
        registry
            .site(&site("north"))
            .await
            .unwrap()
            .unwrap()
            .authorities
            .is_empty()
    );
}

#[tokio::test]
async fn a_consortium_is_founded_once() {
    let home = Home::new().await;
    assert_eq!(home.registry.consortium().await.unwrap(), None);
    let consortium = Consortium {
        name: "Bones".to_owned(),
        address: "https://localhost:7443".to_owned(),
        ca_fingerprint: Sha256Digest::of(b"ca"),
        aggregator_key: "key".to_owned(),
        founded: 7,
    };
    home.registry.found(&consortium).await.unwrap();
    home.registry.found(&consortium).await.unwrap();
    let other = Consortium {
        name: "Other".to_owned(),
        ..consortium.clone()
    };
    assert!(home.registry.found(&other).await.is_err());
    assert_eq!(
        home.restarted().await.registry.consortium().await.unwrap(),
        Some(consortium)
    );
}
