//! Why a policy file cannot be used: each case with its own words, because each needs another hand to mend it.

use std::fmt;

use serde::Serialize;
use snowball_confidentiality::Language;
use snowball_protocol::{Sha256Digest, limits::POLICY_BYTES_MAX};

/// Why a policy file cannot be used. While it lasts, nothing runs and nothing leaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PolicyFault {
    /// There is no policy file.
    Missing,
    /// The file holds nothing, or comments only.
    Empty,
    /// The file is larger than [`POLICY_BYTES_MAX`].
    TooLarge {
        /// Its size, in bytes.
        bytes: usize,
    },
    /// The file is not UTF-8 text.
    NotText {
        /// The first line that is not, counted from 1.
        line: usize,
    },
    /// The file is written in another version of the format.
    UnknownFormat {
        /// The version it names, as written.
        found: String,
    },
    /// The file does not follow the format.
    Malformed {
        /// Where, counted from 1.
        line: usize,
        /// The field, by its dotted path or, if it is unknown, by its name; none where the text itself does not read.
        field: Option<String>,
        /// What is wrong.
        reason: String,
    },
    /// There is no signature beside the file.
    Unsigned,
    /// The signature file does not read as one.
    SignatureUnreadable,
    /// The signature was made with another key than the site's ethics key.
    WrongKey {
        /// The fingerprint of the key that the signature names.
        signed_by: Sha256Digest,
        /// The fingerprint of the site's ethics key.
        expected: Sha256Digest,
    },
    /// The signature names the right key and does not match: the file was altered after it was signed.
    SignatureInvalid,
}

/// The kind of a [`PolicyFault`], for programs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the variant of PolicyFault of the same name")]
pub enum FaultKind {
    Missing,
    Empty,
    TooLarge,
    NotText,
    UnknownFormat,
    Malformed,
    Unsigned,
    SignatureUnreadable,
    WrongKey,
    SignatureInvalid,
}

impl PolicyFault {
    /// The kind of this fault, for programs.
    #[must_use]
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::Missing => FaultKind::Missing,
            Self::Empty => FaultKind::Empty,
            Self::TooLarge { .. } => FaultKind::TooLarge,
            Self::NotText { .. } => FaultKind::NotText,
            Self::UnknownFormat { .. } => FaultKind::UnknownFormat,
            Self::Malformed { .. } => FaultKind::Malformed,
            Self::Unsigned => FaultKind::Unsigned,
            Self::SignatureUnreadable => FaultKind::SignatureUnreadable,
            Self::WrongKey { .. } => FaultKind::WrongKey,
            Self::SignatureInvalid => FaultKind::SignatureInvalid,
        }
    }

    /// What is wrong, for people.
    #[must_use]
    pub fn reason(&self) -> String {
        self.reason_in(Language::English)
    }

    /// What to do about it.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        self.remedy_in(Language::English)
    }

    /// What is wrong, in `language`. What the reader of the file says of a word or value stays in English.
    #[must_use]
    pub fn reason_in(&self, language: Language) -> String {
        match language {
            Language::English => english_reason(self),
            Language::French => french_reason(self),
        }
    }

    /// What to do about it, in `language`.
    #[must_use]
    pub const fn remedy_in(&self, language: Language) -> &'static str {
        match language {
            Language::English => english_remedy(self),
            Language::French => french_remedy(self),
        }
    }
}

fn english_reason(fault: &PolicyFault) -> String {
    match fault {
        PolicyFault::Missing => "no policy is installed".to_owned(),
        PolicyFault::Empty => "the policy file is empty".to_owned(),
        PolicyFault::TooLarge { bytes } => {
            format!("the policy file has {bytes} bytes; at most {POLICY_BYTES_MAX} are read")
        }
        PolicyFault::NotText { line } => format!("the policy file is not UTF-8 text (line {line})"),
        PolicyFault::UnknownFormat { found } => {
            format!("the policy is written in format {found}; this program knows format 1 only")
        }
        PolicyFault::Malformed { line, reason, .. } => {
            format!("the policy file is malformed at line {line}: {reason}")
        }
        PolicyFault::Unsigned => "the policy is not signed".to_owned(),
        PolicyFault::SignatureUnreadable => "the policy's signature file does not read as a signature".to_owned(),
        PolicyFault::WrongKey { signed_by, expected } => format!(
            "the policy is signed with key {}, but this site's ethics key is {}",
            signed_by.short(),
            expected.short()
        ),
        PolicyFault::SignatureInvalid => {
            "the policy was altered after it was signed: its signature does not match".to_owned()
        }
    }
}

