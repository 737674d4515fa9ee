//! Heads that the other side kept find what the files alone cannot show: cut tails, old copies and second histories.

use std::{fs, path::Path};

use snowball_crypto::SigningKey;
use snowball_ledger::{
    AGGREGATOR, Course, Entry, Expected, KeptHeads, Ledger, SignedHead, VerifyError, kept_heads, verify_expecting,
};

use crate::support::{Files, NOW, OWNER, Tree, fixed_key, folder, ledger, samples};

fn grown(folder: &Path, owner: &str, key: &SigningKey, entries: usize) -> SignedHead {
    let mut ledger = Ledger::open(folder, owner, key.clone()).unwrap();
    ledger.append_all(NOW, samples()[..entries].to_vec()).unwrap();
    ledger.signed_head().unwrap()
}

fn expecting(kept: &KeptHeads) -> Expected {
    Expected {
        heads: kept.hashes.clone(),
        kept: kept.heads(),
        ..Expected::default()
    }
}

#[test]
fn a_tail_that_was_cut_with_its_checkpoint_is_found_by_a_signed_head() {
    let key = fixed_key();
    let folder = ledger(5, &key);
    let older = Files::of(folder.path());
    let kept = grown(folder.path(), OWNER, &key, 3);
    let expected = Expected {
        kept: vec![kept.head],
        ..Expected::default()
    };
    let verified = verify_expecting(folder.path(), &key.verifying_key(), &expected).unwrap();
    assert_eq!((verified.heads_found, verified.heads_unseen), (1, 0));
    older.put(folder.path());
    let fault = verify_expecting(folder.path(), &key.verifying_key(), &expected).unwrap_err();
    assert!(matches!(fault, VerifyError::TailCut { kept: 8, found: 5 }), "{fault}");
}

/// The owner holds the key, goes back and writes another history: each history verifies alone.
#[test]
fn a_second_history_is_found_whichever_is_shown() {
    let key = fixed_key();
    let folder = ledger(5, &key);
    let fork = Tree::of(folder.path());
    let one = grown(folder.path(), OWNER, &key, 3);
    let first = Tree::of(folder.path());
    fork.put(folder.path());
    let mut ledger = Ledger::open(folder.path(), OWNER, key.clone()).unwrap();
    ledger.append_all(NOW, samples()[3..6].to_vec()).unwrap();
    let two = ledger.signed_head().unwrap();
    ledger.append(NOW, samples()[6].clone()).unwrap();
    drop(ledger);
    assert_eq!(two.head.course(&one.head), Course::Forked);
    let judge = |kept: &SignedHead| {
        let kept = vec![kept.head.clone()];
        let expected = Expected {
            kept,
            ..Expected::default()
        };
        verify_expecting(folder.path(), &key.verifying_key(), &expected)
    };
    assert!(judge(&two).is_ok());
    assert!(matches!(judge(&one), Err(VerifyError::Forked { entries: 8 })));
    first.put(folder.path());
    assert!(judge(&one).is_ok());
    assert!(matches!(judge(&two), Err(VerifyError::Forked { entries: 8 })));
}

/// An aggregator shows two sites two histories. Each site is content; whoever holds what both kept is not.
#[test]
fn what_two_sites_kept_of_an_aggregator_that_forks_never_fits_one_ledger() {
    let (aggregator, north) = (fixed_key(), SigningKey::generate().unwrap());
    let (shown_to_north, shown_to_south) = (folder(), folder());
    let common = samples()[..2].to_vec();
    let mut heads = Vec::new();
    for (place, entry) in [(&shown_to_north, &samples()[3]), (&shown_to_south, &samples()[4])] {
        let mut ledger = Ledger::open(place.path(), AGGREGATOR, aggregator.clone()).unwrap();
        ledger.append_all(NOW, common.clone()).unwrap();
        ledger.append(NOW, entry.clone()).unwrap();
        heads.push(ledger.signed_head().unwrap());
    }
    // North hands over its ledger, south a note.
    let norths = folder();
    let mut ledger = Ledger::open(norths.path(), OWNER, north.clone()).unwrap();
    ledger
        .append(
            NOW,
            Entry::HeadsExchanged {
                site_head: SignedHead::sign(ledger.head(), &north).note,
                aggregator_head: heads[0].note.clone(),
            },
        )
        .unwrap();
    let souths = folder();
    fs::write(souths.path().join("south.note"), &heads[1].note).unwrap();
    let key = aggregator.verifying_key();
    let read = |path: &Path| kept_heads(path, AGGREGATOR, &key).unwrap();
    assert_eq!(read(norths.path()).signed, [heads[0].clone()]);
    assert_eq!(read(souths.path()).signed, [heads[1].clone()]);
    for ledger in [&shown_to_north, &shown_to_south] {
        let mut kept = read(norths.path());
        let judge = |kept: &KeptHeads| verify_expecting(ledger.path(), &key, &expecting(kept));
        let alone = judge(&kept).is_ok();
        assert_eq!(alone, std::ptr::eq(ledger, &shown_to_north));
        kept.signed.extend(read(souths.path()).signed);
        assert!(matches!(judge(&kept), Err(VerifyError::Forked { entries: 3 })));
    }
}

