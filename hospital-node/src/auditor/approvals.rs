//! Who approved which policy, as far as the node keeps the files.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;
use snowball_policy::Policy;
use snowball_protocol::Sha256Digest;
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
    /// Reads what is kept, each file under the signature that stands beside it.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn read(home: &Home) -> Result<Self> {
        let mut known = BTreeMap::new();
        if let Ok(signed) = policy::in_force(home) {
            known.insert(signed.digest, Approval::of(&signed.policy));
        }
        Ok(Self(known))
    }
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
pub fn explain(policy: &Policy, _language: Language) -> String {
    policy.explain()
}
