//! Every policy that a site installed: there, unaltered, and signed by its ethics board.

use std::collections::BTreeMap;

use snowball_policy::SignedPolicy;
use snowball_protocol::{Sha256Digest, SiteName, ids::UnixSeconds, limits::POLICY_BYTES_MAX};

use crate::{
    documents::paths,
    finding::Code,
    folder::Folder,
    keys::SiteKeys,
    outcome::{Area, Audit},
};

/// One policy coming into force, as the ledger tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Installed {
    pub index: u64,
    pub time: UnixSeconds,
    pub digest: Sha256Digest,
    pub version: u32,
    pub stage: String,
}

/// The policies of one site by digest; those that do not verify are `None`.
pub(crate) struct Policies(BTreeMap<Sha256Digest, Option<SignedPolicy>>);

impl Policies {
    pub(crate) fn read(
        folder: &Folder,
        site: &SiteName,
        keys: &SiteKeys,
        installed: &[Installed],
        audit: &mut Audit,
    ) -> Self {
        let mut policies = BTreeMap::new();
        for one in installed {
            let place = format!("{site}, record {}", one.index);
            audit.looked(Area::Policies);
            let signed = match verified(folder, keys, &one.digest) {
                Ok(signed) => signed,
                Err((code, detail)) => {
                    audit.find(Area::Policies, code, place, detail);
                    policies.insert(one.digest, None);
                    continue;
                }
            };
            let policy = &signed.policy;
            let stage = serde_json::to_value(policy.stage()).unwrap_or_default();
            if policy.site() != site || policy.version() != one.version || stage.as_str() != Some(&one.stage) {
                let detail = format!(
                    "the ledger installs version {} of stage {}; the file {} is version {} of stage {stage} for site {}",
                    one.version,
                    one.stage,
                    one.digest,
                    policy.version(),
                    policy.site()
                );
                audit.find(Area::Policies, Code::PolicyMisdescribed, place, detail);
            }
            policies.insert(one.digest, Some(signed));
        }
        Self(policies)
    }

    /// The outer `None`: never installed; the inner: it does not verify, which was told.
    pub(crate) fn get(&self, digest: &Sha256Digest) -> Option<Option<&SignedPolicy>> {
        self.0.get(digest).map(Option::as_ref)
    }
}

fn verified(folder: &Folder, keys: &SiteKeys, digest: &Sha256Digest) -> Result<SignedPolicy, (Code, String)> {
    let missing = |what: &str| {
        (
            Code::PolicyMissing,
            format!("{what} of the policy {digest} is not in the evidence"),
        )
    };
    let bytes = folder.read(&paths::policy(digest)).ok_or_else(|| missing("the file"))?;
    let signature = folder
        .read(&paths::policy_signature(digest))
        .ok_or_else(|| missing("the signature"))?;
    if bytes.len() > POLICY_BYTES_MAX || snowball_policy::digest(&bytes) != *digest {
        let found = snowball_policy::digest(&bytes);
        return Err((
            Code::PolicyAltered,
            format!("the ledger names {digest}, and the file is {found}"),
        ));
    }
    let signature = String::from_utf8_lossy(&signature);
    let mut reason = "no ethics key was written down for the site".to_owned();
    for key in &keys.ethics {
        match snowball_policy::verify(&bytes, Some(&*signature), key) {
            Ok(signed) => return Ok(signed),
            Err(fault) => reason = fault.to_string(),
        }
    }
    Err((Code::PolicySignature, format!("the policy {digest}: {reason}")))
}