#[test]
fn the_others_ledger_gives_every_head_of_this_one_and_no_other() {
    let (north, aggregator) = (fixed_key(), SigningKey::generate().unwrap());
    let norths = ledger(3, &north);
    let head = Ledger::open(norths.path(), OWNER, north.clone())
        .unwrap()
        .signed_head()
        .unwrap();
    let foreign = SignedHead::sign(head.head.clone(), &aggregator);
    let theirs = folder();
    let mut ledger = Ledger::open(theirs.path(), AGGREGATOR, aggregator.clone()).unwrap();
    let mut admitted = samples()
        .into_iter()
        .find(|entry| entry.kind() == "update_admitted")
        .unwrap();
    if let Entry::UpdateAdmitted { site_ledger_head, .. } = &mut admitted {
        *site_ledger_head = head.head.hash;
    }
    let kept = |site: &str, note: &SignedHead| Entry::SiteHeadKept {
        site: site.parse().unwrap(),
        head: note.cosigned(AGGREGATOR, &aggregator, NOW).note,
    };
    ledger.append_all(NOW, vec![admitted, kept(OWNER, &head)]).unwrap();
    // Archived records count as well; a note of the key before its last enrolment is of another ledger.
    ledger.rotate(NOW).unwrap().unwrap();
    ledger.append(NOW, kept(OWNER, &foreign)).unwrap();
    let read = kept_heads(theirs.path(), OWNER, &north.verifying_key()).unwrap();
    assert_eq!(read.hashes, [head.head.hash]);
    assert_eq!(read.heads(), std::slice::from_ref(&head.head));
    assert_eq!(read.other_keys, 1);
    assert!(verify_expecting(norths.path(), &north.verifying_key(), &expecting(&read)).is_ok());
    assert_eq!(
        kept_heads(theirs.path(), "south", &north.verifying_key()).unwrap(),
        KeptHeads::default()
    );

    let file = theirs.path().join("notes.txt");
    let several = format!("{}\n{}", head.note, head.cosigned(AGGREGATOR, &aggregator, 7).note);
    fs::write(&file, &several).unwrap();
    assert_eq!(
        kept_heads(&file, OWNER, &north.verifying_key()).unwrap().signed.len(),
        2
    );
    fs::write(&file, several.replacen("\n3\n", "\n4\n", 1)).unwrap();
    let invented = kept_heads(&file, OWNER, &north.verifying_key());
    assert!(matches!(invented, Err(VerifyError::HeadInvalid)));
}

#[test]
fn a_head_of_records_that_were_moved_away_stays_open() {
    let key = fixed_key();
    let folder = ledger(3, &key);
    let early = Ledger::open(folder.path(), OWNER, key.clone())
        .unwrap()
        .signed_head()
        .unwrap();
    grown(folder.path(), OWNER, &key, 2);
    let mut ledger = Ledger::open(folder.path(), OWNER, key.clone()).unwrap();
    let closed = ledger.rotate(NOW).unwrap().unwrap();
    drop(ledger);
    let expected = Expected {
        kept: vec![early.head, closed],
        ..Expected::default()
    };
    let judge = || verify_expecting(folder.path(), &key.verifying_key(), &expected).unwrap();
    assert_eq!((judge().heads_found, judge().heads_unseen), (2, 0));
    fs::remove_dir_all(folder.path().join("archives")).unwrap();
    assert_eq!((judge().heads_found, judge().heads_unseen), (1, 1));
}
