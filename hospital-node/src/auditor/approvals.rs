//! Who approved which policy, as far as the node keeps the files.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;
use snowball_policy::{Policy, SignedPolicy};
use snowball_protocol::{Sha256Digest, limits::POLICY_BYTES_MAX};
use snowball_service::files;
use snowball_web::Language;

use crate::{home::Home, policy};

/// The policies whose files are here, by digest.
#[derive(Default, Serialize)]
pub struct Approvals(pub BTreeMap<Sha256Digest, Approval>);

/// One policy.
#[derive(Clone, Serialize)]
pub struct Approval {
    pub board: String,
    pub reference: String,
    /// Unix seconds.
    pub begins: i64,
    /// Unix seconds.
    pub expires: i64,
}

impl Approvals {
    /// Reads what is kept: the policy in force, and those before it, each under the signature and the key beside it. What
    /// does not verify is left out, as what is not there.
    pub fn read(home: &Home) -> Self {
        let kept = fs::read_dir(home.root().join("policy/history"));
        let kept = kept.into_iter().flatten().flatten().map(|file| file.path());
        let kept = kept.filter(|path| path.extension().is_some_and(|end| end == "toml"));
        let signed = kept
            .filter_map(|path| signed(home, &path))
            .chain(policy::in_force(home));
        Self(
            signed
                .map(|signed| (signed.digest, Approval::of(&signed.policy)))
                .collect(),
        )
    }
}

/// One kept policy, if it is the one that was signed.
fn signed(home: &Home, path: &Path) -> Option<SignedPolicy> {
    let bytes = files::read_bounded(path, POLICY_BYTES_MAX).ok()?;
    let beside = |end: &str| home.read_text(&PathBuf::from(format!("{}{end}", path.display()))).ok();
    let key = beside(".pub")?.trim().parse().ok()?;
    snowball_policy::verify(&bytes, beside(".sig").as_deref(), &key).ok()
}

impl Approval {
    fn of(policy: &Policy) -> Self {
        Self {
            board: policy.board().to_owned(),
            reference: policy.reference().to_owned(),
            begins: policy.begins(),
            expires: policy.expires(),
        }
    }
}

/// The policy in sentences, for reading aloud.
pub fn explain(policy: &Policy, language: Language) -> String {
    policy.explain_in(match language {
        Language::English => snowball_policy::Language::English,
        Language::French => snowball_policy::Language::French,
    })
}
