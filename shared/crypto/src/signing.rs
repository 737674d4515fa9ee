//! The private half: makes signatures, never shows itself.

use std::{fmt, sync::Arc};

use ring::signature::{Ed25519KeyPair, KeyPair as _};
use zeroize::Zeroizing;

use crate::{CryptoError, Signature, VerifyingKey, pem, random_bytes};

/// PKCS#8 version 2 of RFC 5958 and RFC 8410 around an Ed25519 seed and its public key.
const DER_BEFORE_SEED: [u8; 16] = [
    0x30, 0x51, 0x02, 0x01, 0x01, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
const DER_BEFORE_PUBLIC: [u8; 3] = [0x81, 0x21, 0x00];

/// An Ed25519 key (RFC 8032). Copies share one secret, which is overwritten when the last of them is dropped; `ring`'s
/// expanded form of it is not.
#[derive(Clone)]
pub struct SigningKey(Arc<Secret>);

struct Secret {
    pair: Ed25519KeyPair,
    der: Zeroizing<Vec<u8>>,
}

impl SigningKey {
    /// A new key from the operating system's generator.
    ///
    /// # Errors
    /// [`CryptoError::Randomness`] when it gives no bytes.
    pub fn generate() -> Result<Self, CryptoError> {
        Self::from_seed(&Zeroizing::new(random_bytes()?))
    }

    /// Reads PKCS#8 in DER: version 2, or version 1 as `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// # Errors
    /// [`CryptoError::PrivateKeyMalformed`] for anything else, also when the public half is not the private one's.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, CryptoError> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| CryptoError::PrivateKeyMalformed)?;
        Ok(Self(Arc::new(Secret {
            pair,
            der: Zeroizing::new(der.to_vec()),
        })))
    }

    /// The key as PKCS#8 in DER. Secret: keep it out of logs and out of every file but the key's own.
    #[must_use]
    pub fn to_pkcs8(&self) -> &[u8] {
        &self.0.der
    }

    /// Reads a `PRIVATE KEY` block of PEM (RFC 7468).
    ///
    /// # Errors
    /// [`CryptoError::PemMalformed`] or [`CryptoError::PrivateKeyMalformed`].
    pub fn from_pem(text: &str) -> Result<Self, CryptoError> {
        Self::from_pkcs8(&pem::decode(&pem::PRIVATE_KEY, text)?)
    }

    /// The key as a `PRIVATE KEY` block of PEM. Secret, as [`to_pkcs8`](Self::to_pkcs8).
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        pem::encode(&pem::PRIVATE_KEY, &self.0.der)
    }

    /// The public half.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        let bytes = self.0.pair.public_key().as_ref();
        VerifyingKey::from_bytes(bytes.try_into().expect("an ed25519 public key has 32 bytes"))
    }

    /// The signature over `message`; the same for the same message (RFC 8032 needs no randomness).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        let signature = self.0.pair.sign(message);
        Signature::from_bytes(
            signature
                .as_ref()
                .try_into()
                .expect("an ed25519 signature has 64 bytes"),
        )
    }

    fn from_seed(seed: &Zeroizing<[u8; 32]>) -> Result<Self, CryptoError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed[..]).map_err(|_| CryptoError::PrivateKeyMalformed)?;
        let parts = [
            &DER_BEFORE_SEED[..],
            &seed[..],
            &DER_BEFORE_PUBLIC,
            pair.public_key().as_ref(),
        ];
        // `concat` sizes the vector once, so no outgrown copy stays behind.
        let der = Zeroizing::new(parts.concat());
        Ok(Self(Arc::new(Secret { pair, der })))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey(of {})", self.verifying_key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1: seed, public key, message, signature.
    const VECTORS: [[&str; 4]; 4] = [
        [
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b\
             d25bf5f0595bbe24655141438e7a100b",
        ],
        [
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c\
             387b2eaeb4302aeeb00d291612bb0c00",
        ],
        [
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659\
             4a7c15e9716ed28dc027beceea1ec40a",
        ],
        [
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd\
             454d4423643ce80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030\
             3dca179c138ac17ad9bef1177331a704",
        ],
    ];

    fn key(seed: &str) -> SigningKey {
        SigningKey::from_seed(&Zeroizing::new(hex::decode(seed).unwrap().try_into().unwrap())).unwrap()
    }

    #[test]
    fn the_test_vectors_of_rfc_8032() {
        for [seed, public, message, expected] in VECTORS {
            let (key, message) = (key(seed), hex::decode(message).unwrap());
            let signature = key.sign(&message);
            assert_eq!(hex::encode(key.verifying_key().as_bytes()), public);
            assert_eq!(hex::encode(signature.as_bytes()), expected);
            assert_eq!(key.verifying_key().verify(&message, &signature), Ok(()));
            assert!(
                key.verifying_key()
                    .verify(&[&message[..], &[0]].concat(), &signature)
                    .is_err()
            );
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_and_another_key_are_refused() {
        let key = SigningKey::generate().unwrap();
        let signature = key.sign(b"message");
        for bit in 0..512 {
            let mut bytes = *signature.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(
                key.verifying_key()
                    .verify(b"message", &Signature::from_bytes(bytes))
                    .is_err(),
                "bit {bit}"
            );
        }
        assert!(
            SigningKey::generate()
                .unwrap()
                .verifying_key()
                .verify(b"message", &signature)
                .is_err()
        );
    }

    #[test]
    fn a_key_survives_der_and_pem() {
        let key = SigningKey::generate().unwrap();
        for copy in [
            SigningKey::from_pkcs8(key.to_pkcs8()).unwrap(),
            SigningKey::from_pem(&key.to_pem()).unwrap(),
            key.clone(),
        ] {
            assert_eq!(copy.verifying_key(), key.verifying_key());
            assert_eq!(copy.sign(b"m"), key.sign(b"m"));
        }
        assert!(
            Ed25519KeyPair::from_pkcs8(key.to_pkcs8()).is_ok(),
            "the version 2 form that ring itself checks"
        );
    }

    #[test]
    fn the_key_that_openssl_writes_is_read() {
        // RFC 8410, section 10.3: the first example, PKCS#8 version 1.
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                   -----END PRIVATE KEY-----\n";
        let public = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
        let key = SigningKey::from_pem(pem).unwrap();
        assert_eq!(hex::encode(key.verifying_key().as_bytes()), public);
        assert_eq!(*key.to_pem(), pem);
    }

    #[test]
    fn halves_of_two_keys_and_broken_der_are_refused() {
        let (one, two) = (key(VECTORS[0][0]), key(VECTORS[1][0]));
        let mixed = [&one.to_pkcs8()[..51], &two.to_pkcs8()[51..]].concat();
        assert_eq!(
            SigningKey::from_pkcs8(&mixed).err(),
            Some(CryptoError::PrivateKeyMalformed)
        );
        for length in 0..one.to_pkcs8().len() {
            assert!(SigningKey::from_pkcs8(&one.to_pkcs8()[..length]).is_err());
        }
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let shown = format!("{:?}", key(VECTORS[0][0]));
        assert!(
            shown.contains("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="),
            "{shown}"
        );
        assert!(!shown.contains("9d61") && !shown.contains("nWGx"), "{shown}");
    }
}
