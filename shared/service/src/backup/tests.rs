use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn about() -> About {
    About {
        program: "hospital-node".to_owned(),
        program_version: "1".to_owned(),
        tables: 1,
        owner: "north".to_owned(),
        made: 5,
        keys: true,
        ledger_entries: 2,
        ledger_head: Sha256Digest::of(b"head"),
    }
}

/// A home with some files, and the backup of it.
fn made(folder: &Path) -> (PathBuf, PathBuf) {
    let (home, backup) = (folder.join("home"), folder.join("backup"));
    for (name, content) in [
        ("node.toml", "toml"),
        ("keys/site.secret", "secret"),
        ("a/b/c", "deep"),
        ("spool/raw", "raw"),
    ] {
        files::create_home(home.join(name).parent().unwrap()).unwrap();
        fs::write(home.join(name), content).unwrap();
    }
    let mut copy = Backup::begin(&backup, &home).unwrap();
    assert_eq!(copy.copy(&home, &|name| !name.starts_with("spool/")).unwrap(), 3);
    fs::write(copy.place("store/database").unwrap(), "rows").unwrap();
    copy.list("store/database").unwrap();
    copy.finish(about()).unwrap();
    (home, backup)
}

#[test]
fn what_was_copied_comes_back_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (home, backup) = made(folder.path());
    let manifest = read(&backup).unwrap();
    let names: Vec<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names, ["a/b/c", "keys/site.secret", "node.toml", "store/database"]);
    assert!(matches!(
        restore(&backup, &manifest, &home, &[], "node.toml"),
        Err(BackupError::NotEmpty(_))
    ));
    let back = folder.path().join("back");
    assert_eq!(restore(&backup, &manifest, &back, &[], "node.toml").unwrap(), 4);
    for (name, content) in [
        ("a/b/c", "deep"),
        ("keys/site.secret", "secret"),
        ("store/database", "rows"),
    ] {
        assert_eq!(fs::read_to_string(back.join(name)).unwrap(), content);
        assert_eq!(
            fs::metadata(back.join(name)).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    assert!(!back.join("spool").exists());
    assert_eq!(fs::metadata(&back).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_second_look_copies_what_changed_and_forgets_what_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    for name in ["same", "longer", "gone"] {
        fs::write(home.join(name), name).unwrap();
    }
    let mut copy = Backup::begin(&folder.path().join("backup"), &home).unwrap();
    assert_eq!(copy.copy(&home, &|_| true).unwrap(), 3);
    fs::write(home.join("longer"), "longer than before").unwrap();
    fs::write(home.join("new"), "new").unwrap();
    fs::remove_file(home.join("gone")).unwrap();
    assert_eq!(copy.copy(&home, &|_| true).unwrap(), 2);
    let manifest = copy.finish(about()).unwrap();
    let names: Vec<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names, ["longer", "new", "same"]);
    assert!(!folder.path().join("backup/home/gone").exists());
    assert_eq!(manifest.files[0].digest, Sha256Digest::of(b"longer than before"));
}

#[test]
fn an_altered_or_unfinished_backup_leaves_the_home_empty() {
    let folder = tempfile::tempdir().unwrap();
    let (_, backup) = made(folder.path());
    let manifest = read(&backup).unwrap();
    let back = folder.path().join("back");
    fs::write(backup.join("home/a/b/c"), "doop").unwrap();
    let refused = restore(&backup, &manifest, &back, &[], "node.toml").unwrap_err();
    assert!(matches!(refused, BackupError::Altered(_)) && refused.to_string().contains("a/b/c"));
    fs::remove_file(backup.join("home/a/b/c")).unwrap();
    assert!(restore(&backup, &manifest, &back, &[], "node.toml").is_err());
    assert!(!back.exists());
    fs::remove_file(backup.join(MANIFEST)).unwrap();
    assert!(matches!(read(&backup), Err(BackupError::Unfinished(_))));
}

#[test]
fn a_copy_that_is_not_finished_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (home, _) = made(folder.path());
    let other = folder.path().join("other");
    let mut copy = Backup::begin(&other, &home).unwrap();
    copy.copy(&home, &|_| true).unwrap();
    assert!(other.join("home/keys/site.secret").exists());
    drop(copy);
    assert!(!other.exists());
}

