//! Keys of cosign, by which images are signed without an identity: the point of a P-256 key in its armour.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{NotAKey, Signer};

/// In front of the point of a P-256 key in `SubjectPublicKeyInfo`.
const HEAD: [u8; 26] = [48, 89, 48, 19, 6, 7, 42, 134, 72, 206, 61, 2, 1, 6, 8, 42, 134, 72, 206, 61, 3, 1, 7, 3, 66, 0];
const POINT_BYTES: usize = 65;
/// Who says that it was them, for a signer that is a key.
const ISSUER: &str = "cosign";

/// A public key of cosign, as `cosign generate-key-pair` writes it.
#[derive(Clone, PartialEq, Eq)]
pub struct ImageKey(Vec<u8>);

impl ImageKey {
    /// Returns the key that signed a version before.
    pub(crate) fn of(signer: &Signer) -> Option<Self> {
        if signer.issuer == ISSUER { Self::of_der(&signer.identity) } else { None }
    }

    fn of_der(text: &str) -> Option<Self> {
        let der = STANDARD.decode(text).ok()?;
        let is_it = der.starts_with(&HEAD) && der.len() == HEAD.len() + POINT_BYTES;
        is_it.then_some(Self(der))
    }

    /// Returns it as a signer, if it made the signature.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8]) -> Option<Signer> {
        let point = self.0.get(HEAD.len()..)?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature).ok()?;
        Some(Signer { issuer: ISSUER.to_owned(), identity: STANDARD.encode(&self.0), repository: None })
    }
}

impl FromStr for ImageKey {
    type Err = NotAKey;

    /// Reads a key in its armour.
    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let body = text.split("-----BEGIN PUBLIC KEY-----").nth(1).and_then(|rest| rest.split("-----END").next()).unwrap_or_default();
        let letters: String = body.chars().filter(|letter| !letter.is_whitespace()).collect();
        Self::of_der(&letters).ok_or_else(|| NotAKey::new(text))
    }
}

impl fmt::Display for ImageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(&self.0))
    }
}

impl fmt::Debug for ImageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImageKey({})", STANDARD.encode(&self.0))
    }
}
