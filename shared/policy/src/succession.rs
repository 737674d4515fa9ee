//! Whether a policy may take the place of the one that the site has: no older one comes back, and none is skipped unseen.

use snowball_confidentiality::Language;
use snowball_protocol::Sha256Digest;

use crate::signature::SignedPolicy;

/// The policy that was installed last, as the site's ledger has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Installed {
    /// The digest of its file.
    pub digest: Sha256Digest,
    /// Its version.
    pub version: u32,
}

/// How a policy follows on the one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Succession {
    /// No policy was ever installed here.
    First,
    /// It is the same file again.
    Same,
    /// It is newer and names the one that it takes the place of.
    Next,
}

/// Why a policy does not follow on the one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SuccessionFault {
    /// Its version is not above the installed one's.
    NotNewer {
        /// The installed version.
        installed: u32,
        /// Its own.
        offered: u32,
    },
    /// It does not name the installed policy as the one that it takes the place of.
    OtherPredecessor {
        /// The installed policy.
        installed: Sha256Digest,
        /// The one that it names, if it names one.
        named: Option<Sha256Digest>,
    },
}

/// How `offered` follows on `installed`.
///
/// # Errors
/// When it is not newer, or does not name the installed policy.
pub fn succeed(installed: Option<&Installed>, offered: &SignedPolicy) -> Result<Succession, SuccessionFault> {
    let Some(installed) = installed else {
        return Ok(Succession::First);
    };
    if installed.digest == offered.digest {
        return Ok(Succession::Same);
    }
    if offered.policy.version() <= installed.version {
        return Err(SuccessionFault::NotNewer {
            installed: installed.version,
            offered: offered.policy.version(),
        });
    }
    if offered.policy.supersedes() != Some(installed.digest) {
        return Err(SuccessionFault::OtherPredecessor {
            installed: installed.digest,
            named: offered.policy.supersedes(),
        });
    }
    Ok(Succession::Next)
}

impl SuccessionFault {
    /// Reason and remedy, for people.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        match (self, language) {
            (Self::NotNewer { installed, offered }, Language::English) => format!(
                "version {installed} is installed and this is version {offered}, with other content; count the version up, \
                 and sign it again"
            ),
            (Self::NotNewer { installed, offered }, Language::French) => format!(
                "la version {installed} est installée et celle-ci est la version {offered}, avec un autre contenu ; augmentez \
                 la version, puis signez de nouveau"
            ),
            (Self::OtherPredecessor { installed, named }, Language::English) => format!(
                "the policy says that it takes the place of {}, and installed is {installed}; write supersedes = \
                 \"{installed}\" into it, and sign it again",
                named.map_or_else(|| "none".to_owned(), |named| named.to_string())
            ),
            (Self::OtherPredecessor { installed, named }, Language::French) => format!(
                "la politique dit qu'elle remplace {}, et celle qui est installée est {installed} ; écrivez-y supersedes = \
                 \"{installed}\", puis signez de nouveau",
                named.map_or_else(|| "aucune autre".to_owned(), |named| named.to_string())
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{COLLABORATION, LOCAL, PROOF_OF_CONCEPT, signed};

    fn installed(text: &str) -> Installed {
        let signed = signed(text);
        Installed {
            digest: signed.digest,
            version: signed.policy.version(),
        }
    }

    #[test]
    fn the_annotated_policies_follow_on_each_other() {
        let (local, trial) = (installed(LOCAL), installed(PROOF_OF_CONCEPT));
        assert_eq!(succeed(None, &signed(LOCAL)), Ok(Succession::First));
        assert_eq!(succeed(Some(&local), &signed(LOCAL)), Ok(Succession::Same));
        assert_eq!(succeed(Some(&local), &signed(PROOF_OF_CONCEPT)), Ok(Succession::Next));
        assert_eq!(succeed(Some(&trial), &signed(COLLABORATION)), Ok(Succession::Next));
    }

    #[test]
    fn neither_an_older_one_nor_the_same_version_with_other_bytes_comes_back() {
        let installed = installed(PROOF_OF_CONCEPT);
        let older = succeed(Some(&installed), &signed(LOCAL));
        assert_eq!(
            older,
            Err(SuccessionFault::NotNewer {
                installed: 2,
                offered: 1
            })
        );
        let other = format!("{PROOF_OF_CONCEPT}# a comment\n");
        let same_version = succeed(Some(&installed), &signed(&other));
        assert_eq!(
            same_version,
            Err(SuccessionFault::NotNewer {
                installed: 2,
                offered: 2
            })
        );
    }

    #[test]
    fn a_version_that_names_another_predecessor_is_told_which_it_should_name() {
        let fault = succeed(Some(&installed(LOCAL)), &signed(COLLABORATION)).unwrap_err();
        for language in [Language::English, Language::French] {
            let words = fault.words(language);
            assert!(words.contains(&format!("\"{}\"", installed(LOCAL).digest)), "{words}");
        }
        assert_ne!(fault.words(Language::English), fault.words(Language::French));
    }
}
