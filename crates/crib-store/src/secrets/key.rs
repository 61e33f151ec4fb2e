//! The key of the file of secrets.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{SecretError, random};
use crate::document::{StoreError, private};

/// The name of the key file in the data directory.
const FILE: &str = "secrets.key";
const KEY_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
/// What a passphrase costs to try: 64 MiB, three times over.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
/// What a file may ask for: more would be an attack on this machine.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 32;

/// How a key is made of a passphrase.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kdf {
    algorithm: Name,
    memory_kib: u32,
    passes: u32,
    salt: String,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Name {
    #[serde(rename = "argon2id")]
    Argon2id,
}

impl Kdf {
    pub(super) fn new() -> Result<Self, SecretError> {
        let mut salt = [0; SALT_BYTES];
        random(&mut salt)?;
        Ok(Self { algorithm: Name::Argon2id, memory_kib: MEMORY_KIB, passes: PASSES, salt: STANDARD.encode(salt) })
    }

    fn derive(&self, passphrase: &SecretString) -> Option<Key> {
        let Name::Argon2id = self.algorithm;
        if self.memory_kib > MEMORY_KIB_MAX || self.passes > PASSES_MAX {
            return None;
        }
        let salt = STANDARD.decode(&self.salt).ok()?;
        let params = Params::new(self.memory_kib, self.passes, 1, Some(KEY_BYTES)).ok()?;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon.hash_password_into(passphrase.expose_secret().as_bytes(), &salt, key.as_mut_slice()).ok()?;
        Some(Key(key))
    }
}

/// A key, wiped from memory when dropped.
pub(super) struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl Key {
    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Returns the key that opens what is there.
    pub(super) fn find(directory: &Path, kdf: Option<&Kdf>, passphrase: Option<&SecretString>) -> Result<Self, SecretError> {
        match (kdf, passphrase) {
            (Some(kdf), Some(passphrase)) => kdf.derive(passphrase).ok_or(SecretError::WrongKey),
            (Some(_), None) => Err(SecretError::NoPassphrase),
            (None, _) => Self::read(directory),
        }
    }

    /// Returns the key to seal with, made where there is none.
    pub(super) fn find_or_make(directory: &Path, kdf: Option<&Kdf>, passphrase: Option<&SecretString>) -> Result<Self, SecretError> {
        match Self::find(directory, kdf, passphrase) {
            Err(SecretError::NoKeyFile(_)) => Self::make(directory),
            found => found,
        }
    }

    fn read(directory: &Path) -> Result<Self, SecretError> {
        let path = directory.join(FILE);
        let unreadable = |error| StoreError::Io { act: "read", path: path.clone(), error };
        let text = match fs::read_to_string(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(SecretError::NoKeyFile(path)),
            Err(error) => return Err(unreadable(error).into()),
        };
        if is_open_to_others(&path).map_err(unreadable)? {
            return Err(SecretError::OpenKeyFile(path));
        }
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        let decoded = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_odd| SecretError::WrongKey)?);
        if decoded.len() != KEY_BYTES {
            return Err(SecretError::WrongKey);
        }
        key.copy_from_slice(&decoded);
        Ok(Self(key))
    }

    fn make(directory: &Path) -> Result<Self, SecretError> {
        let path = directory.join(FILE);
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        random(key.as_mut_slice())?;
        let text = Zeroizing::new(STANDARD.encode(key.as_slice()));
        let write = || -> io::Result<()> {
            // Never over a key that is there: something may be sealed with it.
            let mut file = private().create_new(true).open(&path)?;
            writeln!(file, "{}", text.as_str())?;
            file.sync_all()
        };
        write().map_err(|error| StoreError::Io { act: "write", path: path.clone(), error })?;
        Ok(Self(key))
    }
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> io::Result<bool> {
    Ok(false)
}
