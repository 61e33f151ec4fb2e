//! Secrets of one machine: in the system's keyring, or in a file that is encrypted as a whole.
//!
//! Names stand in the clear, with where each value is; values never do. All values of the file are sealed together
//! (XChaCha20-Poly1305) and bound to the names, so that none can be swapped for another, or for an older one of its own.
//! The key comes from a passphrase (Argon2id), or from a file beside it that nobody else may read.

mod key;
mod keyring;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::document::{Document, StoreError};
use key::{Kdf, Key};

/// The name of the file in the data directory.
const FILE: &str = "secrets.json";
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// Largest value: certificates and keys are smaller.
const VALUE_BYTES_MAX: usize = 64 * 1024;
const NAME_BYTES_MAX: usize = 128;
const NONCE_BYTES: usize = 24;
const VERSION: u32 = 1;

/// The name of a secret: a letter or `_`, then letters, digits, `_`, `-` and `.`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretName(String);

/// Why a text is no name of a secret. The text is not repeated: it may be the secret itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a secret has letters, digits, `_`, `-` and `.`, a letter first, and at most {NAME_BYTES_MAX} of them")]
pub struct NameError;

/// Where a value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    File,
    Keyring,
}

/// How the key of the file is come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// There is no file yet.
    None,
    KeyFile,
    Passphrase,
}

/// A secret that is kept, without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub store: StoreKind,
    /// When it was set, in seconds since 1970.
    pub since: u64,
}

/// Why secrets cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{} is not a file of secrets this program reads", .0.display())]
    Malformed(PathBuf),
    #[error("the secrets are locked with a passphrase, and none was given")]
    NoPassphrase,
    #[error("the key does not open the secrets: it is another one, or they were changed")]
    WrongKey,
    #[error("the key of the secrets, {}, is missing", .0.display())]
    NoKeyFile(PathBuf),
    #[error("others may read the key of the secrets: chmod 600 {}", .0.display())]
    OpenKeyFile(PathBuf),
    #[error("a value has between 1 and {VALUE_BYTES_MAX} bytes")]
    Size,
    #[error("the system gives no randomness")]
    Randomness,
    #[error("the system's keyring cannot be used: {0}")]
    Keyring(String),
}

/// What the file holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kdf: Option<Kdf>,
    secrets: BTreeMap<SecretName, Kept>,
    /// The values of the file's own secrets, sealed: a nonce and the box, in Base64. Empty where there are none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    sealed: String,
}

/// Values by name, wiped from memory when dropped.
type Values = BTreeMap<SecretName, Zeroizing<String>>;

/// The secrets of a data directory.
pub struct Secrets {
    document: Document,
    directory: PathBuf,
    passphrase: Option<SecretString>,
    has_keyring: bool,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Secrets {
    /// Names the secrets of a data directory. Nothing is read yet. A passphrase is used where the file wants one, and for
    /// a new file.
    #[must_use]
    pub fn new(directory: &Path, passphrase: Option<SecretString>) -> Self {
        let document = Document::new(directory.join(FILE), "toolcrib-secrets", BYTES_MAX);
        Self { document, directory: directory.to_owned(), passphrase, has_keyring: true }
    }

    /// Leaves the system's keyring alone.
    #[must_use]
    pub fn without_keyring(mut self) -> Self {
        self.has_keyring = false;
        self
    }

    /// Returns the file, for who waits for changes.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.document.path()
    }

