//! The annotated policies and the example study, for the tests of this crate.

use snowball_crypto::SigningKey;
use snowball_protocol::StudyPlan;

use crate::{SignedPolicy, sign, verify};

pub(crate) const LOCAL: &str = include_str!("../../../policies/local.toml");
pub(crate) const PROOF_OF_CONCEPT: &str = include_str!("../../../policies/proof-of-concept.toml");
pub(crate) const COLLABORATION: &str = include_str!("../../../policies/collaboration.toml");
pub(crate) const PUBLICATION: &str = include_str!("../../../policies/publication.toml");
const STUDY: &str = include_str!("../../../policies/cases/studies/body-parts.toml");

pub(crate) fn signed(text: &str) -> SignedPolicy {
    let key = SigningKey::generate().unwrap();
    verify(
        text.as_bytes(),
        Some(&sign(text.as_bytes(), &key)),
        &key.verifying_key(),
    )
    .unwrap()
}

pub(crate) fn study() -> StudyPlan {
    toml::from_str(STUDY).unwrap()
}
