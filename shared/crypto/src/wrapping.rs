//! Keys and secrets under a passphrase: PBES2 of RFC 8018 with scrypt (RFC 7914) and AES-256-CBC, in the structure that PKCS#8
//! has for it, so that `openssl` reads a wrapped key too.

use std::fmt;

use pkcs8::{
    EncryptedPrivateKeyInfo, PrivateKeyInfo,
    der::{Decode as _, Encode as _},
    pkcs5::{
        EncryptionScheme,
        pbes2::{Kdf, Parameters},
        scrypt,
    },
};
use zeroize::Zeroizing;

use crate::{CryptoError, pem, random_bytes};

/// Fewest characters of a passphrase.
pub const PASSPHRASE_CHARACTERS_MIN: usize = 12;
const PASSPHRASE_BYTES_MAX: usize = 1024;

/// scrypt's cost: 16 MiB, five times over. More memory at once than 32 MiB is what `openssl` refuses to read.
const COST_LOG2: u8 = 14;
const BLOCK_SIZE: u32 = 8;
const PARALLELISM: u32 = 5;
const KEY_BYTES: usize = 32;
/// What a file may ask of us, whoever wrote it: 64 MiB of memory, a dozen times our own work.
const SCRYPT_BYTES_MAX: u64 = 64 << 20;
const SCRYPT_WORK_MAX: u64 = 1 << 30;
const PBKDF2_ITERATIONS_MAX: u32 = 10_000_000;

/// What opens wrapped keys. Overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a passphrase as a file or a person gives it: a line end after it does not belong to it.
    ///
    /// # Errors
    /// [`CryptoError::PassphraseUnfit`] when it is too short or too long.
    pub fn new(text: &str) -> Result<Self, CryptoError> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.chars().count() < PASSPHRASE_CHARACTERS_MIN || text.len() > PASSPHRASE_BYTES_MAX {
            return Err(CryptoError::PassphraseUnfit);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Passphrase(..)")
    }
}

/// Whether `text` is a key or secret under a passphrase, or holds one among others.
#[must_use]
pub fn is_wrapped(text: &str) -> bool {
    pem::pieces(text).any(is_wrapped_block)
}

fn is_wrapped_block(block: &str) -> bool {
    pem::is_labelled(&pem::WRAPPED_KEY, block) || pem::is_labelled(&pem::WRAPPED_SECRET, block)
}

/// Puts a secret under a passphrase: each private key of a PEM text, which keeps its certificates as they are, or the whole of
/// any other text. The public half that a key of PKCS#8 version 2 carries along is left out.
///
/// # Errors
/// [`CryptoError::PemMalformed`] for a text with a key of another kind or none at all, or when there is no randomness.
pub fn wrap(text: &str, passphrase: &Passphrase) -> Result<Zeroizing<String>, CryptoError> {
    if !pem::is_pem(text) {
        return seal(&pem::WRAPPED_SECRET, text.as_bytes(), passphrase);
    }
    let mut keys = 0;
    let wrapped = each_block(text, |block| {
        if pem::is_labelled(&pem::PRIVATE_KEY, block) {
            keys += 1;
            let der = pem::decode(&pem::PRIVATE_KEY, block)?;
            return seal(&pem::WRAPPED_KEY, &without_public_half(&der)?, passphrase).map(Some);
        }
        // Kept as it is, it would lie there in the clear and be taken for wrapped.
        if block.contains("PRIVATE KEY-----") {
            return Err(CryptoError::PemMalformed);
        }
        Ok(None)
    })?;
    if keys == 0 {
        return Err(CryptoError::PemMalformed);
    }
    Ok(wrapped)
}

/// The text that [`wrap`] was given; reads keys that `openssl pkcs8 -topk8` wrapped, too.
///
/// # Errors
/// [`CryptoError::PassphraseWrong`], or [`CryptoError::PemMalformed`] and [`CryptoError::WrappingMalformed`] for what is no
/// wrapped key.
pub fn unwrap(text: &str, passphrase: &Passphrase) -> Result<Zeroizing<String>, CryptoError> {
    if !is_wrapped(text) {
        return Err(CryptoError::PemMalformed);
    }
    each_block(text, |block| {
        is_wrapped_block(block).then(|| open(block, passphrase)).transpose()
    })
}

/// The text with what `change` makes of its blocks; those of which it makes nothing stay.
fn each_block(
    text: &str,
    mut change: impl FnMut(&str) -> Result<Option<Zeroizing<String>>, CryptoError>,
) -> Result<Zeroizing<String>, CryptoError> {
    let blocks = pem::pieces(text)
        .map(|block| Ok((block, change(block)?)))
        .collect::<Result<Vec<_>, CryptoError>>()?;
    let length = blocks
        .iter()
        .map(|(block, changed)| changed.as_ref().map_or(block.len(), |changed| changed.len()))
        .sum();
    // Sized beforehand: a string that grows leaves copies of its old self behind.
    let mut whole = Zeroizing::new(String::with_capacity(length));
    for (block, changed) in &blocks {
        whole.push_str(changed.as_ref().map_or(*block, |changed| changed.as_str()));
    }
    Ok(whole)
}

