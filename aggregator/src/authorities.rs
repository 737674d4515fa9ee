//! The consortium's CAs. Mostly there is one; while one follows another there are two, both trusted.
//!
//! The first of the list signs the server, since every node trusts it; the last signs the sites. Two files hold them, and each
//! changes whole: a new key is durable before the list that names its certificate, an old key goes after it. So a crash at
//! any point leaves a list whose keys are all there; a key too many is dropped by the next change.

use anyhow::{Context as _, Result, bail, ensure};
use snowball_protocol::{Sha256Digest, authorities::TrustedAuthorities, ids::UnixSeconds, limits::AUTHORITIES_MAX};
use snowball_service::{files, tls};
use zeroize::Zeroizing;

use crate::{
    authority::Authority,
    home::{Home, read_text},
};

/// The CAs, oldest first; never none.
pub struct Authorities {
    number: u64,
    all: Vec<Authority>,
}

impl Authorities {
    /// Makes the first CA of a consortium.
    pub fn found(home: &Home, consortium: &str, now: UnixSeconds) -> Result<Self> {
        let pair = Authority::create(consortium, 1, now)?;
        let founded = Self {
            number: 1,
            all: vec![Authority::read(&pair.certificate_pem, &pair.key_pem)?],
        };
        founded.save_keys(home)?;
        founded.save_certificates(home)?;
        Ok(founded)
    }

    /// Reads the list with its keys.
    pub fn read(home: &Home) -> Result<Self> {
        let trusted = trusted(home)?;
        let keys = home.keys().read(&home.ca_key_file())?;
        let all = trusted
            .certificates_pem
            .iter()
            .map(|certificate| {
                private_keys(&keys)
                    .find_map(|key| Authority::read(certificate, key).ok())
                    .context("ca.key.pem lacks the key of a CA in ca.pem; restore both from a backup")
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            number: trusted.number,
            all,
        })
    }

    /// The oldest: it signs the server.
    pub fn serving(&self) -> &Authority {
        &self.all[0]
    }

    /// The newest: it signs the sites.
    pub fn signing(&self) -> &Authority {
        &self.all[self.all.len() - 1]
    }

    /// All, oldest first.
    pub fn all(&self) -> &[Authority] {
        &self.all
    }

    /// The list's number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What nodes are told.
    pub fn trusted(&self) -> TrustedAuthorities {
        TrustedAuthorities {
            number: self.number,
            certificates_pem: self.all.iter().map(|authority| authority.pem().to_owned()).collect(),
        }
    }

    /// The CA whose fingerprint begins with these digits.
    pub fn find(&self, digits: &str) -> Result<&Authority> {
        let digits = digits.strip_prefix("sha256:").unwrap_or(digits).to_ascii_lowercase();
        let mut found = self
            .all
            .iter()
            .filter(|authority| hex::encode(authority.fingerprint().as_bytes()).starts_with(&digits));
        match (found.next(), found.next()) {
            (Some(authority), None) => Ok(authority),
            (Some(_), Some(_)) => bail!("{digits} may be either of two CAs; give more digits: aggregator ca list"),
            (None, _) => bail!("no CA's fingerprint begins with {digits}: aggregator ca list"),
        }
    }

    /// The list with a CA `next` behind the others, not saved yet.
    pub fn with(self, next: Authority) -> Result<Self> {
        ensure!(
            self.all.len() < AUTHORITIES_MAX,
            "there are {} CAs already; retire one first: aggregator ca retire",
            self.all.len()
        );
        let mut all = self.all;
        all.push(next);
        Ok(Self {
            number: self.number + 1,
            all,
        })
    }

    /// The list without `retired`, not saved yet.
    pub fn without(self, retired: Sha256Digest) -> Result<Self> {
        let mut all = self.all;
        all.retain(|authority| authority.fingerprint() != retired);
        ensure!(
            !all.is_empty(),
            "this is the only CA; make the next one first: aggregator ca rotate"
        );
        Ok(Self {
            number: self.number + 1,
            all,
        })
    }

    /// Replaces the list: the keys are there whenever a certificate of theirs is.
    pub fn save(&self, home: &Home) -> Result<()> {
        let old = Self::read(home)?;
        write_keys(home, old.all.iter().chain(&self.all))?;
        self.save_certificates(home)?;
        self.save_keys(home)
    }

