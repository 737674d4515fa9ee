//! The list of an evidence folder's files, signed by the ledger key of whoever exported it.

use serde::{Deserialize, Serialize};
use snowball_crypto::{Signature, VerifyingKey};
use snowball_ledger::Head;
use snowball_protocol::Sha256Digest;

/// The list.
pub const MANIFEST_FILE: &str = "manifest.json";
/// The signature over it.
pub const SIGNATURE_FILE: &str = "manifest.json.sig";
/// Largest manifest, in bytes: a file takes about 150.
pub(crate) const MANIFEST_BYTES_MAX: usize = 256 << 20;
pub(crate) const SIGNATURE_BYTES_MAX: usize = 256;
const PATH_CHARACTERS_MAX: usize = 300;
const FORMAT: u16 = 1;

/// Whose evidence.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A hospital's.
    Site,
    /// The aggregator's.
    Aggregator,
}

/// The content of `manifest.json`, as canonical JSON.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the folder's form: 1.
    pub format: u16,
    /// Whose evidence.
    pub kind: Kind,
    /// The name of the ledger's owner.
    pub owner: String,
    /// The owner's ledger key, which signs this list. An auditor compares it with the one that was written down before.
    pub key: VerifyingKey,
    /// Where the ledger stood when it was exported.
    pub head: Head,
    /// Every other file, in the order of the paths.
    pub files: Vec<ListedFile>,
}

/// One file of the folder.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedFile {
    /// Its path, with `/` between the parts.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its content.
    pub digest: Sha256Digest,
}

impl Manifest {
    /// The list of what was exported.
    #[must_use]
    pub fn new(kind: Kind, head: Head, key: VerifyingKey, mut files: Vec<ListedFile>) -> Self {
        files.sort();
        Self {
            format: FORMAT,
            kind,
            owner: head.owner.clone(),
            key,
            head,
            files,
        }
    }

    /// Reads the file's bytes; the reason why not is for people.
    pub(crate) fn parse(document: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(document).map_err(|_| "it does not parse".to_owned())?;
        if manifest.format != FORMAT {
            return Err(format!(
                "it is of format {}, and this program reads {FORMAT}",
                manifest.format
            ));
        }
        if snowball_protocol::plan::canonical_json(&manifest) != document {
            return Err("it is not written in its one canonical form".to_owned());
        }
        if !manifest.files.is_sorted_by(|one, next| one.path < next.path) {
            return Err("its files are not each listed once and in order".to_owned());
        }
        match manifest.files.iter().find(|file| !is_path(&file.path)) {
            Some(_) => Err("it lists a path that leads out of the folder or has other characters".to_owned()),
            None => Ok(manifest),
        }
    }

    /// Whether `signature` is its key's over `document`.
    pub(crate) fn is_signed(&self, document: &[u8], signature: &str) -> bool {
        signature
            .strip_suffix('\n')
            .and_then(|text| text.parse::<Signature>().ok())
            .is_some_and(|signature| self.key.verify(&Self::signed_bytes(document), &signature).is_ok())
    }

    /// The bytes that are signed for the file content `document`: the content behind a line that says what it is.
    #[must_use]
    pub fn signed_bytes(document: &[u8]) -> Vec<u8> {
        [b"snowball evidence manifest v1\n", document].concat()
    }
}

/// Parts of lower-case letters, digits, dots, hyphens and underscores, none beginning with a dot.
pub(crate) fn is_path(path: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    let is_part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(is_allowed);
    path.len() <= PATH_CHARACTERS_MAX && path.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_listed_path_leads_out_of_the_folder() {
        for path in [
            "", "/a", "a/", "../a", "a/../b", ".a", "a\\b", "A", "a b", "a//b", "a\n",
        ] {
            assert!(!is_path(path), "{path:?}");
        }
        for path in ["ledger/ledger.jsonl", "plans/0a.json", "manifest.json"] {
            assert!(is_path(path), "{path:?}");
        }
    }

    #[test]
    fn a_manifest_has_one_spelling() {
        let head = Head {
            owner: "north".to_owned(),
            entries: 0,
            hash: Sha256Digest::of(b""),
        };
        let file = |path: &str| ListedFile {
            path: path.to_owned(),
            bytes: 1,
            digest: Sha256Digest::of(b"x"),
        };
        let key = VerifyingKey::from_bytes([1; 32]);
        let manifest = Manifest::new(Kind::Site, head, key, vec![file("b"), file("a")]);
        assert_eq!(manifest.files[0].path, "a");
        let document = snowball_protocol::plan::canonical_json(&manifest);
        assert_eq!(Manifest::parse(&document).unwrap(), manifest);
        assert!(Manifest::parse(&[&document[..], b"\n"].concat()).is_err());
        let text = String::from_utf8(document).unwrap();
        for wrong in [
            text.replace("\"format\":1", "\"format\":2"),
            text.replace("\"path\":\"b\"", "\"path\":\"a\""),
            text.replace("\"path\":\"b\"", "\"path\":\"b/../../c\""),
        ] {
            assert_ne!(wrong, text);
            assert!(Manifest::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