#[test]
fn what_a_disk_has_in_its_first_folder_is_nobodys_file() {
    let folder = tempfile::tempdir().unwrap();
    let (home, backup) = made(folder.path());
    let (other, back) = (folder.path().join("other"), folder.path().join("back"));
    for disk in [&home, &other, &back] {
        fs::create_dir_all(disk.join("lost+found/of-root")).unwrap();
    }
    let asked = std::cell::RefCell::new(Vec::new());
    let mut copy = Backup::begin(&other, &home).unwrap();
    let wants = |name: &str| {
        asked.borrow_mut().push(name.to_owned());
        !name.starts_with("spool/")
    };
    copy.copy(&home, &wants).unwrap();
    drop(copy);
    let asked = asked.into_inner();
    assert!(asked.contains(&"spool/".to_owned()) && asked.contains(&"a/b/c".to_owned()));
    assert!(
        !asked
            .iter()
            .any(|name| name == "spool/raw" || name.starts_with("lost+found"))
    );
    assert!(other.join("lost+found/of-root").exists() && !other.join(HOME).exists());
    assert_eq!(
        restore(&backup, &read(&backup).unwrap(), &back, &[], "node.toml").unwrap(),
        4
    );
}

#[test]
fn a_folder_that_is_named_and_not_there_leaves_the_home_empty() {
    let folder = tempfile::tempdir().unwrap();
    let (_, backup) = made(folder.path());
    let back = folder.path().join("back");
    let replaced = [Replaced {
        name: "keys".to_owned(),
        from: folder.path().join("typo"),
    }];
    let refused = restore(&backup, &read(&backup).unwrap(), &back, &replaced, "node.toml").unwrap_err();
    assert!(matches!(refused, BackupError::File { .. }) && refused.to_string().contains("typo"));
    assert!(fs::read_dir(&back).unwrap().next().is_none());
}

#[test]
fn a_name_that_leads_out_of_the_home_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, backup) = made(folder.path());
    let text = fs::read_to_string(backup.join(MANIFEST)).unwrap();
    for wrong in ["../outside", "/etc/outside", ""] {
        fs::write(backup.join(MANIFEST), text.replace("a/b/c", wrong)).unwrap();
        assert!(matches!(read(&backup), Err(BackupError::Name(_))), "{wrong}");
    }
    fs::write(backup.join(MANIFEST), text.replace("\"format\":1", "\"format\":2")).unwrap();
    assert!(matches!(read(&backup), Err(BackupError::Manifest(..))));
}

#[test]
fn a_folder_may_come_from_elsewhere_and_a_copy_never_into_its_home() {
    let folder = tempfile::tempdir().unwrap();
    let (home, backup) = made(folder.path());
    assert!(matches!(
        Backup::begin(&home.join("copy"), &home),
        Err(BackupError::Within(_))
    ));
    let keys = folder.path().join("keys-of-the-safe");
    fs::create_dir(&keys).unwrap();
    fs::write(keys.join("site.secret"), "from the safe").unwrap();
    let back = folder.path().join("back");
    let replaced = [Replaced {
        name: "keys".to_owned(),
        from: keys,
    }];
    restore(&backup, &read(&backup).unwrap(), &back, &replaced, "node.toml").unwrap();
    assert_eq!(
        fs::read_to_string(back.join("keys/site.secret")).unwrap(),
        "from the safe"
    );
}

#[test]
fn one_file_may_come_from_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let (_, backup) = made(folder.path());
    let key = folder.path().join("key");
    fs::write(&key, "another").unwrap();
    let back = folder.path().join("back");
    let replaced = [Replaced::by("keys/site.secret", key)];
    let count = restore(&backup, &read(&backup).unwrap(), &back, &replaced, "node.toml").unwrap();
    assert_eq!(count, 4);
    assert_eq!(fs::read_to_string(back.join("keys/site.secret")).unwrap(), "another");
}