    fn save_keys(&self, home: &Home) -> Result<()> {
        write_keys(home, self.all.iter())
    }

    fn save_certificates(&self, home: &Home) -> Result<()> {
        let path = home.ca_file();
        files::write_durable(&path, tls::trust_text(&self.trusted()).as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

/// The list without its keys.
pub fn trusted(home: &Home) -> Result<TrustedAuthorities> {
    let path = home.ca_file();
    tls::read_trust(&read_text(&path)?).with_context(|| format!("{} holds no list of CAs", path.display()))
}

fn write_keys<'a>(home: &Home, authorities: impl Iterator<Item = &'a Authority>) -> Result<()> {
    let path = home.ca_key_file();
    let mut text = Zeroizing::new(String::new());
    for authority in authorities {
        let key = authority.key_pem();
        if !text.contains(key.trim()) {
            text.push_str(key.trim());
            text.push('\n');
        }
    }
    home.keys().write(&path, &text)?;
    Ok(())
}

/// Each private key of a PEM text.
fn private_keys(text: &str) -> impl Iterator<Item = &str> {
    const END: &str = "-----END PRIVATE KEY-----";
    text.split_inclusive(END).filter(|part| part.ends_with(END))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = 1_800_000_000;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        Authorities::found(&home, "Test", NOW).unwrap();
        (folder, home)
    }

    fn next(number: u64) -> Authority {
        let pair = Authority::create("Test", number, NOW).unwrap();
        Authority::read(&pair.certificate_pem, &pair.key_pem).unwrap()
    }

    #[test]
    fn a_ca_is_added_behind_and_the_oldest_retired() {
        let (_folder, home) = home();
        let first = home.authorities().unwrap().serving().fingerprint();
        let second = next(2);
        let fingerprint = second.fingerprint();
        home.authorities().unwrap().with(second).unwrap().save(&home).unwrap();
        let both = home.authorities().unwrap();
        assert_eq!(
            (
                both.number(),
                both.serving().fingerprint(),
                both.signing().fingerprint()
            ),
            (2, first, fingerprint)
        );
        assert!(both.find("").is_err() && both.find("zz").is_err());
        assert_eq!(both.find(&first.to_string()).unwrap().fingerprint(), first);

        both.without(first).unwrap().save(&home).unwrap();
        let left = home.authorities().unwrap();
        assert_eq!((left.number(), left.serving().fingerprint()), (3, fingerprint));
        assert_eq!(private_keys(&read_text(&home.ca_key_file()).unwrap()).count(), 1);
        assert!(left.without(fingerprint).is_err(), "the only CA stays");
    }

    #[test]
    fn a_crash_between_the_two_files_leaves_every_key_that_the_list_needs() {
        let (_folder, home) = home();
        let before = [home.ca_file(), home.ca_key_file()].map(|path| std::fs::read(path).unwrap());
        home.authorities().unwrap().with(next(2)).unwrap().save(&home).unwrap();
        let after = [home.ca_file(), home.ca_key_file()].map(|path| std::fs::read(path).unwrap());

        // Adding: the keys are there, the list is not.
        std::fs::write(home.ca_file(), &before[0]).unwrap();
        assert_eq!(home.authorities().unwrap().all().len(), 1);
        // Retiring: the list is short, the keys are still both there.
        std::fs::write(home.ca_file(), &after[0]).unwrap();
        let both = home.authorities().unwrap();
        let first = both.serving().fingerprint();
        let short = both.without(first).unwrap();
        short.save_certificates(&home).unwrap();
        assert_eq!(home.authorities().unwrap().number(), 3);
        // The next change drops the key that nobody needs.
        home.authorities().unwrap().with(next(4)).unwrap().save(&home).unwrap();
        assert_eq!(private_keys(&read_text(&home.ca_key_file()).unwrap()).count(), 2);
        // A list whose key is gone is no list.
        std::fs::write(home.ca_key_file(), &before[1]).unwrap();
        assert!(home.authorities().is_err());
    }

    #[test]
    fn there_is_room_for_a_few_cas_only() {
        let (_folder, home) = home();
        let mut list = home.authorities().unwrap();
        for number in 2..=AUTHORITIES_MAX as u64 {
            list = list.with(next(number)).unwrap();
        }
        assert!(list.with(next(9)).is_err());
    }
}
