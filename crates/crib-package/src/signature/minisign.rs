//! Minisign: a file, its signature beside it, and the keys of those the user believes.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign_verify::{PublicKey, Signature};

use super::Signer;

/// Who says that it was them, for a signer that is a key.
const ISSUER: &str = "minisign";
const BUFFER_BYTES: usize = 64 * 1024;
/// A public key: two letters of the algorithm, eight bytes of the id, and the key.
const KEY_BYTES: usize = 42;

/// A public key of minisign, as `minisign -G` prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    text: String,
    id: [u8; 8],
}

/// What is no public key of minisign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no public key of minisign or cosign")]
pub struct NotAKey(String);

impl NotAKey {
    pub(super) fn new(text: &str) -> Self {
        Self(text.lines().next().unwrap_or_default().chars().take(80).collect())
    }
}

/// What is known of a file's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signed {
    By(Signer),
    /// By a key that is none of those that are known.
    ByStranger {
        id: String,
    },
    /// Not by the key whose id it names: why.
    Badly(String),
}

impl FromStr for Key {
    type Err = NotAKey;

    /// Reads a key: the line of letters alone, or the two lines of a `.pub` file.
    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
        let wrong = || NotAKey(line.chars().take(80).collect());
        let bytes = STANDARD.decode(line).ok().filter(|bytes| bytes.len() == KEY_BYTES).ok_or_else(wrong)?;
        PublicKey::from_base64(line).map_err(|_odd| wrong())?;
        let id = bytes.get(2..10).and_then(|id| id.try_into().ok()).ok_or_else(wrong)?;
        Ok(Self { text: line.to_owned(), id })
    }
}

impl Key {
    /// Returns the key that signed a version before.
    pub(crate) fn of(signer: &Signer) -> Option<Self> {
        if signer.issuer == ISSUER { signer.identity.parse().ok() } else { None }
    }

    /// Returns the id as minisign shows it.
    #[must_use]
    pub fn id(&self) -> String {
        shown(&self.id)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id())
    }
}

/// Checks the signature of a file.
pub(crate) fn check(file: &Path, signature: &str, keys: &[Key]) -> Signed {
    let Some(id) = id_of(signature) else { return Signed::Badly("its signature cannot be read".to_owned()) };
    let Some(key) = keys.iter().find(|key| key.id == id) else { return Signed::ByStranger { id: shown(&id) } };
    match verified(file, signature, key) {
        Ok(()) => Signed::By(Signer { issuer: ISSUER.to_owned(), identity: key.text.clone(), repository: None }),
        Err(why) => Signed::Badly(why),
    }
}

fn verified(file: &Path, signature: &str, key: &Key) -> Result<(), String> {
    let failed = |error: &dyn fmt::Display| error.to_string();
    let signature = Signature::decode(signature).map_err(|error| failed(&error))?;
    let key = PublicKey::from_base64(&key.text).map_err(|error| failed(&error))?;
    let mut verifier = key.verify_stream(&signature).map_err(|error| failed(&error))?;
    let mut file = File::open(file).map_err(|error| failed(&error))?;
    let mut buffer = vec![0_u8; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer).map_err(|error| failed(&error))? {
            0 => return verifier.finalize().map_err(|error| failed(&error)),
            read => verifier.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

/// Returns the id of the key that a signature names.
fn id_of(signature: &str) -> Option<[u8; 8]> {
    let bytes = STANDARD.decode(signature.lines().nth(1)?.trim()).ok()?;
    bytes.get(2..10)?.try_into().ok()
}

/// Minisign writes the id as a number, the last byte first.
fn shown(id: &[u8; 8]) -> String {
    let mut id = *id;
    id.reverse();
    crate::digest::hex(&id).to_uppercase()
}