const fn english_remedy(fault: &PolicyFault) -> &'static str {
    match fault {
        PolicyFault::Missing => "ask the ethics board for a signed policy, then run hospital-node policy install FILE",
        PolicyFault::Empty => "install the file that the ethics board signed; an empty one permits nothing",
        PolicyFault::TooLarge { .. } => "install the policy itself; it should be a short text",
        PolicyFault::NotText { .. } => "save the file as UTF-8 text, then sign and install it again",
        PolicyFault::UnknownFormat { .. } => {
            "write format = 1, or upgrade this node to a version that knows the format"
        }
        PolicyFault::Malformed { .. } => {
            "correct that line, run hospital-node policy check FILE, then sign and install it again"
        }
        PolicyFault::Unsigned => {
            "have the ethics board sign it: hospital-node policy sign --key ethics.pem policy.toml"
        }
        PolicyFault::SignatureUnreadable => {
            "keep policy.toml.sig as it was made, or have the ethics board sign the policy again"
        }
        PolicyFault::WrongKey { .. } => "have the holder of this site's ethics key sign the policy",
        PolicyFault::SignatureInvalid => {
            "restore the file that was signed, or have the ethics board read and sign the changed one"
        }
    }
}

fn french_reason(fault: &PolicyFault) -> String {
    match fault {
        PolicyFault::Missing => "aucune politique n'est installée".to_owned(),
        PolicyFault::Empty => "le fichier de la politique est vide".to_owned(),
        PolicyFault::TooLarge { bytes } => {
            format!("le fichier de la politique compte {bytes} octets ; {POLICY_BYTES_MAX} au plus sont lus")
        }
        PolicyFault::NotText { line } => {
            format!("le fichier de la politique n'est pas un texte UTF-8 (ligne {line})")
        }
        PolicyFault::UnknownFormat { found } => {
            format!("la politique est écrite au format {found} ; ce programme ne connaît que le format 1")
        }
        PolicyFault::Malformed { line, reason, .. } => {
            format!("le fichier de la politique est mal formé à la ligne {line} : {reason}")
        }
        PolicyFault::Unsigned => "la politique n'est pas signée".to_owned(),
        PolicyFault::SignatureUnreadable => {
            "le fichier de signature de la politique ne se lit pas comme une signature".to_owned()
        }
        PolicyFault::WrongKey { signed_by, expected } => format!(
            "la politique est signée avec la clé {}, mais la clé éthique de ce site est {}",
            signed_by.short(),
            expected.short()
        ),
        PolicyFault::SignatureInvalid => {
            "la politique a été modifiée après sa signature : la signature ne correspond pas".to_owned()
        }
    }
}

const fn french_remedy(fault: &PolicyFault) -> &'static str {
    match fault {
        PolicyFault::Missing => {
            "demandez au comité d'éthique une politique signée, puis lancez hospital-node policy install FICHIER"
        }
        PolicyFault::Empty => "installez le fichier que le comité d'éthique a signé ; un fichier vide ne permet rien",
        PolicyFault::TooLarge { .. } => "installez la politique elle-même ; ce devrait être un texte court",
        PolicyFault::NotText { .. } => {
            "enregistrez le fichier en texte UTF-8, puis signez-le et installez-le de nouveau"
        }
        PolicyFault::UnknownFormat { .. } => {
            "écrivez format = 1, ou mettez ce nœud à jour vers une version qui connaît ce format"
        }
        PolicyFault::Malformed { .. } => {
            "corrigez cette ligne, lancez hospital-node policy check FICHIER, puis signez et installez de nouveau"
        }
        PolicyFault::Unsigned => {
            "faites-la signer par le comité d'éthique : hospital-node policy sign --key ethics.pem policy.toml"
        }
        PolicyFault::SignatureUnreadable => {
            "gardez policy.toml.sig tel qu'il a été fait, ou faites signer de nouveau la politique par le comité d'éthique"
        }
        PolicyFault::WrongKey { .. } => "faites signer la politique par le détenteur de la clé éthique de ce site",
        PolicyFault::SignatureInvalid => {
            "restaurez le fichier qui a été signé, ou faites lire et signer par le comité d'éthique celui qui a été modifié"
        }
    }
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.reason(), self.remedy())
    }
}

impl std::error::Error for PolicyFault {}
