//! Comparing secrets.

use subtle::ConstantTimeEq as _;

/// Whether two texts are the same, in a time that does not depend on where they differ. Their length is no secret.
#[must_use]
pub fn are_equal(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_text_is_equal() {
        assert!(are_equal("", "") && are_equal("sha256:00", "sha256:00"));
        for other in ["", "sha256:0", "sha256:000", "Sha256:00", "sha256:01"] {
            assert!(!are_equal("sha256:00", other), "{other}");
        }
    }
}
