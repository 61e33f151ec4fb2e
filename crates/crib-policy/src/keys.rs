//! API keys: who a presented secret belongs to.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crib_model::{Code, Entropy, Fault, Principal, Tenant};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use secrecy::{ExposeSecret, SecretString};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Sets the digest of a key apart from other hashes of it. No secret.
const DIGEST_KEY: &[u8; 32] = b"toolcrib 2026-11 API key digest.";
const DIGEST_PREFIX: &str = "blake3:";
/// Shorter secrets can be guessed.
const SECRET_BYTES_MIN: usize = 16;
/// Longer ones are nobody's.
const SECRET_BYTES_MAX: usize = 1024;
/// Secrets with fewer different characters are placeholders.
const DISTINCT_MIN: usize = 6;
/// What people write where a secret should stand.
const PLACEHOLDERS: [&str; 12] = [
    "changeme",
    "change-me",
    "change_me",
    "secret",
    "password",
    "placeholder",
    "your-api-key",
    "your_api_key",
    "example",
    "xxxx",
    "default",
    "replace",
];

const OWN_PREFIX: &str = "tcb_live_";
const BODY_CHARS: usize = 26;
const CHECK_CHARS: usize = 6;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key's secret, or what [`digest_key`] made of it.
#[derive(Clone, Debug)]
pub enum KeySecret {
    Plain(SecretString),
    /// `blake3:` and 64 hexadecimal digits.
    Digest(String),
}

/// One key as configured.
#[derive(Clone, Debug)]
pub struct KeySpec {
    pub name: String,
    pub secret: KeySecret,
}

/// All keys of the instance.
pub struct Keys {
    /// By the digest of the secret. The map hashes with keys of its own, so how long a look takes tells nothing.
    by_digest: HashMap<[u8; 32], Arc<Principal>>,
    anonymous: Arc<Principal>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.by_digest.len())
    }
}

impl Keys {
    /// No keys: every caller is anonymous. Only for listeners on loopback.
    #[must_use]
    pub fn none() -> Self {
        Self { by_digest: HashMap::new(), anonymous: Arc::new(Principal::anonymous()) }
    }

    /// Takes the configured keys.
    ///
    /// # Errors
    /// A secret is short, a placeholder or used twice, a digest is malformed, or a name is empty or used twice
    /// ([`Code::ConfigInvalid`]). No error quotes a secret.
    pub fn build(specs: &[KeySpec]) -> Result<Self, Fault> {
        let mut keys = Self::none();
        let mut names = std::collections::HashSet::new();
        for KeySpec { name, secret } in specs {
            if name.is_empty() || name == "anonymous" {
                return Err(Fault::new(Code::ConfigInvalid, format!("a key cannot have the name `{name}`")));
            }
            if !names.insert(name.as_str()) {
                return Err(Fault::new(Code::ConfigInvalid, format!("two keys have the name `{name}`")));
            }
            let digest = match secret {
                KeySecret::Plain(secret) => {
                    check_strength(name, secret.expose_secret())?;
                    digest(secret.expose_secret().as_bytes())
                }
                KeySecret::Digest(text) => parse_digest(text).ok_or_else(|| {
                    Fault::new(Code::ConfigInvalid, format!("the digest of key `{name}` is not `blake3:` and 64 hexadecimal digits"))
                })?,
            };
            let principal = Arc::new(Principal { tenant: Tenant::local(), name: name.as_str().into() });
            if let Some(other) = keys.by_digest.insert(digest, principal) {
                return Err(Fault::new(Code::ConfigInvalid, format!("keys `{}` and `{name}` have the same secret", other.name)));
            }
        }
        Ok(keys)
    }

    /// Tells whether no keys are configured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_digest.is_empty()
    }

    /// Finds out who sends these headers: `Authorization: Bearer KEY` or `X-Api-Key: KEY`.
    ///
    /// # Errors
    /// Keys are configured and none of them was presented ([`Code::Unauthenticated`]).
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Arc<Principal>, Fault> {
        if self.by_digest.is_empty() {
            return Ok(Arc::clone(&self.anonymous));
        }
        match presented(headers) {
            Presented::Nothing => Err(Fault::new(Code::Unauthenticated, "an API key is needed")
                .hint("send it as `Authorization: Bearer KEY` or `X-Api-Key: KEY`")),
            Presented::Unclear => Err(Fault::new(Code::Unauthenticated, "the request carries more than one API key")),
            Presented::Key(key) => self.find(key).ok_or_else(|| Fault::new(Code::Unauthenticated, "the API key is not valid")),
        }
    }

    fn find(&self, key: &[u8]) -> Option<Arc<Principal>> {
        if key.len() > SECRET_BYTES_MAX {
            return None;
        }
        self.by_digest.get(&digest(key)).map(Arc::clone)
    }
}