/// A home with a ledger that notes its backup, as either program makes one.
fn noted(folder: &Path) -> (PathBuf, snowball_crypto::SigningKey) {
    let (home, backup) = (folder.join("home"), folder.join("backup"));
    files::create_home(&home.join("keys")).unwrap();
    let key = snowball_crypto::SigningKey::generate().unwrap();
    fs::write(home.join("keys/ledger.pem"), key.to_pem().as_bytes()).unwrap();
    for (name, content) in [
        ("node.toml", "toml".to_owned()),
        ("ledger.pub", key.verifying_key().to_string()),
        ("rows", "rows".to_owned()),
    ] {
        fs::write(home.join(name), content).unwrap();
    }
    let mut ledger = snowball_ledger::Ledger::open(&home.join("ledger"), "north", key.clone()).unwrap();
    let mut copy = Backup::begin(&backup, &home).unwrap();
    copy.copy(&home, &|name| !name.starts_with("ledger/")).unwrap();
    let before = copy.inventory();
    assert_eq!(before.files, 4);
    let entry = before.entry(true, copy.holds("keys/vault.secret"), "root".to_owned());
    let head = ledger
        .at_rest(|ledger| {
            ledger.append(7, entry).unwrap();
            copy.copy(&home, &|name| name.starts_with("ledger/")).unwrap();
            ledger.head().clone()
        })
        .unwrap();
    let manifest = copy
        .finish(About {
            ledger_entries: head.entries,
            ledger_head: head.hash,
            ..about()
        })
        .unwrap();
    assert_eq!(manifest.inventory(), before, "the ledger itself is not counted");
    assert!(manifest.files.iter().any(|file| file.path == "ledger/ledger.jsonl"));
    (backup, key)
}

#[test]
fn what_is_not_fit_is_refused_before_a_file_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (backup, key) = noted(folder.path());
    let program = Program {
        name: "hospital-node",
        kind: "a node",
        database: "store",
        tables: 1,
        ledger_owner: None,
        last: "node.toml",
        keys_folder: "keys",
        keys: &["ledger.pem"],
        ledger_key: "ledger.pem",
    };
    let (back, safe) = (folder.path().join("back"), folder.path().join("safe"));
    let reader = crate::keys::Keys::of_process(crate::keys::PassphraseSource::Found);
    let asked = Restoring {
        program,
        folder: &backup,
        home: &back,
        keys: None,
        reader: &reader,
        ledger: None,
    };
    let no = |asked: &Restoring<'_>, why: &str| {
        let refused = asked.run().unwrap_err();
        assert!(refused.is_refusal() && refused.to_string().contains(why), "{refused}");
        assert!(!back.exists(), "{why}");
    };
    let of = |program: Program| Restoring {
        program,
        ..asked.clone()
    };
    no(
        &of(Program {
            name: "aggregator",
            ..program
        }),
        "not of a node",
    );
    no(&of(Program { tables: 0, ..program }), "install that version");
    fs::create_dir(&safe).unwrap();
    let mut with_keys = asked.clone();
    with_keys.keys = Some(&safe);
    no(&with_keys, "holds no ledger.pem");
    let other = snowball_crypto::SigningKey::generate().unwrap();
    fs::write(safe.join("ledger.pem"), other.to_pem().as_bytes()).unwrap();
    no(&with_keys, "the key of another ledger");
    let foreign = folder.path().join("foreign");
    drop(snowball_ledger::Ledger::open(&foreign, "north", other).unwrap());
    let mut with_ledger = asked.clone();
    with_ledger.ledger = Some(&foreign);
    no(&with_ledger, "does not go on where");

    // The list of files is not signed, and the ledger is.
    let path = backup.join(MANIFEST);
    let manifest = fs::read_to_string(&path).unwrap();
    fs::write(backup.join(HOME).join("rows"), "ROWS").unwrap();
    let (honest, forged) = (Sha256Digest::of(b"rows"), Sha256Digest::of(b"ROWS"));
    fs::write(&path, manifest.replace(&honest.to_string(), &forged.to_string())).unwrap();
    assert!(!asked.run().unwrap().is_noted);
    fs::remove_dir_all(&back).unwrap();

    fs::write(backup.join(HOME).join("rows"), "rows").unwrap();
    fs::write(&path, manifest).unwrap();
    fs::write(safe.join("ledger.pem"), key.to_pem().as_bytes()).unwrap();
    let restored = with_keys.run().unwrap();
    assert!(
        restored.is_noted && restored.ledger_entries == 1 && restored.files > 4,
        "{restored:?}"
    );
}
