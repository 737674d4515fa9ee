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