enum Presented<'a> {
    Nothing,
    Unclear,
    Key(&'a [u8]),
}

/// Two different keys are refused: another reader of the request might take the other one.
fn presented(headers: &HeaderMap) -> Presented<'_> {
    let bearers = headers.get_all(AUTHORIZATION).iter().map(|value| bearer(value.as_bytes()));
    let plain = headers.get_all(&API_KEY).iter().map(|value| Some(value.as_bytes().trim_ascii()));
    let mut found = Presented::Nothing;
    for key in bearers.chain(plain) {
        found = match (found, key) {
            (Presented::Nothing, Some(key)) => Presented::Key(key),
            (Presented::Key(first), Some(key)) if first == key => Presented::Key(first),
            _ => return Presented::Unclear,
        };
    }
    found
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

fn check_strength(name: &str, secret: &str) -> Result<(), Fault> {
    let refuse = |why: &str| {
        Err(Fault::new(Code::ConfigInvalid, format!("the secret of key `{name}` {why}"))
            .hint("make one with `openssl rand -hex 24` and keep it in an environment variable: `secret: ${env:NAME}`"))
    };
    let plain = secret.to_ascii_lowercase();
    let mut distinct: Vec<u8> = secret.bytes().collect();
    distinct.sort_unstable();
    distinct.dedup();
    if secret.len() < SECRET_BYTES_MIN {
        return refuse("is shorter than 16 characters");
    }
    if secret.len() > SECRET_BYTES_MAX {
        return refuse("is longer than 1024 characters");
    }
    if !secret.bytes().all(|b| b.is_ascii_graphic()) {
        return refuse("holds characters that cannot stand in a header");
    }
    if PLACEHOLDERS.iter().any(|word| plain.contains(word)) || distinct.len() < DISTINCT_MIN {
        return refuse("looks like a placeholder");
    }
    if secret.starts_with(OWN_PREFIX) && !is_own_key(secret) {
        return refuse("has a wrong checksum: it was not copied whole");
    }
    Ok(())
}

fn digest(secret: &[u8]) -> [u8; 32] {
    *blake3::keyed_hash(DIGEST_KEY, secret).as_bytes()
}

/// Returns the form of a secret that a configuration may hold in its place.
#[must_use]
pub fn digest_key(secret: &SecretString) -> String {
    format!("{DIGEST_PREFIX}{}", blake3::Hash::from(digest(secret.expose_secret().as_bytes())).to_hex())
}

fn parse_digest(text: &str) -> Option<[u8; 32]> {
    blake3::Hash::from_hex(text.strip_prefix(DIGEST_PREFIX)?).ok().map(|hash| *hash.as_bytes())
}

/// Makes a new secret: `tcb_live_`, 26 random characters (154 bits) and a checksum of 6.
#[must_use]
pub fn generate_key(entropy: &dyn Entropy) -> SecretString {
    let mut body = String::with_capacity(BODY_CHARS);
    while body.len() < BODY_CHARS {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        // Bytes of 248 and more would make some characters likelier than others.
        let chars = bytes.iter().filter(|b| **b < 248).filter_map(|b| BASE62.get(usize::from(*b % 62)));
        body.extend(chars.take(BODY_CHARS - body.len()).map(|c| char::from(*c)));
    }
    let check = checksum(&body);
    SecretString::from(format!("{OWN_PREFIX}{body}{check}"))
}

/// Tells whether a text has the form of our own keys and its checksum is right. Says nothing on whether it is valid.
#[must_use]
pub fn is_own_key(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(OWN_PREFIX) else { return false };
    let is_plain = rest.bytes().all(|b| b.is_ascii_alphanumeric()) && rest.len() == BODY_CHARS + CHECK_CHARS;
    is_plain && rest.split_at_checked(BODY_CHARS).is_some_and(|(body, check)| checksum(body) == check)
}

fn checksum(body: &str) -> String {
    let mut rest = crc32(body.as_bytes());
    let mut digits = [b'0'; CHECK_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = usize::try_from(rest % 62).ok().and_then(|at| BASE62.get(at)).copied().unwrap_or(b'0');
        rest /= 62;
    }
    String::from_utf8_lossy(&digits).into_owned()
}

/// CRC-32 as in gzip (reflected, polynomial 0xEDB88320).
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests;