fn seal(label: &pem::Label, content: &[u8], passphrase: &Passphrase) -> Result<Zeroizing<String>, CryptoError> {
    let (salt, iv) = (random_bytes::<16>()?, random_bytes::<16>()?);
    let cost = scrypt::Params::new(COST_LOG2, BLOCK_SIZE, PARALLELISM, KEY_BYTES);
    let parameters = cost
        .map_err(|_| CryptoError::WrappingMalformed)
        .and_then(|cost| Parameters::scrypt_aes256cbc(cost, &salt, &iv).map_err(|_| CryptoError::WrappingMalformed))?;
    let sealed = parameters
        .encrypt(passphrase.0.as_bytes(), content)
        .map_err(|_| CryptoError::WrappingMalformed)?;
    let wrapped = EncryptedPrivateKeyInfo {
        encryption_algorithm: EncryptionScheme::Pbes2(parameters),
        encrypted_data: &sealed,
    };
    let der = wrapped.to_der().map_err(|_| CryptoError::WrappingMalformed)?;
    Ok(pem::encode(label, &der))
}

fn open(block: &str, passphrase: &Passphrase) -> Result<Zeroizing<String>, CryptoError> {
    let is_key = pem::is_labelled(&pem::WRAPPED_KEY, block);
    let label = if is_key {
        &pem::WRAPPED_KEY
    } else {
        &pem::WRAPPED_SECRET
    };
    let der = pem::decode(label, block)?;
    let wrapped = EncryptedPrivateKeyInfo::from_der(&der).map_err(|_| CryptoError::WrappingMalformed)?;
    check_work(&wrapped.encryption_algorithm)?;
    let content = wrapped
        .encryption_algorithm
        .decrypt(passphrase.0.as_bytes(), wrapped.encrypted_data)
        .map(Zeroizing::new)
        .map_err(|_| CryptoError::PassphraseWrong)?;
    // One wrong passphrase in 256 passes the padding's check: what it gives is neither a key nor a text.
    if is_key {
        PrivateKeyInfo::from_der(&content).map_err(|_| CryptoError::PassphraseWrong)?;
        return Ok(pem::encode(&pem::PRIVATE_KEY, &content));
    }
    match str::from_utf8(&content) {
        Ok(text)
            if text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) =>
        {
            Ok(Zeroizing::new(text.to_owned()))
        }
        _ => Err(CryptoError::PassphraseWrong),
    }
}

/// Version 1 of PKCS#8: `openssl` reads no key of version 2.
fn without_public_half(der: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let mut key = PrivateKeyInfo::from_der(der).map_err(|_| CryptoError::PrivateKeyMalformed)?;
    key.public_key = None;
    let der = key.to_der().map_err(|_| CryptoError::PrivateKeyMalformed)?;
    Ok(Zeroizing::new(der))
}

