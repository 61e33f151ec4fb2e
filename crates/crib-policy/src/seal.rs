//! Tokens that only this instance can read and only their owner can use: cursors, states, task and session ids.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use crib_model::{Entropy, Principal};

const NONCE_BYTES: usize = 24;
/// Longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 1024 * 1024;

/// What a token is for; one sealed for another purpose does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Cursor,
    RequestState,
    Task,
    Session,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Cursor => b"cursor",
            Self::RequestState => b"request-state",
            Self::Task => b"task",
            Self::Session => b"session",
        }
    }
}

/// Seals and opens tokens with one key (XChaCha20-Poly1305, a random nonce for each token).
#[derive(Clone)]
pub struct Seal {
    cipher: XChaCha20Poly1305,
    entropy: Arc<dyn Entropy>,
}

impl Seal {
    /// Makes a seal with a given key, so that several instances or restarts can open each other's tokens.
    #[must_use]
    pub fn new(key: &[u8; 32], entropy: Arc<dyn Entropy>) -> Self {
        Self { cipher: XChaCha20Poly1305::new(&Key::from(*key)), entropy }
    }

    /// Makes a seal with a key nobody else has.
    #[must_use]
    pub fn random(entropy: Arc<dyn Entropy>) -> Self {
        let mut key = [0; 32];
        entropy.fill(&mut key);
        Self::new(&key, entropy)
    }

    /// Seals a text for one principal. The same `context` must be given to open it.
    #[must_use]
    pub fn seal(&self, purpose: Purpose, principal: &Principal, context: &[u8], plaintext: &[u8]) -> String {
        let mut nonce = [0; NONCE_BYTES];
        self.entropy.fill(&mut nonce);
        let aad = bind(purpose, principal, context);
        let payload = Payload { msg: plaintext, aad: &aad };
        // Encryption fails only for texts of many gigabytes; an empty token opens for nobody.
        let Ok(sealed) = self.cipher.encrypt(&XNonce::from(nonce), payload) else { return String::new() };
        let mut token = Vec::with_capacity(NONCE_BYTES + sealed.len());
        token.extend_from_slice(&nonce);
        token.extend_from_slice(&sealed);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Opens a token; `None` for anything that was not sealed by this key for this purpose, principal and context.
    #[must_use]
    pub fn open(&self, purpose: Purpose, principal: &Principal, context: &[u8], token: &str) -> Option<Vec<u8>> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let token = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (nonce, sealed) = token.split_first_chunk::<NONCE_BYTES>()?;
        let aad = bind(purpose, principal, context);
        self.cipher.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &aad }).ok()
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

/// Writes what a token is bound to, each part with its length, so that no two bindings give the same bytes.
fn bind(purpose: Purpose, principal: &Principal, context: &[u8]) -> Vec<u8> {
    let parts = [purpose.label(), principal.tenant.as_str().as_bytes(), principal.name.as_bytes(), context];
    let mut aad = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        aad.extend_from_slice(&(part.len() as u64).to_le_bytes());
        aad.extend_from_slice(part);
    }
    aad
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dice::Dice;

    fn seal(seed: u64) -> Seal {
        Seal::random(Arc::new(Dice::new(seed)))
    }

    fn principal(name: &str) -> Principal {
        Principal { name: name.into(), ..Principal::anonymous() }
    }

    #[test]
    fn a_token_opens_only_for_its_owner_purpose_and_context() {
        let seal = seal(1);
        let ann = principal("ann");
        let token = seal.seal(Purpose::Cursor, &ann, b"tools", b"42");
        assert_eq!(seal.open(Purpose::Cursor, &ann, b"tools", &token).as_deref(), Some(b"42".as_slice()));
        assert_eq!(seal.open(Purpose::Cursor, &principal("bob"), b"tools", &token), None);
        assert_eq!(seal.open(Purpose::Task, &ann, b"tools", &token), None);
        assert_eq!(seal.open(Purpose::Cursor, &ann, b"prompts", &token), None);
        assert_eq!(self::seal(2).open(Purpose::Cursor, &ann, b"tools", &token), None);
    }

    #[test]
    fn name_and_context_do_not_run_into_each_other() {
        let seal = seal(1);
        let token = seal.seal(Purpose::Task, &principal("ab"), b"c", b"x");
        assert_eq!(seal.open(Purpose::Task, &principal("a"), b"bc", &token), None);
    }

    #[test]
    fn a_given_key_opens_what_it_sealed_elsewhere() {
        let (here, there) = (Seal::new(&[7; 32], Arc::new(Dice::new(1))), Seal::new(&[7; 32], Arc::new(Dice::new(2))));
        let token = here.seal(Purpose::Session, &principal("ann"), b"", b"s");
        assert!(there.open(Purpose::Session, &principal("ann"), b"", &token).is_some());
    }

    #[test]
    fn garbage_does_not_open() {
        for token in ["", "AAAA", "!", "é", &"A".repeat(64), &"A".repeat(TOKEN_BYTES_MAX + 1)] {
            assert_eq!(seal(1).open(Purpose::Cursor, &principal("ann"), b"", token), None);
        }
    }

    proptest! {
        #[test]
        fn every_text_comes_back_and_every_change_is_noticed(
            text in prop::collection::vec(any::<u8>(), 0..100),
            context in prop::collection::vec(any::<u8>(), 0..20),
            at in any::<prop::sample::Index>(),
            flip in 1u8..64,
        ) {
            let seal = seal(3);
            let ann = principal("ann");
            let token = seal.seal(Purpose::RequestState, &ann, &context, &text);
            prop_assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            prop_assert_eq!(seal.open(Purpose::RequestState, &ann, &context, &token), Some(text));
            const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let mut bytes = token.into_bytes();
            let at = at.index(bytes.len());
            let digit = ALPHABET.iter().position(|c| *c == bytes[at]).unwrap();
            bytes[at] = ALPHABET[digit ^ usize::from(flip)];
            let changed = String::from_utf8(bytes).unwrap();
            prop_assert_eq!(seal.open(Purpose::RequestState, &ann, &context, &changed), None);
        }
    }
}
