//! The public keys that an auditor trusts: written down when the consortium was founded, not taken from the evidence.

use std::collections::BTreeMap;

use serde::Deserialize;
use snowball_crypto::VerifyingKey;
use snowball_protocol::{Sha256Digest, SiteName};

/// Largest keys file, in bytes; a site takes about 200.
pub(crate) const KEYS_BYTES_MAX: usize = 4 << 20;

/// The content of `keys.toml`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// The aggregator's key, which signs its ledger, the receipts and the releases.
    pub aggregator: VerifyingKey,
    /// SHA-256 of each certificate that the consortium's CA has had, as invitations name it; not checked where there is none.
    #[serde(default)]
    pub ca: Vec<Sha256Digest>,
    /// The sites, by name.
    #[serde(default)]
    pub sites: BTreeMap<SiteName, SiteKeys>,
}

/// The keys of one site.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteKeys {
    /// The key that signs its ledger.
    pub ledger: VerifyingKey,
    /// The keys that its ethics board has had, each of which may have signed policies.
    #[serde(default)]
    pub ethics: Vec<VerifyingKey>,
}

/// A text that is no keys file.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// It is too long.
    #[error("the keys file is larger than {KEYS_BYTES_MAX} bytes")]
    TooLarge,
    /// It does not parse.
    #[error("the keys file does not parse: {0}")]
    Malformed(String),
}

impl Keys {
    /// Reads `keys.toml`.
    ///
    /// # Errors
    /// When it is too long, is no TOML, or has a field that is not known.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        if text.len() > KEYS_BYTES_MAX {
            return Err(KeysError::TooLarge);
        }
        toml::from_str(text).map_err(|fault| KeysError::Malformed(fault.message().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keys_file_names_each_party_and_a_typing_mistake_is_told() {
        let key = VerifyingKey::from_bytes([1; 32]);
        let text = format!("aggregator = \"{key}\"\n[sites.north]\nledger = \"{key}\"\nethics = [\"{key}\"]\n");
        let keys = Keys::parse(&text).unwrap();
        assert_eq!((keys.aggregator, keys.ca.len()), (key, 0));
        assert_eq!(keys.sites[&"north".parse().unwrap()].ethics, [key]);
        for wrong in [
            text.replace("ethics", "ethic"),
            text.replace("[sites.north]", "[sites.North]"),
            text.replace("aggregator", "agregator"),
            text.replacen('=', "= \"x\" #", 1),
        ] {
            assert!(Keys::parse(&wrong).is_err(), "{wrong}");
        }
    }
}