    /// Returns how the key of the file is come by.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn key_source(&self) -> Result<KeySource, SecretError> {
        let page = self.page(self.document.read()?)?;
        Ok(match (&page.kdf, page.sealed.is_empty()) {
            (Some(_), _) => KeySource::Passphrase,
            (None, false) => KeySource::KeyFile,
            (None, true) => KeySource::None,
        })
    }

    /// Returns the secrets there are, without their values.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn names(&self) -> Result<BTreeMap<SecretName, Kept>, SecretError> {
        Ok(self.page(self.document.read()?)?.secrets)
    }

    /// Keeps a value, in the keyring where there is one unless `store` says otherwise. Returns where.
    ///
    /// # Errors
    /// It cannot be kept; then what was there before still is.
    pub fn set(&self, name: &SecretName, value: &SecretString, store: Option<StoreKind>, now: u64) -> Result<StoreKind, SecretError> {
        if !(1..=VALUE_BYTES_MAX).contains(&value.expose_secret().len()) {
            return Err(SecretError::Size);
        }
        let automatic = || if self.has_keyring && keyring::is_there() { StoreKind::Keyring } else { StoreKind::File };
        let store = store.unwrap_or_else(automatic);
        self.change(|page, values| {
            if store == StoreKind::Keyring {
                self.keyring()?;
                keyring::set(name, value)?;
                values.remove(name);
            } else {
                values.insert(name.clone(), Zeroizing::new(value.expose_secret().to_owned()));
            }
            page.secrets.insert(name.clone(), Kept { store, since: now });
            Ok(store)
        })
    }

    /// Forgets a secret. Returns whether there was one.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self, name: &SecretName) -> Result<bool, SecretError> {
        self.change(|page, values| {
            let Some(kept) = page.secrets.remove(name) else { return Ok(false) };
            if kept.store == StoreKind::Keyring {
                self.keyring()?;
                keyring::remove(name)?;
            }
            values.remove(name);
            Ok(true)
        })
    }

    /// Returns the values of some secrets; those that are not kept are left out.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn values(&self, names: impl IntoIterator<Item = SecretName>) -> Result<BTreeMap<SecretName, SecretString>, SecretError> {
        let page = self.page(self.document.read()?)?;
        let mut file: Option<Values> = None;
        let mut found = BTreeMap::new();
        for name in names {
            let value = match page.secrets.get(&name).map(|kept| kept.store) {
                None => continue,
                Some(StoreKind::Keyring) => {
                    self.keyring()?;
                    keyring::get(&name)?
                }
                Some(StoreKind::File) => {
                    if file.is_none() {
                        file = Some(self.open(&page)?);
                    }
                    file.as_ref().and_then(|values| values.get(&name)).map(|value| SecretString::from(value.as_str()))
                }
            };
            found.extend(value.map(|value| (name, value)));
        }
        Ok(found)
    }

    fn keyring(&self) -> Result<(), SecretError> {
        if self.has_keyring { Ok(()) } else { Err(SecretError::Keyring("it is switched off".to_owned())) }
    }

    fn page(&self, body: Option<Vec<u8>>) -> Result<Page, SecretError> {
        let Some(body) = body else { return Ok(Page { version: VERSION, kdf: None, secrets: BTreeMap::new(), sealed: String::new() }) };
        let page: Option<Page> = serde_json::from_slice(&body).ok();
        page.filter(|page| page.version == VERSION).ok_or_else(|| SecretError::Malformed(self.path().to_owned()))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Page, &mut Values) -> Result<T, SecretError>) -> Result<T, SecretError> {
        self.document.update(|body| {
            let mut page = self.page(body)?;
            let mut values = self.open(&page)?;
            let result = change(&mut page, &mut values)?;
            self.seal(&mut page, &values)?;
            let body = serde_json::to_vec(&page).map_err(|_shape| SecretError::Malformed(self.path().to_owned()))?;
            Ok((Some(body), result))
        })
    }

    fn open(&self, page: &Page) -> Result<Values, SecretError> {
        if page.sealed.is_empty() {
            return Ok(Values::new());
        }
        let key = Key::find(&self.directory, page.kdf.as_ref(), self.passphrase.as_ref())?;
        let sealed = STANDARD.decode(&page.sealed).map_err(|_odd| SecretError::WrongKey)?;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(SecretError::WrongKey)?;
        let aad = bound(page);
        let opened = cipher(&key).decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &aad });
        let opened = Zeroizing::new(opened.map_err(|_wrong| SecretError::WrongKey)?);
        serde_json::from_slice(&opened).map_err(|_shape| SecretError::Malformed(self.path().to_owned()))
    }

    fn seal(&self, page: &mut Page, values: &Values) -> Result<(), SecretError> {
        if values.is_empty() {
            page.sealed.clear();
            page.kdf = None;
            return Ok(());
        }
        if page.sealed.is_empty() {
            page.kdf = self.passphrase.as_ref().map(|_| Kdf::new()).transpose()?;
        }
        let key = Key::find_or_make(&self.directory, page.kdf.as_ref(), self.passphrase.as_ref())?;
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce)?;
        let text = Zeroizing::new(serde_json::to_vec(values).map_err(|_shape| SecretError::Size)?);
        let aad = bound(page);
        let sealed = cipher(&key).encrypt(&XNonce::from(nonce), Payload { msg: &text, aad: &aad }).map_err(|_large| SecretError::Size)?;
        page.sealed = STANDARD.encode([nonce.as_slice(), &sealed].concat());
        Ok(())
    }
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&chacha20poly1305::Key::from(*key.bytes()))
}

/// What the values are bound to: everything of the page that is in the clear.
fn bound(page: &Page) -> Vec<u8> {
    serde_json::to_vec(&(page.version, &page.kdf, &page.secrets)).unwrap_or_default()
}

fn random(bytes: &mut [u8]) -> Result<(), SecretError> {
    getrandom::fill(bytes).map_err(|_none| SecretError::Randomness)
}

impl SecretName {
    /// Reads a name.
    ///
    /// # Errors
    /// It has other characters, or too many.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        if begins && is_plain && text.len() <= NAME_BYTES_MAX { Ok(Self(text.to_owned())) } else { Err(NameError) }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for SecretName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<SecretName> for String {
    fn from(name: SecretName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests;
