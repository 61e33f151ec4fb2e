//! The system's keyring: Secret Service on Linux, Keychain on macOS, Credential Manager on Windows.
//!
//! It is another program's, and may ask a person first: it is spoken to on a thread of its own, with a deadline.

use std::sync::mpsc;
use std::time::Duration;

use ::keyring::v1::{Entry, Error};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::{SecretError, SecretName};

/// The name under which the keyring shows our secrets.
const SERVICE: &str = "toolcrib";
/// How long a person may take to unlock the keyring.
const WAIT: Duration = Duration::from_secs(60);
/// How long the keyring may take to say that it is there.
const PROBE: Duration = Duration::from_secs(3);

/// Tells whether there is a keyring that answers.
pub(super) fn is_there() -> bool {
    // What is not in it does not need it unlocked.
    let probe = || match entry("-").and_then(|entry| entry.get_password()) {
        Ok(_) | Err(Error::NoEntry) => Ok(true),
        Err(error) => Err(error),
    };
    ask(PROBE, probe).unwrap_or(false)
}

pub(super) fn set(name: &SecretName, value: &SecretString) -> Result<(), SecretError> {
    let (name, value) = (name.clone(), Zeroizing::new(value.expose_secret().to_owned()));
    ask(WAIT, move || entry(name.as_str())?.set_password(&value))
}

pub(super) fn get(name: &SecretName) -> Result<Option<SecretString>, SecretError> {
    let name = name.clone();
    ask(WAIT, move || match entry(name.as_str())?.get_password() {
        Ok(value) => Ok(Some(SecretString::from(value))),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(error),
    })
}

pub(super) fn remove(name: &SecretName) -> Result<(), SecretError> {
    let name = name.clone();
    ask(WAIT, move || match entry(name.as_str())?.delete_credential() {
        Ok(()) | Err(Error::NoEntry) => Ok(()),
        Err(error) => Err(error),
    })
}

fn entry(name: &str) -> Result<Entry, Error> {
    Entry::new(SERVICE, name)
}

fn ask<T: Send + 'static>(wait: Duration, question: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, SecretError> {
    let (answer, answered) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name("keyring".to_owned());
    // The thread of a keyring that never answers ends with the program.
    let started = thread.spawn(move || drop(answer.send(question())));
    started.map_err(|error| SecretError::Keyring(error.to_string()))?;
    match answered.recv_timeout(wait) {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(SecretError::Keyring(error.to_string())),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(SecretError::Keyring(format!("it does not answer within {wait:?}"))),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(SecretError::Keyring("it stopped in the middle".to_owned())),
    }
}
