//! A key of minisign.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blake2::{Blake2b512, Digest as _};

/// A pair of keys, and its id.
#[derive(Debug)]
pub struct Keys {
    pair: Ed25519KeyPair,
    id: [u8; 8],
}

impl Keys {
    #[must_use]
    pub fn new(id: [u8; 8]) -> Self {
        Self { pair: Ed25519KeyPair::generate().expect("a key"), id }
    }

    /// Returns the public key, as minisign prints it.
    #[must_use]
    pub fn public(&self) -> String {
        STANDARD.encode([b"Ed", &self.id[..], self.pair.public_key().as_ref()].concat())
    }

    /// Returns the text of a signature.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> String {
        let comment = "timestamp:1767225600";
        let signature = self.pair.sign(&Blake2b512::digest(bytes));
        let all = self.pair.sign(&[signature.as_ref(), comment.as_bytes()].concat());
        let line = STANDARD.encode([b"ED", &self.id[..], signature.as_ref()].concat());
        format!("untrusted comment: a test\n{line}\ntrusted comment: {comment}\n{}\n", STANDARD.encode(all))
    }
}