fn check_work(scheme: &EncryptionScheme<'_>) -> Result<(), CryptoError> {
    let is_bounded = match scheme.pbes2().map(|parameters| &parameters.kdf) {
        Some(Kdf::Scrypt(cost)) => {
            let block_bytes = 128 * u64::from(cost.block_size);
            cost.cost_parameter.checked_mul(block_bytes).is_some_and(|bytes| {
                bytes <= SCRYPT_BYTES_MAX && bytes.saturating_mul(u64::from(cost.parallelization)) <= SCRYPT_WORK_MAX
            })
        }
        Some(Kdf::Pbkdf2(cost)) => cost.iteration_count <= PBKDF2_ITERATIONS_MAX,
        _ => false,
    };
    if is_bounded {
        Ok(())
    } else {
        Err(CryptoError::WrappingMalformed)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        process::{Command, Stdio},
    };

    use super::*;
    use crate::{SigningKey, SiteSecret};

    const WORDS: &str = "correct horse battery";

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text).unwrap()
    }

    #[test]
    fn keys_and_secrets_survive_their_wrapping_and_no_other_passphrase_opens_it() {
        let whole = SigningKey::generate().unwrap();
        let key = pem::encode(&pem::PRIVATE_KEY, &without_public_half(whole.to_pkcs8()).unwrap());
        assert_eq!(
            SigningKey::from_pem(&key).unwrap().verifying_key(),
            whole.verifying_key()
        );
        let opened = unwrap(&wrap(&whole.to_pem(), &passphrase(WORDS)).unwrap(), &passphrase(WORDS)).unwrap();
        assert_eq!(*opened, *key);
        let secret = SiteSecret::generate().unwrap().to_hex();
        for text in [&key, &secret] {
            assert!(!is_wrapped(text));
            let wrapped = wrap(text, &passphrase(WORDS)).unwrap();
            assert!(is_wrapped(&wrapped) && !wrapped.contains(text.lines().nth(1).unwrap_or(text)));
            assert_ne!(
                *wrap(text, &passphrase(WORDS)).unwrap(),
                *wrapped,
                "a salt of its own each time"
            );
            assert_eq!(
                *unwrap(&wrapped, &passphrase("correct horse battery\n")).unwrap(),
                **text
            );
            assert_eq!(
                unwrap(&wrapped, &passphrase("correct horse batterx")).err(),
                Some(CryptoError::PassphraseWrong)
            );
        }
        assert!(!format!("{:?}", passphrase(WORDS)).contains("horse"));
    }

    #[test]
    fn the_keys_of_a_file_are_wrapped_and_its_certificates_stay() {
        let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let [one, two] = [0, 1].map(|_| {
            let whole = SigningKey::generate().unwrap();
            pem::encode(&pem::PRIVATE_KEY, &without_public_half(whole.to_pkcs8()).unwrap())
        });
        let text = format!("{certificate}{}{}", *one, *two);
        let wrapped = wrap(&text, &passphrase(WORDS)).unwrap();
        assert!(is_wrapped(&wrapped) && wrapped.starts_with(certificate));
        assert_eq!(wrapped.matches("BEGIN ENCRYPTED PRIVATE KEY").count(), 2);
        assert!(!wrapped.contains("BEGIN PRIVATE KEY"));
        assert_eq!(*unwrap(&wrapped, &passphrase(WORDS)).unwrap(), text);
        let mixed = format!("{}{}", *one, *wrap(&two, &passphrase(WORDS)).unwrap());
        assert!(wrap(&mixed, &passphrase(WORDS)).is_err(), "half in the clear");

        let of_another_kind = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n";
        for unfit in [certificate, of_another_kind, &format!("{}{of_another_kind}", *one)] {
            assert_eq!(wrap(unfit, &passphrase(WORDS)).err(), Some(CryptoError::PemMalformed));
        }
    }

    #[test]
    fn a_passphrase_has_a_length() {
        for unfit in ["", "\n", "elevenchars", &"x".repeat(1025)] {
            assert_eq!(Passphrase::new(unfit).err(), Some(CryptoError::PassphraseUnfit));
        }
        assert!(Passphrase::new("twelve chars\r\n").is_ok());
    }

    #[test]
    fn a_changed_file_or_one_that_asks_for_too_much_work_is_refused() {
        let wrapped = wrap(&SigningKey::generate().unwrap().to_pem(), &passphrase(WORDS)).unwrap();
        let der = pem::decode(&pem::WRAPPED_KEY, &wrapped).unwrap();
        for length in [0, 1, der.len() / 2, der.len() - 1] {
            let cut = pem::encode(&pem::WRAPPED_KEY, &der[..length]);
            assert_eq!(
                unwrap(&cut, &passphrase(WORDS)).err(),
                Some(CryptoError::WrappingMalformed)
            );
        }
        assert!(unwrap("hello", &passphrase(WORDS)).is_err());
        let (salt, iv) = ([0; 16], [0; 16]);
        for (log2, block, parallel) in [(20, 8, 1), (14, 8, 100), (10, 1024, 1)] {
            let cost = scrypt::Params::new(log2, block, parallel, KEY_BYTES).unwrap();
            let scheme = EncryptionScheme::Pbes2(Parameters::scrypt_aes256cbc(cost, &salt, &iv).unwrap());
            assert_eq!(
                check_work(&scheme),
                Err(CryptoError::WrappingMalformed),
                "{log2} {block} {parallel}"
            );
        }
        let scheme = EncryptionScheme::Pbes2(Parameters::pbkdf2_sha256_aes256cbc(600_000, &salt, &iv).unwrap());
        assert_eq!(check_work(&scheme), Ok(()));
    }

    /// What `openssl` makes of `input`; `None` where it is not installed.
    fn openssl(arguments: &[&str], input: &str) -> Option<(bool, String)> {
        let started = Command::new("openssl")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = started
            .inspect_err(|_| println!("skipped: openssl is not installed"))
            .ok()?;
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        Some((
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        ))
    }

    #[test]
    fn openssl_reads_what_is_wrapped_here_and_the_other_way_round() {
        let Some((true, plain)) = openssl(&["genpkey", "-algorithm", "ed25519"], "") else {
            return;
        };
        let ours = SigningKey::generate().unwrap();
        let password = format!("pass:{WORDS}");
        for pem in [plain.as_str(), &ours.to_pem()] {
            let wrapped = wrap(pem, &passphrase(WORDS)).unwrap();
            let (is_read, seen) = openssl(&["pkey", "-passin", &password], &wrapped).unwrap();
            assert!(is_read);
            let (seen, known) = (SigningKey::from_pem(&seen).unwrap(), SigningKey::from_pem(pem).unwrap());
            assert_eq!(seen.verifying_key(), known.verifying_key());
            assert!(
                !openssl(&["pkey", "-passin", "pass:something else"], &wrapped)
                    .unwrap()
                    .0
            );
        }
        for scheme in [
            &["-scrypt"][..],
            &["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA256"][..],
        ] {
            let arguments = [&["pkcs8", "-topk8", "-passout", &password][..], scheme].concat();
            let (is_written, theirs) = openssl(&arguments, &plain).unwrap();
            assert!(is_written && is_wrapped(&theirs), "{scheme:?}");
            assert_eq!(*unwrap(&theirs, &passphrase(WORDS)).unwrap(), plain, "{scheme:?}");
        }
    }
}
