//! The policy in force: read from disk each time that it is asked, so that it can be withdrawn at any moment.

pub mod install;

use std::sync::Arc;

use snowball_crypto::VerifyingKey;
use snowball_egress::ReadPolicy;
use snowball_policy::{Demand, PolicyFault, SignedPolicy};
use snowball_protocol::limits::POLICY_BYTES_MAX;
use snowball_service::files;

use crate::home::Home;

/// Reads and verifies the installed policy. Whatever goes wrong means that nothing is permitted.
pub fn in_force(home: &Home) -> Result<SignedPolicy, PolicyFault> {
    let bytes = match files::read_bounded(&home.policy(), POLICY_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(fault) if fault.kind() == std::io::ErrorKind::FileTooLarge => {
            return Err(PolicyFault::TooLarge {
                bytes: POLICY_BYTES_MAX + 1,
            });
        }
        Err(_) => return Err(PolicyFault::Missing),
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(PolicyFault::Empty);
    }
    // Without an ethics key nothing can be verified: that is a policy that nobody signed.
    let key = ethics_key(home).ok_or(PolicyFault::Unsigned)?;
    let signature = home.read_text(&home.policy_signature()).ok();
    snowball_policy::verify(&bytes, signature.as_deref(), &key)
}

/// Whether the policy in force demands that the kernel holds the trainer. Where none is in force nothing is trained anyway.
pub fn confinement(home: &Home) -> Demand {
    in_force(home).map_or(Demand::Required, |signed| signed.policy.confinement())
}

/// The site's ethics key, once one was installed.
pub fn ethics_key(home: &Home) -> Option<VerifyingKey> {
    home.read_text(&home.ethics_key()).ok()?.trim().parse().ok()
}

/// The same, as the door wants it.
pub fn reader(home: &Home) -> ReadPolicy {
    let home = home.clone();
    Arc::new(move || in_force(&home))
}
