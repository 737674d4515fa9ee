//! `aggregator keys`: the keys under a passphrase, or in the clear again.

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;
use snowball_service::keys::Kept;

use super::Answer;
use crate::home::Home;

/// How the private keys lie on the disk: the CAs', the server's and the one that signs.
///
/// The passphrase comes from --passphrase-file, --passphrase-fd, the systemd credential snowball-passphrase or a terminal; never
/// from the command line or the environment. Stop `aggregator serve` first: it knows the keys as they were when it started.
#[derive(Subcommand)]
pub enum Keys {
    /// Put the keys under a passphrase
    ///
    /// Whoever loses it loses the consortium: keep a copy of it where it is safe. A key that is made later, as at each renewal, is
    /// put under it as well.
    #[command(after_help = "Example:\n  aggregator keys protect --passphrase-file /root/words")]
    Protect,
    /// Put them in the clear again, readable by this user only
    #[command(after_help = "Example:\n  aggregator keys unprotect --passphrase-file /root/words")]
    Unprotect,
}

impl Keys {
    /// Nothing is changed where the passphrase is not at hand.
    pub fn run(&self, home: &Home) -> Result<Answer> {
        let home = home.existing()?;
        let changed = match self {
            Self::Protect => home.keys().protect(&home.key_files())?,
            Self::Unprotect => home.keys().unprotect(&home.key_files())?,
        };
        let protected = wrapped(&home)?;
        Ok(Answer::new(
            format!(
                "{changed} keys changed: {protected} of {} are under a passphrase.",
                home.key_files().len()
            ),
            json!({ "changed": changed, "protected": protected }),
        ))
    }
}

/// How many are under a passphrase.
pub fn wrapped(home: &Home) -> Result<usize> {
    let mut count = 0;
    for path in home.key_files() {
        count += usize::from(home.keys().kept(&path)? == Kept::Wrapped);
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, process::Command};

    use snowball_service::files;

    use crate::{cli::command, home::Home};

    fn is_wrapped(home: &Home) -> [bool; 3] {
        home.key_files().map(|path| {
            let text = fs::read_to_string(path).unwrap();
            assert_ne!(
                text.contains("BEGIN PRIVATE KEY"),
                text.contains("BEGIN ENCRYPTED PRIVATE KEY")
            );
            text.contains("BEGIN ENCRYPTED PRIVATE KEY")
        })
    }

    fn openssl_opens(path: &Path, words: &str) {
        let password = format!("file:{words}");
        let read = Command::new("openssl")
            .args(["pkey", "-noout", "-passin", &password, "-in"])
            .arg(path)
            .output();
        match read {
            Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
            Err(_) => println!("skipped: openssl is not installed"),
        }
    }

    #[tokio::test]
    async fn the_consortium_s_keys_serve_under_a_passphrase_and_open_for_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let (dir, words) = (folder.path().join("home"), folder.path().join("words"));
        files::write_private(&words, b"correct horse battery\n").unwrap();
        let (home, at, words) = (Home::at(&dir), dir.to_str().unwrap(), words.to_str().unwrap());
        let asked = |arguments: &[&'static str]| {
            let line = [&["--home", at][..], arguments].concat();
            async move { command(&line).await.map(|answer| answer.json) }
        };
        let opened = |arguments: &[&'static str]| {
            let line = [&["--home", at, "--passphrase-file", words][..], arguments].concat();
            async move { command(&line).await.unwrap().json }
        };
        asked(&["init", "--consortium", "Test", "--address", "localhost:7443"])
            .await
            .unwrap();
        assert_eq!(is_wrapped(&home), [false; 3]);
        assert_eq!(opened(&["keys", "protect"]).await["changed"], 3);
        assert_eq!(opened(&["keys", "protect"]).await["changed"], 0, "again is fine");
        assert_eq!(is_wrapped(&home), [true; 3]);

        let before = fs::read(home.server_file()).unwrap();
        for refused in [&["renew"][..], &["ca", "rotate", "--reason", "yearly"]] {
            let said = format!("{:#}", asked(refused).await.unwrap_err());
            assert!(said.contains("--passphrase-file"), "{said}");
        }
        assert_eq!(fs::read(home.server_file()).unwrap(), before);
        let rotated = opened(&["ca", "rotate", "--reason", "yearly"]).await;
        opened(&["renew"]).await;
        assert_eq!(is_wrapped(&home), [true; 3], "new keys as well");
        assert_ne!(fs::read(home.server_file()).unwrap(), before);
        for path in home.key_files() {
            openssl_opens(&path, words);
        }
        let oldest: &'static str = rotated["oldest"].as_str().unwrap().to_owned().leak();
        opened(&["ca", "retire", oldest, "--reason", "done"]).await;
        opened(&["ledger", "verify"]).await;

        assert_eq!(opened(&["keys", "unprotect"]).await["changed"], 3);
        assert_eq!(is_wrapped(&home), [false; 3]);
        asked(&["renew"]).await.unwrap();
    }
}
